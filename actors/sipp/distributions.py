"""The distributions of `pause` and `sample`: their names and parameters in a scenario file.

Lengths of pauses are in milliseconds in a file, and stay so here, because `sample` has no unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .attributes import Attributes
from .markup import excerpt

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


def of_pause(attributes: Attributes) -> Distribution | None:
    """Return the distribution of a `pause`; None = it has none, so that the default pause holds.

    Files for old versions name it by an attribute of its own (`normal="true"`), or by `min` and `max` alone.
    """
    if "distribution" in attributes:
        return of(attributes)
    for name in PARAMETERS:
        if name in attributes and name not in {"fixed", "uniform"}:
            return _with(attributes, name)
    if "min" in attributes or "max" in attributes:
        return _with(attributes, "uniform")
    if "milliseconds" in attributes:
        return Distribution("fixed", (attributes.number("milliseconds"),))
    return None


def of(attributes: Attributes) -> Distribution | None:
    """Return the distribution that the attribute `distribution` names; None = a fault was noted."""
    name = attributes.needed("distribution")
    if name not in PARAMETERS:
        attributes.fault(f"{excerpt(name)} is no distribution; write one of {', '.join(PARAMETERS)}")
        return None
    return _with(attributes, name)


def _with(attributes: Attributes, name: str) -> Distribution:
    return Distribution(name, tuple(attributes.number(each) for each in PARAMETERS[name]))
