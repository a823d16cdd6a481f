"""Keys on a terminal while a load runs: rate, pause, drain, stop; the plan follows and so does the verdict."""

import csv
import json
import os
import pty
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_command_line import SECONDS, WORKERS, Running


class AtTerminal:
    """`sipswarm load …` with a terminal of its own; what it draws, and keys for it."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "sipswarm.actors.cli", *arguments])
        self.drawn = ""

    def until(self, words: str) -> None:
        """Read on until the words have been drawn since the last key."""
        deadline = time.monotonic() + SECONDS
        while words not in self.drawn:
            assert time.monotonic() < deadline, self.drawn[-2000:]
            self._read()

    def press(self, key: str) -> None:
        self.drawn = ""
        os.write(self._terminal, key.encode())

    def end(self) -> int:
        """Read until it ends; its exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], SECONDS)[0]:
            raise TimeoutError(self.drawn[-2000:])
        try:
            octets = os.read(self._terminal, 65536)
        except OSError:  # its other end is closed
            return False
        self.drawn += octets.decode(errors="replace")
        return bool(octets)


@pytest.fixture(scope="module")
def answering() -> Iterator[str]:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


def ended(address: str, out: Path, act: Callable[[AtTerminal], None]) -> tuple[int, dict[str, Any]]:
    """Run an endless load, press keys, and give its exit code and summary."""
    load = AtTerminal("load", address, "-r", "2", "--duration", "1h", "-d", "200ms", *WORKERS, "--out", str(out))
    load.until("? shows the keys")
    act(load)
    code = load.end()
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary


def test_keys_change_the_rate_pause_and_drain(answering: str, tmp_path: Path) -> None:
    def act(load: AtTerminal) -> None:
        load.press("/")
        load.until("rate 0: no new calls")
        load.press("+")
        load.until("rate 1 calls/s")
        load.press("*")
        load.until("rate 11 calls/s")
        time.sleep(2.0)
        load.press("p")
        load.until("paused")
        time.sleep(1.5)
        load.press("p")
        load.until("going on with 11 calls/s")
        load.press("?")
        load.until("q drain")
        load.press("q")

    code, summary = ended(answering, tmp_path, act)
    assert code in (0, 98)  # 98: the machine was busy, which is not what this test is about
    assert summary["calls"]["answered"] == summary["calls"]["planned"] >= 14
    lines = (tmp_path / "timeline.csv").read_text().splitlines()
    rates = [float(line.split(",")[1]) for line in lines[1:]]
    assert max(rates) == 11.0
    assert 0.0 in rates
    started = [int(line.split(",")[2]) for line in lines[1:]]
    with (tmp_path / "calls.csv").open(newline="") as file:
        late = max(float(row["lateness"]) for row in csv.DictReader(file))
    assert max(started) == pytest.approx(11, abs=3 + 11 * late)  # of the second before, or left to the next
    assert min(started[1:-1]) < 8


def test_the_stop_key_cuts_the_run_short(answering: str, tmp_path: Path) -> None:
    code, summary = ended(answering, tmp_path, lambda load: load.press("Q"))
    assert (code, summary["verdict"]) == (105, "interrupted")
