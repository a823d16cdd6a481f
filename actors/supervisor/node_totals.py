"""The sum of the counts of all processes of a node, over crashes and restarts.

Each process pushes cumulative snapshots, keyed by (process, incarnation, number). The highest number of each key
counts. A total is the sum over all incarnations; those that ended are folded into one. So no counter ever goes down,
whatever the order in which the messages of an old and a new incarnation come. Gauges come from the newest incarnation
only, and only while its heartbeat is fresh. Metrics that user code declared come with the snapshots, and are added up
in the same way.

The supervisor writes, from its own thread; a reader takes `view()`, which must never be changed afterwards. Pure but
for the two clocks given to it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add
from typing import Final, NamedTuple, cast

from ..bus.messages import Snapshot
from ..counting.labels import OTHER
from ..counting.table import BY_NAME, METRICS, Kind, Metric
from ..counting.totals import DeclaredRow

FRESH: Final = 5.0
"""Seconds after which a heartbeat is stale."""
KEPT_ENDED: Final = 2
"""Incarnations of a process that ended and are not yet folded, because a late snapshot of theirs may still come."""
MAX_SCENARIOS: Final = 50
"""Names of scenarios that get series of their own."""
MAX_DECLARED: Final = 200
"""Metrics of user code of all processes."""
MAX_SERIES: Final = 1000
"""Series of one of them; further label values become `other`."""
MAX_REMEMBERED: Final = 10_000
"""Label values whose bounded form is kept."""
CPU: Final = "sipswarm_process_cpu_seconds_total"
BUS_RECORDS: Final = "sipswarm_bus_records_total"
RESIDENT: Final = "sipswarm_process_resident_memory_bytes"

_OFFERED: Final = (BUS_RECORDS, ("offered",))

Values = tuple[float, ...]
Rows = Mapping[tuple[str, tuple[str, ...]], Values]
"""(metric, label values) -> one number, or the sum and the counts of a histogram."""

_log = logging.getLogger(__name__)


class _Incarnation(NamedTuple):
    """The newest snapshot of one start of a process."""

    number: int
    at: float
    live: int
    """Live calls or streams, as it reported."""
    rows: Rows
    missed: int
    """Snapshots that never came."""
    resident_max: float
    """Bytes."""
    ended: bool
    linked: bool = True
    """It can do its work; before, a heartbeat says only that it lives."""


_UNHEARD: Final = _Incarnation(0, 0.0, 0, {}, 0, 0.0, False)


@dataclass(frozen=True, slots=True)
class _Process:
    """One slot: its incarnations and what earlier ones left behind. Replaced, never changed."""

    kind: str
    incarnations: Mapping[int, _Incarnation]
    folded: Rows
    """Counters and histograms of the incarnations that are gone."""
    folded_through: int
    """Highest incarnation that was folded; a snapshot that still comes from it is too late."""
    folded_missed: int
    resident_max: float
    given_up: bool = False
    """It died too often: a process that is there only ends the calls of those before."""

    @property
    def newest(self) -> _Incarnation:
        """The highest incarnation that sent a snapshot."""
        return self.incarnations[max(self.incarnations)]

    def counted(self, name: str) -> float:
        """A counter without own labels, over all incarnations."""
        key = (name, ())
        return sum(
            rows.get(key, (0.0,))[0] for rows in (self.folded, *(one.rows for one in self.incarnations.values()))
        )


class ProcessFigures(NamedTuple):
    """One process in a run's report."""

    name: str
    cpu_seconds: float
    max_rss_bytes: int
    restarts: int


