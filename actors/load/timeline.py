"""What happened in each second of a run: a row of timeline.csv, a point of every chart. Pure.

A call counts as started, with its delays, in the second in which it started, and as ended, with its media figures, in
the second in which it ended. Percentiles within a second come from buckets 5 % wide, so memory grows with the time of
the run and not with its calls.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil, exp, floor, log
from typing import Final, NamedTuple

from ..messages import CallFinished

WIDTH: Final = log(1.05)
LOWEST: Final = 1e-6
"""what is smaller counts as this"""


class Row(NamedTuple):
    """One second; None = there was nothing to take it from. Times in seconds, loss from 0 to 1."""

    second: int
    """0 = the first of the run"""
    target_rate: float
    """commanded calls per second in its middle"""
    started: int
    answered: int
    """of those that started"""
    failed: int
    """of those that started; a call fails when it misses an expectation"""
    ended: int
    live: int
    """started and not ended, at the end of the second"""
    post_dial_p50: float | None
    post_dial_p95: float | None
    post_dial_max: float | None
    answer_p50: float | None
    answer_p95: float | None
    lateness_max: float | None
    rtp_sent: int
    """of the calls that ended, as all media figures"""
    rtp_received: int
    rtp_lost: int
    loss: float | None
    jitter_max: float | None
    mos_mean: float | None
    mos_min: float | None


class Spread:
    """A distribution within one second: its percentiles within 5 %, its least and greatest value exactly."""

    __slots__ = ("_counts", "count", "max", "min", "total")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.total = 0.0
        self.min: float | None = None
        self.max: float | None = None

    def add(self, value: float) -> None:
        """Count a value, at least 0."""
        self._counts[floor(log(max(value, LOWEST)) / WIDTH)] += 1
        self.count += 1
        self.total += value
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)

    @property
    def mean(self) -> float | None:
        """The mean; None = nothing was counted."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """Nearest rank, the middle of its bucket; None = nothing was counted."""
        if self.min is None or self.max is None:
            return None
        rank = max(1, ceil(self.count * percent / 100))
        for bucket, count in sorted(self._counts.items()):
            rank -= count
            if rank <= 0:
                return min(max(exp((bucket + 0.5) * WIDTH), self.min), self.max)
        return self.max


class _Second:
    """What is kept of one second."""

    __slots__ = (
        "answer",
        "answered",
        "ended",
        "failed",
        "jitter_max",
        "lateness_max",
        "lost",
        "mos",
        "post_dial",
        "received",
        "sent",
        "started",
    )

    def __init__(self) -> None:
        self.started = self.answered = self.failed = self.ended = 0
        self.post_dial, self.answer, self.mos = Spread(), Spread(), Spread()
        self.lateness_max = self.jitter_max = -1.0
        self.sent = self.received = self.lost = 0


class Timeline:
    """The seconds of a run; `begun` is set when it starts.

    planned: the commanded calls per second by the plan, at seconds after the start.
    """

    def __init__(self, planned: Callable[[float], float]) -> None:
        self.begun = 0.0
        """monotonic time of the start"""
        self._planned = planned
        self._commands: list[tuple[float, float]] = []
        self._seconds: dict[int, _Second] = {}

    def command(self, at: float, rate: float) -> None:
        """From `at` seconds after the start on, so many calls per second are commanded in place of the plan."""
        self._commands.append((at, rate))

    def add(self, row: CallFinished, failure: str) -> None:
        """A call finished.

        failure: the expectation it missed; empty = none.
        """
        started = row.started - self.begun
        second = self._at(started)
        second.started += 1
        second.answered += row.outcome == "answered"
        second.failed += bool(failure)
        second.lateness_max = max(second.lateness_max, row.lateness)
        if row.post_dial_delay >= 0:
            second.post_dial.add(row.post_dial_delay)
        if row.answer_delay >= 0:
            second.answer.add(row.answer_delay)
        end = self._at(row.ended - self.begun)
        end.ended += 1
        end.sent += row.rtp_sent
        end.received += row.rtp_received
        end.lost += row.rtp_lost
        end.jitter_max = max(end.jitter_max, row.jitter)
        if row.mos >= 0:
            end.mos.add(row.mos)

    def rows(self) -> Iterator[Row]:
        """A row for every second from the first to the last in which something happened."""
        live = 0
        for number in range(max(self._seconds, default=-1) + 1):
            second = self._seconds.get(number) or _Second()
            live += second.started - second.ended
            due = second.lost + second.received
            yield Row(
                number,
                self._commanded(number + 0.5),
                second.started,
                second.answered,
                second.failed,
                second.ended,
                live,
                second.post_dial.percentile(50),
                second.post_dial.percentile(95),
                second.post_dial.max,
                second.answer.percentile(50),
                second.answer.percentile(95),
                _known(second.lateness_max),
                second.sent,
                second.received,
                second.lost,
                second.lost / due if due else None,
                _known(second.jitter_max),
                second.mos.mean,
                second.mos.min,
            )

    def _at(self, time: float) -> _Second:
        return self._seconds.setdefault(max(0, floor(time)), _Second())

    def _commanded(self, at: float) -> float:
        since = [rate for begin, rate in self._commands if begin <= at]
        return since[-1] if since else self._planned(at)


def _known(value: float) -> float | None:
    return None if value < 0 else value
