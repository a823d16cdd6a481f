"""Refusals without state: RFC 3261 8.2 in its order, from requests and from octets that cannot be read."""

from dataclasses import replace

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import Via
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.transaction.stateless import (
    Capabilities,
    inspect,
    overload_reply,
    refuse,
    refuse_unreadable,
    stateless_tag,
)
from tests.sipcore.wire import SDP, sample, sample_response

CAPABILITIES = Capabilities()
SDP_TYPE = "Content-Type: application/sdp"


def request(method: str = "INVITE", *extra: str, body: bytes = b"", uri: bytes = b"sip:bob@192.0.2.20") -> Request:
    message = parse(sample(method, *extra, body=body).replace(b"sip:bob@192.0.2.20", uri, 1))
    assert isinstance(message, Request)
    return message


REFUSALS = [
    ("nothing to refuse", request("INVITE", SDP_TYPE, "Contact: <sip:a@b>", body=SDP), 0, "", ""),
    ("method not served", request("MESSAGE"), 405, "Allow", ", ".join(CAPABILITIES.methods)),
    ("method unknown", request("FETCH"), 501, "Allow", ", ".join(CAPABILITIES.methods)),
    ("scheme", request(uri=b"http:x"), 416, "", ""),
    ("tel is not served unless asked for", request(uri=b"tel:+1"), 416, "", ""),
    ("URI", request(uri=b"sip:a@b;;"), 400, "", ""),
    ("URI without end", request(uri=b"sip:[::1"), 400, "", ""),
    ("URI with a method", request(uri=b"sip:a@b;method=BYE"), 400, "", ""),
    ("URI with headers", request(uri=b"sip:a@b?x=y"), 400, "", ""),
    ("Contact", request("INVITE", "Contact: <sip:a@"), 400, "", ""),
    ("Contact *", request("INVITE", "Contact: *"), 400, "", ""),
    ("Route of no use here", request("INVITE", "Route: sip:", "Route: *"), 0, "", ""),
    ("Record-Route *", request("INVITE", "Record-Route: *"), 400, "", ""),
    ("second Via", request("INVITE", "Via: x"), 400, "", ""),
    ("From *", request("INVITE"), 400, "", ""),
    ("extension", request("INVITE", "Require: 100rel, foo", "Require: bar"), 420, "Unsupported", "foo, bar"),
    ("extension in other case", request("INVITE", "Require: 100REL"), 0, "", ""),
    ("content type", request("INVITE", "Content-Type: text/html", body=b"x"), 415, "Accept",
     ", ".join(CAPABILITIES.content_types)),
    ("body without a type", request("INVITE", body=b"x"), 415, "Accept", ", ".join(CAPABILITIES.content_types)),
    ("optional content", request("INVITE", "Content-Type: text/html",
                                 "Content-Disposition: x; handling=optional", body=b"x"), 0, "", ""),
    ("encoding", request("INVITE", SDP_TYPE, "Content-Encoding: gzip", body=SDP), 415, "Accept-Encoding", "identity"),
    ("no encoding", request("INVITE", SDP_TYPE, "e: Identity", body=SDP), 0, "", ""),
    ("nothing acceptable", request("INVITE", "Accept:"), 406, "", ""),
    ("anything acceptable", request("INVITE", "Accept: text/html, */*"), 0, "", ""),
    ("a range acceptable", request("INVITE", "Accept: application/*"), 0, "", ""),
    ("another range", request("INVITE", "Accept: text/*"), 406, "", ""),
    ("Accept of others does not count", request("OPTIONS", "Accept: text/*"), 0, "", ""),
    ("CANCEL may require anything", request("CANCEL", "Require: foo"), 0, "", ""),
    ("ACK is never answered", request("ACK", "Require: foo", "Contact: *"), 0, "", ""),
    ("method before URI", request("FETCH", uri=b"http:x"), 501, "", ""),
    ("no registrar, whatever the URI", request("REGISTER", uri=b"sip:[2001:db8::9:1"), 405, "", ""),
    ("URI before extension", request("INVITE", "Require: foo", uri=b"http:x"), 416, "", ""),
    ("extension before content", request("INVITE", "Require: foo", body=b"x"), 420, "", ""),
    ("Record-Route", request("INVITE", "Record-Route: sip:"), 400, "", ""),
    *(("route fields of OPTIONS", request("OPTIONS", f"{name}: {junk}"), 0, "", "")
      for name in ("Route", "Record-Route") for junk in ("@@", '"open', "<", "*", ";;=", "")),
    ("unreadable Contact of OPTIONS", request("OPTIONS", "Contact: <sip:a@"), 400, "", ""),
    ("Replaces of OPTIONS", request("OPTIONS", "Replaces: x"), 400, "", ""),  # RFC 3891 section 3
    *((f"Accept {junk}", request("INVITE", f"Accept: {junk}"), 0, "", "") for junk in ("@@", '"open', "/", ",,,", "<")),
    ("Accept, partly unreadable", request("INVITE", "Accept: @@, application/sdp"), 0, "", ""),
    ("Accept of another type beside junk", request("INVITE", "Accept: text/plain, @@"), 406, "", ""),
    *(("slash with blanks", request("INVITE", f"{name}: {kind}", body=body), 0, "", "")
      for name, body in (("Accept", b""), ("Content-Type", SDP), ("c", SDP))
      for kind in ("application / sdp", "application/ sdp", "Application\t/\tSDP;x=y", "application\r\n /\r\n\tsdp")),
    ("range with blanks", request("INVITE", "Accept: application / *"), 0, "", ""),
    ("all with blanks", request("INVITE", "Accept: * / *"), 0, "", ""),
]  # fmt: skip
REFUSALS[14][1].headers.set("From", "*")


