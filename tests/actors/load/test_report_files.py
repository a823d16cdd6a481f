"""The files of a run for people and for CI: report.html, junit.xml, timeline.csv, the schema of summary.json."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import LoadConfig
from sipswarm.actors.load.charts import HEIGHT, MOST_TIPS, WIDTH, Limit, Line, Stretch, chart, clock, nice
from sipswarm.actors.load.description import NOUNS, description_of
from sipswarm.actors.load.failures import FailedCall
from sipswarm.actors.load.junit import junit_of
from sipswarm.actors.load.page import page_of
from sipswarm.actors.load.report import Report, Verdict
from sipswarm.actors.load.results import MOST_SECONDS, Results
from sipswarm.actors.load.timeline import SETTLE, Row
from sipswarm.actors.supervisor.node_totals import ProcessFigures
from tests.actors.load.test_report import ending, report
from tests.actors.load.test_timeline import sliced
from tests.actors.rows import REFUSED, ROW

SCHEMA: dict[str, Any] = json.loads((files("sipswarm.actors.load") / "summary.schema.json").read_text())
PROCESSES = (ProcessFigures("call-0", 1.5, 41_000_000, 0),)
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def broken(value: Any, schema: dict[str, Any], path: str = "summary") -> Iterator[str]:
    """Where a value is not what the schema says; the few keywords that ours uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    unknown = schema.keys() - {"$schema", "$id", "$defs", "title", "description", "type", "const", "enum", "minimum"}
    assert unknown <= {"properties", "required", "additionalProperties", "items"}, unknown
    names = schema.get("type", [])
    wanted = [kind for name in ([names] if isinstance(names, str) else names) for kind in TYPES[name]]
    wrong = (
        bool(wanted) and (not isinstance(value, tuple(wanted)) or (isinstance(value, bool) and bool not in wanted)),
        "const" in schema and value != schema["const"],
        "enum" in schema and value not in schema["enum"],
    )
    if any(wrong) or (value is not None and "minimum" in schema and value < schema["minimum"]):
        yield f"{path} is {value!r}"
    elif isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from (f"{path} lacks {name}" for name in schema.get("required", ()) if name not in value)
        for name, each in value.items():
            if name in properties or isinstance(more, dict):
                yield from broken(each, properties.get(name, more), f"{path}.{name}")
            elif not more:
                yield f"{path} has {name}"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from broken(each, schema["items"], f"{path}[{index}]")


def written(made: Report, **changes: Any) -> dict[str, Any]:
    """summary.json as it is read back."""
    summary: dict[str, Any] = json.loads(json.dumps(made.judge(ending(2, processes=PROCESSES, **changes)).summary))
    return summary


@pytest.mark.parametrize(
    "summary",
    [
        written(report(ROW, ROW)),
        written(report(ROW, REFUSED, thresholds="answered>=0.9 mos.p5>3")),
        written(report()),
        json.loads(json.dumps(report(ROW).running(ending(2)))),
        *(written(Report(LoadConfig("sip:192.0.2.7", method=method))) for method in NOUNS),
    ],
    ids=["passed", "thresholds", "nothing", "running", *NOUNS],
)
def test_a_summary_is_what_the_schema_in_the_package_says(summary: dict[str, Any]) -> None:
    assert list(broken(summary, SCHEMA)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"schema": "other/1"}, "summary.schema is 'other/1'"),
        ({"verdict": "fine"}, "summary.verdict is 'fine'"),
        ({"exit_code": "0"}, "summary.exit_code is '0'"),
        ({"more": 1}, "summary has more"),
        ({"dtmf": {"sent": -1, "received": 0, "missed": 0, "wrong": True}}, "summary.dtmf.sent is -1"),
        ({"dtmf": {"sent": 1, "received": 0, "wrong": 0}}, "summary.dtmf lacks missed"),
    ],
)
def test_the_schema_refuses_what_is_not_a_summary(changes: dict[str, Any], found: str) -> None:
    assert found in list(broken({**written(report(ROW)), **changes}, SCHEMA))


def test_the_schema_knows_every_verdict() -> None:
    assert {each.text for each in Verdict} | {"running"} == set(SCHEMA["properties"]["verdict"]["enum"])


