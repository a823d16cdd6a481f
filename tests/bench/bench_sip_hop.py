"""What carrying SIP costs without any SIP work: UDP -> dispatcher -> link -> call worker -> UDP.

Three datagrams in and three out per call, the shape of a call on its UAC side. The dispatcher and the link are the
real ones in processes of their own; the worker answers each datagram by another of the same size, from the inherited
socket. CPU is user + system of both processes over the calls carried.

    python -m tests.bench.bench_sip_hop [--rates 1000,3000] [--seconds 5]
"""

import argparse
import asyncio
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from sipswarm.actors.bus import link
from sipswarm.actors.bus.link import Channel, DealerLink, Surroundings
from sipswarm.actors.bus.messages import Prepared, SipReceived
from sipswarm.actors.config import Listener, NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.dispatcher import Dispatcher
from sipswarm.actors.host.event_loop import new_event_loop

MESSAGE = (
    b"INVITE sip:service@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-%d\r\n"
    b"From: sipp <sip:sipp@127.0.0.1:5061>;tag=1234\r\nTo: service <sip:service@127.0.0.1:5060>\r\n"
    b"Call-ID: %d-4711@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: sip:sipp@127.0.0.1:5061\r\nMax-Forwards: 70\r\n"
    b"Content-Length: 0\r\n\r\n"
)
PER_CALL = 3


def run_role(role: str, run_dir: str, descriptor: int, port: int) -> None:
    """The body of the dispatcher's or the worker's process."""
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    config = NodeConfig(run_dir, (Listener("udp", "127.0.0.1", port),), 1)
    opened = socket.socket(fileno=descriptor)
    surroundings = Surroundings(1, link.new_context(), Totals(), loop)
    if role == "dispatcher":
        Dispatcher(config, [opened], surroundings=surroundings, on_ready=lambda: None, random=Random(1))
    else:

        def on_sip(channel: Channel, records: list[SipReceived]) -> None:
            for record in records:
                opened.sendto(record.data, (record.host, record.port))

        link_to_dispatcher = DealerLink(
            surroundings,
            config.endpoint("sip"),
            role="call",
            slot=0,
            name="sip",
            window=1024,
            on_records=on_sip,
            on_welcome=lambda: print("ready", flush=True),
        )
        link_to_dispatcher.post((Prepared(0),))
    loop.add_reader(0, loop.stop)
    loop.run_forever()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime}), flush=True)


def measure(rate: int, seconds: float) -> dict[str, float]:
    """Carry `rate` calls per second for some seconds; the figures."""
    run_dir = tempfile.mkdtemp(prefix="sipswarm-bench-")
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    port = opened.getsockname()[1]
    children = []
    for role in ("dispatcher", "worker"):
        command = [sys.executable, "-m", "tests.bench.bench_sip_hop", "--role", role]
        command += ["--run-dir", run_dir, "--descriptor", str(opened.fileno()), "--port", str(port)]
        children.append(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[opened.fileno()], text=True
            )
        )
    worker_output = children[1].stdout
    assert worker_output is not None
    worker_output.readline()
    before = [process_cpu(child.pid) for child in children]
    sent, received = carry(port, rate, seconds)
    spent = [process_cpu(child.pid) - start for child, start in zip(children, before, strict=True)]
    for child in children:
        child.communicate("stop\n", timeout=10)
    for each in Path(run_dir).glob("*"):
        each.unlink()
    os.rmdir(run_dir)
    calls = sent / PER_CALL
    return {
        "rate": rate,
        "calls": calls,
        "lost": sent - received,
        "dispatcher_us_per_call": spent[0] / calls * 1e6,
        "worker_us_per_call": spent[1] / calls * 1e6,
        "total_us_per_call": sum(spent) / calls * 1e6,
    }


def process_cpu(pid: int) -> float:
    """Processor seconds of a process, to the nanosecond (CLOCK_PROCESS_CPUTIME_ID of another process)."""
    return time.clock_gettime((~pid << 3) | 2)


def carry(port: int, rate: int, seconds: float) -> tuple[int, int]:
    """Send on an absolute schedule, spread over calls as they would come; (sent, came back) in datagrams."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    total = int(rate * seconds) * PER_CALL
    interval = 1 / (rate * PER_CALL)
    sent = received = 0
    start = time.monotonic()
    deadline = start + seconds + 2
    while received < total and time.monotonic() < deadline:
        due = min(total, int((time.monotonic() - start) / interval))
        while sent < due:
            client.send(MESSAGE % (sent, sent // PER_CALL))
            sent += 1
        try:
            while True:
                client.recv(65535)
                received += 1
        except BlockingIOError:
            pass
        select.select([client], [], [], max(0.0, start + (sent + 1) * interval - time.monotonic()))
    client.close()
    return sent, received


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rates", default="1000,3000")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--role", default="")
    parser.add_argument("--run-dir", default="")
    parser.add_argument("--descriptor", type=int, default=-1)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    if options.role:
        run_role(options.role, options.run_dir, options.descriptor, options.port)
        return
    rows = [measure(int(rate), options.seconds) for rate in options.rates.split(",")]
    for row in rows:
        print(
            f"{row['rate']:6.0f} calls/s  {row['total_us_per_call']:6.1f} us a call "
            f"(dispatcher {row['dispatcher_us_per_call']:.1f}, worker {row['worker_us_per_call']:.1f}), "
            f"lost {row['lost']:.0f} of {row['calls'] * PER_CALL:.0f}"
        )
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    (out / "sip_hop.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
