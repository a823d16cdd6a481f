"""What one process counts: plain numbers that hot paths add to and a snapshot reads.

A `Cell` is fetched once, kept, and added to (`cell.value += 1`); a `Distribution` is an array of counts per bucket.
Values are cumulative since the start of the process. What a name means stands in `actors.counting.table`, or was
declared here by user code, whose metrics and series are bounded in number.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ..errors import ConfigurationError
from .labels import OTHER
from .table import BY_NAME, Metric

MOST_DECLARED: Final = 100
"""Metrics of user code in one process."""
MOST_SERIES: Final = 100
"""Series of one of them."""
MOST_SERIES_OF_ALL: Final = 500
"""Series of all of them together: a snapshot has to fit one frame of a link."""


class Cell:
    """One counter or gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Distribution:
    """One histogram: counts per bucket (the last one is everything above the highest edge) and the sum."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = tuple(edges)
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; an edge belongs to the bucket below it, as Prometheus has it."""
        self.counts[bisect_left(self.edges, value)] += times
        self.total += value * times


SeriesRow = tuple[str, tuple[str, ...], tuple[float, ...]]
"""Metric name, own label values, one number or the sum and the counts of a histogram."""
DeclaredRow = tuple[str, str, tuple[str, ...], str, tuple[float, ...]]
"""Name, kind, labels, help and buckets of a metric of user code."""


class Totals:
    """All cells and distributions of one process, by name and label values in the order of the metric's labels."""

    __slots__ = ("_cells", "_declared", "_distributions", "_more", "_series")

    def __init__(self) -> None:
        self._cells: dict[tuple[str, tuple[str, ...]], Cell] = {}
        self._distributions: dict[tuple[str, tuple[str, ...]], Distribution] = {}
        self._more: list[Callable[[], Iterable[SeriesRow]]] = []
        self._declared: dict[str, Metric] = {}
        """Metrics of user code by their family: the name without `_total`."""
        self._series: Counter[str] = Counter()
        """Series of each of them, by its name."""

    def cell(self, name: str, *labels: str) -> Cell:
        """The counter or gauge of this name and these label values; made on first use."""
        key = (name, labels)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell()
        return cell

    def distribution(self, name: str, *labels: str) -> Distribution:
        """The histogram of this name and these label values, with the table's buckets; made on first use."""
        key = (name, labels)
        found = self._distributions.get(key)
        if found is None:
            metric = BY_NAME.get(name) or self._declared[name]
            found = self._distributions[key] = Distribution(metric.buckets)
        return found

    def declare(self, metric: Metric) -> Metric:
        """Count a metric of user code too; return it, or the same one that was declared before.

        Raises:
            ConfigurationError: one of that name has another kind, or other labels or buckets; or there are
                `MOST_DECLARED`.
        """
        family = metric.name.removesuffix("_total")
        known = self._declared.get(family)
        if known is None:
            if len(self._declared) >= MOST_DECLARED:
                raise ConfigurationError(f"{family} is one metric too many; {MOST_DECLARED} are the limit")
            self._declared[family] = metric
            return metric
        if known._replace(help=metric.help) != metric:
            labels = ", ".join(known.labels) or "no labels"
            raise ConfigurationError(
                f"{family} is a {known.kind} with {labels} already; a metric keeps kind, labels and buckets until the "
                "end of the node: give another name"
            )
        return known

    def admitted(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the label values under which a value of a declared metric counts.

        They are the given ones, or all `other`, where they would make a series beyond the limits; that is counted.
        """
        key = (metric.name, labels)
        if key in self._cells or key in self._distributions or not labels:
            return labels
        series = self._series
        if series[metric.name] < MOST_SERIES and series.total() < MOST_SERIES_OF_ALL:
            series[metric.name] += 1
            return labels
        self.cell("sipswarm_robot_labels_refused_total").value += 1
        return (OTHER,) * len(labels)

    def include(self, rows: Callable[[], Iterable[SeriesRow]]) -> None:
        """Have each snapshot also hold the rows of something that counts on its own, such as a media engine."""
        self._more.append(rows)

    def counted(self, name: str, labels: tuple[str, ...]) -> float:
        """The value of a counter or gauge; 0 when there is no such series."""
        cell = self._cells.get((name, labels))
        return 0.0 if cell is None else cell.value

    def cells(self, name: str) -> Iterator[Cell]:
        """Every cell of one name."""
        return (cell for (each, _), cell in self._cells.items() if each == name)

    @property
    def declared(self) -> tuple[DeclaredRow, ...]:
        """The metrics of user code, as plain tuples."""
        return tuple((each.name, each.kind, each.labels, each.help, each.buckets) for each in self._declared.values())

    def snapshot(self) -> tuple[SeriesRow, ...]:
        """Every value as plain tuples: one number for a cell; sum, then counts per bucket for a distribution."""
        rows: list[SeriesRow] = [(name, labels, (cell.value,)) for (name, labels), cell in self._cells.items()]
        rows += [(name, labels, (each.total, *each.counts)) for (name, labels), each in self._distributions.items()]
        for more in self._more:
            rows += more()
        return tuple(rows)
