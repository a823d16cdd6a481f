"""Injection files: the rows of `-inf`, which call has which, and what actions look up and change in them.

A file is read once and kept in memory, one copy in each process. Rows that `insert` and `replace` write are seen by the
calls of the same process only, as those of one SIPp are.
"""

from collections.abc import Mapping
from random import Random
from typing import Final, final

from ..scripts.sipp_rows import SippRows, fill_in

MOST_INSERTED: Final = 1_000_000
"""Rows that actions may add to a file."""
NO_ROW: Final = -1
"""What `lookup` gives for a key that no row has."""


@final
class InjectionFile:
    """The rows of one file.

    Args:
        rows: as they were read.
    """

    __slots__ = ("_by_key", "_field", "_least", "_rows", "_texts")

    def __init__(self, rows: SippRows) -> None:
        self._rows = rows
        self._texts = [line.text for line in rows.lines]
        self._least = len(self._texts)
        self._field = -1
        self._by_key: dict[str, int] = {}

    @property
    def mode(self) -> str:
        """SEQUENTIAL, RANDOM or USER."""
        return self._rows.mode

    @property
    def count(self) -> int:
        """Number of rows, with those that PRINTF makes and those that were inserted."""
        return self._rows.count if self._rows.printed else len(self._texts)

    @property
    def is_indexed(self) -> bool:
        """Whether rows can be looked up."""
        return self._field >= 0

    def field(self, row: int, number: int) -> str:
        """Return a field; empty = the row has no such field.

        Args:
            row: from 0. One that is not there has no fields.
            number: from 0.
        """
        if not 0 <= row < self.count:
            return ""
        fields = self._texts[row % len(self._texts)].split(";")
        if number >= len(fields):
            return ""
        printed = self._rows.printed
        return fields[number] if printed is None else fill_in(fields[number], printed.number(row))

    def line(self, row: int) -> int:
        """Return the line of the file that a row stands on, from 1; 0 = it is not there, or an action has added it.

        Args:
            row: from 0; one that PRINTF makes stands on the line that it is made of.
        """
        lines = self._rows.lines
        if not 0 <= row < self.count:
            return 0
        at = row % len(lines) if self._rows.printed else row
        return lines[at].number if at < len(lines) else 0

    def index(self, field: int) -> None:
        """Make rows known by a field, `-infindex`. Of several rows with one key the last is found."""
        self._field = field
        self._by_key = {self.field(row, field): row for row in range(len(self._texts))}

    def lookup(self, key: str) -> int:
        """Return the row with this key; NO_ROW = there is none."""
        return self._by_key.get(key, NO_ROW)

    def insert(self, text: str) -> bool:
        """Add a row; False = there are MOST_INSERTED already, and nothing was added."""
        if len(self._texts) - self._least >= MOST_INSERTED:
            return False
        self._texts.append(text)
        self._note(len(self._texts) - 1)
        return True

    def replace(self, row: int, text: str) -> bool:
        """Write a row anew; False = there is no such row."""
        if not 0 <= row < len(self._texts):
            return False
        if self.is_indexed:
            key = self.field(row, self._field)
            if self._by_key.get(key) == row:
                del self._by_key[key]
        self._texts[row] = text
        self._note(row)
        return True

    def _note(self, row: int) -> None:
        if self.is_indexed:
            self._by_key[self.field(row, self._field)] = row

    def row_of(self, call: int, user: int, seed: int) -> int:
        """Return the row of a call.

        Args:
            call: its number over all processes, from 0.
            user: its user, from 0.
            seed: of RANDOM; the same for all processes.
        """
        if self.mode == "USER":
            return user
        if self.mode == "RANDOM":
            return Random((seed << 40) ^ call).randrange(self.count)
        return call % self.count


@final
class InjectionFiles:
    """All injection files of a run.

    Args:
        files: by their paths, in the order of the command line.
        seed: of RANDOM.
    """

    __slots__ = ("_by_name", "_files", "_seed")

    def __init__(self, files: Mapping[str, InjectionFile], seed: int = 1) -> None:
        self._files = tuple(files.values())
        self._seed = seed
        self._by_name = {path.rpartition("/")[2]: file for path, file in files.items()} | dict(files)
        if self._files:
            self._by_name[""] = self._files[0]

    def get(self, name: str) -> InjectionFile | None:
        """Return a file by its path or the last part of it, the first file for an empty name; None = there is none."""
        return self._by_name.get(name)

    @property
    def users(self) -> int:
        """How many calls there can be at a time, because each has a user of its own; 0 = any number."""
        return min((file.count for file in self._files if file.mode == "USER"), default=0)

    def line_of(self, rows: Mapping[InjectionFile, int]) -> int:
        """Return the line of a call's row in the first file; 0 = there is none.

        Args:
            rows: of the call.
        """
        return self._files[0].line(rows[self._files[0]]) if self._files else 0

    def rows_of(self, call: int, user: int = 0) -> dict[InjectionFile, int]:
        """Return the row that a call has in each file.

        Args:
            call: its number over all processes, from 0.
            user: its user, from 0.
        """
        return {file: file.row_of(call, user, self._seed) for file in self._files}
