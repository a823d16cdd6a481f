"""Thresholds of the response times of a scenario file: which name means which, and what they are held against."""

import json

import pytest

from sipswarm.actors.bus.messages import ScenarioCounted
from sipswarm.actors.config import LoadConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.page import page_of
from sipswarm.actors.load.report import Report, Verdict
from sipswarm.actors.load.thresholds import Threshold
from tests.actors.load.test_report import ending
from tests.actors.load.test_report_files import SCHEMA, broken
from tests.actors.rows import ROW


def resolved(text: str, *names: str) -> Threshold:
    return Threshold.parse(text, of_file=True).resolved(names)


@pytest.mark.parametrize(
    ("text", "names", "name"),
    [
        ("rtd1.p95<0.2", ("1",), "1"),
        ("rtdinvite.p99.9<=0.2", ("1", "invite"), "invite"),
        ("invite.mean<0.2", ("1", "invite"), "invite"),
        ("rtd1.max<1", ("1", "rtd1"), "rtd1"),
        ("first call.p100<0.2", ("first call",), "first call"),
        ("to.be.min>0.2", ("to.be",), "to.be"),
        ("rtdmos.p5<0.2", ("mos",), "mos"),
    ],
)
def test_a_response_time_is_named_by_rtd_and_its_name_or_by_its_name(
    text: str, names: tuple[str, ...], name: str
) -> None:
    assert resolved(text, *names).response_time == name


def test_names_of_the_lists_keep_their_meaning() -> None:
    assert resolved("mos.p5>3", "mos").response_time == ""
    assert resolved("answered>=0.99", "answered") == Threshold.parse("answered>=0.99")


@pytest.mark.parametrize(
    ("text", "names", "said"),
    [
        ("rtd2.p95<0.2", ("1", "a b"), r"there is no rtd2; there are answered.*, rtd1, rtda b$"),
        ("pdd.p95<1", (), "there is no pdd; there are answered"),
        ("rtd1<1", ("1",), "is not NAME"),
        ("rtd1.median<1", ("1",), "is not NAME"),
        ("mos.p101>3", (), "mos needs a statistic"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(text: str, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        resolved(text, *names)


def report(text: str) -> Report:
    made = Report(LoadConfig("sip:b@192.0.2.1", scenario="a.xml"), thresholds=[resolved(text, "1", "<b>")])
    made.add(ROW)
    return made


@pytest.mark.parametrize(("limit", "verdict"), [(0.3, Verdict.PASSED), (0.2, Verdict.THRESHOLDS_FAILED)])
def test_a_threshold_is_held_against_the_response_times_of_the_run(limit: float, verdict: Verdict) -> None:
    made = report(f"rtd1.max<{limit}")
    made.file_figures.add(ScenarioCounted((("1", 5.0, 0.25), ("<b>", 5.0, 9.0)), (("c", 3),), ()))
    result = made.judge(ending(1, begun=1))
    assert result.verdict is verdict
    summary = json.loads(json.dumps(result.summary))
    assert list(broken(summary, SCHEMA)) == []
    assert summary["thresholds"][0]["value"] == 0.25
    assert summary["scenario_file"]["counters"] == {"c": 3}
    page = page_of(summary, result.reasons, (), {})
    assert "<h2>Response times in ms</h2>" in page
    assert "<td>&lt;b&gt;</td>" in page


def test_a_response_time_that_never_ended_has_not_passed() -> None:
    result = report("rtd1.p95<0.2").judge(ending(1, begun=1))
    assert (result.verdict, result.reasons[0]) == (
        Verdict.THRESHOLDS_FAILED,
        "threshold rtd1.p95<0.2 failed: nothing was counted for it",
    )
