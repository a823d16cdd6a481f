"""What a whole node costs beyond one call at one rate: the highest rate, live calls, workers, memory, and Net::SIP.

    python -m tests.bench.bench_node [--only rate,net_sip,live,workers,memory] [--json FILE]

rate: calls per second without a failed call, ours and SIPp's UAC on one core each against SIPp's UAS on the other.
net_sip: CPU per call of Net::SIP's caller at its own highest rate, and of ours at 1,000 calls/s, against SIPp's UAS.
live: CPU per call at the same rate with 100 and with many calls up. workers: the same with one and two call workers.
memory: growth of all processes of the caller's node per call that is up with media. A figure of a busy machine is
worth nothing: run it alone.
"""

import argparse
import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from sipswarm.actors.config import AnswerConfig, Listener, LoadConfig, NodeConfig
from sipswarm.actors.host.event_loop import new_event_loop
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.bench.bench_signalling import HOST, Sipp, free_port, node_cpu, our_uac

HERE = Path(__file__).resolve().parent
Row = dict[str, float]
RATES = (1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000)
RATE_SECONDS = 4
SLACK = 0.98
"""of the rate must be reached in the time"""
LIVE_RATE = 400
LIVE_MANY = 10_000
MEMORY_CALLS = 1000


async def sipp_uac(rate: int, calls: int) -> Row:
    """SIPp calls SIPp at a rate; good calls and the calls per second of the whole run."""
    port = free_port()
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "60")
    uac = Sipp("-sn", "uac", f"{HOST}:{port}", "-r", str(rate), "-m", str(calls), "-d", "0", "-timeout", "60")
    await uas.start()
    await asyncio.sleep(0.3)
    loop = asyncio.get_running_loop()
    await uac.start()
    began = loop.time()
    _, good = await uac.finish()
    seconds = loop.time() - began
    await uas.finish()
    return {"good": good, "seconds": seconds}


async def highest(place: Callable[[int, int], Awaitable[Row]]) -> int:
    """The highest of RATES at which every call was good and the rate was kept."""
    best = 0
    for rate in RATES:
        calls = rate * RATE_SECONDS
        row = await place(rate, calls)
        kept = calls / row["seconds"] >= SLACK * rate * RATE_SECONDS / (RATE_SECONDS + 1)  # a second to begin and end
        print(f"    {rate} calls/s: {row['good']:.0f} of {calls} good in {row['seconds']:.1f} s", flush=True)
        if row["good"] < calls or not kept:
            break
        best = rate
    return best


async def rate_row() -> Row:
    """Calls per second that go well."""
    sipp = await highest(sipp_uac)
    ours = await highest(lambda rate, calls: our_uac(rate, calls, 1))
    return {"sipp": sipp, "ours": ours, "ratio": ours / sipp if sipp else 0.0, "target": 0.35}


async def net_sip_row() -> Row:
    """CPU per call beside Net::SIP's."""
    port, calls = free_port(), 500
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "60")
    await uas.start()
    await asyncio.sleep(0.3)
    script = ["perl", str(HERE / "signalling_net_sip.pl"), str(port), str(calls)]
    done = await asyncio.to_thread(subprocess.run, script, capture_output=True, text=True, check=True)
    await uas.finish()
    theirs = json.loads(done.stdout)
    ours = await our_uac(1000, 5000, 1)
    net_sip = theirs["cpu"] / max(1, theirs["good"]) * 1e6
    return {"net_sip_us": net_sip, "ours_us": ours["cpu"], "ratio": ours["cpu"] / net_sip, "target": 0.15}


async def steady(rate: int, live: int, seconds: float) -> float:
    """CPU per call of our caller while about `live` calls are up, in microseconds."""
    port = free_port()
    hold = live / rate
    calls = int(rate * (hold + seconds + 3))
    uas = Sipp("-sn", "uas", "-p", str(port), "-m", str(calls), "-timeout", "120")
    await uas.start()
    await asyncio.sleep(0.3)
    load = LoadConfig(f"sip:service@{HOST}:{port}", rate=float(rate), calls=calls, hold=hold, media="none")
    config = NodeConfig("", (Listener("udp", HOST, 0),), 0, media_workers=0, load=load)
    supervisor = Supervisor(config, node_totals=NodeTotals())
    await supervisor.start()
    await asyncio.sleep(hold + 2)
    before = await node_cpu(supervisor)
    await asyncio.sleep(seconds)
    spent = await node_cpu(supervisor) - before
    await supervisor.wait()
    await supervisor.close()
    await uas.finish()
    return spent / (rate * seconds) * 1e6


async def live_row() -> Row:
    """Cost per call as the number of live calls grows."""
    few = await steady(LIVE_RATE, 100, 6.0)
    many = await steady(LIVE_RATE, LIVE_MANY, 6.0)
    return {"live_100_us": few, f"live_{LIVE_MANY}_us": many, "ratio": many / few, "target": 1.3}


async def workers_row() -> Row:
    """Cost per call with one and with two call workers."""
    one = await our_uac(1000, 5000, 1)
    two = await our_uac(1000, 5000, 2)
    return {"one_us": one["cpu"], "two_us": two["cpu"], "ratio": two["cpu"] / one["cpu"], "target": 1.15}


def resident(pid: int) -> int:
    """Resident octets of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


async def memory_row() -> Row:
    """Growth of a calling node, call and media workers and dispatcher, per call that is up with media."""
    answer = NodeConfig(
        "", (Listener("udp", HOST, 0),), 0, answer=AnswerConfig(media="silence"), rtp_ports=(20000, 25998)
    )
    called = Supervisor(answer, node_totals=NodeTotals())
    await called.start()
    target = f"sip:service@{HOST}:{called.listeners[0].port}"
    load = LoadConfig(target, rate=100.0, calls=MEMORY_CALLS + 100, hold=30.0, media="silence")
    config = NodeConfig("", (Listener("udp", HOST, 0),), 0, load=load, rtp_ports=(26000, 31998))
    supervisor = Supervisor(config, node_totals=NodeTotals())
    await supervisor.start()
    await asyncio.sleep(1.0)  # the first hundred calls make what every process makes once
    pids = [pid for _, pid, _ in supervisor.processes]
    before = sum(map(resident, pids))
    await asyncio.sleep(MEMORY_CALLS / 100)
    grown = sum(map(resident, pids)) - before
    await supervisor.close()
    await called.close()
    return {"octets_per_call": grown / MEMORY_CALLS, "target": 60_000}


ROWS: dict[str, Callable[[], Awaitable[Row]]] = {
    "rate": rate_row,
    "net_sip": net_sip_row,
    "live": live_row,
    "workers": workers_row,
    "memory": memory_row,
}


async def measure(names: list[str]) -> dict[str, Row]:
    """The rows of these names, one after the other."""
    rows = {}
    for name in names:
        rows[name] = row = await ROWS[name]()
        print(f"{name}: " + "  ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(ROWS), help="which rows, separated by commas")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    rows = loop.run_until_complete(measure(options.only.split(",")))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
