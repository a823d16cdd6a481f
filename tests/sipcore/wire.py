"""What the tests of the wire layer share: sample messages, and reading everything that a message offers."""

from typing import Any

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Message, Request, Response

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 40002 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def sample(method: str = "INVITE", *extra: str, body: bytes = b"", drop: str = "") -> bytes:
    """A request with usual headers, more header lines, a body; without the header named `drop`."""
    lines = [
        f"{method} sip:bob@192.0.2.20 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport",
        "Max-Forwards: 70",
        'From: "Alice" <sip:alice@192.0.2.10>;tag=1928301774',
        "To: Bob <sip:bob@192.0.2.20>",
        "Call-ID: a84b4c76e66710@192.0.2.10",
        f"CSeq: 314159 {method}",
        *extra,
        f"Content-Length: {len(body)}",
    ]
    lines = [line for line in lines if not drop or not line.startswith(drop + ":")]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def sample_response(status: int = 200, *extra: str, body: bytes = b"") -> bytes:
    """A response with usual headers, more header lines and a body."""
    lines = [
        f"SIP/2.0 {status} Some Reason",
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport=5060;received=192.0.2.10",
        "From: Alice <sip:alice@192.0.2.10>;tag=1928301774",
        "To: Bob <sip:bob@192.0.2.20>;tag=a6c85cf",
        "Call-ID: a84b4c76e66710@192.0.2.10",
        "CSeq: 314159 INVITE",
        *extra,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def properties_of(kind: type[Message]) -> tuple[str, ...]:
    """The names of all values that a message of this kind derives from its headers and body."""
    stored = {"body", "headers", "method", "reason", "start_line", "status", "uri"}
    names = (name for name in dir(kind) if not name.startswith("_") and name not in stored)
    return tuple(name for name in names if not callable(getattr(kind, name)))


PROPERTIES: dict[type[Message], tuple[str, ...]] = {kind: properties_of(kind) for kind in (Request, Response)}


def read_everything(message: Message) -> dict[str, Any]:
    """Read every typed value; a ParseError stands for a value that cannot be read, anything else goes through."""
    values: dict[str, Any] = {}
    for name in PROPERTIES[type(message)]:
        try:
            values[name] = getattr(message, name)
        except ParseError as error:
            values[name] = error
    return values
