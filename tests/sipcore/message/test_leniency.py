"""Leniencies by name: what peers write wrong and without harm is read, a strict reading refuses it, all else stays."""

import re
from pathlib import Path

import pytest

from sipswarm.sipcore.auth.digest import DigestClient
from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.framing import FramingFault, StreamFramer
from sipswarm.sipcore.message.messages import Message, Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.session.dialog import Dialog
from sipswarm.sipcore.session.events import (
    Answered,
    AnswerReceived,
    Failed,
    RequestFinished,
    TransferProgress,
    TransferRequested,
)
from sipswarm.sipcore.session.invite_session import InviteSession, SessionState
from sipswarm.sipcore.session.refer import target_of
from sipswarm.sipcore.transaction import stateless
from tests.sipcore.accounts import Account, Accounts
from tests.sipcore.call_wire import ALICE, ANSWER, BOB, OFFER, edited, established, in_dialog, pair, ringing
from tests.sipcore.stranger import Stranger
from tests.sipcore.usage.test_registration import CONTACT, Line
from tests.sipcore.wire import sample, sample_response

CAPABILITIES = stateless.Capabilities(tag_key=b"test key")

URI = "sip:a@192.0.2.1"
ADDRESSES = [
    (f"<{URI}>;tag=1;tag=1", "", URI, "1", Leniency.DOUBLED_PARAMETER),
    (f"<{URI}>;TAG=1;tag=1;x", "", URI, "1", Leniency.DOUBLED_PARAMETER),
    (f"<{URI}>;tag=1;", "", URI, "1", Leniency.EMPTY_PARAMETER),
    (f"<{URI}>;;tag=1 ; ;", "", URI, "1", Leniency.EMPTY_PARAMETER),
    (f"{URI};tag=1;", "", URI, "1", Leniency.EMPTY_PARAMETER),
    (f"<{URI};>;tag=1", "", URI, "1", Leniency.EMPTY_PARAMETER),
    (f"<{URI};transport=udp;;>;tag=1", "", f"{URI};transport=udp", "1", Leniency.EMPTY_PARAMETER),
    (f"<{URI}>;tag=1;=x", "", URI, "1", Leniency.UNREADABLE_PARAMETER),
    (f"<{URI}>;x y;tag=1", "", URI, "1", Leniency.UNREADABLE_PARAMETER),
    (f"ACME (Sales) <{URI}>;tag=1", "ACME (Sales)", URI, "1", Leniency.UNQUOTED_NAME),
    (f"Jürgen <{URI}>;tag=1", "Jürgen", URI, "1", Leniency.UNQUOTED_NAME),
    (f"Doe, Jane <{URI}>;tag=1", "Doe, Jane", URI, "1", Leniency.UNQUOTED_NAME),
    (f"Doe; Jane <{URI}>;tag=1", "Doe; Jane", URI, "1", Leniency.UNQUOTED_NAME),
    (f'\\"anna\\" <{URI}>;tag=1', "anna", URI, "1", Leniency.UNQUOTED_NAME),
    (f'"ACME" Sales <{URI}>;tag=1', "ACME Sales", URI, "1", Leniency.UNQUOTED_NAME),
    (f"a@b.c <{URI}>;tag=1", "a@b.c", URI, "1", Leniency.UNQUOTED_NAME),
    (f"< {URI} >;tag=1", "", URI, "1", Leniency.BLANKS_IN_BRACKETS),
    ("<sip:@192.0.2.1>;tag=1", "", "sip:192.0.2.1", "1", Leniency.EMPTY_USER),
    ("sip:@192.0.2.1;tag=1", "", "sip:192.0.2.1", "1", Leniency.EMPTY_USER),
    ("<sip:c@h?Replaces=1@2%3Bto-tag%3Da>;tag=1", "", "sip:c@h?Replaces=1%402%3Bto-tag%3Da", "1",
     Leniency.UNESCAPED_AT),
    ("<sip:c@h;x=a@b>;tag=1", "", "sip:c@h;x=a%40b", "1", Leniency.UNESCAPED_AT),
]  # fmt: skip


