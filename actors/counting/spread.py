"""A distribution in buckets 5 % wide, small enough to keep one for each second of a run. Pure.

Two of them merge by adding their buckets, so the percentiles of a long stretch of time are computed from all of its
values and never averaged. For the figures of a whole run there is `actors.load.histogram`, finer and of fixed size.
"""

from array import array
from collections import Counter
from math import ceil, exp, floor, log
from typing import Final

WIDTH: Final = log(1.05)
LOWEST: Final = 1e-6
"""What is smaller counts as 0."""
HIGHEST: Final = 1e6
"""What is larger counts as this, so that there are at most some 570 buckets."""
_NEAR_ZERO: Final = floor(log(LOWEST) / WIDTH)
"""The bucket of what counts as 0."""


class Spread:
    """The percentiles of its values within 5 %; the least and the greatest value exactly."""

    __slots__ = ("_counts", "_packed", "count", "max", "min", "total")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._packed: array[int] | None = None
        """What `pack` has taken from the counts: of each bucket its distance from the lowest, and its count."""
        self.count = 0
        self.total = 0.0
        self.min: float | None = None
        self.max: float | None = None

    def add(self, value: float) -> None:
        """Count a value, at least 0."""
        self._counts[floor(log(min(max(value, LOWEST), HIGHEST)) / WIDTH)] += 1
        self.count += 1
        self.total += value
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)

    def merge(self, other: "Spread") -> None:
        """Add what another one counted."""
        if other.min is None or other.max is None:
            return
        self._counts.update(other._buckets())
        self.count += other.count
        self.total += other.total
        self.min = other.min if self.min is None else min(self.min, other.min)
        self.max = other.max if self.max is None else max(self.max, other.max)

    def pack(self) -> None:
        """Keep the buckets in eight octets each instead of some seventy, until the next value comes."""
        counts = self._buckets()
        if counts:
            self._packed = array("I", [number for bucket in counts for number in (bucket - _NEAR_ZERO, counts[bucket])])
            self._counts = Counter()

    def _buckets(self) -> Counter[int]:
        if self._packed is None:
            return self._counts
        packed = iter(self._packed)
        whole = Counter({distance + _NEAR_ZERO: count for distance, count in zip(packed, packed, strict=True)})
        whole.update(self._counts)
        return whole

    @property
    def mean(self) -> float | None:
        """The mean; None = nothing was counted."""
        return self.total / self.count if self.count else None

    @property
    def buckets(self) -> int:
        """Number of buckets that are not empty."""
        return len(self._buckets())

    def percentile(self, percent: float) -> float | None:
        """Nearest rank, the middle of its bucket; None = nothing was counted."""
        if self.min is None or self.max is None:
            return None
        rank = max(1, ceil(self.count * percent / 100))
        for bucket, count in sorted(self._buckets().items()):
            rank -= count
            if rank <= 0:
                middle = exp((bucket + 0.5) * WIDTH) if bucket > _NEAR_ZERO else 0.0
                return min(max(middle, self.min), self.max)
        return self.max

    def to_tuple(self) -> tuple[float, ...]:
        """Plain numbers: sum, least, greatest, then number and count of each bucket; () = nothing was counted."""
        if self.min is None or self.max is None:
            return ()
        pairs = (float(number) for pair in self._buckets().items() for number in pair)
        return (self.total, self.min, self.max, *pairs)

    @classmethod
    def from_tuple(cls, numbers: tuple[float, ...]) -> "Spread":
        """The inverse of `to_tuple`."""
        made = cls()
        if numbers:
            made.total, made.min, made.max = numbers[:3]
            for bucket, count in zip(numbers[3::2], numbers[4::2], strict=True):
                made._counts[int(bucket)] += int(count)
                made.count += int(count)
        return made
