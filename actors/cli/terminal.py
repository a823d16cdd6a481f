"""The output of the command line: a line at a time, texts of peers and users in it as `foreign_text` shows them."""

import sys
from typing import Any

import click

from ..diagnosis.foreign_text import shown_line
from ..diagnosis.log_lines import FORM


def echo(line: str, *, err: bool = False, level: str = "ERROR") -> None:
    """Print a line on stdout, or on stderr in the form of the log.

    Args:
        err: it goes to stderr.
        level: of the line there, where the form of the log has one.
    """
    if err and FORM.json:
        sys.stderr.write(FORM.line(level, line))
        return
    click.echo(shown_line(line), err=err)


def echo_styled(line: str, **style: Any) -> None:
    """Print a line on stdout in the style of `click.style`.

    Args:
        style: of `click.style`; color: whether it is coloured, None = on a terminal.
    """
    click.secho(shown_line(line), **style)
