"""Tenths of a second, in which calls are counted while they live, for the charts of a running load. Pure."""

from math import floor
from typing import Final

PER_SECOND: Final = 10
"""Slices per second; the start of a load is at the border of one, so that none lies in two seconds of the run."""


def slice_of(moment: float) -> int:
    """The slice in which a moment of the monotonic clock lies."""
    return floor(moment * PER_SECOND)


def start_of_slice(moment: float) -> float:
    """The first beginning of a slice at or after a moment."""
    return -floor(-moment * PER_SECOND) / PER_SECOND