def with_line(data: bytes, name: str, value: str) -> bytes:
    lines = data.decode("utf-8", "surrogateescape").split("\r\n")
    return "\r\n".join([f"{name}: {value}" if line.startswith(f"{name}:") else line for line in lines]).encode(
        "utf-8", "surrogateescape"
    )


@pytest.mark.parametrize("header", ["From", "To"])
@pytest.mark.parametrize("make", [sample, sample_response])
@pytest.mark.parametrize(("text", "name", "uri", "tag", "leniency"), ADDRESSES, ids=[row[0] for row in ADDRESSES])
def test_an_address_whose_uri_and_tag_can_be_told_is_read(
    text: str, name: str, uri: str, tag: str, leniency: Leniency, make: object, header: str
) -> None:
    data = with_line(sample() if make is sample else sample_response(), header, text)
    message = parse(data)
    value = message.from_ if header == "From" else message.to
    assert (value.display_name, str(value.uri), value.tag) == (name, uri, tag)
    assert (message.from_tag if header == "From" else message.to_tag) == tag
    assert message.leniencies == (leniency,)
    assert message.to_bytes() == data, "what came is written back as it came"
    if header == "To":
        assert peek.has_to_tag(data)


@pytest.mark.parametrize("text", [row[0] for row in ADDRESSES])
def test_a_strict_reading_refuses_a_request_with_such_an_address(text: str) -> None:
    data = with_line(sample("OPTIONS"), "From", text)
    try:
        message = parse(data, strict=True)
    except ParseError:
        return
    assert isinstance(message, Request)
    refused = stateless.inspect(message, CAPABILITIES)
    assert refused is not None
    assert refused.status == 400


@pytest.mark.parametrize(
    "text", ['"open <sip:a@b>;tag=1', "<sip:a@b@c>;tag=1", "<sip:a@b;tag=1", "<>;tag=1", "x;tag=1"]
)
def test_what_cannot_be_told_stays_refused(text: str) -> None:
    try:
        message = parse(with_line(sample("OPTIONS"), "From", text))
    except ParseError:
        return
    assert isinstance(message, Request)
    assert stateless.inspect(message, CAPABILITIES) is not None


def test_of_two_tags_the_first_holds_in_a_response_and_a_request_is_refused() -> None:
    answer = parse(with_line(sample_response(), "To", "<sip:b@h>;tag=1;tag=2"))
    assert answer.to_tag == "1"
    assert answer.leniencies == (Leniency.CONTRADICTING_PARAMETER,)
    with pytest.raises(ParseError, match="twice"):
        parse(with_line(sample(), "To", "<sip:b@h>;tag=1;tag=2"))


@pytest.mark.parametrize("line", ["Content-Type: application/sdp", "Max-Forwards: 70", "c: Application/SDP", "l: 3"])
def test_headers_that_agree_count_once(line: str) -> None:
    data = sample("INVITE", "Content-Type: application/sdp", line, body=b"v=0")
    message = parse(data)
    assert message.leniencies == (Leniency.AGREEING_HEADERS,) or line.startswith("Max")
    assert (message.content_type, message.body, message.max_forwards) == ("application/sdp", b"v=0", 70)
    with pytest.raises(ParseError, match="twice"):
        parse(data, strict=True)


def test_of_headers_that_contradict_the_first_holds_in_a_response_alone() -> None:
    answer = parse(sample_response(200, "Content-Type: application/sdp", "Content-Type: text/plain", body=b"v=0"))
    assert answer.content_type == "application/sdp"
    assert answer.leniencies == (Leniency.AGREEING_HEADERS,)
    with pytest.raises(ParseError, match="twice"):
        parse(sample("INVITE", "Content-Length: 5"))


# RFC 3261 section 20.22, RFC 4475 section 3.1.2.4: only a proxy needs it.
@pytest.mark.parametrize("value", ["", "x", "-1", "7.5", "2147483648", "9" * 40, "@@", '"open', "70, 70", "\x00"])
@pytest.mark.parametrize("method", ["INVITE", "BYE", "CANCEL", "OPTIONS", "ACK"])
def test_max_forwards_that_cannot_be_read_costs_no_request(method: str, value: str) -> None:
    data = sample(method).replace(b"Max-Forwards: 70", f"Max-Forwards: {value}".encode())
    message = parse(data)
    assert (message.max_forwards, message.leniencies) == (None, (Leniency.UNREADABLE_FIELD,))
    with pytest.raises(ParseError):
        parse(data, strict=True)
    twice = sample(method, "Max-Forwards: 5")
    assert (parse(twice).max_forwards, parse(twice).leniencies) == (70, (Leniency.AGREEING_HEADERS,))
    with pytest.raises(ParseError, match="twice"):
        parse(twice, strict=True)


