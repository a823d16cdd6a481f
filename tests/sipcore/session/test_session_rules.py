"""What a call engine must do for INVITE, within and around its dialog: rows W1 to W11 of CALL.md, one test a rule."""

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import (
    Answered,
    AnswerReceived,
    By,
    CancelReceived,
    Cause,
    Ended,
    Established,
    Event,
    Failed,
    ForkEnded,
    OfferReceived,
    Redirected,
    RequestFinished,
)
from sipswarm.sipcore.session.invite_session import Hop, InviteSession, Reliability, SessionState
from tests.sipcore.call_wire import (
    ALICE,
    ANSWER,
    BOB,
    CAROL,
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
    restart,
    ringing,
    tokens,
)

# W2: 2xx and ACK


def test_each_repeated_200_gets_its_ack_again_and_the_ack_has_a_branch_of_its_own() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    ok = next(data for data in wire.raw if data.startswith(b"SIP/2.0 200"))
    for _ in range(3):
        wire.inject(ok, BOB, ALICE)
    assert len(wire.times("A>B", "ACK")) == 4
    assert len({wire.message(n).branch for n, row in enumerate(wire.ladder) if row[2] == "ACK"}) == 1
    assert wire.last_request("ACK").branch != wire.last_request("INVITE").branch
    assert len(alice.told(Answered)) == 1
    assert len(bob.told(Established)) == 1


def test_a_200_over_tcp_is_repeated_too() -> None:
    tcp = Hop("tcp", "192.0.2.1", 5060)
    _, bob, _ = pair()
    session = InviteSession.outgoing(config(tcp), tokens(), "sip:bob@192.0.2.2;transport=tcp")
    session.invite(0.0, OFFER)
    (invite,), _ = session.drain()
    assert invite.hop.is_reliable
    request = request_of(invite.data)
    called = InviteSession.incoming(bob.config, bob.tokens, request, tcp, 0.0, flow=7)
    called.accept(0.0, ANSWER)
    transmits, _ = called.drain()
    assert {(transmit.hop, transmit.flow) for transmit in transmits} == {(tcp, 7)}
    called.handle_timer(0.5)
    (again,), _ = called.drain()
    assert again.data == transmits[-1].data


# W3: provisional responses


def test_an_unreliable_180_is_sent_once() -> None:
    _, _, wire = ringing()
    wire.run(30.0)
    assert wire.times("B>A", "180 INVITE") == [0.0]


# W4: reliable provisional responses, UPDATE


def test_a_reliable_183_is_repeated_doubling_and_given_up_after_32_s() -> None:
    alice, bob, wire = pair({"reliability": Reliability.REQUIRED}, {"reliability": Reliability.SUPPORTED})
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    wire.drop = frozenset(range(2, 9))
    bob.session.ring(0.0, 183)
    wire.run(40.0)
    assert wire.times("B>A", "183 INVITE") == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bob.told(Ended) == [Ended(Cause.NO_PRACK, By.EXPIRED, None)]
    assert alice.told(Failed)[0].status == 504


def test_an_offer_of_the_called_side_in_update_waits_for_the_prack_of_its_answer() -> None:
    """RFC 3311 section 5.1; a reliable 1xx without a description is no reason to wait."""
    alice, bob, wire = ringing()
    alice.reacts = bob.reacts = answer_offers
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    with pytest.raises(LocalProtocolError, match="PRACK"):
        bob.session.update(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0, 182, reliable=True)
    bob.session.update(0.0, OFFER)
    wire.flush()
    assert [event.in_ for event in bob.told(AnswerReceived)] == ["UPDATE"]
    alice.session.update(0.0, OFFER)
    wire.flush()
    assert [event.in_ for event in alice.told(AnswerReceived)] == ["1xx", "UPDATE"]


def test_an_offer_in_update_waits_for_that_of_an_open_invite() -> None:
    alice, bob, wire = established()
    restart(wire)
    alice.session.reinvite(0.0)
    with pytest.raises(LocalProtocolError, match="open INVITE"):
        alice.session.update(0.0, OFFER)
    wire.flush()
    with pytest.raises(LocalProtocolError, match="open INVITE"):
        bob.session.update(0.0, OFFER)
    bob.session.update(0.0)
    wire.flush()
    assert wire.names() == ["A>B INVITE", "B>A 100 INVITE", "B>A UPDATE", "A>B 200 UPDATE"]


