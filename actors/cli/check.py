"""`sipswarm check VERB …`: every check that is possible before anything is sent.

The verb parses its arguments as usual, and comes here instead of running. Files, ports, memory and descriptors are
compared with the need of the plan; the first request is shown. Nothing must be sent, and no file that was made here is
left.
"""

import os
import resource
import socket
import time
from pathlib import Path
from typing import Final

import click

from sipswarm.sipcore.message.hop import Hop

from ..config import Listener, LoadConfig, NodeConfig, NodeSettings, format_host
from ..load.description import LASTING, arrivals_of, rows_of
from ..load.schedule import Plan, Share
from ..transport import tls
from ..transport.certificate_dates import shown_date
from .configuration import CHECK, verbs_beside
from .terminal import echo
from .values import filled_argument

PORT_REST: Final = 5.0
"""Seconds that a port rests before it is used again."""
CALL_OCTETS: Final = 100_000
"""Memory of a live call with media in all processes together, rounded up."""
PROCESS_OCTETS: Final = 60_000_000
"""Memory of a process without calls, rounded up."""
DESCRIPTORS: Final = 64
"""Descriptors that a process needs besides its media."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@filled_argument("verb", type=click.Choice(["load", "answer", "robot", "probe"]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def check(ctx: click.Context, verb: str, arguments: tuple[str, ...]) -> int:
    """Send nothing: read all arguments of load, answer, robot or probe, and show what they would need and do.

    \b
    Examples:
      sipswarm check load 127.0.0.1:5070 -r 50 -m 1000 -d 5s --media silence
      sipswarm check answer --listen udp:127.0.0.1:0
      sipswarm check robot examples/robot.py
      sipswarm check probe --serve --expect-code 200

    Exit codes: 0 every check passed, 2 a check failed; its line has the fix.
    """
    command = verbs_beside(ctx)[verb]
    ctx.meta[CHECK] = True
    # Beside this context, not in it: click would put the usage of `check` between the names in each error.
    with command.make_context(f"check {verb}", list(arguments), parent=ctx.parent or ctx) as inner:
        status: int = command.invoke(inner)
    return status


def loading(settings: NodeSettings, listener: Listener, hop: Hop, load: LoadConfig, cdr: Path | None) -> int:
    """Show a load's schedule, needs and first INVITE; return 2 when something is missing, else 0."""
    from .loads.first_message import first_message

    _check_files(settings, (listener,), cdr)
    config = NodeConfig.of(settings, (listener,), load=load)
    plan = Plan.of(load)
    share = Share.of(load)
    planned = plan.planned(share)
    rate = load.rate / load.shards
    unheld = rate * (load.hold + 1.0)  # a call without a hold is up for less than a second
    if load.method in LASTING and not load.hold:
        unheld = rate * plan.end  # kept until the end of the plan
    peak = min(unheld, unheld if planned is None else planned)
    limit = share.bound(load.max_concurrent)
    if limit:
        peak = min(peak, limit)
    most = limit or ("unknown: the scenario decides" if load.scenario else f"about {peak:.0f}")
    of_all = "" if load.shards == 1 else f" (shard {share.name} of {load.rate:g} {arrivals_of(load)}/s)"
    echo(f"target: {load.target} over {hop.transport} to {format_host(hop.host)}:{hop.port}")
    echo(f"from: {listener}")
    noun = arrivals_of(load)
    echo(f"schedule: {planned} {noun} in {plan.end:.1f} s, {load.arrival}, at most {rate:g} {noun}/s{of_all}")
    for start, end, seconds in load.profile:
        echo(f"  {start:g} to {end:g} {noun}/s{f' within {seconds:g} s' if seconds else ', on and on'}")
    echo(f"live {rows_of(load)} at the peak: {most}")
    enough = _resources(settings, peak, rate if load.media != "none" else 0.0)
    enough &= _bindable(listener)
    echo(f"the first {load.method.upper()}:")
    for line in first_message(config, hop, load).decode("utf-8", "replace").splitlines():
        echo(f"  {line}")
    return 0 if enough else 2


def answering(settings: NodeSettings, listeners: tuple[Listener, ...], cdr: Path | None) -> int:
    """Show the needs of an answering node; return 2 when something is missing, else 0."""
    _check_files(settings, listeners, cdr)
    enough = True
    for each in listeners:
        echo(f"listen on: {each}")
        enough &= _bindable(each)
    low, high = settings.rtp_ports
    echo(f"RTP ports: {(high - low) // 2 + 1} media lines per address, so as many calls at a time")
    if settings.account.address:
        echo(f"register: {settings.account.address} at {settings.account.registrar}")
    return 0 if _resources(settings, 0.0, 0.0) and enough else 2


def _check_files(settings: NodeSettings, listeners: tuple[Listener, ...], cdr: Path | None) -> None:
    """See that the files of a node can be used.

    Args:
        cdr: file of records of ended calls.

    Raises:
        ConfigurationError: a certificate that cannot be used or is not valid now, or a file that cannot be written.
    """
    from ..load.cdr import Cdr

    not_after = tls.check(settings.tls, listeners, time.time())
    if not_after:
        echo(f"certificate: {settings.tls.certificate} is valid until {shown_date(not_after)}")
    if cdr is not None:
        there = os.path.exists(cdr)  # False, where Path.exists raises, for a name that is too long
        Cdr(cdr).close()
        if not there:
            cdr.unlink()


def _resources(settings: NodeSettings, peak: float, rate: float) -> bool:
    low, high = settings.rtp_ports
    processes = settings.call_workers + settings.media_workers + 2
    there = (high - low) // 2 + 1
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    available = _memory_available()
    lines = peak if rate else 0.0
    rows = (
        ("RTP port pairs", lines + PORT_REST * rate, float(there), "widen --rtp-ports"),
        (
            "descriptors per media worker",
            2 * lines / settings.media_workers + DESCRIPTORS,
            float(descriptors),
            "raise ulimit -n",
        ),
        (
            "memory in MB",
            (processes * PROCESS_OCTETS + peak * CALL_OCTETS) / 1e6,
            available / 1e6,
            "use fewer calls at a time (-l)",
        ),
        ("live calls per call worker", peak / settings.call_workers, float(settings.max_calls), "raise --max-calls"),
    )
    for name, needed, has, fix in rows:
        short = needed > has
        echo(f"{name}: {needed:.0f} needed, {has:.0f} available{f'; NOT ENOUGH: {fix}' if short else ''}")
    return all(needed <= has for _, needed, has, _ in rows)


def _bindable(listener: Listener) -> bool:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((listener.host, listener.port))
        except OSError as error:
            echo(f"  {listener} cannot be bound: {os.strerror(error.errno or 0)}; choose another port or address")
            return False
    return True


def _memory_available() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return 0.0
