"""Functions that are called again and again: the first call, the interval, the end, and what a failure costs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from sipswarm.actors.agent.timer import Timer
from sipswarm.actors.runtime.actor_loop import ActorLoop
from tests.e2e.waiting import until


def run(scenario: Callable[[ActorLoop], Awaitable[None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await scenario(ActorLoop(loop, empty=lambda: None, forget=lambda actor: None))

    asyncio.run(main())


def goes_on() -> bool:
    return False


def test_the_first_call_may_come_before_the_interval_has_passed() -> None:
    async def scenario(actor_loop: ActorLoop) -> None:
        ticks: list[str] = []
        hourly, soon = Timer(3600, lambda: ticks.append("hourly"), None), Timer(3600, lambda: ticks.append("soon"), 0)
        for timer in (hourly, soon):
            timer.begin(actor_loop, goes_on)
        await until(lambda: ticks == ["soon"])
        assert (hourly.active, soon.active) == (True, True)
        for timer in (hourly, soon):
            timer.cancel()
            timer.cancel()
        assert (hourly.active, soon.active) == (False, False)

    run(scenario)


def test_a_function_is_called_until_it_is_cancelled_also_by_itself() -> None:
    async def scenario(actor_loop: ActorLoop) -> None:
        ticks: list[int] = []

        def tick() -> None:
            ticks.append(len(ticks))
            if len(ticks) == 3:
                timer.cancel()

        timer = Timer(0.001, tick, None)
        timer.begin(actor_loop, goes_on)
        await until(lambda: not timer.active)
        await asyncio.sleep(0.05)
        assert ticks == [0, 1, 2]

    run(scenario)


def test_a_timer_that_was_cancelled_before_it_began_is_never_called() -> None:
    async def scenario(actor_loop: ActorLoop) -> None:
        ticks: list[str] = []
        timer = Timer(0.001, lambda: ticks.append("tick"), 0)
        timer.cancel()
        timer.begin(actor_loop, goes_on)
        assert not timer.active
        await asyncio.sleep(0.05)
        assert ticks == []

    run(scenario)


@pytest.mark.parametrize("later", [False, True])
def test_a_failure_is_logged_with_its_line_and_the_next_call_comes(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(actor_loop: ActorLoop) -> None:
        ticks: list[str] = []

        def fails() -> None:
            ticks.append("tick")
            raise OSError("gone")

        async def fails_later() -> None:
            fails()

        timer = Timer(0.001, fails_later if later else fails, None)
        timer.begin(actor_loop, goes_on)
        await until(lambda: len(ticks) >= 3)
        timer.cancel()

    with caplog.at_level(logging.ERROR):
        run(scenario)
    (text,) = caplog.messages  # the others are counted: one line a minute for each place
    assert text.startswith("the function of every() failed at ")
    assert "test_timer.py:" in text


def test_no_function_is_called_when_the_node_ends() -> None:
    async def scenario(actor_loop: ActorLoop) -> None:
        ticks: list[str] = []
        timer = Timer(0.001, lambda: ticks.append("tick"), None)
        timer.begin(actor_loop, lambda: len(ticks) >= 2)
        await until(lambda: not timer.active)
        assert ticks == ["tick", "tick"]

    run(scenario)
