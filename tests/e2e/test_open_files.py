"""A limit of open files: under it a command says so before it starts anything, at it the command does its work."""

import contextlib
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.counting_uas import CountingUas
from tests.interop.node import ROOT, Answer

WORKERS = ["--call-workers", "1", "--media-workers", "1"]
TARGET = "127.0.0.1:9"
NEEDED = re.compile(r"at most (\d+) files may be open, and (\d+) are needed")


def run(arguments: list[str], folder: Path, limit: int, hard: int = 0) -> subprocess.CompletedProcess[str]:
    """A command in a folder, under a soft and a hard limit of open files; 0 = both are the same."""
    argv = [sys.executable, "-m", "sipswarm.actors.cli", *arguments]
    return subprocess.run(
        argv,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        text=True,
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard or limit)),
    )


@pytest.mark.parametrize("limit", [12, 20, 30])
@pytest.mark.parametrize(
    "arguments",
    [
        ["load", TARGET, "-m", "1", *WORKERS],
        ["load", TARGET, "-m", "1", "--scenario", str(ROOT / "examples/scenario.py"), *WORKERS],
        ["answer", "--listen", "udp:127.0.0.1:0", *WORKERS],
        ["robot", str(ROOT / "examples/robot.py"), "--listen", "udp:127.0.0.1:0", *WORKERS],
        ["demo", "-m", "1", *WORKERS],
        ["call", TARGET],
    ],
    ids=lambda each: f"{each[0]}-{len(each)}",
)
def test_a_limit_that_is_too_low_is_a_sentence_before_anything_starts(
    tmp_path: Path, arguments: list[str], limit: int
) -> None:
    done = run(arguments, tmp_path, limit)
    assert done.returncode == 2, done.stderr
    found = NEEDED.search(done.stderr)
    assert found is not None, done.stderr
    assert int(found[1]) == limit < int(found[2])
    assert "ulimit -Hn" in done.stderr
    assert (done.stdout, done.stderr.count("\n"), list(tmp_path.iterdir())) == ("", 1, [])


@pytest.mark.parametrize("workers", [(1, 1), (2, 3)], ids=["few", "more"])
def test_a_load_with_the_limit_that_was_named_passes(tmp_path: Path, workers: tuple[int, int]) -> None:
    with CountingUas() as uas:
        load = ["load", f"bob@{uas.address}", "-m", "2", "-d", "200ms", "--media", "silence", "--out", "out"]
        load += ["--call-workers", str(workers[0]), "--media-workers", str(workers[1]), "--metrics", "127.0.0.1:0"]
        load += ["--cdr", "records", "--sip-trace", "trace.pcap", "--threshold", "answered>=1", "--quiet"]
        _passes(load, tmp_path)


def test_a_demo_with_the_limit_that_was_named_passes(tmp_path: Path) -> None:
    _passes(["demo", "-m", "2", "-r", "2", "--out", "out", *WORKERS], tmp_path)


def test_a_call_with_the_limit_that_was_named_is_answered(tmp_path: Path) -> None:
    answer = Answer(tmp_path)
    with answer.program:
        answer.ready()
        call = ["call", answer.address, "--hold", "200ms", "--record", "heard.wav"]
        _passes([*call, "--cdr", "records", "--sip-trace", "trace.pcap"], tmp_path)


def test_a_soft_limit_that_is_too_low_is_raised(tmp_path: Path) -> None:
    with CountingUas() as uas:
        load = ["load", f"bob@{uas.address}", "-m", "1", "--out", "out", "--quiet", *WORKERS]
        done = run(load, tmp_path, 16, 512)
    assert done.returncode in (0, 98), done.stderr


OPTIONS = (
    b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKo1;rport\r\n"
    b"From: <sip:a@b>;tag=s\r\nTo: <sip:x@h>\r\nCall-ID: o1\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def test_silent_connections_take_no_descriptor_from_a_client_with_a_request(tmp_path: Path) -> None:
    answer = Answer(tmp_path, transport="tcp", open_files=150)
    with answer.program, contextlib.ExitStack() as peers:
        answer.ready()
        for number in range(200):  # more than there are descriptors, and no source has too many
            source = (f"127.0.77.{10 + number // 50}", 0)
            peers.enter_context(socket.create_connection((answer.host, answer.port), 10, source))
        with socket.create_connection((answer.host, answer.port), 10, ("127.0.77.1", 0)) as wanted:
            wanted.sendall(OPTIONS)
            assert wanted.recv(100).startswith(b"SIP/2.0 200 ")
        answer.counted("sipswarm_transport_connections_dropped_total", 50, reason="made_room")
        assert "the oldest one that no message came by makes room" in answer.program.errors


def _passes(arguments: list[str], folder: Path) -> None:
    refused = run(arguments, folder, 16)
    found = NEEDED.search(refused.stderr)
    assert found is not None, refused.stderr
    wanted = int(found[2])
    assert NEEDED.search(run(arguments, folder, wanted - 1).stderr) is not None
    done = run(arguments, folder, wanted)
    assert done.returncode in (0, 98), done.stderr
    assert "Too many open files" not in done.stdout + done.stderr
    assert "no_descriptor" not in done.stdout + done.stderr
