"""The file of `-trace_stat`: its columns, and a row of them for a period of a run.

A count stands there twice: for the period since the row before, and for the whole run. Columns, their order and the
forms of numbers and times are those of SIPp 3.6.1. The shares of response times and call lengths are of the whole run.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from math import sqrt
from typing import Final, final

from .stamps import clock, span, stamp

FAILURES: Final[Mapping[str, str]] = {
    "FailedCannotSendMessage": "transport",
    "FailedMaxUDPRetrans": "max_retrans",
    "FailedTcpConnect": "",
    "FailedTcpClosed": "",
    "FailedUnexpectedMessage": "unexpected_message",
    "FailedCallRejected": "stopped",
    "FailedCmdNotSent": "command_lost",
    "FailedRegexpDoesntMatch": "regexp",
    "FailedRegexpShouldntMatch": "regexp_matched",
    "FailedRegexpHdrNotFound": "header_missing",
    "FailedOutboundCongestion": "",
    "FailedTimeoutOnRecv": "recv_timeout",
    "FailedTimeoutOnSend": "send_timeout",
    "FailedTestDoesntMatch": "test",
    "FailedTestShouldntMatch": "",
    "FailedStrcmpDoesntMatch": "strcmp",
    "FailedStrcmpShouldntMatch": "",
}
"""Columns of failures, and the class of failed calls that each counts; an empty one is always 0."""
_OTHERS: Final = (
    "OutOfCallMsgs",
    "DeadCallMsgs",
    "Retransmissions",
    "AutoAnswered",
    "Warnings",
    "FatalErrors",
    "WatchdogMajor",
    "WatchdogMinor",
)


@final
class Times:
    """Times that were measured: their number, mean and deviation, and how they are distributed.

    Args:
        limits: upper ends of the intervals in which they are counted, in seconds, rising.
    """

    __slots__ = ("_limits", "_mean", "_squares", "count", "shares")

    def __init__(self, limits: Sequence[float] = ()) -> None:
        self._limits = tuple(limits)
        self._mean = 0.0
        self._squares = 0.0
        self.count = 0
        """How many times there were."""
        self.shares = [0] * (len(limits) + 1)
        """How many were below each limit and not below the one before; the last is of those above all limits."""

    def add(self, seconds: float) -> None:
        """Count a time."""
        self.count += 1
        delta = seconds - self._mean
        self._mean += delta / self.count  # Welford's method
        self._squares += delta * (seconds - self._mean)
        self.shares[bisect_right(self._limits, seconds)] += 1

    @property
    def mean(self) -> float:
        """In seconds; 0 = there were none."""
        return self._mean

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample, in seconds; 0 with fewer than two times."""
        return sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns that depend on the scenario."""

    response_times: tuple[str, ...] = ()
    """Names of `rtd`, in the order of the file."""
    counters: tuple[str, ...] = ()
    """Names of `counter`, in the order of the file."""
    response_limits: tuple[int, ...] = ()
    """`ResponseTimeRepartition`, in milliseconds."""
    length_limits: tuple[int, ...] = ()
    """`CallLengthRepartition`, in milliseconds."""

    def header(self) -> str:
        """Return the first line of the file, without its line end."""
        names = ["StartTime", "LastResetTime", "CurrentTime", *_twice(["ElapsedTime"]), "TargetRate"]
        names += [*_twice(["CallRate", "IncomingCall", "OutgoingCall"]), "TotalCallCreated", "CurrentCall"]
        names += _twice(["SuccessfulCall", "FailedCall", *FAILURES, *_OTHERS])
        times = [f"ResponseTime{name}" for name in self.response_times]
        names += _twice([each for name in (*times, "CallLength") for each in (name, f"{name}StDev")])
        names += _twice(self.counters)
        for name in self.response_times:
            names += _shares(f"ResponseTimeRepartition{name}", self.response_limits)
        names += _shares("CallLengthRepartition", self.length_limits)
        return "".join([f"{name};" for name in names])


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted in a period, or in the whole run."""

    elapsed: float
    """Its length, in seconds."""
    incoming: int = 0
    """Calls that the peer began."""
    outgoing: int = 0
    """Calls that were begun here."""
    successful: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    """Failed calls by their class, also by those that have no column."""
    out_of_call: int = 0
    """Messages that belong to no call."""
    dead_call: int = 0
    """Messages of calls that have ended."""
    retransmissions: int = 0
    auto_answered: int = 0
    warnings: int = 0
    response_times: Mapping[str, Times] = field(default_factory=dict)
    """By the names of `rtd`."""
    call_length: Times = field(default_factory=Times)
    counters: Mapping[str, int] = field(default_factory=dict)
    """By the names of `counter`."""

    @property
    def calls(self) -> int:
        """All calls that were begun."""
        return self.incoming + self.outgoing

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.elapsed if self.elapsed > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a row is written, and what holds then."""

    started: float
    """Begin of the run, seconds since 1970."""
    reset: float
    """Begin of the period, seconds since 1970."""
    now: float
    """Seconds since 1970."""
    rate: float
    """Calls per second that are wanted."""
    live: int
    """Calls that are up."""


def row(columns: Columns, moment: Moment, period: Figures, whole: Figures, zone: tzinfo) -> str:
    """Return a line of the file, without its line end.

    Args:
        columns: of the scenario.
        moment: the time of the row.
        period: the figures since the row before.
        whole: the figures since the begin of the run.
        zone: in which date and time are written.
    """
    values = [stamp(at, zone) for at in (moment.started, moment.reset, moment.now)]
    values += [clock(each.elapsed) for each in (period, whole)]
    values += [f"{number:g}" for number in (moment.rate, period.rate, whole.rate)]
    values += _numbers([(each.incoming, each.outgoing) for each in (period, whole)])
    values += [str(whole.calls), str(moment.live)]
    values += _numbers([_counts(each) for each in (period, whole)])
    for name in columns.response_times:
        values += _times([each.response_times.get(name, _NO_TIMES) for each in (period, whole)])
    values += _times([each.call_length for each in (period, whole)])
    values += _numbers([[each.counters.get(name, 0) for name in columns.counters] for each in (period, whole)])
    for name in columns.response_times:
        values += _shown_shares(whole.response_times.get(name), columns.response_limits)
    values += _shown_shares(whole.call_length, columns.length_limits)
    return "".join([f"{value};" for value in values])


_NO_TIMES: Final = Times()


def _counts(figures: Figures) -> list[int]:
    failed = [figures.failed.get(failure, 0) if failure else 0 for failure in FAILURES.values()]
    return [
        figures.successful,
        sum(figures.failed.values()),
        *failed,
        figures.out_of_call,
        figures.dead_call,
        figures.retransmissions,
        figures.auto_answered,
        figures.warnings,
        *(0, 0, 0),
    ]


def _numbers(both: Sequence[Sequence[int]]) -> list[str]:
    """Return the counts of period and whole run by turns."""
    return [str(number) for pair in zip(*both, strict=True) for number in pair]


def _times(both: Sequence[Times]) -> list[str]:
    return [*[span(each.mean) for each in both], *[span(each.deviation) for each in both]]


def _twice(names: Iterable[str]) -> list[str]:
    return [f"{name}({scope})" for name in names for scope in "PC"]


def _shares(name: str, limits: Sequence[int]) -> list[str]:
    if not limits:
        return []
    return [name, *[f"{name}_<{limit}" for limit in limits], f"{name}_>={limits[-1]}"]


def _shown_shares(times: Times | None, limits: Sequence[int]) -> list[str]:
    if not limits:
        return []
    shares = [0] * (len(limits) + 1) if times is None or len(times.shares) != len(limits) + 1 else times.shares
    return ["", *map(str, shares)]
