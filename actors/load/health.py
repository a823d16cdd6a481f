"""Whether the generator itself kept up with the plan: the figures of a run with a sick one prove nothing.

It takes every snapshot of every process and the lateness of every call. It is unhealthy when one of these is true over
any 10 s:

- more than 1 % of the calls, packets or loop timers are later than their limit, and at least three of them (1 %: their
  99th percentile is above the limit)
- more than 1 % of the RTP packets, and at least three, were refused by the system: its network was not there
- the network of the calls was away: no interface that was up and had its carrier had their local address
- a process stood still for more than half a second
- a datagram was dropped at a local socket
- the statistics have a gap of more than 3 s

The least number is for short runs: of fewer than 100 samples the 99th percentile is the greatest one. A single late
packet of five would spoil such a run. When 1 % are late on average, three late ones are improbable: 0.00001 in 5
samples, 0.001 in 20 and 0.014 in 50.

Memory and work must not grow with the time of the run: samples older than the windows are judged once and folded. Pure.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..bus import outages, standstills
from ..bus.messages import Snapshot
from ..counting.table import EDGES
from ..diagnosis.network_down import NetworkDown

WINDOW: Final = 10.0
"""Seconds over which lateness is judged."""
LATENESS_LIMIT: Final = 0.05
"""Seconds that a call may start late."""
SEND_LATENESS_LIMIT: Final = 0.01
"""Seconds that an RTP packet may leave late."""
LOOP_LAG_LIMIT: Final = 0.05
"""Seconds that a timer of an event loop may be late."""
LONGEST_GAP: Final = 3.0
"""Seconds between two snapshots of a process."""
LONGEST_PAUSE: Final = standstills.LONGEST
"""Seconds for which a process may stand still once; the calls of that time are judged with it (`expectations`)."""
TOLERATED: Final = 0.01
"""Share that may be above a limit while the 99th percentile is not."""
LEAST_LATE: Final = 3
"""Late samples within `WINDOW` below which their share proves nothing."""
MOST_GAPS: Final = 64
"""Gaps of the statistics that are kept of a process."""
SUPERVISOR: Final = "supervisor"
"""The end of the name of the process that reads the statistics, behind that of its node."""
STARTS_KEPT: Final = 3600
"""Seconds for which late starts are counted one by one: a call reports its start when it is over. The start of a longer
call counts in the first of these seconds."""
INCARNATIONS_KEPT: Final = 2
"""Of each process; the figures of earlier ones are folded."""

LOOP_LAG: Final = "sipswarm_event_loop_lag_seconds"
SEND_LATENESS: Final = "sipswarm_rtp_send_lateness_seconds"
DROPS: Final = "sipswarm_udp_socket_drops_total"
SEND_ERRORS: Final = "sipswarm_rtp_send_errors_total"
PACKETS: Final = "sipswarm_rtp_packets_total"
_LIMITS: Final = {LOOP_LAG: LOOP_LAG_LIMIT, SEND_LATENESS: SEND_LATENESS_LIMIT}
_WORDS: Final = {LOOP_LAG: "loop lag", SEND_LATENESS: "RTP send lateness"}


class HealthFigures(NamedTuple):
    """The `generator` part of a run's summary."""

    healthy: bool
    schedule_lateness_p99: float | None
    send_lateness_p99: float | None
    """Of the worst process, estimated within its histogram bucket; None = nothing was sent."""
    loop_lag_p99: float | None
    """Of the worst process, as above."""
    udp_drops: int
    reasons: tuple[str, ...]


class _Heartbeat(NamedTuple):
    at: float
    counts: dict[str, tuple[float, ...]]
    drops: float
    packets: float
    """RTP packets sent, those included that the system refused."""
    refused: float
    """Packets that it refused."""
    down: dict[str, float]
    """Seconds in which an interface that calls use carried nothing."""


