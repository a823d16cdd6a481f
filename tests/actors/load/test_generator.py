"""A load generator in virtual time: its arrivals are those of the plan, whatever became late, died or was replaced."""

import asyncio
import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from weakref import finalize

import pytest

from sipswarm.actors.bus.messages import CallFinished, LoadFinished
from sipswarm.actors.call_worker.call_metrics import CallMetrics
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.host.permits import LiveBound
from sipswarm.actors.host.roll import PlanFigures, Roll, make_roll
from sipswarm.actors.load.generator import LoadGenerator
from sipswarm.actors.load.schedule import PACE, WHOLE, Plan, Profile, Share, Stream
from sipswarm.actors.load.starter import Ended, Starter
from sipswarm.actors.runtime.actor_loop import ActorLoop
from tests.actors.virtual_loop import VirtualLoop

PLAN = Plan(Profile.fixed(50.0), duration=4.0)
PLANS = [PLAN, Plan(Profile.ramp(10.0, 90.0, 2.0), "poisson", seed=7, calls=150)]
LEAD = 0.2
"""Seconds from the order to the start of the plan."""


class Begins(Starter):
    """Begins nothing but notes what it should: index, planned and real time of each arrival."""

    label = "call"

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.begun: list[tuple[int, float, float]] = []

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        self.begun.append((index, planned, self._loop.time()))
        self._loop.call_soon(ended, False)
        return True


class Leaves:
    """The drain of a worker, as far as the generator asks for it."""

    begun = retiring = False

    @property
    def refuses(self) -> bool:
        return self.retiring

    def check(self) -> None:
        pass

    def settle(self, done: Any) -> None:
        done()


@dataclass
class Slot:
    """One slot of a node, and the processes that it has one after the other."""

    loop: VirtualLoop
    plan: Plan
    share: Share
    memory: int = field(default_factory=make_roll)
    rolls: list[Roll] = field(default_factory=list)
    starters: list[Begins] = field(default_factory=list)
    leaves: list[Leaves] = field(default_factory=list)
    missed: list[CallFinished] = field(default_factory=list)
    finished: list[LoadFinished] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._end = finalize(self, os.close, self.memory)

    def process(self) -> LoadGenerator:
        """A generator with the roll as the process before has left it."""
        self.rolls.append(Roll(self.memory))
        self.starters.append(Begins(self.loop))
        actor_loop = ActorLoop(self.loop, empty=lambda: None, forget=lambda actor: None)
        actor_loop.now = self.loop.time
        totals = Totals()
        self.leaves.append(Leaves())
        leaves: Any = self.leaves[-1]
        return LoadGenerator(
            Stream(self.plan, self.share),
            self.share,
            self.starters[-1],
            LiveBound(0),
            self.rolls[-1],
            actor_loop,
            leaves,
            CallMetrics(totals),
            totals,
            tell=self.missed.append,
            finished=self.finished.append,
        )

    @property
    def begun(self) -> list[tuple[int, float, float]]:
        return [each for starter in self.starters for each in starter.begun]


def kill(generator: LoadGenerator) -> None:
    """A process that is gone starts nothing more."""
    if generator._waiting is not None:
        generator._waiting.cancel()


def arrivals(plan: Plan, start: float) -> list[tuple[int, float]]:
    """Index and monotonic time of each arrival of a plan."""
    return [(index, start + at) for index, at in plan.arrivals()]