def test_no_response_is_lost_for_a_line_or_a_length() -> None:
    odd = parse(sample_response(200, "no header at all", "bad name: x"))
    assert odd.leniencies == (Leniency.UNREADABLE_LINE,)
    assert odd.call_id == "a84b4c76e66710@192.0.2.10"
    for length in ("9999", "x", "-1", ""):
        short = parse(sample_response(body=b"abc").replace(b"Content-Length: 3", f"Content-Length: {length}".encode()))
        assert (short.body, short.leniencies) == (b"abc", (Leniency.WRONG_LENGTH,))
    assert parse(sample_response(200, "Max-Forwards: x")).max_forwards is None


def test_what_can_be_read_of_a_list_counts() -> None:
    contacts = 'Contact: <sip:x@y:0>, "open <sip:a@b>, <sip:c@d>;expires=60, :, <sip:192.0.2.7;info="QUJD=">;expires=9'
    for message in (parse(sample("INVITE", contacts)), parse(sample_response(200, contacts))):
        assert [str(contact.uri) for contact in message.contacts] == ["sip:c@d"]
        assert Leniency.UNREADABLE_ELEMENT in message.leniencies


@pytest.mark.parametrize(
    "line", ["Retry-After: soon", "Timestamp: x", "Expires: soon", "Session-Expires: x", "Min-SE: x"]
)
def test_a_field_that_the_request_does_not_need_counts_as_absent(line: str) -> None:
    message = parse(sample("INVITE", "Contact: <sip:a@b>", line))
    assert isinstance(message, Request)
    assert stateless.inspect(message, CAPABILITIES) is None
    assert getattr(message, line.partition(":")[0].lower().replace("-", "_")) is None


@pytest.mark.parametrize(
    "line", ["Contact: <sip:a", "Replaces: abc", "Record-Route: x", "Require: timer\r\nSession-Expires: x"]
)
def test_a_field_that_the_request_needs_refuses_it(line: str) -> None:
    message = parse(sample("INVITE", line))
    assert isinstance(message, Request)
    refused = stateless.inspect(message, CAPABILITIES)
    assert refused is not None
    assert refused.status == 400


# In a call


def tag_doubled(data: bytes) -> bytes:
    head, found, rest = data.partition(b"\r\nTo: ")
    value, _, after = rest.partition(b"\r\n")
    tag = value[value.index(b";tag=") :]
    return head + found + value + tag + b"\r\n" + after


def answered_with(alice: InviteSession, bob: InviteSession, change: object) -> None:
    """Carry the request of alice to bob, and his answer, changed, back."""
    assert callable(change)
    for transmit in alice.drain()[0]:
        bob.receive(parse(transmit.data), ALICE, 0.0)
    for transmit in bob.drain()[0]:
        alice.receive(parse(change(transmit.data)), BOB, 0.0)


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "OPTIONS"])
def test_a_doubled_tag_in_an_answer_within_the_call_does_no_harm(method: str) -> None:
    alice, bob, _ = established()
    if method == "BYE":
        alice.session.bye(0.0)
    elif method == "UPDATE":
        alice.session.update(0.0)
    else:
        alice.session.request(0.0, "OPTIONS")
    answered_with(alice.session, bob.session, tag_doubled)
    told = alice.session.drain()[1]
    assert [event.status for event in told if isinstance(event, RequestFinished)] == [200]


def test_a_doubled_tag_in_the_200_is_no_part_of_later_requests() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    ok = tag_doubled(bob.session.drain()[0][0].data)
    wire.inject(ok, BOB, ALICE)
    assert alice.told(Answered)
    ack = parse(next(data for data in wire.raw if data.startswith(b"ACK ")))
    assert ack.headers.get("To").count("tag=") == 1  # type: ignore[union-attr]  # an ACK has a To
    assert ack.leniencies == ()


