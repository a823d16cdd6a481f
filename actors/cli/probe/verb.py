"""`sipswarm probe TARGET`: one probe with an exit code; `sipswarm probe --serve`: probes for Prometheus by HTTP."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ...config import CallSettings, Count, Flag, Seconds, option
from ...host.descriptors import need_for_call, need_for_probes
from ...probe.module import DEFAULT, Module, ProbeChecks
from ..configuration import Verb, is_only_checked
from ..options import CallerOptions, ProgressOptions, options
from ..target import complete
from ..terminal import echo
from ..values import FilePath, MetricsAddress, MetricsPlace, filled_argument, filled_option
from .modules import module_of, read_modules

DEFAULT_PORT: Final = "9115"
"""That of Prometheus' blackbox exporter."""
MOST_PROBES: Final = 60
"""Probes at once, each with a connection of the HTTP server, which takes 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """How probes are served."""

    max_probes: int = option(
        16,
        "--max-probes",
        check=Count(1, MOST_PROBES),
        about="Maximum probes at the same time with --serve; further requests get 503.",
    )
    timeout_offset: float = option(
        0.5,
        "--timeout-offset",
        check=Seconds(),
        written="500ms",
        about="Time that is taken off the scraper's timeout with --serve.",
    )
    """Seconds."""
    json: bool = option(False, "--json", check=Flag(), about="Print the result as a JSON object.")


@click.command(cls=Verb)
@filled_argument("target", required=False, default="")
@options(ProbeChecks)
@options(CallerOptions)
@options(CallSettings, requests="each request")
@options(ServiceOptions)
@options(ProgressOptions)
@filled_option(
    "--serve",
    type=MetricsPlace(),
    is_flag=False,
    flag_value=DEFAULT_PORT,
    default="off",
    show_default=True,
    help=f"Serve /probe, /metrics and /healthz at this address; 127.0.0.1:{DEFAULT_PORT} where none is given.",
)
@filled_option(
    "--modules",
    type=FilePath("give a TOML file that you may read", dir_okay=False),
    default=None,
    help="TOML file of modules for --serve; read again on SIGHUP.",
)
def probe(
    checks: ProbeChecks,
    caller: CallerOptions,
    settings: CallSettings,
    service: ServiceOptions,
    progress: ProgressOptions,
    target: str,
    serve: MetricsAddress,
    modules: Path | None,
) -> int:
    """Send OPTIONS to TARGET, call it or register at it, and show the time of each phase; or serve probes by HTTP.

    \b
    Examples:
      sipswarm probe 127.0.0.1:5070
      sipswarm probe ivr@127.0.0.1:5070 --call -d 2s --expect-media --dtmf 1234 --expect-dtmf =
      sipswarm probe sip:alice@127.0.0.1:5070 --register --auth-user alice --auth-password-file alice.password
      sipswarm probe --serve 127.0.0.1:9115

    Exit codes: 0 everything was as expected, 1 it was not, 2 usage, 3 the target was not judged.
    """
    own = module_of(checks, caller, settings)
    if serve.port < 0 and not is_only_checked():
        if modules is not None:
            raise click.UsageError("--modules belongs to --serve; give both, or the options themselves")
        if not target:
            raise click.UsageError("name a TARGET, or say --serve")
        from .once import run_once

        need_for_call()
        return run_once(target, own, is_quiet=progress.quiet, as_object=service.json)
    if target and serve.port >= 0:
        raise click.UsageError("with --serve each request names its target; drop TARGET")
    if service.json and serve.port >= 0:
        raise click.UsageError("--json prints the result of one probe, and --serve prints none; drop --json")
    if settings.sip_trace and serve.port >= 0:
        raise click.UsageError("--sip-trace is a file of one probe; &debug=true shows the messages of a call")
    if is_only_checked():
        return _show(complete(target, own.user, own.transport) if target else "", _modules(own, modules))
    from .serving import run_service

    need_for_probes(service.max_probes)
    return run_service(serve, lambda: _modules(own, modules), most=service.max_probes, offset=service.timeout_offset)


def _modules(own: Module, file: Path | None) -> dict[str, Module]:
    """Return the modules of a service by name; the options of the command line are the one that has no name."""
    return {DEFAULT: own, **(read_modules(file) if file is not None else {})}


def _show(uri: str, modules: dict[str, Module]) -> int:
    """Show what would be probed.

    Args:
        uri: of the target; empty = each request names its own.
    """
    if uri:
        echo(f"target: {uri}")
    for name, each in modules.items():
        what = "calls" if each.checks.call else "registrations" if each.checks.register else "OPTIONS"
        echo(f"module {name}: {what}, at most {each.checks.timeout:g} s")
    return 0
