"""Digits in SIP INFO: every spelling is one digit, or is refused (RFC 3261 section 8.2.3); none is lost with a 200."""

from itertools import product

import pytest

from sipswarm.actors.call.info_dtmf import TYPES, body_of
from sipswarm.actors.call.notices import DtmfReceived
from sipswarm.actors.call.state import State
from sipswarm.actors.trace.masking import masked
from tests.actors.scenes import established

RELAY, PLAIN, EVENTS, NORTEL = TYPES
SIGNALS = {
    **{each: each for each in "0123456789*#ABCD"},
    **{each.lower(): each for each in "ABCD"},
    **{str(10 + place): digit for place, digit in enumerate("*#ABCD")},
    "05": "5",
    '"5"': "5",
}
NO_SIGNALS = ("", "16", "99", "E", "!", "5 5", "123", "-1", "1.5", "\u0665", "flash")
DURATIONS = {
    "": 100,
    "Duration=": 100,
    "Duration=160": 160,
    "Duration=160ms": 160,
    "Duration: 160": 160,
    "duration = 160 ms": 160,
    "Duration=-1": 100,
    "Duration=1.5": 100,
    "Duration=soon": 100,
    "Duration=0": 100,
    "Duration=99999999": 99999,
    "Duration=160;x=1": 100,
    "Length=7": 100,
}
LINES = ("Signal={}", "signal={}", "SIGNAL = {} ", "Signal: {}", "Signal:{}", "d={}", "D = {}", "{}", " {} ")


def asked(content_type: str, body: bytes) -> tuple[str, list[tuple[str, int]]]:
    """The status that an INFO gets, and the digits that the call takes from it."""
    made = established()
    made.bob.call.request("INFO", body, content_type, (), 2.0)
    made.line.carry()
    found = [(notice.event, notice.duration_ms) for notice in made.alice.notices if isinstance(notice, DtmfReceived)]
    (_, answer) = made.since(4)
    return answer.split()[1], found


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("line", LINES)
def test_every_signal_in_every_spelling_is_its_digit(content_type: str, line: str) -> None:
    for signal, digit in SIGNALS.items():
        body = f"{line.format(signal)}\r\n".encode()
        assert asked(content_type, body) == ("200", [(digit, 100)]), body


@pytest.mark.parametrize("content_type", [RELAY, "Application/DTMF-Relay;charset=utf-8", PLAIN])
def test_a_duration_that_cannot_be_read_does_not_matter(content_type: str) -> None:
    for (said, length), first, end in product(DURATIONS.items(), (True, False), ("\r\n", "\n", "\r")):
        lines = [said, "Signal=5"] if first else ["Signal=5", said]
        assert asked(content_type, end.join(lines).encode()) == ("200", [("5", length)]), lines
        assert asked(content_type, (end.join(lines) + end + end).encode()) == ("200", [("5", length)]), lines


@pytest.mark.parametrize("content_type", TYPES)
def test_a_body_without_a_digit_is_refused(content_type: str) -> None:
    for signal, line in product(NO_SIGNALS, LINES):
        body = line.format(signal).encode() + b"\r\n"
        assert asked(content_type, body) == ("400", []), body
    made = established()
    made.bob.call.request("INFO", b"", "", (("Content-Type", content_type),), 2.0)
    made.line.carry()
    assert made.since(4) == ["< INFO", "> 400 INFO"]
    for body in (b"\r\n", b"Duration=160", b"Signal=1\r\nSignal=2\r\n", b"\xff\xfe=\x00", b"\x10\x8a\x03\x20"):
        assert asked(content_type, body) == ("400", []), body


def test_a_body_may_be_the_event_of_an_rtp_packet() -> None:
    for code, digit in enumerate("0123456789*#ABCD"):
        assert asked(EVENTS, bytes((code, 0x8A, 0x03, 0x20))) == ("200", [(digit, 100)])
        assert asked(EVENTS, bytes((code, 0x0A, 0x05, 0x00))) == ("200", [(digit, 160)])


