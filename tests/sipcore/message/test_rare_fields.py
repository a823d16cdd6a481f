"""The header values a call seldom reads, and bodies of several parts."""

from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.mending import mend_address
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.multipart import split_body
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.rare_fields import (
    MediaType,
    Preference,
    Timestamp,
)
from tests.sipcore.wire import read_everything, sample, sample_response

GOOD: list[tuple[Callable[[str], Any], str, Any]] = [
    (MediaType.parse, "Application/SDP", ("application", "sdp", {})),
    (MediaType.parse, 'multipart/mixed ;boundary="a b"', ("multipart", "mixed", {"boundary": "a b"})),
    (MediaType.parse, "text / *;q=0.3", ("text", "*", {"q": "0.3"})),
    (Preference.parse, "gzip;q=0.5", ("gzip", {"q": "0.5"})),
    (Preference.parse, "en-gb", ("en-gb", {})),
]
BAD: list[tuple[Callable[[str], Any], list[str]]] = [
    (MediaType.parse, ["", "a", "a/", "/b", "a b/c", "a/b;", "a/b c"]),
    (Preference.parse, ["", "a b", "a;"]),
    (Timestamp.parse, ["", "1 2 3", "x", "1.2.3", "-1", "1e5", "٣", "nan", "inf"]),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "expected"), GOOD, ids=[row[1] for row in GOOD])
def test_a_value_is_read_and_written_back(read: Callable[[str], Any], text: str, expected: Any) -> None:
    value = read(text)
    assert tuple(value) == expected
    assert read(str(value)) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [(read, text) for read, texts in BAD for text in texts],
    ids=lambda value: ascii(value[:30]) if isinstance(value, str) else "",
)
def test_a_malformed_value_is_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


def test_a_timestamp_is_one_or_two_numbers() -> None:
    assert Timestamp.parse("54") == (54.0, 0.0)
    assert Timestamp.parse("54.21 .5") == (54.21, 0.5)


EVERY_HEADER = """
Accept: application/sdp;level=1, text/*;q=0.1
Accept-Encoding: gzip;q=1.0, identity;q=0.5
Accept-Language: da, en-gb;q=0.8
Alert-Info: <http://www.example.com/sounds/moo.wav>
Allow: INVITE, ACK
Allow-Events: refer, presence
Authentication-Info: nextnonce="47364c23432d2e131a5fb210812c"
Authorization: Digest username="bob", realm="a", nonce="b", uri="sip:c", response="d"
Call-Info: <http://wwww.example.com/alice/photo.jpg> ;purpose=icon, <http://www.example.com/alice/> ;purpose=info
Contact: "Mr. Watson" <sip:watson@worcester.bell-telephone.com>;q=0.7;expires=3600, <mailto:w@b.com>;q=.1
Content-Disposition: session;handling=optional
Content-Encoding: gzip, identity
Content-Language: fr, en
Content-Type: text/html; charset=ISO-8859-4
Date: Sat, 13 Nov 2010 23:29:00 GMT
Error-Info: <sip:not-in-service-recording@atlanta.com>
Event: refer;id=1
Expires: 5
Flow-Timer: 120
In-Reply-To: 70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com
MIME-Version: 1.0
Min-Expires: 60
Min-SE: 90;x=y
Organization: Boxes by Bob
Path: <sip:p1;lr>, <sip:p2;lr>
Priority: EMERGENCY
Proxy-Authenticate: Digest realm="atlanta.com", nonce="f84f", algorithm=MD5
Proxy-Authorization: Digest username="Alice", realm="atlanta.com"
Proxy-Require: foo
RAck: 776656 1 INVITE
RSeq: 988789
Reason: SIP;cause=600;text="Busy Everywhere", Q.850;cause=16
Record-Route: <sip:server10.biloxi.com;lr>, <sip:bigbox3.site3.atlanta.com;lr>
Refer-To: <sip:d@f?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>
Referred-By: <sip:referrer@referrer.example>;cid="2UWQFN309shb3@referrer.example"
Replaces: 425928@bobster.example.org;to-tag=7743;from-tag=6472
Reply-To: Bob <sip:bob@biloxi.com>
Require: 100rel
Retry-After: 18000;duration=3600
Route: <sip:bigbox3.site3.atlanta.com;lr>
Server: HomeServer v2
Service-Route: <sip:s1;lr>
Session-Expires: 4000;refresher=uac
Subject: Need more boxes
Subscription-State: active;expires=60
Supported: 100rel, timer
Timestamp: 54 2.5
Unsupported: foo
User-Agent: Softphone Beta1.5
WWW-Authenticate: Digest realm="atlanta.com", qop="auth"
Warning: 307 isi.edu "Session parameter 'foo' not understood"
""".strip().splitlines()


