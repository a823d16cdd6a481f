"""A drain hangs calls up in batches, all of them within a second; a worker that retires hangs up none."""

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from sipswarm.actors.bus.messages import Drained, Removing, Retired
from sipswarm.actors.call.state import State
from sipswarm.actors.call_worker.application import Application
from sipswarm.actors.call_worker.draining import KEPT_WAIT, WHOLE_WAIT, Draining
from tests.actors.virtual_loop import run


class Keeping(Application):
    """Its calls go on in the next process."""

    @property
    def keeps_calls(self) -> bool:
        return True


class Calls:
    """The parts of a worker that a drain uses, and the times at which calls were hung up."""

    def __init__(self, number: int, *, keeps: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.hung_up: dict[int, float] = {}
        self.live = {each: SimpleNamespace(actor=self._actor(each), state=State.UP) for each in range(number)}
        self.keeps = keeps
        self.unkept: set[int] = set()
        self.torn: set[int] = set()
        """Calls of which something is under way."""
        self.told: list[Any] = []
        self.count = 0
        self.removing = 0
        self.registrations: Any = None

    def _actor(self, number: int) -> Any:
        def hang_up(now: float, cause: str) -> None:
            assert number not in self.hung_up
            self.hung_up[number] = now

        return SimpleNamespace(number=number, hang_up=hang_up)

    def draining(self, application: Application | None = None, *, tells: bool = True) -> Draining:
        """Of these calls.

        Args:
            application: what else is at work; None = nothing is.
            tells: it reports its end to a supervisor.
        """
        actor_loop: Any = SimpleNamespace(
            loop=self.loop,
            now=self.loop.time,
            guarded=lambda actor, action, *arguments: action(*arguments),
            touch=lambda actor: None,
            flush=lambda: None,
        )
        actors: Any = SimpleNamespace(live=self.live, has_open_ends=lambda: False)
        registrations: Any = SimpleNamespace(remove_all=lambda: None, removing=self.removing)
        self.registrations = registrations
        requests: Any = SimpleNamespace(pending=0, closing=0, end_pending=lambda: None, end_subscriptions=lambda: None)
        return Draining(
            actor_loop,
            actors,
            registrations,
            requests,
            application or (Keeping() if self.keeps else Application()),
            settle_call=lambda call: None,
            is_kept=lambda call: call.actor.number not in self.unkept,
            is_whole=lambda call: call.actor.number not in self.torn,
            tell=self.told.append if tells else None,
        )


class Held(Application):
    """Keeps something that is no call, until it is ended."""

    def __init__(self, *, takes_time: bool) -> None:
        self.left = 1
        self.ended = -1.0
        self._takes_time = takes_time

    def pending(self) -> int:
        return self.left

    def takes_time(self) -> bool:
        return self._takes_time and bool(self.left)

    def end_pending(self) -> None:
        self.left = 0
        self.ended = asyncio.get_running_loop().time()


@pytest.mark.parametrize(("takes_time", "waited"), [(True, 2.0), (False, 0.0)])
def test_work_that_is_no_call_gets_the_time_of_a_drain_where_it_takes_it(takes_time: bool, waited: float) -> None:
    async def main() -> None:
        calls, held = Calls(0), Held(takes_time=takes_time)
        began = calls.loop.time()
        calls.draining(held).begin(2.0)
        await asyncio.sleep(10.0)
        assert held.ended - began == pytest.approx(waited, abs=0.01)
        assert [each for each in calls.told if isinstance(each, Drained)] == [Drained(0)]

    run(main)


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


def test_a_worker_that_retires_refuses_calls_and_reports_when_its_last_one_is_over() -> None:
    async def main() -> None:
        calls = Calls(2)
        draining = calls.draining()
        refuses = [draining.refuses]
        for _ in range(2):
            draining.retire()
            refuses.append(draining.refuses)
        assert refuses == [False, True, True]
        del calls.live[0]
        await asyncio.sleep(50.0)
        assert (calls.told, calls.hung_up) == ([], {})
        del calls.live[1]
        await asyncio.sleep(1.0)
        assert calls.told == [Retired()]
        assert calls.hung_up == {}

    run(main)


def test_one_whose_calls_are_kept_reports_at_once() -> None:
    async def main() -> None:
        calls = Calls(5, keeps=True)
        draining = calls.draining()
        defers = [draining.defers]
        draining.retire()
        assert calls.told == [Retired()]
        defers.append(draining.defers)
        draining.begin(10.0)
        defers.append(draining.defers)
        assert defers == [False, True, False], "a node that ends has no next process"

    run(main)


@pytest.mark.parametrize("state", [State.UP, State.ANSWERING])
def test_it_waits_for_what_is_under_way_in_established_calls_but_not_for_ever(state: State) -> None:
    async def main() -> None:
        calls = Calls(5, keeps=True)
        calls.live[3].state = state
        calls.torn.add(3)
        draining = calls.draining()
        draining.retire()
        await asyncio.sleep(WHOLE_WAIT - 0.5)
        assert (calls.told, draining.defers) == ([], True)
        await asyncio.sleep(1.0)
        assert calls.told == [Retired()]
        calls.told.clear()
        calls.draining().retire()
        await asyncio.sleep(1.0)
        assert calls.told == []
        calls.torn.clear()
        await asyncio.sleep(0.2)
        assert calls.told == [Retired()]

    run(main)


def test_it_waits_a_little_for_calls_in_set_up_and_for_those_that_are_not_kept_longer() -> None:
    async def main() -> None:
        calls = Calls(5, keeps=True)
        calls.live[3].state = State.INCOMING
        calls.draining().retire()
        await asyncio.sleep(KEPT_WAIT - 0.2)
        assert calls.told == []
        await asyncio.sleep(0.5)
        assert calls.told == [Retired()]
        calls.told.clear()
        calls.unkept.add(2)
        calls.draining().retire()
        await asyncio.sleep(50.0)
        assert calls.told == []
        del calls.live[2]
        await asyncio.sleep(0.2)
        assert calls.told == [Retired()]

    run(main)


def test_a_worker_is_settled_when_the_figures_of_each_call_that_is_over_have_come() -> None:
    async def main() -> None:
        calls = Calls(3, keeps=True)
        draining = calls.draining()
        settled = [draining.is_settled]
        calls.live[1].state = State.OVER
        settled.append(draining.is_settled)
        calls.unkept |= {1, 2}
        settled.append(draining.is_settled)
        del calls.live[1]
        settled.append(draining.is_settled)
        assert settled == [True, True, False, True], "an end that is kept is the next process's, a live call too"

    run(main)


def test_a_node_that_ends_drains_a_worker_that_retires() -> None:
    async def main() -> None:
        calls = Calls(20)
        draining = calls.draining()
        draining.retire()
        await asyncio.sleep(1.0)
        draining.begin(0.0)
        await asyncio.sleep(10.0)
        assert sorted(calls.hung_up) == list(range(20))
        assert [each.__class__ for each in calls.told] == [Drained]

    run(main)


@pytest.mark.parametrize("tells", [True, False])
def test_only_a_drain_that_reports_its_end_stays_for_its_timer(tells: bool) -> None:
    """An embedded node is gone as soon as it is closed: a program that opens many has the memory of those at work."""

    async def main() -> bool:
        calls = Calls(0)
        calls.removing = 1
        draining = calls.draining(tells=tells)
        draining.begin(0.0)
        await asyncio.sleep(0)
        stays = weakref.ref(draining)
        del draining
        gc.collect()
        return stays() is not None

    assert run(main) == tells


@pytest.mark.parametrize(
    ("answered", "said_after"),
    [(0, 5.0), (100, 8.0), (10, 21.0)],
    ids=["a registrar that is silent", "one that is slow", "one that is too slow"],
)
def test_removals_are_waited_for_while_they_are_answered_and_not_for_ever(answered: int, said_after: float) -> None:
    async def main() -> None:
        calls = Calls(0)
        calls.removing = 750
        began = calls.loop.time()
        draining = calls.draining()
        draining.begin(30.0)
        while Drained(0) not in calls.told:
            assert calls.loop.time() - began < 30
            await asyncio.sleep(1.0)
            calls.registrations.removing = max(0, calls.registrations.removing - answered)
            draining.check()
        assert calls.loop.time() - began == pytest.approx(said_after, abs=1.01)
        assert [each for each in calls.told if isinstance(each, Removing)] == calls.told[:-1]
        assert calls.told.count(Drained(0)) == 1

    run(main)