def answer_offers(side: Side, event: Event, now: float) -> None:
    if isinstance(event, OfferReceived) and side.speaking is not None:
        side.speaking.respond(now, event.request_id, 200, body=ANSWER)


def test_reliable_responses_go_one_at_a_time_and_are_taken_once_and_in_order() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    bob.session.ring(0.0, 183, reliable=True)
    bob.session.ring(0.0, 182, reliable=True)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert wire.names() == [
        *("B>A 183 INVITE", "A>B PRACK", "B>A 200 PRACK", "B>A 182 INVITE", "A>B PRACK", "B>A 200 PRACK"),
        *("B>A 200 INVITE", "A>B ACK"),
    ]
    first, second = (wire.message(n) for n in (0, 3))
    assert (first.rseq or 0) + 1 == second.rseq
    ignored = alice.session.ignored
    wire.inject(wire.raw[0], BOB, ALICE)
    assert alice.session.ignored == ignored + 1
    assert len(wire.times("A>B", "PRACK")) == 2


def test_a_reliable_response_out_of_order_gets_no_prack() -> None:
    _alice, bob, wire = ringing()
    restart(wire)
    bob.session.ring(0.0, 183, reliable=True)
    wire.flush()
    rseq = wire.message(0).rseq
    assert rseq is not None
    late = edited(wire.raw[0], (f"RSeq: {rseq}".encode(), f"RSeq: {rseq + 2}".encode()))
    wire.inject(late, BOB, ALICE)
    assert len(wire.times("A>B", "PRACK")) == 1


def test_a_prack_for_nothing_gets_481() -> None:
    _, bob, wire = ringing()
    wire.inject(in_dialog(wire, bob, "PRACK", 2, "RAck: 1 1 INVITE\r\n"), ALICE, BOB)
    assert wire.last_response("481 PRACK").to_tag == bob.session.local_tag
    bob.session.ring(0.0, 183, reliable=True)
    wire.drop = frozenset(range(100))
    wire.flush()
    wire.inject(in_dialog(wire, bob, "PRACK", 3, "RAck: 1 9 INVITE\r\n"), ALICE, BOB)
    assert len(wire.times("B>A", "481 PRACK")) == 2


def test_a_new_offer_in_a_prack_is_answered_in_its_200() -> None:
    alice, bob, wire = ringing()
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    wire.drop = frozenset(range(wire.sent + 1, 1000))
    wire.flush()
    rseq = wire.last("183 INVITE").rseq
    extra = f"RAck: {rseq} 1 INVITE\r\nContent-Type: application/sdp\r\n"
    wire.inject(in_dialog(wire, bob, "PRACK", 2, extra, OFFER), ALICE, BOB)
    (offer,) = bob.told(OfferReceived)
    assert (offer.description, offer.in_) == (OFFER, "PRACK")
    with pytest.raises(LocalProtocolError, match="answer"):
        bob.session.respond(0.0, offer.request_id, 200)
    bob.session.respond(0.0, offer.request_id, 200, body=ANSWER)
    wire.flush()
    assert wire.last_response("200 PRACK").body == ANSWER
    assert alice.told(AnswerReceived)[0].final


def test_reliable_ringing_needs_a_caller_that_knows_it() -> None:
    _, bob, _ = ringing({"reliability": Reliability.OFF})
    with pytest.raises(LocalProtocolError, match="3262"):
        bob.session.ring(0.0, 183, reliable=True)
    with pytest.raises(LocalProtocolError, match="provisional"):
        bob.session.ring(0.0, 200)


def test_early_media_is_a_preview_and_the_200_repeats_it() -> None:
    alice, bob, wire = ringing()
    bob.session.ring(0.0, 183, ANSWER)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert [event[1:3] for event in alice.told(AnswerReceived)] == [("1xx", False), ("2xx", True)]


