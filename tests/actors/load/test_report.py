"""The verdict of a load test, its order, its files, and the generator's own health."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus.messages import CallFinished, Snapshot
from sipswarm.actors.cli.verdict import result_lines
from sipswarm.actors.config import LoadConfig
from sipswarm.actors.counting.table import EDGES
from sipswarm.actors.diagnosis.failure_reasons import REASONS, Blame, blame_of
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.arrival_figures import Carried
from sipswarm.actors.load.health import (
    DROPS,
    INCARNATIONS_KEPT,
    LEAST_LATE,
    LOOP_LAG,
    LOOP_LAG_LIMIT,
    SEND_LATENESS,
    SEND_LATENESS_LIMIT,
    STARTS_KEPT,
    WINDOW,
    Health,
    quantile,
)
from sipswarm.actors.load.histogram import Histogram
from sipswarm.actors.load.page import page_of
from sipswarm.actors.load.report import Ending, Report, Verdict
from sipswarm.actors.load.results import COLUMNS, Results
from sipswarm.actors.load.tally import MOST_FAILURES
from sipswarm.actors.load.thresholds import DISTRIBUTIONS, RATIOS, SHARES, Threshold
from sipswarm.actors.supervisor.node_totals import ProcessFigures
from sipswarm.media.totals import DISCARD_REASONS
from tests.actors.rows import NO_CALL, REFUSED, ROW, UNSENT

LOAD = LoadConfig("sip:echo@127.0.0.1:5070", rate=50.0, seed=3)


NO_PORT = UNSENT._replace(outcome="not_sent", cause="no_port")
BROKEN = ROW._replace(failure="scenario_error")
UNCLOSED = ROW._replace(closed="unanswered", disconnect_delay=-1.0)


def report(*rows: CallFinished, thresholds: str = "", fail_on_error: bool = False, load: LoadConfig = LOAD) -> Report:
    made = Report(load, thresholds=[Threshold.parse(each) for each in thresholds.split()], fail_on_error=fail_on_error)
    for row in rows:
        made.add(row)
    return made


def ending(attempted: int, **changes: Any) -> Ending:
    carried = Carried(changes.pop("begun", None))
    made = Ending("2026-01-01T00:00:00+00:00", 5.0, attempted, attempted, 0, carried=carried)
    return made._replace(**changes)


def beat(
    number: int,
    at: float,
    *,
    late: float = 0,
    paused: float = 0,
    total: float = 100,
    name: str = LOOP_LAG,
    drops: int = 0,
) -> Snapshot:
    """A snapshot whose histogram has counted `total` values, `late` just above their limit, `paused` above all."""
    counts = [0.0] * (len(EDGES[name]) + 1)
    counts[0], counts[-1] = total - late - paused, paused
    counts[EDGES[name].index(LOOP_LAG_LIMIT if name == LOOP_LAG else SEND_LATENESS_LIMIT) + 1] = late
    return Snapshot(number, at, 0, ((name, (), (0.0, *counts)), (DROPS, (), (float(drops),))))


# ---- verdicts


@pytest.mark.parametrize(
    ("made", "end", "verdict", "why"),
    [
        (report(ROW, ROW), ending(2), Verdict.PASSED, ""),
        (report(ROW, REFUSED), ending(2), Verdict.CALLS_FAILED, "1 missed: code"),
        (report(ROW._replace(failure="digits")), ending(1), Verdict.CALLS_FAILED, "1 missed: digits"),
        (report(ROW), ending(1, planned=3), Verdict.UNTRUSTWORTHY, "2 missed: not_started"),
        (report(ROW), ending(1, planned=3, overloaded=2), Verdict.UNTRUSTWORTHY, "raise --max-calls or --call-workers"),
        (report(ROW, thresholds="answered>=1"), ending(1, planned=3), Verdict.UNTRUSTWORTHY, "2 missed: not_started"),
        (report(), ending(0, planned=3, overloaded=3), Verdict.UNTRUSTWORTHY, "3 missed: overload"),
        (report(*[ROW] * 6), ending(6, begun=2, planned=4, overloaded=2), Verdict.UNTRUSTWORTHY, "2 missed: overload"),
        (report(*[ROW] * 6), ending(6, begun=2, planned=4), Verdict.UNTRUSTWORTHY, "2 missed: not_started"),
        (report(*[ROW] * 6), ending(6, begun=2, planned=2), Verdict.PASSED, ""),
        (report(ROW), ending(3, begun=3, planned=3), Verdict.UNTRUSTWORTHY, "2 missed: unreported"),
        (report(ROW), ending(1, planned=None, overloaded=4), Verdict.UNTRUSTWORTHY, "4 missed: overload"),
        (
            report(ROW, thresholds="answered>=1", fail_on_error=True),
            ending(1, planned=None, overloaded=4),
            *(Verdict.UNTRUSTWORTHY, "4 missed: overload"),
        ),
        (report(ROW, thresholds="answered>=1"), ending(2), Verdict.UNTRUSTWORTHY, "1 missed: unreported"),
        (report(ROW), ending(1, planned=3, held_back=2), Verdict.PASSED, "2 calls of the plan were held back"),
        (report(ROW), ending(2), Verdict.UNTRUSTWORTHY, "1 missed: unreported"),
        (report(ROW), ending(1, planned=None), Verdict.PASSED, ""),
        (report(), ending(0), Verdict.NOTHING_SENT, "no call was started"),
        (report(UNSENT, UNSENT), ending(2), Verdict.NOTHING_SENT, "no INVITE could be sent"),
        (report(ROW, UNSENT), ending(2), Verdict.CALLS_FAILED, "1 calls failed"),
        (report(ROW), ending(1, unclosed=1), Verdict.NOT_CLOSED, "1 calls were not closed"),
        (report(ROW), ending(1, interrupted=True), Verdict.INTERRUPTED, "cut short"),
        (report(ROW), ending(1, failure="call-0 died"), Verdict.INTERNAL_FAILURE, "call-0 died"),
        (report(ROW, REFUSED, thresholds="answered>=0.5"), ending(2), Verdict.PASSED, ""),
        (report(ROW, REFUSED, thresholds="answered>0.5"), ending(2), Verdict.THRESHOLDS_FAILED, "it was 0.5"),
        (report(ROW, REFUSED, thresholds="answered>=0.5", fail_on_error=True), ending(2), Verdict.CALLS_FAILED, "1 "),
        (report(REFUSED, thresholds="mos.p5>3"), ending(1), Verdict.THRESHOLDS_FAILED, "nothing was counted for it"),
        (report(*[ROW._replace(lateness=0.06)] * 3), ending(3), Verdict.UNTRUSTWORTHY, "calls started late"),
        (report(*[ROW._replace(lateness=0.06)] * 2), ending(2), Verdict.PASSED, ""),
        (
            report(ROW, NO_PORT),
            ending(2),
            Verdict.UNTRUSTWORTHY,
            "1 missed: no_port: no RTP port was free; widen",
        ),
        (report(ROW, NO_PORT, thresholds="answered>=0.3"), ending(2), Verdict.UNTRUSTWORTHY, "no RTP port"),
        (report(*[NO_PORT] * 2), ending(2), Verdict.UNTRUSTWORTHY, "2 missed: no_port"),
        (report(ROW), ending(1, deaths=("media-0 ended",)), Verdict.UNTRUSTWORTHY, "media-0 ended"),
        (report(ROW, BROKEN), ending(2), Verdict.PLAN_FAILED, "1 missed: scenario_error"),
        (report(ROW, BROKEN, thresholds="answered>=0.3"), ending(2), Verdict.PLAN_FAILED, "scenario_error"),
        (report(ROW, NO_PORT, BROKEN), ending(3), Verdict.UNTRUSTWORTHY, "no_port"),
        (report(ROW, UNCLOSED), ending(2), Verdict.NOT_CLOSED, "1 missed: bye_unanswered: our BYE was not answered"),
        (report(ROW, UNCLOSED, thresholds="answered>=1"), ending(2), Verdict.NOT_CLOSED, "bye_unanswered"),
        (report(REFUSED, UNCLOSED), ending(2), Verdict.CALLS_FAILED, "1 missed: bye_unanswered"),
        (report(ROW, REFUSED), ending(2), Verdict.CALLS_FAILED, "1 missed: code: answered 486 Busy Here"),
        (
            report(ROW, REFUSED, thresholds="answered>=1"),
            ending(2),
            Verdict.THRESHOLDS_FAILED,
            "answered 486 Busy Here",
        ),
    ],
)
def test_the_verdict_and_its_reason(made: Report, end: Ending, verdict: Verdict, why: str) -> None:
    result = made.judge(end)
    assert result.verdict is verdict
    assert result.exit_code == verdict.exit_code == result.summary["exit_code"]
    assert why in "; ".join(result.reasons)
    assert bool(result.reasons) == (verdict is not Verdict.PASSED or end.held_back > 0)


def test_the_first_verdict_that_applies_decides() -> None:
    """Everything that can go wrong at once, then one cause less each time, in the order of the exit codes."""
    made = report(*[UNSENT._replace(lateness=0.06)] * 3, thresholds="answered>=1", fail_on_error=True)
    all_wrong = ending(3, failure="broken", interrupted=True, unclosed=1)
    assert made.judge(all_wrong).exit_code == 1
    assert made.judge(all_wrong._replace(failure="")).exit_code == 105
    assert made.judge(all_wrong._replace(failure="", interrupted=False)).exit_code == 98
    rest = ending(1, unclosed=1)
    assert report(UNSENT, thresholds="answered>=1").judge(rest).exit_code == 97
    assert report(REFUSED, thresholds="answered>=1", fail_on_error=True).judge(rest).exit_code == 99
    assert report(REFUSED).judge(rest).exit_code == 1
    assert report(ROW).judge(rest).exit_code == 3
    assert report(ROW).judge(ending(1)).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "expected", "failure"),
    [
        ({}, {"expect_media": True, "expect_dtmf": "1234"}, ""),
        ({"rtp_received": 0}, {"expect_media": True}, "one_way"),
        ({"rtp_sent": 0}, {"expect_media": True}, "one_way"),
        ({"rtp_sent": 0, "rtp_received": 0}, {"expect_media": True}, "silent"),
        ({"rtp_sent": 0, "rtp_received": 0}, {}, ""),
        ({"digits_received": 0}, {"expect_dtmf": "1234"}, "digits"),
        ({"digits_missed": 1}, {"expect_dtmf": "1234"}, "digits"),
        ({"digits_wrong": 1}, {"expect_dtmf": "="}, "digits"),
        ({"digits_received": 0}, {}, ""),
        ({"failure": "loss"}, {"expect_media": True}, "loss"),
        ({"outcome": "timeout", "code": 487}, {}, "timeout"),
        ({"mos": 4.2}, {"expect_mos": 4.0}, ""),
        ({"mos": 3.9}, {"expect_mos": 4.0}, "mos"),
        ({"mos": -1.0}, {"expect_mos": 4.0}, "mos"),
        ({"mos": -1.0}, {}, ""),
        ({"outcome": "busy", "code": 486}, {"expect_code": 486}, ""),
        ({"outcome": "busy", "code": 486}, {"expect_code": 480}, "code"),
        ({"outcome": "timeout", "code": 0}, {"expect_code": 486}, "timeout"),
        ({"outcome": "timeout", "code": 408}, {}, "code"),
        ({"outcome": "timeout", "code": 408}, {"expect_code": 408}, ""),
        ({"outcome": "timeout", "code": 200}, {}, "timeout"),
    ],
)
def test_an_expectation_nobody_looked_at_is_a_failure(
    changes: dict[str, Any], expected: dict[str, Any], failure: str
) -> None:
    made = Report(LoadConfig("sip:127.0.0.1", **expected))
    assert made.add(ROW._replace(**changes)) == failure


# ---- figures


def test_shares_of_the_plan_are_over_runs_and_not_over_their_calls() -> None:
    """A scenario with three calls in each run, of ten runs of which eight were held back."""
    made = report(*[ROW] * 6, thresholds="dropped<=0.8 answered>=1")
    summary = made.judge(ending(6, begun=2, planned=10, held_back=8)).summary
    assert [each["value"] for each in summary["thresholds"]] == [0.8, 1.0]
    assert (summary["calls"]["planned"], summary["calls"]["attempted"]) == (10, 6)
    summary = made.judge(ending(6, begun=2, planned=None, held_back=1, overloaded=3)).summary
    assert (summary["calls"]["planned"], summary["blame"]["generator"]) == (6, 3)
    assert summary["failures"] == [
        {"reason": "overload", "calls": 3, "blame": "generator", "meaning": REASONS["overload"].words}
    ]


def test_runs_without_a_call_are_no_live_calls() -> None:
    assert report(NO_CALL, NO_CALL).tally.max_concurrent == 0


def test_the_summary_has_the_documented_keys_and_the_figures_of_the_calls() -> None:
    rows = [ROW._replace(started=100 + index / 50, ended=103.0, post_dial_delay=index / 1000) for index in range(100)]
    made = report(*rows, REFUSED._replace(started=102.0, ended=102.01), thresholds="answered>=0.99 mos.p5>3.6")
    figures = (ProcessFigures("call-0", 1.2, 41_000_000, 0),)
    about: dict[str, Any] = {"processes": figures, "version": "1.2", "host": "here"}
    summary = made.judge(ending(101, planned=102, held_back=1, **about)).summary
    assert json.loads(json.dumps(summary)) == summary
    assert summary["schema"] == "sipswarm.summary/1"
    began = {"started": "2026-01-01T00:00:00+00:00", "seconds": 5.0}
    words = {"rate": "50 calls/s", "arrival": "fixed", "hold": "0 s", "media": "none", "ring time": "180 s"}
    plan = {**words, "expected": "an answer"}
    run = {
        "id": "",
        "seed": 3,
        **began,
        "target": LOAD.target,
        "shard": 1,
        "shards": 1,
        "version": "1.2",
        "host": "here",
        "plan": plan,
    }
    assert summary["run"] == run
    assert summary["calls"] == {
        "planned": 102,
        "attempted": 101,
        "live": 0,
        "answered": 100,
        "completed": 100,
        "failed": 1,
        "dropped": 1,
        "not_sent": 0,
        "max_concurrent": 101,
        "outcomes": {"answered": 100, "busy": 1},
        "codes": {"200": 100, "486": 1},
    }
    assert summary["rate"] == {"target": 50.0, "achieved": pytest.approx(50.0), "all_shards": 50.0}
    assert set(summary["delays"]) == {"post_dial", "answer", "disconnect"}
    post_dial = summary["delays"]["post_dial"]
    assert set(post_dial) == {"count", "mean", "p50", "p90", "p95", "p99", "max"}
    assert post_dial["count"] == 101
    assert post_dial["p50"] == pytest.approx(0.049, abs=0.001)
    assert post_dial["max"] == 0.099
    assert summary["media"] == {
        "streams": 100,
        "rtp_sent": 10000,
        "rtp_received": 9900,
        "lost": 100,
        "rtp_discarded": 0,
        "discards": {},
        "loss_ratio_max": 0.01,
        "jitter_p95": pytest.approx(0.0004, rel=0.01),
        "mos_cqe_p5": pytest.approx(4.4, rel=0.01),
        "one_way_calls": 0,
        "rtp_due": 10000,
        "rtp_missed": 100,
        "received_ratio": 0.99,
        "received_ratio_min": 0.99,
        "media_share_min": 1.0,
        "gap_max": 0.04,
        "hold_share_mean": 0.0,
        "hold_share_max": 0.0,
        "remote_loss_max": None,
        "unreachable_share_max": None,
    }
    assert summary["dtmf"] == {"sent": 400, "received": 400, "missed": 0, "wrong": 0}
    assert set(summary["generator"]) == {
        "healthy",
        "schedule_lateness_p99",
        "send_lateness_p99",
        "loop_lag_p99",
        "udp_drops",
        "reasons",
    }
    assert summary["processes"] == [{"name": "call-0", "cpu_seconds": 1.2, "max_rss_bytes": 41_000_000, "restarts": 0}]
    assert summary["thresholds"] == [
        {"expression": "answered>=0.99", "value": pytest.approx(100 / 101), "passed": True, "so_far": False},
        {"expression": "mos.p5>3.6", "value": pytest.approx(4.4, rel=0.01), "passed": True, "so_far": False},
    ]


def test_the_figures_of_a_run_that_goes_on_have_no_verdict_and_do_not_change_it() -> None:
    made = report(ROW, REFUSED)
    made.health.observe("call-0", 1, beat(1, 0))
    made.health.begin()
    made.health.observe("call-0", 1, beat(2, 1, total=110, late=1))  # too early to say that it is more than 1 %
    running = made.running(ending(10, planned=100))
    assert (running["verdict"], running["exit_code"]) == ("running", None)
    assert (running["calls"]["planned"], running["calls"]["failed"]) == (100, 1)
    made.health.observe("call-0", 1, beat(3, 2, total=500, late=1))
    assert made.judge(ending(2)).verdict is Verdict.CALLS_FAILED


def test_a_run_without_calls_has_figures_of_none() -> None:
    summary = report().judge(ending(0)).summary
    assert summary["rate"]["achieved"] is None
    assert summary["delays"]["answer"] == {
        "count": 0,
        "mean": None,
        "p50": None,
        "p90": None,
        "p95": None,
        "p99": None,
        "max": None,
    }
    assert summary["calls"]["max_concurrent"] == 0


def test_the_most_calls_at_a_time() -> None:
    lengths = [(0, 1), (0.5, 1), (1.0, 3), (5, 1)]
    made = report(*(ROW._replace(started=10 + start, ended=10 + start + length) for start, length in lengths))
    assert made.tally.max_concurrent == 2, "the first one ends when the third begins"


@pytest.mark.parametrize(
    ("changes", "completed"),
    [
        ({}, 1),
        ({"ended_by": "remote", "disconnect_delay": -1.0}, 1),
        ({"closed": "refused"}, 0),
        ({"closed": "unanswered", "disconnect_delay": -1.0}, 0),
        ({"closed": "lost", "ended_by": "expired"}, 0),
        ({"failure": "ended_early", "ended_by": "remote"}, 0),
        ({"failure": "cut_short"}, 0),
        ({"failure": "digits"}, 1),
    ],
)
def test_a_call_is_completed_when_it_was_held_as_planned_and_its_end_confirmed(
    changes: dict[str, Any], completed: int
) -> None:
    assert report(ROW._replace(**changes)).tally.completed == completed


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("answered>0", 0.5),
        ("completed>0", 0.5),
        ("failed<1", 0.5),
        ("one_way<1", 0.0),
        ("dropped<1", 0.5),
        ("duration.min>0", 2.0),
        ("duration.max>0", 2.0),
        ("duration.mean>0", 2.0),
        ("loss.p99.9<1", 0.01),
        ("answer_delay.p50<1", 0.01),
    ],
)
def test_the_figure_of_a_threshold(expression: str, value: float) -> None:
    made = report(ROW, REFUSED)
    assert made.figure(Threshold.parse(expression), ending(2, planned=4, held_back=2)) == value
    assert report().figure(Threshold.parse(expression), ending(0)) is None


@pytest.mark.parametrize(
    "name", ["mos.p5", "loss.max", "jitter.max", "received_ratio.min", "gap.max", "media_share.min"]
)
def test_early_media_of_a_call_that_nobody_answered_says_nothing_about_quality(name: str) -> None:
    early = ROW._replace(outcome="failed", code=480, media_due=2.0, media_present=2.0, rtp_due=100, media_gap=0.02)
    made = report(early)
    assert made.figure(Threshold.parse(f"{name}<1"), ending(1)) is None
    assert made.figure(Threshold.parse("one_way<=0"), ending(1)) is None
    assert made.judge(ending(1)).summary["media"]["rtp_received"] == early.rtp_received > 0


def test_calls_without_media_are_no_calls_whose_media_went_both_ways() -> None:
    silent = ROW._replace(rtp_sent=0, rtp_received=0, rtp_due=0, media_due=0.0)
    assert report(silent).figure(Threshold.parse("one_way<=0"), ending(1)) is None
    assert report(silent, ROW).figure(Threshold.parse("one_way<=0"), ending(2)) == 0.0


def test_calls_that_were_dropped_are_a_share_of_the_plan() -> None:
    made = report(ROW)
    assert made.figure(Threshold.parse("dropped<1"), ending(1, planned=4, held_back=1)) == 0.25


@pytest.mark.parametrize(("expression", "value"), [("answered>0", 0.5), ("failed<1", 0.5), ("completed>0", 0.5)])
def test_what_the_generator_could_not_send_is_no_call_of_the_other_side(expression: str, value: float) -> None:
    made = report(ROW, REFUSED, NO_PORT, NO_PORT)
    assert made.figure(Threshold.parse(expression), ending(4)) == value
    summary = made.judge(ending(4)).summary
    assert summary["calls"]["not_sent"] == 2
    assert summary["blame"] == {"sut": 1, "generator": 2, "plan": 0}
    assert [(each["reason"], each["calls"], each["blame"]) for each in summary["failures"]] == [
        ("no_port", 2, "generator"),
        ("code", 1, "sut"),
    ]


# ---- thresholds


@pytest.mark.parametrize(
    ("text", "value", "passed"),
    [
        ("answered>=0.99", 0.99, True),
        ("answered > 0.99", 0.99, False),
        ("failed<=0", 0.0, True),
        ("one_way==0", 0.0, True),
        ("post_dial_delay.p95<1.5", 1.5, False),
        ("mos.p5>3.6", 3.7, True),
        ("jitter.max<0.02", None, False),
    ],
)
def test_a_threshold_passes_or_not(text: str, value: float | None, passed: bool) -> None:
    judged = Threshold.parse(text).judge(value)
    assert judged == (text, value, passed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("answered", "write for example answered>=0.99"),
        ("answered=>1", "is not NAME"),
        ("answered>=x", "is not NAME"),
        ("answered.p5>1", "answered is a ratio"),
        ("mos>3.6", r"mos needs a statistic.*mos\.p95>3\.6"),
        ("mos.p101>3", "needs a statistic"),
        ("mos.median>3", "needs a statistic"),
        ("pdd.p95<1", "there is no pdd; there are answered"),
        *((f"{name}>=99", f"{name} is a share from 0 to 1; write 0.99") for name in RATIOS),
        *((f"{name}.p5<5", rf"{name} is a share from 0 to 1; write 0\.05") for name in sorted(SHARES - {*RATIOS})),
    ],
)
def test_a_threshold_that_cannot_be_is_refused_with_the_fix(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Threshold.parse(text)


def test_the_document_lists_every_name_of_a_threshold_with_its_unit() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "verdict.md").read_text()
    section = page.partition("\n## Thresholds\n")[2].partition("\n## ")[0]
    ratios, distributions = section.split("These have one value per call")
    assert tuple(re.findall(r"^\| `(\w+)` \|", ratios, re.MULTILINE)) == RATIOS
    units = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", distributions, re.MULTILINE))
    assert tuple(units) == DISTRIBUTIONS
    assert {name for name, unit in units.items() if unit == "share, 0 to 1"} | {*RATIOS} == SHARES
    for name in DISTRIBUTIONS:
        for statistic in re.findall(r"`(mean|min|max|p[\d.]+)`", section):
            assert Threshold.parse(f"{name}.{statistic}>0").statistic == statistic


def test_the_precision_of_percentiles_is_that_of_the_document() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "verdict.md").read_text()
    (said,) = re.findall(r"off by ([\d.]+) % at most", page)
    worst = max(abs(Histogram((value, value, 1e5)).percentile(50) / value - 1) for value in _values())  # type: ignore[operator]
    assert 0.003 < worst <= float(said) / 100


def _values() -> Iterator[float]:
    """From 0.1 ms to 10,000 s in steps of 0.1 %."""
    value = 1e-4
    while value < 1e4:
        yield value
        value *= 1.001


# ---- the generator's health


def watched(*beats: Snapshot, name: str = "call-0") -> Health:
    health = Health()
    for number, each in enumerate(beats):
        health.observe(name, 1, each)
        if number == 0:
            health.begin()
    return health


@pytest.mark.parametrize(
    ("beats", "reason"),
    [
        ([beat(1, 0), beat(2, 1, total=200)], ""),
        ([beat(1, 0), beat(2, 1, total=200, late=1)], ""),  # 1 of 100 is not above the 99th percentile
        ([beat(1, 0), beat(2, 1, total=200, late=3)], "call-0: loop lag p99 over 10 s was above 50 ms"),
        ([beat(1, 0, late=90), beat(2, 1, total=200, late=90)], ""),  # late before the plan began
        ([beat(1, 0), beat(2, 1, total=200, drops=1)], "call-0: the kernel dropped datagrams"),
        ([beat(1, 0), beat(2, 2.5, total=20_000, paused=1)], "call-0: stood still for more than 500 ms"),
        ([beat(1, 0, paused=1), beat(2, 1, total=20_000, paused=1)], ""),  # before the plan began
        ([beat(1, 0, drops=5), beat(2, 1, total=200, drops=5)], ""),
        ([beat(1, 0), beat(2, 2.9), beat(3, 6)], "call-0: no statistics for more than 3 s"),
        (
            [beat(1, 0, name=SEND_LATENESS), beat(2, 1, name=SEND_LATENESS, total=1000, late=10)],
            "call-0: RTP send lateness p99 over 10 s was above 10 ms",
        ),
    ],
)
def test_what_makes_a_generator_unhealthy(beats: list[Snapshot], reason: str) -> None:
    figures = watched(*beats).figures(0.001)
    assert figures.healthy == (not reason)
    assert reason in "".join(figures.reasons)


def test_a_bad_stretch_of_ten_seconds_is_seen_in_a_long_good_run() -> None:
    def run(bad: int) -> Health:
        """100 values a second for 60 s, `bad` of them late between 30 s and 31 s."""
        beats = [beat(1 + at, at, total=100 * at, late=bad if at > 30 else 0) for at in range(61)]
        return watched(*beats)

    assert run(10).figures(None).healthy
    assert not run(11).figures(None).healthy


@pytest.mark.parametrize("name", [LOOP_LAG, SEND_LATENESS])
@pytest.mark.parametrize("total", [1, 2, 3, 5, 20, 50, 99, 100, 200, 300, 400, 1000])
def test_a_share_needs_three_late_samples_and_more_than_one_per_cent(name: str, total: int) -> None:
    for late in range(min(total, 12) + 1):
        health = watched(beat(1, 0, name=name, total=0), beat(2, 1, name=name, total=total, late=late))
        assert health.figures(None).healthy == (late < 3 or late <= total / 100), late
        starts = Health()
        for number in range(total):
            starts.add_start(0.0, 0.5 if number < late else 0.0)
        assert starts.figures(None).healthy == (late < 3 or late <= total / 100), late


def test_a_real_problem_of_five_packets_is_seen() -> None:
    beats = beat(1, 0, name=SEND_LATENESS, total=0), beat(2, 1, name=SEND_LATENESS, total=5, late=5)
    assert not watched(*beats).figures(None).healthy


def test_limits_hold_at_an_edge_of_the_histograms() -> None:
    for name, limit in [(LOOP_LAG, 0.05), (SEND_LATENESS, 0.01)]:
        assert limit in EDGES[name]


def test_each_process_is_judged_alone() -> None:
    health = watched(beat(1, 0), beat(2, 1, total=100_000))
    health.observe("media-0", 1, beat(1, 0))
    health.observe("media-0", 1, beat(2, 1, total=150, late=3))
    figures = health.figures(None)
    assert not figures.healthy
    assert LOOP_LAG_LIMIT < (figures.loop_lag_p99 or 0.0) <= 2 * LOOP_LAG_LIMIT
    assert "media-0" in figures.reasons[0]


def test_the_drops_of_all_processes_add_up_from_the_beginning() -> None:
    health = watched(beat(1, 0, drops=5), beat(2, 1, drops=7))
    health.observe("call-1", 1, beat(1, 0, drops=1))
    health.observe("call-1", 1, beat(2, 1, drops=2))
    assert health.figures(None).udp_drops == 3


@pytest.mark.parametrize(
    ("starts", "healthy"),
    [
        ([(second, 0.0) for second in range(100)], True),
        ([(second / 10, 0.06 if second == 500 else 0.0) for second in range(1000)], True),
        ([(second / 10, 0.06 if second in (500, 550, 599) else 0.0) for second in range(1000)], False),
        ([(second / 10, 0.06 if second in (500, 550, 600) else 0.0) for second in range(1000)], True),
        ([(0, 0.05)] * 3, True),
        ([(0, 0.051)] * 3, False),
        ([(0, 5.0)] * 2, True),
    ],
)
def test_lateness_is_judged_over_any_ten_seconds(starts: list[tuple[float, float]], healthy: bool) -> None:
    health = Health()
    for started, lateness in starts:
        health.add_start(started, lateness)
    assert health.figures(None).healthy == healthy


def test_a_window_that_is_not_over_is_not_judged_while_the_run_goes_on() -> None:
    health = watched(beat(1, 0), beat(2, 1, total=150, late=LEAST_LATE))
    for _ in range(LEAST_LATE):
        health.add_start(100.0, 0.06)
    assert health.figures(None, over=False).healthy
    assert not health.figures(None).healthy
    for second in range(100, 111):
        health.add_start(float(second), 0.0)
    assert not health.figures(None, over=False).healthy


def test_the_health_of_a_day_is_judged_with_the_memory_of_an_hour() -> None:
    health = Health()
    health.begin()
    for second in range(86_400):
        health.observe("call-0", 1, beat(second + 1, second, total=100 * second))
        health.add_start(float(second), 0.06 if second in (500, 501, 502) else 0.0)
        assert len(health._starts) <= STARTS_KEPT
        assert len(health._heartbeats["call-0", 1]) <= WINDOW + 2
    reasons = health.figures(None).reasons
    assert [each.partition(":")[0] for each in reasons] == ["calls started late"]


def test_starts_come_in_any_order_and_an_hour_late() -> None:
    health = Health()
    health.add_start(10_000.0, 0.0)
    for _ in range(LEAST_LATE):
        health.add_start(9_000.0, 0.06)
    assert not health.figures(None).healthy
    health.add_start(1_000.0, 0.0)  # counts with the oldest
    assert len(health._starts) <= STARTS_KEPT


def test_what_processes_that_are_gone_have_shown_is_kept_and_they_are_not() -> None:
    health = Health()
    health.begin()
    for incarnation in range(1, 101):
        late = 50 if incarnation == 3 else 0
        health.observe("call-0", incarnation, beat(1, incarnation))
        health.observe("call-0", incarnation, beat(2, incarnation + 0.5, total=200, late=late, drops=1))
    assert len(health._heartbeats) == len(health._first) == INCARNATIONS_KEPT
    figures = health.figures(None)
    assert figures.udp_drops == 100
    assert LOOP_LAG_LIMIT < (figures.loop_lag_p99 or 0.0) <= 2 * LOOP_LAG_LIMIT
    assert "call-0: loop lag p99 over 10 s was above 50 ms" in figures.reasons


def test_assertions_that_differ_in_each_call_are_counted_and_not_all_named() -> None:
    made = report(*[ROW._replace(failure=f"call {number} is wrong") for number in range(5000)])
    assert made.tally.failed == 5000
    assert len(made.tally.failures) == MOST_FAILURES + 1
    assert made.tally.failures["call 1 is wrong"] == 1


@pytest.mark.parametrize("reason", [*REASONS])
def test_no_number_of_texts_takes_the_blame_from_a_reason(reason: str) -> None:
    """A scenario may make a text of its own for each call; a name of the closed set is always counted by itself."""
    texts = [ROW._replace(failure=f"call {number} is wrong") for number in range(2 * MOST_FAILURES)]
    last = ROW._replace(failure=reason)
    load = LoadConfig("sip:a@b", calls=len(texts) + 3, scenario="s.py")
    made = Report(load, thresholds=[Threshold.parse("failed<=1")])
    for row in (*texts, last, last, last):
        made.add(row)
    assert made.tally.failures[reason] == 3
    assert sum(made.tally.blamed(each) for each in Blame) == made.tally.failed
    verdict = made.judge(ending(attempted=len(texts) + 3, planned=len(texts) + 3)).verdict
    blame = blame_of(reason)
    if blame is Blame.SUT:
        assert made.tally.blamed(Blame.SUT) == len(texts) + 3
        assert verdict in (Verdict.PASSED, Verdict.NOT_CLOSED)
    else:
        assert verdict is {Blame.GENERATOR: Verdict.UNTRUSTWORTHY, Blame.PLAN: Verdict.PLAN_FAILED}[blame]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 0], None),
        ([100, 0, 0], 0.99),
        ([0, 100, 0], 1.99),
        ([98, 2, 0], 1.5),
        ([0, 0, 5], 2.0),
    ],
)
def test_a_quantile_is_estimated_within_its_bucket(counts: list[float], expected: float | None) -> None:
    found = quantile(0.99, (1.0, 2.0), counts)
    assert found == (None if expected is None else pytest.approx(expected))


# ---- files


def test_calls_and_summary_are_written(tmp_path: Path) -> None:
    results = Results(tmp_path / "a" / "run")
    results.add(ROW, "", run_started=99.5)
    results.add(REFUSED._replace(call_id='a,"b"'), "code", run_started=99.5)
    assert results.flush(20)
    partial = (tmp_path / "a" / "run" / "calls.csv.partial").read_text()
    assert partial.count("\n") == 3
    assert not results.calls_path.exists()
    results.close_calls()
    results.close_calls()
    with results.calls_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert results.calls_path.read_text() == partial
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["id"], rows[0]["start"], rows[0]["mos"]) == ("c0ffee", "0.500000", "4.400000")
    assert (rows[1]["id"], rows[1]["answer_delay"], rows[1]["failure"]) == ('a,"b"', "", "code")
    for verdict in ("running", "passed"):
        results.write_summary({"verdict": verdict})
        assert json.loads(results.summary_path.read_text()) == {"verdict": verdict}
    assert results.write_last({"summary.json": "{}"}) == ""
    assert sorted(each.name for each in results.folder.iterdir()) == ["calls.csv", "summary.json"]
    assert not results.error


def test_a_run_that_never_started_leaves_nothing_behind(tmp_path: Path) -> None:
    Results(tmp_path / "new").discard()
    assert not (tmp_path / "new").exists()
    (tmp_path / "notes.txt").write_text("mine")
    results = Results(tmp_path)
    results.discard()
    results.discard()
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"--out .*file/run: .*give a folder"):
        Results(tmp_path / "file" / "run")


def test_a_shard_without_a_call_of_the_plan_has_passed_and_says_so() -> None:
    load = replace(LOAD, calls=2, shard=2, shards=3)
    made = Report(load, thresholds=(Threshold.parse("answered>=0.99"),))
    result = made.judge(ending(0, planned=0, idle=True))
    assert (result.verdict, result.reasons) == (Verdict.PASSED, ("shard 3/3 has no call of the plan",))
    assert result.summary["thresholds"] == []
    assert made.judge(ending(0, planned=0)).verdict is Verdict.NOTHING_SENT, "where the plan has no call at all"


def test_figures_of_the_rate_are_those_of_the_shard() -> None:
    made = Report(replace(LOAD, rate=10.0, shard=1, shards=2))
    for number in range(20):
        made.add(ROW._replace(started=number / 5))
    summary = made.judge(ending(20, planned=20)).summary
    assert (summary["run"]["shard"], summary["run"]["shards"]) == (2, 2)
    assert summary["rate"] == {"target": 5.0, "achieved": pytest.approx(5.0), "all_shards": 10.0}
    assert "rate: 5 calls/s of 5 (1/2 of 10)" in list(result_lines(summary))
    rows = made.timeline.finish(4.0, 20)
    page = page_of(summary, (), made.timeline.points, {}, ())
    assert "shard 2 of 2" in page
    assert "calls per second of 5 (1/2 of 10)" in page
    assert {row.target_rate for row in rows} == {5.0}


def test_what_was_discarded_and_sent_again_stands_in_summary_text_page_and_rows(tmp_path: Path) -> None:
    reasons = [0] * len(DISCARD_REASONS)
    reasons[DISCARD_REASONS.index("bad_source")], reasons[DISCARD_REASONS.index("direction")] = 10, 2
    row = ROW._replace(rtp_discards=tuple(reasons))
    again = ending(2, sent_again=(("BYE", 1), ("INVITE", 3)), received_again=(("INVITE", 2),))
    summary = report(row, row).judge(again).summary
    assert summary["media"]["rtp_discarded"] == 24
    assert summary["media"]["discards"] == {"bad_source": 20, "direction": 4}
    assert summary["signalling"] == {"retransmissions": {"sent": {"BYE": 1, "INVITE": 3}, "received": {"INVITE": 2}}}
    lines = list(result_lines(summary))
    assert "RTP packets discarded: 24: bad_source 20, direction 4" in lines
    assert "retransmissions sent: 4: BYE 1, INVITE 3" in lines
    assert "retransmissions received: 2: INVITE 2" in lines
    page = page_of(summary, (), (), {}, ())
    for words in (
        "<td>discarded: bad_source</td><td>20</td>",
        "<b>4</b><span>retransmissions sent",
        "<b>2</b><span>retransmissions received",
    ):
        assert words in page
    results = Results(tmp_path)
    results.add(row, "", 0.0)
    results.close_calls()
    with results.calls_path.open(newline="") as file:
        (written,) = csv.DictReader(file)
    assert (written["rtp_discarded"], written["discards"]) == ("12", "bad_source:10 direction:2")


def test_nothing_is_said_of_what_did_not_happen() -> None:
    summary = report(ROW).judge(ending(1)).summary
    assert summary["media"]["rtp_discarded"] == 0
    assert summary["media"]["discards"] == {}
    assert summary["signalling"] == {"retransmissions": {"sent": {}, "received": {}}}
    assert not any(
        "again" in each or "discarded" in each or "retransmissions" in each for each in result_lines(summary)
    )


def test_rtp_that_comes_after_its_call_is_discarded_and_of_no_row() -> None:
    row = ROW._replace(rtp_discards=(0, 3) + (0,) * (len(DISCARD_REASONS) - 2))
    summary = report(row).judge(ending(1, rtp_after_calls=7)).summary
    assert summary["media"]["discards"] == {DISCARD_REASONS[1]: 3, "no_stream": 7}
    assert summary["media"]["rtp_discarded"] == 10


def test_thresholds_on_zeros_are_met() -> None:
    """Nearly all calls lost nothing: their share of loss is 0 and no small number."""
    lossy = ROW._replace(rtp_missed=50)
    made = report(*[ROW._replace(rtp_missed=0)] * 4, lossy, thresholds="loss.p50<=0 loss.p80==0 gap.max<1")
    result = made.judge(ending(5))
    assert [each["value"] for each in result.summary["thresholds"]][:2] == [0.0, 0.0]
    assert result.verdict is Verdict.PASSED
