"""The rest of an ended call does what its session would have done: the same octets at the same times, until the end."""

from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.ended_session import EndedSession, rest_of
from sipswarm.sipcore.session.invite_session import InviteSession, SessionState
from tests.sipcore.call_wire import ALICE, ANSWER, BOB, OFFER, Side, Wire, accept_reinvites, pair, response_of

Ending = Callable[[Side, Side, Wire], None]


def rest(session: InviteSession) -> EndedSession | None:
    """What takes the place of a session."""
    return rest_of(session.core, session.parts)


def answered(alice: Side, bob: Side, wire: Wire) -> None:
    bob.session.accept(0.0, ANSWER)
    wire.flush()


def caller_hangs_up(alice: Side, bob: Side, wire: Wire) -> None:
    answered(alice, bob, wire)
    alice.session.bye(0.0)


def callee_hangs_up(alice: Side, bob: Side, wire: Wire) -> None:
    answered(alice, bob, wire)
    bob.session.bye(0.0)


def refused(alice: Side, bob: Side, wire: Wire) -> None:
    bob.session.reject(0.0, 486)


def refused_and_ack_lost(alice: Side, bob: Side, wire: Wire) -> None:
    wire.drop = frozenset([wire.sent + 1])
    bob.session.reject(0.0, 486)


def cancelled(alice: Side, bob: Side, wire: Wire) -> None:
    alice.session.cancel(0.0)


def changed_and_hung_up(alice: Side, bob: Side, wire: Wire) -> None:
    answered(alice, bob, wire)
    bob.reacts = accept_reinvites
    alice.session.reinvite(0.0, OFFER)
    alice.session.request(0.0, "OPTIONS")
    wire.flush()
    alice.session.bye(0.0)


ENDINGS: list[Ending] = [
    caller_hangs_up,
    callee_hangs_up,
    refused,
    refused_and_ack_lost,
    cancelled,
    changed_and_hung_up,
]


def ended(ending: Ending) -> tuple[Side, Side, Wire]:
    """A call that rang and is over at time 0; the ladder has all of it."""
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0)
    wire.flush()
    ending(alice, bob, wire)
    wire.flush()
    return alice, bob, wire


class Run:
    """One side of an ended call, to which all that it received comes again and again; `sent` is what leaves it.

    Args:
        whole: the session stays; else its rest takes its place.
    """

    def __init__(self, ending: Ending, name: str, *, whole: bool) -> None:
        alice, bob, wire = ended(ending)
        self.side = alice if name == "A" else bob
        self.source = BOB if name == "A" else ALICE
        session = self.side.session
        self.came = [
            data
            for (_, way, _), data in zip(wire.ladder, wire.raw, strict=True)
            if way == f"{'BA'[name == 'B']}>{name}"
        ]
        left = session if whole else rest(session)
        assert left is not None
        assert session.finished is not whole
        self.engine: InviteSession | EndedSession = left
        self.sent: list[tuple[float, bytes]] = []
        self.ended_at = -1.0

    def drain(self, now: float) -> None:
        out: Any = self.engine.drain()
        transmits = out[0] if isinstance(self.engine, InviteSession) else out
        self.sent += [(now, transmit.data) for transmit in transmits]
        if self.engine.finished and self.ended_at < 0:
            self.ended_at = now

    def until(self, now: float) -> None:
        """Let timers fire."""
        while (due := self.engine.deadline) is not None and due <= now:
            self.engine.handle_timer(due)
            self.drain(due)

    def repeat(self, now: float) -> None:
        """All messages come once more."""
        self.until(now)
        for data in self.came:
            self.engine.receive(parse(data), self.source, now)
            self.drain(now)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", ["A", "B"])
def test_what_comes_again_gets_the_same_octets_as_from_the_session(ending: Ending, name: str) -> None:
    runs = [Run(ending, name, whole=whole) for whole in (True, False)]
    for run in runs:
        for now in (0.2, 3.0, 10.0, 31.0):
            run.repeat(now)
        run.until(1000.0)
    whole, rest = runs
    assert rest.sent == whole.sent
    assert 0 < rest.ended_at <= whole.ended_at  # the session keeps a state for an INVITE that comes after timer I
    of_whole, of_rest = whole.side.config.counts, rest.side.config.counts
    assert of_rest.sent_again == of_whole.sent_again
    assert of_rest.received_again == of_whole.received_again
    assert of_rest.timeouts == of_whole.timeouts


