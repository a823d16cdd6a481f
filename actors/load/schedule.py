"""The start of each call of a load test, and the worker that starts it: a pure function of plan, seed and index.

An open model: arrivals follow the commanded rate, whatever became of earlier calls. There is one stream of arrivals,
numbered 0, 1, 2 …. The index and the seed alone decide the time of an arrival, its random digits, and the shard and
call worker that it belongs to (`Share`). So the union over all shares never depends on their number. A change of the
rate is a change of the plan at one moment for all shares. It uses no clock: times are seconds from the start.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from math import inf, log, sqrt
from random import Random
from typing import Final, NamedTuple

from ..config import LoadConfig

ARRIVALS = ("fixed", "poisson")
PACE: Final = 2.0
"""The rate at which a slot catches up, as a multiple of its part of the plan's."""


@dataclass(frozen=True, slots=True)
class Share:
    """The arrivals that one shard, or one call worker of it, starts; the default is all of them.

    The shard of an arrival depends on its index and the number of shards alone. The call worker within the shard
    depends on the index and the number of workers of that shard alone. So each host may have any number of them.
    """

    shard: int = 0
    """0 … shards - 1."""
    shards: int = 1
    slot: int = 0
    """The call worker, 0 … workers - 1."""
    workers: int = 1
    """Call workers of this shard; 1 with slot 0 is the whole shard."""

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.shards:
            raise ValueError(f"shard {self.shard} is none of 0 … {self.shards - 1}")
        if not 0 <= self.slot < self.workers:
            raise ValueError(f"worker {self.slot} is none of 0 … {self.workers - 1}")

    @classmethod
    def of(cls, load: LoadConfig, slot: int = 0, workers: int = 1) -> "Share":
        """Return the share of a load's shard, or of one of its call workers."""
        return cls(load.shard, load.shards, slot, workers)

    @property
    def first(self) -> int:
        """Index of its first arrival."""
        return self.shard + self.shards * self.slot

    @property
    def step(self) -> int:
        """Distance of the indexes of its arrivals; 1 / step of the rate is its own."""
        return self.shards * self.workers

    def count(self, arrivals: int) -> int:
        """Return the number of the first arrivals that belong to it."""
        return len(range(self.first, arrivals, self.step))

    def bound(self, limit: int) -> int:
        """Return the part of a limit of the whole load for all call workers of this shard.

        The parts of all shards add up to the limit.
        """
        return limit // self.shards + (self.shard < limit % self.shards)

    @property
    def name(self) -> str:
        """As on the command line, such as 2/3."""
        return f"{self.shard + 1}/{self.shards}"


WHOLE = Share()


class Segment(NamedTuple):
    """A stretch of time in which the rate is constant or changes linearly."""

    start_rate: float
    """Calls per second at its beginning."""
    end_rate: float
    """Calls per second at its end; the same = constant."""
    seconds: float
    """Its length; infinite only when it is the last one and its rate is constant."""


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
        """Return the same calls per second for ever."""
        return cls((Segment(rate, rate, inf),))

    @classmethod
    def steps(cls, *steps: tuple[float, float]) -> "Profile":
        """Return constant rates one after the other: (calls per second, seconds) each."""
        return cls(tuple(Segment(rate, rate, seconds) for rate, seconds in steps))

    @classmethod
    def ramp(cls, start_rate: float, end_rate: float, seconds: float) -> "Profile":
        """Return a change from one rate to another within `seconds`, which then goes on at that rate."""
        return cls((Segment(start_rate, end_rate, seconds), Segment(end_rate, end_rate, inf)))

    def rate_at(self, time: float) -> float:
        """Return the commanded calls per second at a time; 0.0 after the end."""
        begin = 0.0
        for start_rate, end_rate, seconds in self.segments:
            if time < begin + seconds:
                return start_rate + (end_rate - start_rate) * (time - begin) / seconds if seconds < inf else start_rate
            begin += seconds
        return 0.0

    @property
    def seconds(self) -> float:
        """Its length; may be infinite, also in a pause."""
        return sum(each.seconds for each in self.segments)

    def changed(self, rate: float, at: float) -> "Profile":
        """Return the same until `at`, and from then on another rate without an end."""
        begin = 0.0
        kept: list[Segment] = []
        for segment in self.segments:
            if begin >= at:
                break
            if begin + segment.seconds > at:
                segment = Segment(segment.start_rate, self.rate_at(at), at - begin)
            kept.append(segment)
            begin += segment.seconds
        return Profile((*kept, Segment(rate, rate, inf)))

    def calls_until(self, time: float) -> float:
        """Return the integral of the rate from the start to a time: the number of calls due by then, not rounded."""
        begin = due = 0.0
        for start_rate, end_rate, seconds in self.segments:
            within = min(max(time - begin, 0.0), seconds)
            slope = (end_rate - start_rate) / seconds if seconds < inf else 0.0
            due += (start_rate + slope * within / 2) * within
            begin += seconds
        return due

    def times(self, amounts: Iterator[float]) -> Iterator[float]:
        """Yield the times at which the integral of the rate reaches each of the rising `amounts`.

        It ends with the profile. Where the rate is 0 for a while, an amount that is reached just then comes at the end
        of that pause.
        """
        follower = _Follower(self)
        for amount in amounts:
            time = follower.time_of(amount)
            if time is None:
                return
            yield time


