"""What a load shows while it goes on, and that a day of history makes none of it dearer; in real processes."""

import asyncio
import csv
import gc
import json
import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus.messages import CallFinished, CallSlice
from sipswarm.actors.cli import run
from sipswarm.actors.cli.load_run import LoadRun
from sipswarm.actors.cli.options import RunOptions
from sipswarm.actors.cli.values import NO_METRICS
from sipswarm.actors.config import Listener, LoadConfig, NodeConfig, NodeSettings
from sipswarm.actors.counting.slices import PER_SECOND, slice_of, start_of_slice
from sipswarm.actors.counting.spread import Spread
from sipswarm.actors.load.report import Result
from sipswarm.actors.load.results import MOST_SECONDS, Results
from sipswarm.actors.load.thresholds import Threshold
from sipswarm.actors.load.timeline import Row
from tests.actors.rows import ROW
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, planned_starts, rate_of, was

DAY = 86_400
OPTIONS = RunOptions(metrics=NO_METRICS, drain=5.0, quiet=True)
SETTINGS = NodeSettings(rtp_ports=(30_000, 34_000), max_calls=1000)


@pytest.fixture
def address() -> Iterator[str]:
    """Of an answering robot that waits for the BYE."""
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


def timeline_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "timeline.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def seen(folder: Path, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first summary of a running load that is as it is wanted."""
    deadline = time.monotonic() + SECONDS
    summary: dict[str, Any] = {}
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            summary = json.loads((folder / "summary.json").read_text())
        if summary and wanted(summary):
            return summary
        time.sleep(0.1)
    raise AssertionError(f"not within {SECONDS} s: {summary}")


def test_calls_that_go_on_stand_in_page_summary_and_timeline_and_nothing_has_failed(
    address: str, tmp_path: Path
) -> None:
    thresholds = ["--threshold", "answered>=0.99", "--threshold", "completed>=0.99"]
    plan = ["-r", "10", "--duration", "12s", "-d", "13s", "--media", "none", *thresholds]
    load = Running("load", f"echo@{address}", *plan, *WORKERS, "--quiet", "--out", str(tmp_path))
    try:
        running = seen(tmp_path, lambda summary: summary["run"]["seconds"] > 8)
        page, rows = (tmp_path / "report.html").read_text(), timeline_of(tmp_path)
        load.process.wait(4 * SECONDS)
    finally:
        load.close()
    assert running["verdict"] == "running"
    calls = running["calls"]
    assert calls["attempted"] >= 80
    assert (calls["completed"], calls["failed"]) == (0, 0)
    assert calls["live"] == pytest.approx(calls["attempted"], abs=10)
    assert calls["answered"] == pytest.approx(calls["attempted"], abs=10)
    assert [(each["so_far"], each["value"]) for each in running["thresholds"]] == [(True, 1.0), (True, None)]
    assert running["delays"]["post_dial"]["count"] >= 70
    assert 'http-equiv="refresh"' in page
    assert "running, as of" in page
    assert "met so far" in page
    assert ">failed</span>" not in page.partition("<h2>Over time")[0].partition("<h2>Thresholds")[2]
    assert int(rows[-1]["live"]) >= 40

    summary, whole = json.loads((tmp_path / "summary.json").read_text()), timeline_of(tmp_path)
    assert was(summary["exit_code"], 0)
    assert 'http-equiv="refresh"' not in (tmp_path / "report.html").read_text()
    assert whole[: len(rows)] == rows, "a second that was written has changed"
    assert [int(row["second"]) for row in whole] == list(range(len(whole)))
    for column, figure in (("started", "attempted"), ("answered", "answered"), ("failed", "failed")):
        assert sum(int(row[column]) for row in whole) == summary["calls"][figure], column
    assert sum(int(row["ended"]) for row in whole) == sum(summary["calls"]["outcomes"].values()) == 120
    assert whole[-1]["live"] == "0"
    with (tmp_path / "calls.csv").open(newline="") as file:
        late = max(float(row["lateness"]) for row in csv.DictReader(file))
    assert [int(row["started"]) for row in whole[:12]] == pytest.approx([10] * 12, abs=3 + 10 * late)
    assert summary["rate"]["target"] == 10.0


