"""The events of each second of a run: a row of timeline.csv, and the points of the charts. Pure.

Everything counts at its own moment. A call counts as started when it was placed; as answered, with its delays, when it
was answered or failed; as ended, with its media figures, when it was over. So a second is final soon after it has
passed: `closed` returns its row, once, and it must never change afterwards. A later report counts in the first second
that is still open, so that no sum is wrong.

Memory and work do not grow with the time of the run: a few seconds are open, and there are at most MOST_POINTS points.
When there are more, each two neighbours become one. Sums are added, the greatest and the least values are kept, and
percentiles come from added buckets.
"""

from collections import deque
from collections.abc import Sequence
from math import floor, inf
from typing import Final, NamedTuple

from ..bus.messages import CallFinished, CallSlice
from ..counting.slices import PER_SECOND, slice_of
from ..counting.spread import Spread
from .schedule import Plan

SETTLE: Final = 3.0
"""Seconds after which a second that has passed is final; processes report every half second."""
MOST_OPEN: Final = 600
"""Seconds that may be open; a report of a later time counts in the last of them."""
MOST_POINTS: Final = 300
"""Even, because points are merged by twos."""
SHORTEST: Final = 0.25
"""Seconds: a shorter part of a second at an end of the plan is no base for a rate."""
MOST_COMMANDS: Final = 64
"""Rates commanded while the run goes on that are remembered for the seconds that are open."""


class Row(NamedTuple):
    """One second; None = there was nothing to take it from. Times in seconds, loss from 0 to 1."""

    second: int
    """0 = the first of the run."""
    target_rate: float
    """Commanded arrivals per second in its middle: calls, or runs of a scenario."""
    started: int
    """Calls, also those of scenarios."""
    answered: int
    failed: int
    """Of those that ended; a call fails when it misses an expectation."""
    ended: int
    live: int
    """Started and not ended, at the end of the second."""
    post_dial_p50: float | None
    """Of the calls that were answered or failed in this second, as all delays."""
    post_dial_p95: float | None
    post_dial_max: float | None
    answer_p50: float | None
    answer_p95: float | None
    lateness_max: float | None
    rtp_sent: int
    """Of the calls that ended, as all media figures."""
    rtp_received: int
    rtp_lost: int
    loss: float | None
    jitter_max: float | None
    mos_mean: float | None
    mos_min: float | None


class Point(NamedTuple):
    """One point of the charts: a second, or several successive ones."""

    begin: int
    """Its first second."""
    seconds: int
    target_rate: float | None
    """Commanded calls per second, the mean; None = too short a part of a second at an end of the plan."""
    rate: float | None
    """Calls started per second, the mean."""
    started: int
    answered: int
    failed: int
    ended: int
    failed_max: int
    """The most failed calls within one of its seconds."""
    live: int
    """The most at the end of one of its seconds."""
    post_dial_p50: float | None
    post_dial_p95: float | None
    post_dial_max: float | None
    answer_p50: float | None
    answer_p95: float | None
    lateness_max: float | None
    rtp_sent: int
    rtp_received: int
    rtp_lost: int
    loss: float | None
    loss_max: float | None
    """The greatest of one of its seconds."""
    jitter_max: float | None
    mos_mean: float | None
    mos_min: float | None