class _Follower:
    """Finds the time of one amount of calls after the other, in rising order, without beginning anew each time."""

    __slots__ = ("_begin", "_reached", "_rest", "_segment")

    def __init__(self, profile: Profile) -> None:
        self._rest = iter(profile.segments)
        self._begin = self._reached = 0.0
        self._segment = next(self._rest, None)

    def time_of(self, amount: float) -> float | None:
        """Return when the integral of the rate reaches an amount; None = the profile ends before."""
        segment = self._segment
        while segment is not None and amount >= self._reached + _calls_of(segment):
            self._reached += _calls_of(segment)
            self._begin += segment.seconds
            segment = self._segment = next(self._rest, None)
        return None if segment is None else self._begin + _time_within(segment, amount - self._reached)


@dataclass(frozen=True, slots=True)
class Plan:
    """All arrivals of a load test."""

    profile: Profile
    arrival: str = "fixed"
    """Fixed (evenly spaced) or poisson (independent arrivals, as many users make them)."""
    seed: int = 1
    """Of the Poisson arrivals."""
    calls: int = 0
    """Number over all shards; 0 = no limit."""
    duration: float = inf
    """Seconds during which calls start."""

    def __post_init__(self) -> None:
        if self.arrival not in ARRIVALS:
            raise ValueError(f"arrival {self.arrival!r} is none of {', '.join(ARRIVALS)}")

    @classmethod
    def of(cls, load: LoadConfig) -> "Plan":
        """Return the plan of a load test's configuration."""
        segments = tuple(
            Segment(start, end, seconds or inf)
            for start, end, seconds in load.profile
            if start or end or seconds  # a rate of 0 without an end is the end, and not a pause
        )
        profile = Profile(segments) if segments else Profile.fixed(load.rate)
        return cls(profile, load.arrival, load.seed, load.calls, load.duration or inf)

    @property
    def end(self) -> float:
        """Seconds after the start at which the last call is due, on average with poisson; may be infinite."""
        last = self._time_of(self.calls) if self.calls else None
        return min(self.profile.seconds if last is None else last, self.duration)

    @property
    def closes(self) -> float:
        """Seconds after the start after which nothing is started, whatever the number until then; may be infinite."""
        return min(self.duration, self.profile.seconds)

    def rate_at(self, time: float) -> float:
        """Return the commanded calls per second over all shards at a time; 0.0 after the end."""
        return self.profile.rate_at(time) if time < self.end else 0.0

    @property
    def sharp_end(self) -> float:
        """Seconds after the start at which the plan ends to the moment; infinite when chance decides, or no end is set.

        With independent arrivals a number of calls ends at a random time.
        """
        return self.end if self.arrival == "fixed" or not self.calls else self.duration

    def calls_until(self, time: float) -> float:
        """Return the number of calls over all shards due by a time on average, not rounded."""
        return self.profile.calls_until(min(time, self.end))

    def changed(self, rate: float, at: float) -> "Plan":
        """Return the plan when another rate is commanded from `at` on; it ends when it would have ended.

        Later changes come at later times.

        Args:
            rate: calls per second; 0 = a pause.
            at: seconds from the start.
        """
        if at >= self.closes:
            return self
        return replace(self, profile=self.profile.changed(rate, at), duration=self.closes)

    def until(self, at: float) -> "Plan":
        """Return the plan as far as a time, in seconds from the start."""
        return replace(self, duration=min(self.duration, max(0.0, at)))

    def arrivals(self, share: Share = WHOLE) -> Iterator[tuple[int, float]]:
        """Yield the arrivals of a share: (index over all shards, seconds from the start), by time."""
        stream = Stream(self, share)
        while stream.next is not None:
            yield stream.next
            stream.advance()

    def planned(self, share: Share = WHOLE) -> int | None:
        """Return the number of calls of a share that start; None = there is no end.

        With poisson arrivals and an end in time it takes as long as there are calls; else it is computed at once.
        """
        last = self.profile.segments[-1] if self.profile.segments else None
        if self.duration == inf and last is not None and last.seconds == inf and last.end_rate:
            return share.count(self.calls) if self.calls else None
        if self.arrival == "poisson":
            return share.count(sum(1 for _ in self.arrivals()))
        most = self.calls
        if not most:
            most = 1
            while not self._is_over(most):
                most *= 2
        return share.count(bisect_left(range(most), True, key=self._is_over))

    def amounts(self, share: Share = WHOLE) -> Iterator[tuple[int, float]]:
        """Yield index and amount of each arrival of a share.

        An arrival starts when the integral of the rate reaches its amount.
        """
        if self.arrival == "fixed":
            for index in count(share.first, share.step):
                if self.calls and index >= self.calls:
                    return
                yield index, float(index)
        else:
            yield from islice(enumerate(_exponential_sums(self.seed)), share.first, self.calls or None, share.step)

    def _time_of(self, index: int) -> float | None:
        """When an arrival starts that is one of evenly spaced ones, whatever the duration."""
        return next(self.profile.times(iter((float(index),))), None)

    def _is_over(self, index: int) -> bool:
        """Whether the plan ends before an arrival of evenly spaced ones."""
        time = self._time_of(index)
        return time is None or time >= self.duration


