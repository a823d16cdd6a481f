"""Metrics of user code in one process: names, labels, amounts, and the bounds of their number."""

from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.actors.agent import own_metrics
from sipswarm.actors.bus import wire
from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.counting.totals import MOST_DECLARED, MOST_SERIES, MOST_SERIES_OF_ALL, SeriesRow, Totals
from sipswarm.actors.errors import ConfigurationError

REFUSED = "sipswarm_robot_labels_refused_total"


def counter(totals: Totals, name: Any = "orders", labels: Any = ()) -> own_metrics.OwnCounter:
    return own_metrics.counter(totals, name, "Orders taken.", labels)


def rows_of(totals: Totals, name: str) -> list[SeriesRow]:
    return [row for row in totals.snapshot() if row[0] == name]


def test_a_counter_counts_by_its_labels_whatever_their_order() -> None:
    totals = Totals()
    orders = counter(totals, labels=("dish", "size"))
    orders.inc(dish="soup", size=1)
    orders.inc(2, size=1, dish="soup")
    orders.inc(0.5, dish="rice", size="large")
    assert rows_of(totals, "robot_orders_total") == [
        ("robot_orders_total", ("soup", "1"), (3.0,)),
        ("robot_orders_total", ("rice", "large"), (0.5,)),
    ]
    assert [orders.value(dish="soup", size="1"), orders.value(dish="tea", size="1")] == [3.0, 0.0]
    assert len(rows_of(totals, "robot_orders_total")) == 2  # reading makes no series


def test_a_gauge_is_set_and_goes_up_and_down() -> None:
    totals = Totals()
    waiting = own_metrics.gauge(totals, "waiting", "", "queue")
    waiting.set(7, queue="a")
    waiting.inc(queue="a")
    waiting.dec(2.5, queue="a")
    waiting.dec(queue="b")
    assert rows_of(totals, "robot_waiting") == [("robot_waiting", ("a",), (5.5,)), ("robot_waiting", ("b",), (-1.0,))]
    assert waiting.value(queue="a") == 5.5


def test_a_histogram_has_the_given_buckets() -> None:
    totals = Totals()
    seconds = own_metrics.histogram(totals, "answer_seconds", "", (), [1, 2.5])
    for each in (0.5, 1.0, 2.0, 60.0):
        seconds.observe(each)
    assert rows_of(totals, "robot_answer_seconds") == [("robot_answer_seconds", (), (63.5, 2, 1, 1))]


def test_the_same_metric_is_one_and_prefix_and_total_may_be_written() -> None:
    totals = Totals()
    for name in ("orders", "robot_orders", "orders_total", "robot_orders_total"):
        counter(totals, name).inc()
    assert rows_of(totals, "robot_orders_total") == [("robot_orders_total", (), (4.0,))]
    assert totals.declared == (("robot_orders_total", "counter", (), "Orders taken.", ()),)


def gauge_of_the_name(totals: Totals) -> object:
    return own_metrics.gauge(totals, "orders", "", ())


def histogram_of_the_name(totals: Totals) -> object:
    return own_metrics.histogram(totals, "orders", "", (), (1.0,))


@pytest.mark.parametrize(
    "again", [lambda totals: counter(totals, labels="dish"), gauge_of_the_name, histogram_of_the_name]
)
def test_another_metric_of_the_name_is_refused(again: Callable[[Totals], object]) -> None:
    totals = Totals()
    counter(totals).inc()
    with pytest.raises(ConfigurationError, match="robot_orders is a counter with no labels already"):
        again(totals)
    assert len(totals.declared) == 1


@pytest.mark.parametrize(
    "name",
    ["", "Orders", "7orders", "or-ders", "Ã¶rders", "orders_count", "orders_sum", "orders_info", "o" * 61, None, 7],
)
def test_a_name_that_cannot_be_is_refused(name: Any) -> None:
    for make in (counter, lambda totals, name: own_metrics.gauge(totals, name, "", ())):
        with pytest.raises(ConfigurationError, match="cannot be that of a metric"):
            make(Totals(), name)


def test_a_gauge_has_no_end_of_a_counter() -> None:
    with pytest.raises(ConfigurationError, match="cannot be that of a metric"):
        own_metrics.gauge(Totals(), "orders_total", "", ())


