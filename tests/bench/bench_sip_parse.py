"""Cost of reading and writing one SIP message, in microseconds of thread CPU.

Run as `python -m tests.bench.bench_sip_parse`.

Prints a table and then the same figures as one line of JSON. The messages are the seven of a plain call between two
user agents with one audio line, written here; sizes are printed beside the costs. Each figure is the best of several
rounds, so that a busy machine counts little.

What helped, in microseconds of one 326-octet response (13.8 at first): one anchored pattern each for the usual Via
and the usual From and To instead of the general readers (5); one dictionary look-up for every spelling of a header
name (1.5); splitlines, checked by joining again, instead of split and two counts (0.5); remembering status lines and
CSeq values, which repeat in every call (0.8); no function calls for the usual Max-Forwards and Content-Length (0.4).
What did not: splitting all lines first and zipping names with lines, reading header lines with one pattern, finding
the headers one by one in the head (the lines have to be classified anyway, or a second Call-ID goes unseen), and
remembering whole header lines (many calls at once have too many different ones).
The aim of 4 us is missed: what is left is a fifth each for splitting, naming the lines, and the three patterns.
"""

import json
import time
from collections.abc import Callable

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.peek import call_id

SDP = (
    b"v=0\r\no=- 3902468451 3902468451 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 40002 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
FROM = '"Alice" <sip:alice@192.0.2.10>;tag=8d5a5b1c0f3e4d2a6b7c'
TO = "<sip:bob@192.0.2.20>"
TO_TAGGED = TO + ";tag=f00dfeedc0ffee123456"
VIA = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK7b1d4e2a9c8f6a5b3d1e;rport"
VIA_BACK = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK7b1d4e2a9c8f6a5b3d1e;rport=5060;received=192.0.2.10"
CALL_ID = "3848276298220188511843c5d8e7f6a1@192.0.2.10"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"


def _request(method: str, number: int, to: str, body: bytes = b"") -> bytes:
    pairs = [
        ("Via", VIA),
        ("Max-Forwards", "70"),
        ("From", FROM),
        ("To", to),
        ("Call-ID", CALL_ID),
        ("CSeq", f"{number} {method}"),
    ]
    if body:
        pairs += [
            ("Contact", "<sip:alice@192.0.2.10:5060>"),
            ("Allow", ALLOW),
            ("Supported", "100rel, timer, replaces"),
            ("User-Agent", "sipswarm"),
            ("Content-Type", "application/sdp"),
        ]
    return Request.build(method, "sip:bob@192.0.2.20:5060", pairs, body).to_bytes()


def _response(status: int, number: int, method: str, body: bytes = b"", to: str = TO_TAGGED) -> bytes:
    pairs = [("Via", VIA_BACK), ("From", FROM), ("To", to), ("Call-ID", CALL_ID), ("CSeq", f"{number} {method}")]
    if body:
        pairs += [
            ("Contact", "<sip:bob@192.0.2.20:5060>"),
            ("Allow", ALLOW),
            ("Supported", "100rel, timer, replaces"),
            ("Content-Type", "application/sdp"),
        ]
    return Response.build(status, None, pairs, body).to_bytes()


MESSAGES = {
    "INVITE": _request("INVITE", 1, TO, SDP),
    "100": _response(100, 1, "INVITE", to=TO),
    "180": _response(180, 1, "INVITE"),
    "200 with SDP": _response(200, 1, "INVITE", SDP),
    "ACK": _request("ACK", 1, TO_TAGGED),
    "BYE": _request("BYE", 2, TO_TAGGED),
    "200 to BYE": _response(200, 2, "BYE"),
}


def cost(work: Callable[[], object], rounds: int = 15, repeats: int = 2000) -> float:
    """Return the microseconds of thread CPU that one call of `work` takes: the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(repeats):
            work()
        best = min(best, time.thread_time() - start)
    return best / repeats * 1e6


def read_hot(data: bytes) -> object:
    """Parse and read what every transaction and dialog asks for."""
    message = parse(data)
    return message.call_id, message.from_tag, message.to_tag, message.cseq, message.via.branch


def read_dialog(data: bytes) -> object:
    """Parse and read what the first message of a dialog is asked for."""
    message = parse(data)
    return message.from_, message.to, message.contacts, message.record_routes, message.content_type


def rebuild(data: bytes) -> Callable[[], bytes]:
    """Return work that builds and writes the same message from (name, value) pairs."""
    message = parse(data)
    pairs = [pair for pair in message.headers.items() if pair[0] != "Content-Length"]
    body = message.body
    if isinstance(message, Request):
        method, uri = message.method, message.uri
        return lambda: Request.build(method, uri, pairs, body).to_bytes()
    status, reason = message.status, message.reason
    return lambda: Response.build(status, reason, pairs, body).to_bytes()


def reply(data: bytes) -> Callable[[], bytes]:
    """Return work that answers a parsed request with 180 and writes the answer."""
    request = parse(data)
    assert isinstance(request, Request)
    return lambda: Response.to_request(request, 180, to_tag="f00dfeedc0ffee123456").to_bytes()


def measure() -> dict[str, dict[str, float]]:
    """Measure every message; return microseconds by message and kind of work."""
    table: dict[str, dict[str, float]] = {}
    for name, data in MESSAGES.items():
        table[name] = {
            "octets": float(len(data)),
            "peek": cost(lambda data=data: call_id(data)),  # type: ignore[misc]
            "parse": cost(lambda data=data: parse(data)),  # type: ignore[misc]
            "parse_hot": cost(lambda data=data: read_hot(data)),  # type: ignore[misc]
            "parse_dialog": cost(lambda data=data: read_dialog(data)),  # type: ignore[misc]
            "write": cost(rebuild(data)),
        }
    table["INVITE"]["reply"] = cost(reply(MESSAGES["INVITE"]))
    return table


def main() -> None:
    """Print the table, then one line of JSON."""
    table = measure()
    kinds = ["octets", "peek", "parse", "parse_hot", "parse_dialog", "write", "reply"]
    print(f"{'us of CPU':14}" + "".join(f"{kind:>14}" for kind in kinds))
    for name, row in table.items():
        print(f"{name:14}" + "".join(f"{row[kind]:14.2f}" if kind in row else " " * 14 for kind in kinds))
    print(json.dumps({"unit": "us", "messages": table}))


if __name__ == "__main__":
    main()
