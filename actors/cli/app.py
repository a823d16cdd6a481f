"""The command `sipswarm` and its verbs; every error of the user's leaves as one line and exit code 2.

The module of a verb is imported when the verb is used: those of all verbs take several times as long as the rest of a
short command. Their names and texts of help therefore stand here.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple

import click
from click.shell_completion import CompletionItem

from ..diagnosis import log_lines
from ..errors import ConfigurationError, StartFailed
from ..host.lasting import lasting_output
from .signals import end_on_interrupt
from .terminal import echo

NAME = "sipswarm"
USAGE: Final = 2
OUTPUT_LOST: Final = 1


OWN: Final = ("-h", "--help", "--version")
"""Options without a verb."""


class Listed(NamedTuple):
    """A verb that may not be imported yet."""

    load: Callable[[], click.Command]
    """Imports the module and returns the verb."""
    summary: str
    """First sentence of its help."""


LISTED: Final[dict[str, Listed]] = {
    "demo": Listed(
        lambda: import_module(".demo", __package__).demo,
        "Show the whole product on loopback and judge it.",
    ),
    "answer": Listed(
        lambda: import_module(".answer", __package__).answer,
        "Answer every call, until SIGINT or SIGTERM.",
    ),
    "robot": Listed(
        lambda: import_module(".robot", __package__).robot,
        "Run 'async def NAME(call)' of FILE for every call that comes in, until SIGINT or SIGTERM.",
    ),
    "call": Listed(
        lambda: import_module(".call", __package__).call,
        "Call TO, print its progress, and show the digits received and the quality of the media at the end.",
    ),
    "load": Listed(
        lambda: import_module(".load", __package__).load,
        "Call TARGET by a schedule and judge every call; with --method, send requests instead.",
    ),
    "probe": Listed(
        lambda: import_module(".probe.verb", __package__).probe,
        "Send OPTIONS to TARGET, call it or register at it, and show the time of each phase; or serve probes by HTTP.",
    ),
    "registrar": Listed(
        lambda: import_module(".servers.verbs", __package__).registrar,
        "Be the registrar of a domain (RFC 3261 10.3), until SIGINT or SIGTERM.",
    ),
    "proxy": Listed(
        lambda: import_module(".servers.verbs", __package__).proxy,
        "Be a stateless proxy (RFC 3261 16.11), until SIGINT or SIGTERM.",
    ),
    "check": Listed(
        lambda: import_module(".check", __package__).check,
        "Send nothing: read all arguments of load, answer, robot or probe, and show what they would need and do.",
    ),
    "convert": Listed(
        lambda: import_module(".loads.convert", __package__).convert,
        "Print a Python scenario for a scenario file of SIPp that is a plain call.",
    ),
    "doctor": Listed(
        lambda: import_module(".doctor", __package__).doctor,
        "Look at limits, sysctls, ports, loop, codecs and clock; each finding with its fix.",
    ),
    "metrics": Listed(
        lambda: import_module(".info", __package__).metrics,
        "List every metric on /metrics with its labels and meaning.",
    ),
    "version": Listed(
        lambda: import_module(".info", __package__).version,
        "Show the versions of sipswarm and of what it stands on.",
    ),
}


class Verbs(MutableMapping[str, click.Command]):
    """The verbs by name; one is imported when it is looked up, and none when the names are."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            with end_on_interrupt():
                self._loaded[name] = LISTED[name].load()
        return self._loaded[name]

    def __setitem__(self, name: str, verb: click.Command) -> None:
        raise TypeError(f"{name}: a verb is added to LISTED")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: a verb is removed from LISTED")

    def __contains__(self, name: object) -> bool:
        return name in LISTED

    def __iter__(self) -> Iterator[str]:
        return iter(LISTED)

    def __len__(self) -> int:
        return len(LISTED)


class VerbGroup(click.Group):
    """The command `sipswarm`: its help and the completion of a verb's name import no verb."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments as far as the name of the verb; a line of SIPp without one is an error that says which."""
        if args and args[0] not in LISTED and args[0] not in OWN:
            from .loads import sipp_options

            sipp_options.check_verb(ctx, args)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their texts."""
        _summaries().format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs and options that begin with what is typed."""
        summaries = _summaries()
        verbs = [
            CompletionItem(name, help=summaries.commands[name].get_short_help_str())
            for name in summaries.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


def _summaries() -> click.Group:
    """Return a group of commands that have names and texts only."""
    return click.Group(commands=[click.Command(name, help=listed.summary) for name, listed in LISTED.items()])


def _show_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from .info import installed

    echo(f"{NAME}, version {installed(NAME)}")
    ctx.exit()


@click.group(
    name=NAME,
    cls=VerbGroup,
    commands=Verbs(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Thousands of SIP calls, with their audio and digits, from a few processes.

    \b
    Try:
      sipswarm demo
      sipswarm answer --listen udp:127.0.0.1:5070
      sipswarm load sip:echo@127.0.0.1:5070 -r 50 -m 1000 -d 5s --media silence --expect-media
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of this process when not given.

    Raises:
        KeyboardInterrupt: SIGINT came before the command handled it.
    """
    try:
        with lasting_output() as streams:
            status = _run(arguments)
            problem = streams.finish()
            if not problem or status == USAGE:
                return status
            echo(f"{NAME}: standard output cannot be written: {problem}; what is missing there is lost", err=True)
            return OUTPUT_LOST
    except ConfigurationError as error:  # of the output itself
        click.echo(f"{NAME}: {error}", err=True)
        return 2


def _run(arguments: Sequence[str] | None) -> int:
    log_lines.begin(NAME)
    try:
        status = cli.main(arguments, prog_name=NAME, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else NAME
        echo(f"{path}: {_one_line(error.format_message())} (see {path} --help)", err=True)
        return 2
    except click.ClickException as error:
        echo(f"{NAME}: {_one_line(error.format_message())}", err=True)
        return 2
    except StartFailed as error:
        echo(f"{NAME}: {error}", err=True)
        return 1
    except ConfigurationError as error:
        for line in error.lines:
            echo(f"{NAME}: {line}", err=True)
        return 2
    except click.Abort:
        raise KeyboardInterrupt from None
    return status if isinstance(status, int) else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
