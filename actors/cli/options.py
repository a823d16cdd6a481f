"""Options that several verbs have, in groups: what a verb's function gets is one object for each group.

`FleetOptions`: how the processes of a node are set up. `AccountOptions`: who we are and what our calls carry.
`CallerOptions`: from where calls are placed. `CalleeOptions`: where they are taken.
"""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from sipswarm.sipcore.message.hop import Hop

from ..config import AccountConfig, AnswerConfig, Listener, TlsConfig, checked_advertise
from ..errors import ConfigurationError
from ..handle.demand import SRTP_MODES, srtp_mode
from ..host.descriptors import need_for_node
from ..transport.addresses import ip_version
from .password import read_password
from .values import (
    COUNT,
    AdvertisedAddress,
    Codecs,
    Duration,
    FilePath,
    Header,
    ListenAddress,
    MetricsAddress,
    MetricsPlace,
    Network,
    OwnUri,
    PortRange,
    SipUri,
)

MAX_WORKERS = 256
LEAST_RTP_TIMEOUT: Final = 1.0
LEAST_HANG_TIMEOUT: Final = 2.0
"""four heartbeats, and half a second after the warning that asks a process for its stack"""
DEFAULT_LISTENER = Listener("udp", "127.0.0.1", 5070)
_PEM = click.Path(dir_okay=False)
_TRANSPORT = click.Choice(["udp", "tcp", "tls"])
_PORT = click.IntRange(0, 65535)
Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def _group(kind: type[Any], options: Sequence[Decorator]) -> Decorator:
    """Give a verb these options; its function gets them as one object, after those of the groups above it."""
    names = tuple(field.name for field in fields(kind))

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(verb)
        def with_group(*groups: Any, **values: Any) -> int:
            return verb(*groups, kind(**{name: values.pop(name) for name in names if name in values}), **values)

        call: Callable[..., int] = with_group
        for option in reversed(options):
            call = option(call)
        return call

    return decorate


strict_option = click.option(
    "--strict", is_flag=True, help="Refuse what breaks the grammar of SIP or SDP, also where it does no harm."
)
sip_trace_option = click.option(
    "--sip-trace",
    type=click.Path(dir_okay=False, resolve_path=False),
    default="",
    show_default="none",
    help="Write all SIP to this capture file, passwords, keys and digits masked.",
)


