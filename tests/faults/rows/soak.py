"""Long runs: what a call leaves in memory, and what the end of a busy node costs."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tests.interop.sipp import Sipp, Verdict

from ..figures import Figure, Surroundings, Unable, at_most, exactly, row, told
from ..node import Node, descriptors, holds, own_host, resident

RATE = 60
MOST_PER_CALL = 35
"""Octets by which a process may grow for each call, once it is warm."""
WARM = 0.3
"""Share of the run after which growth counts."""
SAMPLE_EVERY = 2.0
REST = 40.0
"""Seconds after the last call in which its transactions end and its ports have rested."""


def sipp(folder: Path, name: str, **more: object) -> Sipp:
    """Start SIPp.

    Raises:
        Unable: it is not installed.
    """
    import pytest

    try:
        return Sipp(folder, name, **more)  # type: ignore[arg-type]  # passed on as they are
    except pytest.skip.Exception as error:
        raise Unable(str(error)) from error


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of a line through points, by least squares."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


class Growth:
    """Sizes of the processes of a node over time."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.pids = node.processes()
        self.descriptors = {name: descriptors(pid) for name, pid in self.pids.items()}
        self.samples: dict[str, list[tuple[float, float]]] = {name: [] for name in self.pids}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            now = time.monotonic()
            for name, pid in self.pids.items():
                self.samples[name].append((now, resident(pid)))
            await asyncio.sleep(SAMPLE_EVERY)

    def per_call(self, rate: float) -> dict[str, float]:
        """Octets for each call, by process, over what came after the warm-up."""
        self.task.cancel()
        return {
            name: round(slope(points[int(len(points) * WARM) :]) / rate, 1) for name, points in self.samples.items()
        }

    def more_descriptors(self) -> int:
        """Descriptors that are open now and were not at the start."""
        return max(descriptors(pid) - self.descriptors[name] for name, pid in self.pids.items())


def told_growth(growth: dict[str, float], verb: str, quick: bool) -> list[Figure]:
    """A figure for each process, and the largest against its target, unless the run was too short to be warm."""
    if quick:
        return [told(f"{verb}: octets a call, {name}, not warm", value) for name, value in growth.items()]
    worst = max(growth, key=lambda name: growth[name])
    return [
        at_most(f"{verb}: octets a call, the most of any process ({worst})", growth[worst], MOST_PER_CALL),
        *(told(f"{verb}: octets a call, {name}", value) for name, value in growth.items() if name != worst),
    ]


@row(
    "soak",
    "SIPp → `answer` and `load` with audio → SIPp, 60 calls/s each, for 10 minutes",
    "SIPp: exit code and statistics; resident memory of every process from /proc",
    seconds=680,
    cores=0.35,
)
async def soak(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(600, 20)
    calls = RATE * seconds
    folder = surroundings.folder
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet"]
    echo = [*arguments, "--media", "echo"]
    async with Node("answer", echo, folder) as answer:
        uas = sipp(folder, "uas", scenario="uas", calls=calls, seconds=seconds + 120, host=own_host())
        uas.ready()
        plan = ["-r", str(RATE), "-m", str(calls), "-d", "1s", "--out", str(folder / "results"), *arguments]
        plan[plan.index("none")] = "silence"
        uac = sipp(
            folder, "uac", remote=f"{answer.host}:{answer.port}", scenario="uac", calls=calls, seconds=seconds + 120,
            options=("-r", str(RATE), "-d", "1000"), host=own_host(),
        )  # fmt: skip
        async with Node("load", [f"sip:uas@{uas.address}", *plan], folder, listen=()) as load:
            await load.ready()
            growths = [Growth(answer), Growth(load)]
            began = time.monotonic()
            shown = 0
            while load.exit_code is None and time.monotonic() - began < seconds + 60:
                await asyncio.sleep(1.0)
                if (time.monotonic() - began) // 60 > shown:
                    shown += 1
                    surroundings.say(
                        f"{shown} min: {[{n: round(p[-1][1] / 1e6, 1) for n, p in g.samples.items()} for g in growths]}"
                    )
                if load.exit_code is None and time.monotonic() - began > seconds:
                    break
            per_call = [each.per_call(RATE) for each in growths]
            await load.ended(60)
            verdicts: list[Verdict] = [await asyncio.to_thread(each.verdict) for each in (uac, uas)]
            await asyncio.sleep(REST if not surroundings.quick else 1)
            more = growths[0].more_descriptors()
            same = growths[0].pids == answer.processes()
            return [
                exactly("SIPp as caller: exit code", verdicts[0].exit_code, 0),
                exactly("SIPp as callee: exit code", verdicts[1].exit_code, 0),
                exactly("SIPp as caller: failed calls", verdicts[0].calls("FailedCall(C)"), 0),
                exactly("SIPp as callee: calls", verdicts[1].calls("TotalCallCreated"), calls),
                exactly("load: ended with 0, or 98 for a busy machine", int(load.exit_code in (0, 98)), 1),
                *told_growth(per_call[0], "answer", surroundings.quick),
                *told_growth(per_call[1], "load", surroundings.quick),
                exactly("answer: further descriptors at the end", more, 0),
                exactly("answer: processes replaced", int(not same), 0),
            ]


@row(
    "stop-busy",
    "`answer` that has taken 300 calls/s for 40 s, SIGTERM when the last call is over",
    "the clock from SIGTERM to the exit; SIPp: every call",
    seconds=60,
    cores=1.2,
    alone=True,
    quick=True,
)
async def stop_busy(surroundings: Surroundings) -> list[Figure]:
    seconds, rate = surroundings.of(40, 8), surroundings.of(300, 100)
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        uac = sipp(
            surroundings.folder, "uac", remote=f"{node.host}:{node.port}", scenario="uac", calls=rate * seconds,
            seconds=seconds + 60, options=("-r", str(rate)), host=own_host(),
        )  # fmt: skip
        verdict = await asyncio.to_thread(uac.verdict)
        node.signal(signal.SIGTERM)
        took = await node.ended(20)
        killed = "killed" in node.errors or "no beat" in node.errors or "no heartbeat" in node.errors
        return [
            exactly("SIPp: exit code", verdict.exit_code, 0),
            at_most("SIGTERM to the end of the node", round(took, 2), surroundings.of(5, 50) / 10, "s"),
            exactly("exit code", -1 if node.exit_code is None else node.exit_code, 0),
            exactly("processes that had to be killed", int(killed), 0),
            exactly("processes left", len(node.left()), 0),
            told("calls", verdict.calls("SuccessfulCall(C)")),
        ]


@row(
    "drain",
    "`answer --drain 0s` with 1,000 calls, SIGTERM",
    "foreign peer: a BYE for each call",
    seconds=45,
    cores=0.8,
    quick=True,
)
async def drain(surroundings: Surroundings) -> list[Figure]:
    from ..peer import Peer, State
    from .call_workers import place

    total = surroundings.of(1000, 60)
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet", "--drain", "0s"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        await place(peer, node, total)
        node.signal(signal.SIGTERM)
        took = await node.ended(30)
        await holds(lambda: not peer.at(State.UP), 1)
        said = sum(call.state is State.ENDED and not call.ended_by_us for call in peer.calls.values())
        await peer.close()
        return [
            exactly("calls that got a BYE", said, total),
            exactly("exit code", -1 if node.exit_code is None else node.exit_code, 0),
            at_most("SIGTERM to the end of the node", round(took, 1), surroundings.time(10), "s"),
        ]
