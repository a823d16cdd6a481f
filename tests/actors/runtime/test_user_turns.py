"""Code of users that blocks: timers have their turns between its steps, and the log names it."""

import asyncio
import logging
from collections.abc import Awaitable
from itertools import pairwise
from typing import Any

import pytest

from sipswarm.actors.runtime.actor_loop import ActorLoop
from sipswarm.actors.runtime.user_turns import BLOCKS
from tests.actors.virtual_loop import VirtualLoop, run

COST = 1.0
"""Seconds of each step."""
INTERVAL = 0.5
"""Seconds between two firings of a timer, as between two heartbeats."""


def looped(empty: Any = lambda: None, forget: Any = lambda actor: None) -> tuple[VirtualLoop, ActorLoop]:
    """The running loop of virtual time, and an actor loop in it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    actor_loop = ActorLoop(loop, empty=empty, forget=forget)
    actor_loop.now = loop.time
    return loop, actor_loop


class Over:
    """An actor that is finished."""

    name = "a call"
    finished = True
    deadline = None


async def awaited(work: Awaitable[Any]) -> Any:
    return await work


@pytest.mark.parametrize("tasks", [1, 5, 30])
def test_timers_have_their_turn_between_steps_that_block_and_each_step_comes(tasks: int) -> None:
    async def main() -> None:
        loop, actor_loop = looped()
        fired: list[float] = []

        def fire() -> None:
            fired.append(loop.time())
            loop.call_later(INTERVAL, fire)

        async def work() -> int:
            for _ in range(3):
                loop.stand_still(COST)
                await asyncio.sleep(0)
            return 7

        fire()
        began = loop.time()
        works = (awaited(actor_loop.steps(work(), lambda: None, "the work")) for _ in range(tasks))
        assert await asyncio.gather(*works) == [7] * tasks
        assert loop.time() - began == pytest.approx(3 * tasks * COST, abs=0.01), "nothing else waits"
        assert len(fired) > tasks
        assert max(later - earlier for earlier, later in pairwise(fired)) <= 2 * COST + 0.01

    run(main)


def test_steps_that_are_quick_share_a_turn_and_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop, actor_loop = looped()
        turns: list[int] = []
        number = 0

        async def work() -> None:
            loop.stand_still(0.001)
            turns.append(number)

        works = [asyncio.create_task(awaited(actor_loop.steps(work(), lambda: None, "the work"))) for _ in range(100)]
        while len(turns) < len(works):
            await asyncio.sleep(0)
            number += 1
        assert set(turns) == {0}

    run(main)
    assert caplog.records == []


def test_a_step_that_waits_for_its_turn_can_be_cancelled() -> None:
    async def main() -> None:
        loop, actor_loop = looped()
        began: list[str] = []

        async def work(name: str) -> None:
            began.append(name)
            loop.stand_still(COST)

        first, second = (
            asyncio.create_task(awaited(actor_loop.steps(work(name), lambda: None, "the work"))) for name in "ab"
        )
        await asyncio.sleep(0)
        assert began == ["a"]
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await first
        assert began == ["a"]

    run(main)


def test_a_coroutine_or_callback_that_blocks_is_named_with_its_place_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        loop, actor_loop = looped()

        async def robot() -> None:
            loop.stand_still(COST)
            await asyncio.sleep(0.1)
            loop.stand_still(BLOCKS / 2)

        async def ends_at_once() -> None:
            loop.stand_still(COST)

        for _ in range(3):
            await actor_loop.steps(robot(), lambda: None, "the robot", robot)
        await actor_loop.steps(ends_at_once(), lambda: None, "the robot", ends_at_once)
        for _ in range(2):
            actor_loop.inform("the callback of every()", lambda: loop.stand_still(2.0))
        loop.stand_still(60.0)
        await actor_loop.steps(robot(), lambda: None, "the robot", robot)

    run(main)
    told = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 4
    starts = [text.partition(" kept the event loop for ")[0] for text in told]
    names = ["the robot", "the robot", "the callback of every()", "the robot"]
    assert [text.partition(" (")[0] for text in starts] == names
    assert all(f"({__file__}:" in text for text in starts)
    assert len(set(starts)) == 3
    assert [text.partition(" kept the event loop for ")[2][:5] for text in told] == ["1.0 s", "1.0 s", "2.0 s", "1.0 s"]
    assert told[-1].endswith("(2 more such lines were not logged)")


def test_an_actor_is_forgotten_only_when_no_notice_waits_for_the_next_turn() -> None:
    async def main() -> None:
        waits = [False, True, True]
        forgotten: list[object] = []
        _, actor_loop = looped(empty=waits.pop, forget=forgotten.append)
        actor: Any = Over()
        over: list[int] = []
        actor_loop.look_at(actor)
        actor_loop.flush()
        over.append(len(forgotten))
        for _ in range(2):
            await asyncio.sleep(0)
            over.append(len(forgotten))
        assert over == [0, 0, 1]
        assert forgotten == [actor]
        assert waits == []

    run(main)