advertise_option = click.option(
    "--advertise",
    type=AdvertisedAddress(),
    multiple=True,
    help="Address that others reach us by (1:1 NAT), in Via, Contact and SDP; one per IP version.",
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
    sip_trace: str = ""
    any_source: bool = False
    strict: bool = False

    def need_descriptors(self, *, nodes: int = 1, listeners: int = 1) -> None:
        """See, before anything is started, that nodes of such processes may open as many files as they need.

        Args:
            nodes: supervisors in this process.
            listeners: addresses where calls come.

        Raises:
            ConfigurationError: the limit is too low, with how to raise it.
        """
        processes = nodes * (self.call_workers + self.media_workers + 1)
        need_for_node(processes, nodes=nodes, listeners=listeners)


def fleet_options(*, metrics: MetricsAddress) -> Decorator:
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
            type=Duration(least=LEAST_RTP_TIMEOUT, why="the first RTP of a healthy call may take as long"),
            default="30s",
            show_default=True,
            help="No RTP for so long, where some is due and no hold lets it lack, ends a call; from 1s, 0 = never.",
        ),
        click.option(
            "--any-source",
            is_flag=True,
            help="Take requests within a call from any host, not from those of its peer only.",
        ),
        strict_option,
        click.option(
            "--hang-timeout",
            type=Duration(
                least=LEAST_HANG_TIMEOUT,
                why="healthy processes beat twice a second, and later while they are busy",
            ),
            default="5s",
            show_default=True,
            help="A process without a beat for so long is replaced; from 2s, 0 = never.",
        ),
        click.option(
            "--drain",
            type=Duration(),
            default="30s",
            show_default=True,
            help="After the first SIGINT or SIGTERM live calls may go on for so long; 0 = hang up at once.",
        ),
        click.option(
            "--max-calls",
            type=COUNT,
            default=20000,
            show_default=True,
            help="Live calls per call worker; beyond, new ones get 503, and a load starts no more: exit code 98.",
        ),
        click.option(
            "--run-dir",
            type=click.Path(file_okay=False),
            default="",
            show_default="a fresh private one",
            help="Folder of the sockets between the processes.",
        ),
        sip_trace_option,
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
    )
    return _group(FleetOptions, options)


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """Who we are for others, and what our calls carry; the fields are the long options."""

    proxy: str
    auth_user: str
    auth_password_file: Path | None
    headers: tuple[tuple[str, str], ...]
    codec: tuple[str, ...]
    srtp: str
    tls_ca: str
    tls_cert: str
    tls_key: str
    cdr: Path | None
    from_: str = ""

    @property
    def tls(self) -> TlsConfig:
        """The TLS options as the node takes them."""
        return TlsConfig(self.tls_ca, self.tls_cert, self.tls_key)

    def account(self, address: str = "") -> AccountConfig:
        """The account as the node takes it, its password read from its file.

        address: what the node is to keep registered.

        Raises:
            ConfigurationError: the password's file cannot be taken.
        """
        from .target import registrar_of

        if bool(self.auth_user) != bool(self.auth_password_file):
            raise click.UsageError("--auth-user and --auth-password-file belong together; give both")
        return AccountConfig(
            from_=self.from_,
            proxy=self.proxy,
            registrar=registrar_of(address) if address else "",
            address=address,
            user=self.auth_user,
            password=read_password(self.auth_password_file) if self.auth_password_file is not None else "",
            headers=self.headers,
        )

    def of_node(self, address: str = "") -> dict[str, Any]:
        """The fields of `NodeConfig` that these options fill. address: as for `account`."""
        return {
            "account": self.account(address),
            "codecs": self.codec,
            "srtp": srtp_mode(self.srtp),
            "tls": self.tls,
            "tells_incoming": self.cdr is not None,
        }


