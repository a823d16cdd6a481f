"""The expressions of rules and dashboard, and which metrics and labels they name.

Reads only the PromQL that stands in deploy/: an aggregation is `sum by (…) (…)`, a matcher's value holds no quote.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sipswarm.actors.counting.table import BY_NAME
from sipswarm.actors.probe.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "sipswarm.json"

OF_PROMETHEUS = frozenset({"job", "instance"})
"""labels that every scraped series has"""
OF_PROBES = {each.name: each for each in FIGURES}
"""what /probe answers with"""

_RULE = re.compile(r" +- (record|alert): (\S+)\n((?: {8}.*\n| *#.*\n)+)")
_EXPRESSION = re.compile(r" {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)")
_NAME = re.compile(r"\b(?:[a-z]+:)?(?:sipswarm_[a-z0-9_]+|probe_[a-z0-9_]+|up\b)(?::[a-z0-9_]+)?(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


class Query(NamedTuple):
    """One expression and where it stands."""

    where: str
    expression: str
    legend: str = ""
    instant: bool = False


class Matcher(NamedTuple):
    """`label=~"value"` of a selector."""

    label: str
    operator: str
    value: str


class Selector(NamedTuple):
    """A metric as an expression names it."""

    name: str
    matchers: tuple[Matcher, ...]
    grouping: frozenset[str]
    """labels of the aggregations before it that no other metric stands between"""


def rules() -> list[Query]:
    """Every rule of rules.yml, in order."""
    found = []
    for kind, name, body in _RULE.findall(RULES.read_text()):
        match = _EXPRESSION.search(body)
        assert match is not None, f"{kind} {name} has no expression"
        found.append(Query(name, " ".join((match[1] or match[2]).split())))
    return found


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def panels() -> Iterator[Query]:
    """Every query of the dashboard, annotations included."""
    board = dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            where = f"{panel['title']} {target['refId']}"
            yield Query(where, target["expr"], target["legendFormat"], target.get("instant", False))
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield Query(annotation["name"], annotation["expr"], annotation["titleFormat"] + annotation["textFormat"])


def variables() -> list[tuple[str, str]]:
    """(series, label) of every variable that is filled by `label_values`."""
    found = []
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), ([a-z]+)\)", variable["definition"])
            assert match is not None, variable["name"]
            assert variable["query"]["query"] == variable["definition"], variable["name"]
            found.append((match[1], match[2]))
    return found


def selectors(expression: str) -> list[Selector]:
    """Every metric of an expression, with what is asked of its labels."""
    found = []
    end = 0
    for match in _NAME.finditer(expression):
        matchers = tuple(Matcher(*each) for each in _MATCHER.findall(match[1] or ""))
        grouping = ",".join(_GROUPING.findall(expression, end, match.start()))
        found.append(Selector(match[0].partition("{")[0], matchers, frozenset(re.findall(r"[a-z_]+", grouping))))
        end = match.end()
    return found


def filled_in(expression: str) -> str:
    """An expression of the dashboard with all chosen in every variable."""
    for variable, value in (("$__rate_interval", "10s"), ("$job", ".+"), ("$instance", ".+"), ("$scenario", ".+")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def faults(selector: Selector, recorded: frozenset[str]) -> Iterator[str]:
    """What the table of metrics knows better.

    recorded: names that rules make.
    """
    name, matchers, grouping = selector
    if name == "up":
        labels: frozenset[str] = frozenset()
        closed: dict[str, tuple[str, ...]] = {}
    elif ":" in name:
        labels, closed = frozenset(name.partition(":")[0].split("_")), {}
        if name not in recorded:
            yield f"no rule makes {name}"
    else:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = BY_NAME.get(name) or BY_NAME.get(base) or OF_PROBES.get(name)
        if metric is None:
            yield f"there is no metric {name}"
            return
        if (metric.kind == "histogram") != (name != metric.name):
            yield f"{metric.name} is a {metric.kind}, so {name} does not exist"
        labels = frozenset(metric.labels) | ({"le"} if name.endswith("_bucket") else frozenset())
        labels |= {"module"} if name in OF_PROBES else frozenset()  # by relabelling
        closed = dict(metric.closed)
    known = labels | OF_PROMETHEUS
    for label in sorted((grouping | {each.label for each in matchers}) - known):
        yield f"{name} has no label {label}"
    for label, operator, text in matchers:
        for value in text.split("|") if operator in ("=~", "!~") else (text,):
            if label in closed and not value.startswith("$") and value not in closed[label]:
                yield f"{name}: {label} is never {value!r}"
