"""The report's histogram against exact order statistics."""

import math
from random import Random

import pytest

from sipswarm.actors.load.histogram import BUCKETS, HIGHEST, LOWEST, Histogram

SAMPLES = {
    "delays": [Random(1).lognormvariate(-5, 1) for _ in range(5000)],
    "mos": [Random(2).uniform(1, 4.5) for _ in range(2000)],
    "a single value": [0.02],
    "equal values": [0.25] * 100,
    "mostly nothing": [0.0] * 4 + [0.02],
    "nothing": [0.0] * 5,
    "whole powers of two": [2.0**n for n in range(-20, 17)],
}


def nearest_rank(values: list[float], percent: float) -> float:
    """The definition, on the sorted list."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("percent", [0, 1, 5, 50, 90, 99, 99.9, 100])
def test_a_percentile_is_within_half_a_percent_of_the_exact_one(values: list[float], percent: float) -> None:
    found = Histogram(values).percentile(percent)
    assert found == pytest.approx(nearest_rank(values, percent), rel=0.005)


@pytest.mark.parametrize("values", SAMPLES.values(), ids=SAMPLES)
def test_count_mean_min_and_max_are_exact(values: list[float]) -> None:
    histogram = Histogram(values)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(math.fsum(values) / len(values))
    assert (histogram.min, histogram.max) == (min(values), max(values))


def test_nothing_counted_has_no_figures() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean, empty.min, empty.max, empty.percentile(50)) == (0, None, None, None, None)


def test_merging_parts_gives_the_histogram_of_the_whole() -> None:
    values = SAMPLES["delays"]
    merged = Histogram()
    for part in (values[:1000], [], values[1000:1001], values[1001:]):
        merged.merge(Histogram(part))
    whole = Histogram(values)
    assert merged.to_tuple()[1:] == whole.to_tuple()[1:]
    assert merged.mean == pytest.approx(whole.mean)


def test_times_counts_a_value_that_often() -> None:
    histogram = Histogram()
    histogram.add(0.5, 3)
    assert histogram.to_tuple() == Histogram([0.5, 0.5, 0.5]).to_tuple()


@pytest.mark.parametrize("values", [*SAMPLES.values(), []], ids=[*SAMPLES, "nothing"])
def test_plain_numbers_bring_back_the_same_histogram(values: list[float]) -> None:
    numbers = Histogram(values).to_tuple()
    assert Histogram.from_tuple(numbers).to_tuple() == numbers


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        (-1.0, 0),
        (0.0, 0),
        (LOWEST / 2, 0),
        (LOWEST, 1),
        (math.nextafter(HIGHEST, 0), BUCKETS - 2),
        (HIGHEST, BUCKETS - 1),
        (1e9, BUCKETS - 1),
    ],
)
def test_values_outside_the_range_count_at_its_ends(value: float, bucket: int) -> None:
    assert Histogram([value]).to_tuple() == (value, value, value, bucket, 1)


def test_percentiles_stay_between_min_and_max_at_the_ends_of_the_range() -> None:
    assert Histogram([-3.0, -2.0, -1.0]).percentile(50) == -1.0
    assert Histogram([1e6, 2e6, 3e6]).percentile(50) == 1e6


@pytest.mark.parametrize(
    "numbers",
    [
        (1.0,),
        (1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0, 5.0),
        (1, 1, 1, BUCKETS, 1),
        (1, 1, 1, -1, 1),
        (1, 1, 1, 0.5, 1),
        (1, 1, 1, 3, 0),
    ],
)
def test_other_numbers_are_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_tuple(numbers)


@pytest.mark.parametrize("zeros", [5, 100])
@pytest.mark.parametrize("others", [[0.2], [1.0, 3.0], [1e-7], [1e6]])
@pytest.mark.parametrize("percent", [1, 25, 50, 60])
def test_a_percentile_among_zeros_is_zero(zeros: int, others: list[float], percent: float) -> None:
    whole = Histogram([0.0] * zeros + others)
    merged = Histogram(others)
    merged.merge(Histogram([0.0] * zeros))
    for each in (whole, merged, Histogram.from_tuple(whole.to_tuple())):
        assert each.percentile(percent) == 0.0
