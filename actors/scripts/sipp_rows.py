"""The form of SIPp's files of rows (`-inf`): the order of rows, `PRINTF`, fields separated by `;`. Reads no file.

The first line has SEQUENTIAL, RANDOM or USER, and with commas PRINTF=N, PRINTFOFFSET=N, PRINTFMULTIPLE=N. Then each
line is a row; lines that begin with `#` are comments. Empty lines are left out, where SIPp would stop reading. A row
may have fewer fields than another.
With PRINTF the file stands for N rows: row I is line I modulo the number of lines, and `%d` in it is
OFFSET + I × MULTIPLE, with `%04d` in four places.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import ConfigurationError

MODES: Final = ("SEQUENTIAL", "RANDOM", "USER")
"""The orders in which calls get the rows."""
_PRINTF: Final = ("PRINTF", "PRINTFOFFSET", "PRINTFMULTIPLE")
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_PLACE: Final = re.compile(r"%(?:(%)|(0?[0-9]{0,3})d)?", re.ASCII)
MOST_PRINTED: Final = 10_000_000
"""Rows that PRINTF may ask for."""


class Line(NamedTuple):
    """One row."""

    number: int
    """Its line in the file, from 1."""
    text: str
    """As it is written."""


class Printed(NamedTuple):
    """What PRINTF makes of the rows."""

    rows: int
    """How many rows there are."""
    offset: int
    multiple: int

    def number(self, row: int) -> int:
        """Return what stands for `%d` in a row, counted from 0."""
        return self.offset + row * self.multiple


@dataclass(frozen=True, slots=True)
class SippRows:
    """A file of rows."""

    mode: str
    """One of MODES."""
    lines: tuple[Line, ...]
    """At least one."""
    printed: Printed | None
    """None = without PRINTF."""

    @property
    def count(self) -> int:
        """How many rows there are, with those that PRINTF makes."""
        return self.printed.rows if self.printed else len(self.lines)

    def fields(self, row: int) -> list[str]:
        """Return the fields of a row.

        Args:
            row: from 0 to the number of rows - 1.
        """
        fields = self.lines[row % len(self.lines)].text.split(";")
        if self.printed is not None:
            number = self.printed.number(row)
            fields = [fill_in(field, number) for field in fields]
        return fields


def is_sipp_form(first_line: str) -> bool:
    """Whether a file with this first line is of SIPp's form."""
    first = first_line.partition(",")[0].strip()
    return first in MODES or first.partition("=")[0] in _PRINTF


def read_rows(path: str, lines: Sequence[str]) -> SippRows:
    """Read a file of SIPp's form.

    Args:
        path: for errors.
        lines: without line ends.

    Raises:
        ConfigurationError: with file and line: the first line is not of this form, there are no rows, or `%` is
            followed by something else than `d` in a file with PRINTF.
    """
    mode, printed = _first_line(path, lines[0] if lines else "")
    rows = tuple(
        [Line(number, line) for number, line in enumerate(lines[1:], 2) if line.strip() and not line.startswith("#")]
    )
    if not rows:
        raise ConfigurationError(f"{path}:1: there are no rows in it; write a line for each call")
    if printed is not None:
        for row in rows:
            bad = next((match for match in _PLACE.finditer(row.text) if match[0] == "%"), None)
            if bad is not None:
                raise ConfigurationError(
                    f"{path}:{row.number}: '%' at position {bad.start() + 1} is neither %d nor of the form %04d; "
                    "write %% for the character itself"
                )
    return SippRows(mode, rows, printed)


def fill_in(text: str, number: int) -> str:
    """Return a text with a number for each `%d`, `%4d` and `%04d`, and `%` for each `%%`."""
    if "%" not in text:
        return text
    return _PLACE.sub(lambda match: "%" if match[2] is None else f"%{match[2]}d" % number, text)


def _first_line(path: str, line: str) -> tuple[str, Printed | None]:
    words = [word.strip() for word in line.split(",")]
    modes = [word for word in words if word in MODES]
    if len(modes) != 1:
        raise ConfigurationError(f"{path}:1: the first line is {line[:40]!r}; write SEQUENTIAL, RANDOM or USER")
    numbers: dict[str, int] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not word or word in MODES:
            continue
        if name not in _PRINTF or not equals or not _NUMBER.fullmatch(value):
            raise ConfigurationError(
                f"{path}:1: {word!r} is not understood; write SEQUENTIAL, RANDOM or USER, and with a number "
                f"{', '.join(f'{each}=' for each in _PRINTF)}, or drop it"
            )
        numbers[name] = int(value)
    return modes[0], _printed(path, numbers)


def _printed(path: str, numbers: Mapping[str, int]) -> Printed | None:
    if not numbers:
        return None
    rows = numbers.get("PRINTF", 0)
    if not 0 < rows <= MOST_PRINTED:
        raise ConfigurationError(f"{path}:1: PRINTF={rows} rows; write the number of rows, 1 to {MOST_PRINTED}")
    return Printed(rows, numbers.get("PRINTFOFFSET", 0), numbers.get("PRINTFMULTIPLE", 1))
