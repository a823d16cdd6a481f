"""Options that several verbs have, in groups, and how a verb gets them: one object for each record of declarations.

A record declares its options in its fields (`config.option`). From it the click options of a verb are made, and with
them its variables and the configuration file (`configuration`). The user's values become a record of the same class.
Those that go on to the processes of a node are in `config`: `NodeSettings`, `LoadConfig`, `AnswerConfig`. A verb must
not read an option in any other way.
"""

import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import click

from sipswarm.sipcore.message.hop import Hop

from ..config import (
    OPTION,
    AnswerConfig,
    CallSettings,
    Count,
    Digits,
    Flag,
    Kind,
    Listener,
    NodeSettings,
    OneOf,
    Option,
    Seconds,
    checked_advertise,
    option,
)
from ..errors import ConfigurationError
from ..host.descriptors import need_for_node
from ..transport.names.addresses import ip_version
from .configuration import given
from .password import read_password
from .values import (
    AudioFile,
    Codecs,
    FilePath,
    ListenAddress,
    MetricsAddress,
    MetricsPlace,
    Network,
    filled_option,
    type_of,
)

DEFAULT_LISTENER: Final = Listener("udp", "127.0.0.1", 5070)
_TRANSPORT: Final = OneOf(("udp", "tcp", "tls"))
_PORT: Final = Count(0, 65535)
Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def options(
    kind: type[Any],
    *,
    without: Collection[str] = (),
    defaults: Mapping[str, tuple[object, str]] | None = None,
    requests: str = "each INVITE and REGISTER",
) -> Decorator:
    """Give a verb the options of a record; its function gets one, after those of the groups above it.

    Args:
        kind: a dataclass whose fields declare options. Records in its fields have theirs too; any other field without
            default is an argument of the verb.
        without: fields whose options the verb does not have, or names of such options.
        defaults: of fields, instead of the declared ones, with the text of `--help`.
        requests: the requests that carry the account's further headers.
    """
    words = {"requests": requests, "codecs": ", ".join(Codecs.known())}
    made = [
        _option(field, declared, words, (defaults or {}).get(field.name))
        for field, declared in _declared(kind, without)
    ]

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(verb)
        def with_group(*groups: Any, **values: Any) -> int:
            record = _record(kind, values)
            if isinstance(record, CallSettings) and bool(record.account.user) != bool(record.account.password):
                raise click.UsageError("--auth-user and --auth-password-file belong together; give both")
            return verb(*groups, record, **values)

        call: Callable[..., int] = with_group
        for each in reversed(made):
            call = each(call)
        return call

    return decorate


def _declared(kind: type[Any], without: Collection[str]) -> Iterator[tuple[Field[Any], Option]]:
    """Yield the fields of a record, and of those in it, that declare options."""
    for field in fields(kind):
        declared = field.metadata.get(OPTION)
        if field.name in without or (declared is not None and _long(declared) in without):
            continue
        if declared is not None:
            yield field, declared
        elif is_dataclass(field.default):
            yield from _declared(type(field.default), without)


def _long(declared: Option) -> str:
    return max(declared.names, key=len)


def _parameter(declared: Option) -> str:
    """Return the name under which click passes the value."""
    return _long(declared).lstrip("-").replace("-", "_")


def _option(
    field: Field[Any], declared: Option, words: Mapping[str, str], given: tuple[object, str] | None
) -> Decorator:
    """Return the click option of a field.

    Args:
        words: for the places in its sentence.
        given: another default.
    """
    names, about = (*declared.names, _parameter(declared)), declared.about.format_map(words)
    if isinstance(declared.check, Flag):
        return click.option(*names, is_flag=True, help=about)
    kind = type_of(declared.check)
    if declared.many:
        shown = declared.shown if isinstance(declared.shown, str) else False
        return filled_option(*names, type=kind, multiple=True, show_default=shown, help=about)
    default = field.default if declared.written is None else declared.written
    shown = declared.shown if isinstance(declared.shown, str) else declared.shown and default not in ("", None)
    if given is not None:
        default, shown = given
    elif declared.optional:
        default, shown = None, declared.shown if isinstance(declared.shown, str) else False
    elif declared.by_cores is not None:
        default = declared.by_cores(len(os.sched_getaffinity(0)))
    return filled_option(*names, type=kind, default=default, show_default=shown, help=about)


