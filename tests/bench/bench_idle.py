"""CPU of a whole node that keeps users registered and has no calls: 1,000 users of a list, kamailio as registrar.

The figure is user + system time of supervisor, dispatcher, call and media workers over the seconds after the last user
was bound, as a share of one core. Before it: how long the registrations took at the usual pace, each challenged once.

    python -m tests.bench.bench_idle [--users 1000] [--seconds 30] [--rate 100] [--expires 900]
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from sipswarm.actors.config import Listener, NodeConfig, RobotConfig
from sipswarm.actors.host.event_loop import new_event_loop
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.bench.bench_signalling import HOST, process_cpu
from tests.interop.kamailio import Registrar

TARGET = 0.02
"""of a core, for 1,000 users"""
PATIENCE = 120.0
ROBOT = """
async def robot(call):
    await call.answer()
    await call.over()


def setup(ua):
    ua.register_rate = {rate}
    for row in ua.rows("users.csv"):
        user, password = row["user"], row["password"]
        address = f"sip:{{user}}@registrar.test"
        ua.keep_registered(address, registrar="{registrar}", auth=(user, password), expires={expires})
"""


def write(folder: Path, registrar: str, users: int, rate: float, expires: int) -> Path:
    """The robot's file and its list; the path of the file."""
    rows = [f"user{number},PASSWORD-user{number}" for number in range(users)]
    (folder / "users.csv").write_text("\n".join(["user,password", *rows]) + "\n")
    file = folder / "robot.py"
    file.write_text(ROBOT.format(rate=rate, registrar=registrar, expires=expires))
    return file


def used(supervisor: Supervisor) -> dict[str, float]:
    """CPU seconds so far by process; this one is the supervisor's."""
    return {"supervisor": process_cpu(os.getpid()), **{name: process_cpu(pid) for name, pid, _ in supervisor.processes}}


async def measure(folder: Path, registrar: Registrar, options: argparse.Namespace) -> dict[str, object]:
    """One run."""
    file = write(folder, registrar.address, options.users, options.rate, options.expires)
    config = NodeConfig(
        "", (Listener("udp", HOST, 0),), 0, call_workers=options.call_workers, robot=RobotConfig(str(file))
    )
    totals = NodeTotals()
    supervisor = Supervisor(config, node_totals=totals)
    begun = time.monotonic()
    await supervisor.start()
    started = time.monotonic()
    while registrar.users() < options.users:
        if time.monotonic() > started + PATIENCE:
            raise TimeoutError(f"{registrar.users()} of {options.users} users after {PATIENCE:.0f} s")
        await asyncio.sleep(0.1)
    registered = time.monotonic()
    await asyncio.sleep(2.0)
    view = totals.view()
    tries = view.sum("sipswarm_registrations_total")
    before = used(supervisor)
    await asyncio.sleep(options.seconds)
    spent = {name: (after - before[name]) / options.seconds for name, after in used(supervisor).items()}
    refreshes = totals.view().sum("sipswarm_registrations_total") - tries
    supervisor.drain(0.0)
    draining = time.monotonic()
    while registrar.users() and time.monotonic() < draining + 20:
        await asyncio.sleep(0.05)
    removed = time.monotonic()
    left = registrar.users()
    await supervisor.close()
    return {
        "users": options.users,
        "start_s": round(started - begun, 2),
        "register_s": round(registered - started, 2),
        "remove_s": round(removed - draining, 2),
        "left": left,
        "refreshes": int(refreshes),
        "core_share": {name: round(share, 4) for name, share in spent.items()},
        "core_share_total": round(sum(spent.values()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="REGISTERs per second that begin a registration")
    parser.add_argument(
        "--expires", type=int, default=900, help="seconds asked for; each is refreshed at 0.5 to 0.9 of it"
    )
    parser.add_argument("--call-workers", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sipswarm-bench-") as name:
        folder = Path(name)
        registrar = Registrar(folder)
        with registrar.program:
            registrar.ready()
            loop = new_event_loop()
            row = loop.run_until_complete(measure(folder, registrar, options))
            loop.close()
    print(
        f"{row['users']} users registered in {row['register_s']} s, removed in {row['remove_s']} s ({row['left']} left)"
    )
    print(f"idle for {options.seconds:.0f} s with {row['refreshes']} refreshes: {row['core_share_total']} of a core")
    print(f"  {row['core_share']}; target {TARGET} for 1,000 users")
    if options.json is not None:
        options.json.write_text(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
