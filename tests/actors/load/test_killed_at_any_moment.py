"""A worker of a load is killed between any two instructions: each arrival has one end, none has two.

The memory of the roll is copied after each instruction of a worker in virtual time. Each copy that differs is what a
worker that was killed there leaves behind: the supervisor takes what is open, and another worker carries the plan out.
Records that the first worker had sent have come by then, or none of them has.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import pytest

from sipswarm.actors.bus.messages import CallFinished, LoadFinished
from sipswarm.actors.call_worker.call_metrics import CallMetrics
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.errors import Overloaded
from sipswarm.actors.host.permits import LiveBound
from sipswarm.actors.host.roll import PlanFigures, Roll, RollReader, make_roll
from sipswarm.actors.load.arrival_figures import row_of_lost, row_without_media
from sipswarm.actors.load.generator import LoadGenerator
from sipswarm.actors.load.scenario_run import RunRoll
from sipswarm.actors.load.schedule import Plan, Profile, Share, Stream
from sipswarm.actors.load.starter import Ended, Starter
from sipswarm.actors.runtime.actor_loop import ActorLoop
from tests.actors.load.test_generator import LEAD, Leaves
from tests.actors.virtual_loop import VirtualLoop

PLAN = Plan(Profile.fixed(50.0), calls=36)
SHARE = Share(0, 1, 1, 2)
ARRIVALS = range(1, 36, 2)
BEGIN = 1000.0
"""Virtual time at which a loop begins."""
LOOKED_AT = 8192
"""Octets of the roll that so few calls write."""


class Kinds(Starter):
    """Arrivals that end in each way there is, one after the other."""

    label = "call"
    runs = True

    def __init__(self, loop: VirtualLoop, roll: Roll, told: list[CallFinished]) -> None:
        self._loop = loop
        self._roll = roll
        self._told = told
        self._kinds = [self._call, self._run_without_call, self._run_with_calls, self._run_held_back]

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        kind = index // 2 % 6
        if kind == 4:
            return False
        if kind == 5:
            raise Overloaded("no room")
        self._kinds[kind](index, planned, ended)
        return True

    def _call(self, index: int, planned: float, ended: Ended) -> None:
        name = f"{index}-a"
        self._roll.enter(name, self._loop.time(), 0.0, planned, index)
        self._loop.call_later(0.03, self._over, [name], planned, ended)

    def _over(self, names: list[str], planned: float, ended: Ended) -> None:
        for number, name in enumerate(names):
            self._tell(name, -1.0 if number else planned, self._roll.reported(name))
        ended(False)

    def _tell(self, name: str, planned: float, place: int) -> None:
        now = self._loop.time()
        row = row_without_media("call", "answered", now, now, 0.0, planned, cause="")
        self._told.append(row._replace(call_id=name, place=place))

    def _run(self, index: int, planned: float) -> RunRoll:
        return RunRoll(self._roll, index, planned, self._loop.time)

    def _run_without_call(self, index: int, planned: float, ended: Ended) -> None:
        run = self._run(index, planned)

        def over() -> None:
            self._tell("", planned, run.over())
            ended(False)

        self._loop.call_later(0.03, over)

    def _run_with_calls(self, index: int, planned: float, ended: Ended) -> None:
        run = self._run(index, planned)
        names = [f"{index}-{each}" for each in "abc"]

        def place() -> None:
            for name in names:
                run.place(name, self._loop.time())
                self._roll.answered(name, self._loop.time())

        self._loop.call_later(0.01, place)
        self._loop.call_later(0.03, self._over, names, planned, ended)

    def _run_held_back(self, index: int, planned: float, ended: Ended) -> None:
        run = self._run(index, planned)

        def over() -> None:
            run.withdraw()
            ended(True)

        self._loop.call_later(0.03, over)


class Moment(NamedTuple):
    """What is there after an instruction."""

    memory: bytes
    told: int
    """Records that were sent."""
    at: float
    """Virtual time."""


@contextmanager
def watched(memory: int, told: list[CallFinished], loop: VirtualLoop) -> Iterator[list[Moment]]:
    """Note each moment at which another worker would find something new."""
    moments: list[Moment] = []

    def look(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes = True
        octets = os.pread(memory, LOOKED_AT, 0)
        if not moments or (octets, len(told)) != moments[-1][:2]:
            moments.append(Moment(octets, len(told), loop.time()))
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield moments
    finally:
        sys.settrace(before)


def generator(loop: VirtualLoop, memory: int, told: list[CallFinished], finished: list[LoadFinished]) -> LoadGenerator:
    roll, totals = Roll(memory), Totals()
    actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None)
    actor_loop.now = loop.time
    leaves: Any = Leaves()
    return LoadGenerator(
        Stream(PLAN, SHARE),
        SHARE,
        Kinds(loop, roll, told),
        LiveBound(0),
        roll,
        actor_loop,
        leaves,
        CallMetrics(totals),
        totals,
        tell=told.append,
        finished=finished.append,
    )


class Life(NamedTuple):
    """What a worker has left behind at each moment of its life."""

    start: float
    """Of the plan."""
    settled: list[CallFinished]
    """Rows of the worker before it."""
    told: list[CallFinished]
    """Records that it sent."""
    moments: list[Moment]


def life(*, replaces: bool) -> Life:
    """Have a worker carry its share out.

    Args:
        replaces: another one was killed before, and some arrivals were due while no worker was there.
    """
    memory, settled, told = make_roll(), list[CallFinished](), list[CallFinished]()
    start = BEGIN + LEAD
    begins = first_life(memory, start, settled) + 0.1 if replaces else BEGIN
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)

        async def main() -> list[Moment]:
            loop.stand_still(begins - loop.time())
            with watched(memory, told, loop) as moments:
                generator(loop, memory, told, []).start(start)
                await asyncio.sleep(2.0)
            return moments

        moments = runner.run(main())
    os.close(memory)
    return Life(start, settled, told, moments)


def first_life(memory: int, start: float, rows: list[CallFinished]) -> float:
    """Kill a worker in the middle of its plan; return when."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)

        async def main() -> float:
            generator(loop, memory, rows, []).start(start)
            await asyncio.sleep(LEAD + 0.3)
            return loop.time()

        killed = runner.run(main())
    settle(memory, rows, killed, came=list(rows))
    return killed


