"""A judge that stood still judges nobody: every pause of its own moves the deadlines of all others."""

import pytest

from sipswarm.actors.supervisor.awake_clock import TOLERANCE, AwakeClock

INTERVAL = 0.5


def run(clock: AwakeClock, now: float, seconds: float) -> float:
    """Let it tick in time for so long; the time then."""
    for _ in range(round(seconds / INTERVAL)):
        now += INTERVAL
        assert clock.tick(now) == 0.0
    return now


def test_in_time_it_is_the_clock_of_the_machine() -> None:
    clock = AwakeClock(100.0, INTERVAL)
    now = run(clock, 100.0, 60.0)
    assert clock.time(now) == pytest.approx(60.0)
    assert clock.time(now + 0.2) == pytest.approx(60.2)


@pytest.mark.parametrize("pause", [1.0, 2.0, 4.5, 7.0, 30.0, 86400.0])
@pytest.mark.parametrize("into", [0.0, 0.1, 0.49])
def test_of_a_pause_no_more_counts_than_one_late_tick(pause: float, into: float) -> None:
    """Wherever between two ticks it begins, and whatever is asked of it before the next one."""
    clock = AwakeClock(100.0, INTERVAL)
    now = run(clock, 100.0, 10.0)
    heard = clock.time(now + into)
    now += into + pause
    assert clock.time(now) - heard <= INTERVAL + TOLERANCE
    assert clock.tick(now) == pytest.approx(into + pause - INTERVAL - TOLERANCE)
    assert clock.time(now) - heard <= INTERVAL + TOLERANCE
    before = clock.time(now)
    assert clock.time(run(clock, now, 4.0)) - before == pytest.approx(4.0), "and it goes on as before"


def test_a_process_that_hangs_is_late_although_the_judge_is_late_each_time() -> None:
    """A machine that is so busy that no tick is in time must not keep a hang for ever."""
    clock = AwakeClock(0.0, INTERVAL)
    now, ticks = 0.0, 0
    while clock.time(now) < 5.0:
        now += 1.5
        clock.tick(now)
        ticks += 1
    assert ticks <= 10


def test_it_never_goes_back() -> None:
    clock = AwakeClock(100.0, INTERVAL)
    assert clock.time(99.0) == 0.0
    assert clock.tick(99.0) == 0.0
    assert clock.time(99.0) == 0.0
