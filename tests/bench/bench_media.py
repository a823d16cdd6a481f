"""What media costs: CPU per RTP packet against a floor in C, SIPp and Net::SIP, measured in one run.

    python -m tests.bench.bench_media [--streams 1000] [--seconds 10] [--hold] [--json FILE]

Both ends of every row are processes of their own; CPU is user + system over the packets that they counted, while all
streams are up. The floor (media_floor.c, built here) has as many sockets, the same 5 ms tick, epoll, sendto and
recvfrom, and no statistics. SIPp 3.6 does not read what comes back on its streams and echoes on one socket without
statistics, so it stands against our sending alone and our echo alone. `--hold` adds: as many full-duplex streams for
60 s, loss and send lateness judged. A figure of a busy machine is worth nothing: run it alone.
"""

import argparse
import gc
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import ConfigureStream, OpenStream, SourceSpec, StreamOpened

HERE = Path(__file__).resolve().parent
HOME = "127.0.0.1"
TICK_MS = 5
Counted = dict[str, Any]


# our side: one process with an engine


def run_engine(source: SourceSpec, direction: str, streams: int, seconds: float, first_port: int) -> None:
    """The body of a process: open, tell the ports, read the peer's, run, print the counters as JSON."""
    settings = MediaSettings(port_first=first_port, port_last=first_port + 9999, max_streams=streams)
    engine = MediaEngine(settings)
    now = time.monotonic()
    for stream_id in range(streams):
        engine.handle(1, OpenStream(stream_id, HOME), now)
    ports = [event.rtp_port for _, event in engine.drain() if isinstance(event, StreamOpened)]
    print(json.dumps(ports), flush=True)
    peers: list[int] = json.loads(sys.stdin.readline())
    now = time.monotonic()
    for stream_id, port in enumerate(peers):
        command = ConfigureStream(stream_id, direction, HOME, port, source=source)
        engine.handle(1, command, now)
    gc.collect()
    gc.freeze()
    wait = select.epoll()
    wait.register(engine.fileno(), select.EPOLLIN)
    settled = now + 0.5  # the first packets lock and connect
    end = settled + seconds
    spin(engine, wait, settled)
    before, cpu = counters(engine), cpu_seconds()
    spin(engine, wait, end)
    cpu = cpu_seconds() - cpu
    after = counters(engine)
    figures: Counted = {name: after[name] - before[name] for name in after}
    lateness = engine.totals.lateness
    figures |= {"cpu": cpu, "lateness_edges": lateness.edges, "lateness": lateness.counts}
    # What is under way at the end is no loss: read on for a moment.
    spin(engine, wait, end + 0.2)
    engine.close_owner(1, time.monotonic())
    figures["lost"] = sum(engine.totals.packets_lost)
    print(json.dumps(figures), flush=True)
    engine.close()


def spin(engine: MediaEngine, wait: select.epoll, until: float) -> None:
    """A plain loop around an engine."""
    while (now := time.monotonic()) < until:
        deadline = engine.deadline()
        ready = wait.poll(max(0.0, min(deadline if deadline is not None else until, until) - now))
        now = time.monotonic()
        if ready:
            engine.on_readable(now)
        deadline = engine.deadline()
        if deadline is not None and deadline <= now:
            engine.on_tick(now)
        engine.drain()


def counters(engine: MediaEngine) -> Counted:
    """What changes while packets flow."""
    totals = engine.totals
    return {
        "sent": sum(totals.packets_sent),
        "received": sum(totals.packets_received),
        "skipped": totals.frames_skipped,
        "errors": totals.send_errors,
        "discarded": sum(totals.discards),
    }


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ours(kinds: tuple[str, str], streams: int, seconds: float) -> list[Counted]:
    """Two engines in processes of their own, the first with source kinds[0], the second with kinds[1]."""
    children = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.bench.bench_media", "--engine", kind, "--first-port", str(port)),
                *("--streams", str(streams), "--seconds", str(seconds)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent.parent,
        )
        for kind, port in zip(kinds, (10000, 20000), strict=True)
    ]
    ports = [line(child) for child in children]
    for child, peer in zip(children, reversed(ports), strict=True):
        assert child.stdin is not None
        child.stdin.write(peer)
        child.stdin.flush()
    return [json.loads(line(child)) for child in children]


