"""Commands out of place, odd peers, and the smaller paths of a call: each a sentence."""

from collections.abc import Callable

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.header_lines import lines_of
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.dialog import Dialog, OfferInput, OfferState, domain_of, hop_of, session_key, uri_of
from sipswarm.sipcore.session.events import (
    Answered,
    AnswerReceived,
    By,
    Cause,
    Ended,
    Established,
    Event,
    Failed,
    OfferReceived,
    Provisional,
    RequestFinished,
    RequestReceived,
    TransferProgress,
    TransferRequested,
)
from sipswarm.sipcore.session.invite_session import Hop, InviteSession, SessionState
from sipswarm.sipcore.transaction.reply import Reply
from tests.sipcore.call_wire import (
    ALICE,
    ANSWER,
    BOB,
    OFFER,
    Side,
    Wire,
    accept_reinvites,
    config,
    edited,
    established,
    in_dialog,
    pair,
    request_of,
    response_of,
    restart,
    ringing,
    tokens,
)

Command = Callable[[InviteSession], object]

TOO_EARLY: list[Command] = [
    lambda session: session.bye(0.0),
    lambda session: session.ring(0.0),
    lambda session: session.accept(0.0, ANSWER),
    lambda session: session.reject(0.0),
    lambda session: session.ack(0.0, ANSWER),
    lambda session: session.prack(0.0, ANSWER),
    lambda session: session.request(0.0, "INFO"),
    lambda session: session.update(0.0),
    lambda session: session.reinvite(0.0),
    lambda session: session.refer(0.0, "sip:c@c"),
    lambda session: session.respond(0.0, 1, 200),
    lambda session: session.accept_transfer(0.0, 1),
]


@pytest.mark.parametrize("command", TOO_EARLY)
def test_a_command_before_its_time_is_a_local_error_and_sends_nothing(command: Command) -> None:
    session = InviteSession.outgoing(config(ALICE), tokens(), "sip:bob@192.0.2.2")
    with pytest.raises(LocalProtocolError):
        command(session)
    assert session.drain() == ([], [])
    assert not session.cancel(0.0)
    session.hang_up(0.0)
    assert session.replaces_of() is None
    assert session.remote_tag == ""
    assert not session.ended


def test_a_session_is_invited_once_and_refused_with_a_failure() -> None:
    alice, bob, wire = pair()
    session = alice.call("sip:bob@192.0.2.2")
    session.invite(0.0, OFFER)
    with pytest.raises(LocalProtocolError):
        session.invite(0.0, OFFER)
    wire.flush()
    with pytest.raises(LocalProtocolError, match="refusal"):
        bob.session.reject(0.0, 200)
    with pytest.raises(LocalProtocolError, match="answer"):
        bob.session.accept(0.0)
    with pytest.raises(LocalProtocolError, match="own"):
        session.request(0.0, "BYE")


def test_a_delayed_offer_needs_an_offer_in_the_200() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0)
    wire.flush()
    with pytest.raises(LocalProtocolError, match="without offer"):
        bob.session.accept(0.0)


def test_an_ack_without_the_owed_answer_ends_the_call() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0)
    wire.flush()
    bob.session.accept(0.0, OFFER)
    wire.flush()
    alice.session.bye(0.0)
    wire.flush()
    assert "A>B ACK" in wire.names()
    assert bob.told(Ended)[0].cause is Cause.BAD_DESCRIPTION


def test_a_200_with_an_offer_is_not_told_twice_before_its_ack() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0)
    wire.flush()
    bob.session.accept(0.0, OFFER)
    wire.run(3.0)
    assert len(alice.told(OfferReceived)) == 1
    assert len(wire.times("B>A", "200 INVITE")) == 3
    assert wire.times("A>B", "ACK") == []


