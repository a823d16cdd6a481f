"""Distributions: mean and variance of many draws against those of the definition; faults of parameters."""

from math import exp, inf, pi, sqrt
from random import Random
from statistics import fmean, pvariance

import pytest

from sipswarm.actors.sipp.distributions import PARAMETERS, Distribution
from sipswarm.actors.sipp.drawing import draw, fault_of

DRAWS = 20_000


@pytest.mark.parametrize(
    ("name", "parameters", "mean", "variance"),
    [
        ("fixed", (7.0,), 7.0, 0.0),
        ("uniform", (10.0, 20.0), 15.0, 100 / 12),
        ("normal", (50.0, 5.0), 50.0, 25.0),
        ("lognormal", (1.0, 0.5), exp(1.125), (exp(0.25) - 1) * exp(2.25)),
        ("exponential", (30.0,), 30.0, 900.0),
        ("weibull", (3.0, 2.0), 3 * sqrt(pi) / 2, 9 * (1 - pi / 4)),
        ("pareto", (5.0, 4.0), 5.0, 16 * 5 / (16 * 3)),
        ("gpareto", (0.1, 2.0, 10.0), 10 + 2 / 0.9, 4 / (0.81 * 0.8)),
        ("gpareto", (0.0, 2.0, 10.0), 12.0, 4.0),
        ("gamma", (3.0, 2.0), 6.0, 12.0),
        ("negbin", (0.2, 3.0), 12.0, 60.0),
        ("negbin", (0.01, 2.0), 198.0, 19_800.0),
        ("negbin", (1.0, 2.0), 0.0, 0.0),
    ],
)
def test_many_draws_have_the_mean_and_variance_of_the_definition(
    name: str, parameters: tuple[float, ...], mean: float, variance: float
) -> None:
    distribution = Distribution(name, parameters)
    assert fault_of(distribution) == ""
    random = Random(20)
    drawn = [draw(distribution, random) for _ in range(DRAWS)]
    assert fmean(drawn) == pytest.approx(mean, abs=5 * sqrt(variance / DRAWS))
    assert pvariance(drawn) == pytest.approx(variance, rel=0.15)
    random = Random(20)
    assert drawn[:5] == [draw(distribution, random) for _ in range(5)]


def test_every_distribution_has_a_row_above() -> None:
    drawn = {
        "fixed",
        "uniform",
        "normal",
        "lognormal",
        "exponential",
        "weibull",
        "pareto",
        "gpareto",
        "gamma",
        "negbin",
    }
    assert drawn == PARAMETERS.keys()


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("uniform", (2.0, 1.0), "max of uniform is below its min"),
        ("normal", (1.0, -1.0), "stdev of normal is -1"),
        ("exponential", (0.0,), "mean of exponential is 0"),
        ("weibull", (1.0, 0.0), "k of weibull is 0"),
        ("pareto", (-1.0, 1.0), "k of pareto is -1"),
        ("gpareto", (0.0, 0.0, 0.0), "scale of gpareto is 0"),
        ("gamma", (1.0, -2.0), "theta of gamma is -2"),
        ("negbin", (1.5, 1.0), "p of negbin is 1.5"),
        ("fixed", (inf,), "value of fixed is inf"),
    ],
)
def test_parameters_out_of_range_are_a_fault(name: str, parameters: tuple[float, ...], said: str) -> None:
    assert fault_of(Distribution(name, parameters)).startswith(said)
