"""A histogram with buckets at most 0.8 % wide, for the figures of a run's report.

Log-linear, as HDR histograms are laid out: each power of two is cut into 128 equal buckets. Two histograms merge by
adding their arrays, so percentiles are computed once from the merged array and never averaged. Pure; seconds, ratios
and MOS values fit alike (1e-6 to 1.3e5). Metrics show `actors.counting.totals.Distribution` instead, which is coarser
and fixed.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from math import ceil, frexp, ldexp
from typing import Final

from ..counting.spread import Spread

SUB_BUCKETS: Final = 128
LOWEST_EXPONENT: Final = -20
HIGHEST_EXPONENT: Final = 17
LOWEST: Final = ldexp(1.0, LOWEST_EXPONENT)
"""A smaller value, also a negative one, is counted in the lowest bucket."""
HIGHEST: Final = ldexp(1.0, HIGHEST_EXPONENT)
"""This value or a larger one is counted in the highest bucket."""
BUCKETS: Final = 1 + (HIGHEST_EXPONENT - LOWEST_EXPONENT) * SUB_BUCKETS + 1


class Histogram:
    """Counts per bucket, with exact count, sum, smallest and largest value."""

    __slots__ = ("_counts", "_sum", "count", "max", "min")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._counts = [0] * BUCKETS
        self._sum = 0.0
        self.count = 0
        self.min: float | None = None
        self.max: float | None = None
        for value in values:
            self.add(value)

    @property
    def mean(self) -> float | None:
        """Arithmetic mean, exact; None = nothing was counted."""
        return self._sum / self.count if self.count else None

    def add(self, value: float, times: int = 1) -> None:
        """Count a value.

        Args:
            value: as it is.
            times: how often.
        """
        self._counts[_bucket(value)] += times
        self._sum += value * times
        self.count += times
        if self.min is None or value < self.min:
            self.min = value
        if self.max is None or value > self.max:
            self.max = value

    def merge(self, other: "Histogram") -> None:
        """Add the counts of another histogram."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self._sum += other._sum
        self.count += other.count
        if other.min is not None and (self.min is None or other.min < self.min):
            self.min = other.min
        if other.max is not None and (self.max is None or other.max > self.max):
            self.max = other.max

    def percentile(self, percent: float) -> float | None:
        """Return the value that `percent` (0 to 100) of all are not above: nearest rank, the middle of its bucket.

        It is off by 0.4 % of the value at most, and 0 for what is less than LOWEST; never below `min` or above `max`.
        None = nothing was counted.
        """
        if self.min is None or self.max is None:
            return None
        rank = max(1, ceil(self.count * percent / 100))
        if rank >= self.count:
            return self.max
        if rank == 1:
            return self.min
        index = bisect_left(list(accumulate(self._counts)), rank)
        return min(max(_middle(index), self.min), self.max)

    def to_tuple(self) -> tuple[float, ...]:
        """Return plain numbers: sum, min, max, then bucket and count of each bucket that is not empty; () = empty."""
        if self.min is None or self.max is None:
            return ()
        pairs = (number for index, count in enumerate(self._counts) if count for number in (index, count))
        return (self._sum, self.min, self.max, *pairs)

    @classmethod
    def from_tuple(cls, numbers: tuple[float, ...]) -> "Histogram":
        """Make a histogram from the numbers of `to_tuple`.

        Raises:
            ValueError: they are not of that form.
        """
        made = cls()
        if not numbers:
            return made
        if len(numbers) < 5 or len(numbers) % 2 == 0:
            raise ValueError(f"a histogram is 0 numbers, or 3 and pairs, not {len(numbers)}")
        made._sum, made.min, made.max = numbers[:3]
        for index, count in zip(numbers[3::2], numbers[4::2], strict=True):
            if not (index == int(index) and 0 <= index < BUCKETS and count == int(count) and count > 0):
                raise ValueError(f"bucket {index}, count {count}: a histogram has {BUCKETS} buckets of whole numbers")
            made._counts[int(index)] += int(count)
            made.count += int(count)
        return made


Figures = Histogram | Spread
"""The values of a whole run, or those so far of calls that may go on."""


def digest_of(figures: Figures) -> dict[str, float | int | None]:
    """Return count, mean, percentiles and maximum."""
    return {
        "count": figures.count,
        "mean": rounded(figures.mean),
        **{f"p{percent}": rounded(figures.percentile(percent)) for percent in (50, 90, 95, 99)},
        "max": rounded(figures.max),
    }


def rounded(value: float | None) -> float | None:
    """Round to the microsecond, which is finer than any measurement here."""
    return None if value is None else round(value, 6)


def _bucket(value: float) -> int:
    if value < LOWEST:
        return 0
    if value >= HIGHEST:
        return BUCKETS - 1
    mantissa, exponent = frexp(value)  # value = mantissa * 2 ** exponent, 0.5 <= mantissa < 1
    return 1 + (exponent - 1 - LOWEST_EXPONENT) * SUB_BUCKETS + int((mantissa - 0.5) * 2 * SUB_BUCKETS)


def _middle(index: int) -> float:
    if index == 0:
        return 0.0  # a share, a gap or a jitter of exactly 0 is the usual value there
    if index == BUCKETS - 1:
        return HIGHEST
    octave, part = divmod(index - 1, SUB_BUCKETS)
    return ldexp(0.5 + (part + 0.5) / (2 * SUB_BUCKETS), octave + LOWEST_EXPONENT + 1)