@pytest.mark.parametrize(
    ("to", "uri", "header"),
    [
        ("sip:bob@192.0.2.2", "sip:bob@192.0.2.2", "<sip:bob@192.0.2.2>"),
        ('"Bob" <sip:bob@192.0.2.2>', "sip:bob@192.0.2.2", '"Bob" <sip:bob@192.0.2.2>'),
        ("sip:bob@192.0.2.2?Subject=x", "sip:bob@192.0.2.2", "<sip:bob@192.0.2.2>"),
    ],
)
def test_the_address_called_is_written_into_request_line_and_to(to: str, uri: str, header: str) -> None:
    session = InviteSession.outgoing(config(ALICE), tokens(), to, call_id="mine", from_="<sip:me@here>")
    session.invite(0.0, OFFER, headers=[("X-Foo", "bar"), ("User-Agent", "mine"), ("Allow", "INVITE")])
    (transmit,), _ = session.drain()
    request = request_of(transmit.data)
    assert (request.uri, request.headers.get("To"), request.call_id) == (uri, header, "mine")
    assert (request.headers.get("From") or "").startswith("<sip:me@here>;tag=")
    assert request.headers.get("X-Foo") == "bar"
    assert request.headers.get_all("Allow") == ["INVITE"]
    assert transmit.hop == BOB


@pytest.mark.parametrize(
    ("settings", "hop", "routes"),
    [
        ({"outgoing_proxy": Hop("tcp", "192.0.2.9", 5062)}, Hop("tcp", "192.0.2.9", 5062), []),
        ({"route": ("<sip:192.0.2.8;lr>",)}, Hop("udp", "192.0.2.8", 5060), ["<sip:192.0.2.8;lr>"]),
    ],
)
def test_a_call_goes_by_proxy_or_preloaded_route(settings: dict[str, object], hop: Hop, routes: list[str]) -> None:
    session = InviteSession.outgoing(config(ALICE, **settings), tokens(), "sip:bob@example.org")
    session.invite(0.0, OFFER)
    (transmit,), _ = session.drain()
    assert transmit.hop == hop
    assert request_of(transmit.data).headers.values("Route") == routes


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:b@h", Hop("udp", "h", 5060)),
        ("sip:b@h:5070;transport=TCP", Hop("tcp", "h", 5070)),
        ("sips:b@h", Hop("tls", "h", 5061)),
        ("sip:b@h;maddr=192.0.2.7", Hop("udp", "192.0.2.7", 5060)),
        ("sip:b@[2001:db8::1]", Hop("udp", "2001:db8::1", 5060)),
    ],
)
def test_a_uri_says_where_to_go_before_dns(uri: str, hop: Hop) -> None:
    assert hop_of(uri, "udp") == hop


def test_a_tel_uri_cannot_be_called_without_a_proxy() -> None:
    with pytest.raises(ParseError):
        hop_of("tel:+1234", "udp")
    assert uri_of("<broken") == ""
    assert domain_of("sip:b@h:5070") == "h"


def test_messages_find_their_session_by_call_id_and_our_tag() -> None:
    alice, bob, wire = established()
    alice.session.bye(0.0)
    wire.flush()
    bye, ok = wire.message(0), wire.message(1)
    assert session_key(bye) == (bob.session.call_id, bob.session.local_tag)
    assert session_key(ok) == (alice.session.call_id, alice.session.local_tag)


TCP = Hop("tcp", "192.0.2.1", 1234)
VIAS = [
    ("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa", ALICE, ";branch=z9hG4bKa\r\n", Hop("udp", "192.0.2.1", 5070)),
    ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa", ALICE, ";received=192.0.2.1\r\n", Hop("udp", "192.0.2.1", 5070)),
    ("SIP/2.0/UDP host;branch=z9hG4bKa", ALICE, ";received=192.0.2.1\r\n", ALICE),
    ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;rport", ALICE, ";rport=5060;received=192.0.2.1\r\n", ALICE),
    ("SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa, SIP/2.0/UDP x", ALICE, ";received=192.0.2.1, SIP/2.0/UDP x", ALICE),
    ("SIP/2.0/UDP 192.0.2.1;rport=9;branch=z9hG4bKa", ALICE, ";rport=5060;branch=z9hG4bKa;received=192.0.2.1", ALICE),
    (
        "SIP/2.0/TCP 192.0.2.1:9;branch=z9hG4bKa",
        Hop("tcp", "192.0.2.1", 1234),
        ":9;branch",
        Hop("tcp", "192.0.2.1", 1234),
    ),
]


