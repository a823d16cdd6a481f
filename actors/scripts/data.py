"""The rows of a load's data file: SIPp's form (`-inf`) and plain CSV with a header. Pure but for reading the file.

SIPp: the first line is SEQUENTIAL, RANDOM or USER, fields are separated by `;` and called field0, field1, …; `#` begins
a comment line. Otherwise the first line names the columns, separated by `,` or `;`. A file is read as a whole and
checked line by line. A row with another number of fields than the columns must never be taken in part.
"""

import csv
from collections.abc import Callable
from random import Random
from typing import Final

from ..errors import ConfigurationError
from ..host.named_files import MOST_ROWS, read_octets
from ..host.permits import Permits

MODES: Final = ("SEQUENTIAL", "RANDOM", "USER")


class Row(dict[str, str]):
    """One row: `row["user"]` by column, `row.field(0)` by position.

    Args:
        line: its line in the file.
        number: among the rows of its shard, with USER.
    """

    def __init__(self, columns: tuple[str, ...], values: list[str], line: int = 0, number: int = 0) -> None:
        super().__init__(zip(columns, values, strict=True))
        self.line = line
        self.number = number

    def numbered(self, number: int) -> "Row":
        """Return the same row with a number."""
        return Row(tuple(self), list(self.values()), self.line, number)

    def field(self, index: int) -> str:
        """Return the value of a column by its position, as SIPp's [field0]."""
        return list(self.values())[index]


class Data:
    """All rows, and their distribution over the calls.

    With SEQUENTIAL and RANDOM the number of the call decides, whichever shard and worker places it.

    Args:
        mode: SEQUENTIAL (by the call's number, over and over), RANDOM, or USER (a row serves one live call at a time).
        seed: of RANDOM.
    """

    def __init__(self, rows: tuple[Row, ...], mode: str, seed: int) -> None:
        self.rows = rows
        self.mode = mode
        self._seed = seed
        self._users: tuple[Row, ...] = ()
        """With USER, the rows of this shard."""
        self._free: Permits | None = None

    @classmethod
    def read(cls, path: str, seed: int = 1) -> "Data":
        """Read a file.

        Raises:
            ConfigurationError: with file and line: it cannot be read, has no rows, or a row has another number of
                fields.
        """
        try:
            text = read_octets(path, "a CSV file", MOST_ROWS, again=True).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ConfigurationError(f"{path}:{line}: this is not UTF-8; convert the file") from error
        lines = text.splitlines()
        first = lines[0].strip() if lines else ""
        mode = first.partition(",")[0]
        if mode in MODES:
            if first != mode:
                raise ConfigurationError(
                    f"{path}:1: {first.partition(',')[2]!r} after {mode} is not understood; drop it"
                )
            return cls(_sipp_rows(path, lines), mode, seed)
        return cls(_rows(path, lines), "SEQUENTIAL", seed)

    def share(self, shard: int, shards: int, permits: Callable[[int], Permits]) -> None:
        """With USER, take rows of one shard only, each in turn; a row in use is taken by no other worker of it.

        Args:
            shard: 0 … shards - 1.
            shards: their number.
            permits: makes the permits for a number of rows, which the workers of the shard share.
        """
        if self.mode != "USER":
            return
        self._users = tuple(row.numbered(number) for number, row in enumerate(self.rows[shard::shards]))
        self._free = permits(len(self._users))

    def take(self, index: int) -> Row | None:
        """Return the row of a call; None with USER when every row serves a live call.

        Args:
            index: number of the call over all shards.
        """
        if self.mode == "USER":
            number = self._free.take() if self._free is not None else None
            return None if number is None else self._users[number]
        if self.mode == "RANDOM":
            return self.rows[Random((self._seed << 40) ^ index).randrange(len(self.rows))]
        return self.rows[index % len(self.rows)]

    def give_back(self, row: Row) -> None:
        """Free a row, because its call is over."""
        if self._free is not None:
            self._free.give_back(row.number)


def _sipp_rows(path: str, lines: list[str]) -> tuple[Row, ...]:
    rows: list[Row] = []
    columns: tuple[str, ...] = ()
    for number, line in enumerate(lines[1:], 2):
        if not line.strip() or line.startswith("#"):
            continue
        values = line.split(";")
        if values[-1] == "":
            values.pop()  # SIPp's files often end each line with a separator
        columns = columns or tuple(f"field{index}" for index in range(len(values)))
        rows.append(_row(path, number, columns, values))
    return _some(path, rows)


def _rows(path: str, lines: list[str]) -> tuple[Row, ...]:
    if not lines:
        raise ConfigurationError(f"{path}:1: the file is empty; write a line of column names and a line for each call")
    separator = ";" if ";" in lines[0] and "," not in lines[0] else ","
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows: list[Row] = []
    columns: tuple[str, ...] = ()
    try:
        for values in reader:
            if not values:
                continue
            if not columns:
                columns = tuple(each.strip() for each in values)
                if "" in columns or len(set(columns)) < len(columns):
                    raise ConfigurationError(f"{path}:{reader.line_num}: a column without a name, or two of one name")
            else:
                rows.append(_row(path, reader.line_num, columns, values))
    except csv.Error as error:
        raise ConfigurationError(f"{path}:{reader.line_num}: {error}") from error
    return _some(path, rows)


def _row(path: str, line: int, columns: tuple[str, ...], values: list[str]) -> Row:
    if len(values) != len(columns):
        raise ConfigurationError(f"{path}:{line}: {len(values)} fields, but there are {len(columns)} columns")
    return Row(columns, values, line)


def _some(path: str, rows: list[Row]) -> tuple[Row, ...]:
    if not rows:
        raise ConfigurationError(f"{path}:1: there are no rows in it; write a line for each call")
    return tuple(rows)
