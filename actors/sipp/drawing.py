"""Random numbers for `pause` and `sample`, by the distributions of SIPp, which are those of the GNU Scientific Library.

Parameters mean what they mean there: `lambda` of weibull is its scale, `k` of pareto its exponent and `x_m` its least
value, `mean` and `stdev` of lognormal are those of the logarithm, `negbin` counts failures before the n-th success.
"""

from collections.abc import Callable, Mapping
from math import isfinite, log
from random import Random
from typing import Final

from .distributions import PARAMETERS, Distribution

_FEW: Final = 12
"""Up to such a number things are counted one by one."""


def draw(distribution: Distribution, random: Random) -> float:
    """Return one number of a distribution."""
    return float(_DRAWS[distribution.name](random, *distribution.parameters))


def fault_of(distribution: Distribution) -> str:
    """Return what is wrong with the parameters of a distribution, and what to write instead; empty = nothing is."""
    name, given = distribution.name, dict(zip(PARAMETERS[distribution.name], distribution.parameters, strict=True))
    for parameter, value in given.items():
        if not isfinite(value):
            return f"{parameter} of {name} is {value}; write a number"
        if parameter in _POSITIVE.get(name, ()) and value <= 0:
            return f"{parameter} of {name} is {value:g}; write a number above 0"
        if parameter == "stdev" and value < 0:
            return f"stdev of {name} is {value:g}; write 0 or more"
    if name == "uniform" and given["max"] < given["min"]:
        return f"max of uniform is below its min; write {given['max']:g} to {given['min']:g}"
    if name == "negbin" and given["p"] > 1:
        return f"p of negbin is {given['p']:g}; write a probability, above 0 and at most 1"
    return ""


def _generalized_pareto(random: Random, shape: float, scale: float, location: float) -> float:
    share = 1.0 - random.random()
    return location + scale * ((share**-shape - 1) / shape if shape else -log(share))


def _negative_binomial(random: Random, probability: float, successes: float) -> float:
    return float(_poisson(random, random.gammavariate(successes, 1.0) * (1 - probability) / probability))


def _poisson(random: Random, mean: float) -> int:
    """Return the number of events of a Poisson process, without counting them all (Ahrens and Dieter 1974)."""
    count = 0
    while mean > _FEW:
        step = int(mean * 7 / 8)
        time = random.gammavariate(step, 1.0)  # of the event number `step`
        if time >= mean:
            return count + _binomial(random, step - 1, mean / time)
        count += step
        mean -= time
    time = random.expovariate(1.0)
    while time < mean:
        count += 1
        time += random.expovariate(1.0)
    return count


def _binomial(random: Random, trials: int, probability: float) -> int:
    """Return the number of successes, halving the trials by their median (Relles 1972)."""
    count = 0
    while trials > _FEW:
        lower = 1 + trials // 2
        upper = trials + 1 - lower
        median = random.betavariate(lower, upper)
        if median >= probability:
            trials = lower - 1
            probability /= median
        else:
            count += lower
            trials = upper - 1
            probability = (probability - median) / (1 - median)
    return count + sum([random.random() < probability for _ in range(trials)])


_POSITIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "exponential": ("mean",),
    "weibull": ("lambda", "k"),
    "pareto": ("k", "x_m"),
    "gpareto": ("scale",),
    "gamma": ("k", "theta"),
    "negbin": ("p", "n"),
}
_DRAWS: Final[Mapping[str, Callable[..., float]]] = {
    "fixed": lambda _, value: value,
    "uniform": Random.uniform,
    "normal": Random.normalvariate,
    "lognormal": Random.lognormvariate,
    "exponential": lambda random, mean: random.expovariate(1 / mean),
    "weibull": Random.weibullvariate,
    "pareto": lambda random, k, x_m: x_m * random.paretovariate(k),
    "gpareto": _generalized_pareto,
    "gamma": Random.gammavariate,
    "negbin": _negative_binomial,
}