@pytest.mark.parametrize(("via", "source", "written", "hop"), VIAS)
def test_a_response_goes_where_rfc_3581_says_and_its_via_tells(via: str, source: Hop, written: str, hop: Hop) -> None:
    request = Request.build(
        "OPTIONS",
        "sip:b@b",
        [("Via", via), ("From", "<sip:a@a>;tag=a"), ("To", "<sip:b@b>"), ("Call-ID", "1"), ("CSeq", "1 OPTIONS")],
    )
    reply = Reply(request, source, 3, "mine")
    assert reply.hop == hop
    assert written in reply.to_bytes(200, "").decode()
    assert b";tag=mine" in reply.to_bytes(200, "")
    assert b";tag=mine" not in reply.trying()


def test_a_malformed_request_in_the_dialog_gets_400_and_a_malformed_field_of_a_response_is_absent() -> None:
    alice, bob, wire = ringing()
    wire.inject(in_dialog(wire, bob, "PRACK", 2, "RAck: what\r\n"), ALICE, BOB)
    assert wire.names()[-1] == "B>A 400 PRACK"
    wire.inject(in_dialog(wire, bob, "ACK", 9), ALICE, BOB)
    ring = next(data for data in wire.raw if data.startswith(b"SIP/2.0 180"))
    bad = edited(ring, (b"Contact", b"Require: 100rel\r\nRSeq: x\r\nContact"))
    before = alice.session.ignored
    told = len(alice.told(Provisional))
    wire.inject(bad, BOB, ALICE)
    assert len(alice.told(Provisional)) == told + 1, "without a number it is no reliable one"
    unknown = edited(ring, (b"branch=z9hG4bK", b"branch=z9hG4bKother"))
    alice.session.receive(response_of(unknown), BOB, 0.0)
    assert alice.session.ignored == before + 1


def test_options_info_and_message_are_answered_or_handed_to_the_user() -> None:
    alice, bob, wire = established()
    number = alice.session.request(0.0, "INFO", b"Signal=1\r\n", "application/dtmf-relay")
    wire.flush()
    (received,) = bob.told(RequestReceived)
    assert received.request.body == b"Signal=1\r\n"
    bob.session.respond(0.0, received.request_id, 200)
    wire.flush()
    assert alice.told(RequestFinished)[0][:2] == (number, "INFO")
    with pytest.raises(LocalProtocolError, match="waits"):
        bob.session.respond(0.0, received.request_id, 200)


def test_a_request_that_the_user_leaves_gets_100_after_3_5_s_and_487_at_the_end_of_the_call() -> None:
    alice, bob, wire = established()
    alice.session.request(0.0, "INFO")
    wire.run(5.0)
    assert set(wire.times("B>A", "100 INFO")) == {3.5}
    bob.session.bye(5.0)
    wire.run(6.0)
    assert wire.times("B>A", "487 INFO") == [5.0]


def test_an_update_that_crosses_an_offer_gets_491_and_is_repeated() -> None:
    alice, bob, wire = established()
    wire.delay = 0.05
    alice.session.update(0.0, OFFER)
    bob.session.update(0.0, OFFER)
    for side in (alice, bob):
        side.reacts = answer_updates
    wire.run(10.0)
    assert len(wire.times("A>B", "491 UPDATE")) == len(wire.times("B>A", "491 UPDATE")) == 1
    assert len(alice.told(AnswerReceived)) == len(bob.told(AnswerReceived)) == 1


def answer_updates(side: Side, event: Event, now: float) -> None:
    if isinstance(event, OfferReceived) and side.speaking is not None:
        side.speaking.respond(now, event.request_id, 200, body=ANSWER)


def test_a_second_update_with_an_offer_gets_500_with_retry_after() -> None:
    _, bob, wire = established()
    kind = "Content-Type: application/sdp\r\n"
    wire.inject(in_dialog(wire, bob, "UPDATE", 2, kind, OFFER), ALICE, BOB)
    wire.inject(in_dialog(wire, bob, "UPDATE", 3, kind, OFFER), ALICE, BOB)
    assert "Retry-After" in wire.last("500 UPDATE").headers