def test_every_header_has_a_typed_value() -> None:
    message = parse(sample("INVITE", *EVERY_HEADER))
    values = read_everything(message)
    assert not [name for name, value in values.items() if isinstance(value, ParseError)]
    empty = {name for name, value in values.items() if value in (None, (), [], "")}
    assert empty == {"to_tag", "parts", "leniencies"}
    assert isinstance(message, Request)
    headers = message.headers
    assert [entry.value for entry in headers.each("Accept-Encoding", Preference.parse)] == ["gzip", "identity"]
    assert [str(entry.uri) for entry in headers.each("call-info", NameAddr.parse, mend_address)] == [
        "http://wwww.example.com/alice/photo.jpg",
        "http://www.example.com/alice/",
    ]
    assert [contact.expires for contact in message.contacts] == [3600, None]
    assert message.content_disposition is not None
    assert message.content_disposition.params == {"handling": "optional"}
    assert message.min_se == 90
    assert headers.optional("PRIORITY", str.lower) == "emergency"
    assert headers.values("Reason") == ['SIP;cause=600;text="Busy Everywhere"', "Q.850;cause=16"]
    assert [str(route.uri) for route in headers.each("Path", NameAddr.parse, mend_address)] == [
        "sip:p1;lr",
        "sip:p2;lr",
    ]
    referred_by = headers.optional("b", NameAddr.parse, mend_address)
    assert referred_by is not None
    assert referred_by.params == {"cid": "2UWQFN309shb3@referrer.example"}
    assert message.content_type == "text/html"
    assert headers.optional("Flow-Timer", int) == 120


def test_a_message_without_them_has_none() -> None:
    values = read_everything(parse(sample_response()))
    present = {name for name, value in values.items() if value not in (None, (), [], "", b"")}
    assert present == {
        "branch", "call_id", "cseq", "from_", "from_tag", "handling_optional", "to", "to_tag", "via",
        "vias",
    }  # fmt: skip


MIXED = MediaType.parse("multipart/mixed;boundary=b")


def test_a_body_is_cut_at_its_boundary() -> None:
    body = (
        b"preamble\r\n--b\r\n"
        b"Content-Type: text/plain\r\nContent-ID: y,\r\n z\r\n\r\none\r\n--bb\r\n--b \r\n\r\ntwo\r\n--b\r\n"
        b"c: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nthree\r\n--i--\r\n--b--\r\nepilogue"
    )
    one, two, three = split_body(MIXED, body)
    assert one.body == b"one\r\n--bb"
    assert one.headers["content-id"] == "y, z"
    assert (two.headers, two.content_type.name, two.body) == ({}, "text/plain", b"two")
    assert [part.body for part in three.parts] == [b"three"]
    assert split_body(MediaType.parse("text/plain"), body) == ()


BAD_BODIES = [
    ("boundary", "multipart/mixed", b""),
    ("boundary", "multipart/mixed;boundary=" + "x" * 71, b""),
    ("does not end", "multipart/mixed;boundary=b", b""),
    ("does not end", "multipart/mixed;boundary=b", b"--b\r\n\r\nx"),
    ("does not end", "multipart/mixed;boundary=b", b"--bx\r\n\r\n--b\r\n\r\nx\r\n"),
    ("no blank line", "multipart/mixed;boundary=b", b"--b\r\nX: y\r\n--b--"),
    ("no colon", "multipart/mixed;boundary=b", b"--b\r\nX\r\n\r\n\r\n--b--"),
    ("proper name", "multipart/mixed;boundary=b", b"--b\r\nX Y: z\r\n\r\n\r\n--b--"),
    ("too many parts", "multipart/mixed;boundary=b", b"--b\r\n\r\nx\r\n" * 17 + b"--b--"),
    ("nested too deep", "multipart/mixed;boundary=b",
     b"--b\r\nc: multipart/a;boundary=i\r\n\r\n--i\r\nc: multipart/a;boundary=j\r\n\r\nx\r\n--i--\r\n--b--"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "content_type", "body"), BAD_BODIES)
def test_a_malformed_body_of_parts_is_refused(reason: str, content_type: str, body: bytes) -> None:
    with pytest.raises(ParseError, match=reason):
        split_body(MediaType.parse(content_type), body)


def test_sixteen_parts_are_let_through() -> None:
    assert len(split_body(MIXED, b"--b\r\n\r\nx\r\n" * 16 + b"--b--")) == 16
