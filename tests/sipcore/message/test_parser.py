"""The parser: what a message needs, the limits it keeps, and that its quick way and its long way agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import MAX_MESSAGE, parse
from tests.sipcore.wire import SDP, read_everything, sample, sample_response


def test_a_request_is_read() -> None:
    message = parse(sample("INVITE", "Content-Type: application/sdp", body=SDP))
    assert isinstance(message, Request)
    assert (message.method, message.uri, str(message.request_uri)) == (
        "INVITE",
        "sip:bob@192.0.2.20",
        "sip:bob@192.0.2.20",
    )
    assert message.call_id == "a84b4c76e66710@192.0.2.10"
    assert message.cseq == (314159, "INVITE")
    assert (message.from_tag, message.to_tag) == ("1928301774", None)
    assert (message.branch, message.via.host, message.via.port, message.via.rport) == (
        "z9hG4bK776asdhds",
        "192.0.2.10",
        5060,
        0,
    )
    assert message.body == SDP
    assert message.content_type == "application/sdp"
    assert repr(message) == "<Request 'INVITE sip:bob@192.0.2.20 SIP/2.0'>"


def test_a_response_is_read() -> None:
    message = parse(sample_response(486))
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.to_tag) == (486, "Some Reason", "a6c85cf")
    assert (message.via.rport, message.via.received) == (5060, "192.0.2.10")
    assert repr(message) == "<Response 'SIP/2.0 486 Some Reason'>"


START_LINES = [
    ("INVITE sip:a@b SIP/2.0", 0),
    ("INVITE sip:a@b sip/2.0", 0),
    ("INVITE tel:+1 SIP/2.0", 0),
    ("INVITE SIPS:a@b SIP/2.0", 0),
    ("INVITE sip:a@b SIP/2.1", 505),
    ("INVITE sip:a@b SIP/3.0", 505),
    ("INVITE sip:a@b HTTP/1.1", 400),
    ("INVITE sip:a@b", 400),
    ("INVITE  sip:a@b SIP/2.0", 400),
    ("INVITE sip:a@b SIP/2.0 ", 400),
    (" INVITE sip:a@b SIP/2.0", 400),
    ("INVITE\tsip:a@b\tSIP/2.0", 400),
    ("INVITE <sip:a@b> SIP/2.0", 400),
    ("INVITE a@b SIP/2.0", 400),
    ("INV(ITE sip:a@b SIP/2.0", 400),
    ("ÏNVITE sip:a@b SIP/2.0", 400),
    ("INVITE sip:" + "a" * 2045 + " SIP/2.0", 414),
    ("INVITE sip:" + "a" * 9000 + " SIP/2.0", 414),
    ("", 400),
]


@pytest.mark.parametrize(("line", "status"), START_LINES, ids=[row[0][:30] for row in START_LINES])
def test_the_request_line_is_read_or_refused(line: str, status: int) -> None:
    data = sample().replace(b"INVITE sip:bob@192.0.2.20 SIP/2.0", line.encode())
    if not status:
        assert parse(data).to_bytes() == data
        return
    with pytest.raises(ParseError) as raised:
        parse(data)
    assert raised.value.status_hint == status


STATUS_LINES = [
    ("SIP/2.0 200 OK", True),
    ("SIP/2.0 200 ", True),
    ("SIP/2.0 200", True),
    ("sip/2.0 699 x", True),
    ("SIP/2.0 100 Trying hard", True),
    ("SIP/2.0 099 x", False),
    ("SIP/2.0 700 x", False),
    ("SIP/2.0 2000 x", False),
    ("SIP/2.0 20 x", False),
    ("SIP/2.0 2x0 x", False),
    ("SIP/2.0 ٢٠٠ x", False),
    ("SIP/2.0  200 x", False),
    ("SIP/7.0 200 x", False),
    ("SIP/2.0", False),
]


@pytest.mark.parametrize(("line", "good"), STATUS_LINES, ids=[row[0] for row in STATUS_LINES])
def test_the_status_line_is_read_or_refused(line: str, good: bool) -> None:
    data = sample_response().replace(b"SIP/2.0 200 Some Reason", line.encode())
    if good:
        assert parse(data).to_bytes() == data
        return
    with pytest.raises(ParseError):
        parse(data)


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_header_is_missed_by_name(name: str) -> None:
    with pytest.raises(ParseError, match=f"no {name.lower()} header"):
        parse(sample(drop=name))


@pytest.mark.parametrize(
    "line", ["From: <sip:a@b>", "t: <sip:a@b>", "I: x", "cseq: 1 INVITE", "Content-Length: 0", "Max-Forwards: 5"]
)
def test_a_header_that_may_stand_once_is_refused_twice(line: str) -> None:
    with pytest.raises(ParseError, match="twice"):
        parse(sample("INVITE", line), strict=True)


BAD_LINES = [
    ("Call-ID: ", "Call-ID: a b"), ("Call-ID: ", "Call-ID: a\tb"), ("Call-ID: ", "Call-ID:  "),
    ("CSeq: ", "CSeq: 1"), ("CSeq: ", "CSeq: 1 BYE"), ("CSeq: ", "CSeq: -1 INVITE"),
    ("From: ", 'From: "x <sip:a@b>'), ("From: ", "From: <sip:a@b"), ("To: ", "To: <sip:a@b>;tag=a;tag=b"),
    ("To: ", "To: a, b <sip:a@b>"), ("Via: ", "Via: "), ("Via: ", "Via: ,"), ("Via: ", "Via: SIP/2.0/UDP"),
    ("Via: ", "Via: SIP/2.0/UDP h:70000;branch=x"), ("Max-Forwards: ", "Max-Forwards: x"),
    ("Max-Forwards: ", "Max-Forwards: 2147483648"), ("Content-Length: ", "Content-Length: 1"),
    ("Content-Length: ", "Content-Length: +0"), ("Content-Length: ", "Content-Length: 0x0"),
    ("Content-Length: ", "Content-Length: 0, 0"), ("Content-Length: ", "Content-Length: "),
    ("Content-Length: ", "Content-Length: ²"), ("Max-Forwards: ", "no colon"), ("Max-Forwards: ", "bad name: x"),
    ("Max-Forwards: ", ": x"), ("Max-Forwards: ", "X: a\nb"), ("Max-Forwards: ", "X: a\rb"),
    ("Max-Forwards: ", "X: \n y"), ("Max-Forwards: ", "X\u2003: y"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "line"), BAD_LINES, ids=[ascii(row[1]) for row in BAD_LINES])
def test_a_bad_line_refuses_the_message(start: str, line: str) -> None:
    lines = sample().decode().split("\r\n")
    changed = [line if old.startswith(start) else old for old in lines]
    assert changed != lines
    with pytest.raises(ParseError):
        parse("\r\n".join(changed).encode(), strict=True)


ODD_LINES = [
    "X: a\x00b", "X: \x85 \u2028 \x0b\x0c\x1c", "X: \udcff\udcc0", "\tno header first"[:0] + "X:", "X : y",
    "X: a\r\n b\r\n\tc", "X:\r\n ", "!%*_+`'~.-: y", "Subject: =?utf-8?q?x?=", "Route: <sip:a;lr>,\r\n <sip:b;lr>",
]  # fmt: skip


@pytest.mark.parametrize("line", ODD_LINES, ids=ascii)
def test_odd_lines_are_kept_octet_by_octet(line: str) -> None:
    data = sample("INVITE", line)
    message = parse(data)
    assert line in message.headers.lines
    assert message.to_bytes() == data
    read_everything(message)


def test_leading_zeros_do_not_make_a_number_large() -> None:
    message = parse(sample().replace(b"Max-Forwards: 70", b"Max-Forwards: " + b"0" * 3000 + b"70"))
    assert message.max_forwards == 70


def test_folding_before_the_first_header_is_refused() -> None:
    with pytest.raises(ParseError, match="first header"):
        parse(sample().replace(b"\r\nVia", b"\r\n x\r\nVia", 1))


def test_empty_lines_before_the_start_line_are_let_pass() -> None:
    data = sample()
    assert parse(b"\r\n\r\n" + data).to_bytes() == data
    for nothing in (b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"x\r\n\r\n"):
        with pytest.raises(ParseError):
            parse(nothing)


def test_the_body_ends_where_content_length_says() -> None:
    assert parse(sample(body=b"12345") + b"67").body == b"12345"
    assert parse(sample(drop="Content-Length") + b"123").body == b"123"
    data = sample(body=b"\x00\r\n\n\r\xff")
    assert parse(data).body == b"\x00\r\n\n\r\xff"
    assert parse(data.replace(b"Length: 6", b"Length: 0006")).to_bytes() == data.replace(b"Length: 6", b"Length: 0006")


LIMITS = [
    ("message", sample(body=b"x" * MAX_MESSAGE), 513),
    ("body", sample().replace(b"Length: 0", b"Length: 65536"), 413),
    ("header line", sample("INVITE", "X: " + "a" * 8190), 400),
    ("folded line", sample("INVITE", "X: " + "a\r\n " * 2100), 400),
    ("header lines", sample("INVITE", *[f"X{n}: a" for n in range(250)]), 400),
    ("header lines of a kind", sample("INVITE", *["X: a"] * 250), 400),
    ("lines", sample("INVITE", *["X:\r\n " * 20 + "a" * 20] * 200), 400),
    ("Via lines", sample("INVITE", *["Via: SIP/2.0/UDP h;branch=a"] * 64), 400),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
def test_limits_are_kept(data: bytes, status: int) -> None:
    with pytest.raises(ParseError) as raised:
        parse(data)
    assert raised.value.status_hint == status


def test_what_is_just_within_the_limits_passes() -> None:
    assert len(parse(sample("INVITE", "X: " + "a" * 8189)).headers.lines[6]) == 8192
    assert len(parse(sample("INVITE", *[f"X{n}: a" for n in range(249)])).headers) == 256
    assert len(parse(sample("INVITE", *["Via: SIP/2.0/UDP h;branch=a"] * 63)).vias) == 64
    most = sample(body=b"x" * 60000)
    assert len(parse(most).body) == 60000


# Lines that say the same in the usual spelling, which is read in one step, and in another one.
SAME = [
    ("Via: SIP/2.0/UDP h:5060;branch=z9hG4bKa;rport", "Via : SIP / 2.0 / udp  h : 5060 ;rport; branch = z9hG4bKa"),
    ('From: "A" <sip:a@b>;tag=x', 'f:\r\n "A"<sip:a@b> ; TAG = x'),
    ("To: <sip:a@b>;tag=y", "t: <sip:a@b>;x;tag=y"),
    ("To: a <sip:a@b>", "TO\t:\ta\t<sip:a@b>\t"),
    ("Call-ID: abc@d", "i:\r\n abc@d\r\n "),
    ("CSeq: 7 INVITE", "cSEQ : 0007 \r\n INVITE"),
    ("Max-Forwards: 9", "mAX-fORWARDS: 009"),
]  # fmt: skip


@given(st.lists(st.booleans(), min_size=len(SAME), max_size=len(SAME)), st.permutations(range(len(SAME))))
def test_any_spelling_and_order_gives_the_same_values(choices: list[bool], order: list[int]) -> None:
    usual, chosen = (
        parse("\r\n".join(["INVITE sip:b@c SIP/2.0", *lines, "", ""]).encode())
        for lines in (
            [row[0] for number, row in enumerate(SAME) if number != 3],
            [SAME[number][choices[number]] for number in order if number != 3],
        )
    )
    for name in ("call_id", "cseq", "from_tag", "to_tag", "branch", "max_forwards"):
        assert getattr(usual, name) == getattr(chosen, name)
    assert usual.via._replace(params={}) == chosen.via._replace(params={})
    assert usual.via.params == chosen.via.params
    assert usual.from_[::2] == chosen.from_[::2]
    assert usual.to.uri == chosen.to.uri


@given(st.binary(max_size=300))
def test_any_octets_are_a_message_or_a_parse_error(data: bytes) -> None:
    for message in (data, sample().replace(b"Max-Forwards: 70", data), sample_response() + data):
        try:
            read_everything(parse(message))
        except ParseError:
            continue