def test_a_500_with_retry_after_delays_the_reinvite() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 500, headers=[("Retry-After", "3")])
    bob.reacts = accept_reinvites
    wire.run(4.0)
    assert wire.times("A>B", "INVITE") == [0.0, 3.0]
    assert len(alice.told(Answered)) == 1


def test_endless_glare_fails_in_the_end() -> None:
    alice, bob, wire = established()

    def refuse(side: Side, event: Event, now: float) -> None:
        if type(event).__name__ == "ReinviteReceived" and side.speaking is not None:
            side.speaking.reject(now, 491)

    bob.reacts = refuse
    alice.session.reinvite(0.0, OFFER)
    wire.run(60.0)
    assert alice.told(Failed)[0].cause is Cause.GLARE
    assert len(wire.times("A>B", "INVITE")) == 7
    assert alice.session.state is SessionState.CONFIRMED


def test_a_reinvite_may_be_cancelled_by_its_caller() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    assert alice.session.cancel(0.0)
    wire.flush()
    assert alice.told(Failed)[0].reinvite
    assert alice.told(Ended) == bob.told(Ended) == []


def test_a_reinvite_under_way_when_the_call_ends_is_let_go() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    alice.session.bye(0.0)
    wire.finish()
    assert wire.last_response("487 INVITE")
    assert alice.told(Failed) == []
    assert alice.session.finished
    assert bob.session.finished


@pytest.mark.parametrize("ringing_first", [True, False])
@pytest.mark.parametrize("method", ["BYE of ours", "BYE of the peer"])
@pytest.mark.parametrize("status", [100, 180])
def test_a_reinvite_of_ours_without_a_final_response_outlives_its_call_by_32_seconds_at_most(
    method: str, status: int, *, ringing_first: bool
) -> None:
    _, bob, wire = established()
    wire.drop = frozenset(range(1000))  # the peer is played by hand
    bob.session.reinvite(0.0, OFFER)
    wire.flush()
    provisional = Response.to_request(request_of(wire.raw[-1]), status).to_bytes()
    if ringing_first:
        wire.inject(provisional, ALICE, BOB)
    wire.run(1.0)
    if method == "BYE of ours":
        bob.session.bye(1.0)
    else:
        wire.inject(in_dialog(wire, bob, "BYE", 2), ALICE, BOB)
    wire.run(2.0)
    for moment in range(2, 100):  # a peer that never comes to an end
        wire.inject(provisional, ALICE, BOB)
        wire.run(float(moment))
    assert bob.session.finished
    assert not bob.told(Failed)
    assert len(bob.told(Ended)) == 1


def test_a_reinvite_after_the_end_gets_481() -> None:
    _, bob, wire = established()
    bob.session.bye(0.0)
    wire.drop = frozenset(range(100))
    wire.flush()
    wire.inject(in_dialog(wire, bob, "INVITE", 2, "Content-Type: application/sdp\r\n", OFFER), ALICE, BOB)
    wire.inject(in_dialog(wire, bob, "INFO", 3), ALICE, BOB)
    assert wire.names() == ["B>A BYE", "B>A 481 INVITE", "B>A 481 INFO"]


def test_a_bye_while_it_rings_ends_the_call_with_487() -> None:
    _, bob, wire = ringing()
    wire.inject(in_dialog(wire, bob, "BYE", 2), ALICE, BOB)
    assert wire.names()[-3:] == ["B>A 200 BYE", "B>A 487 INVITE", "A>B ACK"]
    assert bob.told(Ended)[0][:2] == (Cause.BYE, By.REMOTE)


def hang_up_calling(alice: Side, bob: Side, wire: Wire) -> str:
    alice.session.hang_up(0.0)
    wire.flush()
    return "A>B CANCEL"


def hang_up_ringing(alice: Side, bob: Side, wire: Wire) -> str:
    bob.session.hang_up(0.0)
    wire.flush()
    return "B>A 480 INVITE"


def hang_up_answered(alice: Side, bob: Side, wire: Wire) -> str:
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    bob.session.hang_up(0.0)
    wire.flush()
    return "B>A BYE"


