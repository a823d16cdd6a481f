"""Links whose connection is closed, or carries nothing more: both ends go on, and every record arrives once."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipswarm.actors.bus import watch
from sipswarm.actors.bus.channel import Channel
from sipswarm.actors.bus.link import DealerLink, RouterLink, Surroundings, new_context
from sipswarm.actors.bus.messages import Drain
from sipswarm.actors.counting.totals import Totals

from .cuttable import Cuttable, cuttable

PATIENCE = 60.0
RECORDS = "sipswarm_bus_records_total"


async def until(condition: Callable[[], object], turn: Callable[[], None] = lambda: None) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        turn()
        await asyncio.sleep(0.001)


class Ends:
    """A router and a dealer with a relay between them, and what each has taken."""

    def __init__(self, folder: Path, relay: Cuttable) -> None:
        self.relay = relay
        self.folder = folder
        self.context = new_context()
        self.totals = {"router": Totals(), "dealer": Totals()}
        self.taken: dict[str, list[float]] = {"router": [], "dealer": []}
        self.routers: list[RouterLink] = []
        self.lost: list[Any] = []
        self.welcomes = 0
        self.start_router(1)
        self.dealer = DealerLink(
            self.surroundings(1, "dealer"),
            f"ipc://{folder}/relay.sock",
            role="call",
            slot=0,
            name="sip",
            window=512,
            on_records=partial(self.take, "dealer"),
            on_welcome=self.welcomed,
            on_lost=lambda channel, records: self.lost.extend(records),
        )

    def surroundings(self, incarnation: int, end: str) -> Surroundings:
        return Surroundings(incarnation, self.context, self.totals[end], asyncio.get_running_loop())

    def start_router(self, incarnation: int) -> None:
        self.routers.append(
            RouterLink(
                self.surroundings(incarnation, "router"),
                f"ipc://{self.folder}/router.sock",
                role="dispatcher",
                name="sip",
                window=512,
                on_records=partial(self.take, "router"),
                on_lost=lambda channel, records: self.lost.extend(records),
            )
        )

    @property
    def router(self) -> RouterLink:
        return self.routers[-1]

    @property
    def channel(self) -> Channel:
        return self.router.channels["call", 0]

    def take(self, end: str, channel: Channel, records: list[Any]) -> None:
        self.taken[end] += [each.within for each in records]

    def welcomed(self) -> None:
        self.welcomes += 1

    def send(self, way: str, number: float) -> bool:
        record = (Drain(number),)
        return self.dealer.send(record) if way == "there" else self.router.send(self.channel, record)

    def fates(self, end: str) -> Counter[str]:
        return Counter(
            {labels[1]: int(values[0]) for name, labels, values in self.totals[end].snapshot() if name == RECORDS}
        )

    def close(self) -> None:
        for each in (self.dealer, *self.routers):
            each.close()
        self.context.term()


def run(folder: Path, scene: Callable[[Ends], Awaitable[None]]) -> None:
    async def main() -> None:
        async with cuttable(f"{folder}/relay.sock", f"{folder}/router.sock") as relay:
            ends = Ends(folder, relay)
            try:
                await until(lambda: ends.dealer.welcome and not ends.channel.under_way)
                await scene(ends)
            finally:
                ends.close()

    asyncio.run(main())


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("fault", ["is cut", "is silent there", "is silent back"])
def test_what_a_connection_took_with_it_arrives_on_the_next_one_without_any_further_record(
    tmp_path: Path, fault: str, way: str
) -> None:
    async def scene(ends: Ends) -> None:
        end = "router" if way == "there" else "dealer"
        if fault == "is cut":
            assert all(ends.send(way, float(number)) for number in range(200))
            ends.relay.cut()
        else:
            ends.relay.silence(fault.split()[-1])
            assert all(ends.send(way, float(number)) for number in range(200))
        await until(lambda: len(ends.taken[end]) == 200)
        assert ends.taken[end] == [float(number) for number in range(200)]
        await until(lambda: not ends.dealer.channel.under_way and not ends.channel.under_way)
        assert ends.relay.connections == 2
        assert ends.welcomes == 1
        assert not ends.lost
        for fates in map(ends.fates, ("router", "dealer")):
            assert fates["offered"] == fates["acknowledged"]

    run(tmp_path, scene)


def test_an_idle_link_whose_connection_carries_nothing_more_gets_another_one(tmp_path: Path) -> None:
    async def scene(ends: Ends) -> None:
        ends.relay.silence("back")
        await until(lambda: ends.relay.connections == 2)
        await until(lambda: not ends.dealer.channel.asked_at)
        assert ends.welcomes == 1

    run(tmp_path, scene)


@pytest.mark.parametrize("idle", [False, True])
def test_the_process_behind_the_same_path_is_found_by_whoever_sent_to_the_one_before(
    tmp_path: Path, idle: bool
) -> None:
    async def scene(ends: Ends) -> None:
        if not idle:
            ends.relay.silence("there")  # the record is lost with the old process
            assert ends.send("there", 1.0)
        ends.router.close()
        ends.start_router(2)
        if not idle:
            ends.relay.cut()
        await until(lambda: ends.welcomes == 2)
        assert ends.dealer.channel.incarnation == 2
        assert ends.lost == ([] if idle else [Drain(1.0)])
        assert ends.send("there", 2.0)
        await until(lambda: bool(ends.taken["router"]))
        assert ends.taken["router"] == [2.0]

    run(tmp_path, scene)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_record_that_was_taken_arrives_once_and_in_order_over_many_lost_connections(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK", 0.05)
    monkeypatch.setattr(watch, "PATIENCE", 0.1)
    monkeypatch.setattr(watch, "MOST_PATIENCE", 0.1)

    async def scene(ends: Ends) -> None:
        random = Random(seed)
        sent: dict[str, list[float]] = {"there": [], "back": []}
        number = cuts = 0
        while cuts < 40:
            for _ in range(random.randint(1, 60)):
                number += 1
                way = random.choice(("there", "back"))
                if ends.send(way, float(number)):
                    sent[way].append(float(number))
            await asyncio.sleep(random.choice((0.0, 0.001, 0.01)))
            chance = random.random()
            if chance < 0.1:
                cuts += 1
                ends.relay.cut()
            elif chance < 0.13:
                cuts += 1
                ends.relay.silence(random.choice(("there", "back")))
        await until(lambda: len(ends.taken["router"]) == len(sent["there"]))
        await until(lambda: len(ends.taken["dealer"]) == len(sent["back"]))
        await until(lambda: not ends.dealer.channel.under_way and not ends.channel.under_way)
        assert ends.taken == {"router": sent["there"], "dealer": sent["back"]}
        assert min(len(numbers) for numbers in sent.values()) > 500
        assert ends.relay.connections > 10
        for fates in map(ends.fates, ("router", "dealer")):
            assert fates["offered"] == fates["acknowledged"] + fates["refused"]
            assert fates["expired"] == 0
        assert ends.welcomes == 1
        assert not ends.lost

    run(tmp_path, scene)
