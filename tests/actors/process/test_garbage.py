"""When a process collects: cycles are found when no call is up, or when it was never without one for long."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sipswarm.actors.process.garbage import MANY, PASSES, WHOLE_EVERY, YOUNG, Collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def survivors(passes: int) -> list[list[int]]:
    """So many objects that the new ones are looked at so many times."""
    return [[] for _ in range((passes + 1) * (YOUNG + 1))]


@pytest.mark.parametrize(
    ("live", "after", "passes", "collected"),
    [(0, 1.0, PASSES, True), (1, 1.0, PASSES, False), (1, WHOLE_EVERY, PASSES, True), (1, 1.0, MANY, True)],
    ids=["no-call", "a-call", "a-call-for-too-long", "a-call-and-too-much"],
)
def test_an_old_cycle_is_found_when_no_call_waits_or_it_has_been_too_long(
    live: int, after: float, passes: int, collected: bool
) -> None:
    collector = Collector(100.0)
    knot = Knot()
    gone = weakref.ref(knot)
    kept = survivors(passes)  # the knot is old by now
    del knot
    assert collector.heartbeat(live, 100.0 + after) is collected
    assert (gone() is None) is collected
    del kept


def test_what_was_looked_at_while_calls_waited_is_looked_at_again_when_none_does() -> None:
    collector = Collector(0.0)
    knot = Knot()
    gone = weakref.ref(knot)
    kept = survivors(MANY)
    assert collector.heartbeat(1, 1.0)
    del knot
    assert not collector.heartbeat(1, 2.0)
    assert gone() is not None
    assert collector.heartbeat(0, 3.0)
    assert gone() is None
    assert not collector.heartbeat(0, 4.0)
    del kept


def test_a_process_that_made_little_is_left_alone() -> None:
    collector = Collector(0.0)
    assert not collector.heartbeat(0, 10 * WHOLE_EVERY)


def test_new_cycles_are_found_without_a_heartbeat() -> None:
    collector = Collector(0.0)
    gone = weakref.ref(Knot())
    kept = survivors(1)
    assert gone() is None
    del kept, collector