def account_options(*, places: bool) -> Decorator:
    """Give a verb the account's options.

    places: whether it places calls; one that only answers has no --from.
    """
    carries = "each INVITE and REGISTER" if places else "each REGISTER"
    from_option = click.option(
        "--from", "from_", type=OwnUri(), default="", show_default="sip:sipswarm@our address", help="Our URI."
    )
    options = (
        click.option(
            "--proxy", type=SipUri(), default="", help="Send every request that has no route through this SIP URI."
        ),
        click.option("--auth-user", default="", help="User name for a challenge (401 or 407)."),
        click.option(
            "--auth-password-file",
            type=FilePath("give a file that you may read", exists=True, dir_okay=False),
            default=None,
            help="File with the password in its first line, which only its owner may read.",
        ),
        click.option(
            "--header", "headers", type=Header(), multiple=True, help=f"Further header of {carries}; repeatable."
        ),
        click.option(
            "--codec",
            type=Codecs(),
            default="pcmu,pcma",
            show_default=True,
            help=f"Codecs in their order: {', '.join(Codecs.known())}.",
        ),
        click.option(
            "--srtp",
            type=click.Choice(SRTP_MODES),
            default="off",
            show_default=True,
            help="Encrypted media: optional takes such offers too, required offers and takes nothing else.",
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
        click.option(
            "--cdr",
            type=FilePath("give a file in a folder that can be written to", dir_okay=False, readable=False),
            default=None,
            help="Append a line of JSON for each ended call; opened anew on SIGHUP.",
        ),
    )
    return _group(AccountOptions, (from_option, *options) if places else options)


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """From where calls are placed, and how far they may go; the fields are the long options."""

    transport: str
    user: str
    local_ip: str
    local_port: int
    allow_public: bool
    advertise: tuple[str, ...] = ()

    def listener(self, hop: Hop) -> Listener:
        """Our address toward a hop.

        Raises:
            ConfigurationError: it is no address, not of the hop's IP version, or there is no route.
        """
        from .target import local_address

        place = Listener(hop.transport, self.local_ip or local_address(hop), self.local_port)
        listener = Listener.parse(str(place))
        if (":" in listener.host) != (":" in hop.host):
            version = ip_version(hop.host)
            raise ConfigurationError(
                f"-i {self.local_ip} does not reach {hop.host}; give an IPv{version} address, or leave -i out"
            )
        checked_advertise(self.advertise, (listener,))
        return listener


def caller_options() -> Decorator:
    """Give a verb the options of placing calls."""
    return _group(
        CallerOptions,
        (
            click.option(
                "-t",
                "--transport",
                type=_TRANSPORT,
                default="udp",
                show_default=True,
                help="How to reach who is called, where that does not say so itself.",
            ),
            click.option("-s", "--user", default="", help="Call this user, where none is named."),
            click.option("-i", "--local-ip", default="", show_default="by route", help="Our address."),
            click.option("-p", "--local-port", type=_PORT, default=0, show_default="any free", help="Our SIP port."),
            click.option(
                "--allow-public",
                is_flag=True,
                help="Who is called may be outside of loopback, link-local and private networks.",
            ),
            advertise_option,
        ),
    )


@dataclass(frozen=True, slots=True)
class CalleeOptions:
    """Where calls are taken, and from whom; the fields are the long options."""

    listen: tuple[Listener, ...]
    transport: str
    local_ip: str
    local_port: int | None
    user: str
    allow: tuple[str, ...]
    advertise: tuple[str, ...] = ()

    @property
    def advertised(self) -> tuple[str, ...]:
        """The addresses of --advertise.

        Raises:
            ConfigurationError: no listener has the IP version of one.
        """
        return checked_advertise(self.advertise, self.listeners)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The addresses of --listen, or of -i, -p and -t in its place."""
        if not self.local_ip and self.local_port is None and self.transport == DEFAULT_LISTENER.transport:
            return self.listen or (DEFAULT_LISTENER,)
        if self.listen:
            raise click.UsageError("--listen and -i, -p or -t say the same; give only --listen")
        port = DEFAULT_LISTENER.port if self.local_port is None else self.local_port
        place = Listener(self.transport, self.local_ip or DEFAULT_LISTENER.host, port)
        return (Listener.parse(str(place)),)

    @property
    def networks(self) -> tuple[str, ...]:
        """Whose calls are taken."""
        return self.allow or AnswerConfig().allow


def callee_options() -> Decorator:
    """Give a verb the options of taking calls."""
    return _group(
        CalleeOptions,
        (
            click.option(
                "--listen",
                type=ListenAddress(),
                multiple=True,
                show_default=str(DEFAULT_LISTENER),
                help="Where calls come; repeatable. Port 0 = any free one; 0.0.0.0 or [::] = all of our addresses.",
            ),
            click.option(
                "-t",
                "--transport",
                type=_TRANSPORT,
                default=DEFAULT_LISTENER.transport,
                show_default=True,
                help="Listen by this transport; instead of --listen.",
            ),
            click.option("-i", "--local-ip", default="", help="Listen at this address; instead of --listen."),
            click.option("-p", "--local-port", type=_PORT, default=None, help="Its port.  [default: 5070]"),
            click.option("-s", "--user", default="sipswarm", show_default=True, help="User part of our Contact."),
            click.option(
                "--allow",
                type=Network(),
                multiple=True,
                show_default="loopback and private networks",
                help="Network whose calls are taken; repeatable. The rest hears nothing.",
            ),
            advertise_option,
        ),
    )


out_option = click.option(
    "--out",
    type=FilePath("give a folder that can be written to", file_okay=False, readable=False),
    default=None,
    show_default="./sipswarm-out/VERB-TIME",
    help="Folder for report.html, summary.json, timeline.csv, calls.csv, junit.xml and failures/.",
)
