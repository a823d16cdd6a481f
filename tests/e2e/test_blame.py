"""Who is to blame, through real processes: what this machine could not do is no failure of the system under test."""

import csv
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.cli import main
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, summary_of


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of `sipswarm answer`."""
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--media", "echo", "--metrics", "off", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


def load(address: str, out: Path, *more: str) -> int:
    return main(["load", f"sip:e@{address}", "--media", "silence", "--out", str(out), "--quiet", *WORKERS, *more])


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "calls.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("threshold", ["", "answered>=0.3"])
def test_calls_without_a_port_are_the_generators_and_no_threshold_hides_them(
    answering: str, tmp_path: Path, threshold: str
) -> None:
    more = ["--threshold", threshold] if threshold else []
    assert load(answering, tmp_path, "-r", "10", "-m", "12", "-d", "2s", "--rtp-ports", "41500-41506", *more) == 98
    summary = summary_of(tmp_path)
    assert summary["verdict"] == "untrustworthy"
    without = summary["calls"]["not_sent"]
    assert without == summary["blame"]["generator"] == 12 - summary["calls"]["answered"] > 0
    assert summary["blame"]["sut"] == 0
    assert summary["rate"]["achieved"] == pytest.approx(10, rel=0.2)
    refused = [row for row in rows_of(tmp_path) if row["outcome"] == "not_sent"]
    assert len(refused) == without
    for row in refused:
        assert (row["failure"], row["blame"], row["code"]) == ("no_port", "generator", "")
        assert 0 <= float(row["start"]) <= float(row["end"]) < 10
    ladders = [each.read_text() for each in tmp_path.glob("failures/*/ladder.txt")]
    assert ladders
    assert all("begun -" not in each for each in ladders)


def test_a_media_worker_that_dies_in_the_middle_of_a_run_shows_in_the_verdict(answering: str, tmp_path: Path) -> None:
    """Whatever was expected of the calls: they were cut by a fault of ours."""
    killed: list[int] = []

    def kill_the_media_worker() -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not killed:
            time.sleep(0.2)
            killed.extend(media_workers_of(os.getpid()))
        time.sleep(1.5)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_the_media_worker)
    killer.start()
    code = load(answering, tmp_path, "-r", "10", "-m", "6", "-d", "4s", "--expect-media")
    killer.join()
    assert killed
    assert code == 98
    summary = summary_of(tmp_path)
    assert summary["blame"]["sut"] == 0
    assert {row["failure"] for row in rows_of(tmp_path)} <= {"media_lost", "no_port", ""}
    assert "media_lost" in {row["failure"] for row in rows_of(tmp_path)}


def media_workers_of(parent: int) -> list[int]:
    """Children of a process that were started as media workers: those that load the codecs."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            maps = (each / "maps").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "numpy" in maps:
            found.append(int(each.name))
    return found
