"""What a row measures, what it is held against, and what a row is."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and its target."""

    name: str
    value: float
    target: str
    """For example `0` or `<= 0.3 s`; empty = told only."""
    kept: bool

    @property
    def text(self) -> str:
        """The number, without digits that say nothing."""
        return f"{self.value:,.0f}" if self.value == int(self.value) else f"{self.value:,.3g}"


def exactly(name: str, value: float, target: float) -> Figure:
    """A figure that must be this number."""
    return Figure(name, value, f"{target:g}", value == target)


def at_most(name: str, value: float, target: float, unit: str = "") -> Figure:
    """A figure that must not be larger."""
    return Figure(name, value, f"≤ {target:g}{' ' if unit else ''}{unit}", value <= target)


def at_least(name: str, value: float, target: float, unit: str = "") -> Figure:
    """A figure that must not be smaller."""
    return Figure(name, value, f"≥ {target:g}{' ' if unit else ''}{unit}", value >= target)


def told(name: str, value: float) -> Figure:
    """A figure without a target, which explains the others."""
    return Figure(name, value, "", True)


@dataclass(slots=True)
class Surroundings:
    """What a row is given.

    Attributes:
        folder: of its files.
        quick: whether it is to run small, some seconds long.
        seed: of everything that is drawn.
        say: takes a line of progress.
    """

    folder: Path
    quick: bool
    seed: int
    say: Callable[[str], None]

    def of(self, whole: int, quick: int) -> int:
        """A size, by whether the row runs small."""
        return quick if self.quick else whole

    def time(self, seconds: float) -> float:
        """A target of a time: four times as much where the row runs small, beside others, on a machine that is busy."""
        return 4 * seconds if self.quick else seconds

    @property
    def dice(self) -> Random:
        """A new generator of the seed."""
        return Random(self.seed)


class Unable(Exception):
    """This machine or user cannot do what a row needs; the message says what."""


RowFunction = Callable[[Surroundings], Coroutine[Any, Any, Sequence[Figure]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what must come of it."""

    name: str
    about: str
    """What is done, and to what."""
    judge: str
    """Who says what became of the calls."""
    function: RowFunction
    seconds: float
    """That it takes whole, about; it is ended after three times as long and a minute."""
    cores: float
    """Processor time a second that it takes, about: rows run side by side while there is room."""
    alone: bool = False
    """It measures times: nothing else runs beside it."""
    quick: bool = False
    """`make test` runs it, small."""


ROWS: Final[dict[str, Row]] = {}


def row(
    name: str, about: str, judge: str, *, seconds: float, cores: float = 0.5, alone: bool = False, quick: bool = False
) -> Callable[[RowFunction], RowFunction]:
    """Register a row."""

    def register(function: RowFunction) -> RowFunction:
        assert name not in ROWS, name
        ROWS[name] = Row(name, about, judge, function, seconds, cores, alone, quick)
        return function

    return register
