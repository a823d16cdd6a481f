"""Call flows of RFC 3665 and the races of RFC 5407 as rows: what is done, and the ladder that must result.

A is the caller (192.0.2.1), B the called side (192.0.2.2). Every row's ladder is literal, repetitions included.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from sipswarm.sipcore.session.events import (
    Answered,
    AnswerReceived,
    By,
    ByeCrossed,
    CancelReceived,
    Cause,
    Ended,
    Established,
    Event,
    Failed,
    InviteReceived,
    OfferReceived,
    Provisional,
    ReinviteReceived,
    RequestFinished,
)
from sipswarm.sipcore.session.invite_session import SessionState
from tests.sipcore.call_wire import ANSWER, OFFER, Side, Wire, pair

SET_UP = ["A>B INVITE", "B>A 100 INVITE", "B>A 180 INVITE", "B>A 200 INVITE", "A>B ACK"]

Script = Callable[[Side, Side, Wire], None]


class Flow(NamedTuple):
    """One row."""

    name: str
    script: Script
    ladder: list[str]
    caller: list[type[Event]]
    """Kinds of events that the caller is told."""
    called: list[type[Event]]


def call(alice: Side, wire: Wire, at: float = 0.0) -> None:
    alice.call("sip:bob@192.0.2.2").invite(at, OFFER)
    wire.run(at)


def answer(bob: Side, wire: Wire, at: float) -> None:
    wire.run(at)
    bob.session.accept(at, ANSWER)
    wire.run(at)


#  A                     B
#  | INVITE -----------> |
#  | <----------- 100    |
#  | <----------- 180    |
#  | <----------- 200    |
#  | ACK --------------> |
#  | <=== media =======> |
#  | <----------- BYE    |
#  | 200 --------------> |
def successful(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    bob.session.ring(0.1)
    answer(bob, wire, 0.2)
    bob.session.bye(5.0)
    wire.run(6.0)


#  A                     B
#  | INVITE -----------> |
#  | <----- 100, 180     |
#  | CANCEL -----------> |
#  | <------ 200 CANCEL  |
#  | <------ 487 INVITE  |
#  | ACK --------------> |
def no_answer(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    bob.session.ring(0.1)
    wire.run(1.0)
    assert alice.session.cancel(1.0)
    assert not alice.session.cancel(1.0)
    wire.run(2.0)


#  A                     B
#  | INVITE -----------> |
#  | <----- 100, 486     |
#  | ACK --------------> |
def busy(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    bob.session.reject(0.1)
    wire.run(2.0)


#  A                     B
#  | INVITE ------ x     |   0 s, lost
#  | INVITE -----------> |   0.5 s
#  | <------ 100, 200    |
#  | ACK -------- x      |   lost
#  | <----------- 200    |   1 s
#  | ACK --------------> |
def lossy_answer(alice: Side, bob: Side, wire: Wire) -> None:
    wire.drop = frozenset((0, 4))
    call(alice, wire)
    answer(bob, wire, 0.5)
    wire.run(2.0)


#  A                     B
#  | INVITE -----------> |
#  | <----------- 100    |
#  | CANCEL ->  <- 200   |   crossing: the 200 wins, the CANCEL comes too late
#  | ACK --------------> |
#  | BYE --------------> |
#  | <------ 200 CANCEL  |
#  | <------ 200 BYE     |
def cancel_crosses_200(alice: Side, bob: Side, wire: Wire) -> None:
    wire.delay = 0.1
    call(alice, wire)
    wire.run(0.5)
    bob.session.accept(0.5, ANSWER)
    alice.session.cancel(0.5)
    wire.run(2.0)


#  A                     B   RFC 5407 3.1.1: the ACK is lost and the BYE comes first
#  | INVITE -----------> |
#  | <------ 100, 200    |
#  | ACK -------- x      |
#  | BYE --------------> |
#  | <----------- 200    |
def bye_overtakes_ack(alice: Side, bob: Side, wire: Wire) -> None:
    wire.drop = frozenset((3,))
    call(alice, wire)
    answer(bob, wire, 0.1)
    alice.session.bye(0.2)
    wire.run(5.0)


#  A                     B   both hang up at once
#  | BYE --->   <--- BYE |
#  | 200 --->   <--- 200 |
def byes_cross(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    answer(bob, wire, 0.1)
    wire.delay = 0.1
    alice.session.bye(1.0)
    bob.session.bye(1.0)
    wire.run(3.0)


#  A                     B   our 200 is never acknowledged
#  | INVITE -----------> |
#  | <------ 100, 200    |
#  | ACK -------- x      |   and so on for 32 s
#  | <----------- BYE    |   32.1 s
def never_acknowledged(alice: Side, bob: Side, wire: Wire) -> None:
    wire.drop = frozenset(range(3, 100, 2))
    call(alice, wire)
    answer(bob, wire, 0.1)
    wire.run(31.6)
    wire.drop = frozenset()
    wire.ladder.clear()
    wire.run(33.0)


#  A                     B   RFC 5407 3.1.2: the called side hangs up before the ACK: the BYE waits
#  | INVITE -----------> |
#  | <------ 100, 200    |
#  | ACK -------- x      |
#  |     (bye)           |
#  | <----------- 200    |
#  | ACK --------------> |
#  | <----------- BYE    |
def bye_waits_for_ack(alice: Side, bob: Side, wire: Wire) -> None:
    wire.drop = frozenset((3,))
    call(alice, wire)
    answer(bob, wire, 0.1)
    assert bob.session.bye(0.2) == 0
    assert bob.session.bye(0.3) == 0
    wire.run(2.0)


#  A                     B   delayed offer
#  | INVITE -----------> |
#  | <------ 100, 200 o  |
#  | ACK a ------------> |
def delayed_offer(alice: Side, bob: Side, wire: Wire) -> None:
    alice.call("sip:bob@192.0.2.2").invite(0.0)
    wire.run(0.1)
    bob.session.accept(0.1, OFFER)
    wire.run(0.2)
    alice.session.ack(0.2, ANSWER)
    wire.run(0.3)


#  A                     B   RFC 3262: offer, answer in the reliable 183
#  | INVITE o ---------> |
#  | <----- 100, 183 a   |
#  | PRACK ------------> |
#  | <----- 200 PRACK    |
#  | <----- 200 INVITE   |
#  | ACK --------------> |
def reliable(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    bob.session.ring(0.1, 183, ANSWER, reliable=True)
    bob.session.accept(0.1)
    wire.run(2.0)


#  A                     B   RFC 3262 section 5: offer in the 183, answer in the PRACK
def offer_in_reliable(alice: Side, bob: Side, wire: Wire) -> None:
    alice.call("sip:bob@192.0.2.2").invite(0.0)
    wire.run(0.1)
    bob.session.ring(0.1, 183, OFFER, reliable=True)
    wire.run(0.2)
    alice.session.prack(0.2, ANSWER)
    wire.run(0.3)
    bob.session.accept(0.3)
    wire.run(2.0)


#  A                     B   RFC 3665 3.7
#  | INVITE o ---------> |
#  | <----- 100, 200 a   |
#  | ACK --------------> |
def reinvited(alice: Side, bob: Side, wire: Wire) -> None:
    call(alice, wire)
    answer(bob, wire, 0.1)
    alice.session.reinvite(1.0, OFFER)
    wire.run(1.0)
    bob.session.accept(1.1, ANSWER)
    wire.run(2.0)


FLOWS = [
    Flow(
        "RFC 3665 3.1 successful session",
        successful,
        [*SET_UP, "B>A BYE", "A>B 200 BYE"],
        [Provisional, Provisional, Answered, AnswerReceived, Ended],
        [InviteReceived, Established, Ended, RequestFinished],
    ),
    Flow(
        "RFC 3665 3.8 no answer",
        no_answer,
        [*SET_UP[:3], "A>B CANCEL", "B>A 200 CANCEL", "B>A 487 INVITE", "A>B ACK"],
        [Provisional, Provisional, RequestFinished, Failed, Ended],
        [InviteReceived, CancelReceived, Ended],
    ),
    Flow(
        "RFC 3665 3.9 busy",
        busy,
        ["A>B INVITE", "B>A 100 INVITE", "B>A 486 INVITE", "A>B ACK"],
        [Provisional, Failed, Ended],
        [InviteReceived, Ended],
    ),
    Flow(
        "lost INVITE and lost ACK",
        lossy_answer,
        ["A>B INVITE", "A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK", "B>A 200 INVITE", "A>B ACK"],
        [Provisional, Answered, AnswerReceived],
        [InviteReceived, Established],
    ),
    Flow(
        "RFC 5407 2.3 CANCEL crosses 200",
        cancel_crosses_200,
        [
            *("A>B INVITE", "B>A 100 INVITE", "A>B CANCEL", "B>A 200 INVITE", "B>A 200 CANCEL", "A>B ACK"),
            *("A>B BYE", "B>A 200 BYE"),
        ],
        [Provisional, Failed, Ended, RequestFinished, RequestFinished],
        [InviteReceived, Established, Ended],
    ),
    Flow(
        "RFC 5407 3.1.4 BYE overtakes the ACK",
        bye_overtakes_ack,
        ["A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK", "A>B BYE", "B>A 200 BYE"],
        [Provisional, Answered, AnswerReceived, Ended, RequestFinished],
        [InviteReceived, Ended],
    ),
    Flow(
        "RFC 5407 3.2.2 BYEs cross",
        byes_cross,
        [
            *("A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK"),
            *("A>B BYE", "B>A BYE", "B>A 200 BYE", "A>B 200 BYE"),
        ],
        [Provisional, Answered, AnswerReceived, Ended, ByeCrossed, RequestFinished],
        [InviteReceived, Established, Ended, ByeCrossed, RequestFinished],
    ),
    Flow(
        "W2 a 200 that nobody acknowledges",
        never_acknowledged,
        ["B>A BYE", "A>B 200 BYE"],
        [Provisional, Answered, AnswerReceived, Ended],
        [InviteReceived, Ended, RequestFinished],
    ),
    Flow(
        "RFC 5407 3.1.3 the called side's BYE waits for the ACK",
        bye_waits_for_ack,
        [
            *("A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK", "B>A 200 INVITE", "A>B ACK"),
            *("B>A BYE", "A>B 200 BYE"),
        ],
        [Provisional, Answered, AnswerReceived, Ended],
        [InviteReceived, Ended, RequestFinished],
    ),
    Flow(
        "C3 delayed offer",
        delayed_offer,
        ["A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK"],
        [Provisional, Answered, OfferReceived],
        [InviteReceived, Established, AnswerReceived],
    ),
    Flow(
        "RFC 3262 answer in a reliable 183; the 200 waits for the PRACK",
        reliable,
        [
            *("A>B INVITE", "B>A 100 INVITE", "B>A 183 INVITE", "A>B PRACK", "B>A 200 PRACK", "B>A 200 INVITE"),
            "A>B ACK",
        ],
        [Provisional, Provisional, AnswerReceived, Answered],
        [InviteReceived, Established],
    ),
    Flow(
        "RFC 3262 offer in a reliable 183, answer in the PRACK",
        offer_in_reliable,
        [
            *("A>B INVITE", "B>A 100 INVITE", "B>A 183 INVITE", "A>B PRACK", "B>A 200 PRACK", "B>A 200 INVITE"),
            "A>B ACK",
        ],
        [Provisional, Provisional, OfferReceived, RequestFinished, Answered],
        [InviteReceived, AnswerReceived, Established],
    ),
    Flow(
        "RFC 3665 3.7 re-INVITE",
        reinvited,
        [
            *("A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK"),
            *("A>B INVITE", "B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK"),
        ],
        [Provisional, Answered, AnswerReceived, Provisional, Answered, AnswerReceived],
        [InviteReceived, Established, ReinviteReceived, Established],
    ),
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_a_flow_has_its_ladder_and_tells_its_events(flow: Flow) -> None:
    alice, bob, wire = pair()
    flow.script(alice, bob, wire)
    assert wire.names() == flow.ladder
    assert [type(event) for event in alice.events] == flow.caller
    assert [type(event) for event in bob.events] == flow.called
    for session in (*alice.sessions, *bob.sessions):
        session.hang_up(wire.now)
    wire.finish()
    assert all(session.finished for session in (*alice.sessions, *bob.sessions))


ENDS = [
    (successful, (Cause.BYE, By.REMOTE), (Cause.BYE, By.LOCAL)),
    (no_answer, (Cause.CANCELLED, By.LOCAL), (Cause.CANCELLED, By.REMOTE)),
    (busy, (Cause.REJECTED, By.REMOTE), (Cause.REJECTED, By.LOCAL)),
    (cancel_crosses_200, (Cause.CANCELLED, By.LOCAL), (Cause.BYE, By.REMOTE)),
    (never_acknowledged, (Cause.BYE, By.REMOTE), (Cause.NO_ACK, By.EXPIRED)),
]


@pytest.mark.parametrize(("script", "caller", "called"), ENDS)
def test_each_side_is_told_once_why_and_by_whom_the_call_ended(
    script: Script, caller: tuple[Cause, By], called: tuple[Cause, By]
) -> None:
    alice, bob, wire = pair()
    script(alice, bob, wire)
    assert [event[:2] for event in alice.told(Ended)] == [caller]
    assert [event[:2] for event in bob.told(Ended)] == [called]


def test_an_invite_is_sent_seven_times_and_ends_as_408_at_32_s() -> None:
    alice, _, wire = pair(drop=range(100))
    call(alice, wire)
    wire.finish()
    assert wire.times("A>B", "INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    (failed,) = alice.told(Failed)
    assert (failed.status, failed.cause, failed.response) == (408, Cause.TIMEOUT, None)
    assert wire.now >= 32.0
    assert alice.session.timeouts == 1
    assert alice.session.retransmissions == 6


def test_a_bye_is_sent_eleven_times_and_ends_at_32_s() -> None:
    alice, bob, wire = pair()
    call(alice, wire)
    answer(bob, wire, 0.0)
    wire.drop = frozenset(range(100))
    alice.session.bye(0.0)
    wire.finish()
    assert wire.times("A>B", "BYE") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    (finished,) = alice.told(RequestFinished)
    assert (finished.method, finished.status, finished.response) == ("BYE", 408, None)


def test_a_200_is_repeated_from_t1_to_t2_until_its_ack() -> None:
    alice, bob, wire = pair()
    call(alice, wire)
    wire.drop = frozenset(range(2, 1000))
    answer(bob, wire, 0.0)
    wire.run(31.9)
    expected = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert wire.times("B>A", "200 INVITE") == expected
    assert bob.session.state is SessionState.ACCEPTED


def test_ringing_for_ever_is_cancelled_after_the_ring_timeout() -> None:
    alice, bob, wire = pair({"ring_timeout": 2.0})
    call(alice, wire)
    bob.session.ring(0.1)
    wire.run(40.0)
    assert wire.times("A>B", "CANCEL") == [2.0]
    assert alice.told(Ended)[0][:2] == (Cause.NO_ANSWER, By.EXPIRED)
    assert alice.told(Failed)[0].status == 487
