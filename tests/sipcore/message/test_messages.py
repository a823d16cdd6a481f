"""Building and writing messages: what is copied into an answer, Content-Length, and what must not be written."""

import gc

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.messages import REASON_PHRASES, Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.sipcore.wire import SDP, sample

PAIRS = [
    ("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"),
    ("From", "<sip:a@b>;tag=1"),
    ("To", "<sip:c@d>"),
    ("Call-ID", "x"),
    ("CSeq", "1 INVITE"),
]


def request(*extra: str, method: str = "INVITE") -> Request:
    message = parse(sample(method, *extra))
    assert isinstance(message, Request)
    return message


def test_a_request_of_ours_is_written_and_read_back() -> None:
    written = Request.build("INVITE", "sip:c@d", PAIRS, SDP).to_bytes()
    assert written.startswith(
        b"INVITE sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    )
    assert written.endswith(b"CSeq: 1 INVITE\r\nContent-Length: %d\r\n\r\n" % len(SDP) + SDP)
    assert parse(written).to_bytes() == written


def test_a_message_of_ours_knows_its_values_without_being_written() -> None:
    built = Request.build("INVITE", "sip:c@d", PAIRS)
    assert (built.call_id, built.cseq, built.from_tag, built.to_tag) == ("x", (1, "INVITE"), "1", None)
    assert (built.branch, built.via.host, str(built.request_uri)) == ("z9hG4bKx", "h", "sip:c@d")
    assert built.call_id is built.call_id
    assert built.request_uri is built.request_uri
    for name in ("call_id", "cseq", "from_tag", "to_tag", "via", "branch", "from_", "to"):
        with pytest.raises(ParseError):
            getattr(Request.build("INVITE", "sip:c@d", []), name)
    with pytest.raises(ParseError):
        _ = Request.build("INVITE", "sip:c@d", [("Via", ",")]).via


def test_a_response_has_the_usual_phrase() -> None:
    assert Response.build(486, None, []).reason == "Busy Here"
    assert Response.build(299, None, []).reason == "Unknown"
    assert Response.build(486, "", []).start_line == "SIP/2.0 486 "
    assert all(100 <= status < 700 for status in REASON_PHRASES)


def test_content_length_follows_the_body() -> None:
    message = request()
    message.body = b"12345"
    assert b"\r\nContent-Length: 5\r\n\r\n12345" in message.to_bytes()
    given = Request.build("INVITE", "sip:c@d", [*PAIRS, ("l", "77")], b"12").to_bytes()
    assert given.endswith(b"\r\nContent-Length: 2\r\n\r\n12")
    kept = Request.build("INVITE", "sip:c@d", [*PAIRS, ("l", " 2 ")], b"12").to_bytes()
    assert kept.endswith(b"\r\nl:  2 \r\n\r\n12")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\r\n", "\r\n\r\nINVITE"])
def test_a_line_end_in_a_value_is_not_written(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="Subject"):
        Request.build("INVITE", "sip:c@d", [*PAIRS, ("Subject", value)]).to_bytes()
    with pytest.raises(LocalProtocolError, match="start line"):
        Request.build("INVITE", "sip:c@d" + value, PAIRS).to_bytes()


def test_folding_of_ours_is_written() -> None:
    written = Request.build("INVITE", "sip:c@d", [*PAIRS, ("Subject", "a\r\n b\r\n\tc")]).to_bytes()
    assert parse(written).headers.get("Subject") == "a b c"


def test_an_answer_copies_what_8_2_6_says() -> None:
    asked = request("v: SIP/2.0/TCP two;branch=2", "Record-Route: <sip:p;lr>", "Subject: x", "Timestamp: 5")
    answer = Response.to_request(asked, 180, to_tag="t1", extra=[("Contact", "<sip:b@h>")])
    assert answer.headers.lines == [
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport",
        'From: "Alice" <sip:alice@192.0.2.10>;tag=1928301774',
        "To: Bob <sip:bob@192.0.2.20>;tag=t1",
        "Call-ID: a84b4c76e66710@192.0.2.10",
        "CSeq: 314159 INVITE",
        "v: SIP/2.0/TCP two;branch=2",
        "Record-Route: <sip:p;lr>",
        "Contact: <sip:b@h>",
    ]
    assert answer.start_line == "SIP/2.0 180 Ringing"
    assert (answer.to_tag, answer.from_tag, answer.cseq.method) == ("t1", "1928301774", "INVITE")
    again = parse(answer.to_bytes())
    assert isinstance(again, Response)
    assert again.to_tag == "t1"


def test_an_answer_has_a_tag_and_a_route_only_where_they_belong() -> None:
    asked = request("Record-Route: <sip:p;lr>")
    assert Response.to_request(asked, 100, to_tag="t").to_tag is None
    assert "record-route" not in Response.to_request(asked, 100).headers
    assert "record-route" in Response.to_request(asked, 200, to_tag="t").headers
    assert "record-route" not in Response.to_request(asked, 486, to_tag="t").headers
    assert "record-route" not in Response.to_request(request("Record-Route: <sip:p>", method="BYE"), 200).headers
    inside = request(method="BYE")
    inside.headers.set("To", "<sip:a@b>;tag=old")
    assert Response.to_request(inside, 200, to_tag="new").to_tag == "old"
    answer = Response.to_request(asked, 200, "Fine", to_tag="t", body=SDP, content_type="application/sdp")
    assert (answer.reason, answer.content_type, answer.body) == ("Fine", "application/sdp", SDP)


def test_answers_do_not_share_their_lines() -> None:
    asked = request()
    first, second = Response.to_request(asked, 180, to_tag="a"), Response.to_request(asked, 200, to_tag="b")
    first.headers.add("X", "y")
    assert (first.to_tag, second.to_tag, asked.to_tag) == ("a", "b", None)
    assert "X" not in second.headers
    assert "X" not in asked.headers


def test_the_source_is_written_into_the_top_via() -> None:
    asked = request()
    asked.note_source("192.0.2.99", 1234)
    assert asked.headers.raw("via") == [
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport=1234;received=192.0.2.99"
    ]
    assert (asked.via.rport, asked.vias[0].received, asked.branch) == (1234, "192.0.2.99", "z9hG4bK776asdhds")
    assert b"received=192.0.2.99" in Response.to_request(asked, 200).to_bytes()


def test_the_source_leaves_other_vias_alone() -> None:
    top = b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport"
    data = sample("INVITE", "Via: SIP/2.0/UDP one;branch=1 , SIP/2.0/UDP two;branch=2")
    data = data.replace(top, b'Via: SIP/2.0/UDP zero;branch=0,\r\n SIP/2.0/UDP half;x="a,b"')
    asked = parse(data)
    assert isinstance(asked, Request)
    Response.to_request(asked, 100)
    asked.note_source("10.0.0.1", 5060)
    assert [via.host for via in asked.vias] == ["zero", "half", "one", "two"]
    assert [via.received for via in asked.vias] == ["10.0.0.1", None, None, None]
    assert b"received=10.0.0.1" in Response.to_request(asked, 100).to_bytes()
    same = request()
    same.headers.set("Via", "SIP/2.0/UDP 10.0.0.1;branch=q")
    same.note_source("10.0.0.1", 5060)
    assert same.headers.get("via") == "SIP/2.0/UDP 10.0.0.1;branch=q"


def test_messages_leave_no_reference_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            asked = request("Contact: <sip:a@b>")
            _ = (asked.contacts, asked.vias, asked.from_, asked.request_uri)
            Response.to_request(asked, 200, to_tag="t").to_bytes()
        del asked
        assert gc.collect() == 0
    finally:
        gc.enable()


KINDS = [
    *((f"{method} sip:c@d SIP/2.0", method) for method in ("INVITE", "ACK", "PRACK", "UPDATE")),
    *((f"SIP/2.0 {status} Text", method) for status, method in ((183, "INVITE"), (200, "INVITE"))),
    *(("SIP/2.0 200 Text", method) for method in ("PRACK", "UPDATE")),
]
BODIES = [
    ("application/sdp", "", True),
    ("Application/SDP ;x=1", "", True),
    ("", "", True),
    ("application/isup;version=itu-t92+", "", False),
    ("application/isup;version=itu-t92+", "signal;handling=optional", False),
    ("text/plain", "", False),
    ("application/sdp-junk", "", False),
]


@pytest.mark.parametrize(("kind", "disposition", "is_description"), BODIES)
@pytest.mark.parametrize(("start", "method"), KINDS)
def test_a_description_is_what_its_type_says_in_every_message(
    start: str, method: str, kind: str, disposition: str, is_description: bool
) -> None:
    lines = [
        start,
        *(f"{name}: {value}" for name, value in PAIRS if name != "CSeq"),
        f"CSeq: 1 {method}",
        *([f"Content-Type: {kind}"] if kind else []),
        *([f"Content-Disposition: {disposition}"] if disposition else []),
        f"Content-Length: {len(SDP)}",
    ]
    message = parse("\r\n".join(lines).encode() + b"\r\n\r\n" + SDP)
    assert message.description == (SDP if is_description else b"")
