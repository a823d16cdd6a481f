"""A media worker over its link: commands in, events out, nothing lost of what must not be, and streams that die with
their owner."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from sipswarm.actors import media_worker
from sipswarm.actors.bus.link import DealerLink, Surroundings, new_context
from sipswarm.actors.config import NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.media_worker import MediaWorker, _settings
from sipswarm.media.messages import (
    CloseStream,
    ConfigureStream,
    ExpectMedia,
    OpenStream,
    ReceivedFrame,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamStatistics,
)
from sipswarm.media.sinks import Sink

CONFIG = NodeConfig("", (), 1, rtp_ports=(35000, 35998))
WINDOW = 4096


async def until(condition: Callable[[], object], turn: Callable[[], None] = lambda: None) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        turn()
        await asyncio.sleep(0)


class Stage:
    """A media worker, and call workers of a kind."""

    def __init__(self) -> None:
        self.context = new_context()
        self.totals = Totals()
        self.worker = MediaWorker(CONFIG, 0, surroundings=self.surroundings(1, self.totals))
        self.links: list[DealerLink] = []
        self.events: list[Any] = []

    def surroundings(self, incarnation: int, totals: Totals) -> Surroundings:
        return Surroundings(incarnation, self.context, totals, asyncio.get_running_loop())

    async def owner(self, slot: int, incarnation: int = 1) -> DealerLink:
        link = DealerLink(
            self.surroundings(incarnation, Totals()),
            CONFIG.endpoint("media-0"),
            role="call",
            slot=slot,
            name="media",
            window=WINDOW,
            on_records=lambda channel, records: self.events.extend(records),
        )
        self.links.append(link)
        await until(lambda: link.welcome)
        return link

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        self.worker.close()
        for link in self.links:
            link.close()
        self.context.term()


def run(scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage()
        try:
            await scene(stage)
        finally:
            stage.close()

    asyncio.run(main())


def test_a_stream_is_opened_counted_and_closed() -> None:
    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send((OpenStream(1, "127.0.0.1"), OpenStream(1, "127.0.0.1"), OpenStream(2, "nowhere")))
        await until(lambda: len(stage.events) == 3)
        opened = stage.of(StreamOpened)[0]
        assert 35000 <= opened.rtp_port <= 35998
        assert opened.rtp_port % 2 == 0
        assert {event.reason for event in stage.of(StreamRefused)} == {"duplicate", "bad_address"}
        assert stage.worker.update_gauges() == 1
        assert any(name == "sipswarm_rtp_streams_active" for name, _, _ in stage.totals.snapshot())
        assert owner.send((CloseStream(1),))
        await until(lambda: stage.of(StreamClosed))
        assert stage.worker.update_gauges() == 0

    run(scene)


def test_two_owners_may_use_the_same_stream_id() -> None:
    async def scene(stage: Stage) -> None:
        for slot in (0, 1):
            link = await stage.owner(slot)
            assert link.send((OpenStream(1, "127.0.0.1"),))
        await until(lambda: len(stage.of(StreamOpened)) == 2)
        assert len({event.rtp_port for event in stage.of(StreamOpened)}) == 2

    run(scene)


def test_streams_wait_for_the_next_incarnation_of_their_owner_and_events_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media_worker, "HOLD", 0.5)

    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send([OpenStream(number, "127.0.0.1") for number in range(5)])
        await until(lambda: len(stage.of(StreamOpened)) == 5)
        owner.acknowledge_soon()
        channel = stage.worker._link.channels["call", 0]
        await until(lambda: channel.acknowledged == channel.sent)
        stage.worker.worker_down("dispatcher", 0, 1)
        owner.close()
        stage.links.remove(owner)
        stage.worker.worker_down("call", 0, 1)
        assert stage.worker.update_gauges() == 5
        stage.events.clear()
        stage.worker.engine.handle(0, CloseStream(4), time.monotonic())  # what happens in between
        stage.worker._flush()
        next_one = await stage.owner(0, 2)
        await until(lambda: stage.of(StreamClosed))
        assert [event.stream_id for event in stage.of(StreamClosed)] == [4]
        assert next_one.send((ExpectMedia(1), OpenStream(9, "127.0.0.1"), ExpectMedia(2)))
        await until(lambda: stage.worker.update_gauges() == 5)
        await until(lambda: stage.worker.update_gauges() == 3)
        assert stage.worker.engine.streams_of(0) == {1, 2, 9}
        await until(lambda: len(stage.of(StreamClosed)) == 3)
        assert sorted(event.stream_id for event in stage.of(StreamClosed)) == [0, 3, 4]

    run(scene)


def test_events_that_a_dead_call_worker_had_not_acknowledged_go_to_the_next_one() -> None:
    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send([OpenStream(number, "127.0.0.1") for number in range(3)])
        await until(lambda: len(stage.of(StreamOpened)) == 3)
        owner.acknowledge_soon()
        channel = stage.worker._link.channels["call", 0]
        await until(lambda: channel.acknowledged == channel.sent)
        for number in (2, 0):
            stage.worker.engine.handle(0, CloseStream(number), time.monotonic())
            stage.worker._flush()  # sent, and never read
        owner.close()
        stage.links.remove(owner)
        stage.worker.worker_down("call", 0, 1)
        stage.events.clear()
        await stage.owner(0, 2)
        await until(lambda: len(stage.events) >= 2)
        assert [event.stream_id for event in stage.events] == [2, 0]

    run(scene)


def test_the_figures_of_open_streams_are_sent_once_before_the_end_and_their_receipt_is_awaited() -> None:
    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send((OpenStream(1, "127.0.0.1"), OpenStream(2, "127.0.0.1"), CloseStream(2)))
        await until(lambda: stage.of(StreamClosed))
        assert not stage.worker.settle()
        assert not stage.worker.settle()
        await until(stage.worker.settle)
        assert [event.stream_id for event in stage.of(StreamStatistics)] == [1]

    run(scene)


def test_news_of_the_end_that_comes_late_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_worker, "HOLD", 0.2)

    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send((OpenStream(1, "127.0.0.1"),))
        await until(lambda: stage.worker.update_gauges() == 1)
        replacement = await stage.owner(0, 2)
        assert replacement.send((ExpectMedia(1), OpenStream(9, "127.0.0.1")))
        await until(lambda: stage.worker.update_gauges() == 2)
        stage.worker.worker_down("call", 0, 1)
        await asyncio.sleep(0.5)
        assert stage.worker.engine.streams_of(0) == {1, 9}

    run(scene)


def test_streams_of_an_owner_that_is_not_replaced_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_worker, "RETURN", 0.2)

    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send([OpenStream(number, "127.0.0.1") for number in range(5)])
        await until(lambda: stage.worker.update_gauges() == 5)
        stage.worker.worker_down("call", 0, 1)
        assert stage.worker.update_gauges() == 5
        await until(lambda: stage.worker.update_gauges() == 0)

    run(scene)


def test_a_stream_that_is_configured_sends_on_the_tick() -> None:
    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        assert owner.send((OpenStream(1, "127.0.0.1"), OpenStream(2, "127.0.0.1")))
        await until(lambda: len(stage.of(StreamOpened)) == 2)
        ports = {event.stream_id: event.rtp_port for event in stage.of(StreamOpened)}
        for one, other in ((1, 2), (2, 1)):
            command = ConfigureStream(one, remote_address="127.0.0.1", remote_port=ports[other], source=("silence",))
            assert owner.send((command,))
        deadline = asyncio.get_running_loop().time() + 0.3
        await until(lambda: asyncio.get_running_loop().time() > deadline)
        assert owner.send((CloseStream(1), CloseStream(2)))
        await until(lambda: len(stage.of(StreamClosed)) == 2)
        assert all(event.statistics.packets_received > 0 for event in stage.of(StreamClosed))

    run(scene)


def test_media_workers_share_the_ports_without_overlap() -> None:
    config = NodeConfig("", (), 1, media_workers=3, rtp_ports=(20000, 32766))
    ranges = [(_settings(config, slot).port_first, _settings(config, slot).port_last) for slot in range(3)]
    assert ranges[0][0] == 20000
    assert ranges[-1][1] <= 32767
    for (_, last), (first, _) in pairwise(ranges):
        assert first == last + 1
        assert first % 2 == 0


class FaultySink(Sink):
    """A receiver of audio with a fault of our own code."""

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        raise ZeroDivisionError


def test_what_fails_for_every_packet_of_a_peer_is_logged_once_and_stops_no_other_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(stage: Stage) -> None:
        owner = await stage.owner(0)
        numbers = range(1, 5)
        assert owner.send([OpenStream(number, "127.0.0.1") for number in numbers])
        await until(lambda: len(stage.of(StreamOpened)) == len(numbers))
        ports = {event.stream_id: event.rtp_port for event in stage.of(StreamOpened)}
        for one, other in ((1, 2), (2, 1), (3, 4), (4, 3)):
            command = ConfigureStream(one, remote_address="127.0.0.1", remote_port=ports[other], source=("silence",))
            assert owner.send((command,))
        stream = stage.worker.engine._endpoints[(0, 1)].stream
        await until(lambda: stream.receiver.received > 2)
        stream.set_sink(FaultySink(), ())
        before = stream.receiver.received
        await until(lambda: stream.receiver.received > before + 20)
        assert owner.send([CloseStream(number) for number in numbers])
        await until(lambda: len(stage.of(StreamClosed)) == len(numbers))
        received = {event.stream_id: event.statistics.packets_received for event in stage.of(StreamClosed)}
        assert min(received.values()) > 20

    run(scene)
    failures = [record for record in caplog.records if record.exc_info]
    assert [record.name for record in failures] == ["sipswarm.actors.diagnosis.crash_log"]
