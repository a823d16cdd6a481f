"""docs/metrics.md against the table of metrics, row by row."""

import re

from sipswarm.actors.counting.table import BY_NAME, METRICS, Metric

from .queries import ROOT, RULES, faults, rules, selectors

PAGE = (ROOT / "docs" / "metrics.md").read_text()
ALL, _, AFTER = PAGE.partition("## All of them")[2].partition("\n## ")


def row(metric: Metric) -> str:
    """The line of the page that a metric must have."""
    return f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '–'} | {metric.help} |"


def test_every_metric_of_the_table_has_its_row_and_no_other_metric_has_one() -> None:
    assert sorted(re.findall(r"^\| `.*$", ALL, re.MULTILINE)) == sorted(map(row, METRICS))


def test_what_is_not_there_yet_is_not_in_the_table() -> None:
    what = re.findall(r"^\| ([^|]*) \|", PAGE.partition("## Not yet")[2], re.MULTILINE)[2:]
    assert what
    missing = [name for each in what for name in re.findall(r"`(sipswarm_[a-z_]+)`", each)]
    assert [name for name in missing if name in BY_NAME] == []


def test_the_other_text_names_only_what_exists() -> None:
    recorded = frozenset(rule.where for rule in rules())
    texts = [cell for cell in re.findall(r"`([^`]+)`", AFTER.partition("## Not yet")[0]) if "sipswarm_" in cell]
    for text in texts:
        for selector in selectors(text):
            if selector.name in BY_NAME and not selector.matchers:
                continue
            assert list(faults(selector, recorded)) == [], text


def test_the_alerts_that_the_page_sends_to_exist() -> None:
    assert "`sipswarm-generator`" in PAGE
    assert "name: sipswarm-generator" in RULES.read_text()