def test_the_target_of_a_ramp_is_what_it_commanded_on_the_mean(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = Running("load", f"echo@{address}", "--ramp", "2:20/3s", "--duration", "4s", *WORKERS, "--out", str(tmp_path))
    try:
        load.process.wait(SECONDS)
        lines = [load.line() for _ in range(3)]
    finally:
        load.close()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["rate"]["target"] == pytest.approx((11 * 3 + 20) / 4, rel=0.05)
    with (tmp_path / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rate_of(planned_starts(rows)) == pytest.approx(summary["rate"]["target"], rel=0.1)
    assert summary["rate"]["achieved"] == pytest.approx(rate_of([float(row["start"]) for row in rows]), rel=0.01)
    assert re.match(r"rate: \d+\.\d+ calls/s of 1[234]\.\d+", lines[2])


# ---- a day


def with_history(test: LoadRun, seconds: int) -> list[Row]:
    """As if the load had begun so long ago and had placed five calls a second since then; before it starts.

    Returns: the seconds that are final.
    """
    closed: list[Row] = []
    delays = Spread()
    for delay in (0.004, 0.005, 0.006, 0.01, 0.05):
        delays.add(delay)
    timeline = test.report.timeline
    timeline.begun = start_of_slice(time.monotonic() - seconds)
    first = slice_of(timeline.begun + 0.5 / PER_SECOND)
    told = delays.to_tuple()
    for second in range(seconds):
        timeline.add_slice(CallSlice(first + second * PER_SECOND, 5, 5, 0.001, told, told))
        row: CallFinished = ROW._replace(started=timeline.begun + second - 3, ended=timeline.begun + second - 1)
        for _ in range(5):
            test.report.add(row)
        closed += timeline.closed(timeline.begun + second)
    return closed


def write(results: Results, rows: list[Row]) -> None:
    """Append seconds by as many as may wait."""
    for first in range(0, len(rows), MOST_SECONDS):
        results.add_seconds(rows[first : first + MOST_SECONDS])
        results.append_timeline()


@contextmanager
def unseen_by_the_collector() -> Iterator[None]:
    """What exists by now is the test's own: no pass of the collector within is over it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def of_a_minute(address: str, out: Path, history: int) -> tuple[Result, float]:
    """A load of 60 s after that much history; its result, and the supervisor's CPU seconds per second.

    Of the history only what the load keeps of it is there in that minute: the rows that are written are let go, or
    one pass of the collector over 86,400 of them (0.2 s, and whether there is one is chance) decides the figure.
    """
    load = LoadConfig(f"sip:echo@{address}", rate=5.0, hold=2.0)
    thresholds = (Threshold.parse("answered>=0.9"),)
    config = NodeConfig.of(SETTINGS, (Listener("udp", "127.0.0.1", 0),), load=load)
    test = LoadRun(OPTIONS, config, load, out=out, thresholds=thresholds)
    closed = with_history(test, history)
    figures: list[float] = []

    async def body(signals: run.Signals) -> int:
        await test.start()
        signals.started()
        test.report.timeline.begun -= history
        await asyncio.to_thread(write, test.results, closed)
        closed.clear()
        gc.collect()
        asyncio.get_running_loop().call_later(60.0, signals.end_early)
        began, used = time.monotonic(), _cpu()
        result = await test.finish(signals, "a day")
        figures.append((_cpu() - used) / (time.monotonic() - began))
        results.append(result)
        return result.exit_code

    results: list[Result] = []
    run.run(body, drain=test.node.drain, within=5.0, cancelled=105)
    return results[0], figures[0]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_minute_after_a_day_costs_the_supervisor_what_the_first_one_does(address: str, tmp_path: Path) -> None:
    """CPU time and not wall time, because others may use the machine; both in one run of this test."""
    with unseen_by_the_collector():
        first, of_first = of_a_minute(address, tmp_path / "first", 0)
    with unseen_by_the_collector():
        last, of_last = of_a_minute(address, tmp_path / "last", DAY)
    assert (first.verdict.text, first.reasons) == ("passed", ())
    assert (last.verdict.text, last.reasons) == ("passed", ())
    rows = timeline_of(tmp_path / "last")
    assert [int(row["second"]) for row in rows] == list(range(len(rows)))
    assert sum(int(row["started"]) for row in rows) - 5 * DAY == pytest.approx(5 * 60, abs=15)
    assert (tmp_path / "last" / "report.html").stat().st_size < 200_000
    assert of_last <= 1.2 * of_first, (
        f"{of_first * 1000:.1f} ms/s in the first minute, {of_last * 1000:.1f} in the last"
    )
