"""The output of the command line: a line at a time, texts of peers and users in it as `foreign_text` shows them."""

from typing import Any

import click

from ..diagnosis.foreign_text import shown_line


def echo(line: str, *, err: bool = False) -> None:
    """Print a line on stdout, or on stderr."""
    click.echo(shown_line(line), err=err)


def echo_styled(line: str, **style: Any) -> None:
    """Print a line on stdout in the style of `click.style`.

    Args:
        style: of `click.style`; color: whether it is coloured, None = on a terminal.
    """
    click.secho(shown_line(line), **style)
