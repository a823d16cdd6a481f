"""`sipswarm registrar` and `sipswarm proxy`: servers for phones, robots and tests, until a signal ends them.

Both are one call worker, because the bindings have one owner. The one media worker beside it stays idle, unless a proxy
relays media: a relay drops what comes from the ports of another one, which it knows in its own process. The file of
users and that of the bindings are read here first, so that what is wrong in them is an error of usage.
"""

from dataclasses import replace
from typing import Final

import click

from ...config import NodeSettings, ServerConfig
from ...robots import binding_file
from ...robots.domains import users_of
from ..answer import run_answer
from ..configuration import Verb
from ..options import CalleeOptions, RunOptions, options, run_options
from ..terminal import echo
from ..values import DEFAULT_METRICS

OF_CALLS: Final = (
    *("call_workers", "media_workers", "rtp_ports", "rtp_timeout", "codecs", "srtp", "account", "strict_source"),
    *("session_expires", "max_call_time", "max_calls"),
)
"""Settings of a node that has calls."""
OF_RELAYS: Final = ("rtp_ports", "max_calls")
"""Those of them that a proxy has, because it may relay media."""
OF_PROXIES: Final = ("registrar", "record_route", "relay_media", "relay_timeout", "auth", "any_from", "next_hop")
"""Options that a registrar does not have."""
LEAST_SPAN: Final = 2
"""Distance of the first and the last RTP port at least, where media is relayed: two pairs."""


@click.command(cls=Verb)
@options(CalleeOptions, without=("user",))
@options(ServerConfig, without=OF_PROXIES)
@options(NodeSettings, without=OF_CALLS)
@run_options(metrics=DEFAULT_METRICS)
def registrar(callee: CalleeOptions, config: ServerConfig, settings: NodeSettings, running: RunOptions) -> int:
    """Be the registrar of a domain (RFC 3261 10.3), until SIGINT or SIGTERM.

    Without --users every REGISTER is accepted, from the networks of --allow.

    \b
    Examples:
      sipswarm registrar
      sipswarm registrar --listen udp:192.168.1.5:5060 --users users.csv --realm example.org
      sipswarm registrar --listen udp:127.0.0.1:5060 --listen tcp:127.0.0.1:5060 --file bindings --expires 30s:5m:1h
      sipswarm registrar --redirect
    """
    return _run("registrar", callee, replace(config, registrar=True), settings, running)


@click.command(cls=Verb)
@options(CalleeOptions, without=("user",))
@options(ServerConfig, without=("redirect",))
@options(NodeSettings, without=tuple(each for each in OF_CALLS if each not in OF_RELAYS))
@run_options(metrics=DEFAULT_METRICS)
def proxy(callee: CalleeOptions, config: ServerConfig, settings: NodeSettings, running: RunOptions) -> int:
    """Be a stateless proxy (RFC 3261 16.11), until SIGINT or SIGTERM.

    Requests follow their Route, the bindings of --registrar, --next-hop, and else their Request-URI.

    \b
    Examples:
      sipswarm proxy --registrar --record-route
      sipswarm proxy --listen udp:192.168.1.5:5060 --registrar --users users.csv --realm example.org --auth
      sipswarm proxy --listen udp:127.0.0.1:5060 --next-hop sip:192.0.2.1 --send-to 192.0.2.0/24
      sipswarm proxy --listen udp:192.168.1.5:5060 --registrar --relay-media --rtp-ports 20000-21998
    """
    if config.auth and not config.users:
        raise click.UsageError("--auth needs the passwords of the users; give --users FILE too")
    if config.any_from and not config.auth:
        raise click.UsageError("--any-from is about users that --auth challenges; give --auth too")
    if config.users and not (config.registrar or config.auth):
        raise click.UsageError(
            "--users challenges who registers (--registrar) and who sends requests (--auth); give one of them too"
        )
    if config.relay_media:
        low, high = settings.rtp_ports
        if high - low < LEAST_SPAN:
            raise click.UsageError(
                f"--rtp-ports {low}-{high}: a media line of a relayed call needs two pairs of ports; "
                "give for example 20000-21998"
            )
    elif _is_given("relay_timeout"):
        raise click.UsageError("--relay-timeout is about relayed media; give --relay-media too")
    if not config.registrar:
        for name in filter(_is_given, ("expires", "file")):
            raise click.UsageError(f"--{name} is about bindings, which only a registrar has; give --registrar too")
    if config.users and not config.auth:
        echo("only REGISTER is challenged; with --auth calls and other requests are too", err=True, level="WARNING")
    return _run("proxy", callee, replace(config, proxy=True), settings, running)


def _is_given(name: str) -> bool:
    """Whether an option stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _run(verb: str, callee: CalleeOptions, config: ServerConfig, settings: NodeSettings, running: RunOptions) -> int:
    """Run a server; the exit code as `run_answer` has it.

    Raises:
        ConfigurationError: the file of users or of bindings cannot be used.
    """
    if config.users:
        users_of(config.users)
    elif _is_given("algorithm"):
        raise click.UsageError("--algorithm is about challenges; give --users FILE too")
    if config.file:
        binding_file.read(config.file)
        binding_file.need_writable(config.file)
    config = replace(config, allow=callee.networks)
    return run_answer(verb, running, callee, settings, None, server=config)
