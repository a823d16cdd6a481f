"""Processes that stand still, one kind or all at once: a judge by the clock must ask whether it stood still too."""

import asyncio
import time
from collections.abc import Sequence

from ..figures import Figure, Surroundings, exactly, row, told
from ..node import Node, holds, own_host, stopped
from ..peer import Peer, State
from ..results import placed_calls
from .call_workers import hang_up, place, press

PAUSES = (2.0, 4.5, 7.0, 30.0)
HANG = 5.0
"""Seconds after which a process that stands still alone is replaced."""
BETWEEN = 4.0


async def paused(surroundings: Surroundings, kind: str, pauses: Sequence[float]) -> list[Figure]:
    """Stop the processes of a kind while calls are up; a process alone beyond the hang time is to be replaced."""
    total = 20
    arguments = ["--call-workers", "2", "--media-workers", "2", "--media", "silence", "--dtmf-echo", "--quiet"]
    async with Node("answer", [*arguments, "--rtp-timeout", "60s"], surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        killed = lost = unanswered = wrong = 0
        for pause in pauses:
            calls = await place(peer, node, total)
            before = node.processes()
            pids = node.pids(kind)
            with stopped(pids if kind in ("all", "supervisor") else pids[:1]):
                await asyncio.sleep(pause)
            await asyncio.sleep(BETWEEN)
            hang = kind in ("dispatcher", "call", "media") and pause > HANG
            after = node.processes()
            changed = [name for name, pid in before.items() if after.get(name) != pid]
            killed += len(changed) - (1 if hang and changed else 0)
            if node.exit_code is not None:
                surroundings.say(f"{kind} {pause:g} s: the node ended with {node.exit_code}")
                lost += total
                break
            await node.ready(20)
            exact = await press(peer.at(State.UP), "7", 6)
            wrong += len(peer.at(State.UP)) - exact
            up = peer.at(State.UP)
            lost += total - len(up)
            await hang_up(peer, up)
            unanswered += len([call for call in calls if call.bye_status >= 300])
            surroundings.say(f"{kind} {pause:g} s: replaced {changed}, {len(up)} of {total} up, {exact} exact digits")
        await peer.close()
        return [
            exactly(f"pauses of {kind}: healthy processes killed", killed, 0),
            exactly(f"pauses of {kind}: calls lost", lost, 0),
            exactly(f"pauses of {kind}: BYEs refused or unanswered", unanswered, 0),
            exactly(f"pauses of {kind}: calls whose digits do not come back", wrong, 0),
        ]


def _register(kind: str, about: str, quick: bool) -> None:
    @row(
        f"pause-{kind}",
        f"`answer` with 20 calls, {about} stopped for 2, 4.5, 7 and 30 s",
        "pids from /proc; foreign peer: digits and BYEs after each pause",
        seconds=90,
        cores=0.14,
        quick=quick,
    )
    async def pause(surroundings: Surroundings) -> list[Figure]:
        return await paused(surroundings, kind, (7.0,) if surroundings.quick else PAUSES)


_register("supervisor", "the supervisor", True)
_register("all", "every process", True)
_register("dispatcher", "the dispatcher", False)
_register("call", "one of two call workers", False)
_register("media", "one of two media workers", False)


async def load_paused(surroundings: Surroundings, kind: str, pauses: Sequence[float]) -> list[Figure]:
    """Stop the processes of a load of 20 calls/s: no record may vanish."""
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    out = surroundings.folder / f"results-{kind}"
    seconds = sum(pauses) + BETWEEN * (len(pauses) + 1)
    arguments = [
        f"sip:uas@{peer.address}", "-r", "20", "--duration", f"{seconds:g}s", "-d", "1s", "--out", str(out),
        "--call-workers", "2", "--media-workers", "1", "--quiet",
    ]  # fmt: skip
    async with Node("load", arguments, surroundings.folder, listen=()) as node:
        await holds(lambda: len(peer.calls) > 10, 40)
        killed = 0
        for pause in pauses:
            before = node.processes()
            pids = node.pids(kind)
            with stopped(pids if kind in ("all", "supervisor") else pids[:1]):
                await asyncio.sleep(pause)
            await asyncio.sleep(BETWEEN)
            changed = [name for name, pid in before.items() if node.processes().get(name) != pid]
            hang = kind not in ("all", "supervisor") and pause > HANG
            killed += 0 if node.exit_code is not None else len(changed) - (1 if hang and changed else 0)
            surroundings.say(f"load, {kind} {pause:g} s: replaced {changed}, {len(peer.calls)} calls")
        await node.ended(seconds + 45)
        began = time.monotonic()
        await holds(lambda: not peer.at(State.UP, State.RINGING), 5)
        unmatched = len(placed_calls(out) ^ set(peer.calls))
        left = len(peer.at(State.UP, State.RINGING))
        surroundings.say(f"load, {kind}: exit {node.exit_code}, {node.errors[-300:]!r}")
        seen = len(peer.calls)
        await peer.close()
        assert time.monotonic() - began < 30
        return [
            exactly(f"load, pauses of {kind}: healthy processes killed", killed, 0),
            exactly(f"load, pauses of {kind}: calls without a row, or rows without a call", unmatched, 0),
            exactly(f"load, pauses of {kind}: calls left open", left, 0),
            exactly(f"load, pauses of {kind}: end of the run", int(node.exit_code in (None, 1, 2)), 0),
            told(f"load, pauses of {kind}: calls", seen),
        ]


def _register_load(kind: str) -> None:
    # A process that stands still alone is replaced after `HANG`: a longer pause shows nothing more.
    pauses = PAUSES if kind in ("all", "supervisor") else PAUSES[:3]
    *first, last = (f"{pause:g}" for pause in pauses)

    @row(
        f"pause-load-{kind}",
        f"`load` at 20 calls/s, {kind} stopped for {', '.join(first)} and {last} s",
        "foreign UAS: calls that it saw against the rows of calls.csv; pids from /proc",
        seconds=sum(pauses) + BETWEEN * (len(pauses) + 1) + 20,
        cores=0.17,
    )
    async def pause(surroundings: Surroundings) -> list[Figure]:
        return await load_paused(surroundings, kind, (4.5,) if surroundings.quick else pauses)


for _kind in ("supervisor", "all", "dispatcher", "call", "media"):
    _register_load(_kind)