@pytest.mark.parametrize("plan", PLANS, ids=["fixed", "poisson"])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("still", [0.0, 0.7, 3.0])
def test_all_workers_together_carry_out_the_plan_whatever_stood_still_at_its_start(
    plan: Plan, workers: int, still: float
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        slots = [Slot(loop, plan, Share(0, 1, slot, workers)) for slot in range(workers)]

        async def main() -> float:
            start = loop.time() + LEAD
            for slot in slots:
                slot.process().start(start)
            loop.stand_still(still)
            await asyncio.sleep(10.0)
            return start

        start = runner.run(main())
    begun = sorted(each for slot in slots for each in slot.begun)
    assert [(index, planned) for index, planned, _ in begun] == arrivals(plan, start)
    late = [at - planned for _, planned, at in begun]
    assert min(late) >= 0.0
    assert max(late) >= still - LEAD - 0.1, "what was due meanwhile is late by that"
    assert late[-1] < 0.01 or still > plan.end
    assert [slot.finished for slot in slots] == [
        [LoadFinished(plan.planned(slot.share) or 0, plan.planned(slot.share) or 0, 0)] for slot in slots
    ]


def test_the_replacement_of_a_worker_that_died_goes_on_now_and_names_what_was_due() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        slot = Slot(loop, PLAN, Share(0, 1, 1, 2))

        async def main() -> tuple[float, float]:
            start = loop.time() + LEAD
            first = slot.process()
            first.start(start)
            await asyncio.sleep(1.5)
            kill(first)
            await asyncio.sleep(0.5)
            slot.process().start(start)
            now = loop.time()
            await asyncio.sleep(10.0)
            return start, now

        start, now = runner.run(main())
    own = {at for index, at in arrivals(PLAN, start) if index % 2}
    begun = {planned for _, planned, _ in slot.begun}
    missed = {row.planned for row in slot.missed}
    assert begun | missed == own
    assert not begun & missed
    assert missed == {at for at in own if now - 0.5 < at < now}
    assert {row.failure for row in slot.missed} == {"worker_lost"}
    assert max(at - planned for _, planned, at in slot.begun) < 0.01, "none is made up for"
    assert slot.rolls[-1].figures == PlanFigures(2, len(own), len(own))


@pytest.mark.parametrize("plan", PLANS, ids=["fixed", "poisson"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seconds", [0.05, 0.5, 30.0])
def test_a_worker_that_is_replaced_on_purpose_leaves_its_arrivals_to_the_next_one(
    plan: Plan, workers: int, seconds: float
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        slot = Slot(loop, plan, Share(0, 1, 0, workers))

        async def main() -> tuple[float, float]:
            start = loop.time() + LEAD
            first = slot.process()
            first.start(start)
            await asyncio.sleep(1.2)
            slot.leaves[0].retiring = True
            first.retire()
            await asyncio.sleep(seconds)
            kill(first)
            slot.process().start(start)
            now = loop.time()
            await asyncio.sleep(60.0)
            return start, now

        start, now = runner.run(main())
    own = [(index, at) for index, at in arrivals(plan, start) if index % workers == 0]
    assert [(index, planned) for index, planned, _ in slot.begun] == own, "each of them once, in order"
    assert slot.missed == []
    first, second = (starter.begun for starter in slot.starters)
    assert second[0][2] == pytest.approx(now, abs=0.01)
    assert max(at for _, _, at in first) <= now - seconds
    for (_, planned, at), (_, later_planned, later) in pairwise(second):
        assert later - at >= (later_planned - planned) / PACE - 0.01, "no burst"
        assert later - later_planned <= at - planned + 0.01, "it catches up"
    if plan is PLAN and seconds < 1.0:
        assert second[-1][2] - second[-1][1] < 0.01, "it is in time again"
    assert slot.finished == [LoadFinished(len(own), len(own), 0)]


def test_a_worker_that_died_after_it_had_gone_on_for_another_one_has_died() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        slot = Slot(loop, PLAN, WHOLE)

        async def main() -> None:
            start = loop.time() + LEAD
            for retires in (True, False, False):
                generator = slot.process()
                generator.start(start)
                await asyncio.sleep(1.0)
                if retires:
                    slot.leaves[-1].retiring = True
                    generator.retire()
                kill(generator)
                await asyncio.sleep(0.1)

        runner.run(main())
    assert len(slot.missed) == pytest.approx(0.1 * 50, abs=1), "of the second gap, and none of the first"
