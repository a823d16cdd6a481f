"""Mutants of every torture message: parsed or ParseError, nothing else, quickly, and in linear time.

SIPSWARM_FUZZ_SEED repeats a run; the seed is printed when a test fails. RELIABILITY: M3, M4, M10, M11.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, parse
from sipswarm.sipcore.transaction import stateless
from tests.sipcore.wire import SDP, read_everything, sample, sample_response

MUTANTS = 300_000
BATCHES = 10
SLOWEST = 0.005
SEED = int(os.environ.get("SIPSWARM_FUZZ_SEED", "4475"))
CAPABILITIES = stateless.Capabilities()

DICTIONARY = (
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b"\t", b" ", b",", b";", b":", b"=", b'"', b"\\", b"<", b">",
    b"(", b")", b"@", b"?", b"&", b"%", b"%00", b"%zz", b"[", b"]", b"[::1]", b"*", b"\xef\xbb\xbf", b"\xc0\xaf",
    b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\xe2\x84\xaa", b"\xd9\xa3", b"SIP/2.0", b"SIP/7.0",
    b"sip:", b"sips:", b"tel:", b"Via: ", b"v: ", b"To: ", b"t :", b"Call-ID: ", b"i:", b"CSeq: 1 INVITE\r\n",
    b"Content-Length: ", b"l: 5\r\n", b"Contact: *\r\n", b"Route: <sip:a;lr>\r\n", b";tag=", b";branch=z9hG4bK",
    b";rport", b";received=", b"multipart/mixed;boundary=x", b"--x\r\n", b"--x--", b"%s%n%x", b"../../", b"q=0.5",
    b"Session-Expires: 90;refresher=uas\r\n", b"RAck: 1 1 INVITE\r\n", b"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n",
    b"Replaces: a;to-tag=b;from-tag=c\r\n", b"Reason: Q.850;cause=16;text=\"x\"\r\n", b"Retry-After: 5 (x);duration=3",
    b"Authorization: Digest a=\"b\", c=d\r\n", b"Warning: 399 a \"b\"\r\n", b"Accept: */*;q=0.1, text/plain\r\n",
    b"Subscription-State: active;expires=5\r\n", b"Event: refer;id=1\r\n", b"Timestamp: 1.5 2\r\n",
)  # fmt: skip
EDGES = (
    b"-1", b"0", b"00", b"1", b"255", b"256", b"65535", b"65536", b"2147483647", b"2147483648", b"4294967295",
    b"4294967296", b"18446744073709551616", b"9" * 400, b"1e9", b"0x10", b"+5", b"1_000", b"\xd9\xa1", b"\xc2\xb2",
)  # fmt: skip


def seeds(folder: Path) -> list[bytes]:
    torture = [path.read_bytes() for path in sorted((folder / "rfc4475").glob("*.dat"))]
    ours = [
        sample("INVITE", "Contact: <sip:alice@192.0.2.10>", "Content-Type: application/sdp", body=SDP),
        sample("REFER", "Refer-To: <sip:c@h?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>", "Referred-By: <sip:a@b>"),
        sample("NOTIFY", "Event: refer", "Subscription-State: active;expires=60"),
        sample("PRACK", "RAck: 776656 1 INVITE"),
        sample_response(183, "RSeq: 988789", "Require: 100rel", "Record-Route: <sip:p1;lr>, <sip:p2;lr>"),
        sample_response(401, 'WWW-Authenticate: Digest realm="a", nonce="b", algorithm=SHA-256, qop="auth"'),
        sample_response(422, "Min-SE: 90", "Retry-After: 5 (busy)", 'Reason: SIP;cause=200;text="x"'),
    ]
    return torture + ours


def mutate(message: bytes, others: list[bytes], dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        at = dice.randrange(len(message) + 1)
        kind = dice.randrange(9)
        if kind == 0 and message:  # a bit
            at = min(at, len(message) - 1)
            message = message[:at] + bytes((message[at] ^ (1 << dice.randrange(8)),)) + message[at + 1 :]
        elif kind == 1:  # a word of the dictionary
            message = message[:at] + dice.choice(DICTIONARY) + message[at:]
        elif kind == 2:  # delete
            message = message[:at] + message[at + dice.randrange(1, 40) :]
        elif kind == 3:  # repeat a piece
            piece = message[at : at + dice.randrange(1, 60)]
            message = message[:at] + piece * dice.choice((2, 2, 3, 20)) + message[at:]
        elif kind == 4:  # splice
            other = dice.choice(others)
            message = message[:at] + other[dice.randrange(len(other)) :]
        elif kind == 5:  # a number on the edge
            start = at
            while start < len(message) and not 48 <= message[start] <= 57:
                start += 1
            end = start
            while end < len(message) and 48 <= message[end] <= 57:
                end += 1
            message = message[:start] + dice.choice(EDGES) + message[end:]
        elif kind == 6:  # a line twice, or elsewhere
            lines = message.split(b"\r\n")
            lines.insert(dice.randrange(len(lines)), dice.choice(lines))
            message = b"\r\n".join(lines)
        elif kind == 7:  # an octet
            message = message[:at] + bytes((dice.randrange(256),)) + message[at + 1 :]
        elif dice.random() < 0.02:  # much of the same
            message = message[:at] + dice.choice(DICTIONARY) * dice.randrange(1, 30_000) + message[at:]
            message = message[:MAX_MESSAGE]
    return message


def handle(data: bytes) -> None:
    """What happens to a datagram: parsed and read through, or refused; never another exception than ParseError."""
    try:
        message = parse(data)
    except ParseError as error:
        stateless.refuse_unreadable(data, error, CAPABILITIES)
        return
    read_everything(message)
    if isinstance(message, Request):
        stateless.inspect(message, CAPABILITIES)


def thread_time(work: Callable[[], object]) -> float:
    """CPU seconds of this thread for some work; a tracer, which multiplies them, stands still meanwhile."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        start = time.thread_time()
        work()
        return time.thread_time() - start
    finally:
        sys.settrace(tracer)


