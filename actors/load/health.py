"""Whether the generator itself was able to do what was asked: a run measured with a sick one says nothing.

Fed with every snapshot of every process and with the lateness of every call. Unhealthy is, over any 10 s: more than 1 %
of the calls, packets or loop timers later than their limit (their 99th percentile is above it) and at least three of
them, any datagram dropped at a socket of ours, a gap of more than 3 s in the statistics. Pure.

The least number is for short runs: of fewer than 100 samples the 99th percentile is the greatest one, so that a single
late packet of five would say that nothing was measured. When 1 % are late on average, three late ones in 5, 20 and 50
samples come by chance with a probability of 0.00001, 0.001 and 0.014.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..messages import Snapshot
from ..metric_table import EDGES

WINDOW: Final = 10.0
LATENESS_LIMIT: Final = 0.05
SEND_LATENESS_LIMIT: Final = 0.01
LOOP_LAG_LIMIT: Final = 0.05
LONGEST_GAP: Final = 3.0
TOLERATED: Final = 0.01
"""the share that may be above a limit while the 99th percentile is not"""
LEAST_LATE: Final = 3
"""late samples within `WINDOW` below which their share says nothing"""

LOOP_LAG: Final = "sipswarm_event_loop_lag_seconds"
SEND_LATENESS: Final = "sipswarm_rtp_send_lateness_seconds"
DROPS: Final = "sipswarm_udp_socket_drops_total"
_LIMITS: Final = {LOOP_LAG: LOOP_LAG_LIMIT, SEND_LATENESS: SEND_LATENESS_LIMIT}
_WORDS: Final = {LOOP_LAG: "loop lag", SEND_LATENESS: "RTP send lateness"}


class HealthFigures(NamedTuple):
    """The `generator` part of a run's summary."""

    healthy: bool
    schedule_lateness_p99: float | None
    send_lateness_p99: float | None
    """of the worst process, estimated within its histogram bucket; None = nothing was sent"""
    loop_lag_p99: float | None
    """of the worst process, as above"""
    udp_drops: int
    reasons: tuple[str, ...]


class _Beat(NamedTuple):
    at: float
    counts: dict[str, tuple[float, ...]]
    drops: float


class Health:
    """Watches one run. Snapshots before `begin` only set the point from which is counted."""

    def __init__(self) -> None:
        self._begun = False
        self._beats: dict[tuple[str, int], deque[_Beat]] = {}
        self._first: dict[tuple[str, int], _Beat] = {}
        self._reasons: dict[str, None] = {}
        """in words, each once, in the order in which they were found"""
        self._starts: dict[int, list[int]] = {}

    def begin(self) -> None:
        """The processes are up and the plan starts: from here on it counts."""
        self._begun = True

    def observe(self, process: str, incarnation: int, snapshot: Snapshot) -> None:
        """A snapshot of a process."""
        key = (process, incarnation)
        beat = _beat(snapshot)
        if not self._begun or key not in self._beats:
            self._first[key] = beat
            self._beats[key] = deque([beat])
            return
        beats = self._beats[key]
        gap = beat.at - beats[-1].at
        if gap > LONGEST_GAP:
            self._reasons[f"{process}: no statistics for more than {LONGEST_GAP:.0f} s"] = None
        if beat.drops > beats[-1].drops:
            self._reasons[f"{process}: the kernel dropped datagrams at our sockets; raise net.core.rmem_max"] = None
        beats.append(beat)
        while len(beats) > 2 and beats[1].at <= beat.at - WINDOW:
            beats.popleft()
        if beat.at - beats[0].at >= WINDOW:
            self._reasons.update(_late(process, beats[0], beat))

    def add_start(self, started: float, lateness: float) -> None:
        """A call of the plan started, so late.

        started: monotonic seconds. lateness: seconds.
        """
        second = self._starts.setdefault(int(started), [0, 0])
        second[0] += 1
        second[1] += lateness > LATENESS_LIMIT

    def figures(self, schedule_lateness_p99: float | None) -> HealthFigures:
        """The verdict at the end of the run; what ran for less than 10 s is judged as a whole."""
        reasons = dict(self._reasons)
        for (process, _), beats in self._beats.items():
            if beats[-1].at - beats[0].at < WINDOW:
                reasons.update(_late(process, beats[0], beats[-1]))
        if self._late_starts():
            reasons[f"calls started late: the 99th percentile over 10 s was above {LATENESS_LIMIT * 1000:.0f} ms"] = (
                None
            )
        return HealthFigures(
            healthy=not reasons,
            schedule_lateness_p99=schedule_lateness_p99,
            send_lateness_p99=self._worst(SEND_LATENESS),
            loop_lag_p99=self._worst(LOOP_LAG),
            udp_drops=int(sum(beats[-1].drops - self._first[key].drops for key, beats in self._beats.items())),
            reasons=tuple(reasons),
        )

    def _late_starts(self) -> bool:
        """Whether in any 10 successive seconds more than 1 % of the calls were late."""
        for second in self._starts:
            window = [self._starts.get(each, (0, 0)) for each in range(second, second + int(WINDOW))]
            if _is_too_much(sum(late for _, late in window), sum(count for count, _ in window)):
                return True
        return False

    def _worst(self, name: str) -> float | None:
        estimates = (
            quantile(0.99, EDGES[name], _difference(self._first[key], beats[-1], name))
            for key, beats in self._beats.items()
        )
        return max((each for each in estimates if each is not None), default=None)


def quantile(share: float, edges: Sequence[float], counts: Sequence[float]) -> float | None:
    """A quantile estimated from a histogram's counts: linear within a bucket; the highest edge when above it."""
    rank = share * sum(counts)
    if not rank:
        return None
    below = 0.0
    lower = 0.0
    for edge, count in zip(edges, counts, strict=False):
        if below + count >= rank:
            return lower + (edge - lower) * (rank - below) / count
        below += count
        lower = edge
    return edges[-1]


def _beat(snapshot: Snapshot) -> _Beat:
    counts: dict[str, tuple[float, ...]] = {}
    drops = 0.0
    for name, _, values in snapshot.series:
        if name in _LIMITS:
            counts[name] = values[1:]
        elif name == DROPS:
            drops += values[0]
    return _Beat(snapshot.at, counts, drops)


def _is_too_much(late: float, count: float) -> bool:
    """Whether so many late samples of `count` are more than a healthy generator has."""
    return late >= LEAST_LATE and late > TOLERATED * count


def _late(process: str, before: _Beat, after: _Beat) -> dict[str, None]:
    """What was later than its limit for more than 1 % between two snapshots of a process, in words."""
    words: dict[str, None] = {}
    for name, limit in _LIMITS.items():
        counts = _difference(before, after, name)
        above = sum(counts[EDGES[name].index(limit) + 1 :])
        if _is_too_much(above, sum(counts)):
            words[f"{process}: {_WORDS[name]} p99 over 10 s was above {limit * 1000:.0f} ms"] = None
    return words


def _difference(before: _Beat, after: _Beat, name: str) -> list[float]:
    now = after.counts.get(name, ())
    then = before.counts.get(name) or (0.0,) * len(now)
    return [later - earlier for earlier, later in zip(then, now, strict=True)]