HARMLESS = ("URI", "second Via", "unreadable Contact of OPTIONS")
"""What is refused by a strict reading alone."""


def parse_request(data: bytes, *, strict: bool = False) -> Request:
    message = parse(data, strict)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("asked", "status", "header", "value"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
def test_a_request_is_refused_in_the_order_of_8_2(
    asked: Request, status: int, header: str, value: str, strict: bool
) -> None:
    harmless = any(asked is row[1] for row in REFUSALS if row[0] in HARMLESS)
    answer = inspect(parse_request(asked.to_bytes(), strict=strict), CAPABILITIES)
    if not status or (harmless and not strict):
        assert answer is None
        return
    assert answer is not None
    assert answer.status == status
    assert answer.to_tag
    if header:
        assert answer.headers.get(header) == value
    again = parse(answer.to_bytes())
    assert isinstance(again, Response)
    assert (again.call_id, again.cseq, again.branch) == (asked.call_id, asked.cseq, asked.branch)


def test_tel_and_max_forwards_follow_the_capabilities() -> None:
    assert inspect(request(uri=b"tel:+1"), Capabilities(schemes=("sip", "tel"))) is None
    asked = request()
    asked.headers.set("Max-Forwards", "0")
    assert inspect(asked, CAPABILITIES) is None
    answer = inspect(asked, Capabilities(forwards=True))
    assert answer is not None
    assert answer.status == 483


def test_the_tag_is_the_same_for_a_repetition_and_no_other() -> None:
    key = b"secret"
    assert stateless_tag(request(), key) == stateless_tag(request(), key)
    assert stateless_tag(request(), key) != stateless_tag(request(), b"other")
    other = request()
    other.headers.set("Call-ID", "other")
    assert stateless_tag(other, key) != stateless_tag(request(), key)
    assert stateless_tag(sample(), key) == stateless_tag(sample(), key) != stateless_tag(sample() + b" ", key)
    assert len(stateless_tag(sample())) == 20


def test_overload_is_refused_from_the_octets() -> None:
    data = sample("INVITE", "v: SIP/2.0/TCP two;branch=2", "Subject: x\r\n Via: y", body=SDP)
    written = overload_reply(data, 7, source=("198.51.100.1", 4444), key=b"k")
    assert written is not None
    answer = parse(written)
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason) == (503, "Service Unavailable")
    assert answer.retry_after is not None
    assert answer.retry_after.seconds == 7
    assert [via.host for via in answer.vias] == ["192.0.2.10", "two"]
    assert (answer.via.received, answer.via.rport) == ("198.51.100.1", 4444)
    assert answer.to_tag == stateless_tag(data, b"k")
    assert (answer.call_id, answer.cseq.number) == ("a84b4c76e66710@192.0.2.10", 314159)
    assert written == overload_reply(data, 7, source=("198.51.100.1", 4444), key=b"k")


def test_octets_and_request_are_refused_alike() -> None:
    data = sample("BYE")
    asked = request("BYE")
    from_octets = refuse(data, status=481, to_tag="t", source=("192.0.2.9", 9), extra=[("Reason", "SIP")])
    from_request = refuse(asked, status=481, to_tag="t", source=("192.0.2.9", 9), extra=[("Reason", "SIP")])
    assert from_octets == from_request
    assert refuse(asked, status=500, retry_after=3) is not None
    assert refuse(data, status=499) is not None


@pytest.mark.parametrize(
    "data",
    [sample("ACK"), sample_response(), b"", b"\r\n\r\n", b"x", sample(drop="Via"), b"\0" * 60000, b"\r\n" * 30000],
)
def test_what_must_not_be_answered_is_not(data: bytes) -> None:
    assert refuse(data, status=400) is None
    assert overload_reply(data, 1) is None


def test_an_ack_that_was_parsed_is_not_answered_either() -> None:
    assert refuse(request("ACK"), status=400) is None


