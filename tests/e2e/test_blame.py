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
from tests.e2e.counting_uas import CountingUas
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


def test_a_call_worker_that_dies_leaves_no_call_of_the_others_open(tmp_path: Path) -> None:
    """Its own calls are lost; those of the others are hung up and told of, and none of it is the peer's fault."""
    with CountingUas() as peer:
        more = ["-m", "30", "-r", "10", "-d", "20s", "--call-workers", "2", "--media-workers", "1", "--metrics", "off"]
        plan = [f"sip:e@{peer.address}", "--media", "silence", "--out", str(tmp_path), "--quiet", *more]
        running = Running("load", *plan)
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and len(peer.live) < 10:
                time.sleep(0.1)
            owners = call_workers_of(running.process.pid)
            assert len(owners) == 2
            lived = set(peer.live)
            os.kill(owners[0], signal.SIGKILL)
            assert running.process.wait(SECONDS) == 1
        finally:
            running.close()
        summary = summary_of(tmp_path)
        assert summary["verdict"] == "internal_failure"
        told = {row["id"] for row in rows_of(tmp_path)}
        assert lived & told  # the other worker's
        assert not told & set(peer.live)
        assert summary["blame"]["sut"] == 0


def call_workers_of(parent: int) -> list[int]:
    """Children of a process that carry calls: those that sent SIP from the inherited sockets and load no codec."""
    children = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            maps = (each / "maps").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "numpy" not in maps:
            children.append(int(each.name))
    return sorted(children)[1:]  # the dispatcher is started first


@pytest.mark.parametrize("leaves", ["raise SystemExit(3)", "raise KeyboardInterrupt", "raise asyncio.CancelledError"])
def test_whatever_leaves_a_scenario_is_its_own_fault_and_ends_no_process(
    answering: str, tmp_path: Path, leaves: str
) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(f"import asyncio\n\n\nasync def scenario(ua, row):\n    await ua.invite(ua.target)\n    {leaves}\n")
    out = tmp_path / "out"
    code = main(
        ["load", f"sip:e@{answering}", "--scenario", str(file), "-m", "2", "--out", str(out), "--quiet", *WORKERS]
    )
    assert code in (107, 98)
    assert [row["failure"] for row in rows_of(out)] == ["scenario_error"] * 2
    assert summary_of(out)["blame"]["plan"] == 2


def test_two_runs_do_not_write_into_one_folder(answering: str, tmp_path: Path) -> None:
    running = Running("load", f"sip:e@{answering}", "-m", "1", "-d", "4s", "--out", str(tmp_path), "--quiet", *WORKERS)
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not (tmp_path / "summary.json").exists():
            time.sleep(0.05)
        assert load(answering, tmp_path, "-m", "1") == 2
        assert running.process.wait(SECONDS) in (0, 98)
    finally:
        running.close()
    assert summary_of(tmp_path)["calls"]["answered"] == 1