@pytest.mark.parametrize("hang_up", [hang_up_calling, hang_up_ringing, hang_up_answered])
def test_hanging_up_does_what_the_state_asks_for(hang_up: Callable[[Side, Side, Wire], str]) -> None:
    alice, bob, wire = ringing()
    assert hang_up(alice, bob, wire) in wire.names()
    wire.finish()
    assert alice.session.finished
    assert bob.session.finished


def test_a_call_that_gives_way_before_its_ack_hangs_up_after_it() -> None:
    _alice, bob, wire = ringing()
    wire.delay = 0.1
    bob.session.accept(0.0, ANSWER)
    bob.session.give_way(0.0)
    wire.run(2.0)
    assert bob.told(Ended)[0].cause is Cause.REPLACED
    assert wire.names()[-4:] == ["B>A 200 INVITE", "A>B ACK", "B>A BYE", "A>B 200 BYE"]
    bob.session.give_way(2.0)
    assert len(bob.told(Ended)) == 1


SIPFRAG_PART = b"--b\r\nContent-Type: %s\r\n\r\nSIP/2.0 200 OK\r\n--b--\r\n"


@pytest.mark.parametrize("state", ["active;expires=60", "pending"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", b""),
        ("message/sipfrag", b""),
        ("message/sipfrag", b"nonsense"),
        ("message/sipfrag", b"INVITE sip:a@a SIP/2.0\r\n"),
        ("message/sipfrag", b"SIP/2.0 2x0 OK\r\n"),
        ("message/sipfrag", b"Contact: <sip:c@c>\r\n"),
        ("multipart/mixed;boundary=b", SIPFRAG_PART % b"text/plain"),
        ("multipart/mixed;boundary=b", b"--b\r\nno end"),
        ("multipart/mixed", b"no boundary"),
    ],
)
def test_a_notify_of_a_transfer_without_a_status_line_changes_nothing(state: str, kind: str, body: bytes) -> None:
    """RFC 6665 section 4.2.2: a notifier that is refused drops the subscription, and its result would be lost."""
    alice, bob, wire = established()
    number = bob.session.refer(0.0, "sip:c@c")
    extra = f"Event: refer\r\nSubscription-State: {state}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
    wire.inject(in_dialog(wire, bob, "NOTIFY", 2, extra, body), ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 NOTIFY"
    assert bob.told(TransferProgress) == []
    extra = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type: message/sipfrag\r\n"
    wire.inject(in_dialog(wire, bob, "NOTIFY", 3, extra, b"SIP/2.0 200 OK\r\n"), ALICE, BOB)
    assert bob.told(TransferProgress) == [TransferProgress(number, 200, "OK", True)]
    assert alice.told(TransferRequested)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed;boundary=b", SIPFRAG_PART % b"message/sipfrag"),
        ('Multipart/Mixed; boundary="b"', SIPFRAG_PART % b"Message/SipFrag;version=2.0"),
        (
            "multipart/alternative;boundary=b",
            b"--b\r\nContent-Type: text/plain\r\n\r\nSIP/2.0 486 Busy\r\n" + SIPFRAG_PART % b"message/sipfrag",
        ),
        (
            "multipart/mixed;boundary=a",
            b"--a\r\nContent-Type: multipart/related;boundary=b\r\n\r\n"
            + SIPFRAG_PART % b"message/sipfrag"
            + b"\r\n--a--\r\n",
        ),
    ],
)
def test_the_progress_of_a_transfer_is_read_from_a_part_of_the_body(kind: str, body: bytes) -> None:
    _, bob, wire = established()
    number = bob.session.refer(0.0, "sip:c@c")
    extra = f"Event: refer\r\nSubscription-State: terminated\r\nContent-Type: {kind}\r\n"
    wire.inject(in_dialog(wire, bob, "NOTIFY", 2, extra, body), ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 NOTIFY"
    assert bob.told(TransferProgress) == [TransferProgress(number, 200, "OK", True)]


def test_a_notify_of_another_subscription_gets_200() -> None:
    _, bob, wire = established()
    bob.session.refer(0.0, "sip:c@c")
    extra = "Event: refer;id=99\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n"
    wire.inject(in_dialog(wire, bob, "NOTIFY", 2, extra, b"nonsense"), ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 NOTIFY"


@pytest.mark.parametrize("method", ["BYE", "SUBSCRIBE"])
def test_a_refer_for_another_method_than_invite_gets_603(method: str) -> None:
    _, bob, wire = established()
    wire.inject(in_dialog(wire, bob, "REFER", 2, f"Refer-To: <sip:c@c;method={method}>\r\n"), ALICE, BOB)
    assert wire.names()[-1] == "B>A 603 REFER"
    assert bob.told(TransferRequested) == []


def test_a_transfer_that_cannot_be_asked_for_is_forgotten() -> None:
    alice, bob, wire = established()
    wire.drop = frozenset(range(1000))
    alice.session.refer(0.0, "sip:c@c")
    wire.finish()
    assert alice.told(RequestFinished)[0].status == 408
    assert alice.session.state is SessionState.CONFIRMED
    assert alice.session.deadline is None
    with pytest.raises(LocalProtocolError):
        bob.session.accept_transfer(0.0, 1)


def test_only_a_refer_can_be_accepted_as_transfer() -> None:
    alice, bob, wire = established()
    alice.session.request(0.0, "INFO")
    wire.flush()
    with pytest.raises(LocalProtocolError, match="REFER"):
        bob.session.accept_transfer(0.0, bob.told(RequestReceived)[0].request_id)


def test_a_failed_transport_in_the_dialog_is_told_as_503() -> None:
    alice, _, wire = established()
    alice.session.request(0.0, "INFO")
    (sent,), _ = alice.session.drain()
    alice.session.transport_failed(0.0, branch=request_of(sent.data).branch)
    wire.flush()
    assert alice.told(RequestFinished)[0].status == 503


def test_header_lines_of_ours_hold_no_line_ends() -> None:
    with pytest.raises(LocalProtocolError, match="line end"):
        lines_of([("X", "a\r\nEvil: b")])


def test_offers_and_answers_take_turns() -> None:
    dialog = Dialog("1", "<sip:a@a>", "a", "<sip:b@b>", "b", "sip:b@b")
    dialog.negotiate(OfferInput.SEND_OFFER)
    with pytest.raises(LocalProtocolError, match="turn"):
        dialog.negotiate(OfferInput.SEND_ANSWER)
    assert dialog.offer is OfferState.LOCAL_OFFER


def test_a_100_without_tag_and_a_late_180_change_nothing_after_the_answer() -> None:
    alice, bob, wire = ringing()
    ring = next(data for data in wire.raw if data.startswith(b"SIP/2.0 180"))
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    restart(wire)
    wire.inject(ring, BOB, ALICE)
    assert alice.told(Provisional) == []
    assert alice.session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("contact", [b"", b"Contact: <tel:+1234>\r\n", b"Contact: <broken\r\n"])
def test_a_200_whose_contact_leads_nowhere_is_acknowledged_where_the_invite_went(contact: bytes) -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    ok = bob.session.drain()[0][0].data
    restart(wire)
    wire.inject(edited(ok, (b"Contact: <sip:user@192.0.2.2:5060>\r\n", contact)), BOB, ALICE)
    assert wire.names() == ["A>B ACK"]
    assert alice.told(Answered)


def test_an_invite_without_contact_is_answered_and_hung_up_at_its_from() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    invite = alice.session.drain()[0][0].data
    wire.inject(edited(invite, (b"Contact: <sip:user@192.0.2.1:5060>\r\n", b"")), ALICE, BOB)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    bob.session.bye(0.0)
    wire.flush()
    assert wire.last_request("BYE").uri == "sip:user@192.0.2.1"
    assert bob.session.state is SessionState.TERMINATED


def test_of_several_contacts_the_first_is_the_target() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER, headers=[("Contact", "<sip:one@192.0.2.2>, <sip:two@192.0.2.3>")])
    wire.flush()
    assert wire.last_request("ACK").uri == "sip:one@192.0.2.2"


def test_a_peer_that_does_not_answer_an_info_keeps_the_call() -> None:
    alice, _, wire = established()
    wire.drop = frozenset(range(1000))
    alice.session.request(0.0, "INFO")
    wire.finish()
    assert alice.told(RequestFinished) == [RequestFinished(1 + 1, "INFO", None, 408)]
    assert alice.told(Ended) == []


def test_a_refresh_that_is_not_answered_ends_the_call() -> None:
    alice, _, wire = established({"session_expires": 900, "refresher": "uac"})
    wire.drop = frozenset(range(1000))
    wire.run(483.0)
    assert wire.times("A>B", "UPDATE")[0] == 450.0
    assert wire.times("A>B", "BYE")[0] == 482.0
    assert alice.told(Ended)[0][:2] == (Cause.DIALOG_GONE, By.EXPIRED)


def test_an_update_refused_as_unknown_is_replaced_by_a_reinvite() -> None:
    alice, bob, wire = established({"session_expires": 90, "refresher": "uac"})
    bob.reacts = accept_reinvites
    wire.run(44.0)
    bob.session.config = config(BOB, allow=("INVITE", "ACK", "BYE", "CANCEL"))
    wire.run(46.0)
    assert wire.names()[:3] == ["A>B UPDATE", "B>A 405 UPDATE", "A>B INVITE"]
    assert alice.told(Answered) == []
    wire.run(100.0)
    assert wire.times("A>B", "INVITE") == [45.0, 90.0]


def test_an_update_answered_422_is_repeated_with_the_longer_interval() -> None:
    alice, bob, wire = established({"session_expires": 90, "refresher": "uac"})
    bob.session.config = config(BOB, min_se=400)
    wire.run(46.0)
    assert wire.names() == ["A>B UPDATE", "B>A 422 UPDATE", "A>B UPDATE", "B>A 200 UPDATE"]
    again = wire.last_request("UPDATE").session_expires
    assert again is not None
    assert again.seconds == 400
    assert alice.told(Ended) == []


def test_odd_session_timer_headers_hurt_nobody() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    invite = alice.session.drain()[0][0].data
    odd = b"Session-Expires: 1800\r\nMin-SE: x\r\nMax-Forwards"
    supported = b"Supported: 100rel, timer"
    wire.inject(edited(invite, (b"Max-Forwards", odd), (supported, b'Supported: "open')), ALICE, BOB)
    bob.session.accept(0.0, ANSWER)
    ok = bob.session.drain()[0][-1].data
    wire.inject(edited(ok, (b"Session-Expires: 1800;refresher=uas", b"Session-Expires: what")), BOB, ALICE)
    assert wire.names()[-1] == "A>B ACK"
    assert alice.session.state is SessionState.CONFIRMED


def test_a_200_whose_route_cannot_be_read_is_acknowledged() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    ok = bob.session.drain()[0][0].data
    wire.drop = frozenset(range(1000))
    wire.inject(edited(ok, (b"Contact:", b'Record-Route: "open, x\r\nContact:')), BOB, ALICE)
    wire.finish()
    assert alice.told(Answered)
    assert any(data.startswith(b"ACK ") for data in wire.raw)


def test_of_a_redirect_only_targets_that_can_be_called_are_followed() -> None:
    for contact in ("<sip:x@y", "<tel:+1>", "*"):
        alice, bob, wire = pair({"redirects": 2})
        alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
        wire.flush()
        bob.session.reject(0.0, 302, headers=[("Contact", contact)])
        wire.flush()
        assert alice.told(Failed)[0].cause is Cause.REDIRECTED


def test_a_reinvite_before_the_ack_is_taken_when_offer_and_answer_are_complete() -> None:
    # RFC 5407 3.1.5: the ACK is lost, and the caller's re-INVITE comes first.
    alice, bob, wire = ringing()
    bob.session.accept(0.0, ANSWER)
    wire.drop = frozenset((wire.sent + 1,))
    wire.flush()
    alice.session.reinvite(0.1, OFFER)
    bob.reacts = accept_reinvites
    wire.run(5.0)
    assert bob.session.state is SessionState.CONFIRMED
    assert [event.reinvite for event in bob.told(Established)] == [True, False]
    assert len(alice.told(Answered)) == 2
