"""Text of peers and users in everything that is written for people: each text, each writer, escaped once."""

import csv
import io
import json
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sipswarm.actors.bus.messages import CallTraced
from sipswarm.actors.cli.terminal import echo
from sipswarm.actors.cli.verdict import say_result
from sipswarm.actors.diagnosis.foreign_text import (
    LONGEST_LINE,
    MOST,
    cell,
    cut,
    octets_of,
    shown,
    shown_line,
    shown_octets,
)
from sipswarm.actors.diagnosis.log_lines import VALUE, event_of, from_process, to_supervisor
from sipswarm.actors.host.systemd import Notifier
from sipswarm.actors.load.cdr import record_of
from sipswarm.actors.load.failures import FailedCall, Failures
from sipswarm.actors.load.junit import junit_of
from sipswarm.actors.load.page import page_of
from sipswarm.actors.load.results import Results
from sipswarm.actors.supervisor.exposition import LONGEST_LABEL, NodeCollector
from sipswarm.actors.supervisor.node_totals import NodeTotals
from sipswarm.actors.trace.ladder import Ladder, Rung
from tests.actors.hostile_texts import HOSTILE
from tests.actors.load.test_report import ending, report
from tests.actors.rows import REFUSED, ROW

Writer = Callable[[str, Path], tuple[str, list[tuple[str, str]]]]
"""writes a text; gives what was written, and pairs of what a reader finds and what is to be found"""