class Page(HTMLParser):
    """What a page loads, where it links to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str | None] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links += [value for name, value in attributes if name == "href"]
            return
        self.loads += [f"{tag} {name}" for name, _ in attributes if name in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


FAILED = (
    FailedCall("failures/0123456789abcdef", "id-1@<host>", "code", "busy", 486, 1.25),
    FailedCall("failures/fedcba9876543210", "id-2", "<len(digits) == 4>", "transport_error", 0, 2.5),
)


def page(made: Report, calls: Sequence[FailedCall] = ()) -> tuple[str, Page]:
    result = made.judge(ending(made.tally.rows, processes=PROCESSES))
    failures = dict(made.tally.failures)
    made.timeline.finish(30.0, made.tally.rows)
    text = page_of(result.summary, result.reasons, made.timeline.points, failures, calls, made.timeline.first_failure)
    return text, Page(text)


def test_the_report_needs_no_network_and_shows_verdict_thresholds_and_charts() -> None:
    made = report(thresholds="answered>=0.9")
    made.timeline.begun = 100.0
    for second in range(30):
        made.timeline.add_slice(sliced(second, 1, 1, 0.004))
        made.add(ROW._replace(started=100.0 + second, ended=100.9 + second))
    made.add(REFUSED._replace(started=101.0))
    text, shown = page(made)
    assert shown.loads == []
    assert not re.search(r"https?://|url\(|@import|<script", text)
    assert shown.tags.count("figure") == text.count('role="img"') == 6
    assert "refresh" not in text
    for word in ("passed", "exit code 0", "answered>=0.9", "Rate", "Live calls", "Post-dial delay", "RTP loss", "MOS"):
        assert word in shown.text, word
    assert "call-0" in shown.text
    assert 'name="viewport"' in text


def test_what_a_peer_or_a_scenario_wrote_cannot_become_markup() -> None:
    made = report(ROW._replace(failure="<script>alert(1)</script>", outcome="<b>"))
    text, shown = page(made)
    assert "script" not in shown.tags
    assert "&lt;script&gt;" in text


def test_the_report_links_to_the_folder_of_each_failed_call() -> None:
    text, shown = page(report(ROW, REFUSED), FAILED)
    assert shown.links == [f"{each.folder}/{file}" for each in FAILED for file in ("ladder.txt", "sip.pcap")]
    assert shown.loads == []
    for word in ("0123456789abcdef", "486", "1.250", "transport error", "<len(digits) == 4>"):
        assert word in shown.text, word
    assert "&lt;len(digits)" in text
    assert page(report(ROW, REFUSED))[1].links == []


def test_a_run_without_calls_has_a_report_too() -> None:
    _, shown = page(report())
    assert "No call was started." in shown.text
    assert "Is the target right" in shown.text
    assert "svg" not in shown.tags


# ---- while the run goes on


def running_page(made: Report, **changes: Any) -> tuple[str, Page]:
    """The page 10 s after the start of a run that goes on."""
    at = ending(100, processes=PROCESSES, started="2026-01-01T23:59:55+00:00", seconds=10.0, **changes)
    made.timeline.closed(made.timeline.begun + 10.0)
    text = page_of(made.running(at), (), made.timeline.points, dict(made.tally.failures))
    return text, Page(text)


def live_calls(calls: int, *rows: CallFinished, thresholds: str = "") -> Report:
    """A run that has started and answered so many calls, 10 a second, of which some have ended."""
    made = report(thresholds=thresholds)
    made.timeline.begun = 100.0
    for index in range(calls // 10):
        made.timeline.add_slice(sliced(index, 10, 10, 0.004))
    for row in rows:
        made.add(row)
    return made


def test_a_running_page_says_of_when_it_is_and_loads_itself_anew() -> None:
    text, shown = running_page(live_calls(50))
    assert '<meta http-equiv="refresh" content="10">' in text
    assert "running, as of 00:00:05 UTC" in shown.text
    assert not re.search(r"https?://|url\(|@import|<script", text)


def test_a_running_page_has_the_calls_that_are_live_and_none_that_failed() -> None:
    text, shown = running_page(live_calls(50, thresholds="answered>=0.99 completed>=0.9 post_dial_delay.p95<1"))
    assert "<b>50</b><span>live now" in text
    assert "<b>50</b><span>answered" in text
    assert "started: 0 to 10" in text
    assert "live: 10 to 50" in text
    assert shown.text.count("met so far") == 2
    assert shown.text.count("nothing counted so far") == 1
    assert "failed" not in [each for each, _ in re.findall(r'<span class="(\w+)">(\w+)</span>', text)]
    assert 'class="bad"' not in text


@pytest.mark.parametrize(
    ("expression", "passed", "value"),
    [
        ("answered>=0.99", True, 1.0),
        ("answered>=0.9", True, 1.0),
        ("completed>=0.9", False, 0.5),
        ("failed<=0.1", False, 0.5),
        ("dropped<=0", True, 0.0),
        ("post_dial_delay.max<0.01", True, 0.004),
        ("answer_delay.p50<0.001", False, 0.004),
        ("mos.p5>4", True, 4.4),
    ],
)
def test_a_threshold_so_far_is_over_the_calls_that_have_an_outcome(expression: str, passed: bool, value: float) -> None:
    made = live_calls(50, ROW, ROW._replace(closed="unanswered"), thresholds=expression)
    (judged,) = made.running(ending(60, planned=1000))["thresholds"]
    assert judged == {"expression": expression, "value": pytest.approx(value), "passed": passed, "so_far": True}
    assert made.judge(ending(60)).summary["thresholds"][0]["so_far"] is False


def test_a_refused_call_counts_in_a_threshold_so_far_at_once() -> None:
    made = live_calls(50, *[REFUSED] * 50, thresholds="answered>=0.99")
    (judged,) = made.running(ending(100))["thresholds"]
    assert (judged["value"], judged["passed"]) == (0.5, False)
    text, shown = running_page(made)
    assert "not met so far" in shown.text
    assert 'class="bad"' not in text.partition("<h2>Over time")[0].partition("<h2>Thresholds")[2]


def test_a_page_before_the_first_second_is_over_says_so() -> None:
    made = report()
    made.timeline.begun = 100.0
    text = page_of(made.running(ending(0, planned=10)), (), made.timeline.points, {})
    assert "No call has started yet." in text


def test_the_page_says_what_was_run_and_the_final_answers() -> None:
    load = LoadConfig(
        "sip:a@b",
        rate=40.0,
        profile=((5.0, 40.0, 5.0), (40.0, 40.0, 0.0)),
        duration=8.0,
        dtmf="12?4",
        expect_dtmf="=",
        media="tone:440",
    )
    made = report(ROW, REFUSED, load=load)
    _, shown = page(made)
    words = " ".join(shown.text.split())
    for fact in (
        "rate 5 to 40 calls/s for 5 s, then 40 calls/s",
        "duration 8 s",
        "digits **?*",
        "media tone:440",
        "the digits that were sent",
        "200 1 486 1",
    ):
        assert fact in words, fact
    assert "12?4" not in words


def test_the_page_of_a_generator_that_was_too_slow_says_what_that_means() -> None:
    _, shown = page(report(*[ROW._replace(lateness=0.2)] * 3))
    assert "say nothing about the system under test" in " ".join(shown.text.split())


def test_media_figures_have_units() -> None:
    words = " ".join(page(report(ROW))[1].text.split())
    assert "jitter p95 in ms 0.40" in words
    assert "loss max in % 1" in words


# ---- charts


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (1.0, 1.0), (1.1, 2.0), (2.2, 2.5), (30.0, 50.0), (0.0071, 0.01), (100.0, 100.0)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice(value) == pytest.approx(top)


def seconds(number: int) -> list[Stretch]:
    return [Stretch(each, 1) for each in range(number)]


def test_a_line_stays_within_its_chart_and_has_gaps() -> None:
    values: list[float | None] = [1.0] * 500
    values[123] = 99.0
    values[200:210] = [None] * 10
    drawn = chart("Rate", "calls/s", seconds(500), (Line("started", values, "blue"),))
    paths = re.findall(r'class="line [^>]* d="([^"]*)"', drawn.partition("role=")[2])
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", paths[0])]
    assert len(points) == 490
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert paths[0].count("M") == 2
    assert min(y for _, y in points) < HEIGHT / 4
    assert "started: 1 to 99" in drawn


def test_a_single_point_is_a_dot_that_can_be_seen() -> None:
    drawn = chart("x", "y", seconds(3), (Line("a", [None, 2.0, None], "blue"),))
    assert re.search(r'class="line dot" [^>]* d="M\S+ \S+h.01"', drawn)


def test_a_point_of_several_seconds_stands_in_their_middle() -> None:
    drawn = chart("x", "y", [Stretch(0, 4), Stretch(4, 4)], (Line("a", [1.0, 1.0], "blue"),))
    (path,) = re.findall(r'class="line solid" [^>]* d="([^"]*)"', drawn.partition("role=")[2])
    xs = [float(x) for x in re.findall(r"[ML]([\d.]+) ", path)]
    assert xs == pytest.approx([44 + 306 / 4, 44 + 306 * 3 / 4], abs=0.1)


def test_lines_that_lie_upon_each_other_differ_in_more_than_colour() -> None:
    made = report()
    made.timeline.begun = 100.0
    for second in range(5):
        made.timeline.add_slice(sliced(second, 1, 1, 0.004))
        made.add(ROW._replace(started=100.0 + second, ended=100.9 + second))
    for title in ("Rate", "Post-dial delay", "Answer delay", "MOS"):
        figure = re.search(rf"<figure><figcaption><b>{title}</b>.*?</figure>", page(made)[0])
        assert figure is not None
        legend, _, body = figure.group().partition("</figcaption>")
        for part in (legend, body):
            styles = re.findall(r'class="line (solid|dashed|wide)"', part)
            assert len(styles) == len(set(styles)) >= 2, (title, part)


@pytest.mark.parametrize(
    ("seconds", "total", "text"),
    [(7, 60, "7 s"), (3.5, 7, "3.5 s"), (750, 3600, "12:30"), (90_300, 90_300, "25:05:00"), (0, 90_300, "0:00:00")],
)
def test_times_are_written_as_people_do(seconds: float, total: float, text: str) -> None:
    assert clock(seconds, total) == text


def test_a_limit_is_a_line_unless_it_would_flatten_the_others() -> None:
    line = Line("p95", [8.0, 10.0], "blue")
    near = chart("x", "ms", seconds(2), (line,), limits=[Limit(20.0, "a<0.02")])
    assert 'class="limit"' in near
    assert "a&lt;0.02" in near
    assert 'class="limit"' not in chart("x", "ms", seconds(2), (line,), limits=[Limit(1500.0, "a<1.5")])


def test_the_pointer_shows_figures_in_a_bounded_number_of_columns() -> None:
    values: list[float | None] = [float(each % 7) for each in range(600)]
    drawn = chart("x", "ms", seconds(600), (Line("p95", values, "blue"),))
    assert drawn.count("<title>") == MOST_TIPS
    assert "<title>0:00, p95 6</title>" in drawn


def test_a_page_does_not_grow_with_the_run() -> None:
    def size(hours: int) -> int:
        made = report(thresholds="post_dial_delay.p95<1")
        made.timeline.begun = 100.0
        for second in range(hours * 3600):
            made.timeline.add_slice(sliced(second, 5, 5, 0.004 + second % 97 / 1000))
            made.timeline.closed(100.0 + second)
        return len(running_page(made)[0])

    assert size(12) < 1.2 * size(1)


# ---- junit.xml


@pytest.mark.parametrize(
    ("made", "changes", "failed"),
    [
        (report(ROW), {}, []),
        (report(ROW, REFUSED), {}, ["every call meets its expectations"]),
        (report(ROW, REFUSED, thresholds="answered>0.4 mos.p5>4.5"), {}, ["mos.p5>4.5"]),
        (report(ROW, REFUSED, thresholds="answered>0.4"), {}, []),
        (report(*[ROW._replace(lateness=0.2)] * 3), {}, ["generator is healthy"]),
        (report(ROW), {"interrupted": True}, ["verdict"]),
        (report(ROW), {"failure": "call-0 died & <more>"}, ["verdict"]),
    ],
)
def test_junit_has_a_case_for_each_expectation(made: Report, changes: dict[str, Any], failed: list[str]) -> None:
    result = made.judge(ending(made.tally.rows, **changes))
    root = ElementTree.fromstring(junit_of(result.summary, result.reasons, dict(made.tally.failures)))
    cases = root.findall("testcase")
    assert [case.get("name") for case in cases if case.find("failure") is not None] == failed
    assert (root.get("tests"), root.get("failures")) == (str(len(cases)), str(len(failed)))
    assert bool(failed) == bool(result.exit_code)


def test_junit_names_the_folder_of_each_failed_call() -> None:
    result = report(ROW, REFUSED._replace(failure="a\x1bb")).judge(ending(2))
    failure = ElementTree.fromstring(junit_of(result.summary, result.reasons, {"code": 1}, FAILED)).find(".//failure")
    assert failure is not None
    assert "1 missed: a\\x1bb" in str(failure.text)
    assert str(failure.text).splitlines()[-2:] == [
        "failures/0123456789abcdef: code, id-1@<host>",
        "failures/fedcba9876543210: <len(digits) == 4>, id-2",
    ]


# ---- timeline.csv


def seconds_of(made: Report, first: int, last: int) -> list[Row]:
    """Rows of successive seconds in which one call starts."""
    for second in range(first, last):
        made.timeline.add_slice(sliced(second, 1, 1, 0.004))
    return made.timeline.closed(100.0 + last + SETTLE)


def timed() -> Report:
    made = report()
    made.timeline.begun = 100.0
    return made


def test_the_timeline_is_appended_and_has_each_second_once(tmp_path: Path) -> None:
    made, results, path = timed(), Results(tmp_path), tmp_path / "timeline.csv"
    path.write_text("of an earlier run\n")
    results.append_timeline()
    assert path.read_text() == ",".join(Row._fields) + "\n"
    before = ""
    for last in (3, 3, 7, 8):
        results.add_seconds(seconds_of(made, last - 3, last))
        results.append_timeline()
        assert path.read_text().startswith(before)
        before = path.read_text()
    results.add_seconds(made.timeline.finish(8.0, 8))
    results.append_timeline()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["second"] for row in rows] == [str(each) for each in range(8)]
    assert (rows[2]["started"], rows[2]["post_dial_p50"], rows[2]["mos_mean"]) == ("1", "0.004", "")
    results.discard()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_seconds_wait_for_a_disk_that_is_full_and_none_is_written_twice(tmp_path: Path) -> None:
    made, results, path = timed(), Results(tmp_path), tmp_path / "timeline.csv"
    path.symlink_to("/dev/full")
    for last in (2, 4):
        results.add_seconds(seconds_of(made, last - 2, last))
        with pytest.raises(OSError, match="No space"):
            results.append_timeline()
    path.unlink()
    results.append_timeline()
    assert [line.partition(",")[0] for line in path.read_text().splitlines()] == ["second", "0", "1", "2", "3"]
    results.discard()


def test_seconds_that_no_disk_takes_are_bounded_and_counted(tmp_path: Path) -> None:
    made, results = timed(), Results(tmp_path)
    results.add_seconds(seconds_of(made, 0, MOST_SECONDS + 5))
    assert results.seconds_missing == 5
    results.append_timeline()
    lines = (tmp_path / "timeline.csv").read_text().splitlines()
    assert (len(lines), lines[1].partition(",")[0]) == (MOST_SECONDS + 1, "5")
    results.discard()


def test_junit_tells_what_the_generator_and_the_plan_could_not_do_apart_from_the_calls() -> None:
    no_port = REFUSED._replace(outcome="not_sent", code=0, cause="no_port")
    made = report(ROW, no_port, ROW._replace(failure="scenario_error"))
    result = made.judge(ending(3))
    document = junit_of(result.summary, result.reasons, dict(made.tally.failures))
    cases = {each.get("name"): each.find("failure") for each in ElementTree.fromstring(document).iter("testcase")}
    generator, plan = cases["generator is healthy"], cases["the plan can be carried out"]
    assert generator is not None
    assert plan is not None
    assert "1 missed: no_port" in str(generator.get("message"))
    assert "1 missed: scenario_error" in str(plan.get("message"))


@pytest.mark.parametrize(("method", "noun"), NOUNS.items())
def test_the_files_speak_of_what_was_sent(method: str, noun: str) -> None:
    load = LoadConfig("sip:192.0.2.7", method=method, calls=2, hold=0.0)
    made = Report(load)
    made.add(REFUSED)
    made.add(REFUSED)
    result = made.judge(ending(2))
    failures = dict(made.tally.failures)
    page = page_of(result.summary, result.reasons, [], failures)
    junit = junit_of(result.summary, result.reasons, failures)
    assert f"<h1>{noun.capitalize()} to sip:192.0.2.7</h1>" in page
    assert f"<h2>Failed {noun}</h2>" in page
    assert ("MOS" in page, "digits received" in page, "RTP" in page) == ((method == "invite",) * 3)
    assert result.reasons[0] == f"2 {noun} failed"
    assert f'name="every {noun.removesuffix("s")} meets its expectations"' in junit
    assert description_of(load).get("method", "INVITE") == method.upper()
    assert description_of(load)[noun] == "2"
