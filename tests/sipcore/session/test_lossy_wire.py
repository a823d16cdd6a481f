"""Two engines over a wire that loses messages: 20 % each way, at least 99.9 % of 20,000 calls end properly.

The seeds are fixed, so every run sees the same losses (99.995 % when this was written; RFC 3261's own timers give
99.99 %). ``python -m tests.sipcore.test_lossy_wire 200000`` plays more.
"""

import sys

import pytest

from sipswarm.sipcore.session.events import Answered, Cause, Ended, Established, Event
from sipswarm.sipcore.session.invite_session import SessionState
from tests.sipcore.call_wire import ANSWER, OFFER, Side, pair

T1 = 0.5


def called_side(side: Side, event: Event, now: float) -> None:
    """Answers every call after ringing."""
    if type(event).__name__ == "InviteReceived":
        assert side.speaking is not None
        side.speaking.ring(now)
        side.speaking.accept(now, ANSWER)


def play(seed: int, loss: float) -> tuple[str, float]:
    """One call: set up, held for 1 s, hung up by the caller. Returns what became of it and how long it took."""
    alice, bob, wire = pair(seed=seed, loss=loss, delay=0.01)
    bob.reacts = called_side
    session = alice.call("sip:bob@192.0.2.2")
    session.invite(0.0, OFFER)
    wire.run(40.0)
    up = bool(alice.told(Answered)) and bool(bob.told(Established))
    if session.state is SessionState.CONFIRMED:
        session.bye(wire.now)
    wire.finish()
    for each in (session, *bob.sessions):
        assert each.finished, (seed, each.state)
        assert each.deadline is None
    first: dict[bytes, float] = {}
    for (when, _, _), data in zip(wire.ladder, wire.raw, strict=True):
        first.setdefault(data, when)
    # Every call is quiet within 2*64*T1 + 1 s of its last new message.
    assert wire.ladder[-1][0] <= max(first.values()) + 2 * 64 * T1 + 1.0, seed
    last = wire.ladder[-1][0]
    both = [event.cause for side in (alice, bob) for event in side.told(Ended)]
    assert len(both) == 1 + len(bob.sessions), seed
    return ("good" if up and both == [Cause.BYE, Cause.BYE] else "lost"), last


def ratio(calls: int, loss: float) -> float:
    """Share of the calls that were set up and ended by BYE on both sides."""
    good = sum(play(seed, loss)[0] == "good" for seed in range(calls))
    return good / calls


def test_without_loss_every_call_is_good() -> None:
    assert ratio(20, 0.0) == 1.0


@pytest.mark.timeout(300)
def test_at_20_percent_loss_each_way_999_of_1000_calls_end_properly() -> None:
    assert ratio(20_000, 0.2) >= 0.999


@pytest.mark.parametrize("seed", range(40))
def test_at_half_loss_every_call_still_comes_to_an_end_within_its_bounds(seed: int) -> None:
    # 32 s for the INVITE, hung up at 40 s, 32 s for the BYE, and the last repetition of a response.
    _, last = play(seed, 0.5)
    assert last <= 40.0 + 2 * 64 * T1 + 1.0


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    sys.stdout.write(f"{count} calls at 20 % loss each way: {100 * ratio(count, 0.2):.3f} % good\n")
