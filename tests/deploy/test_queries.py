"""Rules and dashboard against the table of metrics: every name, label and label value that they ask for exists."""

import re
from typing import Any

import pytest

from .queries import Query, Selector, dashboard, faults, panels, rules, selectors, variables

ROWS = ["Verdict", "Calls", "Delays", "Media", "Registration", "Engine", "Nodes", "Probes"]
RECORDED = frozenset(rule.where for rule in rules() if ":" in rule.where)
QUERIES = [*rules(), *panels()]


@pytest.mark.parametrize("query", QUERIES, ids=[query.where for query in QUERIES])
def test_an_expression_names_only_metrics_labels_and_values_of_the_table(query: Query) -> None:
    found = selectors(query.expression)
    assert found, query.expression
    assert [fault for each in found for fault in faults(each, RECORDED)] == []


def test_a_variable_asks_for_a_label_that_exists() -> None:
    for series, label in variables():
        (selector,) = selectors(series)
        assert list(faults(selector._replace(grouping=frozenset({label})), RECORDED)) == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("sum(rate(sipswarm_calls_begun_total[1m]))", "there is no metric sipswarm_calls_begun_total"),
        ("sum by (codec) (sipswarm_calls_active)", "sipswarm_calls_active has no label codec"),
        ('sipswarm_calls_active{role="caller"}', "sipswarm_calls_active: role is never 'caller'"),
        ('sipswarm_calls_active{state=~"early|late"}', "sipswarm_calls_active: state is never 'late'"),
        ("sipswarm_rtp_mos", "sipswarm_rtp_mos is a histogram, so sipswarm_rtp_mos does not exist"),
        ("sipswarm_calls_active_sum", "sipswarm_calls_active is a gauge, so sipswarm_calls_active_sum does not exist"),
        ("probe_sucess == 0", "there is no metric probe_sucess"),
        ('probe_sip_phase_duration_seconds{phase="bye"}', "probe_sip_phase_duration_seconds: phase is never 'bye'"),
        ("scenario:sipswarm_calls:ratio5m > 1", "no rule makes scenario:sipswarm_calls:ratio5m"),
        ("sum by (le) (rate(sipswarm_rtp_mos_count[1m]))", "sipswarm_rtp_mos_count has no label le"),
    ],
)
def test_a_wrong_name_is_found(expression: str, complaint: str) -> None:
    assert [fault for each in selectors(expression) for fault in faults(each, RECORDED)] == [complaint]


def test_an_aggregation_belongs_to_the_metrics_behind_it() -> None:
    first, second = selectors("sum by (a, le) (rate(sipswarm_x[1m])) or sum by (b) (sipswarm_y)")
    assert first == Selector("sipswarm_x", (), frozenset({"a", "le"}))
    assert second == Selector("sipswarm_y", (), frozenset({"b"}))


@pytest.mark.parametrize("query", list(panels()), ids=[query.where for query in panels()])
def test_a_legend_shows_only_labels_that_the_aggregation_keeps(query: Query) -> None:
    kept = frozenset[str]().union(*(each.grouping for each in selectors(query.expression)))
    assert set(re.findall(r"\{\{([a-z_]+)\}\}", query.legend)) <= kept


def test_the_dashboard_can_be_provisioned() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    assert board["uid"] == "sipswarm"
    assert "id" not in board
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names == ["datasource", "job", "instance", "scenario"]
    assert [panel["title"] for panel in board["panels"] if panel["type"] == "row"] == ROWS


def test_every_panel_takes_the_chosen_data_source() -> None:
    for panel in dashboard()["panels"]:
        for each in (panel, *panel.get("targets", ())):
            assert panel["type"] == "row" or each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_two_panels_share_an_id_a_title_or_a_place() -> None:
    found: list[dict[str, Any]] = dashboard()["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    assert len({panel["title"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
