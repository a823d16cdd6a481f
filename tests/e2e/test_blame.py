"""Who is to blame, through real processes: what this machine could not do is no failure of the system under test."""

import csv
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, planned_starts, rate_of, scraped, summary_of
from tests.e2e.waiting import ATTEMPTS
from tests.interop.processes import wait_until


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of `sipswarm answer`."""
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--media", "echo", "--metrics", "off", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


def plan(address: str, out: Path, *more: str) -> list[str]:
    """The arguments of a load without words."""
    return [f"sip:e@{address}", "--out", str(out), "--quiet", *more]


def load(address: str, out: Path, *more: str) -> int:
    """Run one in this process, the node's processes beside it; its exit code."""
    return main(["load", *plan(address, out, "--media", "silence", *WORKERS, *more)])


def workers_of(parent: int, kind: str) -> list[int]:
    """The processes of one kind, call or media, that a command has started, by the name in their arguments."""
    found = []
    for each in Path(f"/proc/{parent}/task").glob("*/children"):  # not theirs: peers are children of the tests too
        for pid in map(int, each.read_text().split()):
            with suppress(OSError):  # it has ended meanwhile
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if any(word.startswith(f"{kind}-".encode()) for word in words):
                    found.append(pid)
    return sorted(found)


def wait_for(condition: Callable[[], object]) -> None:
    wait_until(lambda: bool(condition()), SECONDS, "what the test waits for")


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
    assert rate_of(planned_starts(rows_of(tmp_path))) == pytest.approx(10, rel=0.2)
    starts = [float(row["start"]) for row in rows_of(tmp_path)]
    assert summary["rate"]["achieved"] == pytest.approx(rate_of(starts), rel=0.01)
    refused = [row for row in rows_of(tmp_path) if row["outcome"] == "not_sent"]
    assert len(refused) == without
    for row in refused:
        assert (row["failure"], row["blame"], row["code"]) == ("no_port", "generator", "")
        assert 0 <= float(row["start"]) <= float(row["end"]) < 10
    ladders = [each.read_text() for each in tmp_path.glob("failures/*/ladder.txt")]
    assert ladders
    assert all("begun -" not in each for each in ladders)


def test_a_media_worker_that_dies_in_the_middle_of_a_run_shows_in_the_verdict(tmp_path: Path) -> None:
    """The calls go on at the next one, with a gap, which is a fault of ours, whatever was expected of them."""
    killed: list[int] = []
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--media", "echo", "--metrics", "0", *WORKERS)
    try:
        address = robot.line().removeprefix("listening on udp:")
        url = robot.line().removeprefix("metrics on ")

        def kill_the_media_worker() -> None:
            wait_for(
                lambda: sum(value for key, value in scraped(url).items() if key[0] == "sipswarm_calls_active") >= 6
            )
            killed.extend(workers_of(os.getpid(), "media"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_the_media_worker)
        killer.start()
        code = load(address, tmp_path, "-r", "10", "-m", "6", "-d", "6s", "--expect-media")
        killer.join()
    finally:
        robot.close()
    assert killed
    assert code == 98
    summary = summary_of(tmp_path)
    assert summary["blame"]["sut"] == 0
    assert [row["failure"] for row in rows_of(tmp_path)] == ["media_interrupted"] * 6
    assert summary["calls"]["answered"] == 6
    assert all(float(row["duration"]) > 5.5 for row in rows_of(tmp_path))


def test_a_media_worker_that_stands_still_in_the_middle_of_a_run_is_no_fault_of_the_other_side(tmp_path: Path) -> None:
    """What the calls of that time miss is ours, in rows, summary and verdict."""
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--media", "echo", "--metrics", "0", *WORKERS)
    stopped: list[int] = []
    try:
        address = robot.line().removeprefix("listening on udp:")
        url = robot.line().removeprefix("metrics on ")

        def stop_the_media_worker() -> None:
            wait_for(
                lambda: sum(value for key, value in scraped(url).items() if key[0] == "sipswarm_calls_active") >= 6
            )
            stopped.extend(workers_of(os.getpid(), "media"))
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)  # of the four seconds of each call
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

        stopper = threading.Thread(target=stop_the_media_worker)
        stopper.start()
        code = load(address, tmp_path, "-r", "10", "-m", "6", "-d", "4s", "--media-share", "0.95")
        stopper.join()
    finally:
        robot.close()
    assert stopped
    assert code == 98
    assert [row["failure"] for row in rows_of(tmp_path)] == ["stood_still"] * 6
    summary = summary_of(tmp_path)
    assert summary["blame"] == {"sut": 0, "generator": 6, "plan": 0}
    assert summary["media"]["one_way_calls"] == 0


def test_a_call_worker_that_dies_leaves_no_call_of_the_others_open(tmp_path: Path) -> None:
    """Its own calls are lost; those of the others are hung up and told of, and none of it is the peer's fault."""
    with CountingUas() as peer:
        more = ["-m", "30", "-r", "10", "-d", "20s", "--call-workers", "2", "--media-workers", "1", "--metrics", "off"]
        running = Running("load", *plan(peer.address, tmp_path, "--media", "silence", *more))
        try:
            wait_for(lambda: len(peer.live) >= 10)
            owners = workers_of(running.process.pid, "call")
            assert len(owners) == 2
            lived = set(peer.live)
            os.kill(owners[0], signal.SIGKILL)
            assert running.process.wait(2 * SECONDS) == 98
        finally:
            running.close()
        summary = summary_of(tmp_path)
        assert summary["verdict"] == "untrustworthy"
        told = {row["id"] for row in rows_of(tmp_path)}
        assert lived & told  # the other worker's
        wait_for(lambda: not told & set(peer.live))  # the peer may have to read its last BYE
        assert summary["blame"]["sut"] == 0


