"""A second run in the folder of a first one: whenever it dies, nothing there reads as its result, or as passed."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.load.results import FILES
from tests.e2e.test_command_line import SECONDS, Running

WORKERS = ["--call-workers", "1", "--media-workers", "1", "--quiet"]


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """Where every call is refused."""
    arguments = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--status", "486", *WORKERS]
    robot = Running("answer", *arguments)
    try:
        yield robot.line().removeprefix("listening on udp:")
    finally:
        robot.close()


@pytest.fixture
def earlier(refusing: str, tmp_path: Path) -> Path:
    """The folder of a run that passed, though its calls failed: it has everything that a run can leave."""
    plan = ["-m", "2", "-r", "50", "--threshold", "answered<=1"]
    assert main(["load", f"x@{refusing}", *plan, "--out", str(tmp_path), *WORKERS]) in (0, 98)
    assert all((tmp_path / name).exists() for name in FILES)
    assert len(list((tmp_path / "failures").iterdir())) == 2
    return tmp_path


def failures_of(folder: Path) -> set[str]:
    """The names in the folder of failed calls; it may be moved away meanwhile."""
    with suppress(FileNotFoundError):
        return {each.name for each in (folder / "failures").iterdir()}
    return set()


def second_run(refusing: str, folder: Path) -> Running:
    return Running("load", f"x@{refusing}", "-r", "5", "--duration", "60s", "--out", str(folder), *WORKERS)


def assert_nothing_reads_as_a_result(folder: Path, run_of_the_first: str) -> None:
    if (folder / "summary.json").exists():
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["verdict"], summary["exit_code"]) == ("running", None)
        assert summary["run"]["id"] != run_of_the_first
    for name in ("junit.xml", "calls.csv"):
        assert not (folder / name).exists(), name
    for name in ("report.html", "timeline.csv"):
        if (folder / name).exists():
            assert "PASSED" not in (folder / name).read_text()


def run_of(folder: Path) -> str:
    identity: str = json.loads((folder / "summary.json").read_text())["run"]["id"]
    return identity


def test_killed_as_soon_as_it_has_touched_the_folder(refusing: str, earlier: Path) -> None:
    first = run_of(earlier)
    old = failures_of(earlier)
    running = second_run(refusing, earlier)
    try:
        deadline = time.monotonic() + SECONDS
        while (earlier / "junit.xml").exists() or not (earlier / "calls.csv.partial").exists():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        running.end(signal.SIGKILL)
    finally:
        running.close()
    assert_nothing_reads_as_a_result(earlier, first)
    assert not old & failures_of(earlier), "those of its own first calls may be there"


@pytest.mark.parametrize("seconds", [1.0, pytest.param(12.0, marks=pytest.mark.slow)])
def test_killed_while_calls_go_on(refusing: str, earlier: Path, seconds: float) -> None:
    first = run_of(earlier)
    old = failures_of(earlier)
    running = second_run(refusing, earlier)
    try:
        deadline = time.monotonic() + SECONDS
        while not (names := failures_of(earlier)) or old & names:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(seconds)
        running.end(signal.SIGKILL)
    finally:
        running.close()
    assert_nothing_reads_as_a_result(earlier, first)
    assert run_of(earlier) != first
    assert list(earlier.glob("*.previous")) == []


def test_a_run_that_cannot_start_leaves_the_earlier_results_under_another_name(refusing: str, earlier: Path) -> None:
    contents = {name: (earlier / name).read_bytes() for name in FILES}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("127.0.0.1", 0))
        port = str(busy.getsockname()[1])
        for _ in range(2):
            assert main(["load", f"x@{refusing}", "-m", "1", "-p", port, "--out", str(earlier), *WORKERS]) == 2
    assert {name: (earlier / f"{name}.previous").read_bytes() for name in FILES} == contents
    assert len(list((earlier / "failures.previous").iterdir())) == 2
    assert sorted(each.name for each in earlier.iterdir()) == sorted(
        f"{name}.previous" for name in (*FILES, "failures")
    )


def test_a_usage_error_touches_nothing(refusing: str, earlier: Path) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in earlier.iterdir()}
    assert main(["load", f"x@{refusing}", "-m", "1", "--threshold", "nonsense", "--out", str(earlier), *WORKERS]) == 2
    assert {each.name: each.stat().st_mtime_ns for each in earlier.iterdir()} == before


def test_a_second_run_that_ends_replaces_everything(refusing: str, earlier: Path) -> None:
    first = run_of(earlier)
    (earlier / "failures" / "notes.txt").write_text("mine")
    assert main(["load", f"x@{refusing}", "-m", "3", "-r", "50", "--out", str(earlier), *WORKERS]) in (1, 98)
    assert json.loads((earlier / "summary.json").read_text())["run"]["seed"] == 1
    assert len((earlier / "calls.csv").read_text().splitlines()) == 4
    assert len(list((earlier / "failures").iterdir())) == 3
    assert (earlier / "failures.previous" / "notes.txt").read_text() == "mine"
    assert first
