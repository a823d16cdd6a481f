"""Signalling CPU per call of a whole node (dispatcher + call worker, no media) against SIPp, in one run.

Our UAC and SIPp's built-in UAC call the same kind of SIPp UAS; our UAS and SIPp's built-in UAS are called by the same
kind of SIPp UAC; all at the same rate with hold 0. CPU is user + system of the side measured, over the calls that
SIPp itself says succeeded.

    python -m tests.bench.bench_signalling [--rates 1000,3000] [--calls 15000] [--workers 1]
"""

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from sipswarm.actors.config import AnswerConfig, Listener, LoadConfig, NodeConfig
from sipswarm.actors.host.event_loop import new_event_loop
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.supervisor.supervisor import Supervisor

HOST = "127.0.0.1"


def free_port() -> int:
    """A UDP port that nobody has at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Sipp:
    """One SIPp process: its exit code, its own count of successful calls, its CPU seconds."""

    cpu = 0.0
    """processor seconds, known after `finish`"""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._folder = tempfile.TemporaryDirectory(prefix="sipswarm-bench-")

    async def start(self) -> None:
        """Start it in a folder of its own, where it puts its statistics."""
        self._process = subprocess.Popen(
            ["sipp", *self._arguments, "-nostdin", "-trace_screen", "-i", HOST],
            cwd=self._folder.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    async def finish(self) -> tuple[int, int]:
        """Exit code and successful calls."""
        _, status, usage = await asyncio.to_thread(os.wait4, self._process.pid, 0)
        self._process.returncode = code = os.waitstatus_to_exitcode(status)
        self.cpu = usage.ru_utime + usage.ru_stime
        screens = "".join(each.read_text(errors="replace") for each in Path(self._folder.name).glob("*screen*"))
        found = re.findall(r"Successful call +\| +\d+ +\| +(\d+)", screens)
        self._folder.cleanup()
        return code, int(found[-1]) if found else 0


def process_cpu(pid: int) -> float:
    """Processor seconds of a running process (CLOCK_PROCESS_CPUTIME_ID of another process)."""
    return time.clock_gettime((~pid << 3) | 2)


async def sipp_against_sipp(rate: int, calls: int) -> dict[str, float]:
    """CPU per call of SIPp's UAC and UAS."""
    port = free_port()
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "120")
    uac = Sipp("-sn", "uac", f"{HOST}:{port}", "-r", str(rate), "-m", str(calls), "-d", "0", "-timeout", "120")
    await uas.start()
    await asyncio.sleep(0.3)
    await uac.start()
    _, good = await uac.finish()
    await uas.finish()
    return {"good": good, "uac": uac.cpu / calls * 1e6, "uas": uas.cpu / calls * 1e6}


async def node_cpu(supervisor: Supervisor) -> float:
    """CPU seconds so far of the dispatcher and the call workers."""
    return sum(process_cpu(pid) for name, pid, _ in supervisor.processes if not name.startswith("media"))


async def our_uac(rate: int, calls: int, workers: int) -> dict[str, float]:
    """CPU per call of our node calling a SIPp UAS."""
    port = free_port()
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "120")
    await uas.start()
    await asyncio.sleep(0.3)
    load = LoadConfig(f"sip:service@{HOST}:{port}", rate=float(rate), calls=calls, media="none")
    config = NodeConfig("", (Listener("udp", HOST, 0),), 0, call_workers=workers, media_workers=0, load=load)
    supervisor = Supervisor(config, node_totals=NodeTotals())
    await supervisor.start()
    before = await node_cpu(supervisor)
    began = time.monotonic()
    await supervisor.wait()
    seconds = time.monotonic() - began
    spent = await node_cpu(supervisor) - before
    await supervisor.close()
    _, good = await uas.finish()
    return {"good": good, "cpu": spent / calls * 1e6, "seconds": seconds}


async def our_uas(rate: int, calls: int, workers: int) -> dict[str, float]:
    """CPU per call of our node called by a SIPp UAC."""
    answer = AnswerConfig(media="none")
    config = NodeConfig("", (Listener("udp", HOST, 0),), 0, call_workers=workers, media_workers=0, answer=answer)
    supervisor = Supervisor(config, node_totals=NodeTotals())
    await supervisor.start()
    target = f"{HOST}:{supervisor.listeners[0].port}"
    before = await node_cpu(supervisor)
    uac = Sipp("-sn", "uac", target, "-r", str(rate), "-m", str(calls), "-d", "0", "-timeout", "120")
    await uac.start()
    _, good = await uac.finish()
    spent = await node_cpu(supervisor) - before
    await supervisor.close()
    return {"good": good, "cpu": spent / calls * 1e6}


async def measure(rates: list[int], calls: int, workers: int) -> list[dict[str, float]]:
    """One row a rate."""
    rows = []
    for rate in rates:
        sipp = await sipp_against_sipp(rate, calls)
        uac = await our_uac(rate, calls, workers)
        uas = await our_uas(rate, calls, workers)
        row = {
            "rate": rate, "calls": calls, "sipp_uac_us": sipp["uac"], "sipp_uas_us": sipp["uas"],
            "our_uac_us": uac["cpu"], "our_uas_us": uas["cpu"], "uac_ratio": uac["cpu"] / sipp["uac"],
            "uas_ratio": uas["cpu"] / sipp["uas"], "our_uac_good": uac["good"], "our_uas_good": uas["good"],
        }  # fmt: skip
        rows.append(row)
        print(
            f"{rate:5d} calls/s  UAC: SIPp {row['sipp_uac_us']:.0f} us, ours {row['our_uac_us']:.0f} us "
            f"= {row['uac_ratio']:.2f} x ({uac['good']:.0f} of {calls} good)   "
            f"UAS: SIPp {row['sipp_uas_us']:.0f} us, ours {row['our_uas_us']:.0f} us "
            f"= {row['uas_ratio']:.2f} x ({uas['good']:.0f} of {calls} good)",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", default="1000,3000")
    parser.add_argument("--calls", type=int, default=15000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    rates = [int(rate) for rate in options.rates.split(",")]
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    rows = loop.run_until_complete(measure(rates, options.calls, options.workers))
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    (out / "signalling.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
