"""A live node for the fault tests, the canary calls through it, and what can be seen of it from outside.

The node is `sipswarm answer` with its metrics, the canary calls are placed by another process (`canaries`). Sizes,
descriptors and ports are read from /proc, tables from the metrics, tracebacks from what either program wrote.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.test_leaks import descriptors, resident

from .flood import Flood

QUIET = 160.0
"""seconds in which the last call is over: 64*T1 for its 2xx without ACK, as much for its BYE without answer, and once
more for its transactions
"""
LEAST_TIME = 8.0
"""seconds that canary calls are up, so that each sends digits"""
REST = 8.0
"""seconds in which ports rest"""
NODE_PORTS = (20000, 21998)
"""of 1,000 calls: as many as that are up early in every flood, and what they take is the same in each"""
AGENT_PORTS = (31000, 32766)


class Running(NamedTuple):
    """A program with its pipes."""

    process: subprocess.Popen[str]
    errors: Path

    def ask(self, command: str) -> Any:
        assert self.process.stdout is not None
        self.tell(command)
        return json.loads(self.process.stdout.readline())

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@contextmanager
def running(folder: Path, name: str, *arguments: str) -> Iterator[Running]:
    """A module as a program, its errors in a file; terminated at the end."""
    errors = folder / f"{name}.err"
    with errors.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
        )
    try:
        yield Running(process, errors)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def family(pid: int) -> dict[str, int]:
    """A process and its children: pid by the last word of the command line, which is the name in the node."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    named = {Path(f"/proc/{child}/cmdline").read_text().split("\0")[-2].rstrip(): int(child) for child in children}
    named.pop("starter", None)  # it has no role
    return {"supervisor": pid, **named}


def media_ports(pids: Iterable[int]) -> list[int]:
    """The RTP and RTCP ports that some processes have open."""
    sockets = set()
    for pid in pids:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                sockets.add(os.readlink(each))
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    ports = {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets}
    return sorted(port for port in ports if NODE_PORTS[0] <= port <= AGENT_PORTS[1] + 1)


def judged(canary: dict[str, Any]) -> str:
    """What is wrong with a canary, empty when nothing is."""
    faults = []
    if canary["failure"] or canary["cause"] != "bye" or canary["by"] != "local":
        faults.append(f"ended by {canary['cause']} of {canary['by']}: {canary['failure']}")
    if not canary["sent"] or canary["received"] != canary["sent"]:
        faults.append(f"digits {canary['sent']}, came {canary['received']}")
    if canary["tone"] < 0.9:
        faults.append(f"the tone is {canary['tone']:.2f} of what was heard")
    sent, received, expected = (canary[f"packets_{each}"] for each in ("sent", "received", "expected"))
    if received < max(0.98 * expected, 0.9 * sent, 1):
        faults.append(f"packets: {sent} sent, {expected} expected, {received} received")
    return "; ".join((*faults, str(canary["figures"]))) if faults else ""


class LiveNode(NamedTuple):
    """What a flood meets."""

    node: Running
    canaries: Running
    port: int
    tcp: int
    url: str
    pids: dict[str, int]

    @property
    def sizes(self) -> dict[str, int]:
        """KiB of resident memory of each process."""
        return {name: resident(pid) for name, pid in self.pids.items()}

    @property
    def times(self) -> dict[str, float]:
        """Seconds of processor time that each process has used."""
        fields = {
            name: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for name, pid in self.pids.items()
        }
        return {name: (int(each[11]) + int(each[12])) / os.sysconf("SC_CLK_TCK") for name, each in fields.items()}

    @property
    def descriptors(self) -> dict[str, int]:
        return {name: descriptors(pid) for name, pid in self.pids.items()}

    @property
    def ports(self) -> list[int]:
        return media_ports(self.pids.values())

    @property
    def processes(self) -> dict[str, int]:
        """Those that run now, by name; a process that was replaced has another pid."""
        return {**family(self.node.process.pid), "canaries": self.canaries.process.pid}

    def samples(self, *names: str) -> dict[str, int]:
        """Samples of some metrics of the node that are not 0."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(rf"(?m)^((?:{'|'.join(names)})\{{[^\n]*\}}) (\d\S*)$", text)
        assert found, f"the node has none of {names}"
        return {name: round(float(value)) for name, value in found if float(value)}

    async def round(
        self, flood: Flood, *, seed: int, messages: int, rate: float, calls: int, progress: Callable[[str], None]
    ) -> list[str]:
        """One flood while canary calls are up: what is wrong with these, one line for each that suffered.

        rate: messages a second. progress: takes a line now and then.
        """
        flood.again(seed)
        began = time.monotonic()
        known = await asyncio.to_thread(self.canaries.ask, f"begin {calls} sip:bob@127.0.0.1:{self.port}")
        media = self.ports
        assert len(media) >= 4 * calls, "both sides of each canary have RTP and RTCP"
        await flood.run(
            messages,
            rate,
            canaries=known["calls"],
            agent=known["port"],
            media=media,
            lure=lambda uri: self.canaries.tell(f"lure {uri}"),
            progress=progress,
        )
        await asyncio.sleep(began + LEAST_TIME - time.monotonic())
        results = await asyncio.to_thread(self.canaries.ask, "end")
        await flood.hang_up()
        assert len(results) == calls
        return [wrong for each in results if (wrong := judged(each))]

    async def quiesce(self) -> None:
        """Wait until nothing of any call is left, in any table of any process, and ports have rested."""
        deadline = time.monotonic() + QUIET
        while True:
            left = await asyncio.to_thread(self.samples, "sipswarm_table_entries", "sipswarm_actors_active")
            ours = await asyncio.to_thread(self.canaries.ask, "entries")
            if not left and not ours:
                break
            assert time.monotonic() < deadline, (left, ours)
            await asyncio.sleep(2.0)
        await asyncio.sleep(REST)

    def tracebacks(self) -> list[str]:
        """What either program wrote of exceptions, the processes of the node included."""
        texts = [each.errors.read_text() for each in (self.node, self.canaries)]
        return [text for text in texts if "Traceback" in text or "failed in our own code" in text]


@contextmanager
def live_node(folder: Path) -> Iterator[LiveNode]:
    """A dispatcher, two call workers, a media worker, their supervisor and a process for canaries, until the end."""
    node_arguments = (
        "answer --listen udp:127.0.0.1:0 --listen tcp:127.0.0.1:0 --metrics 0 --media echo --drain 1s --quiet"
    )
    workers = "--call-workers 2 --media-workers 1 --rtp-ports {}-{}".format(*NODE_PORTS)
    with (
        running(folder, "node", "sipswarm.actors.cli", *node_arguments.split(), *workers.split()) as node,
        running(folder, "canaries", "tests.faults.canaries", str(folder), *map(str, AGENT_PORTS)) as canaries,
    ):
        udp, tcp = (int(node.line().rpartition(":")[2]) for _ in range(2))
        url = node.line().removeprefix("metrics on ")
        pids = {**family(node.process.pid), "canaries": canaries.process.pid}
        assert set(pids) == {"supervisor", "dispatcher", "call-0", "call-1", "media-0", "canaries"}
        assert canaries.ask("entries") == 0
        yield LiveNode(node, canaries, udp, tcp, url, pids)
        assert node.process.poll() is None
