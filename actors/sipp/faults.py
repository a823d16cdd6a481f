"""What is wrong with a scenario file: by file and line, with what to write instead.

Every fault of a file is found before anything is sent. Several are shown at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ..errors import ConfigurationError

MOST_SHOWN = 20
"""Faults in the text of one error."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file."""

    line: int
    """Line of the file, from 1."""
    text: str
    """What is wrong, and what to write instead."""


class ScenarioFileError(ConfigurationError):
    """A scenario file that cannot be run.

    Its text is a line `FILE:LINE: what: what to write instead` for each fault.

    Args:
        file: its path as the user wrote it.
        line: from 1.
        text: what is wrong, and what to write instead.
        more: further faults, on the same line or below.
    """

    def __init__(self, file: str, line: int, text: str, more: Sequence[Fault] = ()) -> None:
        self.file = file
        """The path of the file."""
        self.faults: tuple[Fault, ...] = (Fault(line, text), *more)
        """All faults, at least one, in the order of their lines."""
        lines = [f"{file}:{each.line}: {each.text}" for each in self.faults[:MOST_SHOWN]]
        if len(self.faults) > MOST_SHOWN:
            lines.append(f"{file}: {len(self.faults) - MOST_SHOWN} more faults")
        super().__init__("\n".join(lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """Its text, a line for each fault."""
        return tuple(str(self).split("\n"))

    @classmethod
    def of(cls, file: str, faults: Sequence[Fault]) -> Self:
        """Return one error of several faults.

        Args:
            faults: at least one.
        """
        first, *more = sorted(faults, key=lambda each: each.line)
        return cls(file, first.line, first.text, more)
