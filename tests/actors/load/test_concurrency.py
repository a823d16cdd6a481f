"""The most calls that were live at one moment: as a count at every begin finds it, in any order, in little memory."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.load.concurrency import MOST, Concurrency

MOMENTS = st.integers(0, 30).map(lambda tenths: tenths / 10)
CALLS = st.lists(st.tuples(MOMENTS, st.integers(1, 30).map(lambda tenths: tenths / 10)), max_size=40)


def counted(calls: list[tuple[float, float]]) -> int:
    """By looking at each begin at which calls are live then."""
    return max((sum(begun <= at < ended for begun, ended in calls) for at, _ in calls), default=0)


def most_of(calls: list[tuple[float, float]], newest: int = 1024, seconds: float = 0.0) -> int:
    concurrency = Concurrency(newest, seconds)
    for begun, ended in calls:
        concurrency.add(begun, ended)
    return concurrency.most


@pytest.mark.parametrize(
    ("calls", "most"),
    [
        ([], 0),
        ([(1.0, 1.0)], 1),
        ([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], 1),
        ([(0.0, 0.31), (0.32, 0.39), (0.36, 0.5)], 2),
        ([(0.0, 1.0), (2.0, 3.0), (0.5, 4.0)], 2),
        ([(10.0, 11.0), (0.0, 1.0)], 1),
        ([(0.0, 9.0)] * 5, 5),
    ],
)
def test_calls_that_overlap_are_counted(calls: list[tuple[float, float]], most: int) -> None:
    assert most_of(calls) == most


@given(CALLS)
def test_it_is_what_a_count_at_every_begin_finds(durations: list[tuple[float, float]]) -> None:
    calls = [(begun, begun + duration) for begun, duration in durations]
    assert most_of(calls) == counted(calls)
    in_order = sorted(calls, key=lambda call: call[1])
    assert most_of(in_order, newest=0) == counted(calls), "in the order of their ends nothing has to be kept"


@given(CALLS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_it_is_exact_for_calls_that_are_told_late_and_never_too_high(
    durations: list[tuple[float, float]], late: int, random: Random
) -> None:
    calls = sorted(((begun, begun + duration) for begun, duration in durations), key=lambda call: call[1])
    places = {call: number + random.uniform(0, late) for number, call in enumerate(calls)}
    shuffled = sorted(calls, key=lambda call: places[call])
    assert most_of(shuffled, newest=late + 1) <= counted(calls)
    assert most_of(shuffled, newest=len(calls)) == counted(calls)
    assert most_of(shuffled, newest=0, seconds=100.0) == counted(calls)


def test_memory_does_not_grow_with_the_calls() -> None:
    concurrency = Concurrency(newest=100, seconds=20.0)
    for number in range(50_000):
        concurrency.add(number / 10, number / 10 + 2.05)
    assert concurrency.most == 21
    assert len(concurrency._waiting) + len(concurrency._channels) <= 200 + 1 + 21
    for number in range(MOST * 2):
        concurrency.add(5000 + number / 1e6, 5000 + number / 1e6)
    assert len(concurrency._waiting) <= MOST
