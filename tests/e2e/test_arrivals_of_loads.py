"""Runs of a scenario and calls are counted apart, however the load is bound and however it ends."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import SECONDS, WORKERS, Running
from tests.e2e.test_keys import AtTerminal
from tests.e2e.test_shards_and_limits import load, scenario
from tests.interop.processes import wait_until

RUNS = """
    import asyncio

    async def scenario(ua, row):
        for _ in range({calls}):
            call = await ua.invite(ua.target, media="none")
            await asyncio.sleep(0.25)
            await call.bye()
        await asyncio.sleep({rest})
"""


def runs(tmp_path: Path, calls: int) -> list[str]:
    """The options of a scenario whose run takes 0.75 s and places so many calls one after the other."""
    return scenario(tmp_path, RUNS.format(calls=calls, rest=0.75 - 0.25 * calls))


def adds_up(summary: dict[str, Any]) -> dict[str, int]:
    """The arrivals of a run, each of which is in one figure, as the failures say too."""
    arrivals: dict[str, int] = summary["arrivals"]
    assert arrivals["dropped"] == arrivals["held_back"] + arrivals["overloaded"]
    assert arrivals["planned"] == sum(arrivals[each] for each in ("started", "dropped", "not_started", "not_due"))
    failures = {each["reason"]: each["calls"] for each in summary["failures"]}
    assert failures.get("overload", 0) == arrivals["overloaded"]
    assert failures.get("not_started", 0) == arrivals["not_started"]
    return arrivals


@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--max-calls 2", 98),
        ("-l 2", 99),
        ("--max-calls 2 --arrival poisson", 98),
        ("--max-calls 2 --shard 2/2 -m 19", 98),
    ],
)
def test_runs_that_never_started_are_never_hidden_by_calls(tmp_path: Path, options: str, code: int, calls: int) -> None:
    """The rate is such that two runs, with up to six calls, are all that the bound admits."""
    strict = ["--threshold", "answered>=0", "--threshold", "failed<=0", "--threshold", "dropped<=0", "--fail-on-error"]
    plan = f"-m 9 -r 40 --call-workers 1 {options}"
    with CountingUas() as uas:
        found, summary = load(uas, tmp_path / "out", plan, *strict, *runs(tmp_path, calls))
    arrivals, figures = adds_up(summary), summary["calls"]
    assert arrivals["planned"] == 9
    assert figures["attempted"] == max(1, calls) * arrivals["started"]
    assert len(uas.users) == calls * arrivals["started"] == figures["answered"]
    assert (figures["max_concurrent"] > 0) is (calls > 0)
    if "-l" in options or calls:  # --max-calls bounds calls, and a run without any needs no room
        assert (arrivals["started"], arrivals["dropped"]) == (2, 7) or "poisson" in options or "shard" in options
        assert arrivals["dropped"] > 0
        assert found == code or (code, found) == (99, 98)
    else:
        assert (arrivals["started"], arrivals["dropped"]) == (9, 0)
        assert found in (0, 98)
    values = {each["expression"]: each["value"] for each in summary["thresholds"]}
    assert values["dropped<=0"] == pytest.approx(arrivals["dropped"] / 9)


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("calls", [None, 3], ids=["plain", "runs of 3"])
@pytest.mark.parametrize("more", ["-m 200", "--duration 60s --arrival poisson"])
def test_what_was_due_before_a_signal_and_did_not_start_counts(
    tmp_path: Path, how: signal.Signals, calls: int | None, more: str
) -> None:
    kind = ["-d", "60s"] if calls is None else scenario(tmp_path, RUNS.format(calls=calls, rest=60))
    with CountingUas() as uas:
        options = ["-r", "20", "--max-calls", "3", *more.split(), "--drain", "1s", "--threshold", "answered>=0"]
        running = Running("load", f"bob@{uas.address}", *options, *kind, *WORKERS, "--out", str(tmp_path / "out"))
        try:
            wait_until(lambda: len(uas.users) >= 3, SECONDS, "the calls that there is room for")
            time.sleep(2.0)
            code, text = running.end(how)
        finally:
            running.close()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    arrivals = adds_up(summary)
    if calls is None:
        assert arrivals["started"] == 3
    assert arrivals["overloaded"] >= 5, text
    ended_early = how is signal.SIGUSR1
    assert code == (98 if ended_early else 105), text
    assert arrivals["not_due"] == 0 if ended_early else arrivals["not_due"] >= 20


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_after_every_call_has_started_cuts_nothing_short(tmp_path: Path, how: signal.Signals) -> None:
    with CountingUas() as uas:
        options = ["-m", "10", "-r", "20", "-d", "3s", "--drain", "20s", *WORKERS]
        running = Running("load", f"bob@{uas.address}", *options, "--out", str(tmp_path))
        try:
            wait_until(lambda: len(uas.users) >= 10, SECONDS, "all calls")
            code, text = running.end(how)
        finally:
            running.close()
    calls = json.loads((tmp_path / "summary.json").read_text())["calls"]
    assert code in (0, 98), text
    assert (calls["planned"], calls["attempted"], calls["completed"]) == (10, 10, 10)


@pytest.mark.parametrize(("key", "drawn"), [("+", "rate 21 calls/s"), ("q", "no new calls")])
def test_keys_erase_nothing_that_did_not_start(tmp_path: Path, key: str, drawn: str) -> None:
    with CountingUas() as uas:
        plan = ["-r", "20", "--arrival", "poisson", "--duration", "3s", "--max-calls", "3", "-d", "20s", *WORKERS]
        thresholds = ["--threshold", "answered>=0"]
        at = AtTerminal("load", f"bob@{uas.address}", *plan, *thresholds, "--drain", "1s", "--out", str(tmp_path))
        at.until("? shows the keys")
        wait_until(lambda: len(uas.users) >= 3, SECONDS, "the calls that there is room for")
        time.sleep(1.0)
        at.press(key)
        at.until(drawn)
        if key == "+":
            time.sleep(2.5)
            os.kill(at.pid, signal.SIGUSR1)  # the calls would go on for long
        code = at.end()
    arrivals = adds_up(json.loads((tmp_path / "summary.json").read_text()))
    assert code == 98
    assert arrivals["started"] == 3
    assert arrivals["overloaded"] >= 5


def test_an_invite_that_nothing_leads_to_is_not_sent(tmp_path: Path) -> None:
    text = """
        async def scenario(ua, row):
            await ua.invite("sip:x@192.0.2.1", media="none")
    """
    with CountingUas() as uas:
        code, summary = load(uas, tmp_path / "out", "-m 2 -r 20 --call-workers 1", *scenario(tmp_path, text))
    calls = summary["calls"]
    assert (code, len(uas.users), calls["answered"], calls["max_concurrent"]) == (98, 0, 0, 0)
    assert calls["outcomes"] == {"not_sent": 2}
