"""The figures of a node over restarts, and what a scrape gets to read."""

import http.client
import json
import socket
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.counting.labels import ROLE_KINDS
from sipswarm.actors.counting.table import BY_NAME, METRICS
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.supervisor.exposition import MetricsServer, NodeCollector
from sipswarm.actors.supervisor.health import health_of
from sipswarm.actors.supervisor.node_totals import (
    FRESH,
    MAX_SCENARIOS,
    MAX_SERIES,
    NodeTotals,
    ProcessFigures,
    merged_rows,
)
from sipswarm.media.totals import MediaTotals
from tests.interop.peers import PROMTOOL, require

ATTEMPTS = "sipswarm_call_attempts_total"
ACTIVE = "sipswarm_calls_active"
UNIX = 1_800_000_000.0

Row = tuple[str, tuple[str, ...], tuple[float, ...]]


def attempts(value: float) -> Row:
    return (ATTEMPTS, ("load", "uac"), (value,))


def active(value: float) -> Row:
    return (ACTIVE, ("load", "uac", "established"), (value,))


def snapshot(number: int, *rows: Row, at: float = 0.0, live: int = 0) -> Snapshot:
    return Snapshot(number, at, live, rows)


def value(node: NodeTotals, name: str, *labels: str, now: float = 0.0) -> float | None:
    values = node.view().rows(now, UNIX + now).get((name, labels))
    return None if values is None else values[0]


def total(node: NodeTotals) -> float | None:
    return value(node, ATTEMPTS, "load", "uac")


# ---- restarts


def test_messages_of_an_old_and_a_new_incarnation_may_interleave() -> None:
    """The case that "replace when the incarnation differs" counts twice."""
    node = NodeTotals()
    seen = []
    for incarnation, number, count in [(1, 1, 10), (1, 2, 20), (2, 1, 1), (1, 3, 25), (2, 2, 3), (1, 2, 20)]:
        node.update("call-0", incarnation, snapshot(number, attempts(count)))
        seen.append(total(node))
    assert seen == [10, 20, 21, 26, 28, 28]


def test_what_an_ended_incarnation_counted_stays() -> None:
    node = NodeTotals()
    for incarnation in range(1, 9):
        node.update("call-0", incarnation, snapshot(1, attempts(10)))
        node.ended("call-0", incarnation)
        assert total(node) == 10 * incarnation


def test_a_late_snapshot_of_an_ended_incarnation_still_counts_but_not_of_a_folded_one() -> None:
    node = NodeTotals()
    for incarnation in (1, 2, 3):
        node.update("call-0", incarnation, snapshot(1, attempts(10)))
        node.ended("call-0", incarnation)
    node.update("call-0", 3, snapshot(2, attempts(12)))
    assert total(node) == 32
    node.update("call-0", 1, snapshot(2, attempts(99)))
    assert total(node) == 32


def test_counters_never_go_down_over_kills() -> None:
    node = NodeTotals()
    before = 0.0
    for incarnation in range(1, 7):
        for number in (1, 3, 2, 4):
            node.update("call-0", incarnation, snapshot(number, attempts(number)))
            now = total(node)
            assert now is not None
            assert now >= before
            before = now
        node.ended("call-0", incarnation)
        assert total(node) == before
    assert before == 6 * 4


def test_gaps_in_the_numbers_are_counted_over_incarnations() -> None:
    node = NodeTotals()
    for incarnation in (1, 2, 3, 4):
        for number in (2, 3, 6):  # 1, 4 and 5 never came
            node.update("call-0", incarnation, snapshot(number))
        node.ended("call-0", incarnation)
    assert value(node, "sipswarm_stats_snapshots_missed_total", "call-0") == 12