def _calls_csv(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    results = Results(folder / "out")
    results.add(ROW._replace(call_id=text, scenario=text, phrase=text, started=98.5), text, 100.0)
    results.close_calls()
    written = results.calls_path.read_bytes().decode()
    row = next(csv.DictReader(io.StringIO(written)))
    assert row["start"] == "-1.500000"  # a number is no text
    return written, [(row[name], cell(text)) for name in ("id", "scenario", "failure", "phrase")]


def _cdr(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    written = record_of(ROW._replace(call_id=text, scenario=text, phrase=text), text or "x", 0.0).decode()
    record = json.loads(written)
    assert written.count("\n") == 1
    return written, [(record[name], shown(text)) for name in ("id", "scenario", "phrase")]


def _summary(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    results = Results(folder / "out")
    results.write_summary({"run": {"target": text}, "calls": {"outcomes": {text: 1}}, "reasons": [text]})
    results.close_calls()
    written = results.summary_path.read_bytes().decode()
    found = json.loads(written)
    texts = found["run"]["target"], *found["calls"]["outcomes"], *found["reasons"]
    return written, [(each, shown(text)) for each in texts]


def _judged(text: str) -> tuple[dict[str, Any], tuple[str, ...], dict[str, int], list[FailedCall]]:
    result = report(ROW, REFUSED._replace(failure=text or "code")).judge(ending(2))
    result.summary["run"]["target"] = text
    return result.summary, (text, "x"), {text: 1}, [FailedCall("failures/0", text, text, text, 0, 0.0)]


def _junit(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    results = Results(folder / "out")
    results.write("junit.xml", junit_of(*_judged(text)))
    results.close_calls()
    written = (results.folder / "junit.xml").read_bytes().decode()
    suite = ElementTree.fromstring(written.encode())
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    name = shown(text)
    assert failure.text.split("\n") == [name, "x", f"failures/0: {name}, {name}"]
    return written, [(suite.get("name", ""), f"sipswarm {name}")]


class _Page(HTMLParser):
    """The elements of a page and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts = [""]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def _page(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    summary, reasons, failures, calls = _judged(text)
    results = Results(folder / "out")
    results.write("report.html", page_of(summary, reasons, (), failures, calls))
    results.close_calls()
    written = results.report_path.read_bytes().decode()
    plain = _Page(page_of(*_judged("plain")[:2], (), failures, calls))
    page = _Page(written)
    assert page.tags == plain.tags
    assert shown(text) in page.texts
    return written, [(next(each for each in page.texts if each.startswith("Calls to")), f"Calls to {shown(text)}")]


def _ladder_file(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    failures = Failures(folder, 0.0)
    data = b"INVITE sip:b SIP/2.0\r\nX: " + octets_of(text)[:60_000] + b"\r\n\r\n"
    rungs = ((100.0, True, "udp", ("127.0.0.1", 5060), ("127.0.0.1", 5070), data, ""),)
    failures.trace(CallTraced(text, 0, rungs))
    failures.add(REFUSED._replace(call_id=text, started=101.0), text, 100.0)
    failures.write()
    written = (folder / failures.calls[0].folder / "ladder.txt").read_bytes().decode()
    first, second = written.split("\n")[:2]
    return written, [
        (first, f"call {shown(text)}"),
        (second, f"missed: {shown(text)}; outcome busy, final status 486"),
    ]


def _drawing(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    rung = Rung(0.0, False, "udp", ("127.0.0.1", 1), ("127.0.0.1", 2), b"SIP/2.0 486 " + octets_of(text))
    return "\n".join((str(Ladder([rung])), rung.start_line)), []


def _log(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "the call %s failed", (text,), None)
    event = event_of(record, "call-0")
    line = event.text()
    assert from_process(to_supervisor(event).rstrip(b"\n"), "call-0", 0.0) == event
    assert json.loads(event.json())["event"] == event.event
    assert "\n" not in event.json()
    return f"{line}\n{event.json()}", [(event.event, f"the call {shown_octets(text, VALUE)} failed")]


def _traceback(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "it failed", (), sys.exc_info())
    event = event_of(record, "call-0")
    assert event.event == "it failed"
    assert event.trace[0].startswith("Traceback")
    assert json.loads(event.json())["fields"]["traceback"] == list(event.trace)
    assert len(event.json()) < 64 * VALUE
    return event.text(), []


def _terminal(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    written = _printed(lambda: echo(f"refused: 486 {text}"))
    return written, [(written, shown_line(f"refused: 486 {text}") + "\n")]


def _verdict(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    result = report(ROW).judge(ending(1))._replace(reasons=(text,))
    results = Results(folder / "out")
    results.close_calls()
    written = _printed(lambda: say_result(result, results))
    return written, [(next(line for line in written.split("\n") if line.startswith("  ")), shown_line(f"  {text}"))]


def _printed(action: Callable[[], None]) -> str:
    """What is printed on a terminal that takes UTF-8 only."""
    octets = io.BytesIO()
    with io.TextIOWrapper(octets, "utf-8", errors="strict", write_through=True) as terminal:
        with redirect_stdout(terminal):
            action()
        return octets.getvalue().decode()


def _metrics(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    node = NodeTotals(scenarios=(text,))
    node.set_gauge("sipswarm_run_info", "run", text, value=1.0)
    written = generate_latest(NodeCollector([node])).decode()
    samples = [sample for family in text_string_to_metric_families(written) for sample in family.samples]
    names = {sample.labels["scenario"] for sample in samples if "scenario" in sample.labels}
    files = [sample.labels["scenario_file"] for sample in samples if sample.name == "sipswarm_run_info"]
    return written, [(each, shown(text, LONGEST_LABEL)) for each in (*names, *files)]


def _service_manager(text: str, folder: Path) -> tuple[str, list[tuple[str, str]]]:
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        Notifier(address).status(f"taking calls; {text}")
        written = manager.recv(65536).decode()
    return written, [(written, "STATUS=" + shown(" ".join(f"taking calls; {text}".split())))]


WRITERS: dict[str, Writer] = {
    "calls.csv": _calls_csv,
    "--cdr": _cdr,
    "summary.json": _summary,
    "junit.xml": _junit,
    "report.html": _page,
    "ladder.txt": _ladder_file,
    "a ladder on the terminal": _drawing,
    "a line of the log": _log,
    "a traceback": _traceback,
    "the terminal": _terminal,
    "the verdict": _verdict,
    "/metrics": _metrics,
    "systemd": _service_manager,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_reader_finds_the_text_escaped_once_and_nothing_that_it_obeys(
    writer: Writer, text: str, tmp_path: Path
) -> None:
    written, found = writer(text, tmp_path)
    assert not [each for each in written if not each.isprintable() and each != "\n"]
    assert len(written) < 600_000
    for has, wanted in found:
        assert has == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Occup\udce9", "Occup\\xe9"),
        ("a\0b\x1b[2J\r\n\t", "a\\x00b\\x1b[2J\\x0d\\x0a\\x09"),
        ("\u202e\ufffe", "\\u202e\\ufffe"),
        ("\ud800\U0010ffff", "\\ud800\\U0010ffff"),
        ("J\u00f6rg \\x00 <b>", "J\u00f6rg \\x00 <b>"),
    ],
)
def test_what_cannot_be_printed_stands_as_an_escape(text: str, wanted: str) -> None:
    assert shown(text) == wanted


def test_a_long_text_is_cut_with_a_mark_that_counts_what_is_left_out() -> None:
    assert shown("x" * MOST) == "x" * MOST
    assert shown("x" * 5000, 60) == "x" * 36 + "… (4964 more characters)"
    assert cut("x" * 5000, 60) == shown("x" * 5000, 60)
    escaped = shown("\0" * 5000, 60)
    assert escaped == "\\x00" * 9 + "… (4991 more characters)"  # never half an escape
    assert len(shown_line("\n" * 1_000_000)) <= LONGEST_LINE


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT, st.integers(40, 80))
def test_what_is_shown_is_printable_bounded_and_the_same_when_it_is_shown_again(text: str, most: int) -> None:
    once = shown(text, most)
    assert once.isprintable()
    assert len(once) <= most
    assert shown(once, most) == once
    assert len(cut(text, most)) <= most
    octets_of(text)
    if text.isprintable() and len(text) <= most:
        assert once == text


@given(st.binary(max_size=30))
def test_octets_are_shown_like_the_text_that_they_were_read_as(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert shown(data) == shown(text)
    assert octets_of(text) == data


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", "\\x09=1"),
        ("\r=1", "\\x0d=1"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_cell_of_text_begins_a_formula(text: str, wanted: str) -> None:
    assert cell(text) == wanted
