"""Metrics of user code: counters, gauges and histograms of its own, shown at `/metrics` beside those of the node.

Each process counts its own; the node adds up those of all call workers, and what a call worker counted outlives it, as
with the metrics of the node. The names begin with `robot_`, so that none can be one of the node's. Metrics and series
are bounded in number (`counting.totals`); a value that would make a series too many counts with every label `other`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..counting.table import Kind, Metric
from ..counting.totals import Totals
from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..handle.given_text import checked_list, checked_text

PREFIX: Final = "robot_"
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper edges of a histogram whose user gives none; for seconds."""
MOST_BUCKETS: Final = 20
MOST_LABELS: Final = 5
LONGEST_NAME: Final = 60
"""Characters of a name of a metric or label."""
LONGEST_VALUE: Final = 40
"""Characters of a label value; what is longer is cut."""
LONGEST_HELP: Final = 200
MOST: Final = 1e300
"""The largest amount; further ones, infinity and what is not a number cannot be added up."""
_NAME: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
_TAKEN: Final = ("_total", "_bucket", "_sum", "_count", "_created", "_info")
"""Ends of names that Prometheus or OpenMetrics gives a meaning."""
_LABELS_TAKEN: Final = frozenset(("le", "quantile", "job", "instance", "process"))


class _OwnMetric:
    """A metric of user code, in one process."""

    __slots__ = ("_metric", "_totals")

    def __init__(self, totals: Totals, metric: Metric) -> None:
        self._totals = totals
        self._metric = totals.declare(metric)

    @property
    def name(self) -> str:
        """The name at `/metrics`."""
        return self._metric.name

    def _labels(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """Return label values in the order of the labels.

        Raises:
            ConfigurationError: the names of the labels are others.
        """
        labels = self._metric.labels
        if given.keys() != set(labels):
            wanted = f"the labels {', '.join(labels)}" if labels else "no labels"
            raise ConfigurationError(f"{self.name} has {wanted}, not {', '.join(given) or 'none'}")
        return tuple(_label_value(each, given[each]) for each in labels)

    def _counted(self, labels: Mapping[str, object]) -> float:
        return self._totals.counted(self.name, self._labels(labels))


class OwnCounter(_OwnMetric):
    """A number that only goes up. Made by `UserAgent.counter`."""

    __slots__ = ()

    def inc(self, amount: float = 1.0, /, **labels: object) -> None:
        """Add an amount that is not negative.

        Args:
            labels: the value of each label.

        Raises:
            ConfigurationError: the amount is no such number, the labels are others, or the value of one is neither text
                nor a number.
        """
        if _number("amount", amount) < 0:
            raise ConfigurationError(f"{self.name}: a counter cannot go down by {amount!r}; a gauge can")
        key = self._totals.admitted(self._metric, self._labels(labels))
        self._totals.cell(self.name, *key).value += float(amount)

    def value(self, **labels: object) -> float:
        """Return what this process has counted under these label values."""
        return self._counted(labels)


class OwnGauge(_OwnMetric):
    """A number that goes up and down; `/metrics` has the sum over the call workers. Made by `UserAgent.gauge`."""

    __slots__ = ()

    def set(self, value: float, /, **labels: object) -> None:
        """Set it.

        Args:
            labels: the value of each label.

        Raises:
            ConfigurationError: the value is no number, or the labels are others.
        """
        number = float(_number("value", value))
        key = self._totals.admitted(self._metric, self._labels(labels))
        self._totals.cell(self.name, *key).value = number

    def inc(self, amount: float = 1.0, /, **labels: object) -> None:
        """Add an amount, with the value of each of its labels; refuses what `set` does."""
        number = float(_number("amount", amount))
        key = self._totals.admitted(self._metric, self._labels(labels))
        self._totals.cell(self.name, *key).value += number

    def dec(self, amount: float = 1.0, /, **labels: object) -> None:
        """Subtract an amount, with the value of each of its labels; refuses what `set` does."""
        self.inc(-_number("amount", amount), **labels)

    def value(self, **labels: object) -> float:
        """Return the value in this process; 0 before it was set."""
        return self._counted(labels)


class OwnHistogram(_OwnMetric):
    """The distribution of observed values in buckets. Made by `UserAgent.histogram`."""

    __slots__ = ()

    def observe(self, value: float, /, **labels: object) -> None:
        """Count a value.

        Args:
            labels: the value of each label.

        Raises:
            ConfigurationError: the value is no number, or the labels are others.
        """
        number = float(_number("value", value))
        key = self._totals.admitted(self._metric, self._labels(labels))
        self._totals.distribution(self.name, *key).add(number)


def counter(totals: Totals, name: str, text: str, labels: str | Sequence[str]) -> OwnCounter:
    """Return the counter of a name; arguments as for `UserAgent.counter`."""
    shown = f"{_checked_name(name.removesuffix('_total') if isinstance(name, str) else name)}_total"
    return OwnCounter(totals, _metric(shown, "counter", text, labels))


def gauge(totals: Totals, name: str, text: str, labels: str | Sequence[str]) -> OwnGauge:
    """Return the gauge of a name; arguments as for `UserAgent.gauge`."""
    return OwnGauge(totals, _metric(_checked_name(name), "gauge", text, labels))


def histogram(
    totals: Totals, name: str, text: str, labels: str | Sequence[str], buckets: Sequence[float]
) -> OwnHistogram:
    """Return the histogram of a name; arguments as for `UserAgent.histogram`."""
    edges = tuple(float(_number("buckets", each)) for each in checked_list("buckets", buckets))
    if not 1 <= len(edges) <= MOST_BUCKETS or list(edges) != sorted(set(edges)):
        raise ConfigurationError(f"buckets {said(buckets)}: give 1 to {MOST_BUCKETS} upper edges, each above the last")
    return OwnHistogram(totals, _metric(_checked_name(name), "histogram", text, labels, edges))


def _metric(name: str, kind: Kind, text: str, labels: str | Sequence[str], buckets: tuple[float, ...] = ()) -> Metric:
    names = checked_list("labels", labels)
    for each in names:
        if not isinstance(each, str) or not _NAME.fullmatch(each) or each in _LABELS_TAKEN:
            taken = ", ".join(sorted(_LABELS_TAKEN))
            raise ConfigurationError(f"labels: {said(each)} cannot be one; write a-z, 0-9 and _, and none of {taken}")
    if len(names) > MOST_LABELS or len(set(names)) < len(names):
        raise ConfigurationError(f"labels {said(labels)}: give at most {MOST_LABELS}, each once")
    return Metric(name, kind, names, checked_text("help", text)[:LONGEST_HELP] or name, buckets)


def _checked_name(name: Any) -> str:
    """Return the name at `/metrics` of a metric without its end.

    Raises:
        ConfigurationError: it cannot be one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith(_TAKEN):
        raise ConfigurationError(
            f"name {said(name)} cannot be that of a metric; write a-z, 0-9 and _, without an end such as _count"
        )
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"


def _label_value(label: str, given: object) -> str:
    """Return the value of a label as text; ConfigurationError when it is neither text nor a number."""
    if not isinstance(given, str | int | float) or (isinstance(given, int) and abs(given) > MOST):
        raise ConfigurationError(f"the label {label} is {said(given)}, neither text nor a number")
    return str(given)[:LONGEST_VALUE]


def _number(what: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not -MOST <= given <= MOST:
        raise ConfigurationError(f"{what} {said(given)} is no number")
    return given