def test_an_update_with_an_offer_is_answered_by_the_user_and_without_one_by_itself() -> None:
    alice, bob, wire = established()
    number = alice.session.update(0.0, OFFER)
    wire.flush()
    (offer,) = bob.told(OfferReceived)
    with pytest.raises(LocalProtocolError):
        bob.session.respond(0.0, offer.request_id, 200)
    bob.session.respond(0.0, offer.request_id, 200, body=ANSWER)
    wire.flush()
    assert alice.told(AnswerReceived) == [AnswerReceived(ANSWER, "UPDATE", True)]
    assert alice.told(RequestFinished)[0][:2] == (number, "UPDATE")
    alice.session.update(0.0)
    wire.flush()
    assert wire.names()[-2:] == ["A>B UPDATE", "B>A 200 UPDATE"]


def test_a_refused_update_leaves_the_session_as_it_was() -> None:
    alice, bob, wire = established()
    alice.session.update(0.0, OFFER)
    wire.flush()
    bob.session.respond(0.0, bob.told(OfferReceived)[0].request_id, 488)
    wire.flush()
    assert alice.told(RequestFinished)[0].status == 488
    alice.session.update(0.0, OFFER)
    with pytest.raises(LocalProtocolError):
        alice.session.update(0.0, OFFER)


# W5: forking


def test_every_fork_has_a_dialog_and_a_second_200_gets_ack_and_bye() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    tag = bob.session.local_tag.encode()
    fork = edited(wire.raw[0], (tag, b"forked"), (b"user@192.0.2.2", b"carol@192.0.2.3"))
    restart(wire)
    wire.inject(fork, BOB, ALICE)
    assert wire.names() == ["A>? ACK", "A>? BYE"]
    assert wire.last_request("BYE").to_tag == "forked"
    assert [type(event) for event in alice.events] == [ForkEnded]
    wire.inject(fork, BOB, ALICE)
    assert wire.names() == ["A>? ACK", "A>? BYE", "A>? ACK"]
    assert alice.session.state is SessionState.CONFIRMED
    assert alice.session.remote_tag == bob.session.local_tag


def test_the_fork_that_answers_is_the_call_whichever_rang_first() -> None:
    alice, bob, wire = ringing()
    ring = next(data for data in wire.raw if data.startswith(b"SIP/2.0 180"))
    other = edited(ring, (bob.session.local_tag.encode(), b"other"))
    wire.inject(other, BOB, ALICE)
    assert alice.session.remote_tag == bob.session.local_tag
    ok = edited(other, (b"180 Ringing", b"200 OK"), (b"Content-Length: 0\r\n\r\n", b"Content-Length: 5\r\n\r\nv=0\r\n"))
    wire.inject(ok, BOB, ALICE)
    assert alice.session.remote_tag == "other"


def test_each_dialog_of_a_call_counts_once() -> None:
    alice, bob, wire = pair()
    counts = [alice.call("sip:bob@192.0.2.2").sizes.dialogs]
    alice.session.invite(0.0, OFFER)
    counts.append(alice.session.sizes.dialogs)
    wire.flush()
    bob.session.ring(0.0)
    wire.flush()
    counts.append(alice.session.sizes.dialogs)
    ring = next(data for data in wire.raw if data.startswith(b"SIP/2.0 180"))
    wire.inject(edited(ring, (bob.session.local_tag.encode(), b"other")), BOB, ALICE)
    counts.append(alice.session.sizes.dialogs)
    assert counts == [0, 0, 1, 2]
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    wire.finish()
    assert (alice.session.sizes.dialogs, bob.session.sizes.dialogs) == (1, 1), (
        "the fork that did not answer is forgotten in time"
    )


# W6: CANCEL


def test_a_cancel_waits_for_the_first_1xx() -> None:
    alice, _bob, wire = pair(drop=[1])
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    assert alice.session.cancel(0.1)
    wire.run(0.4)
    assert wire.times("A>B", "CANCEL") == []
    wire.run(0.6)
    assert wire.times("A>B", "CANCEL") == [0.5]
    cancel, invite = wire.last_request("CANCEL"), wire.last_request("INVITE")
    assert (cancel.branch, cancel.cseq.number, cancel.uri) == (invite.branch, invite.cseq.number, invite.uri)
    assert cancel.to_tag is None
    assert alice.told(Failed)[0].status == 487