@pytest.mark.parametrize("labels", ["le", ["process"], ["a", "a"], ["Dish"], ["a", "b", "c", "d", "e", "f"], [7], b"a"])
def test_labels_that_cannot_be_are_refused(labels: Any) -> None:
    with pytest.raises(ConfigurationError, match="labels"):
        counter(Totals(), labels=labels)


@pytest.mark.parametrize("buckets", [(), (2.0, 1.0), (1.0, 1.0), ("1",), (float("inf"),), range(1, 22)])
def test_buckets_that_cannot_be_are_refused(buckets: Any) -> None:
    with pytest.raises(ConfigurationError, match="buckets"):
        own_metrics.histogram(Totals(), "seconds", "", (), buckets)


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "1", True, None, 10**400])
def test_an_amount_that_cannot_be_counted_is_refused_and_counts_nothing(amount: Any) -> None:
    totals = Totals()
    orders = counter(totals)
    with pytest.raises(ConfigurationError, match=r"amount|cannot go down"):
        orders.inc(amount)
    assert orders.value() == 0


@pytest.mark.parametrize("labels", [{}, {"dish": "soup", "size": 1}, {"dsh": "soup"}])
def test_other_labels_than_the_declared_ones_are_refused(labels: dict[str, Any]) -> None:
    orders = counter(Totals(), labels="dish")
    with pytest.raises(ConfigurationError, match="robot_orders_total has the labels dish, not"):
        orders.inc(**labels)


def test_series_beyond_the_limit_of_a_metric_count_as_other_and_are_counted() -> None:
    totals = Totals()
    callers = counter(totals, "callers", "number")
    for number in range(MOST_SERIES + 10):
        callers.inc(number=number)
    callers.inc(number=0)
    assert len(rows_of(totals, "robot_callers_total")) == MOST_SERIES + 1
    assert [callers.value(number=0), callers.value(number="other"), callers.value(number=MOST_SERIES)] == [2, 10, 0]
    assert rows_of(totals, REFUSED) == [(REFUSED, (), (10.0,))]


def test_metrics_and_all_series_are_bounded_and_the_largest_snapshot_fits_a_frame() -> None:
    totals = Totals()
    edges = [float(each) for each in range(1, own_metrics.MOST_BUCKETS + 1)]
    names = [f"{'n' * 50}_{index}" for index in range(MOST_DECLARED)]
    labels = [letter * own_metrics.LONGEST_NAME for letter in "abcde"]
    all_of_them = [own_metrics.histogram(totals, name, "h" * 500, labels, edges) for name in names]
    with pytest.raises(ConfigurationError, match="one metric too many"):
        counter(totals)
    for number in range(20):
        for each in all_of_them:
            each.observe(0.1, **dict.fromkeys(labels, f"{number}{'😀' * 100}"))
    rows = totals.snapshot()
    assert MOST_SERIES_OF_ALL < len(rows) <= MOST_SERIES_OF_ALL + MOST_DECLARED + 1
    assert rows_of(totals, REFUSED) == [(REFUSED, (), (20.0 * MOST_DECLARED - MOST_SERIES_OF_ALL,))]
    snapshot = Snapshot(1, 1.0, 0, rows, totals.declared)
    octets = wire.encode(1, 0, 0, 1.0, [snapshot])
    counts = len(rows) * (own_metrics.MOST_BUCKETS + 1) * 8  # each may become a number of nine octets
    own = 100_000  # what the process counts besides
    assert len(octets) + counts + own < wire.MAX_FRAME
    assert wire.decode(octets).records == [snapshot]


@pytest.mark.parametrize("value", [None, b"soup", ["soup"], object(), pytest.param(10**5000, id="huge")])
def test_a_label_is_text_or_a_number(value: object) -> None:
    totals = Totals()
    orders = counter(totals, labels="dish")
    with pytest.raises(ConfigurationError, match=r"the label dish is .* neither text nor a number"):
        orders.inc(dish=value)
    orders.inc(dish=True)
    orders.inc(dish=1.5)
    assert [row[1] for row in rows_of(totals, "robot_orders_total")] == [("True",), ("1.5",)]
