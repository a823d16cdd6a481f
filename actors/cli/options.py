"""Options that every verb with a fleet has, read into one `FleetOptions`."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from ..config import TlsConfig
from .values import Duration, MetricsAddress, MetricsPlace, PortRange

MAX_WORKERS = 256
_PEM = click.Path(dir_okay=False)
sip_trace_option = click.option(
    "--sip-trace",
    type=click.Path(dir_okay=False, resolve_path=False),
    default="",
    show_default="none",
    help="Write all SIP to this capture file, passwords, keys and digits masked.",
)


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How the processes of a node are set up; the fields are the long options."""

    call_workers: int
    media_workers: int
    metrics: MetricsAddress
    rtp_ports: tuple[int, int]
    rtp_timeout: float
    hang_timeout: float
    drain: float
    max_calls: int
    run_dir: str
    quiet: bool
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    sip_trace: str = ""

    @property
    def tls(self) -> TlsConfig:
        """The TLS options as the node takes them."""
        return TlsConfig(self.tls_ca, self.tls_cert, self.tls_key)


def fleet_options(*, metrics: MetricsAddress) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb the fleet's options; its function gets them as the first argument, a `FleetOptions`.

    metrics: where /metrics is served when the user says nothing.
    """
    cores = len(os.sched_getaffinity(0))
    shown = "off" if metrics.port < 0 else f"{metrics.host}:{metrics.port} or the next free port"
    options = (
        click.option(
            "--call-workers",
            type=click.IntRange(1, MAX_WORKERS),
            default=max(1, cores - 1),
            show_default="cores - 1",
            help="Processes that hold the calls.",
        ),
        click.option(
            "--media-workers",
            type=click.IntRange(1, MAX_WORKERS),
            default=max(1, cores // 2),
            show_default="cores / 2",
            help="Processes that send and receive RTP.",
        ),
        click.option(
            "--metrics", type=MetricsPlace(), default=metrics, show_default=shown, help="Serve /metrics here, or off."
        ),
        click.option(
            "--rtp-ports",
            type=PortRange(),
            default="20000-32766",
            show_default=True,
            help="First and last RTP port; each call with media needs two.",
        ),
        click.option(
            "--rtp-timeout",
            type=Duration(),
            default="30s",
            show_default=True,
            help="No RTP for so long, where some is due, ends a call; 0 = never.",
        ),
        click.option(
            "--hang-timeout",
            type=Duration(),
            default="5s",
            show_default=True,
            help="A process without a beat for so long is replaced; 0 = never.",
        ),
        click.option(
            "--drain",
            type=Duration(),
            default="30s",
            show_default=True,
            help="After the first SIGINT or SIGTERM live calls may go on for so long.",
        ),
        click.option(
            "--max-calls",
            type=click.IntRange(1),
            default=20000,
            show_default=True,
            help="Live calls per call worker; beyond, new ones get 503.",
        ),
        click.option(
            "--run-dir",
            type=click.Path(file_okay=False),
            default="",
            show_default="a fresh private one",
            help="Folder of the sockets between the processes.",
        ),
        click.option(
            "--tls-ca",
            type=_PEM,
            default="",
            show_default="the system's",
            help="Certificates that are trusted; clients that show one are checked against it too.",
        ),
        click.option("--tls-cert", type=_PEM, default="", help="Our certificate, with its chain."),
        click.option("--tls-key", type=_PEM, default="", help="Its key, without password."),
        sip_trace_option,
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
    )
    names = tuple(field.name for field in fields(FleetOptions))

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(verb)
        def call(**values: Any) -> int:
            fleet = FleetOptions(**{name: values.pop(name) for name in names})
            return verb(fleet, **values)

        for option in reversed(options):
            call = option(call)
        return call

    return decorate


out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    show_default="./sipswarm-out/VERB-TIME",
    help="Folder for report.html, summary.json, timeline.csv, calls.csv, junit.xml and failures/.",
)
