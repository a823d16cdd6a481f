"""What peek finds by scanning is what the parser finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.grammar import number
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from tests.sipcore.wire import sample, sample_response

# Pieces that header lines are made of, good and bad, so that many of the messages parse and many nearly do.
NAMES = st.sampled_from(["Call-ID", "CALL-ID", "call-id", "i", "I", "Call-ID ", "i\t", "Call-ID-2", "Ii", "X-Call-ID"])
BLANKS = st.sampled_from(["", " ", "\t", "\r\n ", " \r\n\t", "  "])
WORDS = st.text(st.sampled_from('abc@.:-"<>;=é'), min_size=0, max_size=8)
LINES = st.builds("{}:{}{}{}".format, NAMES, BLANKS, WORDS, BLANKS)
OTHERS = st.sampled_from(
    ["Subject: Call-ID: x", "X: a\r\n Call-ID: b", "T: <sip:a@b>;tag=1", "X:", "m: *", " i: folded"]
)
TO = st.sampled_from(
    ["sip:a@b;tag=x", "<sip:a@b;tag=x>", '"x;tag=y" <sip:a@b>', "<sip:a@b> ; tag = z", "a <sip:b>\r\n ;tag=1"]
)
TO_NAMES = st.sampled_from(["To", "t", "TO ", "T\t", "to"])


@given(st.lists(st.one_of(LINES, OTHERS), max_size=5), TO_NAMES, TO, st.booleans(), st.binary(max_size=4))
def test_peek_agrees_with_parse(lines: list[str], to_name: str, to: str, leading: bool, tail: bytes) -> None:
    data = sample("OPTIONS", *lines, f"{to_name}: {to}", drop="To").replace(
        b"Call-ID: a84b4c76e66710@192.0.2.10\r\n", b""
    )
    data = b"\r\n" * leading + data + tail
    try:
        message = parse(data)
    except ParseError:
        peek.call_id(data)
        peek.has_to_tag(data)
        peek.starts_dialog(data)
        return
    assert isinstance(message, Request)
    assert peek.call_id(data) == message.call_id.encode("utf-8", "surrogateescape")
    assert peek.has_to_tag(data) is (message.to_tag is not None)
    assert peek.method(data) == message.method.encode()
    assert peek.is_request(data)
    written = message.headers.optional("Content-Length", lambda text: number(text, 2**31 - 1, "length"))
    assert peek.content_length(data) == written


@given(st.binary(max_size=200))
def test_peek_reads_any_octets(data: bytes) -> None:
    peek.call_id(data)
    peek.has_to_tag(data)
    peek.starts_dialog(data)
    peek.is_request(data)


def test_only_requests_outside_a_dialog_start_one() -> None:
    assert peek.starts_dialog(sample("INVITE"))
    assert peek.starts_dialog(sample("SUBSCRIBE"))
    assert not peek.starts_dialog(sample("BYE"))
    assert not peek.starts_dialog(sample("INVITE").replace(b"To: Bob <sip:bob@192.0.2.20>", b"t: <sip:b@c>;tag=1"))
    assert not peek.starts_dialog(sample_response())
    assert not peek.is_request(sample_response())
    assert not peek.is_request(b"\r\n" + sample_response())


def test_the_call_id_is_not_looked_for_in_the_body() -> None:
    data = sample("OPTIONS", body=b"\r\nCall-ID: body", drop="Call-ID")
    assert peek.call_id(data) is None
    assert peek.call_id(b"") is None
    assert not peek.has_to_tag(b'OPTIONS sip:a SIP/2.0\r\nTo: "open\r\n\r\n')
    assert peek.method(b"nothing") == b""


def test_content_length_is_read_or_refused() -> None:
    assert peek.content_length(sample(body=b"12345")) == 5
    assert peek.content_length(sample(drop="Content-Length")) is None
    with pytest.raises(ParseError, match="twice"):
        peek.content_length(sample("INVITE", "l: 5"))
    with pytest.raises(ParseError, match="not a number"):
        peek.content_length(sample().replace(b"Length: 0", b"Length: "))