@pytest.mark.parametrize("leaves", ["raise SystemExit(3)", "raise KeyboardInterrupt", "raise asyncio.CancelledError"])
def test_whatever_leaves_a_scenario_is_its_own_fault_and_ends_no_process(
    answering: str, tmp_path: Path, leaves: str
) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(f"import asyncio\n\n\nasync def scenario(ua, row):\n    await ua.invite(ua.target)\n    {leaves}\n")
    out = tmp_path / "out"
    code = main(["load", *plan(answering, out, "--scenario", str(file), "-m", "2", *WORKERS)])
    assert code in (107, 98)
    assert [row["failure"] for row in rows_of(out)] == ["scenario_error"] * 2
    assert summary_of(out)["blame"]["plan"] == 2


LEAVES = {
    'assert False, "overload"': ("assertion: overload", "sut"),
    'assert False, "scenario_error"': ("assertion: scenario_error", "sut"),
    'assert False, "bye_refused "': ("assertion: bye_refused", "sut"),
    'assert False, " \\t "': ("line 9: ", "sut"),
    'assert False, "\\u00a0\\n"': ("line 10: ", "sut"),
    "assert False, Bad()": ("<exception str() failed>", "sut"),
    'raise sipswarm.Overloaded("x", "")': ("overload", "generator"),
    'raise sipswarm.Overloaded("x", "bye_refused")': ("overload", "generator"),
    'raise sipswarm.CallError("")': ("CallError", "sut"),
    'await call.play("/nonexistent.wav")': ("media_refused", "plan"),
    'await call.dtmf("1", methods="smoke")': ("scenario_error", "plan"),
    'await call.bye(); await call.dtmf("1")': ("scenario_error", "plan"),
    'await ua.invite("sip:x@no-such-host.invalid")': ("scenario_error", "plan"),
    "raise GeneratorExit": ("scenario_error", "plan"),
    "raise BaseException": ("scenario_error", "plan"),
    "return": ("", ""),
}
"""What leaves a function: the failure and the blame that are right."""
BEGIN_OF_SCENARIO = """import sipswarm
class Bad:
    def __str__(self): return 1 / 0
async def scenario(ua, row):
    call = await ua.invite(ua.target)
"""


@pytest.mark.parametrize("threshold", ["", "answered>=0"])
def test_what_leaves_a_scenario_has_a_name_and_the_right_one_to_blame(
    answering: str, tmp_path: Path, threshold: str
) -> None:
    file = tmp_path / "scenario.py"
    branches = (f"    if row.field(0) == '{index}': {statement}\n" for index, statement in enumerate(LEAVES))
    file.write_text(BEGIN_OF_SCENARIO + "".join(branches))
    data = tmp_path / "cases.csv"
    data.write_text("SEQUENTIAL\n" + "".join(f"{index}\n" for index in range(len(LEAVES))))
    out = tmp_path / "out"
    more = ["-inf", str(data), "-m", str(len(LEAVES)), "-r", "20", "--call-workers", "1", "--media-workers", "1"]
    more += ["--threshold", threshold] if threshold else []
    assert main(["load", *plan(answering, out, "--scenario", str(file), "--metrics", "off", *more)]) == 98
    rows = [(row["failure"], row["blame"]) for row in sorted(rows_of(out), key=lambda row: float(row["start"]))]
    assert len(rows) == len(LEAVES)
    for found, (failure, blame) in zip(rows, LEAVES.values(), strict=True):
        assert found[1] == blame, found
        assert found[0].startswith(failure), found


def test_two_runs_do_not_write_into_one_folder(answering: str, tmp_path: Path) -> None:
    running = Running("load", *plan(answering, tmp_path, "-m", "1", "-d", "4s", *WORKERS))
    try:
        wait_for((tmp_path / "summary.json").exists)
        assert load(answering, tmp_path, "-m", "1") == 2
        assert running.process.wait(SECONDS) in (0, 98)
    finally:
        running.close()
    assert summary_of(tmp_path)["calls"]["answered"] == 1


@pytest.mark.parametrize("least", [("2s", "1s", "0s"), ("0", "0", "1ms")], ids=["least", "never"])
def test_the_least_bounds_of_a_node_let_healthy_calls_pass(
    answering: str, tmp_path: Path, least: tuple[str, str, str]
) -> None:
    bounds = [text for pair in zip(("--hang-timeout", "--rtp-timeout", "--drain"), least, strict=True) for text in pair]
    for _ in range(ATTEMPTS):
        code = load(answering, tmp_path, *bounds, "-m", "6", "-r", "10", "-d", "4s", "--expect-media")
        if code != 98:  # the machine was too busy: then peers may be late too
            break
    assert code in (0, 98)
    summary = summary_of(tmp_path)
    assert (summary["calls"]["completed"], summary["failures"]) == (6, [])
    assert not [row for row in rows_of(tmp_path) if row["failure"]]


def test_a_ring_time_of_zero_is_the_usual_one_of_180_s(answering: str, tmp_path: Path) -> None:
    assert load(answering, tmp_path, "--ring-time", "0s", "-m", "1", "-r", "10") in (0, 98)
    assert summary_of(tmp_path)["run"]["plan"]["ring time"] == "180 s"
