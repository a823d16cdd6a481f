"""A call goes on in a session that was made of its record, as if the one before were still there."""

import marshal
from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.events import Cause, Ended, Established, RequestReceived
from sipswarm.sipcore.session.invite_session import InviteSession, SessionState
from sipswarm.sipcore.session.session_record import FIRST_STEP, SessionRecord, has_all
from tests.sipcore.call_wire import (
    ANSWER,
    BOB,
    CAROL,
    OFFER,
    Side,
    Wire,
    accept_reinvites,
    config,
    established,
    in_dialog,
    pair,
    restart,
    ringing,
    tokens,
)

PLAIN = (str, bytes, int, float, bool)
REASON = (("Reason", 'SIP;cause=500;text="worker restarted"'),)


def is_plain(value: object) -> bool:
    return all(map(is_plain, value)) if isinstance(value, tuple) else isinstance(value, PLAIN)


def take_over(side: Side, wire: Wire, **settings: Any) -> InviteSession:
    """Let another process go on with the side's call: everything but the record is gone."""
    old = side.session
    record = old.record()
    assert record is not None
    assert is_plain(record)
    plain: tuple[Any, ...] = tuple(record)
    kept = SessionRecord(*marshal.loads(marshal.dumps(plain)))
    new = InviteSession.restored(kept, config(side.hop, **settings), tokens(77), wire.now)
    side.sessions = [new]
    side.keys = {key: new if session is old else session for key, session in side.keys.items()}
    return new


def state_of(side: Side) -> SessionState:
    return side.session.state


def answer_requests(side: Side, event: Any, now: float) -> None:
    accept_reinvites(side, event, now)
    if isinstance(event, RequestReceived) and event.request_id and side.speaking is not None:
        side.speaking.respond(now, event.request_id, 200)


