"""Thresholds of a load test: `answered>=0.99`, `post_dial_delay.p95<1.5`, `mos.p5>3.6`. Pure."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ..errors import ConfigurationError

RATIOS: Final = ("answered", "completed", "failed", "one_way", "dropped")
"""Shares from 0 to 1: of the calls attempted, `dropped` of the calls planned; `one_way` needs a call with media."""
DISTRIBUTIONS: Final = (
    "post_dial_delay",
    "answer_delay",
    "disconnect_delay",
    "schedule_lateness",
    "duration",
    "jitter",
    "loss",
    "mos",
    "received_ratio",
    "gap",
    "media_share",
    "hold_share",
    "remote_loss",
    "unreachable_share",
)
"""One value per call; delays, duration, jitter and the longest gap in seconds, shares from 0 to 1."""
SHARES: Final = frozenset(
    (*RATIOS, "loss", "received_ratio", "media_share", "hold_share", "remote_loss", "unreachable_share")
)
"""Figures that are never above 1: a limit above 1 would always hold, or never."""
OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM: Final = re.compile(r"([a-z_]{1,40})(?:\.([a-z0-9.]{1,10}))?(>=|<=|==|>|<)(\d{1,12}(?:\.\d{1,12})?)", re.ASCII)
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)", re.ASCII)


class Threshold(NamedTuple):
    """One condition on the figures of a run."""

    expression: str
    """As it was written."""
    name: str
    """Of RATIOS or DISTRIBUTIONS."""
    statistic: str
    """Mean, min, max, or percentile as p95; empty for a ratio."""
    operator: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Read a threshold.

        Raises:
            ConfigurationError: not of that form, or of figures that do not exist; the message lists those that do.
        """
        match = _FORM.fullmatch("".join(text.split()))
        if match is None:
            raise ConfigurationError(
                f"threshold {text!r} is not NAME>=NUMBER or NAME.STATISTIC<NUMBER; write for example "
                "answered>=0.99 or post_dial_delay.p95<1.5"
            )
        name, statistic, sign, limit = match.group(1), match.group(2) or "", match.group(3), float(match.group(4))
        if name in RATIOS:
            if statistic:
                raise ConfigurationError(f"threshold {text!r}: {name} is a ratio without statistics; drop .{statistic}")
        elif name in DISTRIBUTIONS:
            if statistic not in ("mean", "min", "max") and _PERCENTILE.fullmatch(statistic) is None:
                raise ConfigurationError(
                    f"threshold {text!r}: {name} needs a statistic: mean, min, max or a percentile such as p95; "
                    f"write for example {name}.p95{sign}{match.group(4)}"
                )
        else:
            known = ", ".join((*RATIOS, *DISTRIBUTIONS))
            raise ConfigurationError(f"threshold {text!r}: there is no {name}; there are {known}")
        if name in SHARES and limit > 1:
            raise ConfigurationError(f"threshold {text!r}: {name} is a share from 0 to 1; write {limit / 100:g}?")
        return cls(text, name, statistic, sign, limit)

    @property
    def percent(self) -> float | None:
        """Its percentile, 0 to 100; None for another statistic."""
        return float(self.statistic[1:]) if self.statistic.startswith("p") else None

    def judge(self, value: float | None) -> "Judged":
        """Compare a value with it; a figure that nothing was counted for has not passed."""
        return Judged(self.expression, value, value is not None and OPERATORS[self.operator](value, self.limit))


class Judged(NamedTuple):
    """A threshold and its result."""

    expression: str
    value: float | None
    """None = nothing was counted."""
    passed: bool