REASON = (("Reason", 'SIP ;cause=200 ;text="Call completed elsewhere"'),)


def test_a_cancel_that_has_waited_carries_its_headers() -> None:
    alice, _bob, wire = pair(drop=[1])
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    alice.session.cancel(0.1, REASON)
    wire.run(0.6)
    assert wire.last_request("CANCEL").headers.get("Reason") == REASON[0][1]


@pytest.mark.parametrize("drop", [[], [1, 2]], ids=["after a 1xx", "without a 1xx"])
def test_the_bye_of_a_call_whose_200_won_the_race_carries_the_headers_of_the_cancel(drop: list[int]) -> None:
    alice, bob, wire = pair(drop=drop)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    alice.session.cancel(0.0, REASON)
    wire.run(2.0)
    assert wire.last_request("BYE").headers.get("Reason") == REASON[0][1], "RFC 3326: why the call ends"
    assert alice.session.state is bob.session.state


def test_a_cancel_without_any_1xx_is_never_sent_and_ends_with_the_invite() -> None:
    alice, _, wire = pair(drop=range(100))
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    assert alice.session.cancel(1.0)
    wire.finish()
    assert wire.times("A>B", "CANCEL") == []
    assert [type(event) for event in alice.events] == [RequestFinished, Failed, Ended]
    assert alice.told(Ended)[0].cause is Cause.CANCELLED


def test_a_cancel_after_the_200_is_answered_and_changes_nothing() -> None:
    _alice, bob, wire = ringing()
    invite = wire.raw[0]
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    cancel = edited(invite, (b"INVITE sip", b"CANCEL sip"), (b"1 INVITE", b"1 CANCEL"))
    wire.inject(cancel, ALICE, BOB)
    assert wire.names()[-1] == "B>A 200 CANCEL"
    assert bob.told(CancelReceived) == []
    assert bob.session.state is SessionState.CONFIRMED


def test_a_cancel_of_another_branch_gets_481() -> None:
    _, bob, wire = ringing()
    invite = wire.raw[0]
    branch = request_of(invite).branch.encode()
    cancel = edited(invite, (b"INVITE sip", b"CANCEL sip"), (b"1 INVITE", b"1 CANCEL"), (branch, b"z9hG4bKforged"))
    wire.inject(cancel, ALICE, BOB)
    assert wire.names()[-1] == "B>A 481 CANCEL"
    assert bob.session.state is SessionState.RINGING


def test_no_answer_to_a_cancelled_invite_ends_64_t1_after_the_cancel() -> None:
    alice, _bob, wire = ringing()
    wire.drop = frozenset(range(3, 1000))
    alice.session.cancel(1.0)
    wire.run(32.9)
    assert alice.told(Ended) == []
    wire.finish()
    assert alice.told(Ended)[0].cause is Cause.CANCELLED


# W7: dialog checks


FORGED = [
    ("wrong To tag", b"To: <sip:bob@192.0.2.2>;tag=%(local)s", b"To: <sip:bob@192.0.2.2>;tag=wrong", 481),
    ("wrong From tag", b";tag=%(remote)s\r\nTo", b";tag=wrong\r\nTo", 481),
]


@pytest.mark.parametrize(("what", "old", "new", "status"), FORGED)
def test_a_bye_with_a_wrong_tag_gets_481_and_leaves_the_call_up(what: str, old: bytes, new: bytes, status: int) -> None:
    _, bob, wire = established()
    names = {b"local": bob.session.local_tag.encode(), b"remote": bob.session.remote_tag.encode()}
    forged = edited(in_dialog(wire, bob, "BYE", 2), (old % names, new))
    bob.session.receive(request_of(forged), ALICE, 0.0)
    wire.flush()
    assert wire.names() == [f"B>A {status} BYE"]
    assert bob.session.state is SessionState.CONFIRMED