class Health:
    """Watches one run. Snapshots before `begin` only set the point from which it counts."""

    def __init__(self) -> None:
        self._begun = False
        self._heartbeats: dict[tuple[str, int], deque[_Heartbeat]] = {}
        self._first: dict[tuple[str, int], _Heartbeat] = {}
        self._reasons: dict[str, None] = {}
        """In words, each once, in the order in which they were found."""
        self._starts: dict[int, list[int]] = {}
        """Second of the start -> calls, and late ones of them."""
        self._newest_start = self._oldest_start = 0
        self._late = 0
        """Late ones of the seconds that are kept."""
        self._started_late = False
        """Found in a window whose first second is not kept any more."""
        self._down = NetworkDown()
        self._gaps: dict[str, list[tuple[float, float]]] = {}
        """When the statistics of a process ceased, and when they went on."""
        self._folded_drops = 0.0
        self._folded_worst: dict[str, float] = {}

    def begin(self, at: float = 0.0) -> None:
        """Count from here on: the processes are up and the plan starts.

        Args:
            at: monotonic seconds of the start, from which outages of the network are shown.
        """
        self._begun = True
        self._down.begin(at)

    def observe(self, process: str, incarnation: int, snapshot: Snapshot) -> None:
        """Take a snapshot of a process."""
        key = (process, incarnation)
        heartbeat = _heartbeat(snapshot)
        if not self._begun or key not in self._heartbeats:
            self._first[key] = heartbeat
            self._heartbeats[key] = deque([heartbeat])
            self._fold_incarnations(process)
            return
        heartbeats = self._heartbeats[key]
        gap = heartbeat.at - heartbeats[-1].at
        if gap > LONGEST_GAP:
            gaps = self._gaps.setdefault(process, [])
            if len(gaps) < MOST_GAPS:
                gaps.append((heartbeats[-1].at, heartbeat.at))
        if heartbeat.drops > heartbeats[-1].drops:
            self._reasons[f"{process}: the kernel dropped datagrams at our sockets; raise net.core.rmem_max"] = None
        if _paused(heartbeats[-1], heartbeat):
            words = f"{process}: stood still for more than {LONGEST_PAUSE * 1000:.0f} ms; delays may be its own"
            self._reasons[words] = None
        self._down.compare([each.down for each in (*heartbeats, heartbeat)[-3:]], heartbeats[-1].at, heartbeat.at)
        heartbeats.append(heartbeat)
        while len(heartbeats) > 2 and heartbeats[1].at <= heartbeat.at - WINDOW:
            heartbeats.popleft()
        if heartbeat.at - heartbeats[0].at >= WINDOW:
            self._reasons.update(_late(process, heartbeats[0], heartbeat))

    def add_start(self, started: float, lateness: float) -> None:
        """Count a call of the plan that started.

        Args:
            started: monotonic seconds.
            lateness: seconds.
        """
        if int(started) > self._newest_start:
            self._newest_start = int(started)
            self._fold_starts()
        number = max(int(started), self._newest_start - STARTS_KEPT + 1)
        second = self._starts.setdefault(number, [0, 0])
        second[0] += 1
        second[1] += lateness > LATENESS_LIMIT
        self._late += lateness > LATENESS_LIMIT

    def figures(self, schedule_lateness_p99: float | None, *, over: bool = True) -> HealthFigures:
        """Judge the run at its end; a process that ran for less than 10 s is judged as a whole.

        Args:
            schedule_lateness_p99: seconds, shown as they are.
            over: False = the run goes on, and windows that are not complete are not judged yet.
        """
        reasons = {**self._reasons, **self._down.reasons(), **self._silent()}
        for process, incarnation in self._heartbeats if over else ():
            reasons.update(self._late_as_a_whole(process, incarnation))
        if self._late_starts(self._newest_start + WINDOW if over else self._newest_start):
            reasons[f"calls started late: the 99th percentile over 10 s was above {LATENESS_LIMIT * 1000:.0f} ms"] = (
                None
            )
        return HealthFigures(
            healthy=not reasons,
            schedule_lateness_p99=schedule_lateness_p99,
            send_lateness_p99=self._worst(SEND_LATENESS),
            loop_lag_p99=self._worst(LOOP_LAG),
            udp_drops=int(self._folded_drops + sum(self._drops(key) for key in self._heartbeats)),
            reasons=tuple(reasons),
        )

    def _silent(self) -> dict[str, None]:
        """The gaps of the statistics in words; what the supervisor did not read, because it stood still, is its own."""
        own = [gap for process, gaps in self._gaps.items() if process.endswith(SUPERVISOR) for gap in gaps]
        words: dict[str, None] = {}
        for process, gaps in self._gaps.items():
            if process.endswith(SUPERVISOR):
                seconds = max(until - since for since, until in gaps)
                words[f"{process}: stood still for {seconds:.1f} s; what the others counted meanwhile came late"] = None
            elif any(_apart(gap, own) > LONGEST_GAP for gap in gaps):
                words[f"{process}: no statistics for more than {LONGEST_GAP:.0f} s"] = None
        return words

    def _late_as_a_whole(self, process: str, incarnation: int) -> dict[str, None]:
        """Lateness above a limit in a process that has run for less than the window, in words."""
        heartbeats = self._heartbeats[process, incarnation]
        return _late(process, heartbeats[0], heartbeats[-1]) if heartbeats[-1].at - heartbeats[0].at < WINDOW else {}

    def _drops(self, key: tuple[str, int]) -> float:
        return self._heartbeats[key][-1].drops - self._first[key].drops

    def _fold_incarnations(self, process: str) -> None:
        """Keep the newest incarnations of a process that was started anew; fold the figures of the others."""
        for incarnation in sorted(each for name, each in self._heartbeats if name == process)[:-INCARNATIONS_KEPT]:
            key = (process, incarnation)
            self._reasons.update(self._late_as_a_whole(*key))
            self._folded_drops += self._drops(key)
            for name in _LIMITS:
                estimate = self._estimate(key, name)
                if estimate is not None:
                    self._folded_worst[name] = max(estimate, self._folded_worst.get(name, 0.0))
            del self._heartbeats[key], self._first[key]

    def _fold_starts(self) -> None:
        """Judge and forget the windows that begin before the seconds that are kept."""
        oldest = self._newest_start - STARTS_KEPT + 1
        passed: Iterable[int] = range(self._oldest_start, oldest)
        if oldest - self._oldest_start > STARTS_KEPT:  # the first start, or a long time without one
            passed = sorted(each for each in self._starts if each < oldest)
        for second in passed:
            if second in self._starts:
                self._started_late = self._started_late or self._late_from(second)
                self._late -= self._starts.pop(second)[1]
        self._oldest_start = oldest

    def _late_from(self, second: int) -> bool:
        """Whether more than 1 % of the calls started late in the 10 s that begin with a second."""
        window = [self._starts.get(each, (0, 0)) for each in range(second, second + int(WINDOW))]
        return _is_too_much(sum(late for _, late in window), sum(count for count, _ in window))

    def _late_starts(self, until: float) -> bool:
        """Whether more than 1 % of the calls were late in any 10 successive seconds that passed by `until`."""
        if self._started_late or not self._late:
            return self._started_late
        calls = late_calls = 0
        end = 0
        seconds = sorted(self._starts)
        for second in seconds:
            while end < len(seconds) and seconds[end] < second + WINDOW:
                count, late = self._starts[seconds[end]]
                calls, late_calls, end = calls + count, late_calls + late, end + 1
            if _is_too_much(late_calls, calls) and second + WINDOW <= until:
                return True
            count, late = self._starts[second]
            calls, late_calls = calls - count, late_calls - late
        return False

    def _worst(self, name: str) -> float | None:
        estimates = [self._estimate(key, name) for key in self._heartbeats]
        return max((each for each in (*estimates, self._folded_worst.get(name)) if each is not None), default=None)

    def _estimate(self, key: tuple[str, int], name: str) -> float | None:
        return quantile(0.99, EDGES[name], _difference(self._first[key], self._heartbeats[key][-1], name))


