"""Options as users of SIPp write them: what is meant is taken; else the error says what to write instead.

Without this an option such as `-trace_screen` would be read as `-t` with a value.
"""

import re
from collections.abc import Container, Iterable, Sequence
from difflib import get_close_matches
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
_UNITS: Final = {"-fd": "s", "-recv_timeout": "ms", "-T2": "ms"}
"""Units of bare numbers for options that only SIPp has by this name."""
_PERIOD: Final = "-rp"
_USUAL_RATE: Final = "10"
"""Calls of SIPp in a period without `-r`."""
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PERIOD_FORM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WORD: Final = re.compile("-[A-Za-z0-9][A-Za-z0-9_.-]", re.ASCII)
"""How an option of several letters with one dash begins."""
_ALIKE: Final = 0.7
"""How much of a misspelt option the nearest one has, 0 to 1."""
_OTHER_TRANSPORTS: Final = ("un", "ui", "tn", "ln", "s1", "sn", "c1", "cn")


def understood(ctx: click.Context, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a verb, with values of SIPp as the verb has them.

    Args:
        ctx: of the verb, whose own options are never looked at.
        arguments: of the command line, behind the name of the verb.

    Raises:
        click.UsageError: some are options or values of SIPp that the verb does not have; the message says of each what
            to write instead.
    """
    own = {
        name: parameter
        for parameter in ctx.command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    line = _Line(ctx.command.name or "")
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        parameter = own.get(argument)
        if argument == "--":
            line.found += [argument, *reversed(rest)]
            break
        if parameter is not None:
            wanted = 0 if parameter.is_flag or parameter.count else parameter.nargs
            line.take(argument, [rest.pop() for _ in range(min(wanted, len(rest)))], own)
        elif argument == _PERIOD and "-r" in own and rest:
            line.period = rest.pop()
        elif argument in OPTIONS:
            line.wrong.append(_instead(argument, line.verb))
            del rest[len(rest) - min(OPTIONS[argument].values, len(rest)) :]
        elif _is_unknown(argument, own):
            line.wrong.append(_unknown(argument, own))
        else:
            line.found.append(argument)
    line.divide_rate()
    if line.wrong:
        raise click.UsageError("; ".join(line.wrong), ctx)
    return line.found


def check_verb(ctx: click.Context, arguments: Sequence[str]) -> None:
    """See that a command line of SIPp names a verb.

    Args:
        ctx: of the command without a verb.
        arguments: all of the command line.

    Raises:
        click.UsageError: options of SIPp, and no verb before them.
    """
    first = arguments[0] if arguments else ""
    if first.isalpha():  # a verb, or a misspelt one
        return
    name = next((each for each in arguments if each in OPTIONS), "")
    if name and OPTIONS[name].taken:
        raise click.UsageError(
            f"{name} belongs to a verb; write load TARGET {name} …, or robot {name} … if the peer begins the calls", ctx
        )
    if name:
        raise click.UsageError(_instead(name, ""), ctx)


class _Line:
    """The arguments of one command line, as the verb has them.

    Args:
        verb: its name.
    """

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.found: list[str] = []
        """The arguments."""
        self.wrong: list[str] = []
        """What the verb does not have, and what to write instead."""
        self.period = ""
        """Value of `-rp`; empty = it is not there."""
        self._rate_at = -1
        """Where the value of `-r` stands in `found`."""
        self._seen: set[str] = set()

    def take(self, name: str, values: Sequence[str], own: Container[str]) -> None:
        """Take an option that the verb has, and its values."""
        again = AGAIN.get(name, "")
        if again in own:
            name = again if again in self._seen else name
            self._seen.add(again)
        self.found.append(name)
        if len(values) != 1:
            self.found += values
            return
        (value,) = values
        if name in {"-r", "--rate"}:
            self._rate_at = len(self.found)
        if name == "-t" and value in _OTHER_TRANSPORTS:
            self.wrong.append(f"-t {value}: there is no such transport; write udp, tcp or tls")
        elif name == "-t":
            value = _TRANSPORTS.get(value, value)
        elif name in _UNITS and _NUMBER.fullmatch(value):
            value += _UNITS[name]
        self.found.append(value)

    def divide_rate(self) -> None:
        """Write `-r N -rp PERIOD` as calls per second."""
        if not self.period:
            return
        found = _PERIOD_FORM.fullmatch(self.period)
        seconds = float(found[1]) * _SECONDS[found[2] or "ms"] if found is not None else 0.0
        rate = self.found[self._rate_at] if self._rate_at >= 0 else _USUAL_RATE
        if not seconds:
            self.wrong.append(f"-rp {self.period} is no time above 0; write milliseconds, or 5s")
        elif _NUMBER.fullmatch(rate):  # else -r itself is refused
            divided = f"{float(rate) / seconds:.12g}"
            if self._rate_at >= 0:
                self.found[self._rate_at] = divided
            else:
                self.found += ["-r", divided]


def _is_unknown(argument: str, own: Container[str]) -> bool:
    """Whether an argument is a misspelt option: one dash and a word that is no option.

    Behind a short option without a space only a number is its value: `-r50`, `-d5s`. Any other word would be taken for
    one with another meaning: `-skip_rlimits` for `-s kip_rlimits`.

    Args:
        argument: of the command line, no value of an option.
        own: the options of the verb.
    """
    word = argument.partition("=")[0]
    if not _WORD.match(argument) or word in own:
        return False
    return argument[:2] not in own or not argument[2].isdigit()


def _unknown(argument: str, own: Iterable[str]) -> str:
    """What to write instead of a misspelt option."""
    names = sorted({*own, *OPTIONS})
    near = get_close_matches(argument, names, 1, _ALIKE)
    if near:
        return f"there is no option {argument}; the nearest one is {near[0]}"
    if argument[:2] in names:
        return (
            f"there is no option {argument}; a word behind {argument[:2]} needs a space: {argument[:2]} {argument[2:]}"
        )
    return f"there is no option {argument}"


def _instead(name: str, verb: str) -> str:
    """What to write instead of an option that a verb does not have."""
    option = OPTIONS[name]
    if name == "-timeout" and verb == "robot":
        return f"{name} is an option of SIPp: write timeout SECONDS before the command, and -m for the number of calls"
    if option.taken and verb == "robot":
        return f"{name} is an option of SIPp that only load has; a robot takes calls until a signal or -m ends it"
    if option.taken:
        return f"{name} is an option of SIPp for scenario files; it belongs to load or robot with -sf FILE.xml"
    return f"{name} is an option of SIPp: {option.text}"