@pytest.mark.parametrize("line", [b"Retry-After: 0.5", b"Retry-After: ", b"Retry-After: soon"])
def test_a_500_with_an_unreadable_retry_after_fails_the_reinvite_and_not_the_call(line: bytes) -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 500)
    refusal = bob.session.drain()[0][0].data
    wire.inject(edited(refusal, (b"\r\nContent-Length", b"\r\n" + line + b"\r\nContent-Length")), BOB, ALICE)
    assert [event.status for event in alice.told(Failed)] == [500]
    assert alice.session.state is SessionState.CONFIRMED


def test_a_signalling_body_in_a_reliable_183_is_no_answer() -> None:
    alice, bob, wire = ringing()
    bob.session.ring(0.0, 183, reliable=True)
    ring = bob.session.drain()[0][-1].data
    isup = b"\x01\x11\x48"
    kind = b"Content-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n"
    wire.inject(edited(ring, (b"Content-Length: 0\r\n\r\n", kind + b"Content-Length: 3\r\n\r\n" + isup)), BOB, ALICE)
    assert wire.names()[-2:] == ["A>B PRACK", "B>A 200 PRACK"]
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert [event.response.status for event in alice.told(Answered)] == [200]
    assert alice.session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_an_optional_body_within_a_call_may_be_left_aside(method: str) -> None:
    _, bob, wire = established()
    kind = (
        "Content-Type: application/x\r\nContent-Disposition: signal;handling=optional\r\nContact: <sip:a@192.0.2.1>\r\n"
    )
    wire.inject(in_dialog(wire, bob, method, 2, kind, b"abc"), ALICE, BOB)
    assert not any(" 415 " in f" {name} " for name in wire.names())


