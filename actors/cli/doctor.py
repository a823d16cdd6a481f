"""`sipswarm doctor`: limits of this machine that hinder many calls, and their fixes.

It looks at limits, sysctls, ports, packages and the clock, in this order. It must change nothing.
"""

import os
import resource
import socket
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import click

from ..host.event_loop import new_event_loop
from .terminal import echo

WANTED_DESCRIPTORS: Final = 65536
WANTED_BUFFER: Final = 4 * 1024 * 1024
PORTS: Final = (("SIP, 5060", "udp", 5060), ("SIP, 5070", "udp", 5070), ("metrics, 9464", "tcp", 9464))
RTP_PORTS: Final = (20000, 32767)
LATE: Final = 0.02
"""Seconds that a timer may be late."""


class Finding(NamedTuple):
    """One look at the machine."""

    name: str
    value: str
    fix: str
    """What to do; empty = all is well."""


@click.command()
def doctor() -> int:
    """Look at limits, sysctls, ports, loop, codecs and clock; each finding with its fix.

    \b
    Examples:
      sipswarm doctor

    A finding may not matter for your plan: 'sipswarm check load …' shows what a plan needs.
    """
    troubled = 0
    for finding in findings():
        troubled += bool(finding.fix)
        echo(f"{'!!' if finding.fix else 'ok'} {finding.name}: {finding.value}")
        if finding.fix:
            echo(f"   fix: {finding.fix}")
    echo(f"{troubled} findings" if troubled else "nothing to mend")
    return 0


def findings() -> Iterator[Finding]:
    """Yield every finding, in order."""
    yield from _limits()
    yield from _sysctls()
    yield from (_port(name, kind, port) for name, kind, port in PORTS)
    yield from _runtime()
    yield _clock()


def _limits() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fix = f"ulimit -Hn {WANTED_DESCRIPTORS}, or LimitNOFILE={WANTED_DESCRIPTORS} in the unit"
    enough = hard == resource.RLIM_INFINITY or hard >= WANTED_DESCRIPTORS
    yield Finding("open files (ulimit -n)", f"{soft}, can be raised to {hard}", "" if enough else fix)
    cores = len(os.sched_getaffinity(0))
    yield Finding("cores", str(cores), "" if cores > 1 else "give it two or more; one core serves few calls with media")


def _sysctls() -> Iterator[Finding]:
    for name, wanted in (("net/core/rmem_max", WANTED_BUFFER), ("net/core/wmem_max", 1024 * 1024)):
        key = name.replace("/", ".")
        value = _sysctl(name)
        if value is None:
            yield Finding(key, "cannot be read", "")
        else:
            enough = int(value) >= wanted
            yield Finding(key, value, "" if enough else f"sysctl -w {key}={wanted}")
    found = (_sysctl("net/ipv4/ip_local_port_range") or "32768 60999").split()
    low, high = int(found[0]), int(found[1])
    overlaps = low <= RTP_PORTS[1] and high >= RTP_PORTS[0]
    fix = f"sysctl -w net.ipv4.ip_local_port_range='{RTP_PORTS[1] + 1} 60999', or move --rtp-ports"
    yield Finding("net.ipv4.ip_local_port_range", f"{low} to {high}", fix if overlaps else "")


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def _port(name: str, kind: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            option = "--listen" if kind == "udp" else "--metrics"
            reason = os.strerror(error.errno or 0).lower()
            return Finding(f"port {name}", reason, f"see who has it with ss -lnp, or choose another with {option}")
    return Finding(f"port {name}", "free", "")


def _runtime() -> Iterator[Finding]:
    yield Finding(
        "event loop", "uvloop" if find_spec("uvloop") else "none", "" if find_spec("uvloop") else "pip install uvloop"
    )
    yield Finding("codecs", "PCMU, PCMA, telephone-event", "")
    for module, what, extra in (("pylibsrtp", "SRTP", "srtp"), ("av", "further audio files and codecs", "audio")):
        there = find_spec(module) is not None
        yield Finding(
            what, "there" if there else f"not installed (only if needed: pip install 'sipswarm[{extra}]')", ""
        )


def _clock() -> Finding:
    """Measure how late timers of 5 ms come, over half a second."""
    loop = new_event_loop()
    late: list[float] = []

    def tick(due: float) -> None:
        now = time.monotonic()
        late.append(now - due)
        if len(late) < 100:
            loop.call_later(0.005, tick, now + 0.005)
        else:
            loop.stop()

    loop.call_soon(tick, time.monotonic())
    loop.run_forever()
    loop.close()
    worst = sorted(late)[-2]
    fix = "" if worst <= LATE else "the machine is busy or throttled: free cores, or pin other work elsewhere"
    return Finding("timers", f"99th percentile {worst * 1000:.1f} ms late", fix)
