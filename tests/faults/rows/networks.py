"""Networks that lose, double, reorder, delay and corrupt: the timers of RFC 3261 repair it, and nothing else breaks."""

import asyncio
import os

from ..figures import Figure, Surroundings, at_most, exactly, row, told
from ..node import Node, own_host, until
from ..peer import Peer, State
from ..relay import Relay, Weather
from .dispatchers import calls_at, failed, over, why

ANSWER = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
LOSSES = ((0.1, 0), (0.2, 1), (0.3, 10))
"""Share of datagrams that is lost in each direction, and how many of 2,000 calls may fail for it."""


class Through:
    """What `calls_at` calls: the front of a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    @property
    def place(self) -> tuple[str, int]:
        return self._relay.place


async def calls_through(peer: Peer, relay: Relay, rate: float, calls: int, hold: float = 0.5) -> None:
    """Place calls through a relay and wait for their ends."""
    await calls_at(peer, Through(relay), rate, calls / rate, hold)
    await over(peer, 75)


@row(
    "network-loss",
    "`answer` behind networks that lose 10, 20 and 30 % in each direction, 2,000 calls each",
    "foreign peer: calls that fail; theory (200,000 calls simulated): 0, 0.2, 2.6 of 2,000",
    seconds=130,
    cores=0.49,
)
async def loss(surroundings: Surroundings) -> list[Figure]:
    calls = surroundings.of(2000, 60)
    async with Node("answer", ANSWER, surroundings.folder) as node:
        relays, peers, tasks = [], [], []
        for number, (share, _) in enumerate(LOSSES):
            weather = Weather(loss=share)
            relays.append(Relay(own_host(), node.place, weather, weather, surroundings.seed + number))
            peers.append(Peer(own_host(), seed=surroundings.seed + number, media=False))
            tasks.append(asyncio.create_task(calls_through(peers[-1], relays[-1], 40, calls)))
        await asyncio.gather(*tasks)
        figures = []
        for (share, most), peer, relay in zip(LOSSES, peers, relays, strict=True):
            bad = failed(peer)
            if bad:
                surroundings.say(f"{share:.0%}: {why(peer)}")
            surroundings.say(f"{share:.0%}: {dict(relay.counts)}")
            figures.append(at_most(f"calls that fail at {share:.0%}, of {len(peer.calls)}", bad, most))
            relay.close()
            await peer.close()
        return figures


@row(
    "network-disorder",
    "`answer` on IPv6 behind a network that doubles 40 %, reorders 20 % and delays by up to 0.2 s, 5,000 calls",
    "foreign peer: calls that fail, that come twice, that hang",
    seconds=120,
    cores=0.42,
)
async def disorder(surroundings: Surroundings) -> list[Figure]:
    calls = surroundings.of(5000, 100)
    port = 15000 + os.getpid() % 2000 * 2
    async with Node("answer", ANSWER, surroundings.folder, host="::1", port=port) as node:
        weather = Weather(duplicate=0.4, reorder=0.2, delay=(0.0, 0.2))
        relay = Relay("::1", node.place, weather, weather, surroundings.seed)
        peer = Peer("::1", seed=surroundings.seed, media=False)
        await calls_through(peer, relay, 60, calls)
        bad, twice = failed(peer), sum(bool(call.notes) for call in peer.calls.values())
        if bad:
            surroundings.say(why(peer))
        surroundings.say(str(dict(relay.counts)))
        total = len(peer.calls)
        await asyncio.sleep(1.0)
        live = await node.sum_of("sipswarm_calls_active")
        relay.close()
        await peer.close()
        return [
            exactly("calls that fail", bad, 0),
            exactly("calls with two answers", twice, 0),
            exactly("calls still live in the node", live, 0),
            told("calls", total),
        ]


@row(
    "network-delay",
    "`answer` behind a network that takes 0.6 to 2 s in each direction, 500 calls",
    "foreign peer: calls that fail, INVITEs that made two calls",
    seconds=60,
    cores=0.14,
)
async def delay(surroundings: Surroundings) -> list[Figure]:
    async with Node("answer", ANSWER, surroundings.folder) as node:
        weather = Weather(delay=(0.6, 2.0))
        relay = Relay(own_host(), node.place, weather, weather, surroundings.seed)
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await calls_through(peer, relay, 20, surroundings.of(500, 40))
        bad, twice = failed(peer), sum(bool(call.notes) for call in peer.calls.values())
        if bad:
            surroundings.say(why(peer))
        total = len(peer.calls)
        relay.close()
        await peer.close()
        return [exactly("calls that fail", bad, 0), exactly("calls with two answers", twice, 0), told("calls", total)]


@row(
    "network-corruption",
    "`answer`, 1,000 calls through a network that flips a bit of each 1,000 octets, 50 calls beside it",
    "foreign peer: the calls on the clean path; pids from /proc",
    seconds=110,
    cores=0.35,
)
async def corruption(surroundings: Surroundings) -> list[Figure]:
    calls = surroundings.of(1000, 60)
    async with Node("answer", ANSWER, surroundings.folder) as node:
        before = node.processes()
        weather = Weather(corrupt=0.001)
        relay = Relay(own_host(), node.place, weather, weather, surroundings.seed)
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        clean = Peer(own_host(), seed=surroundings.seed + 1, media=False)
        held = [clean.call(node.place) for _ in range(50)]
        await calls_through(peer, relay, 25, calls)
        up = sum(call.state is State.UP for call in held)
        for call in held:
            clean.bye(call)
        await over(clean)
        spoilt, bad = failed(peer), failed(clean)
        replaced = before != node.processes()
        tracebacks = node.errors.count("Traceback")
        surroundings.say(f"{dict(relay.counts)}; {spoilt} of {len(peer.calls)} calls spoilt: {why(peer)}")
        relay.close()
        await peer.close()
        await clean.close()
        return [
            exactly("calls on the clean path that suffer", 50 - up + bad, 0),
            exactly("processes replaced", int(replaced), 0),
            exactly("tracebacks", tracebacks, 0),
            told("calls that the corruption spoilt", spoilt),
            told("datagrams corrupted", relay.counts["corrupted"]),
        ]


@row(
    "network-black-hole",
    "`answer`, nothing passes for 10 s while 100 calls are up and 5 begin each second",
    "foreign peer: every call to its end",
    seconds=70,
    cores=0.14,
)
async def black_hole(surroundings: Surroundings) -> list[Figure]:
    seconds = 10.0 if not surroundings.quick else 3.0
    async with Node("answer", ANSWER, surroundings.folder) as node:
        relay = Relay(own_host(), node.place, Weather(), Weather(), surroundings.seed)
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        held = [peer.call(relay.place) for _ in range(100)]
        await until(lambda: all(call.state is State.UP for call in held), 20, "calls up")
        calling = asyncio.create_task(calls_at(peer, Through(relay), 5, seconds + 4, 1.0))
        await asyncio.sleep(2.0)
        relay.there = relay.back = Weather(black=True)
        await asyncio.sleep(seconds)
        relay.there = relay.back = Weather()
        await calling
        up = sum(call.state is State.UP for call in held)
        for call in held:
            peer.bye(call)
        await over(peer, 40)
        bad = failed(peer)
        if bad:
            surroundings.say(why(peer))
        relay.close()
        total = len(peer.calls)
        await peer.close()
        return [
            exactly("calls that were up and ended", 100 - up, 0),
            exactly("calls that fail", bad, 0),
            told("calls", total),
        ]
