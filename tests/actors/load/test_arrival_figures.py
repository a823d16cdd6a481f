"""Arrivals of a plan and calls are two figures: every planned arrival is started, dropped, lost or not due."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.config import LoadConfig
from sipswarm.actors.load.arrival_figures import ArrivalFigures, Carried
from sipswarm.actors.load.report import Ending, Report, Verdict
from sipswarm.actors.load.schedule import Plan, Profile, Share
from sipswarm.actors.load.thresholds import Threshold
from tests.actors.rows import NO_CALL, ROW

RUNS = LoadConfig("sip:echo@127.0.0.1:5070", rate=10.0, scenario="s.py:scenario")
FURTHER = ROW._replace(lateness=-1.0)
"""A further call of a run."""
NUMBER = st.integers(0, 50)


def of_runs(*rows: Any, thresholds: str = "") -> Report:
    made = Report(RUNS, thresholds=[Threshold.parse(each) for each in thresholds.split()])
    for row in rows:
        made.add(row)
    return made


def ended(attempted: int, planned: int | None, begun: int, due: int | None = None, **changes: Any) -> Ending:
    made = Ending("2026-01-01T00:00:00+00:00", 5.0, planned, attempted, 0, carried=Carried(begun, due))
    return made._replace(**changes)


@given(st.none() | NUMBER, NUMBER, NUMBER, NUMBER, st.none() | NUMBER, st.booleans())
def test_every_planned_arrival_is_in_one_figure(
    planned: int | None, started: int, held_back: int, overloaded: int, due: int | None, over: bool
) -> None:
    found = ArrivalFigures.of(planned, started, held_back, overloaded, due=due, over=over)
    parts = (found.started, found.held_back, found.overloaded, found.not_started, found.not_due)
    assert min(parts) >= 0
    assert found.planned == sum(parts) >= (planned or 0)
    assert parts[:3] == (started, held_back, overloaded)
    assert found.not_started == 0 or over


@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize(
    ("changes", "verdict", "dropped"),
    [
        ({"overloaded": 4}, Verdict.UNTRUSTWORTHY, 4 / 6),
        ({"held_back": 4}, Verdict.THRESHOLDS_FAILED, 4 / 6),
        ({}, Verdict.UNTRUSTWORTHY, 0.0),
    ],
    ids=["max-calls", "l", "not started"],
)
def test_calls_of_runs_never_stand_for_runs_that_did_not_start(
    calls: int, changes: dict[str, int], verdict: Verdict, dropped: float
) -> None:
    """Two of six runs started; with three calls each they make as many calls as runs were planned."""
    rows = [ROW, *[FURTHER] * (calls - 1)] if calls else [NO_CALL]
    made = of_runs(*rows * 2, thresholds="failed<=0 dropped<=0")
    end = ended(len(rows) * 2, 6, 2, **changes)
    result = made.judge(end)
    assert result.verdict is verdict
    assert made.figure(Threshold.parse("dropped<=0"), end) == pytest.approx(dropped)
    arrivals, figures = result.summary["arrivals"], result.summary["calls"]
    assert (arrivals["of"], arrivals["planned"], arrivals["started"], figures["attempted"]) == (
        *("runs", 6, 2),
        len(rows) * 2,
    )
    lost = {each["reason"]: each["calls"] for each in result.summary["failures"]}
    assert (
        sum(lost.values())
        == 4 - changes.get("held_back", 0)
        == figures["failed"]
        == sum(result.summary["blame"].values())
    )


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_was_due_before_the_plan_was_ended_stays_in_the_figures(interrupted: bool) -> None:
    planned = 100 if interrupted else None  # SIGUSR1 ends the plan as if that had been planned
    end = ended(5, planned, 5, 40, overloaded=30, interrupted=interrupted)
    summary = (result := of_runs(*[ROW] * 5, thresholds="answered>=1").judge(end)).summary
    assert result.verdict is (Verdict.INTERRUPTED if interrupted else Verdict.UNTRUSTWORTHY)
    arrivals = summary["arrivals"]
    assert (arrivals["dropped"], arrivals["not_started"]) == (30, 5)
    assert (arrivals["planned"], arrivals["not_due"]) == ((100, 60) if interrupted else (40, 0))
    assert {each["reason"]: each["calls"] for each in summary["failures"]} == {"overload": 30, "not_started": 5}


def test_overload_of_a_plan_without_an_end_is_not_hidden() -> None:
    assert of_runs(ROW).judge(ended(1, None, 1, overloaded=3)).verdict is Verdict.UNTRUSTWORTHY
    assert of_runs(ROW).running(ended(1, None, 1, overloaded=3))["calls"]["failed"] == 3


@pytest.mark.parametrize(
    ("rows", "end", "cut"),
    [
        ([ROW] * 2, ended(2, 2, 2, 2), False),
        ([ROW] * 2, ended(2, 2, 2, 1), False),
        ([ROW] * 2, ended(2, 3, 2, 2), True),
        ([ROW] * 2, ended(2, None, 2, 2), True),
        ([ROW], ended(2, 2, 2, 2), True),
        ([ROW] * 2, ended(2, 2, 2, 2, unclosed=1), True),
        ([ROW, ROW._replace(cause="drained")], ended(2, 2, 2, 2), True),
        ([ROW, NO_CALL._replace(failure="drained")], ended(2, 2, 2, 2), True),
    ],
    ids=["all over", "just due", "not due", "endless", "unknown", "unclosed", "hung up", "given up"],
)
def test_a_signal_cuts_short_only_what_had_not_ended_as_planned(rows: list[Any], end: Ending, cut: bool) -> None:
    result = of_runs(*rows).judge(end._replace(interrupted=True))
    assert result.verdict is (Verdict.INTERRUPTED if cut else Verdict.PASSED)


def test_rate_and_lateness_are_those_of_runs() -> None:
    made = of_runs()
    for number in range(11):
        for call in range(3):
            made.add(
                ROW._replace(
                    started=100.0 + number * 0.1 + call * 0.4,
                    ended=100.3 + number * 0.1 + call * 0.4,
                    lateness=0.02 if not call else -1.0,
                )
            )
    summary = made.judge(ended(33, 11, 11)).summary
    assert summary["rate"]["achieved"] == pytest.approx(10.0)
    assert made.tally.distributions["schedule_lateness"].count == 11
    assert made.figure(Threshold.parse("schedule_lateness.p50>0"), ended(33, 11, 11)) == pytest.approx(0.02)


def test_runs_without_a_call_are_no_live_calls() -> None:
    summary = of_runs(*[NO_CALL] * 3).judge(ended(3, 3, 3)).summary
    assert (summary["calls"]["max_concurrent"], summary["verdict"]) == (0, "passed")


@pytest.mark.parametrize("arrival", ["fixed", "poisson"])
@pytest.mark.parametrize("calls", [0, 30, 1000])
@pytest.mark.parametrize("at", [-1.0, 0.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("share", [Share(), Share(1, 3)])
def test_the_arrivals_due_until_a_time_are_those_of_the_schedule(
    arrival: str, calls: int, at: float, share: Share
) -> None:
    plan = Plan(Profile.ramp(5.0, 40.0, 3.0), arrival, calls=calls, duration=8.0).changed(15.0, 1.5)
    due = sum(1 for _, time in plan.arrivals(share) if time < at)
    assert plan.until(at).planned(share) == due
    assert replace(plan, duration=float("inf")).until(at).planned(share) == due or at > 8.0
