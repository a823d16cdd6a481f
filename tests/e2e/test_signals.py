"""Every signal and every verb that has calls: what it does to real processes of ours, and that results are kept."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.test_command_line import SECONDS, Running

WORKERS: Final = ["--call-workers", "1", "--media-workers", "1", "--quiet"]
HUP, INT, TERM = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
USR1, USR2, QUIT = signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where calls are answered."""
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--drain", "0s", *WORKERS)
    try:
        yield robot.line().removeprefix("listening on udp:")
    finally:
        robot.close()


def started(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come up"
        time.sleep(0.05)


def summary_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return found


def load(address: str, out: Path, *more: str) -> list[str]:
    """A load whose calls would be up for a minute."""
    plan = ["-m", "2", "-r", "50", "-d", "60s", "--drain", "2s", "--out", str(out)]
    return ["load", f"echo@{address}", *plan, *WORKERS, *more]


def calls_are_up(trace: Path) -> Callable[[], bool]:
    return lambda: trace.exists() and trace.read_bytes().count(b"ACK sip:") >= 2


@pytest.mark.parametrize(
    ("signals", "exit_code", "verdict"),
    [
        ((INT,), 105, "interrupted"),
        ((TERM,), 105, "interrupted"),
        ((HUP,), 105, "interrupted"),
        ((HUP, HUP, HUP, HUP), 105, "interrupted"),
        ((USR2, USR1), 0, "passed"),
        ((INT, HUP), 105, "interrupted"),
        ((QUIT,), 1, "running"),
    ],
    ids=lambda value: "+".join(each.name for each in value) if isinstance(value, tuple) else str(value),
)
def test_a_load(address: str, tmp_path: Path, signals: Sequence[signal.Signals], exit_code: int, verdict: str) -> None:
    out, trace = tmp_path / "out", tmp_path / "trace.pcap"
    running = Running(*load(address, out, "--sip-trace", str(trace)))
    try:
        started(calls_are_up(trace))
        code, stderr = running.end(*signals)
    finally:
        running.close()
    assert (code, summary_of(out)["verdict"]) in ((exit_code, verdict), (98, "untrustworthy")), stderr
    assert (out / "calls.csv").exists() == (verdict != "running")
    assert ("Stack" in stderr or "most recent call first" in stderr) == (USR2 in signals)


def test_a_load_under_nohup_outlives_its_terminal(address: str, tmp_path: Path) -> None:
    out, trace = tmp_path / "out", tmp_path / "trace.pcap"
    process = subprocess.Popen(
        [sys.executable, "-m", "sipswarm.actors.cli", *load(address, out, "--sip-trace", str(trace))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(HUP, signal.SIG_IGN),
    )
    try:
        started(calls_are_up(trace))
        process.send_signal(HUP)
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(USR1)
        assert process.wait(SECONDS) in (0, 98)
    finally:
        process.kill()
        process.wait()
    assert (out / "calls.csv").exists()


def test_a_load_that_a_signal_ends_while_it_starts_says_so(address: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = [sys.executable, "-m", "sipswarm.actors.cli", *load(address, out, "--quiet")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        started(out.exists)  # it is made before the processes are
        process.send_signal(INT)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 105
    if not (out / "summary.json").exists():
        assert errors == (
            "sipswarm: SIGINT came while the processes were starting: nothing was sent, and there are no results\n"
        )
    else:  # they were faster
        assert summary_of(out)["verdict"] == "interrupted"


def test_a_load_whose_terminal_goes_keeps_its_results(address: str, tmp_path: Path) -> None:
    out, trace = tmp_path / "out", tmp_path / "trace.pcap"
    master, slave = os.openpty()
    arguments = [each for each in load(address, out, "--sip-trace", str(trace)) if each != "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sipswarm.actors.cli", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        started(calls_are_up(trace))
        os.read(master, 65536)
        os.close(master)
        assert process.wait(SECONDS) in (105, 98)
    finally:
        process.kill()
        process.wait()
    assert summary_of(out)["verdict"] in ("interrupted", "untrustworthy")
    assert len((out / "calls.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("verb", ["load", "demo"])
def test_closed_pipes_cost_no_results(address: str, tmp_path: Path, verb: str) -> None:
    plan = {
        "load": ["load", f"echo@{address}", "-m", "2", "-r", "50", "-d", "2s"],
        "demo": ["demo", "-m", "2", "-r", "5"],
    }[verb]
    process = subprocess.Popen(
        [sys.executable, "-m", "sipswarm.actors.cli", *plan, "--out", str(tmp_path), *WORKERS[:-1]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(60) in (0, 98)
    assert summary_of(tmp_path)["verdict"] in ("passed", "untrustworthy")
    assert (tmp_path / "junit.xml").exists()


def test_a_pipe_that_takes_one_line_ends_nothing() -> None:
    answering = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "127.0.0.1:0", *WORKERS[:-1])
    try:
        answering.line()
        assert answering.process.stderr is not None
        answering.process.stderr.close()
        time.sleep(1.5)  # its progress is written into a closed pipe
        assert answering.process.poll() is None
        answering.process.send_signal(TERM)
        assert answering.process.wait(SECONDS) == 0
    finally:
        answering.close()


@pytest.mark.parametrize("verb", ["metrics", "version"])
def test_short_verbs_do_not_mind_a_closed_pipe(verb: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sipswarm.actors.cli", verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(SECONDS), said) == (0, b"")


@pytest.mark.parametrize(
    ("verb", "signals", "exit_code"),
    [
        ("answer", (USR2, HUP, TERM), 0),
        ("answer", (HUP, INT), 0),
        ("answer", (USR1,), 0),
        ("answer", (QUIT,), 1),
        ("robot", (USR2, HUP, TERM), 0),
        ("robot", (USR1,), 0),
    ],
    ids=str,
)
def test_what_answers(tmp_path: Path, verb: str, signals: Sequence[signal.Signals], exit_code: int) -> None:
    file = tmp_path / "mine.py"
    file.write_text("async def robot(call):\n    await call.answer()\n    await call.over()\n")
    what = ["robot", str(file)] if verb == "robot" else ["answer"]
    running = Running(*what, "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        running.line()
        for number in signals[:-1]:
            running.process.send_signal(number)
            time.sleep(0.5)
            assert running.process.poll() is None, number
        code, stderr = running.end(signals[-1])
    finally:
        running.close()
    assert code == exit_code, stderr


@pytest.mark.parametrize(
    ("signals", "exit_code"), [((INT,), 0), ((TERM,), 0), ((USR2, HUP), 0), ((USR1,), 0), ((QUIT,), 1)], ids=str
)
def test_a_call(address: str, tmp_path: Path, signals: Sequence[signal.Signals], exit_code: int) -> None:
    trace = tmp_path / "trace.pcap"
    running = Running("call", f"echo@{address}", "--sip-trace", str(trace))
    try:
        started(lambda: trace.exists() and b"ACK sip:" in trace.read_bytes())
        code, stderr = running.end(*signals)
        lines = []
        while not running._lines.empty():
            lines.append(running.line())
    finally:
        running.close()
    assert code == exit_code, stderr
    assert any("ended by local" in line for line in lines) == (exit_code == 0)


def test_the_demo_on_a_hangup(tmp_path: Path) -> None:
    running = Running(
        "demo", "-m", "100", "-r", "5", "--drain", "0.5s", "--out", str(tmp_path), "--metrics", "off", *WORKERS
    )
    try:
        running.line()
        time.sleep(1.0)
        code, stderr = running.end(HUP)
    finally:
        running.close()
    assert code in (105, 98), stderr
    assert summary_of(tmp_path)["verdict"] in ("interrupted", "untrustworthy")
