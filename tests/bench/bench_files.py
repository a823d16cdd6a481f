"""What a scenario file of SIPp costs: CPU per call against SIPp and a plain call, and memory of a call that waits.

The file is SIPp's built-in caller (`sipp -sd uac`). SIPp and `load -sf` run it against the same kind of SIPp UAS, at
the same rate and with hold 0; CPU is that of the calling side, dispatcher and call worker, over all calls. How many
calls the file has per CPU second is put over those of a load without one. Memory is the growth of the calling node
from 1 s to 2.9 s of a run at 350 calls/s whose calls pause for 3 s, per call that came up in that time. `mutants` is
the CPU time of the slowest of 200 malformed files. A figure of a busy machine is worth nothing: run it alone.

    python -m tests.bench.bench_files [--rates 1000,3000] [--calls 15000] [--only cpu,memory,mutants] [--json FILE]
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from pathlib import Path

from sipswarm.actors.config import Listener, LoadConfig, NodeConfig
from sipswarm.actors.host.event_loop import new_event_loop
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.actors.sipp.test_mutants import FILES, MUTANTS, mutants, program_of
from tests.bench.bench_node import resident
from tests.bench.bench_signalling import HOST, Sipp, free_port, node_cpu

Row = dict[str, float]
CPU_TARGET = 2.5
"""times SIPp's CPU per call with the same file"""
MEMORY_RATE = 350
MEMORY_FROM = 1.0
"""Seconds: what every process makes once is made."""
MEMORY_TO = 2.9
PAUSE = 3.0


def exported(folder: str) -> str:
    """SIPp's built-in caller as a file."""
    path = Path(folder, "uac.xml")
    path.write_bytes(subprocess.run(["sipp", "-sd", "uac"], check=False, capture_output=True).stdout)
    assert b"<scenario" in path.read_bytes()
    return str(path)


async def sipp_with(file: str, rate: int, calls: int) -> Row:
    """CPU per call of SIPp with the file."""
    port = free_port()
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "120")
    uac = Sipp("-sf", file, f"{HOST}:{port}", "-r", str(rate), "-m", str(calls), "-d", "0", "-timeout", "120")
    await uas.start()
    await asyncio.sleep(0.3)
    await uac.start()
    _, good = await uac.finish()
    await uas.finish()
    return {"good": good, "cpu": uac.cpu / calls * 1e6}


def calling(port: int, rate: int, calls: int, hold: float, file: str) -> Supervisor:
    """A node that calls, with a file or without one."""
    load = LoadConfig(
        f"sip:service@{HOST}:{port}",
        rate=float(rate),
        calls=calls,
        hold=hold,
        media="none",
        scenario=file,
        run_time=10.0,
    )
    config = NodeConfig("", (Listener("udp", HOST, 0),), 0, call_workers=1, media_workers=0, load=load)
    return Supervisor(config, node_totals=NodeTotals())


async def ours_with(file: str, rate: int, calls: int) -> Row:
    """CPU per call of our node; without a file that of its plain calls."""
    port = free_port()
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "120")
    await uas.start()
    await asyncio.sleep(0.3)
    supervisor = calling(port, rate, calls, 0.0, file)
    await supervisor.start()
    before = await node_cpu(supervisor)
    await supervisor.wait()
    spent = await node_cpu(supervisor) - before
    await supervisor.close()
    _, good = await uas.finish()
    return {"good": good, "cpu": spent / calls * 1e6}


async def cpu_row(file: str, rate: int, calls: int) -> Row:
    """CPU per call of SIPp and of us with the file, and of our plain call."""
    sipp = await sipp_with(file, rate, calls)
    ours = await ours_with(file, rate, calls)
    plain = await ours_with("", rate, calls)
    return {
        "rate": rate,
        "calls": calls,
        "sipp_us": sipp["cpu"],
        "file_us": ours["cpu"],
        "plain_us": plain["cpu"],
        "ratio": ours["cpu"] / sipp["cpu"],
        "target": CPU_TARGET,
        "calls_per_cpu_second_over_plain": plain["cpu"] / ours["cpu"],
        "sipp_good": sipp["good"],
        "file_good": ours["good"],
        "plain_good": plain["good"],
    }


async def octets_of_a_call(file: str) -> float:
    """Growth of a calling node per call that is up."""
    port = free_port()
    calls = int(MEMORY_RATE * (MEMORY_TO + 0.5))
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "60")
    await uas.start()
    await asyncio.sleep(0.3)
    supervisor = calling(port, MEMORY_RATE, calls, PAUSE, file)
    await supervisor.start()
    pids = [pid for _, pid, _ in supervisor.processes]
    await asyncio.sleep(MEMORY_FROM)
    before = sum(map(resident, pids))
    await asyncio.sleep(MEMORY_TO - MEMORY_FROM)
    grown = sum(map(resident, pids)) - before
    await supervisor.wait()
    await supervisor.close()
    await uas.finish()
    return grown / (MEMORY_RATE * (MEMORY_TO - MEMORY_FROM))


async def memory_row(file: str) -> Row:
    """Memory of a call of the file in a pause, over that of a plain call that is up."""
    ours, plain = await octets_of_a_call(file), await octets_of_a_call("")
    return {"file_octets": ours, "plain_octets": plain, "ratio": ours / plain, "target": 1.0}


def mutants_row() -> Row:
    """The longest time that one of the malformed files of tests/actors/sipp takes to be read or refused."""
    longest = 0.0
    for name, begin, end in mutants():
        text = FILES[name][:begin] + FILES[name][end:]
        began = time.process_time()
        program_of(text)
        longest = max(longest, time.process_time() - began)
    return {"files": MUTANTS, "longest_ms": longest * 1e3, "target": 100}


async def measure(rates: list[int], calls: int, only: list[str]) -> dict[str, Row]:
    """All rows, one after the other."""
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory(prefix="sipswarm-bench-") as folder:
        file = exported(folder)
        if "cpu" in only:
            for rate in rates:
                rows[f"cpu_{rate}"] = await cpu_row(file, rate, calls)
        if "memory" in only:
            rows["memory"] = await memory_row(file)
        if "mutants" in only:
            rows["mutants"] = mutants_row()
    for name, row in rows.items():
        print(f"{name}: " + "  ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rates", default="1000,3000")
    parser.add_argument("--calls", type=int, default=15000)
    parser.add_argument("--only", default="cpu,memory,mutants", help="which rows, separated by commas")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    rates = [int(rate) for rate in options.rates.split(",")]
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    rows = loop.run_until_complete(measure(rates, options.calls, options.only.split(",")))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
