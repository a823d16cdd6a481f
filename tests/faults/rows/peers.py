"""Peers that misbehave: silent, ringing for ever, without ACK, vanished, restarted; and user code that does."""

import asyncio
import os
import re
import signal
import socket
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

from ..figures import Figure, Surroundings, at_least, at_most, exactly, row, told
from ..node import Node, alive, holds, own_host, until
from ..peer import Peer, State
from ..waits import answers, has_final
from .call_workers import hang_up, place, script
from .dispatchers import calls_at, failed, over, why
from .writing import holds_ready

T1_TIMES = (0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
"""Seconds at which an INVITE without any answer goes out over UDP (RFC 3261 section 17.1.1.2)."""
OK_TIMES = (0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
"""The same of a 2xx without ACK (section 13.3.1.4)."""
WORKERS = ["--call-workers", "1", "--media-workers", "1", "--quiet"]
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*(\S+)")


def loads(folder: Path, target: str, calls: int, *more: str) -> Node:
    """A load of a few calls."""
    arguments = [f"sip:uas@{target}", "-m", str(calls), "-r", "5", "-d", "1s", "--out", str(folder / "results")]
    return Node("load", [*arguments, *more, *WORKERS], folder, listen=())


@row(
    "peer-silent",
    "`load` calls a peer that never answers",
    "the peer's socket: 7 INVITEs at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, and no more",
    seconds=50,
    cores=0.07,
)
async def silent(surroundings: Surroundings) -> list[Figure]:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((own_host(), 0))
    one.setblocking(False)
    came: dict[bytes, list[float]] = defaultdict(list)

    def read() -> None:
        data = one.recv(65536)
        found = _CALL_ID.search(data)
        if found and data.startswith(b"INVITE"):
            came[found[1]].append(time.monotonic())

    asyncio.get_running_loop().add_reader(one, read)
    host, port = one.getsockname()
    async with loads(surroundings.folder, f"{host}:{port}", 5) as node:
        await node.ended(50)
        code = node.exit_code
    await asyncio.sleep(1.0)
    asyncio.get_running_loop().remove_reader(one)
    one.close()
    late = 0.0
    for times in came.values():
        for due, at in zip(T1_TIMES, times, strict=False):
            late = max(late, abs(at - times[0] - due))
    return [
        exactly("calls", len(came), 5),
        exactly("calls with other than 7 INVITEs", sum(len(times) != 7 for times in came.values()), 0),
        at_most("largest deviation from those times", round(late, 2), 0.3, "s"),
        exactly("the load ended by itself", int(code is not None), 1),
    ]


@row(
    "peer-rings-forever",
    "`load --ring-time 3s` calls a peer that rings for ever",
    "foreign UAS: a CANCEL for each call, at its time",
    seconds=25,
    cores=0.07,
)
async def rings(surroundings: Surroundings) -> list[Figure]:
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    peer.ring_time = -1
    async with loads(surroundings.folder, peer.address, 10, "--ring-time", "3s") as node:
        took = await node.ended(30)
    cancelled = [call for call in peer.calls.values() if call.status == 487]
    deviation = max((abs(call.ended - call.began - 3.0) for call in cancelled), default=99.0)
    await peer.close()
    return [
        exactly("calls cancelled, of 10", len(cancelled), 10),
        at_most("deviation of the CANCEL from 3 s", round(deviation, 2), 0.5, "s"),
        told("run, s", round(took, 1)),
    ]


@row(
    "peer-never-acknowledges",
    "a caller that never sends an ACK to `answer`",
    "foreign peer: the 200 comes 11 times in 32 s, then a BYE",
    seconds=45,
    cores=0.07,
)
async def never_acknowledges(surroundings: Surroundings) -> list[Figure]:
    async with Node("answer", [*WORKERS, "--media", "none"], surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        peer.acknowledges = False
        calls = [peer.call(node.place) for _ in range(10)]
        await holds(lambda: all(call.over for call in calls), 40)
        said = [call for call in calls if call.state is State.ENDED and not call.ended_by_us]
        when = max((abs(call.ended - call.answered - 32.0) for call in said), default=99.0)
        answers = peer.received["200"] / 10
        await peer.close()
        return [
            exactly("calls that got a BYE, of 10", len(said), 10),
            at_most("deviation of the BYE from 32 s", round(when, 2), 0.5, "s"),
            exactly("200s for each call", answers, len(OK_TIMES)),
        ]


@row(
    "peer-vanishes",
    "callers of `answer --rtp-timeout 3s` that vanish without a BYE",
    "the peer's socket: a BYE for each call",
    seconds=20,
    cores=0.14,
)
async def vanishes(surroundings: Surroundings) -> list[Figure]:
    arguments = [*WORKERS, "--media", "silence", "--rtp-timeout", "3s"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed)
        calls = await place(peer, node, 20)
        await asyncio.sleep(1.0)
        assert peer.media is not None
        for call in calls:
            if call.stream:
                peer.media.end(call.stream)
        await holds(lambda: not peer.at(State.UP), 10)
        ended = sum(call.state is State.ENDED and not call.ended_by_us for call in calls)
        await peer.close()
        return [exactly("calls ended by a BYE, of 20", ended, 20)]


@row(
    "peer-restarts",
    "a callee of `load` that forgets all of its calls, and answers 481",
    "foreign UAS; the load ends by itself",
    seconds=20,
    cores=0.07,
)
async def restarts(surroundings: Surroundings) -> list[Figure]:
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    async with loads(surroundings.folder, peer.address, 10) as node:
        await until(lambda: len(peer.calls) >= 5, 30, "calls")
        forgotten = len(peer.calls)
        peer.calls.clear()
        took = await node.ended(60)
        code = node.exit_code
    received = peer.received["BYE"]
    await peer.close()
    return [
        exactly("the load ended by itself", int(code is not None), 1),
        exactly("BYEs that came", received, 10),
        told("calls forgotten", forgotten),
        told("run, s", round(took, 1)),
    ]


@row(
    "peer-challenges-forever",
    "a callee of `load` that challenges every INVITE with a new nonce",
    "foreign UAS: INVITEs of each call",
    seconds=15,
    cores=0.07,
)
async def challenges(surroundings: Surroundings) -> list[Figure]:
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    peer.status = 401
    peer.extra = [("WWW-Authenticate", 'Digest realm="r", nonce="n", stale=true, qop="auth", algorithm=MD5')]
    password = surroundings.folder / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    more = ["--auth-user", "alice", "--auth-password-file", str(password)]
    async with loads(surroundings.folder, peer.address, 10, *more) as node:
        await node.ended(30)
        code = node.exit_code
    most = max((call.invites for call in peer.calls.values()), default=0)
    total = len(peer.calls)
    await peer.close()
    return [
        exactly("the load ended by itself", int(code is not None), 1),
        at_most("INVITEs of a call", most, 3),
        exactly("calls", total, 10),
    ]


@row(
    "peer-redirects-forever",
    "a callee of `load` that redirects every INVITE to itself",
    "foreign UAS: INVITEs in all",
    seconds=15,
    cores=0.07,
)
async def redirects(surroundings: Surroundings) -> list[Figure]:
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    peer.status = 302
    peer.extra = [("Contact", f"<sip:next@{peer.address}>, <sip:other@{peer.address}>")]
    async with loads(surroundings.folder, peer.address, 10) as node:
        await node.ended(40)
        code = node.exit_code
    invites = peer.received["INVITE"]
    await peer.close()
    return [
        exactly("the load ended by itself", int(code is not None), 1),
        at_most("INVITEs of a call", round(invites / 10, 1), 7),
    ]


BLOCKS = """
import time

async def robot(call):
    await call.answer()
    time.sleep(0.1)
    await call.over()
"""
EXITS = """
import asyncio
import itertools

ENDS = itertools.cycle((SystemExit, KeyboardInterrupt, GeneratorExit))

async def robot(call):
    await call.answer()
    await asyncio.sleep(0.2)
    raise next(ENDS)
"""
CRASHES = """
import os
import signal

async def robot(call):
    await call.answer()
    if "poison" in call.peer:
        os.kill(os.getpid(), signal.SIGSEGV)
    await call.over()
"""
SPINS = """
async def robot(call):
    await call.answer()
    digit = await call.digits(1, timeout=600.0)
    while digit == "9":
        pass
    await call.over()
"""


@row(
    "user-code-blocks",
    "a robot that blocks its worker for 0.1 s a call, called 20 times a second",
    "foreign peer: each INVITE gets a final response; pids from /proc",
    seconds=40,
    cores=0.42,
)
async def blocks(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(20, 6)
    file = script(surroundings.folder, BLOCKS)
    async with Node("robot", [file, *WORKERS], surroundings.folder) as node:
        before = node.processes()
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await calls_at(peer, node, 20, seconds, 1.0)
        await over(peer, 40)
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        mute = sum(not call.status for call in peer.calls.values())
        good = sum(call.state is State.ENDED for call in peer.calls.values())
        refused = sum(call.status == 503 for call in peer.calls.values())
        without = sum(call.status == 503 and not call.retry_after for call in peer.calls.values())
        surroundings.say(why(peer))
        await peer.close()
        return [
            exactly("processes replaced", len(replaced), 0),
            exactly("INVITEs without a final response", mute, 0),
            exactly("503 without Retry-After", without, 0),
            at_least("calls answered a second", round(good / seconds, 1), 5),
            told("calls refused by 503", refused),
        ]


@row(
    "user-code-exits",
    "a robot that raises SystemExit, KeyboardInterrupt and GeneratorExit in turn",
    "foreign peer: calls of others; pids from /proc",
    seconds=20,
    cores=0.21,
    quick=True,
)
async def exits(surroundings: Surroundings) -> list[Figure]:
    file = script(surroundings.folder, EXITS)
    async with Node("robot", [file, *WORKERS], surroundings.folder) as node:
        before = node.processes()
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await calls_at(peer, node, 20, surroundings.of(6, 2), 1.0)
        await holds(lambda: not peer.at(State.UP, State.CLOSING), 5)
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        lost = [call for call in peer.calls.values() if call.state is not State.ENDED]
        if lost:
            surroundings.say(why(peer))
        total = len(peer.calls)
        await peer.close()
        return [
            exactly("processes replaced", len(replaced), 0),
            exactly("calls that did not end by BYE", len(lost), 0),
            told("calls", total),
        ]


@row(
    "user-code-crashes",
    "a robot whose call with one caller kills its process, while that caller calls 20 times",
    "foreign peer: others' calls afterwards; deaths from /proc",
    seconds=45,
    cores=0.21,
)
async def crashes(surroundings: Surroundings) -> list[Figure]:
    file = script(surroundings.folder, CRASHES)
    async with Node("robot", [file, *WORKERS], surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        bad = Peer(own_host(), seed=surroundings.seed + 1, media=False)
        deaths, pid = 0, node.processes()["call-0"]
        for _ in range(surroundings.of(20, 8)):
            call = bad.call(node.place, caller="poison")
            await holds(partial(has_final, call), 4)
            await asyncio.sleep(0.3)
            await holds(lambda: "call-0" in node.processes(), 8)
            now = node.processes().get("call-0", pid)
            deaths += now != pid
            pid = now
            if node.exit_code is not None:
                break
        ended = node.exit_code is not None
        good = 0
        if not ended:
            await answers(node)
            calls = [peer.call(node.place) for _ in range(10)]
            await holds(lambda: all(call.status for call in calls), 5)
            good = len(peer.at(State.UP))
            if good < 10:
                surroundings.say(f"{[(call.state.name, call.status, call.reason) for call in calls]}")
            await hang_up(peer, calls)
        await peer.close()
        await bad.close()
        return [
            exactly("the node ended", int(ended), 0),
            exactly("calls of others afterwards, of 10", good, 10),
            at_least("deaths (the fault was there)", deaths, 1),
            at_most("deaths by one caller", deaths, 3),
        ]


@row(
    "worker-spins",
    "a robot with an endless loop in one call; another worker's calls beside it",
    "the clock: the process is replaced; foreign peer: calls afterwards",
    seconds=30,
    cores=0.77,
)
async def spins(surroundings: Surroundings) -> list[Figure]:
    file = script(surroundings.folder, SPINS)
    arguments = [file, "--call-workers", "2", "--media-workers", "1", "--quiet"]
    async with Node("robot", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed)
        calls = await place(peer, node, 10)
        before = node.processes()
        assert calls[0].stream is not None
        calls[0].stream.press("9")
        took = await until(
            lambda: any(node.processes().get(name) != pid for name, pid in before.items()), 15, "a replacement"
        )
        await answers(node)
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        new = [peer.call(node.place) for _ in range(20)]
        await holds(lambda: all(call.status for call in new), 5)
        good = sum(call.state is State.UP for call in new)
        if good < 20:
            surroundings.say(f"{[(call.state.name, call.status, call.reason) for call in new]}")
        await peer.close()
        return [
            exactly("processes replaced", len(replaced), 1),
            at_most("until it is replaced", round(took, 1), surroundings.time(7), "s"),
            exactly("calls answered afterwards, of 20", good, 20),
        ]


@row(
    "worker-killed-at-each-start",
    "one of two call workers of `answer` is killed as often as it comes, for 20 s",
    "foreign peer: each INVITE gets a final response; the other worker's calls go on",
    seconds=50,
    cores=0.56,
)
async def killed_at_each_start(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(20, 8)
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        held = await place(peer, node, 20)
        until_then = time.monotonic() + seconds
        calling = asyncio.create_task(calls_at(peer, node, 10, seconds + 3, 0.5))
        kills = healthy = 0
        next_look = time.monotonic() + 1.0
        while time.monotonic() < until_then and node.exit_code is None:
            if time.monotonic() > next_look:
                next_look += 0.5
                healthy += (await node.ask("/healthz"))[0] == 200
            if (pid := node.processes().get("call-1")) and alive(pid):
                os.kill(pid, signal.SIGKILL)
                kills += 1
            await asyncio.sleep(0.02)
        await calling
        ended = node.exit_code is not None
        still = sum(call.state is State.UP for call in held)
        await over(peer, 40)
        mute = sum(not call.status for call in peer.calls.values())
        surroundings.say(f"{kills} kills; {still} of 20 up; {why(peer)}")
        await peer.close()
        return [
            exactly("the node ended", int(ended), 0),
            at_most("kills that it allowed", kills, 15),
            at_least("calls of the other worker that go on, of about 10", still, 3),
            exactly("INVITEs without a final response", mute, 0),
            exactly("/healthz said healthy meanwhile", healthy, 0),
            told("calls that failed", failed(peer)),
        ]


@row(
    "supervisor-killed",
    "the supervisor of `answer` with 100 calls is killed, and the node started anew at once",
    "foreign peer: a BYE for each call; no process is left; the new node answers",
    seconds=30,
    cores=0.21,
    quick=True,
)
async def supervisor_killed(surroundings: Surroundings) -> list[Figure]:
    total, host = surroundings.of(100, 30), own_host()
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder, host=host) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await place(peer, node, total)
        below = [pid for name, pid in node.processes().items() if name != "supervisor"]
        killed = time.monotonic()
        os.kill(node.pid, signal.SIGKILL)
        await holds(lambda: not peer.at(State.UP), surroundings.time(8))
        told_ = [call for call in peer.calls.values() if call.state is State.ENDED and not call.ended_by_us]
        slowest = max((call.ended - killed for call in told_), default=99.0)
        gone = await holds(lambda: not any(map(alive, below)), surroundings.time(6))
        took = time.monotonic() - killed
        async with Node("answer", arguments, surroundings.folder, host=host, wait=False) as again:
            back = await holds_ready(again, 15)
            other = Peer(own_host(), media=False)
            calls = [other.call(again.place) for _ in range(10)]
            await holds(lambda: all(call.status for call in calls), 5)
            good = len(other.at(State.UP))
            await other.close()
        await peer.close()
        return [
            exactly("calls that got a BYE", len(told_), total),
            at_most("slowest BYE after the kill", round(slowest, 2), surroundings.time(3), "s"),
            exactly("processes left once their time is over", int(not gone), 0),
            exactly("the new node is up", int(back), 1),
            exactly("its calls, of 10", good, 10),
            told("seconds until the last process was gone", round(took, 2)),
        ]
