"""Variables of a scenario file: where each lives, what it can hold, and how it prints.

A variable belongs to one call, to one user of the file (`User`), or to all calls of a worker (`Global`). It holds text,
a number or a truth value, or it is not set. As in SIPp the number 0 and the value false count as not set for `test=`
and `condexec=`; the number prints as nothing, the truth value as `false`.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from math import copysign, isnan
from typing import Final, final

from ..errors import ConfigurationError

Value = str | float | bool | None
"""Text (one character for each octet), a number, a truth value; None = not set."""

_NUMBER: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,9})?"
    r"|0[xX][0-9a-fA-F]{1,300}|inf(?:inity)?|nan))(?![0-9A-Fa-fxX.])",
    re.IGNORECASE,
)
"""A number at the beginning of a text, as `strtod` of C reads it."""


class Scope(Enum):
    """Who shares a variable."""

    CALL = auto()
    USER = auto()
    GLOBAL = auto()


@final
class Layout:
    """The variables of a file and where each lives; one for all calls.

    Args:
        call_names, user_names, global_names: names of the variables of each scope.
    """

    __slots__ = ("_places", "sizes")

    def __init__(
        self, call_names: Iterable[str], user_names: Iterable[str] = (), global_names: Iterable[str] = ()
    ) -> None:
        self._places: dict[str, tuple[Scope, int]] = {}
        self.sizes: dict[Scope, int] = {}
        """Number of variables of each scope."""
        for scope, names in ((Scope.GLOBAL, global_names), (Scope.USER, user_names), (Scope.CALL, call_names)):
            own = [name for name in dict.fromkeys(names) if name not in self._places]
            self._places.update((name, (scope, index)) for index, name in enumerate(own))
            self.sizes[scope] = len(own)

    def place(self, name: str) -> tuple[Scope, int]:
        """Return the scope of a variable and its number in there.

        Raises:
            KeyError: the file has no such variable.
        """
        return self._places[name]

    def fresh(self, scope: Scope) -> list[Value]:
        """Return the values of a scope, none of them set."""
        return [None] * self.sizes[scope]

    def global_values(self, given: Mapping[str, str]) -> list[Value]:
        """Return the values of the global variables at the start of a run.

        Args:
            given: of `-set`, by name.

        Raises:
            ConfigurationError: the file declares no such global variable.
        """
        values = self.fresh(Scope.GLOBAL)
        for name, value in given.items():
            scope, index = self._places.get(name, (Scope.CALL, 0))
            if scope is not Scope.GLOBAL:
                raise ConfigurationError(
                    f"-set {name}: the file has no global variable {name}; "
                    f'write <Global variables="{name}"/> into it, or drop the option'
                )
            values[index] = value
        return values


@final
class Variables:
    """The variables that one call sees.

    Args:
        layout: of the file.
        user: the values of the user that the call is for, shared by its calls; None = it has values of its own.
        everyone: the values of the global variables; None = it has values of its own.
    """

    __slots__ = ("_layout", "_values")

    def __init__(self, layout: Layout, user: list[Value] | None = None, everyone: list[Value] | None = None) -> None:
        self._layout = layout
        self._values = {
            Scope.CALL: layout.fresh(Scope.CALL),
            Scope.USER: layout.fresh(Scope.USER) if user is None else user,
            Scope.GLOBAL: layout.fresh(Scope.GLOBAL) if everyone is None else everyone,
        }

    def __getitem__(self, name: str) -> Value:
        """Return the value of a variable; None = it is not set.

        Raises:
            KeyError: the file has no such variable.
        """
        scope, index = self._layout.place(name)
        return self._values[scope][index]

    def __setitem__(self, name: str, value: Value) -> None:
        """Set a variable, or with None take its value from it.

        Raises:
            KeyError: the file has no such variable.
        """
        scope, index = self._layout.place(name)
        self._values[scope][index] = value

    def is_set(self, name: str) -> bool:
        """Whether a variable is set, for `test=` and `condexec=`."""
        return is_set(self[name])

    def text(self, name: str) -> str:
        """Return a variable as `[$NAME]` prints it; empty = it is not set."""
        return text_of(self[name])

    def number(self, name: str) -> float:
        """Return the number in a variable; 0 when it holds none."""
        value = self[name]
        return value if isinstance(value, float) else 0.0


def is_set(value: Value) -> bool:
    """Whether a value counts as set: any text, any number but 0, and true."""
    return value is not None and (isinstance(value, str) or bool(value))


def text_of(value: Value) -> str:
    """Return a value as SIPp prints it: numbers with six digits behind the point."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isnan(value):
        return "-nan" if copysign(1.0, value) < 0 else "nan"
    return f"{value:f}" if value else ""


def number_of(value: Value) -> float | None:
    """Return a value as a number, as `todouble` converts it; None where a text is no number as a whole. "" is 0."""
    if value == "":
        return 0.0
    if isinstance(value, str):
        number = leading_number(value)
        return None if number is None or number[1] < len(value) else number[0]
    return None if value is None else float(value)


def leading_number(text: str) -> tuple[float, int] | None:
    """Return the number at the beginning of a text, and the characters that it takes; None = there is none."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    digits = match[1].lower()
    return float(int(digits, 16)) if "0x" in digits else float(digits), match.end()
