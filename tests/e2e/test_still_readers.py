"""Readers of standard output and standard error that stand still, and disks that are full: calls go on, SIGTERM ends.

The robot writes as much as it can, in every way that code has, at each call: to its streams, to the descriptors
themselves, to the log, and by an exception in a line of its own. The caller is a load, which judges what it got.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.test_command_line import scraped
from tests.interop.node import ROOT
from tests.interop.processes import free_port, wait_until

ROBOT = """
import logging, os, sys, threading, warnings

count = 0

async def robot(call):
    global count
    count += 1
    await call.answer()
    for _ in range(20):
        print("x" * 2000)
        print("x" * 2000, file=sys.stderr)
        logging.getLogger("robot").error("one more call: %s", "x" * 2000)
        for descriptor in (1, 2):
            try:
                os.write(descriptor, b"x" * 2000 + b"\\n")
            except BlockingIOError:
                pass
    exec(compile("\\n" * count + "raise ValueError('of this call')", "user.py", "exec"))
"""
CALLS = 20
Ends = tuple[int, int]
"""The descriptors of standard output and standard error."""


@contextlib.contextmanager
def _still_pipe(folder: Path) -> Iterator[Ends]:
    """A pipe whose reader does not read."""
    reads, writes = os.pipe()
    try:
        yield writes, writes
    finally:
        os.close(writes)
        os.close(reads)


@contextlib.contextmanager
def _still_fifo(folder: Path) -> Iterator[Ends]:
    """A named pipe whose reader does not read, for the log alone."""
    os.mkfifo(folder / "fifo")
    reads = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writes = os.open(folder / "fifo", os.O_WRONLY)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        yield nowhere, writes
    finally:
        for each in (reads, writes, nowhere):
            os.close(each)


@contextlib.contextmanager
def _closed_pipe(folder: Path) -> Iterator[Ends]:
    """A pipe whose reader is gone."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        yield writes, writes
    finally:
        os.close(writes)


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[Ends]:
    """Standard error on a disk that is full."""
    full, nowhere = os.open("/dev/full", os.O_WRONLY), os.open(os.devnull, os.O_WRONLY)
    try:
        yield nowhere, full
    finally:
        os.close(full)
        os.close(nowhere)


@contextlib.contextmanager
def _held_terminal(folder: Path) -> Iterator[Ends]:
    """A terminal that was stopped with Ctrl-S."""
    master, slave = os.openpty()
    try:
        termios.tcflow(slave, termios.TCOOFF)
        yield slave, slave
    finally:
        os.close(slave)
        os.close(master)


@contextlib.contextmanager
def robot(
    folder: Path, ends: Ends, port: int, environment: Mapping[str, str] = os.environ
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A node with the robot, on these standard streams; with its metrics' URL."""
    (folder / "robot.py").write_text(ROBOT)
    metrics = free_port()
    arguments = ["robot", str(folder / "robot.py"), "--listen", f"udp:127.0.0.1:{port}"]
    more = ["--metrics", f"127.0.0.1:{metrics}", "--call-workers", "1", "--media-workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sipswarm.actors.cli", *arguments, *more],
        stdin=subprocess.DEVNULL,
        stdout=ends[0],
        stderr=ends[1],
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    url = f"http://127.0.0.1:{metrics}/metrics"
    try:
        wait_until(lambda: _is_up(url), 30, lambda: "the node is up")
        yield process, url
    finally:
        process.kill()
        process.wait()


def _is_up(url: str) -> bool:
    with contextlib.suppress(OSError):
        return all(value for name, value in scraped(url).items() if name[0] == "sipswarm_process_up")
    return False


def called(folder: Path, port: int) -> None:
    """Have every call of a load answered by the robot."""
    arguments = ["load", f"127.0.0.1:{port}", "-m", str(CALLS), "-r", "40", "-d", "5s", "--quiet", "--out", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "sipswarm.actors.cli", *arguments, "--call-workers", "1", "--media-workers", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    rows = (folder / "out" / "calls.csv").read_text().splitlines()[1:]
    assert [row.split(",")[3] for row in rows] == ["answered"] * CALLS, done.stdout


@pytest.mark.parametrize(
    "streams",
    [_still_pipe, _still_fifo, _closed_pipe, _full_disk, _held_terminal],
    ids=["still-pipe", "still-fifo", "closed-pipe", "full-disk", "held-terminal"],
)
def test_calls_go_on_and_a_signal_ends_the_node(
    tmp_path: Path, streams: Callable[[Path], contextlib.AbstractContextManager[Ends]]
) -> None:
    port = free_port()
    with streams(tmp_path) as ends, robot(tmp_path, ends, port) as (process, url):
        called(tmp_path, port)
        samples = scraped(url)
        assert not any(value for name, value in samples.items() if name[0] == "sipswarm_process_restarts_total")
        if streams is not _closed_pipe:
            lost = [
                value
                for name, value in samples.items()
                if name[:1] + name[2:] == ("sipswarm_queue_dropped_total", "log")
            ]
            assert sum(lost) > 0
        process.send_signal(signal.SIGUSR2)  # a stack, which nobody reads either
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == (1 if ends[0] == ends[1] and streams is not _closed_pipe else 0)
        assert time.monotonic() - begun < 10


def test_how_many_lines_were_lost_is_said_once_somebody_reads(tmp_path: Path) -> None:
    port = free_port()
    reads, writes = os.pipe()
    fcntl.fcntl(reads, fcntl.F_SETPIPE_SZ, 4096)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with robot(tmp_path, (nowhere, writes), port) as (process, _):
            os.close(writes)
            called(tmp_path, port)
            process.send_signal(signal.SIGTERM)
            with open(reads, "rb") as reader:
                text = reader.read().decode()
            assert process.wait(20) == 0
    finally:
        os.close(nowhere)
    assert "lines were lost, because nobody read them" in text
    assert "ValueError: of this call" in text


def test_health_and_the_watchdog_say_that_all_is_well_meanwhile(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        _still_pipe(tmp_path) as ends,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        with robot(tmp_path, ends, port, environment) as (process, url):
            called(tmp_path, port)
            with urllib.request.urlopen(url.replace("/metrics", "/healthz"), timeout=20) as answer:
                assert answer.status == 200
            manager.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    manager.recv(65536)
            manager.settimeout(20)
            alive = 0
            while alive < 3:  # one each half second; a process that stood still would send none
                alive += b"WATCHDOG=1" in manager.recv(65536)
            process.send_signal(signal.SIGTERM)
            while b"STOPPING=1" not in manager.recv(65536):
                pass
            assert process.wait(20) == 1  # what it printed is lost