def quantile(share: float, edges: Sequence[float], counts: Sequence[float]) -> float | None:
    """Estimate a quantile from a histogram's counts: linear within a bucket; the highest edge when above it."""
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


def _heartbeat(snapshot: Snapshot) -> _Heartbeat:
    counts: dict[str, tuple[float, ...]] = {}
    down: dict[str, float] = {}
    drops = packets = refused = 0.0
    for name, labels, values in snapshot.series:
        if name in _LIMITS:
            counts[name] = values[1:]
        elif name == DROPS:
            drops += values[0]
        elif name == SEND_ERRORS:
            refused += values[0]
        elif name == PACKETS and labels[0] == "sent":
            packets += values[0]
        elif name == outages.SECONDS:
            down[labels[0]] = values[0]
    return _Heartbeat(snapshot.at, counts, drops, packets, refused, down)


def _apart(gap: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    """Seconds of a gap that are in none of some others."""
    return gap[1] - gap[0] - sum(max(0.0, min(gap[1], until) - max(gap[0], since)) for since, until in others)


def _is_too_much(late: float, count: float) -> bool:
    """Whether `late` samples of `count` are more than a healthy generator has."""
    return late >= LEAST_LATE and late > TOLERATED * count


def _late(process: str, before: _Heartbeat, after: _Heartbeat) -> dict[str, None]:
    """Lateness above a limit, or a refusal to send, for more than 1 % between two snapshots of a process, in words."""
    words: dict[str, None] = {}
    if _is_too_much(after.refused - before.refused, after.packets - before.packets):
        words[f"{process}: the system refused to send RTP (no route, an interface that is down, a firewall)"] = None
    for name, limit in _LIMITS.items():
        counts = _difference(before, after, name)
        above = sum(counts[EDGES[name].index(limit) + 1 :])
        if _is_too_much(above, sum(counts)):
            words[f"{process}: {_WORDS[name]} p99 over 10 s was above {limit * 1000:.0f} ms"] = None
    return words


def _paused(before: _Heartbeat, after: _Heartbeat) -> bool:
    """Whether the loop of a process stood still for too long between two snapshots."""
    counts = _difference(before, after, LOOP_LAG)
    return sum(counts[EDGES[LOOP_LAG].index(LONGEST_PAUSE) + 1 :]) > 0


def _difference(before: _Heartbeat, after: _Heartbeat, name: str) -> list[float]:
    now = after.counts.get(name, ())
    then = before.counts.get(name) or (0.0,) * len(now)
    return [later - earlier for earlier, later in zip(then, now, strict=True)]