def test_a_lower_cseq_gets_500_and_the_same_request_in_another_branch_too() -> None:
    _, bob, wire = established()
    wire.inject(in_dialog(wire, bob, "NOTIFY", 5), ALICE, BOB)
    wire.inject(edited(in_dialog(wire, bob, "NOTIFY", 5), (b"z9hG4bKforged", b"z9hG4bKtwice")), ALICE, BOB)
    wire.inject(in_dialog(wire, bob, "NOTIFY", 4), ALICE, BOB)
    assert wire.names() == ["B>A 200 NOTIFY", "B>A 500 NOTIFY", "B>A 500 NOTIFY"]


@pytest.mark.parametrize("method", ["BYE", "NOTIFY", "UPDATE", "OPTIONS", "INFO", "MESSAGE", "REFER"])
def test_a_request_with_the_number_of_the_one_before_it_is_taken(method: str) -> None:
    _, bob, wire = established()
    extra = "Refer-To: <sip:carol@192.0.2.3>\r\n" if method == "REFER" else ""
    wire.inject(in_dialog(wire, bob, method, 1, extra), ALICE, BOB)
    assert f"B>A 500 {method}" not in wire.names()
    assert bob.events or wire.names() == [f"B>A 200 {method}"]
    wire.inject(in_dialog(wire, bob, method, 0, extra).replace(b"forged", b"older"), ALICE, BOB)
    assert wire.names()[-1] == f"B>A 500 {method}"


def test_a_merged_invite_gets_482() -> None:
    _, _, wire = ringing()
    branch = request_of(wire.raw[0]).branch.encode()
    wire.inject(edited(wire.raw[0], (branch, b"z9hG4bKsecondway")), ALICE, BOB)
    assert wire.names()[-1] == "B>A 482 INVITE"


def test_the_target_moves_with_a_reinvite_on_both_sides() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER, headers=[("Contact", "<sip:moved@192.0.2.3>")])
    wire.flush()
    assert wire.names()[-1] == "A>? ACK"
    assert wire.last_request("ACK").uri == "sip:moved@192.0.2.3"


