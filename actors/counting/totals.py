"""What one process counts: plain numbers that hot paths add to and a snapshot reads.

A `Cell` is fetched once, kept, and added to (`cell.value += 1`); a `Distribution` is an array of counts per bucket.
Values are cumulative since the start of the process. What a name means stands in `actors.counting.table`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from .table import BY_NAME


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


class Totals:
    """All cells and distributions of one process, by name and label values in the order of the metric's labels."""

    __slots__ = ("_cells", "_distributions", "_more")

    def __init__(self) -> None:
        self._cells: dict[tuple[str, tuple[str, ...]], Cell] = {}
        self._distributions: dict[tuple[str, tuple[str, ...]], Distribution] = {}
        self._more: list[Callable[[], Iterable[SeriesRow]]] = []

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
            found = self._distributions[key] = Distribution(BY_NAME[name].buckets)
        return found

    def include(self, rows: Callable[[], Iterable[SeriesRow]]) -> None:
        """Have each snapshot also hold the rows of something that counts on its own, such as a media engine."""
        self._more.append(rows)

    def cells(self, name: str) -> Iterator[Cell]:
        """Every cell of one name."""
        return (cell for (each, _), cell in self._cells.items() if each == name)

    def snapshot(self) -> tuple[SeriesRow, ...]:
        """Every value as plain tuples: one number for a cell; sum, then counts per bucket for a distribution."""
        rows: list[SeriesRow] = [(name, labels, (cell.value,)) for (name, labels), cell in self._cells.items()]
        rows += [(name, labels, (each.total, *each.counts)) for (name, labels), each in self._distributions.items()]
        for more in self._more:
            rows += more()
        return tuple(rows)
