"""Percentiles from buckets 5 % wide: how far they are off, and that merging and telling lose nothing."""

import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.counting.spread import Spread

VALUES = st.lists(st.floats(0.0, 1e9), max_size=50)


def spread_of(values: list[float]) -> Spread:
    made = Spread()
    for value in values:
        made.add(value)
    return made


def figures(spread: Spread) -> tuple[object, ...]:
    percentiles = [spread.percentile(each) for each in (1, 50, 95, 100)]
    return (spread.count, spread.buckets, spread.min, spread.max, *percentiles)


def test_percentiles_are_off_by_five_percent_at_most() -> None:
    random = Random(7)
    values = sorted(random.expovariate(20.0) for _ in range(2000))
    spread = spread_of(values)
    for percent in (1, 50, 95, 99):
        assert spread.percentile(percent) == pytest.approx(values[len(values) * percent // 100 - 1], rel=0.05)
    assert (spread.min, spread.max) == (values[0], values[-1])
    assert spread.percentile(100) == pytest.approx(values[-1], rel=0.05)
    assert spread.mean == pytest.approx(sum(values) / len(values))


def test_an_empty_one_has_no_figures_and_zero_is_a_value() -> None:
    spread = Spread()
    assert spread.percentile(50) is spread.mean is None
    spread.add(0.0)
    assert spread.percentile(50) == 0.0


@given(VALUES, VALUES)
def test_merging_is_counting_all(first: list[float], second: list[float]) -> None:
    merged = spread_of(first)
    merged.merge(spread_of(second))
    whole = spread_of(first + second)
    assert figures(merged) == figures(whole)
    assert merged.total == pytest.approx(whole.total)


@given(VALUES)
def test_told_as_plain_numbers_it_is_the_same(values: list[float]) -> None:
    spread = spread_of(values)
    numbers = spread.to_tuple()
    assert all(type(each) is float for each in numbers)
    assert figures(Spread.from_tuple(numbers)) == figures(spread)


def test_whatever_the_values_there_is_a_bounded_number_of_buckets() -> None:
    random = Random(5)
    spread = spread_of([10 ** random.uniform(-30, 30) for _ in range(100_000)])
    assert spread.buckets <= 600


@pytest.mark.parametrize("others", [[0.2], [1.0, 3.0], [1e-7], [1e7]])
@pytest.mark.parametrize("percent", [1, 25, 50, 60])
def test_a_percentile_among_zeros_is_zero(others: list[float], percent: float) -> None:
    made, merged = Spread(), Spread()
    for value in [*[0.0] * 5, *others]:
        made.add(value)
    merged.merge(made)
    for each in (made, merged, Spread.from_tuple(made.to_tuple())):
        assert each.percentile(percent) == 0.0


@given(VALUES, VALUES, VALUES)
def test_packed_it_is_the_same_and_takes_further_values(
    first: list[float], second: list[float], third: list[float]
) -> None:
    packed = spread_of(first)
    packed.pack()
    assert figures(packed) == figures(spread_of(first))
    assert packed.to_tuple() == spread_of(first).to_tuple()
    for value in second:
        packed.add(value)
    packed.pack()
    other = spread_of(third)
    other.pack()
    packed.merge(other)
    assert figures(packed) == figures(spread_of(first + second + third))


def test_packed_it_takes_a_third_of_the_memory() -> None:
    random = Random(5)
    spread = spread_of([random.lognormvariate(-4.5, 1.0) for _ in range(60)])
    assert spread.buckets > 30
    tracemalloc.start()
    try:
        copies = [Spread.from_tuple(spread.to_tuple()) for _ in range(100)]
        whole, _ = tracemalloc.get_traced_memory()
        for each in copies:
            each.pack()
        packed, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert packed < 0.35 * whole
