"""The crash boundary of a worker: what fails ends itself, is logged once, and costs nothing that comes behind it."""

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from sipswarm.actors.errors import CallEnded
from sipswarm.actors.runtime.actor import Guarded
from sipswarm.actors.runtime.actor_loop import ActorLoop
from tests.actors.virtual_loop import VirtualLoop
from tests.actors.virtual_loop import run as virtual_run


class Patient(Guarded):
    """Something that is guarded, and remembers what it was ended by."""

    def __init__(self, *, dies_hard: bool = False) -> None:
        self.dies_hard = dies_hard
        self.ended: list[BaseException] = []

    @property
    def name(self) -> str:
        """As in logs."""
        return "the patient"

    def ended_by(self, error: BaseException) -> bool:
        """A KeyError is an outcome."""
        return isinstance(error, KeyError)

    def crashed(self, now: float, error: BaseException) -> None:
        """Keep the error, and perhaps fail again."""
        self.ended.append(error)
        if self.dies_hard:
            raise OSError("still there")


def fail(error: BaseException) -> None:
    raise error


def looped(action: Callable[[ActorLoop], Any]) -> None:
    async def main() -> None:
        made = ActorLoop(asyncio.get_running_loop(), empty=lambda: None, forget=lambda actor: None)
        result = action(made)
        if result is not None:
            await result

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_fails_for_one_is_logged_and_ends_it(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    patient = Patient()
    looped(lambda actor_loop: actor_loop.guarded(patient, fail, error))
    assert patient.ended == [error]
    assert [record.getMessage() for record in caplog.records] == ["the patient failed in our own code and is ended"]


def test_an_outcome_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    patient = Patient()
    looped(lambda actor_loop: actor_loop.guarded(patient, fail, KeyError("gone")))
    assert not patient.ended
    assert not caplog.records


def test_what_cannot_even_be_ended_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    patient = Patient(dies_hard=True)
    looped(lambda actor_loop: actor_loop.guarded(patient, fail, ValueError("x")))
    assert caplog.records[-1].getMessage() == "the patient could not even be ended"


def test_an_attempt_says_whether_it_succeeded(caplog: pytest.LogCaptureFixture) -> None:
    done: list[bool] = []

    def both(actor_loop: ActorLoop) -> None:
        done.append(actor_loop.attempt("it failed", fail, ValueError("x")))
        done.append(actor_loop.attempt("it failed", done.count, True))

    looped(both)
    assert done == [False, True]
    assert [record.getMessage() for record in caplog.records] == ["it failed"]


def test_the_failure_of_a_spawned_coroutine_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(error: BaseException) -> None:
        raise error

    async def spawn(actor_loop: ActorLoop) -> None:
        for error in (CallEnded("bye"), RuntimeError("boom"), SystemExit(3)):
            actor_loop.spawn(fails(error))
        await asyncio.sleep(0.01)

    with caplog.at_level(logging.ERROR):
        looped(spawn)
    # The second is of the same line within a minute, and only counted.
    told = [(record.getMessage(), str(record.exc_info[1])) for record in caplog.records if record.exc_info]
    ((text, error),) = told
    assert (text.startswith("a callback failed at "), "test_actor_loop.py:" in text, error) == (True, True, "boom")


class Due(Patient):
    """An actor with one timer, which an input in time makes needless."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline: float | None = deadline
        self.finished = False
        self.fired: list[float] = []

    def handle_timer(self, now: float) -> None:
        """The timer is over."""
        self.fired.append(now)
        self.deadline = None

    def answer(self) -> None:
        """The input."""
        self.deadline = None


@pytest.mark.parametrize("pause", [2.0, 4.5, 7.0, 30.0])
@pytest.mark.parametrize("answered", [False, True])
def test_after_a_pause_what_waits_in_sockets_comes_before_the_timers(pause: float, answered: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None, fraction=lambda: 0.0)
        actor_loop.now = loop.time
        due: Any = Due(loop.time() + 1.0)
        actor_loop.touch(due)
        await asyncio.sleep(0.5)
        loop.stand_still(pause)
        if answered:
            loop.call_later(0.1, due.answer)
            loop.call_later(0.1, actor_loop.touch, due)
        went_on = loop.time()
        await asyncio.sleep(2.0)
        assert [at - went_on for at in due.fired] == ([] if answered else [pytest.approx(0.3, abs=0.01)])

    virtual_run(main)


ACTORS = 2000


@pytest.mark.parametrize("pause", [2.0, 7.0, 30.0, 3600.0])
def test_the_timers_that_expire_in_a_pause_fire_once_each_and_spread_over_the_second_after_it(pause: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        fraction = Random(1).random
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None, fraction=fraction)
        actor_loop.now = loop.time
        all_due: list[Any] = [Due(loop.time() + 0.6 + number / ACTORS) for number in range(ACTORS)]
        for due in all_due:
            actor_loop.touch(due)
        later: list[float] = []
        for _ in range(ACTORS):
            actor_loop.later(0.7, lambda: later.append(loop.time()))
        await asyncio.sleep(0.5)
        loop.stand_still(pause)
        went_on = loop.time()
        await asyncio.sleep(0.4)
        for due in all_due[::10]:
            actor_loop.touch(due)  # an input that changes no deadline leaves it its turn
        await asyncio.sleep(2.0)
        for fired in ([at for due in all_due for at in due.fired], later):
            assert len(fired) == ACTORS
            tenths = [int((at - went_on) * 10) for at in fired]
            assert set(tenths) <= set(range(3, 11))
            # A seventh of them is 286; all at once would be 2,000.
            assert max(tenths.count(tenth) for tenth in range(11)) < 400

    virtual_run(main)


def test_an_input_that_ends_the_wait_in_its_turn_is_not_too_late() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None, fraction=lambda: 0.9)
        actor_loop.now = loop.time
        answered, moved, earlier = (Due(loop.time() + 1.0) for _ in range(3))
        every: list[Any] = [answered, moved, earlier]
        for due in every:
            actor_loop.touch(due)
        await asyncio.sleep(0.5)
        loop.stand_still(5.0)
        await asyncio.sleep(0.5)
        answered.answer()
        moved.deadline = loop.time() + 2.0
        earlier.deadline = loop.time() - 30.0
        for due in every:
            actor_loop.touch(due)
        changed = loop.time()
        await asyncio.sleep(5.0)
        assert answered.fired == []
        assert moved.fired == [pytest.approx(changed + 2.0, abs=0.01)]
        assert earlier.fired == [pytest.approx(changed, abs=0.01)]

    virtual_run(main)


@pytest.mark.parametrize(("stalled", "expected"), [(0.4, 0.0), (5.0, 0.3 + 0.7 * 0.5)])
def test_what_is_to_be_done_later_waits_longer_only_after_a_standstill(stalled: float, expected: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None, fraction=lambda: 0.5)
        done: list[tuple[float, str]] = []
        expects: list[Any] = []
        actor_loop.later(0.3, lambda what: done.append((loop.time(), what)), "done")
        actor_loop.later(0.3, done.clear).cancel()
        loop.stand_still(stalled)
        went_on = loop.time()
        await asyncio.sleep(2.0)
        expects.append((pytest.approx(went_on + expected, abs=0.01), "done"))
        assert done == expects

    virtual_run(main)


def test_a_timer_that_is_a_little_late_is_handled_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None)
        actor_loop.now = loop.time
        due: Any = Due(loop.time() + 1.0)
        actor_loop.touch(due)
        await asyncio.sleep(0.5)
        loop.stand_still(1.4)
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        assert due.fired == [loop.time()]

    virtual_run(main)
