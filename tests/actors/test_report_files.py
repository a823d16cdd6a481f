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

from actors.fleet_totals import ProcessFigures
from actors.load.charts import HEIGHT, MOST_POINTS, WIDTH, Line, chart, nice
from actors.load.failures import FailedCall
from actors.load.junit import junit_of
from actors.load.page import page_of
from actors.load.report import Report, Verdict
from actors.load.results import Results
from tests.actors.rows import REFUSED, ROW
from tests.actors.test_report import ending, report

SCHEMA: dict[str, Any] = json.loads((files("actors.load") / "summary.schema.json").read_text())
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
    ],
    ids=["passed", "thresholds", "nothing", "running"],
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
    text = page_of(result.summary, result.reasons, tuple(made.timeline.rows()), failures, calls)
    return text, Page(text)


def test_the_report_needs_no_network_and_shows_verdict_thresholds_and_charts() -> None:
    made = report(thresholds="answered>=0.9")
    made.timeline.begun = 100.0
    for second in range(30):
        made.add(ROW._replace(started=100.0 + second))
    made.add(REFUSED._replace(started=101.0))
    text, shown = page(made)
    assert shown.loads == []
    assert not re.search(r"https?://|url\(|@import|<script", text)
    assert shown.tags.count("svg") == shown.tags.count("figure") == 6
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
    assert "no figures" in shown.text
    assert "svg" not in shown.tags


# ---- charts


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (1.0, 1.0), (1.1, 2.0), (2.2, 2.5), (30.0, 50.0), (0.0071, 0.01), (100.0, 100.0)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice(value) == pytest.approx(top)


def test_a_line_stays_within_its_chart_has_gaps_and_loses_no_peak() -> None:
    values: list[float | None] = [1.0] * 5000
    values[1234] = 99.0
    values[2000:2100] = [None] * 100
    drawn = chart("Rate", "calls/s", (Line("started", values, "blue"),))
    paths = re.findall(r'class="line" [^>]* d="([^"]*)"', drawn)
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", paths[0])]
    assert len(points) <= MOST_POINTS
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert paths[0].count("M") == 2
    assert min(y for _, y in points) < HEIGHT / 4
    assert "started: 1 to 99" in drawn


def test_a_single_point_is_a_dot_and_low_is_kept_where_low_is_bad() -> None:
    assert re.search(r'd="M\S+ \S+h.01"', chart("x", "y", (Line("a", [2.0], "blue"),)))
    long: list[float | None] = [4.4] * 900
    long[451] = 1.5
    lowest = chart("MOS", "", (Line("least", long, "blue", lowest=True),), floor_at=1.0, ceiling=5.0)
    ys = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", lowest.partition('class="line"')[2])]
    assert max(ys) - min(ys) > HEIGHT / 2


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


def test_the_timeline_is_a_row_per_second_and_replaced_as_a_whole(tmp_path: Path) -> None:
    made = report()
    made.timeline.begun = 100.0
    made.add(ROW._replace(started=102.0, ended=104.01))
    results = Results(tmp_path)
    for _ in range(2):
        results.write_timeline(made.timeline.rows())
    with (tmp_path / "timeline.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["second"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert (rows[2]["started"], rows[2]["post_dial_p50"], rows[2]["mos_mean"]) == ("1", "0.004", "")
    assert not (tmp_path / "timeline.csv.partial").exists()
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