def test_gauges_come_from_the_newest_incarnation_only_while_its_beat_is_fresh() -> None:
    node = NodeTotals(scenarios=["load"])
    labels = ("load", "uac", "established")
    node.update("call-0", 1, snapshot(1, active(7), at=0.0, live=7))
    node.update("call-1", 1, snapshot(1, active(5), at=0.0, live=5))
    assert (value(node, ACTIVE, *labels), node.view().live()) == (12, 12)
    node.update("call-0", 2, snapshot(1, active(1), at=4.0, live=1))
    node.update("call-0", 1, snapshot(2, active(8), at=4.0, live=8))
    assert (value(node, ACTIVE, *labels, now=4.0), node.view().live()) == (6, 6)
    assert value(node, ACTIVE, *labels, now=FRESH + 1) == 1  # call-1 is silent
    node.ended("call-0", 2)
    assert value(node, ACTIVE, *labels, now=FRESH + 1) == 0


def test_liveness_is_shown_after_the_end_of_a_process() -> None:
    node = NodeTotals()
    up, beat = "sipswarm_process_up", "sipswarm_process_heartbeat_timestamp_seconds"
    node.update("media-0", 1, snapshot(1, at=2.0))
    assert value(node, up, "media-0", "media", now=3.0) == 1
    assert value(node, beat, "media-0", now=3.0) == UNIX + 2.0
    assert value(node, up, "media-0", "media", now=3.0 + FRESH) == 0
    node.ended("media-0", 1)
    assert value(node, up, "media-0", "media", now=3.0) == 0
    assert value(node, beat, "media-0", now=99.0) == UNIX + 2.0


def test_a_process_that_is_given_up_is_not_up_though_another_one_ends_its_calls() -> None:
    node = NodeTotals(prefix="load-", clock=lambda: 1.0)
    for name in ("call-0", "call-1"):
        node.started(name, 1)
        node.linked(name, 1, 1.0)
    node.ended("call-1", 1)
    node.given_up("call-1")
    node.started("call-1", 2)
    node.linked("call-1", 2, 1.0)
    node.update("call-1", 2, snapshot(1, attempts(3.0), at=1.0))
    assert node.view().up(1.0) == {"load-call-0": True, "load-call-1": False}
    assert value(node, "sipswarm_process_up", "load-call-1", "call", now=1.0) == 0
    status, body = health_of([node])
    assert (status, body["status"]) == (503, "degraded")
    assert body["processes"] == {"load-call-0": "up", "load-call-1": "given up"}


def test_a_replacement_is_up_when_it_is_linked_whatever_it_sends_before() -> None:
    node = NodeTotals()
    node.set_state("running")
    node.started("call-0", 1)
    assert node.view().up(100.0) == {"call-0": False}
    node.linked("call-0", 1, 100.0)
    assert node.view().up(100.0) == {"call-0": True}
    node.update("call-0", 1, snapshot(1, attempts(3.0), at=100.5))
    node.ended("call-0", 1)
    node.started("call-0", 2)
    node.update("call-0", 2, snapshot(1, attempts(1.0), at=101.0))
    assert node.view().up(101.0) == {"call-0": False}
    node.linked("call-0", 2, 101.2)
    assert node.view().up(101.2) == {"call-0": True}
    assert total(node) == 4.0


def test_the_report_gets_cpu_time_of_all_incarnations_and_the_most_memory() -> None:
    node = NodeTotals(prefix="load-")
    for incarnation, cpu in [(1, 2.0), (2, 0.5), (3, 0.25), (4, 1.0)]:
        for number, share in [(1, 2), (2, 1)]:
            node.update(
                "call-0",
                incarnation,
                snapshot(
                    number,
                    ("sipswarm_process_cpu_seconds_total", (), (cpu / share,)),
                    ("sipswarm_process_resident_memory_bytes", (), (40e6 * share + incarnation,)),
                ),
            )
        assert value(node, "sipswarm_process_resident_memory_bytes", "load-call-0") == 40e6 + incarnation
        node.ended("call-0", incarnation)
    assert node.view().processes() == [ProcessFigures("load-call-0", 3.75, 80_000_004, 3)]
    assert value(node, "sipswarm_process_cpu_seconds_total", "load-call-0") == 3.75


