"""What a process counts: cells kept and added to, distributions by bucket, and a snapshot of plain tuples."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.bus import wire
from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.counting.table import BY_NAME
from sipswarm.actors.counting.totals import Distribution, Totals

DELAY = "sipswarm_bus_delay_seconds"


def test_a_cell_is_one_for_each_name_and_labels() -> None:
    totals = Totals()
    first = totals.cell("sipswarm_bus_dropped_total", "window")
    first.value += 2
    totals.cell("sipswarm_bus_dropped_total", "window").value += 3
    totals.cell("sipswarm_bus_dropped_total", "hwm").value += 1
    assert first.value == 5
    assert sorted(cell.value for cell in totals.cells("sipswarm_bus_dropped_total")) == [1, 5]
    assert list(totals.cells("sipswarm_calls_active")) == []


def test_an_edge_belongs_to_the_bucket_below_it() -> None:
    distribution = Distribution((1.0, 2.0, 4.0))
    for value in (0.0, 1.0, 1.5, 2.0, 4.0, 4.1, 1e9):
        distribution.add(value)
    assert distribution.counts == [2, 2, 1, 2]
    assert distribution.total == 0.0 + 1.0 + 1.5 + 2.0 + 4.0 + 4.1 + 1e9


def test_a_value_may_count_many_times() -> None:
    distribution = Distribution((1.0,))
    distribution.add(0.5, 10)
    assert distribution.counts == [10, 0]
    assert distribution.total == 5.0


@given(st.lists(st.floats(0, 1e6)))
def test_every_value_is_in_exactly_one_bucket(values: list[float]) -> None:
    distribution = Distribution((0.001, 0.1, 10.0, 1000.0))
    for value in values:
        distribution.add(value)
    edges = [float("-inf"), *distribution.edges, float("inf")]
    expected = [sum(low < value <= high for value in values) for low, high in pairwise(edges)]
    assert distribution.counts == expected


def test_a_distribution_has_the_buckets_of_the_metric_table_and_is_made_once() -> None:
    totals = Totals()
    assert totals.distribution(DELAY) is totals.distribution(DELAY)
    assert totals.distribution(DELAY).edges == tuple(BY_NAME[DELAY].buckets)


def test_a_snapshot_holds_cells_distributions_and_the_rows_of_others() -> None:
    totals = Totals()
    totals.cell("sipswarm_bus_dropped_total", "window").value += 2
    totals.distribution(DELAY).add(0.0)
    totals.include(lambda: [("other", ("x",), (7.0,))])
    buckets = len(BY_NAME[DELAY].buckets)
    rows = totals.snapshot()
    assert list(rows) == [
        ("sipswarm_bus_dropped_total", ("window",), (2,)),
        (DELAY, (), (0.0, 1, *[0] * buckets)),
        ("other", ("x",), (7.0,)),
    ]
    snapshot = Snapshot(1, 1.0, 0, rows)
    assert wire.decode(wire.encode(1, 0, 0, 1.0, [snapshot])).records == [snapshot]