@pytest.mark.parametrize("tag", ["TIMER", "100REL", "Timer, 100rel"])
def test_option_tags_are_compared_without_case(tag: str) -> None:
    _, bob, wire = established()
    wire.inject(in_dialog(wire, bob, "UPDATE", 2, f"Require: {tag}\r\nContact: <sip:a@192.0.2.1>\r\n"), ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 UPDATE"


def test_a_reliable_provisional_response_is_one_in_any_case_of_its_tag() -> None:
    _, bob, wire = ringing()
    bob.session.ring(0.0, 183, reliable=True)
    ring = bob.session.drain()[0][-1].data
    wire.inject(edited(ring, (b"Require: 100rel", b"Require: 100REL")), BOB, ALICE)
    assert "A>B PRACK" in wire.names()


def test_a_timer_asked_for_in_capitals_is_kept() -> None:
    _, bob, wire = established()
    lines = "Supported: TIMER\r\nSession-Expires: 90;refresher=uac\r\nContact: <sip:a@192.0.2.1>\r\n"
    wire.inject(in_dialog(wire, bob, "UPDATE", 2, lines), ALICE, BOB)
    assert wire.last("200 UPDATE").headers.get("Require") == "timer"


def test_a_contact_of_an_asterisk_is_no_target() -> None:
    message = parse(sample_response(200, "Contact: *"))
    assert isinstance(message, Response)
    assert Dialog.of_response(message, "<sip:a@b>;tag=1", "1").remote_target == ""


@pytest.mark.parametrize("written", [b"", b"Contact: *", b"Contact: * ;expires=0", b"Contact:", b"Contact: <sip:"])
@pytest.mark.parametrize("rang", ["", "with Contact", "without"])
@pytest.mark.parametrize("strict", [False, True])
def test_a_2xx_without_a_target_is_acknowledged_at_the_uri_that_was_called(
    written: bytes, rang: str, strict: bool
) -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    contact = b"Contact: " + bob.session.config.contact.encode()
    if rang:
        bob.session.ring(0.0)
        ringing = bob.session.drain()[0][-1].data
        elsewhere = b"Contact: <sip:phone@192.0.2.2>" if rang == "with Contact" else b"X: y"
        alice.session.receive(parse(edited(ringing, (contact, elsewhere)), strict), BOB, 0.0)
    bob.session.accept(0.0, ANSWER)
    ok = parse(edited(bob.session.drain()[0][-1].data, (contact, written or b"X: y")), strict)
    alice.session.receive(ok, BOB, 0.0)
    target = "sip:phone@192.0.2.2" if rang == "with Contact" else "sip:bob@192.0.2.2"
    alice.session.bye(1.0)
    sent = [parse(each.data) for each in alice.session.drain()[0]]
    assert [(each.method, each.uri) for each in sent if isinstance(each, Request)] == [("ACK", target), ("BYE", target)]
    assert Leniency.NO_CONTACT in ok.leniencies


@pytest.mark.parametrize("contact", ["*", "", "<sip:", None])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_later_2xx_without_a_target_leaves_the_one_that_there_is(method: str, contact: str | None) -> None:
    peer = Stranger.of_caller()
    peer.session.invite(0.0, OFFER)
    peer.collect()
    peer.respond(peer.last("INVITE"), 200, "callee", body=ANSWER)
    if method == "INVITE":
        peer.session.reinvite(0.0, OFFER)
    else:
        peer.session.update(0.0)
    peer.collect()
    extra = () if contact is None else (("Contact", contact),)
    body, kind = (ANSWER, "application/sdp") if method == "INVITE" else (b"", None)
    ok = Response.to_request(peer.last(method), 200, extra=extra, body=body, content_type=kind)
    peer.session.receive(parse(ok.to_bytes()), BOB, 0.0)
    peer.session.bye(0.0)
    peer.collect()
    assert peer.last("ACK").uri == peer.last("BYE").uri == "sip:callee@192.0.2.2"


@pytest.mark.parametrize("reliable", [False, True])
def test_the_description_of_a_1xx_is_the_answer_when_the_2xx_has_none(reliable: bool) -> None:
    peer = Stranger.of_caller()
    peer.session.invite(0.0, OFFER)
    peer.collect()
    extra = (("Require", "100rel"), ("RSeq", "1")) if reliable else ()
    peer.respond(peer.last("INVITE"), 183, "callee", *extra, body=ANSWER)
    if reliable:
        peer.respond(peer.last("PRACK"), 200, "callee")
    ok = peer.respond(peer.last("INVITE"), 200, "callee")
    told = peer.told(AnswerReceived)
    assert [each.description for each in told if isinstance(each, AnswerReceived) and each.final] == [ANSWER]
    assert peer.names()[-1] == "ACK"
    assert peer.session.state is SessionState.CONFIRMED
    assert (Leniency.EARLY_ANSWER in ok.leniencies) == (not reliable)


@pytest.mark.parametrize("tag", ["callee", ""])
def test_a_strict_reading_wants_the_answer_in_the_2xx_itself(tag: str) -> None:
    """RFC 3261 13.2.1: the answer must be in a reliable message, and may be in unreliable ones before it."""
    peer = Stranger.of_caller()
    peer.session.invite(0.0, OFFER)
    peer.collect()
    peer.respond(peer.last("INVITE"), 183, tag, body=ANSWER)
    ok = Response.to_request(peer.last("INVITE"), 200, to_tag="callee", extra=(("Contact", "<sip:callee@192.0.2.2>"),))
    strict = parse(ok.to_bytes(), strict=True)
    peer.session.receive(strict, BOB, 0.0)
    peer.collect()
    assert not [each for each in peer.told(AnswerReceived) if isinstance(each, AnswerReceived) and each.final]
    assert peer.names()[-2:] == ["ACK", "BYE"]
    assert Leniency.EARLY_ANSWER not in strict.leniencies


# Transfers (RFC 3515, 3891, 6665)


def test_an_at_sign_in_a_replaces_is_read_where_it_stands() -> None:
    _, bob, wire = established()
    replaces = "Refer-To: <sip:c@h?Replaces=12345@192.0.2.7%3Bto-tag%3Da1%3Bfrom-tag%3Db2>\r\n"
    wire.inject(in_dialog(wire, bob, "REFER", 2, replaces), ALICE, BOB)
    (asked,) = bob.told(TransferRequested)
    target = target_of(asked.request)
    assert target == ("sip:c@h", (("Replaces", "12345@192.0.2.7;to-tag=a1;from-tag=b2"),))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *((body, 408) for body in (b"", b"nonsense", b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 180 Ringing\r\n")),
        *((f"SIP/2.0 {status} X\r\n".encode(), status) for status in (200, 299, 302, 486, 503, 603)),
    ],
)
def test_a_terminated_notify_ends_the_transfer_whatever_its_body(body: bytes, status: int) -> None:
    """A 1xx says that the outcome is open, which is no success (RFC 3515 2.4.5)."""
    _, bob, wire = established()
    number = bob.session.refer(0.0, "sip:c@c")
    wire.flush()
    lines = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n"
    wire.inject(in_dialog(wire, bob, "NOTIFY", 2, lines, body), ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 NOTIFY"
    (told,) = bob.told(TransferProgress)
    assert (told.request_id, told.status, told.final) == (number, status, True)


# Registrations (RFC 3261 10.2.4)

OTHERS = [
    '<sip:192.0.2.7:443;transport=wss;info="QUJD=">;expires=900',
    "<sip:x@y>;expires=900;;",
    "<sip:x@y>;expires=900;",
    "<sip:x@y:0>;expires=900",
    "<sip:x@[fe80::1%eth0]>;expires=900",
    ":",
    '"open <sip:x@y>;expires=900',
]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("ours_first", [True, False])
def test_the_binding_of_another_device_hides_not_ours(other: str, ours_first: bool) -> None:
    ours = f"{CONTACT};expires=60"
    line = Line()
    line.register(0.0)
    (event,) = line.reply(0.0, 200, ("Contact", ", ".join((ours, other) if ours_first else (other, ours))))
    assert line.it.bound_until == 60.0
    assert getattr(event, "expires", None) == 60


@pytest.mark.parametrize("ours", ["<sip:bob@203.0.113.5:1024>;expires=60", CONTACT[:-1] + ";transport=UDP>;expires=60"])
def test_a_contact_that_was_rewritten_on_its_way_keeps_its_time(ours: str) -> None:
    line = Line()
    line.register(0.0)
    line.reply(0.0, 200, ("Contact", f"{ours}, <sip:other@192.0.2.99>;expires=900"))
    assert line.it.bound_until == 60.0


# Digest, Timestamp


def test_a_list_without_quotes_in_a_challenge_is_read() -> None:
    for value in (
        'Digest realm="r", nonce="n", qop=auth,auth-int, algorithm=SHA-256',
        'Digest realm="r", nonce="n", algorithm=SHA-256, qop=auth , auth-int',
        'Digest realm="r",realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int"',
    ):
        client = DigestClient(Accounts([Account("a", "b", "*", "*")]), Tokens(bytes))
        message = parse(sample_response(401, f"WWW-Authenticate: {value}"))
        assert isinstance(message, Response)
        headers = client.answer(message, method="INVITE", uri="sip:b@h", host="h")
        assert headers is not None
        assert "qop=auth" in headers[0][1]
        assert "algorithm=SHA-256" in headers[0][1]
        strict = parse(sample_response(401, f"WWW-Authenticate: {value}"), strict=True)
        assert isinstance(strict, Response)
        assert client.answer(strict, method="INVITE", uri="sip:b@h", host="h") is None


def test_a_100_has_the_timestamp_of_its_request_and_the_delay() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER, headers=[("Timestamp", "54.21")])
    wire.flush()
    assert wire.last("100 INVITE").headers.get("Timestamp") == "54.21"
    _, bob, wire = established()
    wire.inject(in_dialog(wire, bob, "INFO", 2, "Timestamp: 7\r\n"), ALICE, BOB)
    wire.run(4.0)
    assert wire.last("100 INFO").headers.get("Timestamp") == "7 3.500"


# Descriptions (RFC 8866)

GOOD = b"v=0\r\no=- 77 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
DESCRIPTIONS = [
    (GOOD + b"m=video 0 RTP/AVP\r\n", Leniency.SDP_MEDIA_LINE),
    (GOOD + b"m=video x RTP/AVP 96\r\n", Leniency.SDP_MEDIA_LINE),
    (GOOD + b"m=video 4002\r\n", Leniency.SDP_MEDIA_LINE),
    (GOOD.replace(b"s=-\r\n", b"s=-\r\n\r\n"), Leniency.SDP_LINE),
    (GOOD + b"garbage\r\n", Leniency.SDP_LINE),
    (GOOD + b"\0", Leniency.SDP_END),
    (GOOD + b"\0\0garbage", Leniency.SDP_END),
    (GOOD.replace(b"o=-", b"o=My PBX"), Leniency.SDP_ORIGIN),
    (GOOD.replace(b"77 1", b"77 -1"), Leniency.SDP_ORIGIN),
    (GOOD.replace(b"77 1", b"77 abc"), Leniency.SDP_ORIGIN),
    (GOOD.replace(b"o=- 77 1 ", b"o=- 77 "), Leniency.SDP_ORIGIN),
    (GOOD + b"m=video 0 RTP/AVP 96\r\nc=IN IP6 fe80::1%eth0\r\n", Leniency.SDP_CONNECTION),
    (GOOD + b"a=sendonly \r\n", Leniency.SDP_BLANKS),
    (GOOD + b"a=sendonly\t\r\n", Leniency.SDP_BLANKS),
    (GOOD + b"a=sendonly\r\r\na=x\r\n", Leniency.SDP_BLANKS),
]


@pytest.mark.parametrize(("data", "leniency"), DESCRIPTIONS, ids=[ascii(row[0][-30:]) for row in DESCRIPTIONS])
def test_an_odd_line_that_decides_nothing_costs_no_description(data: bytes, leniency: Leniency) -> None:
    found = SessionDescription.parse(data)
    assert found.leniencies == (leniency,)
    audio = found.media[0]
    assert (audio.port, audio.formats, audio.address) == (4000, ("0",), "192.0.2.1")
    assert (audio.direction.value == "sendonly") is (b"sendonly" in data)
    assert all(line.port == 0 and line.formats for line in found.media[1:])
    _ = found.origin
    try:
        strict = SessionDescription.parse(data, strict=True)
    except ParseError:
        return
    assert strict.leniencies == ()
    assert strict.media[0].direction.value == "sendrecv"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"v=0", b"v=1"),
        GOOD.replace(b"o=- 77 1 IN IP4 192.0.2.1\r\n", b""),
        GOOD.replace(b"4000", b"x"),
        GOOD.replace(b" 0\r\n", b"\r\n").replace(b"t=0\r\n", b"t=0 0\r\n"),
    ],
)
def test_a_line_that_decides_costs_the_description(data: bytes) -> None:
    with pytest.raises(ParseError):
        SessionDescription.parse(data)


