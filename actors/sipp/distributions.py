"""The distributions of `pause` and `sample`: their names and parameters in a scenario file.

Lengths of pauses are in milliseconds in a file, and stay so here, because `sample` has no unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "fixed": ("value",),
    "uniform": ("min", "max"),
    "normal": ("mean", "stdev"),
    "lognormal": ("mean", "stdev"),
    "exponential": ("mean",),
    "weibull": ("lambda", "k"),
    "pareto": ("k", "x_m"),
    "gpareto": ("shape", "scale", "location"),
    "gamma": ("k", "theta"),
    "negbin": ("p", "n"),
}
"""The attributes of each distribution, by its name; all of them must be given."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution with its parameters."""

    name: str
    """A key of `PARAMETERS`."""
    parameters: tuple[float, ...]
    """In the order of `PARAMETERS`."""
