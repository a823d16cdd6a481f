"""Admission by the loop's own lateness, with a loop, callers and user code in simulated time."""

import pytest

from sipswarm.actors.call_worker.loop_load import PROBE, LoopLoad


class Loop:
    """A loop in which each new call blocks for a while, and a timer that fires after it."""

    def __init__(self, cost: float) -> None:
        self.load = LoopLoad()
        self.cost = cost
        self.now = 0.0
        self.due = PROBE
        self.taken = 0
        self.refused = 0
        self.latest = 0.0

    def run(self, seconds: float, rate: float) -> None:
        """Offer calls at a rate; those that come while the loop is blocked wait for its next turn."""
        until = self.now + seconds
        arrival = self.now
        while self.now < until:
            self.now = max(self.now, min(self.due, arrival))
            if self.now >= self.due:
                late = self.now - self.due
                self.latest = max(self.latest, late)
                self.load.turn(late, self.now)
                self.due = self.now + PROBE
            blocked = 0.0
            while arrival <= self.now:
                arrival += 1.0 / rate
                if self.load.admits():
                    self.taken += 1
                    blocked += self.cost
                else:
                    self.refused += 1
            self.now += blocked


@pytest.mark.parametrize("overload", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("cost", [0.02, 0.1])
def test_user_code_that_blocks_leaves_the_loop_its_turns_under_overload(cost: float, overload: float) -> None:
    loop = Loop(cost)
    loop.run(60.0, overload / cost)
    assert loop.refused > 0
    assert loop.latest <= 2.5  # of the 5 s of a hang
    assert loop.taken >= 0.5 * 60.0 / cost  # and it goes on to take what it can


@pytest.mark.parametrize("cost", [0.0, 0.0005, 0.01])
def test_a_loop_with_time_left_refuses_nothing(cost: float) -> None:
    loop = Loop(cost)
    loop.run(10.0, 0.5 / cost if cost else 2_000.0)
    assert loop.refused == 0


@pytest.mark.parametrize("pause", [0.5, 2.0, 4.6])
def test_one_pause_refuses_nothing(pause: float) -> None:
    loop = Loop(0.001)
    loop.run(5.0, 100.0)
    loop.now += pause
    loop.run(5.0, 100.0)
    assert loop.refused == 0


def test_an_overload_ends_a_second_after_the_last_late_turn() -> None:
    load = LoopLoad()
    for number in range(3):
        load.admits()
        load.turn(1.0, 10.0 + number)
    assert not load.admits()
    for number in range(1, 30):
        load.turn(0.0, 12.0 + number * PROBE)
    assert not load.overloaded
    assert all(load.admits() for _ in range(1000))
