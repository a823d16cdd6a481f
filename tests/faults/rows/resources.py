"""Ports that run out, clocks that jump, loads beyond capacity, and the second of two nodes on one port."""

import asyncio
import signal
import subprocess
import sys
import time
from functools import partial

from ..figures import Figure, Surroundings, Unable, at_least, at_most, exactly, row, told
from ..node import Node, holds, own_host, resident
from ..peer import Peer, State
from ..waits import has_final
from .call_workers import hang_up, place
from .dispatchers import calls_at, failed, over, why
from .soak import sipp
from .strangers import flood_command

WORKERS = ["--call-workers", "1", "--media-workers", "1", "--quiet"]
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
typedef int (*real_t)(clockid_t, struct timespec *);
static long jump(long seconds) { return (seconds & 1) ? 3600 : -3600; }
int clock_gettime(clockid_t id, struct timespec *at) {
  static real_t real;
  if (!real) real = (real_t)dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, at);
  if (id == CLOCK_REALTIME) at->tv_sec += jump(at->tv_sec);
  return status;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""


@row(
    "rtp-ports-gone",
    "`answer` with RTP ports for 10 calls is called 30 times",
    "foreign peer: 10 answers, 20 refusals, and answers again once calls have ended",
    seconds=25,
    cores=0.07,
)
async def ports(surroundings: Surroundings) -> list[Figure]:
    arguments = [*WORKERS, "--media", "silence", "--rtp-ports", "20000-20038"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        calls = [peer.call(node.place) for _ in range(30)]
        await holds(lambda: all(call.status for call in calls), 8)
        up = peer.at(State.UP)
        refused = [call for call in calls if call.status in (486, 503)]
        await asyncio.sleep(2)
        alive = sum(call.state is State.UP for call in up)
        await hang_up(peer, up)
        await asyncio.sleep(9)
        again = [peer.call(node.place) for _ in range(10)]
        await holds(lambda: all(call.status for call in again), 5)
        good = sum(call.state is State.UP for call in again)
        capacity = len(up)
        await peer.close()
        return [
            at_least("calls answered", capacity, 10),
            exactly("others refused by 503 or 486", len(refused), 30 - capacity),
            exactly("503 without Retry-After", sum(c.status == 503 and not c.retry_after for c in refused), 0),
            exactly("calls that suffered", capacity - alive, 0),
            exactly("calls answered after those, of 10", good, 10),
        ]


@row(
    "clock-jumps",
    "`answer`, 500 calls while the wall clock of every process jumps by an hour, forth or back, each second",
    "foreign peer: calls that fail",
    seconds=35,
    cores=0.21,
)
async def clock(surroundings: Surroundings) -> list[Figure]:
    source, library = surroundings.folder / "clock.c", surroundings.folder / "clock.so"
    source.write_text(_SHIM)
    try:
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unable(f"no C compiler: {error}") from error
    environment = {"LD_PRELOAD": str(library)}
    seen = subprocess.run(
        [sys.executable, "-c", "import time; a=time.time(); time.sleep(1); print(abs(time.time() - a) > 1800)"],
        env={"LD_PRELOAD": str(library)}, capture_output=True, text=True,
    )  # fmt: skip
    arguments = [*WORKERS, "--media", "silence"]
    async with Node("answer", arguments, surroundings.folder, environment=environment) as node:
        before = node.processes()
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        await calls_at(peer, node, 25, surroundings.of(500, 50) / 25, 3.0)
        await over(peer, 40)
        bad, total = failed(peer), len(peer.calls)
        if bad:
            surroundings.say(why(peer))
        replaced = before != node.processes()
        await peer.close()
        return [
            exactly("the clock jumps (the fault is there)", int("True" in seen.stdout), 1),
            exactly("calls that fail", bad, 0),
            exactly("processes replaced", int(replaced), 0),
            told("calls", total),
        ]


@row(
    "port-taken",
    "a second `answer` on the port of a first one",
    "exit code and text of the second; foreign peer: calls of the first",
    seconds=20,
    cores=0.14,
)
async def taken(surroundings: Surroundings) -> list[Figure]:
    host = own_host()
    async with Node("answer", [*WORKERS, "--media", "none"], surroundings.folder, host=host) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        calls = await place(peer, node, 5)
        common = [*WORKERS, "--media", "none"]
        async with Node("answer", common, surroundings.folder, host=host, metrics_port=9465, wait=False) as other:
            await other.ended(20)
            code, text = other.exit_code, other.errors
        await hang_up(peer, calls)
        bad = failed(peer)
        await peer.close()
        return [
            exactly("exit code of the second", -1 if code is None else code, 2),
            exactly("its text names the port", int("5060" in text), 1),
            exactly("calls of the first that suffer", bad, 0),
        ]


@row(
    "second-sigterm",
    "`answer --drain 60s` with 50 calls gets SIGTERM, and again after a second",
    "foreign peer: a BYE for each call; the clock",
    seconds=20,
    cores=0.14,
    quick=True,
)
async def second(surroundings: Surroundings) -> list[Figure]:
    async with Node("answer", [*WORKERS, "--media", "none", "--drain", "60s"], surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await place(peer, node, 50)
        node.signal(signal.SIGTERM)
        await asyncio.sleep(1.0)
        new = peer.call(node.place)
        await holds(lambda: new.status > 0, 2)
        held = len(peer.at(State.UP))
        node.signal(signal.SIGTERM)
        took = await node.ended(20)
        closed = sum(call.state is State.ENDED and not call.ended_by_us for call in peer.calls.values())
        code = node.exit_code
        await peer.close()
        return [
            exactly("calls that go on after the first", held, 50),
            exactly("final status of a new call in the drain", new.status, 503),
            exactly("calls that got a BYE after the second", closed, 50),
            at_most("second SIGTERM to the end", round(took, 1), surroundings.time(5), "s"),
            exactly("exit code", -1 if code is None else code, 0),
        ]


@row(
    "udp-full-speed",
    "`answer`, one allowed host sends OPTIONS over UDP as fast as one core can while 100 calls are made",
    "foreign peer: calls of others that fail; pids and resident memory from /proc",
    seconds=45,
    cores=1.26,
)
async def udp_full_speed(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(15, 5)
    async with Node("answer", [*WORKERS, "--media", "none"], surroundings.folder) as node:
        before = node.processes()
        sizes = {name: resident(pid) for name, pid in before.items()}
        flood = await asyncio.create_subprocess_exec(
            *flood_command(node, own_host(), seconds), stdout=asyncio.subprocess.PIPE
        )
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await asyncio.sleep(1.0)
        await calls_at(peer, node, 100 / (seconds - 2), seconds - 2, 2.0)
        output, _ = await flood.communicate()
        await over(peer, 40)
        bad, total = failed(peer), len(peer.calls)
        if bad:
            surroundings.say(why(peer))
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        grown = max(resident(pid) - sizes[name] for name, pid in before.items()) if not replaced else 0
        await peer.close()
        return [
            exactly("calls of others that fail", bad, 0),
            exactly("processes replaced", len(replaced), 0),
            told("calls", total),
            told("datagrams a second", round(int(output.split()[0]) / seconds)),
            told("growth of the largest process, MB", round(grown / 1e6, 1)),
        ]


@row(
    "overload",
    "`answer` with one call worker, three times the calls a second that it can take, for 30 s",
    "SIPp: calls a second that succeed, against the most that succeed without overload",
    seconds=75,
    cores=1.4,
    alone=True,
)
async def overload(surroundings: Surroundings) -> list[Figure]:
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet", "--max-calls", "2000"]
    async with Node("answer", arguments, surroundings.folder) as node:
        remote = f"{node.host}:{node.port}"
        closed = sipp(
            surroundings.folder, "peak", remote=remote, scenario="uac", calls=surroundings.of(12000, 2000), seconds=40,
            options=("-r", "20000", "-l", "60"), host=own_host(),
        )  # fmt: skip
        began = time.monotonic()
        verdict = await asyncio.to_thread(closed.verdict)
        peak = verdict.calls("SuccessfulCall(C)") / (time.monotonic() - began)
        surroundings.say(f"most: {peak:.0f} calls/s")
        seconds = surroundings.of(30, 6)
        rate = round(3 * peak)
        before = node.processes()
        storm = sipp(
            surroundings.folder, "storm", remote=remote, scenario="uac", calls=rate * seconds, seconds=seconds + 20,
            options=("-r", str(rate), "-l", str(rate * 8), "-timeout", f"{seconds}s"), host=own_host(),
        )  # fmt: skip
        await asyncio.sleep(seconds + 1)
        result = await asyncio.to_thread(storm.verdict)
        good = result.calls("SuccessfulCall(C)") / seconds
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        began = time.monotonic()
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        back = 0.0
        while time.monotonic() - began < 20:
            call = peer.call(node.place)
            await holds(partial(has_final, call), 3)
            if call.status == 200:
                back = time.monotonic() - began
                break
            await asyncio.sleep(0.1)
        await peer.close()
        return [
            at_least("goodput, % of the most without overload", round(100 * good / peak), 75, "%"),
            at_most("first call taken after the storm", round(back or 99, 2), surroundings.time(2), "s"),
            exactly("processes replaced", len(replaced), 0),
            told("most calls a second", round(peak)),
            told("offered a second", rate),
        ]