def check_round_trip(data: bytes) -> None:
    try:
        message = parse(data)
    except ParseError:
        return
    written = message.to_bytes()
    if len(written) > MAX_MESSAGE or len(message.headers) >= MAX_HEADERS:
        return  # the Content-Length that was added made it too long
    again = parse(written)
    assert again.to_bytes() == written
    assert again.headers.lines[: len(message.headers)] == message.headers.lines
    assert (again.call_id, again.cseq, again.from_tag, again.to_tag, again.branch) == (
        message.call_id, message.cseq, message.from_tag, message.to_tag, message.branch,
    )  # fmt: skip
    assert peek.call_id(data) == message.call_id.encode("utf-8", "surrogateescape")
    assert peek.is_request(data) is isinstance(message, Request)
    assert peek.has_to_tag(data) is (message.to_tag is not None)
    if isinstance(message, Request):
        assert peek.method(data) == message.method.encode()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutants_are_parsed_or_refused_and_nothing_else(shared_data: Path, batch: int) -> None:
    sys.stdout.write(f"SIPSWARM_FUZZ_SEED={SEED}, batch {batch}\n")
    dice = random.Random(SEED * BATCHES + batch)
    corpus = seeds(shared_data)
    for index in range(MUTANTS // BATCHES):
        data = mutate(dice.choice(corpus), corpus, dice)
        try:
            spent = thread_time(lambda data=data: handle(data))  # type: ignore[misc]
            if spent > SLOWEST:
                spent = min(spent, *(thread_time(lambda data=data: handle(data)) for _ in range(2)))  # type: ignore[misc]
            check_round_trip(data)
        except Exception as error:
            raise AssertionError(f"mutant {index}: {data[:2000]!r}") from error
        assert spent <= SLOWEST, f"mutant {index} took {spent * 1000:.1f} ms: {data[:2000]!r}"


HEADERS = (
    "Via", "From", "To", "Contact", "Route", "Record-Route", "Call-ID", "CSeq", "Accept", "Allow", "Supported",
    "Require", "Authorization", "WWW-Authenticate", "Authentication-Info", "Warning", "Reason", "Event",
    "Subscription-State", "Replaces", "Refer-To", "Retry-After", "Date", "Timestamp", "Session-Expires",
    "Call-Info", "Content-Type", "Content-Disposition", "Subject", "Max-Forwards", "RAck", "Expires", "X-Unknown",
)  # fmt: skip
FILLERS = (
    " ", "\t", ",", ";", '"', "(", ")", "<", ">", "\\", '\\"', "a,", ";a", ";a=b", '"a",', "<a>,", "<sip:a@b>,", "a ",
    '"" ', "a=b,", 'a="b",', "=", "%41", "%", "@", ":", "::", "\r\n ", "\r\n\t", "\r\n a", "a/b,", "SIP/2.0/UDP a,",
    '1 a "b",', "[", "0", ".", "((", "é", "\udcff",
)  # fmt: skip


@pytest.mark.parametrize("filler", FILLERS, ids=ascii)
def test_long_headers_of_one_kind_cost_little(filler: str) -> None:
    """Eight lines just under the limit, of every header that is read, take less than 5 ms together."""
    for name in HEADERS:
        for start in ("", "<sip:a@b>", '"', "1"):
            value = start + filler * ((MAX_LINE - 40) // len(filler))
            for count in (1, 8):
                fillers = [f"{name}: {value}"] * count
                data = sample("OPTIONS", *fillers, drop=name if name != "Via" else "")[:MAX_MESSAGE]
                spent = min(thread_time(lambda data=data: handle(data)) for _ in range(3))  # type: ignore[misc]
                assert spent <= SLOWEST, f"{count} x {name} of {filler!r}: {spent * 1000:.1f} ms"


def steady(data: bytes) -> float:
    """Thread CPU of handling a message, the best of several, each long enough to measure."""
    once = min(thread_time(lambda: handle(data)) for _ in range(3))
    repeats = max(1, int(0.001 / max(once, 1e-6)))

    def work() -> None:
        for _ in range(repeats):
            handle(data)

    return min(thread_time(work) for _ in range(7)) / repeats


PLACES: dict[str, Callable[[str], bytes]] = {
    "a header": lambda filler: sample("OPTIONS", f"Contact: {filler}"),
    "an unknown header": lambda filler: sample("OPTIONS", f"X-Unknown: {filler}"),
    "To": lambda filler: sample("OPTIONS", f"To: {filler}", drop="To"),
    "the Request-URI": lambda filler: sample().replace(b"192.0.2.20 SIP", b"192.0.2.20" + filler.encode() + b" SIP"),
    "before the start line": lambda filler: filler.encode() + sample(),
    "the body": lambda filler: sample("OPTIONS", "Content-Type: multipart/mixed;boundary=x", body=filler.encode()),
    "lines": lambda filler: sample("OPTIONS", *(f"Contact: {filler[:500]}" for _ in range(len(filler) // 500))),
}


@pytest.mark.parametrize("filler", [" ", ",", '"', ";", "(", "\r\n ", "\r\n--x\r\n", "<", "\\"], ids=ascii)
@pytest.mark.parametrize("place", PLACES)
def test_time_is_linear(place: str, filler: str) -> None:
    build = PLACES[place]
    short, long = (build(filler * (size // len(filler))) for size in (30_000, 60_000))
    for attempt in range(3):
        if steady(long) <= 2.5 * steady(short):
            return
        assert attempt < 2, f"twice the octets in {place} take more than 2.5 times the work"