def test_routes_are_reversed_at_the_caller_and_straight_at_the_called_side() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    alice_invite = alice.session.drain()[0][0].data
    routed = edited(alice_invite, (b"Max-Forwards", b"Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nMax-Forwards"))
    wire.inject(routed, ALICE, BOB)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    ack = wire.last_request("ACK")
    assert ack.headers.values("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    wire.inject(wire.raw[-1], ALICE, BOB)
    restart(wire)
    bob.session.bye(0.0)
    wire.flush()
    assert wire.last_request("BYE").headers.values("Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert bob.session.drain() == ([], [])


def test_a_strict_router_is_served_as_rfc_2543_wants() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    invite = alice.session.drain()[0][0].data
    wire.inject(edited(invite, (b"Max-Forwards", b"Record-Route: <sip:old.example>\r\nMax-Forwards")), ALICE, BOB)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    ack = wire.last_request("ACK")
    assert ack.uri == "sip:old.example"
    assert ack.headers.values("Route") == ["<sip:user@192.0.2.2:5060>"]


# W8: methods and extensions


SCREENED: list[tuple[str, str, bytes, int, str, str]] = [
    ("FOO", "", b"", 501, "Allow", "INVITE"),
    ("SUBSCRIBE", "", b"", 405, "Allow", "INVITE"),
    ("INFO", "Require: foobar\r\n", b"", 420, "Unsupported", "foobar"),
    ("UPDATE", "Content-Type: text/plain\r\n", b"hello", 415, "Accept", "application/sdp"),
    ("OPTIONS", "", b"", 200, "Allow", "INVITE"),
    ("NOTIFY", "Event: presence\r\n", b"", 200, "Contact", "sip:"),
    ("UPDATE", "Supported: timer\r\nSession-Expires: 30\r\n", b"", 422, "Min-SE", "90"),
    ("REFER", "", b"", 400, "To", "tag="),
]


@pytest.mark.parametrize(("method", "extra", "body", "status", "header", "value"), SCREENED)
def test_a_request_in_the_dialog_is_answered_by_the_rules(
    method: str, extra: str, body: bytes, status: int, header: str, value: str
) -> None:
    _, bob, wire = established()
    wire.inject(in_dialog(wire, bob, method, 2, extra, body), ALICE, BOB)
    response = wire.last_response(f"{status} {method}")
    assert value in (response.headers.get(header) or "")
    assert response.to_tag == bob.session.local_tag


def test_an_invite_that_requires_what_we_lack_is_refused_before_anybody_is_told() -> None:
    alice, bob, wire = pair({"reliability": Reliability.REQUIRED}, {"reliability": Reliability.OFF})
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.run(1.0)
    assert [type(event) for event in bob.events] == [Ended]
    assert alice.told(Failed)[0].status == 420
    wire.finish()
    assert bob.session.finished


# W9: glare


def test_reinvites_that_cross_get_491_and_are_repeated_in_their_windows() -> None:
    alice, bob, wire = established()
    wire.delay = 0.05
    for side in (alice, bob):
        side.reacts = accept_reinvites
    alice.session.reinvite(0.0, OFFER)
    bob.session.reinvite(0.0, OFFER)
    wire.run(10.0)
    assert len(wire.times("A>B", "491 INVITE")) == 1
    assert len(wire.times("B>A", "491 INVITE")) == 1
    again_a, again_b = wire.times("A>B", "INVITE")[1], wire.times("B>A", "INVITE")[1]
    assert 0.0 <= again_b - 0.1 <= 2.0
    assert 2.1 <= again_a - 0.1 <= 4.0
    assert [event.reinvite for event in alice.told(Answered)] == [True]
    assert [event.reinvite for event in bob.told(Answered)] == [True]
    assert alice.told(Failed) == bob.told(Failed) == []


def test_local_reinvites_wait_for_their_turn() -> None:
    alice, bob, wire = established()
    bob.reacts = accept_reinvites
    wire.delay = 0.1
    alice.session.reinvite(0.0, OFFER)
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    assert wire.names() == ["A>B INVITE"]
    wire.run(5.0)
    assert wire.times("A>B", "INVITE") == [0.0, 0.2]
    assert len(alice.told(Answered)) == 2
    numbers = [wire.message(n).cseq.number for n, row in enumerate(wire.ladder) if row[2] == "INVITE"]
    assert numbers == [2, 3]


def test_a_second_reinvite_of_the_peer_gets_500_with_retry_after() -> None:
    _, bob, wire = established()
    kind = "Content-Type: application/sdp\r\nContact: <sip:a@192.0.2.1>\r\n"
    wire.inject(in_dialog(wire, bob, "INVITE", 2, kind, OFFER), ALICE, BOB)
    wire.inject(in_dialog(wire, bob, "INVITE", 3, kind, OFFER), ALICE, BOB)
    refused = wire.last_response("500 INVITE")
    assert refused.retry_after is not None
    assert 0 <= refused.retry_after.seconds <= 10


def test_a_rejected_reinvite_leaves_the_call_up() -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 488)
    wire.flush()
    assert [type(event) for event in alice.events][-1] is Failed
    assert alice.told(Failed)[0].reinvite
    assert alice.session.state is bob.session.state is SessionState.CONFIRMED
    assert alice.told(Ended) == []


def reply_to_last(wire: Wire, status: int, *extra: tuple[str, str], body: bytes = b"", tag: str | None = None) -> None:
    """B answers the newest message of A by hand."""
    request = request_of(wire.raw[-1])
    kind = "application/sdp" if body else None
    response = Response.to_request(request, status, to_tag=tag, extra=extra, body=body, content_type=kind)
    wire.inject(response.to_bytes(), BOB, ALICE)


#  12.2.1.2: 481, and 408 or silence where the request keeps the session alive, end it; and a BYE says so
@pytest.mark.parametrize(
    ("method", "status", "ends"),
    [
        ("INVITE", 481, True),
        ("INVITE", 408, True),
        ("UPDATE", 481, True),
        ("UPDATE", 408, True),
        ("INFO", 481, True),
        ("INFO", 408, False),
        ("MESSAGE", 481, True),
        ("MESSAGE", 408, False),
        ("OPTIONS", 481, True),
        ("OPTIONS", 408, False),
        ("REFER", 481, True),
        ("REFER", 408, False),
        ("NOTIFY", 481, False),
        ("NOTIFY", 408, False),
        ("SUBSCRIBE", 481, False),
    ],
)
def test_who_is_told_that_the_dialog_is_gone_hangs_up(method: str, status: int, ends: bool) -> None:
    alice, bob, wire = established()
    wire.sides = {ALICE: alice}  # B answers by hand
    if method == "INVITE":
        alice.session.reinvite(0.0, OFFER)
    elif method == "UPDATE":
        alice.session.update(0.0)
    elif method == "REFER":
        alice.session.refer(0.0, "sip:carol@192.0.2.3")
    else:
        alice.session.request(0.0, method)
    wire.flush()
    reply_to_last(wire, status, tag=bob.session.local_tag)
    assert [event.cause for event in alice.told(Ended)] == [Cause.DIALOG_GONE] * ends
    assert len(wire.times("A>?", "BYE")) == ends
    if ends:
        reply_to_last(wire, 481, tag=bob.session.local_tag)
        wire.finish()
        assert alice.session.finished


@pytest.mark.parametrize("method", ["CANCEL", "PRACK"])
def test_a_481_that_speaks_of_an_invite_or_a_1xx_leaves_the_call_up(method: str) -> None:
    alice, bob, wire = established()
    wire.sides = {ALICE: alice}
    alice.session.reinvite(0.0, OFFER)
    wire.flush()
    reliable = (("Require", "100rel"), ("RSeq", "9")) if method == "PRACK" else ()
    reply_to_last(wire, 180, *reliable, tag=bob.session.local_tag)
    if method == "CANCEL":
        alice.session.cancel(0.0)
        wire.flush()
    assert wire.names()[-1] == f"A>? {method}"
    reply_to_last(wire, 481, tag=bob.session.local_tag)
    assert alice.told(Ended) == []
    assert alice.session.state is SessionState.CONFIRMED


def test_a_reinvite_that_nobody_answers_ends_the_call_with_a_bye() -> None:
    alice, _, wire = established()
    wire.drop = frozenset(range(1000))
    alice.session.reinvite(0.0, OFFER)
    wire.finish()
    assert alice.told(Ended)[0][:2] == (Cause.DIALOG_GONE, By.EXPIRED)
    assert wire.times("A>B", "BYE")[0] == 32.0
    assert alice.session.finished


# W10: a missing answer


def test_a_200_without_the_answer_is_acknowledged_and_hung_up() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    bob.session.accept(0.0, ANSWER)
    ok = bob.session.drain()[0][0].data
    bare = edited(
        ok,
        (b"Content-Type: application/sdp\r\n", b""),
        (ANSWER, b""),
        (f"Length: {len(ANSWER)}".encode(), b"Length: 0"),
    )
    wire.inject(bare, BOB, ALICE)
    assert wire.names() == ["A>B ACK", "A>B BYE", "B>A 200 BYE"]
    assert alice.told(Failed)[0].cause is Cause.BAD_DESCRIPTION


# W11: redirects


@pytest.mark.parametrize(("limit", "calls"), [(0, 1), (5, 2)])
def test_a_redirect_is_followed_by_policy_only(limit: int, calls: int) -> None:
    alice, bob, wire = pair({"redirects": limit})
    carol = Side("C", CAROL, config(CAROL), tokens(77))
    wire.sides[CAROL] = carol
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    contacts = "<sip:last@192.0.2.9>;q=0.1, <sip:carol@192.0.2.3>;q=0.9, <sip:bob@192.0.2.2>;q=1.0"
    bob.session.reject(0.0, 302, headers=[("Contact", contacts)])
    wire.flush()
    assert len([row for row in wire.ladder if row[2] == "INVITE"]) == calls
    if limit:
        assert alice.told(Redirected)[0].target == "sip:carol@192.0.2.3"
        carol.session.accept(0.0, ANSWER)
        wire.flush()
        assert carol.told(Established)
        assert alice.session.call_id == carol.session.call_id
    else:
        assert alice.told(Failed)[0].cause is Cause.REDIRECTED


def test_a_redirect_to_itself_is_not_followed() -> None:
    alice, bob, wire = pair({"redirects": 5})
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 302, headers=[("Contact", "<sip:bob@192.0.2.2>")])
    wire.flush()
    assert len(wire.times("A>B", "INVITE")) == 1
    assert alice.told(Failed)[0].status == 302
