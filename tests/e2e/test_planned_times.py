"""The times of a load's plan are in its records as they were planned, whichever process was late."""

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import SECONDS, Running, planned_starts
from tests.e2e.test_lost_workers import pid_of, results, wait_for_calls

RATE = 20
CALLS = 60
STILL = 0.5
"""Seconds for which a process stands still; a call that is due in its first half is late by more than the other."""


@pytest.mark.parametrize("name", ["media-0", "call-0", "supervisor"])
def test_a_process_that_stands_still_at_the_start_moves_no_planned_time(tmp_path: Path, name: str) -> None:
    with CountingUas() as uas:
        options = ["-r", str(RATE), "-m", str(CALLS), "-d", "0.1s", "--media", "silence", "--call-workers", "2"]
        more = ["--media-workers", "1", "--quiet", "--metrics", "off", "--out", str(tmp_path)]
        running = Running("load", f"bob@{uas.address}", *options, *more)
        try:
            wait_for_calls(uas, 1)
            pid = running.process.pid if name == "supervisor" else pid_of(running, name)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            time.sleep(STILL)
            os.kill(pid, signal.SIGCONT)
            code, log = running.end(within=SECONDS)
        finally:
            running.close()
    summary, rows = results(tmp_path)
    assert planned_starts(rows) == [pytest.approx(number / RATE, abs=1e-6) for number in range(CALLS)]
    assert all(float(row["planned"]) <= float(row["start"]) + 1e-6 for row in rows)
    if name != "supervisor":  # the others need nothing of it to start calls
        assert max(float(row["lateness"]) for row in rows) > STILL / 2
        assert code == 98, log
        assert not summary["generator"]["healthy"]


def test_what_a_run_does_before_its_call_is_no_lateness(tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(
        textwrap.dedent("""
            import asyncio

            async def scenario(ua, row):
                await asyncio.sleep(1.0)
                call = await ua.invite(ua.target, media="none")
                await call.bye()
        """)
    )
    with CountingUas() as uas:
        options = ["-r", str(RATE), "-m", "20", "--call-workers", "2", "--media-workers", "1", "--quiet"]
        running = Running(
            "load",
            f"bob@{uas.address}",
            *(*options, "--scenario", str(file), "--metrics", "off", "--out", str(tmp_path / "out")),
        )
        try:
            running.end(within=SECONDS)
        finally:
            running.close()
    _, rows = results(tmp_path / "out")
    assert planned_starts(rows) == [pytest.approx(number / RATE, abs=1e-6) for number in range(20)]
    for row in rows:
        passed = float(row["start"]) - float(row["planned"])
        assert passed > 0.99
        assert float(row["lateness"]) < passed - 0.99
