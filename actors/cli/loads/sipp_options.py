"""Options as users of SIPp write them: what is meant is taken; else the error says what to write instead.

Without this an option such as `-trace_screen` would be read as `-t` with a value.
"""

from collections.abc import Sequence
from typing import Final

import click

from ...sipp.options import OPTIONS

_TRANSPORTS: Final = {"u1": "udp", "t1": "tcp", "l1": "tls"}
"""Values of SIPp's `-t` that mean the same."""
AGAIN: Final = {
    **dict.fromkeys(("-inf", "--data"), "--more-data"),
    **dict.fromkeys(("-sf", "--scenario"), "--second-scenario"),
}
"""Options that name a file, and what a second one of them means."""
_OTHER_TRANSPORTS: Final = ("un", "ui", "tn", "ln", "s1", "sn", "c1", "cn")


def understood(ctx: click.Context, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a verb, with values of SIPp as the verb has them.

    Args:
        ctx: of the verb, whose own options are never looked at.
        arguments: of the command line, behind the name of the verb.

    Raises:
        click.UsageError: one is an option of SIPp that the verb does not have; the message says what to write instead.
    """
    own = {
        name: parameter
        for parameter in ctx.command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    found: list[str] = []
    option = ""
    seen: set[str] = set()
    for index, argument in enumerate(arguments):
        if option:
            found.append(_value(ctx, option, argument))
            option = ""
            continue
        if argument == "--":
            return [*found, *arguments[index:]]
        parameter = own.get(argument)
        if parameter is None and argument in OPTIONS:
            raise click.UsageError(_instead(argument, ctx.info_name or ""), ctx)
        takes_value = parameter is not None and not parameter.is_flag and not parameter.count
        option = argument if takes_value else ""
        name = argument
        again = AGAIN.get(argument, "")
        if again in own:
            name = again if again in seen else argument
            seen.add(again)
        found.append(name)
    return found


def _value(ctx: click.Context, option: str, value: str) -> str:
    if option != "-t":
        return value
    if value in _OTHER_TRANSPORTS:
        raise click.UsageError(f"-t {value}: there is no such transport; write udp, tcp or tls", ctx)
    return _TRANSPORTS.get(value, value)


def _instead(name: str, verb: str) -> str:
    """What to write instead of an option that a verb does not have."""
    option = OPTIONS[name]
    if option.taken and verb == "robot":
        return f"{name} is an option of SIPp that only load has; a robot takes calls until SIGINT or SIGTERM"
    if option.taken:
        return f"{name} is an option of SIPp for scenario files; it belongs to load or robot with -sf FILE.xml"
    return f"{name} is an option of SIPp: {option.text}"