def test_live_calls_of_a_late_snapshot_of_an_ended_process_do_not_count() -> None:
    node = NodeTotals()
    node.update("call-0", 1, snapshot(1, live=3))
    node.ended("call-0", 1)
    node.update("call-0", 1, snapshot(2, attempts(2), live=3))
    assert (node.view().live(), total(node)) == (0, 2)


def test_a_counter_is_added_up_over_processes_incarnations_and_labels() -> None:
    node = NodeTotals()
    for incarnation in (1, 2, 3, 4):
        for process in ("call-0", "call-1"):
            answered: Row = (ATTEMPTS, ("", "uas"), (100.0,))
            node.update(process, incarnation, snapshot(1, attempts(2), answered))
            node.ended(process, incarnation)
    assert node.view().sum(ATTEMPTS) == 816
    assert node.view().sum(ATTEMPTS, role="uac") == 16
    assert node.view().sum(ATTEMPTS, role="uac", scenario="") == 0


def test_ending_what_was_never_heard_of_changes_nothing() -> None:
    node = NodeTotals()
    node.ended("call-0", 1)
    assert node.view().processes() == []


def test_a_view_does_not_change_any_more() -> None:
    node = NodeTotals()
    node.update("call-0", 1, snapshot(1, attempts(1)))
    view = node.view()
    node.update("call-0", 1, snapshot(2, attempts(2)))
    assert view.rows(0.0, UNIX)[ATTEMPTS, ("load", "uac")] == (1,)


def test_watchers_see_each_snapshot_that_counts_once() -> None:
    seen = []
    node = NodeTotals(watch=lambda process, incarnation, each: seen.append((process, incarnation, each.number)))
    for number in (1, 1, 3, 2):
        node.update("call-0", 1, snapshot(number))
    assert seen == [("call-0", 1, 1), ("call-0", 1, 3)]


# ---- labels


@pytest.mark.parametrize(
    ("name", "labels", "shown"),
    [
        ("sipswarm_sip_requests_total", ("received", "EXPLOIT", "udp"), ("received", "OTHER", "udp")),
        ("sipswarm_sip_responses_total", ("sent", "INVITE", "299"), ("sent", "INVITE", "other")),
        ("sipswarm_sip_responses_total", ("sent", "INVITE", "486"), ("sent", "INVITE", "486")),
        ("sipswarm_rtp_packets_total", ("sent", "g729x"), ("sent", "other")),
        ("sipswarm_bus_dropped_total", ("gone",), ("call-0", "other")),
    ],
)
def test_a_value_outside_a_closed_set_is_other(name: str, labels: tuple[str, ...], shown: tuple[str, ...]) -> None:
    node = NodeTotals()
    node.update("call-0", 1, snapshot(1, (name, labels, (3.0,))))
    assert value(node, name, *shown) == 3


def test_several_values_outside_a_closed_set_add_up() -> None:
    node = NodeTotals()
    rows: list[Row] = [("sipswarm_sip_parse_errors_total", (reason,), (2.0,)) for reason in ("a", "b", "c")]
    node.update("call-0", 1, snapshot(1, *rows))
    assert value(node, "sipswarm_sip_parse_errors_total", "other") == 6


def test_scenarios_are_capped() -> None:
    node = NodeTotals(scenarios=["load"])
    rows: list[Row] = [(ATTEMPTS, (f"scenario {n}", "uac"), (1.0,)) for n in range(MAX_SCENARIOS + 10)]
    node.update("call-0", 1, snapshot(1, *rows))
    assert value(node, ATTEMPTS, "other", "uac") == 11
    assert total(node) == 0


