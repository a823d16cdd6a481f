"""Standard output that cannot be written, that nobody reads, that is closed; Ctrl-C before a command has begun."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_command_line import was
from tests.interop.node import ROOT, Answer

TARGET = "sip:a@127.0.0.1:9"
COMMANDS = [
    ["version"],
    ["metrics"],
    ["doctor"],
    ["--help"],
    ["--version"],
    ["load", "--help"],
    ["load", TARGET, "--print-config"],
    ["answer", "--print-config"],
    ["check", "load", TARGET, "-m", "1"],
]
LOST = "sipswarm: standard output cannot be written: No space left on device; what is missing there is lost\n"


def run(arguments: list[str], folder: Path, **streams: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sipswarm.actors.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    more = {"stderr": subprocess.PIPE, **streams}
    return subprocess.run(argv, cwd=folder, env=environment, text=True, timeout=60, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_output_that_cannot_be_written_is_exit_code_1(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = run(arguments, tmp_path, stdout=full)
    assert done.returncode == 1
    assert done.stderr == LOST


def test_a_load_whose_words_are_lost_has_its_files_and_exit_code_1(tmp_path: Path) -> None:
    answer = Answer(tmp_path)
    with answer.program, open("/dev/full", "w") as full:
        answer.ready()
        arguments = ["load", f"sip:a@{answer.address}", "-m", "2", "-d", "0.1s", "--quiet", "--out", "out"]
        done = run(arguments, tmp_path, stdout=full)
    assert done.returncode == 1
    assert LOST in done.stderr
    assert {each.name for each in (tmp_path / "out").iterdir()} >= {"summary.json", "calls.csv", "junit.xml"}


@pytest.mark.parametrize("arguments", COMMANDS[:-1], ids=" ".join)
def test_a_pipe_that_nobody_reads_any_more_is_no_failure(arguments: list[str], tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as pipe:
        done = run(arguments, tmp_path, stdout=pipe)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_from_the_beginning_is_no_failure(closed: str, tmp_path: Path) -> None:
    line = f'exec "$0" -m sipswarm.actors.cli version {closed}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", line, sys.executable], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_load_and_its_processes_do_without_the_standard_streams(closed: str, tmp_path: Path) -> None:
    answer = Answer(tmp_path)
    with answer.program:
        answer.ready()
        load = f"{sys.executable} -m sipswarm.actors.cli load sip:a@{answer.address} -m 2 -d 0.1s --quiet --out out"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["sh", "-c", f"{load} {closed}"], cwd=tmp_path, env=environment, text=True, timeout=60, capture_output=True
        )
    assert was(done.returncode, 0), done.stderr
    assert done.stderr == ""
    verdict = json.loads((tmp_path / "out" / "summary.json").read_text())["verdict"]
    assert verdict == ("untrustworthy" if done.returncode else "passed")


def test_a_load_that_cannot_write_its_first_file_is_wrong_usage(tmp_path: Path) -> None:
    def no_octets() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    done = run(["load", TARGET, "-m", "1", "--out", "out"], tmp_path, stdout=subprocess.PIPE, preexec_fn=no_octets)
    assert done.returncode == 2
    # Its writer says so in the log first; where coverage is measured, its own file cannot be written either.
    assert "sipswarm: --out out: File too large; make room there\n" in done.stderr
    assert "actors" not in done.stderr, "no traceback of ours"
    assert not (tmp_path / "out").exists()


def test_usage_that_is_wrong_stays_exit_code_2(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        assert run(["load", "-x"], tmp_path, stdout=full).returncode == 2


@pytest.mark.parametrize("module", ["click.core", "sipswarm.actors.errors", "sipswarm.actors.config"])
def test_ctrl_c_during_the_imports_ends_quietly(module: str, tmp_path: Path) -> None:
    """Python tells each import when it is done; many more follow."""
    argv = [sys.executable, "-X", "importtime", "-m", "sipswarm.actors.cli", "load", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None
        assert any(line.rstrip().endswith(f" {module}") for line in command.stderr)
        command.send_signal(signal.SIGINT)
        rest = command.stderr.read()
        assert command.wait(30) == 130
    assert all(line.startswith("import time:") for line in rest.splitlines())
