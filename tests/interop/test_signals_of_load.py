"""SIGINT once, twice and thrice while calls of a load are up: SIPp tells when it got our BYE, which it answers late."""

import csv
import json
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Start
from .node import LoadResult, NodeRun, Side
from .processes import alive, descendants, free_port, own_host, wait_until
from .sipp import Sipp
from .wire_totals import Comparison

CALLS = 3
LATE = 4.0
"""seconds that SIPp takes for the answer to a BYE"""


class Case(NamedTuple):
    """How often the user presses Ctrl-C, and what comes of it."""

    times: int
    drain: str
    exit_code: int
    least: float
    """seconds from the last signal to the end"""
    most: float
    judged: bool = True
    """there is a summary"""


CASES = [
    Case(1, "2s", 105, 2.0 + LATE - 0.5, 10.0),  # waits for live calls as long as it was told to, then hangs up
    Case(2, "60s", 105, LATE - 0.5, 8.0),  # hangs up now
    Case(3, "60s", 1, 0.0, 2.0, judged=False),  # exits at once
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=["once", "twice", "thrice"])
def test_sigint_ends_a_load_as_often_as_it_comes(
    tmp_path: Path, start: Start, captured: Comparison, case: Case
) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_answers_bye_late.xml", calls=CALLS, seconds=60))
    callee.ready()
    out = tmp_path / "out"
    plan = ["-m", "1000", "-l", str(CALLS), "-r", "10", "-d", "60s", "--drain", case.drain, "--out", str(out)]
    host = own_host()
    side = Side(host, free_port(host))
    workers = ["--call-workers", "1", "--media-workers", "1", "-i", host, "-p", str(side.port)]
    load = start(NodeRun(tmp_path, "load", [f"sip:peer@{callee.address}", *plan, *workers]))
    load.ready()
    load.counted("sipswarm_calls_active", CALLS)
    children = descendants(load.program.pid)
    assert children
    for number in range(case.times):
        if number:
            time.sleep(0.5)  # a person's fingers
        load.program.signal(signal.SIGINT)
    last = time.monotonic()
    assert load.program.wait(30) == case.exit_code, load.program.account()
    assert case.least <= time.monotonic() - last <= case.most, load.program.account()
    verdict = callee.verdict()  # each call got its BYE, even after the third: our processes hang up by themselves
    assert verdict.exit_code == 0, verdict.account + load.program.account()
    assert verdict.calls("SuccessfulCall(C)") == CALLS
    if not case.judged:
        assert (out / "calls.csv.partial").exists()
        wait_until(lambda: not any(alive(each) for each in children), 15, "no process of ours is left")
        return
    summary = json.loads((out / "summary.json").read_text())
    # Cut short, so not completed as planned; but closed.
    calls = summary["calls"]
    assert (summary["verdict"], calls["attempted"], calls["completed"]) == ("interrupted", CALLS, 0)
    with (out / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["cause"], row["closed"]) for row in rows] == [("drained", "confirmed")] * CALLS
    captured.equals_summary(LoadResult(case.exit_code, summary, load.program.account(), rows, side))