@pytest.mark.parametrize(
    "row",
    [
        ("sipswarm_unheard_of_total", (), (1.0,)),
        (ATTEMPTS, ("load",), (1.0,)),
        (ATTEMPTS, ("load", "uac"), (1.0, 2.0)),
        ("sipswarm_answer_delay_seconds", ("load",), (1.0, 2.0)),
        ("sipswarm_process_up", ("call",), (1.0,)),
    ],
)
def test_what_the_table_does_not_know_is_left_out_and_said_once(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    node = NodeTotals(scenarios=["load"])
    before = node.view().rows(0.0, UNIX)
    for number in (1, 2):
        node.update("call-0", 1, snapshot(number, row, at=-FRESH - 1))
    after = node.view().rows(0.0, UNIX)
    assert {key: values for key, values in after.items() if key[0] == row[0] and "call-0" not in key[1]} == {
        key: values for key, values in before.items() if key[0] == row[0]
    }
    assert len(caplog.records) == 1
    assert row[0] in caplog.text


def test_series_of_closed_sets_exist_from_the_start_with_0() -> None:
    node = NodeTotals(scenarios=["load", "answer"])
    rows = node.view().rows(0.0, UNIX)
    assert set(rows.values()) == {metric.zeros() for metric in METRICS if not metric.of_process}
    for key in [
        ("sipswarm_calls_finished_total", ("answer", "uas", "busy")),
        ("sipswarm_sip_responses_total", ("received", "INVITE", "486")),
        ("sipswarm_answer_delay_seconds", ("load",)),
        ("sipswarm_dtmf_events_total", ("sent", "rfc4733")),
    ]:
        assert key in rows
    of_process = ("sipswarm_bus_messages_total", ("call-0", "sent", "sip"))
    assert of_process not in rows
    node.update("call-0", 1, snapshot(1))
    assert of_process in node.view().rows(0.0, UNIX)


def test_a_node_of_sixteen_processes_and_four_scenarios_stays_within_the_budget_of_series() -> None:
    node = NodeTotals(scenarios=["one", "two", "three", "four"])
    names = ["supervisor", "dispatcher", *(f"call-{n}" for n in range(7)), *(f"media-{n}" for n in range(7))]
    for name in names:
        node.update(name, 1, snapshot(1))
    samples = generate_latest(NodeCollector([node]))
    lines = [line for line in samples.decode().splitlines() if not line.startswith("#")]
    assert 500 < len(lines) <= 3300  # about 3,210, as docs/metrics.md says


def test_what_a_process_had_under_way_when_it_ended_is_abandoned_and_the_sum_holds() -> None:
    records = "sipswarm_bus_records_total"
    node = NodeTotals()
    rows: list[Row] = [
        (records, ("control", "offered"), (10.0,)),
        (records, ("control", "acknowledged"), (5.0,)),
        (records, ("control", "refused"), (2.0,)),
    ]
    node.update("call-0", 1, snapshot(1, *rows))
    assert value(node, records, "control", "abandoned") == 0  # still under way
    for incarnation in range(2, 6):  # also once it is folded into the ones before
        node.ended("call-0", incarnation - 1)
        node.update("call-0", incarnation, snapshot(1))
    assert value(node, records, "control", "abandoned") == 3
    node.update("call-1", 1, snapshot(1, *rows))
    node.ended("call-1", 1)
    node.update("call-1", 1, snapshot(2, *rows[:1], (records, ("control", "acknowledged"), (10.0,))))
    assert value(node, records, "control", "abandoned") == 3
    assert value(node, records, "control", "offered") == 20


def test_a_metric_that_one_kind_of_process_counts_has_no_series_of_the_others() -> None:
    node = NodeTotals(prefix="load-")
    for name in ("supervisor", "dispatcher", "call-0", "media-0"):
        node.update(name, 1, snapshot(1))
    rows = node.view().rows(0.0, UNIX)
    for metric in METRICS:
        if metric.fed_by:
            owners = {labels[0] for name, labels in rows if name == metric.name}
            assert {owner.removeprefix("load-").partition("-")[0] for owner in owners} == set(metric.fed_by), (
                metric.name
            )
    drops = "sipswarm_queue_dropped_total"
    assert len({labels[0] for name, labels in rows if name == drops}) == 4


def test_every_row_of_the_table_is_well_formed() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("sipswarm_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert "process" not in metric.own_labels
        assert set(metric.closed) | set(metric.at_start) <= set(metric.labels)
        assert set(metric.fed_by) <= set(ROLE_KINDS)
        assert metric.of_process or not metric.fed_by
        for label, values in metric.at_start.items():
            assert set(values) <= set(metric.closed[label])


def test_every_row_of_the_media_engine_is_in_the_table_with_its_labels_and_edges() -> None:
    for name, labels, values in MediaTotals().rows():
        assert BY_NAME[name].bound(labels) == labels
        assert len(values) == BY_NAME[name].width
    totals = MediaTotals()
    for name, distribution in [
        ("sipswarm_rtp_send_lateness_seconds", totals.lateness),
        ("sipswarm_rtp_round_trip_seconds", totals.round_trip),
        ("sipswarm_rtp_jitter_seconds", totals.jitter[0]),
        ("sipswarm_rtp_loss_ratio", totals.loss_ratio[0]),
        ("sipswarm_rtp_mos", totals.mos[0]),
    ]:
        assert distribution.edges == BY_NAME[name].buckets


# ---- exposition


def filled() -> NodeTotals:
    """A node in which every metric of the table has a series with a figure."""
    totals = Totals()
    for metric in METRICS:
        if metric.name in ("sipswarm_process_up", "sipswarm_build_info"):
            continue
        labels = [(metric.closed.get(label) or ("load",))[0] for label in metric.own_labels]
        if metric.kind == "histogram":
            distribution = totals.distribution(metric.name, *labels)
            distribution.add(metric.buckets[0])
            distribution.add(metric.buckets[-1] * 2)
        elif "heartbeat" not in metric.name and "snapshots" not in metric.name:
            totals.cell(metric.name, *labels).value = 3
    node = NodeTotals(scenarios=["load"], clock=lambda: 1.0)
    node.update("call-0", 1, Snapshot(1, 1.0, 2, totals.snapshot()))
    node.set_gauge("sipswarm_build_info", "0.1", "3.11", "pure", value=1.0)
    return node


def collector() -> NodeCollector:
    return NodeCollector([filled()], clock=lambda: 1.0, unix_clock=lambda: UNIX)


def test_the_text_is_read_back_with_every_metric_and_its_figures() -> None:
    families = {family.name: family for family in text_string_to_metric_families(generate_latest(collector()).decode())}
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        assert family.samples, metric.name
    samples = {
        (sample.name, *(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples[ATTEMPTS, "uac", "load"] == 3
    assert samples["sipswarm_event_loop_lag_seconds_count", "call-0"] == 2
    assert samples["sipswarm_event_loop_lag_seconds_bucket", "0.001", "call-0"] == 1
    assert samples["sipswarm_event_loop_lag_seconds_bucket", "2.0", "call-0"] == 1
    assert samples["sipswarm_event_loop_lag_seconds_bucket", "+Inf", "call-0"] == 2
    assert samples["sipswarm_event_loop_lag_seconds_sum", "call-0"] == 4.001
    assert samples["sipswarm_process_up", "call", "call-0"] == 1
    assert samples["sipswarm_process_heartbeat_timestamp_seconds", "call-0"] == UNIX


def test_the_openmetrics_text_is_read_back_too() -> None:
    with MetricsServer("127.0.0.1", 0, [filled()]) as server:
        text = get(server, "/metrics", "application/openmetrics-text; version=1.0.0")[2]
    families = {family.name for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]  # theirs
    assert families == {metric.name.removesuffix("_total") for metric in METRICS}


def test_promtool_finds_nothing_to_say() -> None:
    done = subprocess.run(
        [require(PROMTOOL), "check", "metrics"], input=generate_latest(collector()), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_two_nodes_on_one_page_add_up_and_keep_their_processes_apart() -> None:
    nodes = [NodeTotals(prefix="answer-"), NodeTotals(prefix="load-")]
    for node in nodes:
        node.update("call-0", 1, snapshot(1, attempts(3), ("sipswarm_bus_dropped_total", ("hwm",), (1.0,))))
    rows = merged_rows([node.view() for node in nodes], 0.0, UNIX)
    expected: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {
        (ATTEMPTS, ("load", "uac")): (6,),
        ("sipswarm_bus_dropped_total", ("answer-call-0", "hwm")): (1,),
        ("sipswarm_bus_dropped_total", ("load-call-0", "hwm")): (1,),
        ("sipswarm_process_up", ("load-call-0", "call")): (1,),
    }
    assert {key: rows[key] for key in expected} == expected


# ---- HTTP


@pytest.fixture
def served() -> Iterator[tuple[NodeTotals, MetricsServer]]:
    node = NodeTotals()
    with MetricsServer("127.0.0.1", 0, [node], kept=0.0, client_timeout=5) as server:
        yield node, server


def get(server: MetricsServer, path: str, accept: str = "", host: str = "127.0.0.1") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(host, server.port, timeout=10)
    connection.request("GET", path, headers={"Accept": accept} if accept else {})
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    connection.close()
    return found


def test_a_scrape_gets_the_figures_of_now(served: tuple[NodeTotals, MetricsServer]) -> None:
    node, server = served
    for count in (1, 2):
        node.update("call-0", 1, snapshot(count, attempts(count)))
        status, content_type, text = get(server, "/metrics?x=1")
        assert (status, content_type.partition(";")[0]) == (200, "text/plain")
        assert f'\n{ATTEMPTS}{{role="uac",scenario="load"}} {count}.0\n' in text


def test_openmetrics_is_written_when_asked_for(served: tuple[NodeTotals, MetricsServer]) -> None:
    _, content_type, text = get(served[1], "/metrics", "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_the_text_is_kept_for_a_while_for_each_form() -> None:
    node = NodeTotals()
    with MetricsServer("127.0.0.1", 0, [node], kept=3600.0) as server:
        first = get(server, "/metrics")[2]
        node.update("call-0", 1, snapshot(1, attempts(1)))
        assert get(server, "/metrics")[2] == first
        escapings = ["underscores", "dots", "values", "allow-utf-8"]
        texts = [get(server, "/metrics", f"text/plain; version=1.0.0; escaping={each}")[2] for each in escapings]
        assert all('process="call-0"' in text for text in texts)
        assert get(server, "/metrics")[2] != first  # other forms have taken its place


def test_healthz_names_the_processes_without_a_heartbeat() -> None:
    node = NodeTotals(prefix="load-", clock=lambda: 10.0)
    with MetricsServer("127.0.0.1", 0, [node]) as server:
        node.update("call-0", 1, snapshot(1, at=9.0, live=3))
        status, content_type, text = get(server, "/healthz")
        assert (status, content_type) == (200, "application/json")
        assert json.loads(text) == {"status": "healthy", "live_calls": 3, "processes": {"load-call-0": "up"}}
        node.update("media-0", 1, snapshot(1, at=1.0))
        status, _, text = get(server, "/healthz")
        assert (status, json.loads(text)["status"]) == (503, "degraded")
        assert json.loads(text)["processes"] == {"load-call-0": "up", "load-media-0": "down"}


@pytest.mark.parametrize(
    ("states", "beats", "shown"),
    [
        (["running"], [9.0], (200, "healthy")),
        (["running"], [1.0], (503, "degraded")),
        (["starting"], [9.0], (503, "starting")),
        (["draining"], [9.0], (503, "draining")),
        (["draining"], [1.0], (503, "draining")),
        (["running", "running"], [9.0, 1.0], (503, "degraded")),
        (["running", "draining"], [1.0, 9.0], (503, "draining")),
        (["starting", "running"], [9.0, 1.0], (503, "starting")),
    ],
)
def test_the_worst_state_of_any_node_is_told(states: list[str], beats: list[float], shown: tuple[int, str]) -> None:
    nodes = []
    for number, (state, beat) in enumerate(zip(states, beats, strict=True)):
        node = NodeTotals(prefix=f"{number}-", clock=lambda: 10.0)
        node.update("call-0", 1, snapshot(1, at=beat))
        node.set_state(state)
        nodes.append(node)
    status, body = health_of(nodes)
    assert (status, body["status"]) == shown
    assert len(body["processes"]) == len(states)


def test_a_run_and_its_versions_are_constant_1_for_any_number_of_nodes() -> None:
    nodes = [NodeTotals(prefix="answer-"), NodeTotals(prefix="load-")]
    for node in nodes:
        node.set_gauge("sipswarm_run_info", "run", "robot.py", value=1.0)
    rows = merged_rows([node.view() for node in nodes], 0.0, UNIX)
    assert rows["sipswarm_run_info", ("run", "robot.py")] == (1.0,)


def test_any_other_path_is_not_found(served: tuple[NodeTotals, MetricsServer]) -> None:
    assert get(served[1], "/")[0] == 404


def test_an_error_while_writing_ends_that_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    broken = [True]

    def clock() -> float:
        if broken[0]:
            raise RuntimeError("no time")
        return 0.0

    node = NodeTotals(clock=clock)
    with MetricsServer("127.0.0.1", 0, [node]) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            get(server, "/healthz")
        assert "no time" in caplog.text
        broken[0] = False
        assert get(server, "/healthz")[0] == 200


def test_what_the_server_counts_is_in_the_text() -> None:
    dropped = "sipswarm_http_connections_dropped_total"
    with (
        MetricsServer("127.0.0.1", 0, [NodeTotals()], max_connections=1, client_timeout=60) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as first,
        socket.create_connection(("127.0.0.1", server.port), timeout=10),
    ):
        assert first.recv(1) == b""
        text = get(server, "/metrics")[2]
    assert f'\n{dropped}{{reason="displaced"}} 2.0\n' in text
    assert f'\n{dropped}{{reason="deadline"}} 0.0\n' in text


def test_a_client_that_never_asks_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    with (
        MetricsServer("127.0.0.1", 0, [NodeTotals()], client_timeout=0.05) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as silent,
    ):
        assert silent.recv(1) == b""
    assert not caplog.records


def test_ipv6_is_served() -> None:
    with MetricsServer("::1", 0, [NodeTotals()]) as server:
        assert server.url == f"http://[::1]:{server.port}/metrics"
        assert get(server, "/metrics", host="::1")[0] == 200


def test_a_busy_default_port_gives_way_and_a_given_one_is_an_error() -> None:
    with MetricsServer("127.0.0.1", 0, [NodeTotals()]) as first:
        with MetricsServer("127.0.0.1", first.port, [NodeTotals()], moves=True) as second:
            assert second.port > first.port
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{first.port} cannot be used: .*--metrics"):
            MetricsServer("127.0.0.1", first.port, [NodeTotals()])


# ---- metrics of user code

ORDERS = ("robot_orders_total", "counter", ("dish",), "Orders taken.", ())
WAITING = ("robot_waiting", "gauge", (), "Callers that wait.", ())
SECONDS = ("robot_seconds", "histogram", (), "Seconds until the order.", (1.0, 2.0))


def orders(count: float, dish: str = "soup") -> Row:
    return (ORDERS[0], (dish,), (count,))


def test_metrics_of_user_code_are_added_up_over_processes_and_restarts() -> None:
    node = NodeTotals()
    seen = []
    for process, incarnation, number, count in [("call-0", 1, 1, 2), ("call-1", 1, 1, 5), ("call-0", 1, 2, 3)]:
        node.update(process, incarnation, Snapshot(number, 0.0, 0, (orders(count),), (ORDERS,)))
        seen.append(value(node, ORDERS[0], "soup"))
    for incarnation in range(2, 6):  # those before are folded
        node.ended("call-0", incarnation - 1)
        node.update("call-0", incarnation, Snapshot(1, 0.0, 0, (orders(1),), (ORDERS,)))
        seen.append(value(node, ORDERS[0], "soup"))
    assert seen == [2, 7, 8, 9, 10, 11, 12]


def test_a_gauge_of_user_code_is_the_sum_of_the_processes_that_live() -> None:
    node = NodeTotals()
    for process, waiting in (("call-0", 3.0), ("call-1", 4.0)):
        node.update(process, 1, Snapshot(1, 0.0, 0, ((WAITING[0], (), (waiting,)),), (WAITING,)))
    assert value(node, WAITING[0]) == 7
    node.ended("call-0", 1)
    assert value(node, WAITING[0]) == 4
    assert value(node, WAITING[0], now=FRESH + 1) == 0


def test_metrics_of_user_code_exist_with_0_and_are_read_by_prometheus() -> None:
    node = NodeTotals(clock=lambda: 1.0)
    node.update("call-0", 1, Snapshot(1, 1.0, 0, (), (ORDERS, WAITING, SECONDS)))
    text = generate_latest(NodeCollector([node], clock=lambda: 1.0, unix_clock=lambda: UNIX)).decode()
    for line in (
        "# HELP robot_orders_total Orders taken.",
        "# TYPE robot_orders_total counter",
        "robot_waiting 0.0",
        'robot_seconds_bucket{le="+Inf"} 0.0',
    ):
        assert line in text.splitlines()
    histogram = (SECONDS[0], (), (4.5, 1.0, 0.0, 1.0))
    node.update("call-0", 1, Snapshot(2, 1.0, 0, (orders(2, 'a "dish"\n'), histogram), (ORDERS, WAITING, SECONDS)))
    text = generate_latest(NodeCollector([node], clock=lambda: 1.0, unix_clock=lambda: UNIX)).decode()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    (sample,) = families["robot_orders"].samples
    assert (sample.labels["dish"].startswith('a "dish"'), sample.value) == (True, 2.0)
    samples = {(each.name, each.labels.get("le")): each.value for each in families["robot_seconds"].samples}
    assert samples["robot_seconds_bucket", "1.0"] == samples["robot_seconds_bucket", "2.0"] == 1
    assert [samples["robot_seconds_count", None], samples["robot_seconds_sum", None]] == [2, 4.5]


def test_a_metric_that_another_process_declares_in_another_way_is_left_out_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node = NodeTotals()
    node.update("call-0", 1, Snapshot(1, 0.0, 0, (orders(2),), (ORDERS,)))
    other = (ORDERS[0], "counter", ("size",), "Orders taken.", ())
    for number in (1, 2):
        node.update("call-1", 1, Snapshot(number, 0.0, 0, (orders(5),), (other,)))
    assert value(node, ORDERS[0], "soup") == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "robot_orders_total" in caplog.text


def test_series_of_user_code_are_bounded_over_all_processes_and_the_sum_holds() -> None:
    node = NodeTotals()
    for worker in range(2):
        rows = tuple(orders(1.0, f"{worker}-{number}") for number in range(MAX_SERIES // 2 + 10))
        node.update(f"call-{worker}", 1, Snapshot(1, 0.0, 0, rows, (ORDERS,)))
    found = {labels: values for (name, labels), values in node.view().rows(0.0, UNIX).items() if name == ORDERS[0]}
    assert len(found) == MAX_SERIES + 1
    assert found[("other",)] == (20.0,)
    assert sum(values[0] for values in found.values()) == MAX_SERIES + 20