def settle(memory: int, rows: list[CallFinished], now: float, *, came: list[CallFinished]) -> None:
    """Take what a worker that was killed has left open, as its supervisor does.

    Args:
        rows: take the rows that are made of it.
        came: records of the worker that have come.
    """
    reader = RollReader(memory)
    for row in came:
        assert row.place >= 0
        reader.release(row.place)
    rows.extend(row_of_lost(each, "call", now, runs=True) for each in reader.take_open())
    reader.close()


def carry_on(moment: Moment, start: float, sent: list[CallFinished]) -> tuple[list[CallFinished], PlanFigures]:
    """Kill a worker at a moment, and let another one carry the plan out.

    Args:
        start: of the plan.
        sent: records of the first one that have come.

    Returns:
        The further rows, and the figures of the plan.
    """
    memory = make_roll()
    os.pwrite(memory, moment.memory, 0)
    rows, finished = list[CallFinished](), list[LoadFinished]()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)

        async def main() -> PlanFigures:
            loop.stand_still(moment.at - loop.time())
            settle(memory, rows, loop.time(), came=sent)
            loop.stand_still(0.05)
            generator(loop, memory, rows, finished).start(start)
            await asyncio.sleep(2.0)
            return Roll(memory).figures

        figures = runner.run(main())
    os.close(memory)
    assert finished == [LoadFinished(figures.arrivals, figures.started, figures.held_back + figures.overloaded)]
    return rows, figures


@pytest.mark.parametrize("replaces", [False, True], ids=["the first worker", "the worker after a gap"])
@pytest.mark.parametrize("came", [True, False], ids=["what it sent has come", "what it sent is lost"])
def test_each_arrival_has_one_end_wherever_its_worker_is_killed(came: bool, replaces: bool) -> None:
    start, settled, told, moments = life(replaces=replaces)
    assert len(moments) > 40
    assert any(row.cause == "worker_lost" for row in told) == replaces
    for moment in moments:
        sent = told[: moment.told] if came else []
        later, figures = carry_on(moment, start, sent)
        rows = settled + sent + later
        ends = Counter(round((row.planned - start) * 50) for row in rows if row.planned >= 0)
        assert set(ends.values()) <= {1}, (moment.at, ends)
        assert ends.keys() <= set(ARRIVALS), (moment.at, ends)
        assert figures.arrivals == len(ARRIVALS), moment.at
        assert figures.started == len(ends), (moment.at, figures, ends)
        assert figures.held_back + figures.overloaded == len(ARRIVALS) - len(ends), (moment.at, figures, ends)
        calls = Counter(row.call_id for row in rows if row.call_id)
        assert set(calls.values()) <= {1}, (moment.at, calls)
