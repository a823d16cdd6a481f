"""When each call of a load test starts: a pure function of the plan, the seed and the shard.

An open model: arrivals follow the commanded rate, whatever became of earlier calls. Each shard takes every n-th arrival
of one and the same stream, so that the union over the shards does not depend on how many there are. Knows no clock:
times are seconds from the start of the plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log, sqrt
from random import Random
from typing import NamedTuple

from ..config import LoadConfig

ARRIVALS = ("fixed", "poisson")


class Segment(NamedTuple):
    """A stretch of time in which the rate is constant or changes linearly."""

    start_rate: float
    """calls per second at its beginning"""
    end_rate: float
    """calls per second at its end; the same = constant"""
    seconds: float
    """how long; infinite only when it is the last one and its rate is constant"""


@dataclass(frozen=True, slots=True)
class Profile:
    """The commanded rate over time; after the last segment nothing starts any more."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        for number, (start_rate, end_rate, seconds) in enumerate(self.segments, 1):
            if min(start_rate, end_rate) < 0 or seconds <= 0 or inf in (start_rate, end_rate):
                raise ValueError(f"segment {number}: rates are 0 or more and finite, its seconds more than 0")
            if seconds == inf and (number < len(self.segments) or start_rate != end_rate):
                raise ValueError(f"segment {number}: only the last one may be endless, and not a ramp")

    @classmethod
    def fixed(cls, rate: float) -> "Profile":
        """The same calls per second for ever."""
        return cls((Segment(rate, rate, inf),))

    @classmethod
    def steps(cls, *steps: tuple[float, float]) -> "Profile":
        """Constant rates one after the other: (calls per second, seconds) each."""
        return cls(tuple(Segment(rate, rate, seconds) for rate, seconds in steps))

    @classmethod
    def ramp(cls, start_rate: float, end_rate: float, seconds: float) -> "Profile":
        """From one rate to another within `seconds`, and then on at that rate."""
        return cls((Segment(start_rate, end_rate, seconds), Segment(end_rate, end_rate, inf)))

    def rate_at(self, time: float) -> float:
        """Commanded calls per second at a time; 0.0 after the end."""
        begin = 0.0
        for start_rate, end_rate, seconds in self.segments:
            if time < begin + seconds:
                return start_rate + (end_rate - start_rate) * (time - begin) / seconds if seconds < inf else start_rate
            begin += seconds
        return 0.0

    def times(self, amounts: Iterator[float]) -> Iterator[float]:
        """The times at which the integral of the rate reaches each of the rising `amounts`; ends with the profile.

        Where the rate is 0 for a while, an amount that is reached just then comes at the end of that pause.
        """
        segments = iter(self.segments)
        begin = reached = 0.0
        segment = next(segments, None)
        for amount in amounts:
            while segment is not None and amount >= reached + _calls_of(segment):
                reached += _calls_of(segment)
                begin += segment.seconds
                segment = next(segments, None)
            if segment is None:
                return
            yield begin + _time_within(segment, amount - reached)


@dataclass(frozen=True, slots=True)
class Plan:
    """All arrivals of a load test."""

    profile: Profile
    arrival: str = "fixed"
    """fixed (evenly spaced) or poisson (independent arrivals, as many users make them)"""
    seed: int = 1
    """of the Poisson arrivals"""
    calls: int = 0
    """how many over all shards; 0 = no limit"""
    duration: float = inf
    """seconds during which calls start"""

    def __post_init__(self) -> None:
        if self.arrival not in ARRIVALS:
            raise ValueError(f"arrival {self.arrival!r} is none of {', '.join(ARRIVALS)}")

    @classmethod
    def of(cls, load: LoadConfig) -> "Plan":
        """The plan of a load test's configuration."""
        segments = tuple(Segment(start, end, seconds or inf) for start, end, seconds in load.profile)
        profile = Profile(segments) if segments else Profile.fixed(load.rate)
        return cls(profile, load.arrival, load.seed, load.calls, load.duration or inf)

    @property
    def end(self) -> float:
        """Seconds after the start at which the last call is due, on average with poisson; may be infinite."""
        last = next(self.profile.times(iter((float(self.calls),))), None) if self.calls else None
        if last is None:
            last = sum(segment.seconds for segment in self.profile.segments)
        return min(last, self.duration)

    def rate_at(self, time: float) -> float:
        """Commanded calls per second over all shards at a time; 0.0 after the end."""
        return self.profile.rate_at(time) if time < self.end else 0.0

    def continued(
        self, rate: float, at: float, index: int, shard: int = 0, shards: int = 1
    ) -> Iterator[tuple[int, float]]:
        """The rest of one shard's arrivals, when from now on another rate is commanded; 0 = none.

        at: seconds from the start. index: of the shard's next call over all shards.
        """
        if rate <= 0:
            return
        random = Random((self.seed << 40) ^ (index << 8) ^ shard).random
        time = at if self.arrival == "poisson" else at - (shards - shard) / rate
        while not self.calls or index < self.calls:
            time += (-log(1.0 - random()) if self.arrival == "poisson" else 1.0) * shards / rate
            if time >= self.duration:
                return
            yield index, max(at, time)
            index += shards

    def arrivals(self, shard: int = 0, shards: int = 1) -> Iterator[tuple[int, float]]:
        """Arrivals of one shard: (index over all shards, seconds from the start), by time.

        shard: 0 … shards - 1.
        """
        if not 0 <= shard < shards:
            raise ValueError(f"shard {shard} is none of 0 … {shards - 1}")
        if self.arrival == "fixed":
            times = self.profile.times(map(float, self._indexes(shard, shards)))
            for index, time in zip(self._indexes(shard, shards), times, strict=False):
                if time >= self.duration:
                    return
                yield index, time
        else:
            times = self.profile.times(_exponential_sums(self.seed))
            for index, time in zip(self._indexes(0, 1), times, strict=False):
                if time >= self.duration:
                    return
                if index % shards == shard:
                    yield index, time

    def planned(self, shard: int = 0, shards: int = 1) -> int | None:
        """How many calls of a shard start (by default of all); None = there is no end."""
        last = self.profile.segments[-1] if self.profile.segments else None
        if not self.calls and self.duration == inf and last is not None and last.seconds == inf and last.end_rate:
            return None
        return sum(1 for _ in self.arrivals(shard, shards))

    def _indexes(self, first: int, step: int) -> Iterator[int]:
        index = first
        while not self.calls or index < self.calls:
            yield index
            index += step


def _exponential_sums(seed: int) -> Iterator[float]:
    """Arrival times of a Poisson process of rate 1."""
    random = Random(seed).random
    total = 0.0
    while True:
        total -= log(1.0 - random())
        yield total


def _calls_of(segment: Segment) -> float:
    """The integral of the rate over a segment."""
    rates = segment.start_rate + segment.end_rate
    return rates / 2 * segment.seconds if rates else 0.0


def _time_within(segment: Segment, amount: float) -> float:
    """Seconds from the segment's beginning until its rate has added up to `amount`."""
    start_rate, end_rate, seconds = segment
    if not amount:
        return 0.0
    if start_rate == end_rate:
        return amount / start_rate
    # a t^2 / 2 + r t = amount, solved in the form that does not cancel out for a small slope
    slope = (end_rate - start_rate) / seconds
    return 2 * amount / (start_rate + sqrt(max(0.0, start_rate * start_rate + 2 * slope * amount)))
