"""SIP as the peer of this harness reads and writes it: enough for a judge, and not a line of the product's code."""

import re
from typing import NamedTuple

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "k": "supported"}
_TAG = re.compile(r";\s*tag=([^;>\s]+)", re.IGNORECASE)
_URI = re.compile(r"<([^>]+)>|^\s*([^;\s]+)")
_BRANCH = re.compile(r";\s*branch=([^;,\s]+)", re.IGNORECASE)
_HOST_PORT = re.compile(r"^sips?:(?:[^@]*@)?(\[[0-9a-fA-F:.]+\]|[^:;?>]+)(?::(\d+))?", re.IGNORECASE)


class Text(NamedTuple):
    """One message."""

    start: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case and in full."""
    body: str

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for have, value in self.headers if have == name]

    def one(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next((value for have, value in self.headers if have == name), "")

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """Of a request, or of what a response answers."""
        return self.one("cseq").split()[-1] if self.is_response else self.start.split(" ", 1)[0]

    @property
    def cseq(self) -> int:
        return int(self.one("cseq").split()[0])

    @property
    def status(self) -> int:
        """Of a response; 0 of a request."""
        return int(self.start.split()[1]) if self.is_response else 0

    @property
    def call_id(self) -> str:
        return self.one("call-id")

    @property
    def branch(self) -> str:
        found = _BRANCH.search(self.one("via"))
        return found[1] if found else ""


def read(data: bytes) -> Text | None:
    """Read a message; None for what is none."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    if "SIP/2.0" not in lines[0]:
        return None
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            low = name.strip().lower()
            headers.append((COMPACT.get(low, low), value.strip()))
    message = Text(lines[0], tuple(headers), body)
    return message if len(message.one("cseq").split()) == 2 and message.call_id else None


def tag(value: str) -> str:
    """The tag of From or To, or nothing."""
    found = _TAG.search(value.rpartition(">")[2] if ">" in value else value)
    return found[1] if found else ""


def uri(value: str) -> str:
    """The URI of Contact, From or To."""
    found = _URI.search(value)
    return (found[1] or found[2]) if found else ""


def place(uri_text: str) -> tuple[str, int]:
    """Host and port of a SIP URI.

    Raises:
        ValueError: it has none.
    """
    found = _HOST_PORT.match(uri_text)
    if found is None:
        raise ValueError(f"no SIP URI with a host: {uri_text!r}")
    return found[1].strip("[]"), int(found[2] or 5060)


def media_place(sdp: str) -> tuple[str, int]:
    """Address and port of the audio of a description; port 0 where there is none."""
    host = port = ""
    for line in sdp.splitlines():
        if line.startswith("c=IN IP"):
            host = line.split()[2]
        elif line.startswith("m=audio "):
            port = line.split()[1]
    return host, int(port or 0)


def in_brackets(host: str) -> str:
    """A host as it stands in a URI."""
    return f"[{host}]" if ":" in host else host


def description(host: str, port: int, version: int = 1, ptime: int = 20) -> str:
    """An offer or an answer: PCMU and telephone-events, packets of this many milliseconds."""
    family = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 1 {version} IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        f"a=ptime:{ptime}\r\n"
    )


def write(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    """A message with the length of its body."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join((*lines, f"Content-Length: {len(body.encode())}", "", body)).encode()