class _Stretch:
    """The figures of one second, or of several successive ones."""

    __slots__ = (
        "_point",
        "answer",
        "answered",
        "begin",
        "commanded",
        "ended",
        "failed",
        "failed_max",
        "jitter_max",
        "lateness_max",
        "live",
        "loss_max",
        "missed",
        "mos",
        "post_dial",
        "rated",
        "rtp",
        "seconds",
        "span",
        "started",
    )

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.seconds = 1
        self.started = self.answered = self.failed = self.ended = 0
        self.failed_max = self.live = 0
        self.span = self.commanded = 0.0
        """Seconds that are a base for the rate, and the calls commanded in them."""
        self.rated = 0
        """Calls started in the seconds that are a base for the rate."""
        self.post_dial, self.answer, self.mos = Spread(), Spread(), Spread()
        self.lateness_max = self.jitter_max = self.loss_max = -1.0
        self.rtp = (0, 0, 0)
        """Packets sent, received, and lost by their sequence numbers (RFC 3550)."""
        self.missed = 0
        """Packets that were due and did not come, of which `loss` is made."""
        self._point: Point | None = None

    def absorb(self, later: "_Stretch") -> None:
        """Add the stretch that follows without a gap."""
        self._point = None
        self.seconds += later.seconds
        self.count(*later.rtp, later.missed)
        for name in ("started", "answered", "failed", "ended", "span", "commanded", "rated"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in ("failed_max", "live", "lateness_max", "jitter_max", "loss_max"):
            setattr(self, name, max(getattr(self, name), getattr(later, name)))
        self.post_dial.merge(later.post_dial)
        self.answer.merge(later.answer)
        self.mos.merge(later.mos)
        self.pack()

    def pack(self) -> None:
        """Keep its distributions in little memory: few events come any more, or none."""
        for each in (self.post_dial, self.answer, self.mos):
            each.pack()

    def count(self, sent: int, received: int, lost: int, missed: int) -> None:
        """Add RTP packets."""
        before = self.rtp
        self.rtp = (before[0] + sent, before[1] + received, before[2] + lost)
        self.missed += missed

    @property
    def loss(self) -> float | None:
        """Share of the packets that did not come of those that were due."""
        due = self.missed + self.rtp[1]
        return self.missed / due if due else None

    @property
    def point(self) -> Point:
        """Its figures; made once, because all points but the last change only when they are merged."""
        if self._point is None:
            self._point = Point(
                self.begin,
                self.seconds,
                self.commanded / self.span if self.span else None,
                self.rated / self.span if self.span else None,
                self.started,
                self.answered,
                self.failed,
                self.ended,
                self.failed_max,
                self.live,
                *self._delays(),
                *self.rtp,
                self.loss,
                _known(self.loss_max),
                _known(self.jitter_max),
                self.mos.mean,
                self.mos.min,
            )
        return self._point

    def row(self, target_rate: float, live: int) -> Row:
        """Return the row of one second."""
        return Row(
            self.begin,
            target_rate,
            self.started,
            self.answered,
            self.failed,
            self.ended,
            live,
            *self._delays(),
            *self.rtp,
            self.loss,
            _known(self.jitter_max),
            self.mos.mean,
            self.mos.min,
        )

    def _delays(self) -> tuple[float | None, float | None, float | None, float | None, float | None, float | None]:
        return (
            self.post_dial.percentile(50),
            self.post_dial.percentile(95),
            self.post_dial.max,
            self.answer.percentile(50),
            self.answer.percentile(95),
            _known(self.lateness_max),
        )


class _Command(NamedTuple):
    """A rate that a person commanded instead of the plan's."""

    at: float
    rate: float
    calls: float
    """Commanded from the start until then."""


class Timeline:
    """The seconds of a run; `begin` sets its start.

    Args:
        plan: commands the rate.
        shards: of the plan, of which this run does one.
    """

    def __init__(self, plan: Plan, shards: int = 1) -> None:
        self.begun = 0.0
        """Monotonic time of the start, where a slice of `CallSlice` begins."""
        self.started = self.answered = self.ended = 0
        """Calls of the whole run, those of open seconds included."""
        self.post_dial, self.answer = Spread(), Spread()
        """Delays of all calls that were answered or failed, also of those that go on."""
        self.first_failure: float | None = None
        """Seconds from the start to the end of the first call that failed."""
        self._plan = plan
        self._shards = shards
        self._sharp_end = plan.sharp_end
        self._commands: deque[_Command] = deque(maxlen=MOST_COMMANDS)
        self._open: dict[int, _Stretch] = {}
        self._next = 0
        """The first second that is open."""
        self._live = self._most_live = 0
        self._workers: dict[str, tuple[int, int]] = {}
        """Call workers by name: their incarnation, and its live calls."""
        self._points: list[_Stretch] = []
        self._width = 1
        """Seconds of a full point."""
        self._first_slice: int | None = None
        self._last_slice = 0

    def begin(self, at: float) -> None:
        """Set the start of the run.

        Args:
            at: monotonic seconds.
        """
        self.begun = at

    def command(self, at: float, rate: float) -> None:
        """Note another rate than the plan's for this shard.

        Args:
            at: seconds after the start from which it holds.
            rate: calls per second of this shard.
        """
        self._commands.append(_Command(at, rate, self.commanded_until(at)))
        self._sharp_end = self._plan.closes

    def add_slice(self, each: CallSlice) -> None:
        """Add the events of placed calls within a tenth of a second."""
        tenths = each.slice - slice_of(self.begun + 0.5 / PER_SECOND)
        here = self._at(tenths / PER_SECOND)
        here.started += each.begun
        here.answered += each.answered
        self.started += each.begun
        self.answered += each.answered
        here.lateness_max = max(here.lateness_max, each.lateness)
        for numbers, of_second, of_run in (
            (each.post_dial, here.post_dial, self.post_dial),
            (each.answer, here.answer, self.answer),
        ):
            delays = Spread.from_tuple(numbers)
            of_second.merge(delays)
            of_run.merge(delays)
        if each.begun:
            self._first_slice = tenths if self._first_slice is None else min(self._first_slice, tenths)
            self._last_slice = max(self._last_slice, tenths)

    def add(self, row: CallFinished, failure: str) -> None:
        """Add a call that finished.

        Args:
            row: of the call.
            failure: the expectation it missed; empty = none.
        """
        end = row.ended - self.begun
        here = self._at(end)
        if not row.call_id:  # a run of a scenario that placed no call was never counted as begun
            here.started += 1
            self.started += 1
        here.ended += 1
        self.ended += 1
        if failure:
            here.failed += 1
            self.first_failure = end if self.first_failure is None else min(self.first_failure, end)
        missed = row.rtp_missed if row.rtp_due else row.rtp_lost
        here.count(row.rtp_sent, row.rtp_received, row.rtp_lost, missed)
        here.jitter_max = max(here.jitter_max, row.jitter)
        if row.mos >= 0:
            here.mos.add(row.mos)

    def observe(self, process: str, incarnation: int, live: int) -> None:
        """Note the live calls of a call worker. One that was started anew has lost those of its predecessor."""
        known, before = self._workers.get(process, (incarnation, 0))
        if incarnation > known:
            self._live -= before
        if incarnation >= known:
            self._workers[process] = (incarnation, live)

    @property
    def live(self) -> int:
        """Calls started and not ended."""
        return max(0, self._live + sum(each.started - each.ended for each in self._open.values()))

    @property
    def most_live(self) -> int:
        """The most calls started and not ended, at the end of a second or now."""
        return max(self._most_live, self.live)

    @property
    def rate(self) -> float | None:
        """Calls started per second so far, over the time in which they started; None with fewer than two."""
        return self.rate_of(self.started)

    def rate_of(self, started: int) -> float | None:
        """Return starts per second so far, over the time in which calls started; None with fewer than two.

        Args:
            started: calls, or runs of a scenario.
        """
        span = (self._last_slice - (self._first_slice or 0)) / PER_SECOND
        return (started - 1) / span if started > 1 and span > 0 else None

    @property
    def points(self) -> Sequence[Point]:
        """The closed seconds, thinned; a copy that is never changed."""
        return [each.point for each in self._points]

    def commanded_until(self, time: float) -> float:
        """Return the number of calls commanded from the start to a time, in seconds from it; not rounded."""
        for at, rate, calls in reversed(self._commands):
            if at <= time:
                return calls + rate * (min(time, self._sharp_end) - min(at, self._sharp_end))
        return self._plan.calls_until(time) / self._shards

    def target_rate(self, begin: float, end: float) -> float:
        """Return the commanded calls per second on the mean between two times, in seconds from the start."""
        if end <= begin:
            return self._commanded(begin)
        return (self.commanded_until(end) - self.commanded_until(begin)) / (end - begin)

    @property
    def target_so_far(self) -> float:
        """Commanded calls per second on the mean over the time in which calls started."""
        return self.target_rate((self._first_slice or 0) / PER_SECOND, self._last_slice / PER_SECOND)

    def closed(self, now: float) -> list[Row]:
        """Return the rows of the seconds that have become final, each once.

        Args:
            now: monotonic seconds.
        """
        return self._close(floor(now - self.begun - SETTLE), inf)

    def finish(self, seconds: float, attempted: int) -> list[Row]:
        """Return the rows of all seconds that are still open; nothing may be added afterwards.

        Calls that no process reported, because it died, count as started in the last second.

        Args:
            seconds: length of the run.
            attempted: calls begun, as far as is known.
        """
        missing = attempted - self.started
        if missing > 0:
            last = max((number for number, each in self._open.items() if each.started), default=self._next)
            self._open.setdefault(last, _Stretch(last)).started += missing
            self.started += missing
        return self._close(max(self._open, default=-1) + 1, seconds)

    def _at(self, time: float) -> _Stretch:
        number = min(max(floor(time), self._next), self._next + MOST_OPEN - 1)
        found = self._open.get(number)
        if found is None:
            found = self._open[number] = _Stretch(number)
        return found

    def _close(self, until: int, run_end: float) -> list[Row]:
        rows = []
        while self._next < until:
            number = self._next
            self._next += 1
            second = self._open.pop(number, None) or _Stretch(number)
            self._live += second.started - second.ended
            live = second.live = max(0, self._live)
            self._most_live = max(self._most_live, live)
            second.failed_max = second.failed
            second.loss_max = -1.0 if second.loss is None else second.loss
            self._base(second, run_end)
            rows.append(second.row(self._commanded(number + 0.5), live))
            self._add_point(second)
        return rows

    def _base(self, second: _Stretch, run_end: float) -> None:
        """Set the part of a second over which a rate may be taken: the plan or the run may end within it."""
        begin = second.begin
        end = min([begin + 1.0, *(each for each in (self._sharp_end, run_end) if begin < each)])
        if end - begin >= SHORTEST or not begin:
            second.span = end - begin
            second.rated = second.started
            second.commanded = self.commanded_until(end) - self.commanded_until(begin)

    def _add_point(self, second: _Stretch) -> None:
        points = self._points
        if points and points[-1].seconds < self._width:
            points[-1].absorb(second)
            return
        if len(points) == MOST_POINTS:
            for first, later in zip(points[::2], points[1::2], strict=True):
                first.absorb(later)
            del points[1::2]
            self._width *= 2
        second.pack()
        points.append(second)

    def _commanded(self, at: float) -> float:
        for begin, rate, _ in reversed(self._commands):
            if begin <= at:
                return rate if at < self._sharp_end else 0.0
        return self._plan.rate_at(at) / self._shards


def _known(value: float) -> float | None:
    return None if value < 0 else value
