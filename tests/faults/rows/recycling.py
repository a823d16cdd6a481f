"""Processes that are replaced on purpose: all of them in turn, and those that have grown."""

import asyncio
import signal
import time
from typing import Final

from ..figures import Figure, Surroundings, at_least, at_most, exactly, row, told
from ..node import Node, holds, own_host, resident
from ..peer import Peer, State
from .call_workers import hang_up, keep_pressing, place, press, same, script

REPLACED: Final = "sipswarm_process_restarts_total"
LIMIT_MIB: Final = 150
WITHIN: Final = 150.0
"""Seconds in which all processes are replaced, on a busy machine too: a turn may wait for the starter."""
GROWS: Final = """
kept = []

async def robot(call):
    await call.answer()
    kept.append(bytes([1]) * (STEP << 20))
    await call.over()
"""


@row(
    "rolling-restart",
    "`answer`, 2 call workers, 500 calls, SIGRTMIN replaces all processes while 5 calls a second come",
    "foreign peer: digits, answers to its BYEs, final responses to its INVITEs",
    seconds=90,
    cores=0.6,
)
async def rolling(surroundings: Surroundings) -> list[Figure]:
    total = surroundings.of(500, 40)
    arguments = ["--media", "silence", "--dtmf-echo", "--call-workers", "2", "--media-workers", "1", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        caller = Peer(own_host(), seed=surroundings.seed + 1, media=False)
        await place(peer, node, total)
        up = peer.at(State.UP)
        before = {name: pid for name, pid in node.processes().items() if name != "supervisor"}
        typing: asyncio.Task[None] | None = None
        node.signal(signal.SIGRTMIN)
        began, new = time.monotonic(), []
        while time.monotonic() - began < WITHIN:
            new.append(caller.call(node.place))
            await asyncio.sleep(0.2)
            if (
                typing is None and await node.sum_of("sipswarm_calls_moved_media_total") >= total
            ):  # a gap may lose digits
                typing = asyncio.create_task(keep_pressing(up, 2.0))
            if await node.sum_of(REPLACED, reason="rolling") >= len(before):
                break
        took = time.monotonic() - began
        await node.ready(20)
        if typing is not None:
            typing.cancel()
        await holds(lambda: all(same(call) for call in up), 10, every=0.2)
        wrong = sum(not same(call) for call in up)
        exact = await press(up, "5", 15)
        await holds(lambda: all(call.state is State.UP or call.over for call in new), 34)
        refused = sum(call.status >= 300 for call in new)
        unanswered = len(new) - refused - len(caller.at(State.UP))
        ended = sum(call.over for call in up)
        after = node.processes()
        overload = await node.sum_of("sipswarm_sip_refused_total", reason="overload")
        await hang_up(peer, up)
        await hang_up(caller, caller.at(State.UP))
        bad = sum(call.bye_status >= 300 for call in up)
        await peer.close()
        await caller.close()
        return [
            exactly("calls that were answered", len(up), total),
            exactly("processes that are the same as before", sum(after.get(n) == p for n, p in before.items()), 0),
            exactly("calls lost", ended + bad, 0),
            exactly("calls with other digits than were sent since their media moved", wrong, 0),
            exactly("calls whose media moved", total if typing is not None else 0, total),
            exactly("calls that echo digits afterwards", exact, total),
            exactly("new calls without a final response", unanswered, 0),
            exactly("new calls that are refused, but for the load of this machine", max(0, refused - overload), 0),
            told("new calls in all", len(new)),
            told("seconds for all processes", round(took, 1)),
        ]


@row(
    "memory-limit",
    f"`robot` without `resume` that grows with each call, 2 call workers, `--memory-limit {LIMIT_MIB}M`",
    "foreign peer: how each call ended; the kernel: resident memory of the processes",
    seconds=60,
    cores=0.6,
)
async def memory(surroundings: Surroundings) -> list[Figure]:
    seconds, hold = surroundings.of(45, 18), 1.0
    step = surroundings.of(1, 2)  # MiB: within a minute of its replacement a worker is not replaced again
    file = script(surroundings.folder, GROWS.replace("STEP", str(step)))
    arguments = [file, "--call-workers", "2", "--media-workers", "1", "--memory-limit", f"{LIMIT_MIB}M", "--quiet"]
    async with Node("robot", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        calls, largest, began = [], 0, time.monotonic()
        while time.monotonic() - began < seconds:
            calls.append(peer.call(node.place))
            await asyncio.sleep(0.1)
            now = time.monotonic()
            for call in peer.at(State.UP):
                if now - call.answered > hold:
                    peer.bye(call)
            largest = max([largest, *map(resident, node.pids("call"))])
        await holds(lambda: not peer.at(State.CALLING, State.RINGING), 34)
        await hang_up(peer, peer.at(State.UP))
        replaced = await node.sum_of(REPLACED, reason="memory")
        died = await node.sum_of(REPLACED, reason="crash") + await node.sum_of(REPLACED, reason="oom")
        refused = sum(call.status == 503 for call in calls)
        lost = [call for call in calls if call.status != 503 and not (call.state is State.ENDED and call.ended_by_us)]
        for call in lost:
            surroundings.say(f"a call of {call.ended - began:.2f} s: {call.state}, {call.status}, {call.reason}")
        surroundings.say(node.errors)
        await peer.close()
        return [
            exactly("calls that end otherwise than by their caller", len(lost), 0),
            at_least("call workers replaced", replaced, 1),
            exactly("processes that died", died, 0),
            at_most("largest call worker", round(largest / (1 << 20)), 2 * LIMIT_MIB, "MiB"),
            at_least("calls that were answered", round(100 * (len(calls) - refused) / len(calls), 1), 70, "%"),
            told("calls in all", len(calls)),
            told("calls refused with 503", refused),
        ]