def test_these_repetitions_have_answers_and_end_by_timers() -> None:
    """The comparison above is of something: each side of each call sends again, and the failure repeats by timer G."""
    for ending in ENDINGS:
        for name in ("A", "B"):
            run = Run(ending, name, whole=False)
            run.repeat(0.2)
            # A callee that has hung up or refused, and has the answer to that, absorbs the INVITE.
            assert bool(run.sent) is (name == "A" or ending not in (callee_hangs_up, refused)), (ending, name)
    silent = Run(refused_and_ack_lost, "B", whole=False)
    silent.until(1000.0)
    assert [at for at, _ in silent.sent][:4] == [0.5, 1.5, 3.5, 7.5]
    assert silent.side.config.counts.timeouts["H"] == 1


def test_a_new_request_gets_an_answer_without_state() -> None:
    _alice, bob, wire = ended(caller_hangs_up)
    bye = next(data for data in wire.raw if data.startswith(b"BYE"))
    invite = next(data for data in wire.raw if data.startswith(b"INVITE"))
    left = rest(bob.session)
    assert left is not None
    before = left.transactions

    def status(data: bytes, *changes: tuple[bytes, bytes]) -> list[int]:
        for old, new in ((b"branch=z9hG4bK", b"branch=z9hG4bKnew"), *changes):
            assert old in data
            data = data.replace(old, new)
        message = parse(data)
        assert left.is_for(message)
        left.receive(message, ALICE, 1.0)
        return [response_of(each.data).status for each in left.drain()]

    assert status(bye) == [200], "it crosses"
    assert status(bye, (b"BYE ", b"INFO "), (b" BYE", b" INFO")) == [481]
    assert status(bye, (b";tag=" + left.local_tag.encode(), b";tag=other")) == [481]
    assert status(bye, (b"BYE ", b"ACK "), (b" BYE", b" ACK")) == []
    assert status(invite) == [482]
    assert status(invite, (b"INVITE ", b"CANCEL "), (b" INVITE", b" CANCEL")) == [481]
    assert left.transactions == before


def test_a_2xx_of_a_further_fork_is_for_somebody_else() -> None:
    alice, _bob, wire = ended(caller_hangs_up)
    success = wire.last_response("200 INVITE").to_bytes()
    left = rest(alice.session)
    assert left is not None
    assert left.is_for(parse(success))
    left.receive(parse(success), BOB, 1.0)
    (ack,) = left.drain()
    assert ack.data.startswith(b"ACK ")
    other = success.replace(b";tag=" + left.remote_tag.encode(), b";tag=fork")
    assert not left.is_for(parse(other))
    unknown = success.replace(b"branch=z9hG4bK", b"branch=z9hG4bKold")
    assert not left.is_for(parse(unknown))
    for data in (other, unknown, unknown.replace(b" 200 OK", b" 500 Error", 1)):
        left.receive(parse(data), BOB, 1.0)
    assert left.drain() == []


def test_an_invite_that_would_replace_the_call_is_declined() -> None:
    alice, _bob, _wire = ended(caller_hangs_up)
    left = rest(alice.session)
    assert left is not None
    assert left.may_be_replaced(Replaces(left.call_id, left.local_tag, left.remote_tag)) == 603
    assert left.may_be_replaced(Replaces(left.call_id, left.local_tag, "other")) == 481


def test_a_session_that_still_waits_for_something_has_no_rest() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    assert rest(alice.session) is rest(bob.session) is None, "the INVITE has no final response"
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert rest(alice.session) is rest(bob.session) is None, "the call is up"
    wire.drop = frozenset(range(10_000))
    alice.session.bye(0.0)
    wire.flush()
    assert alice.session.ended
    assert rest(alice.session) is None, "the BYE has no final response"

    alice, bob, wire = ended(refused_and_ack_lost)
    assert (rest(alice.session) is None, rest(bob.session) is None) == (False, False)

    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 401, headers=(("WWW-Authenticate", 'Digest realm="r", nonce="n"'),))
    wire.flush()
    assert alice.session.state is SessionState.TERMINATED
    assert rest(alice.session) is None, "the user may place it again with credentials"


def test_a_transfer_that_is_still_reported_keeps_its_session() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    answered(alice, bob, wire)
    request_id = alice.session.refer(0.0, "sip:carol@192.0.2.3")
    wire.flush()
    assert request_id
    bob.session.accept_transfer(0.0, next(each.request_id for each in bob.session.core.requests.servers[::-1]))
    wire.flush()
    alice.session.bye(0.0)
    wire.flush()
    assert alice.session.state is SessionState.TERMINATED
    assert rest(alice.session) is None
