"""The rows of a load's data file: SIPp's form (`-inf`) and plain CSV with a header. Pure but for reading the file.

SIPp's form is that of `sipp_rows`; its fields are called field0, field1, … here. Otherwise the first line names the
columns, separated by `,` or `;`. A file is read as a whole and checked line by line: a row with another number of
fields than the columns must never be taken in part.
"""

import csv
from collections.abc import Callable, Sequence
from random import Random
from typing import overload

from ..errors import ConfigurationError
from ..host.named_files import MOST_ROWS, read_octets
from ..host.permits import Permits
from .sipp_rows import SippRows, is_sipp_form, read_rows


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
        return type(self)(tuple(self), list(self.values()), self.line, number)

    def field(self, index: int) -> str:
        """Return the value of a column by its position, as SIPp's [field0]."""
        return list(self.values())[index]


class SippRow(Row):
    """A row of SIPp's form, where a field that is not there is empty."""

    def field(self, index: int) -> str:
        """Return a field by its position, from 0."""
        return self.get(f"field{index}", "")


class Data:
    """All rows, and their distribution over the calls.

    With SEQUENTIAL and RANDOM the number of the call decides, whichever shard and worker places it.

    Args:
        mode: SEQUENTIAL (by the call's number, over and over), RANDOM, or USER (a row serves one live call at a time).
        seed: of RANDOM.
    """

    def __init__(self, rows: Sequence[Row], mode: str, seed: int) -> None:
        self.rows = rows
        self.mode = mode
        self._seed = seed
        self._users = range(0)
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
        if lines and is_sipp_form(lines[0]):
            rows = read_rows(path, [line.removesuffix("\r") for line in text.split("\n")])
            return cls(_SippTable(path, rows), rows.mode, seed)
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
        self._users = range(shard, len(self.rows), shards)
        self._free = permits(len(self._users))

    def take(self, index: int) -> Row | None:
        """Return the row of a call; None with USER when every row serves a live call.

        Args:
            index: number of the call over all shards.
        """
        if self.mode == "USER":
            number = self._free.take() if self._free is not None else None
            return None if number is None else self.rows[self._users[number]].numbered(number)
        if self.mode == "RANDOM":
            return self.rows[Random((self._seed << 40) ^ index).randrange(len(self.rows))]
        return self.rows[index % len(self.rows)]

    def give_back(self, row: Row) -> None:
        """Free a row, because its call is over."""
        if self._free is not None:
            self._free.give_back(row.number)


class _SippTable(Sequence[Row]):
    """The rows of SIPp's form; each is made when it is asked for, because PRINTF may stand for millions.

    Raises:
        ConfigurationError: with file and line: a row has fewer fields than another one. In a scenario file of SIPp
            they are empty; here somebody would be called without a password.
    """

    def __init__(self, path: str, rows: SippRows) -> None:
        self._rows = rows
        # SIPp's files often end each line with a separator, which begins no field.
        width = max(line.text.count(";") + (line.text[-1:] != ";") for line in rows.lines)
        for line in rows.lines:
            if (count := line.text.count(";") + 1) < width:
                raise ConfigurationError(f"{path}:{line.number}: {count} fields, but there are {width} columns")
        self._columns = tuple([f"field{index}" for index in range(width)])

    def __len__(self) -> int:
        return self._rows.count

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        fields = self._rows.fields(number)[: len(self._columns)]
        return SippRow(self._columns, fields, self._rows.lines[number % len(self._rows.lines)].number)


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
            elif len(values) != len(columns):
                raise ConfigurationError(
                    f"{path}:{reader.line_num}: {len(values)} fields, but there are {len(columns)} columns"
                )
            else:
                rows.append(Row(columns, values, reader.line_num))
    except csv.Error as error:
        raise ConfigurationError(f"{path}:{reader.line_num}: {error}") from error
    if not rows:
        raise ConfigurationError(f"{path}:1: there are no rows in it; write a line for each call")
    return tuple(rows)