def _record(kind: type[Any], values: dict[str, Any]) -> Any:
    """Return the record that the user's values make; take them out of all values."""
    found: dict[str, Any] = {}
    behind: dict[str, Any] = {}
    for field in fields(kind):
        declared = field.metadata.get(OPTION)
        if field.name in behind:
            found[field.name] = behind.pop(field.name)
        elif declared is None:
            if is_dataclass(field.default):
                found[field.name] = _record(type(field.default), values)
            elif field.default is MISSING:
                found[field.name] = values.pop(field.name)
        elif _parameter(declared) in values:
            value = values.pop(_parameter(declared))
            if declared.optional and value is None:
                continue
            match declared.check:
                case Flag(sets):
                    value = sets if value else not sets
                case Kind.PASSWORD_FILE:
                    value = read_password(value)
                case Kind.SHARE:
                    value, behind[f"{field.name}s"] = value
            found[field.name] = value
    return kind(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressOptions:
    """What a verb writes to stderr while it runs."""

    quiet: bool = option(False, "--quiet", check=Flag(), about="No progress on stderr.")
    log_format: str = option(
        "text",
        "--log-format",
        check=OneOf(("text", "json")),
        about="Log, progress and errors on stderr: lines for people, or an object a line.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(ProgressOptions):
    """Options of running the processes of a node from here; those for the processes are in `NodeSettings`."""

    metrics: MetricsAddress = option(
        MetricsAddress("", -1, given=True), "--metrics", check=MetricsPlace(), about="Address of /metrics, or off."
    )
    drain: float = option(
        30.0,
        "--drain",
        check=Seconds(),
        written="30s",
        about="How long live calls may go on after the first SIGINT or SIGTERM; 0 = hang up at once.",
    )
    run_dir: str = option(
        "",
        "--run-dir",
        check=click.Path(file_okay=False),
        shown="a fresh private one",
        about="Folder of the sockets between the processes.",
    )


def run_options(*, metrics: MetricsAddress) -> Decorator:
    """Give a verb the options of `RunOptions`.

    Args:
        metrics: where /metrics is served unless the user gives another address.
    """
    shown = "off" if metrics.port < 0 else f"{metrics.host}:{metrics.port} or the next free port"
    return options(RunOptions, defaults={"metrics": (metrics, shown)})


def need_descriptors(settings: NodeSettings, *, nodes: int = 1, listeners: int = 1) -> None:
    """See, before anything is started, that nodes of such processes may open as many files as they need.

    Args:
        settings: of each node.
        nodes: supervisors in this process.
        listeners: addresses of incoming calls.

    Raises:
        ConfigurationError: the limit is too low, with the way to raise it.
    """
    processes = nodes * (settings.call_workers + settings.media_workers + 1)
    need_for_node(processes, nodes=nodes, listeners=listeners)


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """The local address of calls that are placed, and the limits of their targets."""

    transport: str = option(
        "udp",
        "-t",
        "--transport",
        check=_TRANSPORT,
        about="Transport, where the target names none.",
    )
    user: str = option(
        "", "-s", "--user", check=Kind.TEXT, about="User part of the called URI, where the target names none."
    )
    local_ip: str = option("", "-i", "--local-ip", check=Kind.TEXT, shown="by route", about="Local address.")
    local_port: int = option(0, "-p", "--local-port", check=_PORT, shown="any free", about="Local SIP port.")
    allow_public: bool = option(
        False,
        "--allow-public",
        check=Flag(),
        about="Allow a target outside of loopback, link-local and private networks.",
    )

    @property
    def chosen_transport(self) -> str:
        """The transport that the user gave; empty = none."""
        return self.transport if given("transport") else ""

    def listener(self, hop: Hop, advertise: tuple[str, ...]) -> Listener:
        """Return the local address toward a hop.

        Args:
            hop: the first hop.
            advertise: the addresses that are seen instead of it.

        Raises:
            ConfigurationError: it is no address, not of the hop's IP version, or there is no route; or the advertised
                addresses do not go with it.
        """
        from .target import local_address

        place = Listener(hop.transport, self.local_ip or local_address(hop), self.local_port)
        listener = Listener.parse(str(place))
        if (":" in listener.host) != (":" in hop.host):
            version = ip_version(hop.host)
            raise ConfigurationError(
                f"-i {self.local_ip} does not reach {hop.host}; give an IPv{version} address, or leave -i out"
            )
        checked_advertise(advertise, (listener,))
        return listener


@dataclass(frozen=True, slots=True)
class CalleeOptions:
    """The local addresses of calls that are taken, and their permitted callers."""

    listen: tuple[Listener, ...] = option(
        (),
        "--listen",
        check=ListenAddress(),
        many=True,
        shown=str(DEFAULT_LISTENER),
        about="Local SIP listener; repeatable. Port 0 = any free port; 0.0.0.0 or [::] = all local addresses.",
    )
    transport: str = option(
        DEFAULT_LISTENER.transport,
        "-t",
        "--transport",
        check=_TRANSPORT,
        about="Transport of the listener, instead of --listen.",
    )
    local_ip: str = option(
        "", "-i", "--local-ip", check=Kind.TEXT, about="Address of the listener, instead of --listen."
    )
    local_port: int | None = option(
        None, "-p", "--local-port", check=_PORT, about="Port of the listener.  [default: 5070]"
    )
    user: str = option("sipswarm", "-s", "--user", check=Kind.TEXT, about="User part of the local Contact.")
    allow: tuple[str, ...] = option(
        (),
        "--allow",
        check=Network(),
        many=True,
        shown="loopback and private networks",
        about="Network whose calls are accepted; repeatable. Others get no answer.",
    )

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The addresses of --listen, or those of -i, -p and -t instead."""
        if not self.local_ip and self.local_port is None and self.transport == DEFAULT_LISTENER.transport:
            return self.listen or (DEFAULT_LISTENER,)
        if self.listen:
            raise click.UsageError("--listen and -i, -p or -t say the same; give only --listen")
        port = DEFAULT_LISTENER.port if self.local_port is None else self.local_port
        place = Listener(self.transport, self.local_ip or DEFAULT_LISTENER.host, port)
        return (Listener.parse(str(place)),)

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks whose calls are taken."""
        return self.allow or AnswerConfig().allow


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions(ProgressOptions):
    """Options of the call itself."""

    play: Path | None = option(
        None, "--play", check=AudioFile(), about="Send this audio file once; raw:FILE sends its octets as payload."
    )
    record: Path | None = option(
        None,
        "--record",
        check=FilePath(
            "give a file that can be written", in_folder=True, dir_okay=False, readable=False, writable=True
        ),
        about="Record the received audio to this file (.wav).",
    )
    dtmf: str = option("", "--dtmf", check=Digits(), about="Send these digits after the answer.")
    hold: float = option(
        0.0,
        "-d",
        "--hold",
        check=Seconds(unit_needed=True),
        written="0s",
        shown="until --play ends or the peer or Ctrl-C hangs up",
        about="How long to hold the call, with its unit: 5s.",
    )
    ring_time: float = option(
        60.0,
        "--ring-time",
        check=Seconds(),
        written="60s",
        about="How long to wait for a final answer before CANCEL; 0 = 180s.",
    )


cdr_option = filled_option(
    "--cdr",
    type=FilePath("give a file in a folder that can be written to", dir_okay=False, readable=False),
    default=None,
    help="Append a line of JSON for each ended call; reopened on SIGHUP.",
)
out_option = filled_option(
    "--out",
    type=FilePath("give a folder that can be written to", file_okay=False, readable=False),
    default=None,
    show_default="./sipswarm-out/VERB-TIME",
    help="Folder for report.html, summary.json, timeline.csv, calls.csv, junit.xml and failures/.",
)
