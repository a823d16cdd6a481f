"""Media workers that are killed or stopped: calls move to another one, digits and audio go on."""

import asyncio
import os
import signal
import time

from ..figures import Figure, Surroundings, at_least, at_most, exactly, row, told
from ..node import Node, holds, own_host, until
from ..peer import Peer, State
from .call_workers import hang_up, place, press

KEYS = "159#28"


@row(
    "media-worker-killed",
    "`answer`, 200 calls with audio, one of two media workers killed, 5 times in turn",
    "foreign peer: packets and digits by number after each kill",
    seconds=75,
    cores=0.63,
    quick=True,
)
async def killed(surroundings: Surroundings) -> list[Figure]:
    total, count = surroundings.of(200, 24), surroundings.of(5, 1)
    arguments = ["--call-workers", "2", "--media-workers", "2", "--media", "silence", "--dtmf-echo", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed)
        assert peer.media is not None
        calls = await place(peer, node, total)
        first = await press(calls, "12", 10)
        gaps, exact = [], []
        for number in range(count):
            for call in calls:
                if call.stream:
                    call.stream.restart_gap()
            name = f"media-{number % 2}"
            began = time.monotonic()
            await node.killed_and_back(name)
            await asyncio.sleep(1.5)
            silent = [call for call in calls if call.stream and began > call.stream.last]
            gaps.append(max((call.stream.gap for call in calls if call.stream), default=0.0))
            exact.append(await press(calls, KEYS, 12))
            surroundings.say(
                f"kill {number + 1}: gap {gaps[-1]:.2f} s, {exact[-1]} with exact digits, {len(silent)} silent,"
                f" {len(peer.at(State.UP))} up"
            )
            await node.ready(20)
        late = peer.media.late_most
        ended = sum(call.over for call in calls)
        moved = sum(call.updates for call in calls)
        await hang_up(peer, calls)
        refused = sum(call.bye_status >= 300 for call in calls)
        await peer.close()
        return [
            exactly("calls with exact digits before the kills", first, total),
            exactly("calls lost", ended + refused, 0),
            at_most("longest time without audio", round(max(gaps), 2), surroundings.time(1.0), "s"),
            exactly("calls whose digits after a kill were not exact", total * count - sum(exact), 0),
            told("re-INVITEs and UPDATEs", moved),
            told("latest tick of the peer, s", round(late, 3)),
        ]


@row(
    "media-worker-alone-killed",
    "`answer`, 50 calls, its only media worker killed",
    "foreign peer: the calls wait for the replacement",
    seconds=25,
    cores=0.21,
)
async def alone(surroundings: Surroundings) -> list[Figure]:
    total = surroundings.of(50, 20)
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "silence", "--dtmf-echo", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed)
        calls = await place(peer, node, total)
        for call in calls:
            if call.stream:
                call.stream.restart_gap()
        await node.killed_and_back("media-0")
        await asyncio.sleep(3.0)
        exact = await press(calls, KEYS, 10)
        gap = max((call.stream.gap for call in calls if call.stream), default=0.0)
        await hang_up(peer, calls)
        lost = sum(call.state is not State.ENDED or not call.ended_by_us for call in calls)
        await peer.close()
        return [
            exactly("calls lost", lost, 0),
            exactly("calls with exact digits after the kill", exact, total),
            at_most("longest time without audio", round(gap, 2), surroundings.time(3.5), "s"),
        ]


@row(
    "media-worker-killed-calls-begin",
    "`answer`, 40 calls/s begin while one of two media workers is killed 3 times",
    "foreign peer: no new call is refused because of it",
    seconds=35,
    cores=0.63,
)
async def calls_begin(surroundings: Surroundings) -> list[Figure]:
    from .dispatchers import calls_at, over, why

    count = surroundings.of(3, 1)
    arguments = ["--call-workers", "2", "--media-workers", "2", "--media", "silence", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        calling = asyncio.create_task(calls_at(peer, node, 40, 3.0 * (count + 1), 2.0))
        for number in range(count):
            await asyncio.sleep(2.5)
            await node.killed_and_back(f"media-{number % 2}")
        await calling
        await over(peer)
        refused = [call for call in peer.calls.values() if call.state is State.REFUSED]
        lost = [call for call in peer.calls.values() if not (call.state is State.ENDED and call.ended_by_us)]
        if lost:
            surroundings.say(why(peer))
        total = len(peer.calls)
        await peer.close()
        return [
            exactly("new calls refused", len(refused), 0),
            exactly("calls lost", len(lost), 0),
            told("calls", total),
        ]


@row(
    "media-worker-stopped",
    "`answer`, one of two media workers stopped for 4.6 s while 10 calls hang up and 10 begin",
    "foreign peer: each INVITE gets a final response, each BYE its 200; no port stays open",
    seconds=30,
    cores=0.21,
    quick=True,
)
async def stands_still(surroundings: Surroundings) -> list[Figure]:
    arguments = ["--call-workers", "1", "--media-workers", "2", "--media", "silence", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        calls = await place(peer, node, 20)
        before = node.processes()
        os.kill(before["media-0"], signal.SIGSTOP)
        try:
            new = [peer.call(node.place) for _ in range(10)]
            for call in calls[:10]:
                peer.bye(call)
            await asyncio.sleep(4.6 if not surroundings.quick else 2.5)
        finally:
            os.kill(before["media-0"], signal.SIGCONT)
        await holds(lambda: all(call.status for call in new), 5)
        unanswered = sum(not call.status for call in new)
        up = peer.at(State.UP)
        lost = 20 - 10 - len([call for call in up if call in calls])
        await hang_up(peer, up)
        open_ = len(peer.at(State.CLOSING, State.LOST))

        async def streams() -> float:
            return await node.sum_of("sipswarm_rtp_streams_active")

        left = await streams()
        deadline = time.monotonic() + 8
        while left and time.monotonic() < deadline:
            await asyncio.sleep(0.3)
            left = await streams()
        same = before == node.processes()
        refused = sum(call.status >= 300 for call in new)
        await peer.close()
        return [
            exactly("new calls without a final response", unanswered, 0),
            exactly("calls lost", lost, 0),
            exactly("BYEs without 200", open_, 0),
            exactly("streams left open", left, 0),
            exactly("processes replaced", int(not same), 0),
            at_least("new calls answered, of 10", 10 - refused - unanswered, 10),
        ]


async def answered(peer: Peer, node: Node, count: int) -> int:
    """How many of some further calls are answered."""
    calls = [peer.call(node.place) for _ in range(count)]
    await holds(lambda: all(call.status for call in calls), 5)
    up = [call for call in calls if call.state is State.UP]
    await hang_up(peer, up)
    await until(lambda: all(call.over for call in calls), 34, "their ends")
    return len(up)
