"""Readers that stand still, disks that are full and descriptors that are gone: calls must not notice."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext

from ..figures import Figure, Surroundings, Unable, at_least, at_most, exactly, row, told
from ..node import Node, Pipe, few_descriptors, fill, holds, own_host, small_disk
from ..peer import Peer, State
from ..waits import answers
from .call_workers import hang_up, place, script
from .dispatchers import calls_at, failed, over, why

RATE = 20.0
END_WITHIN = 10.0
FAILS = """
import sys

async def robot(call):
    await call.answer()
    print("x" * 2000)
    await call.over()
    raise RuntimeError("z" * 1000)
"""


async def through(
    surroundings: Surroundings, node: Node, fault: AbstractContextManager[object], new_calls: bool = True
) -> list[Figure]:
    """Have 20 calls up and 20 begin each second through a fault of a minute; then SIGTERM within it."""
    seconds = surroundings.of(60, 6)
    holder = Peer(own_host(), seed=surroundings.seed + 1, ptime=100)
    peer = Peer(own_host(), seed=surroundings.seed, media=False)
    held = await place(holder, node, 20)
    before = node.processes()
    with fault:
        calling = asyncio.create_task(calls_at(peer, node, RATE, seconds, 1.0)) if new_calls else None
        await asyncio.sleep(seconds)
        if calling:
            await calling
            await over(peer, 35)
        alive = len([call for call in held if call.state is State.UP])
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        if replaced or (new_calls and failed(peer)):
            surroundings.say(f"replaced {replaced}; {why(peer)}")
        await hang_up(holder, held[:10])
        good = sum(call.state is State.ENDED and call.ended_by_us for call in held[:10])
        node.signal(signal.SIGTERM)
        took = await node.ended(40.0)
    closed = sum(call.state is State.ENDED for call in held[10:])
    total, bad = len(peer.calls), failed(peer)
    await peer.close()
    await holder.close()
    return [
        exactly("calls that were up and ended", 20 - alive, 0),
        exactly("BYEs without 200", 10 - good, 0),
        *((exactly("new calls that failed", bad, 0), told("new calls", total)) if new_calls else ()),
        exactly("processes replaced", len(replaced), 0),
        at_most("SIGTERM to the end of the node", round(took, 1), surroundings.time(END_WITHIN), "s"),
        exactly("calls closed by SIGTERM, of 10", closed, 10),
    ]


DISK = 1 << 21
"""Octets; the records of all calls of a row fit, some 750 octets each."""
ROBOT = ["--call-workers", "2", "--media-workers", "1", "--media", "silence", "--drain", "1s"]


def _standing(name: str, about: str, which: str) -> None:
    @row(
        name,
        about,
        "foreign peer: calls that are up, calls that begin; the clock from SIGTERM to the exit",
        seconds=105,
        cores=0.21,
        quick=name == "stderr-stands-still",
    )
    async def standing(surroundings: Surroundings) -> list[Figure]:
        file = script(surroundings.folder, FAILS)
        pipe = Pipe()
        try:
            arguments = [file, *ROBOT]
            if which == "stderr":
                node = Node("robot", arguments, surroundings.folder, stderr=pipe.write)
            else:
                node = Node("robot", arguments, surroundings.folder, stdout=pipe.write)
            async with node:
                pipe.fill()
                return await through(surroundings, node, nullcontext())
        finally:
            pipe.close()


_standing("stderr-stands-still", "a robot whose code raises in each call; nobody reads its stderr, for 60 s", "stderr")
_standing("stdout-stands-still", "a robot that prints 2 kB a call; nobody reads its stdout, for 60 s", "stdout")


@row(
    "disk-full",
    "`answer --cdr --sip-trace` on a disk that is full for 60 s, then not",
    "foreign peer; lines of the records against the calls that it made",
    seconds=110,
    cores=0.21,
)
async def disk_full(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(60, 6)
    try:
        with small_disk(surroundings.folder, DISK) as disk:
            arguments = ["--cdr", str(disk / "calls.jsonl"), "--sip-trace", str(disk / "sip.pcap")]
            arguments += ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--drain", "1s", "--quiet"]
            async with Node("answer", arguments, surroundings.folder) as node:
                peer = Peer(own_host(), seed=surroundings.seed, media=False)
                held = await place(peer, node, 10)
                before = node.processes()
                filling = fill(disk)
                await calls_at(peer, node, RATE, seconds, 1.0)
                still = len([call for call in held if call.state is State.UP])
                for call in held:
                    peer.bye(call)
                await over(peer, 35)
                filling.unlink()
                (disk / "sip.pcap").unlink(missing_ok=True)
                total = len(peer.calls)
                records = disk / "calls.jsonl"

                def written() -> int:
                    return len(records.read_text().splitlines()) if records.exists() else 0

                await holds(lambda: written() >= total, 10, every=0.2)
                replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
                node.signal(signal.SIGTERM)
                took = await node.ended(40)
                whole = sum(_is_record(line) for line in records.read_text().splitlines()) if records.exists() else 0
                bad = failed(peer)
                await peer.close()
                return [
                    exactly("calls that were up and ended", 10 - still, 0),
                    exactly("new calls that failed", bad, 0),
                    exactly("records missing once there is room", total - whole, 0),
                    exactly("processes replaced", len(replaced), 0),
                    at_most("SIGTERM to the end of the node", round(took, 1), surroundings.time(END_WITHIN), "s"),
                    told("calls", total),
                ]
    except PermissionError as error:
        raise Unable(str(error)) from error


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@row(
    "disk-full-load",
    "`load --out` on a disk that is full from the start of its calls to 10 s before its end",
    "foreign UAS: every call to its end; an exit code that says so when rows are missing",
    seconds=60,
    cores=0.21,
)
async def disk_full_load(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(40, 8)
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    try:
        with small_disk(surroundings.folder, DISK) as disk:
            arguments = [
                f"sip:uas@{peer.address}", "-r", "20", "--duration", f"{seconds}s", "-d", "1s",
                "--out", str(disk / "results"), "--call-workers", "2", "--media-workers", "1", "--quiet",
            ]  # fmt: skip
            async with Node("load", arguments, surroundings.folder, listen=()) as node:
                await holds(lambda: len(peer.calls) > 3, 40)
                filling = fill(disk)
                await asyncio.sleep(seconds * 0.75)
                filling.unlink()
                await node.ended(seconds + 60)
                seen = len(peer.calls)
                rows = disk / "results" / "calls.csv"
                lines = len(rows.read_text().splitlines()) - 1 if rows.exists() else 0
                unclean = sum(call.state is not State.ENDED for call in peer.calls.values())
                code = -1 if node.exit_code is None else node.exit_code
                honest = lines == seen or code not in (0, -1)
                await peer.close()
                return [
                    exactly("calls that did not end by BYE", unclean, 0),
                    at_least("calls that started, of the plan", round(100 * seen / (20 * seconds), 1), 99, "%"),
                    exactly("rows missing without an exit code that says so", int(not honest), 0),
                    told("calls without a row", seen - lines),
                    told("exit code", code),
                ]
    except PermissionError as error:
        raise Unable(str(error)) from error


@row(
    "descriptors-gone",
    "`answer`, no process of it may open a descriptor for 60 s, a worker killed meanwhile",
    "foreign peer: calls that are up live on; new ones get a final response; all is well afterwards",
    seconds=120,
    cores=0.21,
)
async def descriptors_gone(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(60, 5)
    arguments = ["--call-workers", "2", "--media-workers", "2", "--media", "silence", "--drain", "1s", "--quiet"]
    async with Node("answer", arguments, surroundings.folder, listen=("udp", "tcp")) as node:
        holder = Peer(own_host(), seed=surroundings.seed + 1, ptime=100)
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        held = await place(holder, node, 20)
        with ExitStack() as stack:
            stack.enter_context(few_descriptors(node.pids("all")))
            waiting = connections(node, 50)
            await calls_at(peer, node, RATE / 2, seconds, 1.0)
            alive = len([call for call in held if call.state is State.UP])
            node.kill("media-1")
            await asyncio.sleep(2.0)
            await over(peer, 35)
        for each in waiting:
            each.close()
        mute = sum(not call.status for call in peer.calls.values())
        refused = sum(call.status >= 300 for call in peer.calls.values())
        healthy = await holds_ready(node, 15)
        after = [peer.call(node.place) for _ in range(20)]
        await holds(lambda: all(call.status for call in after), 10)
        good = sum(call.state is State.UP for call in after)
        node.signal(signal.SIGTERM)
        took = await node.ended(40)
        await peer.close()
        await holder.close()
        return [
            exactly("calls that were up and ended", 20 - alive, 0),
            exactly("new calls without a final response", mute, 0),
            exactly("node healthy again within 15 s", int(healthy), 1),
            exactly("calls answered afterwards, of 20", good, 20),
            at_most("SIGTERM to the end of the node", round(took, 1), surroundings.time(END_WITHIN), "s"),
            told("new calls refused meanwhile", refused),
        ]


async def holds_ready(node: Node, within: float) -> bool:
    """Whether a node gets healthy within a time."""
    try:
        await node.ready(within)
    except AssertionError:
        return False
    return True


def connections(node: Node, count: int) -> Sequence[socket.socket]:
    """TCP connections to its SIP port that send nothing."""
    found = []
    for _ in range(count):
        one = socket.socket()
        one.settimeout(0.2)
        try:
            one.connect(node.place)
        except OSError:
            one.close()
            continue
        found.append(one)
    return found


@row(
    "supervisor-descriptors",
    "`answer`, the supervisor may open no descriptor for 3 s, a call worker killed meanwhile",
    "foreign peer: every new call is answered once the limit is gone",
    seconds=30,
    cores=0.14,
)
async def supervisor_descriptors(surroundings: Surroundings) -> list[Figure]:
    arguments = ["--call-workers", "4", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        before = set(node.processes())
        with few_descriptors([node.pid], 0):
            node.kill("call-1")
            await asyncio.sleep(3.0)
        began = time.monotonic()
        back = await holds(lambda: set(node.processes()) == before, 12)
        took = time.monotonic() - began
        healthy = await holds_ready(node, 10)
        again = await answers(node, 5)
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        for _ in range(40):
            peer.call(node.place)
            await asyncio.sleep(0.05)
        await holds(lambda: all(call.status for call in peer.calls.values()), 8)
        up = len(peer.at(State.UP))
        await peer.close()
        return [
            exactly("worker is back within 12 s, and answers", int(back and healthy and again), 1),
            exactly("new calls answered, of 40", up, 40),
            told("seconds until it is back", round(took, 2)),
        ]
