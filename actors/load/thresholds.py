"""Thresholds of a load test: `answered>=0.99`, `post_dial_delay.p95<1.5`, `mos.p5>3.6`. Pure."""

import operator
import re
from collections.abc import Callable, Collection, Mapping
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
_OF_FILE: Final = re.compile(
    r"([^<>=]{1,64})\.(mean|min|max|p(?:\d{1,2}(?:\.\d{1,4})?|100))(>=|<=|==|>|<)(\d{1,12}(?:\.\d{1,12})?)", re.ASCII
)
"""Of a response time of a scenario file, whose name may have other characters."""
_RTD: Final = "rtd"


class Threshold(NamedTuple):
    """One condition on the figures of a run."""

    expression: str
    """As it was written."""
    name: str
    """Of RATIOS or DISTRIBUTIONS, or of a scenario file; see `response_time`."""
    statistic: str
    """Mean, min, max, or percentile as p95; empty for a ratio."""
    operator: str
    limit: float
    response_time: str = ""
    """Name of a response time of a scenario file, where `name` is none of the lists; empty = it is one."""

    @classmethod
    def parse(cls, text: str, *, of_file: bool = False) -> "Threshold":
        """Read a threshold.

        Args:
            text: as it was written.
            of_file: whether a name that is none of the lists is taken as that of a response time of a scenario file;
                `resolved` must follow.

        Raises:
            ConfigurationError: not of that form, or of figures that do not exist; the message lists those that do.
        """
        match = _FORM.fullmatch("".join(text.split()))
        if of_file and (match is None or match.group(1) not in (*RATIOS, *DISTRIBUTIONS)):
            found = _OF_FILE.fullmatch("".join(text.split()))
            if found is not None:
                return cls(text, found[1], found[2], found[3], float(found[4]), found[1])
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

    def resolved(self, response_times: Collection[str]) -> "Threshold":
        """Return the same with the response time that it names: `rtd1` is that of `rtd="1"`, a name is itself.

        Args:
            response_times: names of the `rtd` of the scenario file; empty = the load has none.

        Raises:
            ConfigurationError: there is none of that name; the message lists those that there are.
        """
        if not self.response_time:
            return self
        known = {"".join(each.split()): each for each in response_times}
        found = known.get(self.response_time, known.get(self.response_time.removeprefix(_RTD)))
        if found is None:
            names = ", ".join((*RATIOS, *DISTRIBUTIONS, *(f"{_RTD}{each}" for each in response_times)))
            raise ConfigurationError(f"threshold {self.expression!r}: there is no {self.name}; there are {names}")
        return self._replace(response_time=found)

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