# Names


def test_each_leniency_stands_in_the_guide_by_its_name() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "sipcore.md").read_text()
    for leniency in Leniency:
        assert f"| `{leniency.value}` |" in guide, leniency


def test_an_ordinary_message_uses_none() -> None:
    messages: list[Message] = [parse(sample("INVITE", "Contact: <sip:a@b>")), parse(sample_response(200))]
    for message in messages:
        _ = message.from_, message.to, message.contacts, message.vias
        assert message.leniencies == ()
    assert SessionDescription.parse(GOOD).leniencies == ()


MESSAGES = {
    "request": sample("INVITE", "Subject: a", body=b"v=0\r\no=x\r\n"),
    "folded": sample("INVITE", "Subject: a\r\n b", "Contact: <sip:a@b>,\r\n\t<sip:c@d>"),
    "compact": sample("OPTIONS").replace(b"Call-ID", b"i").replace(b"From", b"f").replace(b"To:", b"t:"),
    "response": sample_response(200, body=b"v=0\no=x\n"),
    "empty lines first": b"\r\n\r\n" + sample("BYE"),
}


def bare(data: bytes) -> bytes:
    """The message with LF for every line end of its head."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    head, blank, body = data[start:].partition(b"\r\n\r\n")
    return (data[:start] + head + blank).replace(b"\r\n", b"\n") + body


@pytest.mark.parametrize("name", MESSAGES)
def test_bare_line_ends_are_read_as_line_ends(name: str) -> None:
    usual, odd = MESSAGES[name], bare(MESSAGES[name])
    taken = parse(odd)
    assert taken.leniencies == (Leniency.BARE_LINE_ENDS,)
    assert (taken.start_line, taken.headers.lines, taken.body) == (
        parse(usual).start_line,
        parse(usual).headers.lines,
        parse(usual).body,
    )
    for read in (peek.call_id, peek.method, peek.from_tag, peek.to_tag, peek.has_to_tag, peek.is_request, peek.top_via):
        assert read(odd) == read(usual)
    assert peek.starts_dialog(odd) == peek.starts_dialog(usual)
    assert peek.accepts_invite(odd) == peek.accepts_invite(usual)
    with pytest.raises(ParseError, match="bare line ends") as refused:
        parse(odd, strict=True)
    answer = stateless.refuse_unreadable(odd, refused.value, CAPABILITIES)
    if peek.is_request(usual):
        assert answer is not None
        assert answer.startswith(b"SIP/2.0 400 ")
        assert peek.call_id(answer) == peek.call_id(usual)
    else:
        assert answer is None


@pytest.mark.parametrize(
    "mixed",
    [
        MESSAGES["request"].replace(b"Subject: a\r\n", b"Subject: a\n"),
        MESSAGES["request"].replace(b"Subject: a\r\n", b"Subject: a\r"),
        bare(MESSAGES["request"]).replace(b"Subject: a\n", b"Subject: a\r\n"),
        bare(MESSAGES["request"]).replace(b"Subject: a\n", b"Subject: a\r"),
        # What another reader takes for the head ends elsewhere, so that it would frame another message.
        bare(sample("INVITE")) + b"INVITE sip:x@y SIP/2.0\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_line_ends_that_differ_are_refused_and_belong_to_their_call(mixed: bytes) -> None:
    with pytest.raises(ParseError, match="line"):
        parse(mixed)
    assert peek.call_id(mixed) == peek.call_id(sample("INVITE"))
    assert peek.from_tag(mixed) == peek.from_tag(sample("INVITE"))


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_the_call_of_a_message_with_a_bare_line_end_is_found(end: bytes) -> None:
    usual = sample_response(200)
    for name in (b"From", b"To", b"Call-ID", b"CSeq", b"Via"):
        for odd in (
            usual.replace(b"\r\n" + name, end + name),
            re.sub(name + rb"(: [^\r]*)\r\n", name + rb"\1" + end, usual),
        ):
            assert odd != usual
            assert peek.call_id(odd) == peek.call_id(usual)
            assert peek.from_tag(odd) == peek.from_tag(usual)


def test_no_stream_brings_bare_line_ends() -> None:
    framer = StreamFramer(0.0)
    (fault,) = framer.feed(bare(MESSAGES["request"]) + MESSAGES["request"], 0.0)
    assert isinstance(fault, FramingFault) or not parse_or_none(fault)


def parse_or_none(data: object) -> Message | None:
    assert isinstance(data, bytes)
    try:
        return parse(data)
    except ParseError:
        return None


# More than we take


@pytest.mark.parametrize(
    ("first", "last", "leniency"),
    [
        (" " + "x" * 40000, "", Leniency.LONG_LINE),
        ("\r\nX-Long: " + "x" * 40000, "", Leniency.LONG_LINE),
        ("\r\nContact: <sip:a@b>;x=" + "x" * 40000, "", Leniency.LONG_LINE),
        ("\r\nContent-Length: " + "0" * 9000, "", Leniency.LONG_LINE),
        ("\r\nX: y" * 300, "", Leniency.MANY_HEADERS),
        ("", "\r\nX: y" * 5000, Leniency.MANY_HEADERS),
        ("", "\r\nX: y\r\n z" * 1200, Leniency.MANY_HEADERS),
        ("\r\nnothing", "\r\nX: y" * 5000, Leniency.MANY_HEADERS),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, str) else "",
)
def test_what_is_too_long_or_too_much_does_not_cost_a_response(first: str, last: str, leniency: Leniency) -> None:
    data = sample_response(486).replace(b"486 Some Reason", b"486" + first.encode())
    data = data.replace(b"\r\n\r\n", last.encode() + b"\r\n\r\n", 1)
    message = parse(data)
    assert isinstance(message, Response)
    assert (message.status, message.branch, message.cseq.method) == (486, "z9hG4bK776asdhds", "INVITE")
    assert leniency in message.leniencies
    assert len(message.to_bytes()) < 20000
    with pytest.raises(ParseError):
        parse(data, strict=True)