class Stream:
    """The arrivals of one share, one after the other, of a plan whose rate may be changed on the way."""

    def __init__(self, plan: Plan, share: Share = WHOLE) -> None:
        self.plan = plan
        """With all changes."""
        self._closes = plan.closes
        self._amounts = plan.amounts(share)
        self._pending: tuple[int, float] | None = None
        self._follower = _Follower(plan.profile)
        self.next: tuple[int, float] | None = None
        """Index and time of the next arrival; None = none comes unless the rate is changed."""
        self.advance()

    @property
    def closes(self) -> float:
        """Seconds after the start after which none comes, whatever is commanded; 0.0 = every call was there."""
        return self._closes if self._pending is not None else 0.0

    def advance(self) -> None:
        """Go on to the arrival after the next."""
        self._pending = next(self._amounts, None)
        self._find()

    def skip(self, arrivals: int) -> None:
        """Go on to the arrival after the next `arrivals` ones, which a predecessor has carried out."""
        if arrivals > 0:
            self._pending = next(islice(self._amounts, arrivals - 1, None), None)
            self._find()

    def change(self, rate: float, at: float) -> None:
        """Command another rate from `at` on, as for `Plan.changed`."""
        self.plan = self.plan.changed(rate, at)
        self._follower = _Follower(self.plan.profile)
        self._find()

    def _find(self) -> None:
        time = self._follower.time_of(self._pending[1]) if self._pending is not None else None
        if self._pending is None or time is None or time >= self.plan.duration:
            self.next = None
        else:
            self.next = self._pending[0], time


class Gap(NamedTuple):
    """A time in which a slot had no worker; the default is none. Times are monotonic seconds.

    What a worker that died has missed is lost. A worker that is replaced on purpose leaves its arrivals to the next
    one, which starts each of them: late, in order, and at `PACE` times the rate of the plan at most until it is in
    time again. All of them at once would be a load that nobody has commanded.
    """

    since: float = 0.0
    """Planned time of the first arrival that was left."""
    until: float = 0.0
    """When the next worker goes on."""
    left: bool = False
    """The arrivals were left to the next worker."""

    def is_lost(self, planned: float) -> bool:
        """Whether an arrival is not started any more."""
        return not self.left and planned < self.until

    def start_of(self, planned: float) -> float:
        """Return when an arrival is to start that was planned for a time from `since` on: then, or later."""
        return max(planned, self.until + (planned - self.since) / PACE) if self.left else planned


def random_digits(pattern: str, seed: int, index: int) -> str:
    """Return the digits of one arrival.

    Each `?` of the pattern is a random one, the same for the same seed and index.
    """
    if "?" not in pattern:
        return pattern
    choice = Random(f"digits {seed} {index}").choice
    return "".join(choice("0123456789") if each == "?" else each for each in pattern)


def _exponential_sums(seed: int) -> Iterator[float]:
    """Yield the arrival times of a Poisson process of rate 1."""
    random = Random(seed).random
    total = 0.0
    while True:
        total -= log(1.0 - random())
        yield total


def _calls_of(segment: Segment) -> float:
    """Return the integral of the rate over a segment."""
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
