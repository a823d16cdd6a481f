"""Named pipes as values of options: used, refused with a sentence, or waited for in reach of Ctrl-C and SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.counting_uas import CountingUas
from tests.interop.node import ROOT

LOAD = ["load", "127.0.0.1:9", "-m", "1", "--quiet", "--call-workers", "1", "--media-workers", "1"]
ANSWER = ["answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off"]
TLS = ["answer", "--listen", "tls:127.0.0.1:0", "--metrics", "off"]
UNREAD = "it is a pipe that nobody reads, or a socket"
SEVERAL = "it is read by several processes, which a pipe cannot be"


def start(arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """A command in a folder with a pipe `pipe`."""
    argv = [sys.executable, "-m", "sipswarm.actors.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        argv, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*LOAD, "--sip-trace", "pipe"], f"--sip-trace pipe: {UNREAD}; give a plain file"),
        ([*LOAD, "--cdr", "pipe"], f"--cdr pipe: {UNREAD}; give a file"),
        ([*ANSWER, "--sip-trace", "pipe"], f"--sip-trace pipe: {UNREAD}; give a plain file"),
        ([*ANSWER, "--cdr", "pipe"], f"--cdr pipe: {UNREAD}; give a file"),
        (["call", "127.0.0.1:9", "--sip-trace", "pipe"], f"--sip-trace pipe: {UNREAD}"),
        (["call", "127.0.0.1:9", "--cdr", "pipe"], f"--cdr pipe: {UNREAD}"),
        ([*LOAD, "--scenario", "pipe"], f"pipe: {SEVERAL}; give a Python file on disk"),
        (["check", *LOAD, "--scenario", "pipe"], f"pipe: {SEVERAL}; give a Python file on disk"),
        (
            [*LOAD, "--scenario", str(ROOT / "examples/scenario.py"), "-inf", "pipe"],
            f"pipe: {SEVERAL}; give a CSV file",
        ),
        (["robot", "pipe"], f"pipe: {SEVERAL}; give a Python file on disk"),
        (["robot", "/dev/stdin"], f"/dev/stdin: {SEVERAL}; give a Python file on disk"),
        ([*TLS, "--tls-cert", "pipe"], f"--tls-cert pipe: {SEVERAL}; give a PEM file on disk"),
        ([*TLS, "--tls-ca", "pipe"], f"--tls-ca pipe: {SEVERAL}; give a PEM file on disk"),
        (["check", *TLS, "--tls-key", "pipe", "--tls-cert", "pipe"], f"{SEVERAL}; give a PEM file on disk"),
        ([*LOAD, "--media", "play:pipe"], "pipe is no regular file"),
        ([*LOAD, "--media", "play:raw:pipe"], "pipe is no regular file"),
        ([*LOAD, "--out", "pipe"], "pipe"),
        ([*LOAD, "--run-dir", "pipe"], "pipe"),
    ],
    ids=lambda each: " ".join(each).replace(str(ROOT), "") if isinstance(each, list) else "",
)
def test_a_pipe_that_nobody_reads_or_that_several_would_read_is_refused_at_once(
    folder: Path, arguments: list[str], words: str
) -> None:
    program = start(arguments, folder)
    try:
        _, errors = program.communicate(timeout=40)
    finally:
        program.kill()
    assert program.returncode == 2, errors
    assert words in errors
    assert errors.count("\n") == 1, "one sentence"


@pytest.mark.parametrize("option", ["--scenario", "--data", "--tls-ca"])
def test_what_a_shell_substitutes_for_a_command_is_refused_where_several_processes_would_read_it(
    tmp_path: Path, option: str
) -> None:
    more = {"--scenario": "", "--data": f"--scenario {ROOT}/examples/scenario.py", "--tls-ca": "-t tls"}[option]
    line = f'exec "$0" -m sipswarm.actors.cli {" ".join(LOAD)} {more} {option} <(echo x)'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", line, sys.executable], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=40
    )
    assert done.returncode == 2
    assert SEVERAL in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    "arguments",
    [
        [*LOAD, "--profile", "pipe"],
        [*LOAD, "--config", "pipe"],
        [*LOAD, "--auth-user", "a", "--auth-password-file", "pipe"],
        ["check", *LOAD, "--profile", "pipe"],
    ],
    ids=lambda each: " ".join(each[-2:]),
)
def test_a_command_that_waits_for_the_writer_of_a_pipe_ends_by_a_signal(
    folder: Path, arguments: list[str], number: signal.Signals
) -> None:
    program = start(arguments, folder)
    try:
        _until_it_waits(program.pid)
        program.send_signal(number)
        _, errors = program.communicate(timeout=20)
    finally:
        program.kill()
    assert program.returncode == (130 if number is signal.SIGINT else -signal.SIGTERM)
    assert errors.strip() == ""


@pytest.mark.parametrize("beside", [[], ["--sip-trace", "trace.pcap"]], ids=["alone", "with-a-trace"])
def test_a_profile_and_a_password_may_come_from_pipes_and_records_go_into_one(folder: Path, beside: list[str]) -> None:
    for name in ("profile", "password"):
        os.mkfifo(folder / name)
    records = subprocess.Popen(["cat", "pipe"], cwd=folder, stdout=subprocess.PIPE, text=True)
    writers = [
        subprocess.Popen(["sh", "-c", f"echo {text} > {name}"], cwd=folder)
        for name, text in (("profile", "20/1s"), ("password", "secret"))
    ]
    with CountingUas() as uas:
        options = "-m 3 --profile profile --auth-user a --auth-password-file password --cdr pipe --out out"
        program = start(["load", f"bob@{uas.address}", *LOAD[4:], *options.split(), *beside], folder)
        _, errors = program.communicate(timeout=40)
    lines, _ = records.communicate(timeout=20)
    for each in writers:
        assert each.wait(20) == 0
    assert program.returncode in (0, 98), errors
    assert len([json.loads(line) for line in lines.splitlines()]) == 3


def test_pipes_in_the_folder_of_results_give_way(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    for name in ("summary.json", "summary.json.partial", "calls.csv.partial", "calls.csv", "timeline.csv", "junit.xml"):
        os.mkfifo(out / name)
    with CountingUas() as uas:
        program = start(["load", f"bob@{uas.address}", "-m", "1", *LOAD[4:], "--out", "out"], folder)
        _, errors = program.communicate(timeout=40)
    assert program.returncode in (0, 98), errors
    assert len((out / "calls.csv").read_text().splitlines()) == 2
    assert all(each.is_file() for each in out.iterdir() if not each.is_dir())


def _until_it_waits(pid: int) -> None:
    """Until a process stands in the opening of a pipe."""
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/wchan").read_text() not in ("wait_for_partner", "fifo_open"):
        assert time.monotonic() < deadline, "it does not wait for the pipe"
        time.sleep(0.05)
