"""The command `sipswarm` and its verbs; every error of the user's leaves as one line and exit code 2."""

from collections.abc import Sequence
from typing import Final

import click

from ..diagnosis import log_lines
from ..errors import ConfigurationError, StartFailed
from ..host.lasting import lasting_output
from .answer import answer
from .call import call
from .check import check
from .demo import demo
from .doctor import doctor
from .info import installed, metrics, version
from .load import load
from .loads.convert import convert
from .probe.verb import probe
from .robot import robot
from .servers.verbs import proxy, registrar
from .terminal import echo

NAME = "sipswarm"
USAGE: Final = 2
OUTPUT_LOST: Final = 1


@click.group(name=NAME, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(installed(NAME), prog_name=NAME)
def cli() -> None:
    """Thousands of SIP calls, with their audio and digits, from a few processes.

    \b
    Try:
      sipswarm demo
      sipswarm answer --listen udp:127.0.0.1:5070
      sipswarm load sip:echo@127.0.0.1:5070 -r 50 -m 1000 -d 5s --media silence --expect-media
    """


for verb in (demo, answer, robot, call, load, probe, registrar, proxy, check, convert, doctor, metrics, version):
    cli.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of this process when not given.

    Raises:
        KeyboardInterrupt: SIGINT came before the command handled it.
    """
    with lasting_output() as streams:
        status = _run(arguments)
        problem = streams.finish()
        if not problem or status == USAGE:
            return status
        echo(f"{NAME}: standard output cannot be written: {problem}; what is missing there is lost", err=True)
        return OUTPUT_LOST


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
