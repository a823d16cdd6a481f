"""Media commands on their way to a media worker that is there, is not yet, is stopped, or is gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus.link import Surroundings, new_context
from sipswarm.actors.bus.standstills import Pulse, Standstills
from sipswarm.actors.call_worker import media_output
from sipswarm.actors.call_worker.media_output import MediaOutput
from sipswarm.actors.config import NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.media_worker import MediaWorker
from sipswarm.actors.runtime.media_workers import PLANNED_WAIT, MediaWorkers
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.media.messages import CloseStream, OpenStream, StreamOpened, StreamStatistics
from tests.actors import virtual_loop


class Way:
    """The way out of a call worker to two media workers, which a test starts and stops."""

    def __init__(self, folder: str = "") -> None:
        self.context = new_context()
        self.loop = asyncio.get_running_loop()
        self.config = NodeConfig(folder, (), 1, media_workers=2, rtp_ports=(36100, 36298))
        self.outbox = Outbox[Any](2)
        self.totals = Totals()
        self.events: list[Any] = []
        self.lost: list[tuple[int, int, str]] = []
        self.gone: list[int] = []
        self.workers: dict[int, MediaWorker] = {}
        self.pulses = [Pulse(), Pulse()]
        """Of the media workers."""
        self.standstills = Standstills()
        self.output = MediaOutput(
            Surroundings(1, self.context, self.totals, self.loop),
            [self.config.endpoint(f"media-{worker}") for worker in range(2)],
            0,
            self.outbox,
            self.standstills,
            on_events=self.events.extend,
            on_welcome=lambda: None,
            on_gone=self.gone.append,
            on_drained=lambda: None,
            lose=lambda *what: self.lost.append(what),
        )

    def start(self, worker: int, incarnation: int = 1) -> None:
        surroundings = Surroundings(incarnation, self.context, Totals(), self.loop, pulse=self.pulses[worker])
        self.workers[worker] = MediaWorker(self.config, worker, surroundings=surroundings)

    def send(self, worker: int, *commands: Any) -> None:
        self.outbox.media[worker] += commands
        self.output.flush()

    def opened(self) -> set[int]:
        return {each.stream_id for each in self.events if each.__class__ is StreamOpened}

    def close(self) -> None:
        self.output.close()
        for each in self.workers.values():
            each.close()
        self.context.term()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, in real time at most 10 s."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def on_a_way(folder: Path, test: Callable[[Way], Awaitable[None]]) -> None:
    async def main() -> None:
        way = Way(str(folder))
        try:
            await test(way)
        finally:
            way.close()

    asyncio.run(main())


def test_commands_wait_in_order_for_a_media_worker_that_is_not_linked_yet(tmp_path: Path) -> None:
    async def test(way: Way) -> None:
        way.send(0, OpenStream(1, "127.0.0.1"))
        way.send(0, OpenStream(2, "127.0.0.1"), CloseStream(1))
        assert not way.outbox.workers.any_there
        way.start(0)
        await until(lambda: way.opened() == {1, 2})
        assert way.outbox.workers.is_there(0)
        assert way.lost == []
        assert way.totals.cell("sipswarm_queue_dropped_total", "media_commands").value == 0

    on_a_way(tmp_path, test)


def test_what_waits_for_a_media_worker_that_is_gone_is_dropped_and_does_not_reach_the_next(tmp_path: Path) -> None:
    async def test(way: Way) -> None:
        way.start(0)
        await until(lambda: way.outbox.workers.is_there(0))
        way.workers.pop(0).close()
        way.output.gone(0, 1)
        assert way.gone == [0]
        way.send(0, OpenStream(3, "127.0.0.1"))
        way.output.gone(0, 1)
        way.send(0, OpenStream(4, "127.0.0.1"))
        way.start(0, 2)
        await until(lambda: way.opened() == {4})

    on_a_way(tmp_path, test)


def test_the_last_events_of_a_media_worker_are_taken_before_its_streams_are_lost() -> None:
    async def main() -> None:
        way = Way()
        try:
            way.start(0)
            await until(lambda: way.outbox.workers.is_there(0))
            way.send(0, OpenStream(1, "127.0.0.1"))
            await until(lambda: way.opened() == {1})
            way.events.clear()
            way.output._on_gone = way.events.append
            worker = way.workers.pop(0)
            worker.settle()
            worker.close()
            way.output.gone(0, 1)
            figures, gone = way.events
            assert (figures.__class__, figures.stream_id, gone) == (StreamStatistics, 1, 0)
        finally:
            way.close()

    asyncio.run(main())


def test_the_death_of_a_media_worker_is_told_once_even_when_the_next_is_linked_first(tmp_path: Path) -> None:
    async def test(way: Way) -> None:
        way.start(0)
        await until(lambda: way.outbox.workers.is_there(0))
        way.workers.pop(0).close()
        way.start(0, 2)
        way.send(0, CloseStream(9))  # the new process answers that it does not know this call worker
        await until(lambda: way.gone == [0] and way.outbox.workers.is_there(0))
        way.send(0, OpenStream(5, "127.0.0.1"))
        way.output.gone(0, 1)  # the supervisor reports the old one only now
        await until(lambda: way.opened() == {5})
        assert way.gone == [0]

    on_a_way(tmp_path, test)


@pytest.mark.parametrize("linked", [True, False], ids=["stopped", "not there"])
def test_an_open_stream_without_an_answer_is_lost_after_a_second_and_its_media_worker_is_late(linked: bool) -> None:
    async def main() -> None:
        way = Way()
        try:
            if linked:
                way.outbox.workers.linked(0)
            way.outbox.workers.linked(1)
            way.send(0, OpenStream(1, "127.0.0.1"))
            await asyncio.sleep(0.5)
            way.send(0, OpenStream(2, "127.0.0.1"))
            await asyncio.sleep(0.4)
            assert way.lost == []
            await asyncio.sleep(0.3)
            assert way.lost == [(1, 0, "media_worker_lost")]
            assert way.outbox.workers.choose(0) == 1
            await asyncio.sleep(0.5)
            assert [stream for stream, _, _ in way.lost] == [1, 2]
        finally:
            way.close()

    virtual_loop.run(main)


def test_commands_that_nobody_takes_are_held_for_three_seconds() -> None:
    async def main() -> None:
        way = Way()
        try:
            way.send(0, CloseStream(1), CloseStream(2))
            await asyncio.sleep(2.9)
            assert way.lost == []
            await asyncio.sleep(0.2)
            assert sorted(way.lost) == [(1, 0, "media_worker_lost"), (2, 0, "media_worker_lost")]
            assert way.totals.cell("sipswarm_queue_dropped_total", "media_commands").value == 2
        finally:
            way.close()

    virtual_loop.run(main)


def test_they_are_held_longer_for_a_media_worker_that_is_replaced_on_purpose() -> None:
    async def main() -> None:
        way = Way()
        try:
            way.outbox.workers.linked(0)
            way.output.retire(0)
            way.output.gone(0, 1)
            way.send(0, CloseStream(1))
            await asyncio.sleep(PLANNED_WAIT - 0.1)
            assert way.lost == []
            await asyncio.sleep(0.2)
            assert way.lost == [(1, 0, "media_worker_lost")]
        finally:
            way.close()

    virtual_loop.run(main)


def test_the_time_in_which_this_process_stood_still_counts_for_no_media_worker() -> None:
    async def main() -> None:
        way = Way()
        try:
            way.outbox.workers.linked(0)
            way.send(0, OpenStream(1, "127.0.0.1"), CloseStream(2))
            await asyncio.sleep(0.25)
            assert isinstance(way.loop, virtual_loop.VirtualLoop)
            way.loop.stand_still(7.0)
            await asyncio.sleep(0.5)
            assert way.lost == []
            await asyncio.sleep(0.5)
            assert way.lost == [(1, 0, "media_worker_lost")]
            await asyncio.sleep(1.5)
            assert way.lost == [(1, 0, "media_worker_lost")]
        finally:
            way.close()

    virtual_loop.run(main)


def test_commands_that_nobody_takes_are_held_in_a_bounded_number(tmp_path: Path) -> None:
    async def test(way: Way) -> None:
        way.send(0, *(CloseStream(number) for number in range(media_output.HELD + 10)))
        assert {stream for stream, _, _ in way.lost} == set(range(media_output.HELD, media_output.HELD + 10))

    on_a_way(tmp_path, test)


# ---- the choice


def test_the_preferred_media_worker_is_chosen_while_it_is_there_and_else_those_that_are_in_turn() -> None:
    workers = MediaWorkers(3)
    assert [workers.choose(number) for number in range(3)] == [0, 1, 2]
    workers.unlinked(1)
    assert sorted(workers.choose(1) for _ in range(4)) == [0, 0, 2, 2]
    workers.late(0)
    assert {workers.choose(number) for number in range(3)} == {2}
    workers.heard(0)
    assert workers.choose(0) == 0
    for worker in range(3):
        workers.unlinked(worker)
    assert not workers.any_there
    assert workers.choose(1) == 1
    workers.linked(2)
    assert {workers.choose(number) for number in range(3)} == {2}


def test_a_standstill_of_a_media_worker_is_known_before_what_it_read_afterwards() -> None:
    async def main() -> None:
        stage = Way()
        try:
            stage.start(0)
            stage.start(1)
            await until(lambda: stage.output.welcome)
            now = time.monotonic()
            stage.pulses[1].expect(now - 2.0)
            stage.send(1, OpenStream(7, "127.0.0.1"))
            await until(stage.opened)
            found = stage.standstills.columns(now - 3.0, now, {1})["media_stood_still"]
            assert found == pytest.approx(2.0, abs=0.01)
            assert stage.standstills.columns(now - 3.0, now, {0})["media_stood_still"] == 0.0
            assert {each.__class__ for each in stage.events} == {StreamOpened}
        finally:
            stage.close()

    asyncio.run(main())
