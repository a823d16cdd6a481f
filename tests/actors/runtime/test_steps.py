"""Steps of coroutines: the message at work is noted during each of them, and never between two."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from sipswarm.actors.diagnosis.black_box import NOTHING, BlackBox, Mark
from sipswarm.actors.diagnosis.crash_log import CrashLog
from sipswarm.actors.diagnosis.user_failure import UserCodeFailed
from sipswarm.actors.runtime.steps import Steps
from sipswarm.actors.runtime.user_turns import UserTurns


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def steps_of(work: Awaitable[Any], box: BlackBox, mark: Callable[[], Mark | None]) -> Steps:
    turns = UserTurns(asyncio.get_running_loop().call_soon, time.monotonic, CrashLog(time.monotonic))
    return Steps(work, box, mark, turns, "the work")


def test_each_step_of_a_coroutine_has_its_cause_and_the_time_between_has_none() -> None:
    box = BlackBox()
    seen: list[int] = []
    causes = iter((b"", each) for each in (11, 12, 13))

    async def work() -> str:
        for _ in range(2):
            seen.append(box.at_work[1])
            await asyncio.sleep(0)
        seen.append(box.at_work[1])
        return "done"

    async def watched() -> str:
        return str(await steps_of(work(), box, lambda: next(causes)))

    async def main() -> None:
        task = asyncio.create_task(watched())
        between = []
        while not task.done():
            await asyncio.sleep(0)
            between.append(box.at_work[1])
        assert seen == [11, 12, 13]
        assert set(between) == {0}
        assert task.result() == "done"

    run(main)


def test_two_coroutines_in_turn_do_not_see_each_others_cause() -> None:
    box = BlackBox()
    seen: dict[int, set[int]] = {1: set(), 2: set()}

    async def work(cause: int) -> None:
        for _ in range(5):
            seen[cause].add(box.at_work[1])
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(_awaited(steps_of(work(each), box, lambda each=each: (b"", each))) for each in seen))  # type: ignore[misc]

    run(main)
    assert seen == {1: {1}, 2: {2}}


async def _awaited(steps: Steps) -> None:
    await steps


def test_an_exception_leaves_and_enters_a_coroutine_as_without() -> None:
    box = BlackBox()
    seen: list[int] = []

    async def fails() -> None:
        raise ValueError("mine")

    async def waits() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append(box.at_work[1])

    async def main() -> None:
        with pytest.raises(ValueError, match="mine"):
            await steps_of(fails(), box, lambda: (b"", 5))
        task = asyncio.create_task(_awaited(steps_of(waits(), box, lambda: (b"", 6))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert box.at_work == NOTHING

    run(main)
    assert seen == [6]


def test_a_cancellation_that_nobody_asked_for_is_a_failure_with_its_line() -> None:
    async def waits() -> None:
        waiting = asyncio.ensure_future(asyncio.sleep(10))
        waiting.cancel()
        await waiting

    async def main() -> None:
        with pytest.raises(UserCodeFailed) as failed:
            await steps_of(waits(), BlackBox(), lambda: None)
        assert failed.value.what == "the work"
        assert failed.value.where == f"{waits.__code__.co_filename}:{waits.__code__.co_firstlineno + 3}"
        assert isinstance(failed.value.__cause__, asyncio.CancelledError)

    run(main)


def test_a_future_may_be_what_is_awaited() -> None:
    box = BlackBox()

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        assert await steps_of(future, box, lambda: None) == 7

    run(main)
