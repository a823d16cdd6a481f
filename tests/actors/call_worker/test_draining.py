"""A drain hangs calls up in batches, all of them within a second."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from sipswarm.actors.call_worker.application import Application
from sipswarm.actors.call_worker.draining import Draining
from tests.actors.virtual_loop import run


class Calls:
    """The parts of a worker that a drain uses, and the times at which calls were hung up."""

    def __init__(self, number: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.hung_up: dict[int, float] = {}
        self.live = {each: SimpleNamespace(actor=self._actor(each)) for each in range(number)}
        self.count = 0
        self.removing = 0

    def _actor(self, number: int) -> Any:
        def hang_up(now: float, cause: str) -> None:
            assert number not in self.hung_up
            self.hung_up[number] = now

        return SimpleNamespace(number=number, hang_up=hang_up)

    def draining(self) -> Draining:
        """Of these calls."""
        actor_loop: Any = SimpleNamespace(
            loop=self.loop,
            now=self.loop.time,
            guarded=lambda actor, action, *arguments: action(*arguments),
            touch=lambda actor: None,
            flush=lambda: None,
        )
        actors: Any = SimpleNamespace(live=self.live, has_open_ends=lambda: False)
        registrations: Any = SimpleNamespace(remove_all=lambda: None, removing=0)
        return Draining(
            actor_loop, actors, registrations, Application(), settle_call=lambda call: None, tell=lambda record: None
        )


@pytest.mark.parametrize("number", [1, 10, 11, 499, 5000])
def test_all_calls_are_hung_up_within_a_second_and_few_at_once(number: int) -> None:
    async def main() -> None:
        calls = Calls(number)
        began = calls.loop.time()
        draining = calls.draining()
        draining.begin(0.0)
        draining.begin(0.0)
        await asyncio.sleep(1.1)
        assert sorted(calls.hung_up) == list(range(number)), "each once"
        times = list(calls.hung_up.values())
        assert max(times) - began <= 1.0
        at_once = max(times.count(each) for each in set(times))
        assert at_once == min(number, max(10, -(-number // 50)))

    run(main)


def test_a_call_that_ends_while_others_are_hung_up_gets_no_bye() -> None:
    async def main() -> None:
        calls = Calls(20)
        calls.draining().begin(0.0)
        del calls.live[15]
        await asyncio.sleep(1.0)
        assert sorted(calls.hung_up) == [each for each in range(20) if each != 15]

    run(main)