ACTIONS: list[Callable[[InviteSession, float], object]] = [
    lambda session, now: session.bye(now),
    lambda session, now: session.request(now, "INFO", b"Signal=1", "application/dtmf-relay"),
    lambda session, now: session.reinvite(now, OFFER),
    lambda session, now: session.update(now),
    lambda session, now: session.refer(now, "sip:carol@192.0.2.3", notify=False),
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("lost", ["A", "B", "AB"])
@pytest.mark.parametrize("speaks", ["A", "B"])
def test_a_confirmed_call_goes_on_as_if_nothing_had_happened(
    action: Callable[[InviteSession, float], object], lost: str, speaks: str
) -> None:
    ladders = []
    for restores in (False, True):
        alice, bob, wire = established()
        alice.reacts = bob.reacts = answer_requests
        for side in (alice, bob) if restores else ():
            if side.name in lost:
                take_over(side, wire)
        action((alice if speaks == "A" else bob).session, wire.now)
        wire.run(1.0)
        ladders.append(wire.names())
        for side in (alice, bob):
            if not side.session.ended:
                side.session.bye(wire.now)
                wire.run(2.0)
        assert {each.cause for side in (alice, bob) for each in side.told(Ended)} == {Cause.BYE}
        wire.finish()
        assert alice.session.finished
        assert bob.session.finished
    assert ladders[0] == ladders[1]


def test_the_first_request_leaves_room_for_numbers_of_which_no_note_was_taken() -> None:
    alice, bob, wire = established()
    session = take_over(alice, wire)
    session.request(wire.now, "OPTIONS")
    wire.flush()
    assert wire.last("OPTIONS").cseq.number == 1 + FIRST_STEP
    assert wire.last("200 OPTIONS").cseq.number == 1 + FIRST_STEP
    del bob


def test_identity_route_and_target_are_the_same() -> None:
    requests = []
    for restores in (False, True):
        alice, bob, wire = established()
        if restores:
            take_over(bob, wire)
        bob.session.bye(wire.now)
        wire.flush()
        bye = wire.last("BYE")
        assert isinstance(bye, Request)
        requests.append((bye.uri, bye.headers.get("From"), bye.headers.get("To"), bye.call_id))
        del alice
    assert requests[0] == requests[1]


def test_a_request_that_came_before_is_not_taken_a_second_time() -> None:
    alice, bob, wire = established()
    bob.reacts = answer_requests
    info = in_dialog(wire, bob, "INFO", 5)
    wire.inject(info, alice.hop, bob.hop)
    take_over(bob, wire)
    restart(wire)
    wire.inject(info, alice.hop, bob.hop)
    assert not bob.told(RequestReceived)
    assert wire.names() == ["B>A 500 INFO"]
    wire.inject(in_dialog(wire, bob, "INFO", 6), alice.hop, bob.hop)
    assert len(bob.told(RequestReceived)) == 1


def test_a_bye_with_the_number_of_an_earlier_request_ends_the_call() -> None:
    alice, bob, wire = established()
    take_over(bob, wire)
    wire.inject(in_dialog(wire, bob, "BYE", 1), alice.hop, bob.hop)
    assert bob.session.state is SessionState.TERMINATED


def test_strangers_are_refused_as_before() -> None:
    alice, bob, wire = established()
    take_over(bob, wire)
    wire.inject(in_dialog(wire, bob, "BYE", 9), CAROL, bob.hop)
    assert state_of(bob) is SessionState.CONFIRMED
    assert "B>? 481 BYE" in wire.names()
    del alice


def test_the_2xx_whose_ack_was_lost_is_repeated_until_it_comes_and_makes_no_second_call() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    _, _ = bob.session.drain()  # the process ended before its 2xx was sent
    take_over(bob, wire)
    assert bob.session.state is SessionState.ACCEPTED
    wire.run(1.0)
    assert state_of(bob) is SessionState.CONFIRMED
    assert len(bob.told(Established)) == 1
    assert alice.session.state is SessionState.CONFIRMED
    assert len(bob.sessions) == 1
    alice.session.bye(wire.now)
    wire.finish()
    assert bob.session.finished


def test_a_2xx_that_nobody_acknowledges_ends_the_call_at_its_moment() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    bob.session.drain()
    session = take_over(bob, wire)
    del wire.sides[alice.hop]
    wire.run(31.9)
    assert not bob.told(Ended)
    wire.run(32.1)
    assert [each.cause for each in bob.told(Ended)] == [Cause.NO_ACK]
    assert session.ended


def test_an_ended_call_that_waits_for_the_ack_of_its_2xx_is_hung_up_after_it() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    bob.session.drain()
    bob.session.bye(0.0)
    session = take_over(bob, wire)
    session.hang_up(wire.now, REASON)
    wire.run(1.0)
    bye = wire.last("BYE")
    assert bye.headers.get("Reason") == REASON[0][1]
    assert [each.cause for each in alice.told(Ended)] == [Cause.BYE]


def test_a_ringing_invite_gets_its_final_response_which_is_repeated_until_its_ack() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    session = take_over(bob, wire)
    assert session.state is SessionState.RINGING
    session.hang_up(wire.now, REASON, status=503)
    wire.run(1.0)
    assert wire.names() == ["B>A 503 INVITE", "A>B ACK"]
    assert wire.last("503 INVITE").to_tag == session.local_tag
    assert wire.last("503 INVITE").headers.get("Reason") == REASON[0][1]
    assert alice.session.state is SessionState.TERMINATED
    wire.finish()
    assert session.finished


def test_the_cancel_of_a_ringing_invite_is_still_understood() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    take_over(bob, wire)
    alice.session.cancel(wire.now)
    wire.run(1.0)
    assert wire.names() == ["A>B CANCEL", "B>A 200 CANCEL", "B>A 487 INVITE", "A>B ACK"]


def test_an_invite_of_ours_that_rings_is_cancelled() -> None:
    alice, bob, wire = ringing()
    restart(wire)
    session = take_over(alice, wire)
    session.hang_up(wire.now, REASON)
    wire.run(1.0)
    assert wire.names() == ["A>B CANCEL", "B>A 200 CANCEL", "B>A 487 INVITE", "A>B ACK"]
    assert wire.last("CANCEL").headers.get("Reason") == REASON[0][1]
    assert bob.session.state is SessionState.TERMINATED
    wire.finish()
    assert session.finished


def test_an_invite_of_ours_without_a_response_is_cancelled_when_one_comes() -> None:
    alice, bob, wire = pair(delay=0.5)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.run(0.1)
    session = take_over(alice, wire)
    session.hang_up(wire.now, REASON)
    wire.run(3.0)
    assert "A>B CANCEL" in wire.names()
    assert bob.session.state is SessionState.TERMINATED
    wire.finish()
    assert session.finished


def test_an_invite_of_ours_whose_200_comes_late_gets_ack_and_bye() -> None:
    alice, bob, wire = ringing()
    bob.session.accept(wire.now, ANSWER)
    session = take_over(alice, wire)
    restart(wire)
    session.hang_up(wire.now, REASON)
    session.drain()  # its CANCEL is lost
    wire.run(2.0)
    assert "A>B ACK" in wire.names()
    assert "A>B BYE" in wire.names()
    assert bob.session.state is SessionState.TERMINATED
    wire.finish()
    assert session.finished


def answered_before_its_end(session: InviteSession, wire: Wire) -> None:
    """The 200 comes first; the local user has no offer of its own, and hangs up."""
    wire.run(1.0)
    assert session.state is SessionState.CONFIRMED
    session.hang_up(wire.now)


def answered_before_its_cancel(session: InviteSession, wire: Wire) -> None:
    session.hang_up(wire.now)
    session.drain()  # the CANCEL is lost, the 200 is under way


@pytest.mark.parametrize("crossing", [answered_before_its_end, answered_before_its_cancel])
def test_the_bye_of_an_invite_that_is_answered_before_its_end_has_the_reason(
    crossing: Callable[[InviteSession, Wire], None],
) -> None:
    alice, bob, wire = ringing()
    bob.session.accept(wire.now, ANSWER)
    session = take_over(alice, wire)
    session.core.explain_end(REASON)
    restart(wire)
    crossing(session, wire)
    wire.run(1.0)
    assert wire.last("BYE").headers.get("Reason") == REASON[0][1]
    assert bob.session.state is SessionState.TERMINATED


def test_the_cancel_of_an_invite_that_nobody_answers_has_the_reason() -> None:
    alice, bob, wire = ringing()
    session = take_over(alice, wire)
    session.core.explain_end(REASON)
    session.hang_up(wire.now)
    wire.run(1.0)
    assert wire.last("CANCEL").headers.get("Reason") == REASON[0][1]
    del bob


def test_the_bye_of_a_fork_that_another_process_had_called_has_the_reason() -> None:
    alice, bob, wire = ringing()
    bob.session.accept(wire.now, ANSWER)
    wire.flush()
    session = take_over(alice, wire)
    session.core.explain_end(REASON)
    success, tag = wire.last("200 INVITE").to_bytes(), bob.session.local_tag.encode()
    wire.inject(success.replace(b";tag=" + tag, b";tag=other"), bob.hop, alice.hop)
    assert wire.last("BYE").to_tag == "other"
    assert wire.last("BYE").headers.get("Reason") == REASON[0][1]
    assert session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_bye_that_a_timer_demands_has_the_reason_until_the_call_goes_on(goes_on: bool) -> None:
    settings: dict[str, object] = {"max_call_time": 450.0}
    alice, bob, wire = established(settings)
    session = take_over(alice, wire, **settings)
    session.core.explain_end(REASON)
    if goes_on:
        session.core.explain_end(())
    wire.run(451.0)
    assert wire.last("BYE").headers.get("Reason") == (None if goes_on else REASON[0][1])
    del bob


def test_a_repeated_2xx_of_a_call_that_was_taken_over_is_acknowledged_again() -> None:
    alice, bob, wire = pair(drop=[4])  # the ACK
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert bob.session.state is SessionState.ACCEPTED
    session = take_over(alice, wire)
    wire.run(1.0)
    assert state_of(bob) is SessionState.CONFIRMED
    assert session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("lost", ["A", "B"])
def test_the_session_timer_goes_on_with_its_moments(lost: str) -> None:
    settings = {"session_expires": 200, "refresher": "uac"}
    alice, bob, wire = established(dict(settings), dict(settings))
    alice.reacts = bob.reacts = answer_requests
    wire.run(50.0)
    take_over(alice if lost == "A" else bob, wire, **settings)
    restart(wire)
    wire.run(99.0)
    assert wire.names() == []
    wire.run(101.0)
    assert wire.names()[0] in ("A>B UPDATE", "A>B INVITE")
    wire.run(900.0)
    assert not alice.told(Ended)
    assert not bob.told(Ended)


def test_a_session_that_nobody_refreshes_ends_at_its_moment() -> None:
    settings = {"session_expires": 200, "refresher": "uac"}
    alice, bob, wire = established(dict(settings), dict(settings))
    wire.run(50.0)
    take_over(bob, wire, **settings)
    del wire.sides[alice.hop]
    wire.run(167.0)
    assert not bob.told(Ended)
    wire.run(169.0)
    assert [each.cause for each in bob.told(Ended)] == [Cause.SESSION_EXPIRED]


@pytest.mark.parametrize("action", ACTIONS[1:4])
@pytest.mark.parametrize("speaks", ["A", "B"])
def test_a_record_has_not_all_of_a_call_while_a_request_waits_for_its_final_response(
    action: Callable[[InviteSession, float], object], speaks: str
) -> None:
    alice, bob, wire = established()
    sides = (alice, bob)
    assert [has_all(side.session.core, side.session.parts) for side in sides] == [True, True]
    speaker, other = sides if speaks == "A" else (bob, alice)
    action(speaker.session, wire.now)
    assert not has_all(speaker.session.core, speaker.session.parts)
    other.reacts = answer_requests
    wire.run(1.0)
    assert [has_all(side.session.core, side.session.parts) for side in sides] == [True, True]


@pytest.mark.parametrize("name", ["A", "B"])
def test_it_has_no_reinvite_of_the_peer_that_waits(name: str) -> None:
    alice, bob, wire = established()
    speaker, other = (alice, bob) if name == "A" else (bob, alice)
    speaker.session.reinvite(wire.now, OFFER)
    wire.flush()
    assert not has_all(other.session.core, other.session.parts)
    other.session.accept(wire.now, ANSWER)
    wire.flush()
    assert has_all(other.session.core, other.session.parts)


def test_a_record_has_the_2xx_that_waits_for_its_ack() -> None:
    alice, bob, wire = pair(drop=[2, 3])
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    assert not has_all(bob.session.core, bob.session.parts)
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert bob.session.state is SessionState.ACCEPTED
    assert has_all(bob.session.core, bob.session.parts)


def test_before_the_first_message_and_after_the_end_there_is_no_record() -> None:
    alice, bob, wire = pair()
    session = alice.call("sip:bob@192.0.2.2")
    assert session.record() is None
    session.invite(0.0, OFFER)
    assert session.record() is not None
    wire.flush()
    bob.session.reject(0.0, 486)
    wire.flush()
    assert session.record() is None
    assert bob.session.record() is None
    assert BOB in wire.sides


@pytest.mark.parametrize("lost", ["A", "B", "AB"])
def test_probes_and_the_bound_of_the_age_go_on_with_their_moments(lost: str) -> None:
    settings: dict[str, object] = {"session_expires": 200, "probe_after": 100.0, "max_call_time": 450.0}
    alice, bob, wire = established(settings, {"supported": ()})
    for _ in range(3):
        wire.run(wire.now + 130.0)
        if "A" in lost:
            take_over(alice, wire, **settings)
        if "B" in lost:
            take_over(bob, wire, supported=())
    wire.run(1000.0)
    assert wire.times("A>B", "OPTIONS") == [100.0, 200.0, 300.0, 400.0]
    assert wire.times("A>B", "BYE") == [450.0]
