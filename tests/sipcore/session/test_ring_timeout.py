"""The ring timeout bounds what the caller's user waits for; the INVITE transaction ends by itself (RFC 3261 9.1)."""

import pytest

from sipswarm.sipcore.session.events import By, Cause, Ended, Failed
from sipswarm.sipcore.session.invite_session import SessionState
from tests.sipcore.call_wire import ANSWER, OFFER, Side, Wire, pair

RING_TIMEOUT = 2.0
FIRST_HEARD = 3.5
"""when the first INVITE reaches the called side: those of 0, 0.5 and 1.5 s are lost"""


def calling(drop: set[int]) -> tuple[Side, Side, Wire]:
    alice, bob, wire = pair({"ring_timeout": RING_TIMEOUT}, drop=drop)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    return alice, bob, wire


def assert_told_once(alice: Side) -> None:
    assert [each[:2] for each in alice.told(Ended)] == [(Cause.NO_ANSWER, By.EXPIRED)]
    assert [each.cause for each in alice.told(Failed)] == [Cause.NO_ANSWER]


def test_without_any_response_the_call_ends_at_the_ring_timeout_and_the_transaction_at_timer_b() -> None:
    alice, _, wire = calling(set(range(1000)))
    wire.run(RING_TIMEOUT - 0.1)
    assert alice.told(Ended) == []
    wire.run(RING_TIMEOUT)
    assert_told_once(alice)
    assert alice.told(Failed)[0].status == 408
    wire.run(31.9)
    assert alice.session.state is SessionState.TERMINATING
    assert wire.times("A>B", "INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    wire.finish()
    assert wire.times("A>B", "CANCEL") == []
    assert alice.session.finished
    assert alice.session.deadline is None
    assert_told_once(alice)


def test_a_late_1xx_gets_the_cancel() -> None:
    alice, bob, wire = calling({0, 1, 2})
    wire.run(FIRST_HEARD - 0.1)
    assert_told_once(alice)
    wire.run(FIRST_HEARD)
    assert wire.names()[3:] == [
        *("A>B INVITE", "B>A 100 INVITE", "A>B CANCEL", "B>A 200 CANCEL", "B>A 487 INVITE", "A>B ACK"),
    ]
    assert bob.told(Ended)[0].cause is Cause.CANCELLED
    wire.finish()
    assert_told_once(alice)
    assert alice.session.finished


def test_a_late_200_gets_its_ack_and_a_bye() -> None:
    alice, bob, wire = calling({0, 1, 2, 4})
    wire.run(FIRST_HEARD)
    bob.session.accept(FIRST_HEARD, ANSWER)
    wire.run(FIRST_HEARD + 0.1)
    assert wire.names()[4:] == ["B>A 100 INVITE", "B>A 200 INVITE", "A>B ACK", "A>B BYE", "B>A 200 BYE"]
    assert bob.told(Ended)[0][:2] == (Cause.BYE, By.REMOTE)
    wire.finish()
    assert_told_once(alice)
    assert alice.session.finished


@pytest.mark.parametrize("status", [302, 401, 422, 486, 491, 503, 603])
def test_a_late_refusal_gets_its_ack_and_nothing_else(status: int) -> None:
    alice, bob, wire = calling({0, 1, 2, 4})
    wire.run(FIRST_HEARD)
    bob.session.reject(FIRST_HEARD, status)
    wire.run(FIRST_HEARD + 0.1)
    assert wire.names()[4:] == ["B>A 100 INVITE", f"B>A {status} INVITE", "A>B ACK"]
    wire.finish()
    assert_told_once(alice)
    assert alice.session.finished


def test_a_peer_that_rings_and_answers_no_cancel_costs_t1_more() -> None:
    alice, bob, wire = calling(set())
    bob.session.ring(0.1)
    wire.run(1.0)
    wire.drop = frozenset(range(wire.sent, 1000))
    wire.run(RING_TIMEOUT + 0.4)
    assert wire.times("A>B", "CANCEL")[0] == RING_TIMEOUT
    assert alice.told(Ended) == []
    wire.run(RING_TIMEOUT + 0.5)
    assert_told_once(alice)
    assert alice.session.state is SessionState.TERMINATING
    assert alice.session.ending
    wire.finish()
    assert_told_once(alice)
    assert alice.session.finished


def test_a_peer_that_rings_again_and_again_does_not_move_the_ring_timeout() -> None:
    alice, bob, wire = calling(set())
    for tenth in range(1, 60):
        if not bob.told(Ended):
            bob.session.ring(tenth / 10, 183 if tenth % 2 else 180)
        wire.run(tenth / 10)
    assert wire.times("A>B", "CANCEL") == [RING_TIMEOUT]
    assert_told_once(alice)
    assert alice.told(Failed)[0].status == 487


def test_the_200_that_crosses_the_cancel_is_hung_up() -> None:
    alice, bob, wire = calling(set())
    bob.session.ring(0.1)
    wire.run(RING_TIMEOUT - 0.05)
    wire.delay = 0.1
    bob.session.accept(RING_TIMEOUT - 0.05, ANSWER)
    wire.run(RING_TIMEOUT + 1.0)
    assert_told_once(alice)
    assert bob.told(Ended)[0][:2] == (Cause.BYE, By.REMOTE)
    wire.finish()
    assert alice.session.finished