def test_the_lines_of_a_nortel_gateway_are_one_digit() -> None:
    body = b"p=DtmfReceived-Collection\r\ny=Digits\r\ns=success\r\nu=12345678\r\ni=87654321\r\nd=5\r\n"
    assert asked(NORTEL, body) == ("200", [("5", 100)])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/dtmf-other", b"Signal=5"),
        ("application/x-digits", b"5"),
        ("application/kpml-response+xml", b"<kpml-response digits='5'/>"),
        ("text/plain", b"Signal=5\r\nDuration=160\r\n"),
        ("text/plain", b"x\r\nsignal : 5\r\n"),
        ("", b"Signal=5"),
    ],
)
def test_a_digit_under_another_type_is_refused_with_those_that_are_taken(content_type: str, body: bytes) -> None:
    assert asked(content_type, body) == ("415", [])
    made = established()
    made.bob.call.request("INFO", body, content_type, (), 2.0)
    made.line.carry()
    response = made.bob.notices[-1].response  # type: ignore[union-attr]  # of the request
    assert response is not None
    assert [each.strip() for each in (response.headers.get("Accept") or "").split(",")] == list(TYPES)


@pytest.mark.parametrize(("content_type", "body"), [("", b""), ("text/plain", b"hello"), ("application/x", b"")])
def test_an_info_that_is_about_something_else_is_taken(content_type: str, body: bytes) -> None:
    assert asked(content_type, body) == ("200", [])


@pytest.mark.parametrize("content_type", [RELAY, PLAIN])
def test_what_is_sent_is_what_is_read(content_type: str) -> None:
    for digit in "0123456789*#ABCD":
        length = 240 if content_type == RELAY else 100
        assert asked(content_type, body_of(content_type, digit, 240)) == ("200", [(digit, length)])


@pytest.mark.parametrize("content_type", TYPES)
def test_no_spelling_of_a_digit_is_written_into_a_trace(content_type: str) -> None:
    head = f"INFO sip:a@127.0.0.1 SIP/2.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    bodies = [line.format(7).encode() + b"\r\n" for line in LINES]
    if content_type == EVENTS:
        bodies.append(b"\x07\x8a\x03\x20")
    for body in bodies:
        shown = masked(head + body)
        assert len(shown) == len(head + body)
        assert b"7" not in shown[len(head) :], body
        assert b"\x07" not in shown[len(head) :], body


OPTIONAL = ("Content-Disposition", "render;handling=optional")
REQUIRED = ("Content-Disposition", "signal;handling=required")
MIXED = "multipart/mixed;boundary=b"
PARTS = "--b\r\nContent-Type: {}\r\n{}\r\nx\r\n--b--\r\n"


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
@pytest.mark.parametrize(
    ("content_type", "headers", "body", "status"),
    [
        ("text/plain", (), "x", 200),
        ("text/plain;charset=utf-8", (), "x", 200),
        ("text/html", (), "x", 200),
        ("text/plain", (REQUIRED,), "x", 200),
        ("application/foo", (), "", 200),
        ("application/foo", (), "x", 415),
        ("application/foo", (REQUIRED,), "x", 415),
        ("application/foo", (OPTIONAL,), "x", 200),
        ("application/media_control+xml", (), "<x/>", 415),  # RFC 5168
        ("application/isup", (OPTIONAL,), "x", 200),
        ("application/sdp", (), "v=0", 415),
        ("", (), "x", 200),  # RFC 2045 section 5.2: plain text
        ("text/plain", (("Content-Encoding", "gzip"),), "x", 415),
        ("text/plain", (("Content-Encoding", "identity"),), "x", 200),
        (MIXED, (), PARTS.format("text/plain", ""), 200),
        (MIXED, (), PARTS.format("application/foo", ""), 415),
        (MIXED, (), PARTS.format("application/foo", "Content-Disposition: render;handling=optional\r\n"), 200),
        ("multipart/mixed", (), "x", 400),
    ],
)
def test_a_body_that_is_not_understood_is_refused_unless_it_is_optional(
    method: str, content_type: str, headers: tuple[tuple[str, str], ...], body: str, status: int
) -> None:
    """RFC 3261 section 8.2.3, RFC 2976 section 2.2; the call goes on, and Accept says what is taken."""
    made = established()
    made.bob.call.request(method, body.encode(), content_type, headers, 2.0)
    made.line.carry()
    assert made.since(4) == [f"< {method}", f"> {status} {method}"]
    response = made.bob.notices[-1].response  # type: ignore[union-attr]  # of the request
    assert response is not None
    if status == 415:
        says = "Accept-Encoding" if any(name == "Content-Encoding" for name, _ in headers) else "Accept"
        assert response.headers.get(says)
        assert (
            response.headers.get("Accept") is None or PLAIN not in response.headers.values("Accept") or method == "INFO"
        )
    assert made.alice.call.state is State.UP