class View:
    """All figures of a node at one time; nothing changes it."""

    __slots__ = ("_known", "_own", "_prefix", "_processes", "declared")

    def __init__(
        self,
        prefix: str,
        processes: Mapping[str, _Process],
        own: Rows,
        known: Mapping[str, Sequence[str]],
        declared: Mapping[str, Metric],
    ) -> None:
        self._prefix = prefix
        self._processes = processes
        self._own = own
        self._known = known
        self.declared = declared
        """Metrics of user code by their names."""

    def live(self) -> int:
        """Return the live calls, as the newest incarnations of the call workers reported last."""
        return sum(
            process.newest.live
            for process in self._processes.values()
            if process.kind == "call" and not process.newest.ended
        )

    def up(self, now: float) -> dict[str, bool]:
        """Return each process by its name, and whether it does its work, and its heartbeat is fresh."""
        return {
            self._prefix + name: _is_up(each.newest, now) and not each.given_up
            for name, each in self._processes.items()
        }

    def given_up(self) -> list[str]:
        """Return the names of the processes that died too often."""
        return [self._prefix + name for name, each in self._processes.items() if each.given_up]

    def stale(self, now: float) -> list[str]:
        """Return the names of the processes without a fresh heartbeat."""
        return [name for name, is_up in self.up(now).items() if not is_up]

    def processes(self) -> list[ProcessFigures]:
        """Return CPU, memory and restarts of every process that has them, by name."""
        return [
            ProcessFigures(
                self._prefix + name,
                each.counted(CPU),
                int(max(each.resident_max, *(one.resident_max for one in each.incarnations.values()))),
                max(each.incarnations) - 1,
            )
            for name, each in sorted(self._processes.items())
            if any((RESIDENT, ()) in one.rows for one in each.incarnations.values())
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of a counter over all processes and all its series with these values of own labels."""
        metric = BY_NAME[name]
        wanted = [(metric.own_labels.index(label), value) for label, value in labels.items()]
        return sum(
            values[0]
            for process in self._processes.values()
            for rows in (process.folded, *(one.rows for one in process.incarnations.values()))
            for (row, own), values in rows.items()
            if row == name and all(own[index] == value for index, value in wanted)
        )

    def number(self, name: str) -> int:
        """Return how many values a histogram has counted, over all processes and all its series."""
        return sum(
            int(sum(values[1:]))
            for process in self._processes.values()
            for rows in (process.folded, *(one.rows for one in process.incarnations.values()))
            for (row, _), values in rows.items()
            if row == name
        )

    def by(self, name: str, label: str, **labels: str) -> tuple[tuple[str, int], ...]:
        """Return the sums of a counter over all processes by the values of one own label, those of zero left out.

        Args:
            name: of the counter.
            label: the own label.
            labels: values that its other own labels must have.
        """
        place = BY_NAME[name].own_labels.index(label)
        values = {
            own[place]
            for process in self._processes.values()
            for rows in (process.folded, *(one.rows for one in process.incarnations.values()))
            for row, own in rows
            if row == name
        }
        sums = ((value, int(self.sum(name, **{**labels, label: value}))) for value in sorted(values))
        return tuple((value, count) for value, count in sums if count)

    def rows(self, now: float, unix_now: float) -> dict[tuple[str, tuple[str, ...]], Values]:
        """Return every series with all its labels, `process` among them.

        Args:
            now, unix_now: the same moment on the monotonic and on the wall clock.
        """
        result: dict[tuple[str, tuple[str, ...]], Values] = {}
        for metric in METRICS:
            owners = self._feeders(metric) if metric.of_process else [""]
            if metric.name not in _OF_NODE:
                for owner in owners:
                    for labels in metric.children(self._known):
                        result[metric.name, _owned(metric, self._prefix + owner, labels)] = metric.zeros()
        for metric in self.declared.values():
            for labels in metric.children({}):
                result[metric.name, labels] = metric.zeros()
        _merge(result, self._own)
        for name, process in self._processes.items():
            self._add_process(result, self._prefix + name, process, now, unix_now)
        return result

    def _feeders(self, metric: Metric) -> list[str]:
        """The processes that count a metric with the label `process`."""
        fed_by = metric.fed_by
        return [name for name, process in self._processes.items() if not fed_by or process.kind in fed_by]

    def _add_process(
        self,
        result: dict[tuple[str, tuple[str, ...]], Values],
        name: str,
        process: _Process,
        now: float,
        unix_now: float,
    ) -> None:
        newest = process.newest
        up = _is_up(newest, now)
        for rows, gauges in [(process.folded, False)] + [
            (one.rows, up and one is newest) for one in process.incarnations.values()
        ]:
            _merge(
                result,
                {
                    (row, _owned(self._metric(row), name, labels)): values
                    for (row, labels), values in rows.items()
                    if gauges or self._metric(row).kind != "gauge"
                },
            )
        result["sipswarm_process_up", (name, process.kind)] = (float(up and not process.given_up),)
        missed = process.folded_missed + sum(one.missed for one in process.incarnations.values())
        result["sipswarm_stats_snapshots_missed_total", (name,)] = (float(missed),)
        result["sipswarm_process_heartbeat_timestamp_seconds", (name,)] = (unix_now - (now - newest.at),)

    def _metric(self, name: str) -> Metric:
        return BY_NAME.get(name) or self.declared[name]


_OF_NODE: Final = frozenset(
    {
        "sipswarm_process_up",
        "sipswarm_process_heartbeat_timestamp_seconds",
        "sipswarm_stats_snapshots_missed_total",
    }
)
"""Metrics that this file makes from the arrival of snapshots; no process counts them."""


class NodeTotals:
    """The figures of one node, fed by its supervisor.

    Args:
        prefix: put before every process's name, when one `/metrics` shows more than one node.
        scenarios: known beforehand, so that their series exist from the start.
        watch: called with each snapshot that counts (process, incarnation, snapshot), before anything else happens
            to it.
        clock: monotonic seconds, the same clock as the snapshots'.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        scenarios: Sequence[str] = (),
        watch: Callable[[str, int, Snapshot], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._watch = watch
        self.clock = clock
        self.state = "running"
        """See `set_state`."""
        self._processes: dict[str, _Process] = {}
        self._own: dict[tuple[str, tuple[str, ...]], Values] = {}
        self._scenarios = set(scenarios)
        self._known = {"scenario": tuple(scenarios)}
        self._bounded: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._strange: set[str] = set()
        self._declared: dict[str, Metric] = {}
        self._series: dict[str, set[tuple[str, ...]]] = {}
        """Label values of each metric of user code."""

    def view(self) -> View:
        """Return the figures as they are now."""
        return View(self._prefix, dict(self._processes), dict(self._own), self._known, dict(self._declared))

    def set_state(self, state: str) -> None:
        """Set what the node does as a whole: starting, running or draining."""
        self.state = state

    def update(self, process: str, incarnation: int, snapshot: Snapshot) -> None:
        """Take a snapshot. An older one than the last, or one of an incarnation that was folded, changes nothing."""
        slot = self._slot(process)
        known = slot.incarnations.get(incarnation, _UNHEARD)
        if snapshot.number <= known.number or incarnation <= slot.folded_through:
            return
        if self._watch is not None:
            self._watch(process, incarnation, snapshot)
        refused = frozenset(row[0] for row in snapshot.declared if not self._takes(row))
        rows = self._read(snapshot, refused)
        if known.ended:
            rows = _with_abandoned(rows)
        self._keep(
            process,
            slot,
            incarnation,
            known._replace(
                number=snapshot.number,
                at=snapshot.at,
                live=0 if known.ended else snapshot.live_calls,
                rows=rows,
                missed=known.missed + snapshot.number - known.number - 1,
                resident_max=max(known.resident_max, rows.get((RESIDENT, ()), (0.0,))[0]),
            ),
        )

    def started(self, process: str, incarnation: int) -> None:
        """An incarnation was started; it is not up before it is linked."""
        slot = self._slot(process)
        at = slot.newest.at if slot.incarnations else 0.0
        self._keep(process, slot, incarnation, _UNHEARD._replace(linked=False, at=at))

    def linked(self, process: str, incarnation: int, now: float) -> None:
        """An incarnation has linked to all others, which is a sign of life too.

        Args:
            now: monotonic seconds.
        """
        slot = self._slot(process)
        known = slot.incarnations.get(incarnation, _UNHEARD)
        self._keep(process, slot, incarnation, known._replace(linked=True, at=max(known.at, now)))

    def ended(self, process: str, incarnation: int) -> None:
        """An incarnation ended; what it counted stays."""
        slot = self._slot(process)
        known = slot.incarnations.get(incarnation)
        if known is None:
            return
        self._keep(process, slot, incarnation, known._replace(ended=True, live=0, rows=_with_abandoned(known.rows)))
        slot = self._processes[process]
        ended = sorted(number for number, each in slot.incarnations.items() if each.ended)
        for number in ended[:-KEPT_ENDED]:
            self._fold(process, number)

    def given_up(self, process: str) -> None:
        """A process died too often; it is not up any more, whatever comes."""
        self._processes[process] = replace(self._slot(process), given_up=True)

    def set_gauge(self, name: str, *labels: str, value: float) -> None:
        """Set a gauge of the node's side, such as sipswarm_build_info."""
        self._own[name, BY_NAME[name].bound(labels)] = (value,)

    def _slot(self, process: str) -> _Process:
        return self._processes.get(process) or _Process(kind_of(process), {}, {}, 0, 0, 0.0)

    def _keep(self, process: str, slot: _Process, incarnation: int, known: _Incarnation) -> None:
        self._processes[process] = replace(slot, incarnations={**slot.incarnations, incarnation: known})

    def _fold(self, process: str, incarnation: int) -> None:
        slot = self._processes[process]
        gone = slot.incarnations[incarnation]
        folded = dict(slot.folded)
        _merge(folded, {key: values for key, values in gone.rows.items() if self._metric(key[0]).kind != "gauge"})
        self._processes[process] = replace(
            slot,
            incarnations={number: each for number, each in slot.incarnations.items() if number != incarnation},
            folded=folded,
            folded_through=max(slot.folded_through, incarnation),
            folded_missed=slot.folded_missed + gone.missed,
            resident_max=max(slot.resident_max, gone.resident_max),
        )

    def _read(self, snapshot: Snapshot, refused: frozenset[str]) -> Rows:
        """Return the series of the snapshot with bounded labels.

        A series that is not in the table is left out and logged once.

        Args:
            refused: metrics of user code that are left out.
        """
        rows: dict[tuple[str, tuple[str, ...]], Values] = {}
        for name, labels, values in snapshot.series:
            if name in refused:
                continue
            key = (name, labels)
            bounded = self._bounded.get(key)
            if bounded is None:
                metric = BY_NAME.get(name) or self._declared.get(name)
                if metric is None or name in _OF_NODE or len(labels) != len(metric.own_labels):
                    self._say_once(name, f"{name}{labels} is not in the table of metrics")
                    continue
                bounded = self._bound(metric, labels)
                if len(self._bounded) < MAX_REMEMBERED:  # a peer's bytes may be in a label before it is bounded
                    self._bounded[key] = bounded
            metric = self._metric(name)
            if len(values) != metric.width:
                self._say_once(name, f"{name}: {len(values)} numbers, the table says {metric.width}")
                continue
            if not any(values) and metric.kind != "gauge":
                continue  # series of closed sets exist without it, and the others begin with their first event
            before = rows.get((name, bounded))
            rows[name, bounded] = values if before is None else tuple(map(add, before, values))
        return rows

    def _bound(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        series = self._series.get(metric.name)
        if series is not None:
            if labels and labels not in series and len(series) >= MAX_SERIES:
                return (OTHER,) * len(labels)
            series.add(labels)
            return labels
        bounded = list(metric.bound(labels))
        if "scenario" in metric.own_labels:
            index = metric.own_labels.index("scenario")
            if bounded[index] not in self._scenarios:
                if len(self._scenarios) < MAX_SCENARIOS:
                    self._scenarios.add(bounded[index])
                else:
                    bounded[index] = OTHER
        return tuple(bounded)

    def _metric(self, name: str) -> Metric:
        return BY_NAME.get(name) or self._declared[name]

    def _takes(self, row: DeclaredRow) -> bool:
        """Take a metric of user code; a second one of its name that differs is left out and logged once."""
        name, kind, labels, text, buckets = row
        known = self._declared.get(name)
        if known is None and len(self._declared) < MAX_DECLARED:
            known = self._declared[name] = Metric(name, cast(Kind, kind), labels, text, buckets)
            self._series[name] = set()
        if known is not None and (known.kind, known.labels, known.buckets) == (kind, labels, buckets):
            return True
        self._say_once(name, f"{name} is one metric too many, or another process has declared it in another way")
        return False

    def _say_once(self, name: str, text: str) -> None:
        if name not in self._strange:
            self._strange.add(name)
            _log.error("a figure is not shown: %s", text)


def merged_rows(views: Sequence[View], now: float, unix_now: float) -> dict[tuple[str, tuple[str, ...]], Values]:
    """Return the series of several nodes in one: equal ones are added, but for those that are constant 1."""
    result: dict[tuple[str, tuple[str, ...]], Values] = {}
    for view in views:
        _merge(result, view.rows(now, unix_now))
    for key in result:
        if key[0].endswith("_info"):
            result[key] = (1.0,)
    return result


def kind_of(process: str) -> str:
    """Return the role in the name of a process: call of call-3."""
    return process.partition("-")[0]


def _with_abandoned(rows: Rows) -> Rows:
    """Add what became of the records that a process had under way when it ended: nobody knows that any more."""
    offered = {labels[0]: values[0] for (name, labels), values in rows.items() if (name, labels[1:]) == _OFFERED}
    result = dict(rows)
    for kind, count in offered.items():
        known = (rows.get((BUS_RECORDS, (kind, fate)), (0.0,))[0] for fate in ("acknowledged", "refused", "expired"))
        left = count - sum(known)
        if left > 0:
            result[BUS_RECORDS, (kind, "abandoned")] = (left,)
    return result


def _is_up(newest: _Incarnation, now: float) -> bool:
    return newest.linked and not newest.ended and now - newest.at <= FRESH


def _owned(metric: Metric, process: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    return (process, *labels) if metric.of_process else labels


def _merge(into: dict[tuple[str, tuple[str, ...]], Values], rows: Rows) -> None:
    for key, values in rows.items():
        before = into.get(key)
        into[key] = values if before is None else tuple(map(add, before, values))
