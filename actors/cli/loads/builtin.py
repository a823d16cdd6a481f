"""`-sd NAME`: print a scenario of SIPp that comes with sipswarm, and do nothing else."""

import click

from ..terminal import echo
from ..values import filled_option


def _print(ctx: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is not None and not ctx.resilient_parsing:
        from ...sipp.scenario_file import text_of

        for line in text_of(name).splitlines():
            echo(line)
        ctx.exit()


sd_option = filled_option(
    "-sd",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_print,
    help="Print a scenario of SIPp that comes with sipswarm, and exit.",
)
"""Gives a verb the option."""
