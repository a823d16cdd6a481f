"""What becomes of each record between processes: acknowledged, refused to its sender, or expired; nothing else."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipswarm.actors.bus import kinds, link, wire
from sipswarm.actors.bus.link import (
    MAX_AGE,
    RECORDS_PER_FRAME,
    TURN_TIME,
    Channel,
    DealerLink,
    RouterLink,
    Surroundings,
    new_context,
)
from sipswarm.actors.bus.messages import Drain, Hello, SipReceived, Snapshot
from sipswarm.actors.counting.totals import Totals
from sipswarm.media.messages import CloseStream

RECORDS = "sipswarm_bus_records_total"
DATAGRAM = SipReceived(0, 0, "127.0.0.1", 5060, b"OPTIONS sip:a@b SIP/2.0\r\n\r\n")
OF_CONNECTION = DATAGRAM._replace(flow=7)
PATIENCE = 60.0


async def until(condition: Callable[[], object], turn: Callable[[], None] = lambda: None) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        turn()
        await asyncio.sleep(0)


class Pair:
    """A router that sends, and the consumers that come and go."""

    def __init__(self, endpoint: str, window: int = 256) -> None:
        self.endpoint = endpoint
        self.context = new_context()
        self.loop = asyncio.get_running_loop()
        self.totals = Totals()
        self.lost: list[Any] = []
        self.taken: list[Any] = []
        self.open: list[Any] = []
        self.router = RouterLink(
            self.surroundings(1, self.totals),
            endpoint,
            role="dispatcher",
            name="sip",
            window=window,
            on_records=lambda channel, records: None,
            on_lost=lambda channel, records: self.lost.extend(records),
        )
        self.open.append(self.router)

    def surroundings(self, incarnation: int, totals: Totals) -> Surroundings:
        return Surroundings(incarnation, self.context, totals, self.loop)

    def consumer(self, incarnation: int = 1, window: int = 256) -> DealerLink:
        made = DealerLink(
            self.surroundings(incarnation, Totals()),
            self.endpoint,
            role="call",
            slot=0,
            name="sip",
            window=window,
            on_records=lambda channel, records: self.taken.extend(records),
        )
        self.open.append(made)
        return made

    @property
    def channel(self) -> Channel:
        return self.router.channels["call", 0]

    def fates(self, kind: str) -> dict[str, int]:
        return {
            labels[1]: int(values[0])
            for name, labels, values in self.totals.snapshot()
            if name == RECORDS and labels[0] == kind
        }

    def difference(self, kind: str) -> int:
        fates = Counter(self.fates(kind))
        return fates["offered"] - fates["acknowledged"] - fates["refused"] - fates["expired"]

    def close(self) -> None:
        for each in self.open:
            each.close()
        self.context.term()


def run(path: Path, scene: Callable[[Pair], Awaitable[None]], window: int = 256) -> None:
    async def main() -> None:
        pair = Pair(f"ipc://{path}/test.sock", window)
        try:
            await scene(pair)
        finally:
            pair.close()

    asyncio.run(main())


def test_every_class_of_record_has_its_kind_and_only_datagrams_may_expire() -> None:
    for record in wire.SCHEMA.values():
        values = {int: 1, str: "", bytes: b"", float: 0.0, bool: False}
        made = record._make(values.get(kind, ()) for kind in wire._field_types(record))  # type: ignore[attr-defined]
        kind = kinds.kind_of(made)
        assert kind in kinds.KINDS
        assert not kinds.may_expire(made)
        module = record.__module__.rpartition(".")[0]
        assert kind.startswith("media_") == module.endswith("media"), record
    assert kinds.may_expire(DATAGRAM)
    assert not kinds.may_expire(OF_CONNECTION)
    assert {kinds.kind_of(each) for each in (DATAGRAM, OF_CONNECTION)} == {kinds.DATAGRAM, kinds.CONNECTION}
    assert kinds.kind_of(CloseStream(1)) == "media_command"
    assert kinds.kind_of(Snapshot(1, 0.0, 0, ())) == "snapshot"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hundred_thousand_records_are_acknowledged_refused_or_expired_over_deaths_pauses_and_slow_readers(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MAX_AGE", 0.02)  # so that datagrams expire within the test

    async def scene(pair: Pair) -> None:
        random = Random(seed)
        offered: Counter[str] = Counter()
        refused_at_once = 0
        incarnation = 1
        consumer = pair.consumer(incarnation)
        await until(lambda: consumer.welcome)
        samples = (DATAGRAM, OF_CONNECTION, Drain(1.0), CloseStream(1))
        while sum(offered.values()) < 50_000:
            records = [random.choice(samples) for _ in range(random.randint(1, 200))]
            offered.update(map(kinds.kind_of, records))
            if not pair.router.send(pair.channel, records):
                refused_at_once += len(records)
                await asyncio.sleep(0)
            fate = random.random()
            if fate < 0.02:  # it stands still
                pair.loop.remove_reader(consumer._descriptor)
                await asyncio.sleep(0.03)
                pair.loop.add_reader(consumer._descriptor, consumer._drain)
                consumer._schedule_drain_if_readable()
            elif fate < 0.03:  # it dies
                consumer.close()
                pair.router.forget("call", 0, incarnation)
                incarnation += 1
                consumer = pair.consumer(incarnation)
                await until(lambda: pair.router.channels.get(("call", 0)) is not None and pair.open[-1].welcome)
        await until(lambda: not pair.channel.under_way)
        assert not any(pair.difference(kind) for kind in kinds.KINDS)
        # the Welcomes are control records that the link itself offers
        assert pair.fates("control").pop("offered") == offered["control"] + incarnation
        for kind in ("sip_datagram", "sip_connection", "media_command"):
            fates = pair.fates(kind)
            assert fates["offered"] == offered[kind]
            assert fates["acknowledged"] > 100
            assert fates["refused"] > 100
            assert ("expired" in fates) == (kind == "sip_datagram")
        assert pair.fates("sip_datagram")["expired"] > 10
        # what was given back is every refused record that had been sent, in its order
        total_refused = sum(pair.fates(kind).get("refused", 0) for kind in kinds.KINDS)
        assert total_refused == refused_at_once + len(pair.lost)
        acknowledged = sum(pair.fates(kind).get("acknowledged", 0) for kind in kinds.KINDS)
        # a consumer that died may have handled records that it could not acknowledge any more
        assert acknowledged - incarnation <= len(pair.taken) <= acknowledged + len(pair.lost)

    run(tmp_path, scene)


def test_a_consumer_that_stands_still_handles_everything_in_order_when_it_wakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(pair: Pair) -> None:
        consumer = pair.consumer()
        await until(lambda: consumer.welcome)
        pair.loop.remove_reader(consumer._descriptor)
        clock = time.monotonic
        for number in range(100):
            assert pair.router.send(pair.channel, (Drain(float(number)), OF_CONNECTION))
        assert pair.channel.silent_for(clock() + 4.6) > 4.0
        monkeypatch.setattr("sipswarm.actors.bus.link.time", _Later(4.6))
        pair.loop.add_reader(consumer._descriptor, consumer._drain)
        consumer._schedule_drain_if_readable()
        await until(lambda: len(pair.taken) == 200)
        assert [each.within for each in pair.taken[::2]] == [float(number) for number in range(100)]
        await until(lambda: not pair.channel.under_way)
        assert pair.channel.silent_for(clock()) == 0.0

    run(tmp_path, scene)


class _Later:
    """The clock of a process that was stopped."""

    def __init__(self, by: float) -> None:
        self._by = by

    def monotonic(self) -> float:
        return time.monotonic() + self._by


def test_what_a_dead_consumer_did_not_acknowledge_is_given_back_in_order(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        consumer = pair.consumer()
        await until(lambda: consumer.welcome)
        pair.loop.remove_reader(consumer._descriptor)
        await until(lambda: not pair.channel.under_way)
        records = [CloseStream(number) for number in range(300)]
        assert pair.router.post(pair.channel, records)  # more than its window: the rest waits
        assert pair.router.send(pair.channel, records[:1]) is False  # and nothing overtakes it
        assert not pair.lost
        consumer.close()
        assert pair.router.forget("call", 0, 1)
        assert pair.lost == records
        assert pair.fates("media_command") == {"offered": 301, "refused": 301}

    run(tmp_path, scene)


def test_what_is_posted_waits_for_room_in_order_and_is_refused_beyond_as_many_again(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        consumer = pair.consumer()
        await until(lambda: consumer.welcome)
        await until(lambda: not pair.channel.under_way)
        pair.loop.remove_reader(consumer._descriptor)
        posted = [pair.router.post(pair.channel, (Drain(float(number)),)) for number in range(513)]
        assert posted == [True] * 512 + [False]
        pair.loop.add_reader(consumer._descriptor, consumer._drain)
        consumer._schedule_drain_if_readable()
        await until(lambda: len(pair.taken) == 512)
        assert [each.within for each in pair.taken] == [float(number) for number in range(512)]
        await until(lambda: not pair.channel.under_way)
        assert pair.difference("control") == 0

    run(tmp_path, scene)


def test_what_a_dealer_posts_before_its_peer_is_there_goes_to_the_next_one(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        got: list[Any] = []
        endpoint = f"ipc://{tmp_path}/late.sock"
        dealer = DealerLink(
            pair.surroundings(1, pair.totals),
            endpoint,
            role="call",
            slot=0,
            name="sip",
            window=16,
            on_records=lambda channel, records: None,
        )
        pair.open.append(dealer)
        assert dealer.post([Drain(float(number)) for number in range(16)])
        assert not dealer.post((Drain(17.0),))
        assert not dealer.send((Drain(18.0),))
        router = RouterLink(
            pair.surroundings(1, Totals()),
            endpoint,
            role="dispatcher",
            name="sip",
            window=16,
            on_records=lambda channel, records: got.extend(records),
        )
        pair.open.append(router)
        await until(lambda: len(got) == 16)
        assert [each.within for each in got] == [float(number) for number in range(16)]
        assert not router.post(Channel(b"nobody", 16), (Drain(1.0),))

    run(tmp_path, scene)


def test_acknowledgements_come_soon_without_any_traffic_back(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        consumer = pair.consumer()
        await until(lambda: consumer.welcome)
        assert pair.router.send(pair.channel, (CloseStream(1),))
        began = time.monotonic()
        await until(lambda: not pair.channel.under_way)
        assert time.monotonic() - began < 5.0

    run(tmp_path, scene)


def test_a_frame_has_a_bound_of_records_and_a_turn_one_of_time(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        turns: list[int] = []
        frames: list[int] = []

        def take(channel: Channel, records: list[Any]) -> None:
            frames.append(len(records))
            time.sleep(TURN_TIME * 1.2)  # slow work on each frame

        consumer = DealerLink(
            pair.surroundings(1, Totals()),
            pair.endpoint,
            role="call",
            slot=0,
            name="sip",
            window=2000,
            on_records=take,
            on_drained=lambda: turns.append(len(frames)),
        )
        pair.open.append(consumer)
        await until(lambda: consumer.welcome)
        assert pair.router.send(pair.channel, [DATAGRAM] * 1000)
        await until(lambda: sum(frames) == 1000)
        await until(lambda: turns[-1] == len(frames))
        assert max(frames) == RECORDS_PER_FRAME
        assert all(later - earlier <= 1 for earlier, later in pairwise(turns))

    run(tmp_path, scene, window=2000)


def test_records_of_a_frame_that_cannot_be_read_are_not_taken_for_handled(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        consumer = pair.consumer()
        await until(lambda: consumer.welcome)
        await until(lambda: not pair.channel.under_way)
        before = sum(pair.fates("control").values())
        spoiled = pair.channel
        spoiled.add([DATAGRAM, DATAGRAM], time.monotonic())
        pair.router._counts.offered([DATAGRAM, DATAGRAM])
        pair.router._socket.send_multipart((spoiled.identity, b"spoiled"))
        assert pair.router.send(spoiled, (Drain(1.0), OF_CONNECTION))
        await until(lambda: not spoiled.under_way)
        assert pair.fates("sip_datagram") == {"offered": 2, "expired": 2}
        assert pair.fates("sip_connection") == {"offered": 1, "acknowledged": 1}
        assert sum(pair.fates("control").values()) == before + 2

    run(tmp_path, scene)


def test_a_hello_alone_is_never_under_way() -> None:
    channel = Channel(b"", 16)
    channel.restart(1)
    channel.add([Hello("call", 0, 1)], 5.0)
    assert channel.silent_for(6.5) == 1.5
    assert channel.settle(0, 0) == ([], 0)
    frames, late = channel.settle(1, 0)
    assert [list(frame.records) for frame in frames] == [[Hello("call", 0, 1)]]
    assert late == 0
    assert channel.silent_for(6.5) == 0.0
    assert MAX_AGE > 5.0  # beyond the limit of a hang, so that a process that wakes before it loses nothing