def line(child: "subprocess.Popen[str]") -> str:
    """The next line that a child prints."""
    assert child.stdout is not None
    text = child.stdout.readline()
    if not text:
        raise SystemExit(f"{child.args!r} ended without a word")
    return text


# the floor


def build_floor(folder: str) -> str:
    """The C program, built."""
    target = str(Path(folder) / "media_floor")
    subprocess.run(["gcc", "-O2", "-Wall", "-o", target, str(HERE / "media_floor.c")], check=True)
    return target


def floor(program: str, kinds: tuple[str, str], streams: int, seconds: float) -> list[Counted]:
    """Two processes of the floor."""
    ports = (10000, 10000 + 2 * streams)
    children = [
        subprocess.Popen(
            [program, kind, str(streams), str(seconds), str(own), str(peer), str(TICK_MS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind, own, peer in zip(reversed(kinds), reversed(ports), ports, strict=True)
    ]
    return [json.loads(line(child)) for child in reversed(children)]


def free_port() -> str:
    """A UDP port that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOME, 0))
        return str(probe.getsockname()[1])


# SIPp

SIPP_CALLER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller with a stream">
<send retrans="500"><![CDATA[
INVITE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: sip:sipp@[local_ip]:[local_port]
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rtd="true"/>
<send><![CDATA[
ACK sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0
]]></send>
<nop><action><exec rtp_stream="FILE,-1,0"/></action></nop>
<pause milliseconds="MILLISECONDS"/>
<send retrans="500"><![CDATA[
BYE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0
]]></send>
<recv response="200"/>
</scenario>
"""


class Peer(NamedTuple):
    """CPU of a foreign process over the packets that it handled."""

    cpu: float
    packets: int


def sipp(streams: int, seconds: float, folder: str) -> tuple[Peer, Peer]:
    """SIPp sending streams, and SIPp echoing them on one socket; its exit codes are the verdict."""
    audio = Path(folder) / "audio.ul"
    audio.write_bytes(b"\xff" * 160 * 100)
    scenario = Path(folder) / "caller.xml"
    scenario.write_text(SIPP_CALLER.replace("FILE", str(audio)).replace("MILLISECONDS", str(round(seconds * 1000))))
    port, own_port = free_port(), free_port()
    echo = subprocess.Popen(
        ["sipp", "-sn", "uas", "-i", HOME, "-mi", HOME, "-p", port, "-rtp_echo", "-mp", "36000", "-nostdin"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    caller = subprocess.Popen(
        [
            *("sipp", f"{HOME}:{port}", "-sf", str(scenario), "-i", HOME, "-mi", HOME, "-p", own_port, "-nostdin"),
            *("-m", str(streams), "-r", str(streams), "-l", str(streams)),
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(caller.pid, 0)
    caller.returncode = os.waitstatus_to_exitcode(status)
    echo.terminate()
    _, _, echo_usage = os.wait4(echo.pid, 0)
    echo.returncode = 0
    if caller.returncode:
        raise SystemExit(f"SIPp's caller says exit code {caller.returncode}")
    packets = round(streams * seconds * 50)
    return (
        Peer(usage.ru_utime + usage.ru_stime, packets),
        Peer(echo_usage.ru_utime + echo_usage.ru_stime, packets),
    )


# Net::SIP


def net_sip(calls: int, seconds: float) -> list[Counted]:
    """Net::SIP sending and receiving, and Net::SIP echoing, in processes of their own."""
    script = str(HERE / "media_net_sip.pl")
    port = free_port()
    echo = subprocess.Popen(["perl", script, "echo", port], stdout=subprocess.PIPE, text=True)
    line(echo)
    caller = subprocess.Popen(
        ["perl", script, "send", port, str(calls), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    sent = json.loads(line(caller))
    time.sleep(0.3)
    echo.terminate()
    return [sent, json.loads(line(echo))]


# the table


class Row(NamedTuple):
    """One figure against one peer."""

    figure: str
    ours: float
    """Microseconds of CPU per packet or packet pair."""
    peer: str
    theirs: float
    target: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs


def per_pair(ends: list[Counted]) -> float:
    """Microseconds per packet sent and received, over both ends."""
    pairs: float = sum(end["sent"] + end["received"] for end in ends) / 2
    cpu: float = sum(end["cpu"] for end in ends)
    return cpu / pairs * 1e6


def measure(streams: int, seconds: float) -> tuple[list[Row], Counted]:
    """All rows, one after the other."""
    rows: list[Row] = []
    raw: Counted = {}
    with tempfile.TemporaryDirectory() as folder:
        program = build_floor(folder)
        both = ours(("silence", "silence"), streams, seconds)
        bare = floor(program, ("send", "send"), streams, seconds)
        raw |= {"ours duplex": both, "floor duplex": bare}
        rows.append(Row("pair, duplex", per_pair(both), "floor in C", per_pair(bare), 2.0))
        sending, echoing = ours(("silence", "echo"), streams, seconds)
        raw["ours send and echo"] = [sending, echoing]
        (alone, _) = ours(("silence:sendonly", "none"), streams, seconds)
        raw["ours send only"] = alone
        send_only = alone["cpu"] / alone["sent"] * 1e6
        echo_only = echoing["cpu"] / echoing["received"] * 1e6
        if shutil.which("sipp"):
            caller, echo = sipp(min(streams, 500), seconds, folder)
            raw |= {"sipp rtp_stream": caller, "sipp rtp_echo": echo}
            rows.append(Row("packet sent", send_only, "SIPp rtp_stream", caller.cpu / caller.packets * 1e6, 1.5))
            rows.append(Row("packet echoed", echo_only, "SIPp rtp_echo", echo.cpu / echo.packets * 1e6, 2.0))
    if shutil.which("perl") and not subprocess.run(["perl", "-MNet::SIP", "-e1"], check=False).returncode:
        theirs = net_sip(50, min(seconds, 5.0))
        raw["Net::SIP"] = theirs
        rows.append(Row("pair, send_recv", per_pair([sending]), "Net::SIP send_recv", per_pair(theirs[:1]), 0.2))
        rows.append(Row("pair, recv_echo", echo_only, "Net::SIP recv_echo", per_pair(theirs[1:]), 0.2))
    return rows, raw


def hold(streams: int, seconds: float) -> Counted:
    """Full-duplex streams, every one judged: loss and the 99th percentile of send lateness."""
    ends = ours(("silence", "silence"), streams, seconds)
    counts = [sum(each) for each in zip(*(end["lateness"] for end in ends), strict=True)]
    edges: list[float] = ends[0]["lateness_edges"]
    reached, bound = 0, float("inf")
    for edge, count in zip([*edges, float("inf")], counts, strict=True):
        reached += count
        if reached >= 0.99 * sum(counts):
            bound = edge
            break
    return {
        "streams": streams,
        "seconds": seconds,
        "lost": sum(end["lost"] for end in ends),
        "skipped": sum(end["skipped"] for end in ends),
        "lateness p99 at most": bound,
        "cpu per end": [end["cpu"] / seconds for end in ends],
    }


def main() -> None:
    """Measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--hold", action="store_true", help="hold the streams for 60 s and judge every one")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--first-port", type=int, default=10000, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        name, _, direction = given.engine.partition(":")
        source: SourceSpec = ("echo", 0) if name == "echo" else (name,)
        run_engine(source, direction or "sendrecv", given.streams, given.seconds, given.first_port)
        return
    rows, raw = measure(given.streams, given.seconds)
    print(f"{'CPU per':18} {'ours µs':>8}  {'peer':20} {'µs':>8}  {'ratio':>6}  target")
    for row in rows:
        verdict = "met" if row.ratio <= row.target else "MISSED"
        print(
            f"{row.figure:18} {row.ours:8.2f}  {row.peer:20} {row.theirs:8.2f}  {row.ratio:6.2f}"
            f"  <= {row.target} {verdict}"
        )
    result = {"rows": [{**row._asdict(), "ratio": row.ratio} for row in rows], "raw": raw}
    if given.hold:
        result["hold"] = hold(given.streams, 60.0)
        print(result["hold"])
    text = json.dumps(result)
    print(text)
    if given.json:
        Path(given.json).write_text(text)


if __name__ == "__main__":
    main()