BROKEN = [
    (b"To: Bob <sip:bob@192.0.2.20>", b'To: "Bob <sip:bob@192.0.2.20>'),
    (b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport", b"Via: nonsense"),
    (b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport", b"Via: ,"),
    (b"CSeq: ", b"CSeq: x"),
    (b"CSeq: ", b"no colon here\r\nCSeq: x"),
    (b"CSeq: ", b"bad name: x\r\nCSeq: x"),
    (b"From: ", b"From: x\ny\r"),
    (b"From: ", b"From: again\r\nFrom: "),
    (b"\r\nContent-Length: 0\r\n\r\n", b""),
    (b"Content-Length: 0", b"Content-Length: -1"),
    (b"SIP/2.0\r\n", b"SIP/9.0\r\n"),
]


@pytest.mark.parametrize(("good", "bad"), BROKEN, ids=[ascii(row[1]) for row in BROKEN])
def test_what_cannot_be_read_is_answered_with_what_is_there(good: bytes, bad: bytes) -> None:
    data = sample().replace(good, bad, 1)
    with pytest.raises(ParseError) as raised:
        parse(data)
    written = refuse_unreadable(data, raised.value, CAPABILITIES, source=("192.0.2.77", 5))
    assert written is not None
    status = b"505 Version Not Supported" if b"SIP/9.0" in bad else b"400 Bad Request ("
    assert written.startswith(b"SIP/2.0 " + status)
    assert written.count(b"\r\n\r\n") == 1
    assert written.count(b"\nFrom: ") == 1
    assert written.replace(b"\r\n", b"").count(b"\n") == 0
    assert len(written) < len(data) + 200


@pytest.mark.parametrize("odd", ["rport;rport=5", "rport=;rport=5", "x=1;x=2;rport", "received=1;received=2;rport="])
@pytest.mark.parametrize("branch", ["branch=z9hG4bKx;", ""])
def test_a_refusal_says_where_its_request_came_from_also_for_a_via_that_costs_the_request(
    odd: str, branch: str
) -> None:
    data = sample().replace(b"branch=z9hG4bK776asdhds;rport", f"{branch}{odd}".encode(), 1)
    with pytest.raises(ParseError) as raised:
        parse(data)
    written = refuse_unreadable(data, raised.value, CAPABILITIES, source=("192.0.2.77", 5))
    assert written is not None
    (line,) = (line for line in written.decode().split("\r\n") if line.startswith("Via: "))
    via = Via.parse(line.removeprefix("Via: "))
    assert (via.received, via.rport) == ("192.0.2.77", 5)


def test_the_head_of_a_long_message_is_enough() -> None:
    data = sample("INVITE", *["X: " + "y" * 8000] * 7)
    written = overload_reply(data, 1)
    assert written is not None
    assert len(written) < 500


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
@pytest.mark.parametrize("kind", ["one line", "many lines", "folded"])
def test_what_an_answer_copies_is_found_wherever_it_stands(kind: str, name: str) -> None:
    long = {
        "one line": "X: " + "y" * 40_000,
        "many lines": "\r\n".join(f"X-{number}: {'y' * 60}" for number in range(600)),
        "folded": "X: y" + "\r\n Via: none" * 3000,
    }[kind]
    data = sample("INVITE").replace(f"\r\n{name}:".encode(), f"\r\n{long}\r\n{name}:".encode(), 1)
    written = overload_reply(data, 1)
    assert written is not None
    answer = parse(written)
    asked = parse(sample("INVITE"))
    assert (answer.call_id, answer.cseq, answer.from_tag) == (asked.call_id, asked.cseq, asked.from_tag)
    assert answer.to.uri == asked.to.uri
    assert answer.branch == asked.branch
    assert len(written) < 500


def test_an_answer_is_no_longer_than_a_datagram_and_needs_its_via() -> None:
    long = "y" * 60_000
    without_from = overload_reply(sample("INVITE").replace(b"From: ", f"From: {long}".encode(), 1), 1)
    assert without_from is not None
    assert b"From" not in without_from
    without_to = overload_reply(sample("INVITE").replace(b"To: ", f"To: {long}".encode(), 1), 1)
    assert without_to is not None
    assert b"\r\nTo: <sip:bob@192.0.2.20>;tag=" in without_to
    assert overload_reply(sample("INVITE").replace(b"Via: ", f"Via: {long}".encode(), 1), 1) is None


def test_an_extension_of_one_method_may_be_required_of_that_method_only() -> None:
    able = replace(CAPABILITIES, methods=("INVITE", "REGISTER"), extensions_of=(("REGISTER", "path"),))
    for method, tags, status in (
        ("REGISTER", "Path, 100rel", 0),
        ("REGISTER", "path, foo", 420),
        ("INVITE", "path", 420),
    ):
        refused = inspect(request(method, f"Require: {tags}"), able)
        assert (refused.status if refused is not None else 0) == status, (method, tags)


def test_a_subscribe_without_contact_is_400_since_its_notifies_would_go_nowhere() -> None:
    able = Capabilities(methods=("SUBSCRIBE", "MESSAGE"))
    refused = inspect(request("SUBSCRIBE", "Event: presence"), able)
    assert refused is not None
    assert (refused.status, refused.reason) == (400, "Bad Request (SUBSCRIBE has no Contact)")
    assert inspect(request("SUBSCRIBE", "Event: presence", "m: <sip:a@b>"), able) is None
    assert inspect(request("MESSAGE"), able) is None
