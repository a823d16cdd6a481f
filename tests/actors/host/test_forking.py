"""Children that one process forks for another: their parent, their files, their ends, and what is refused."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sipswarm.actors.host import subreaper
from sipswarm.actors.host.forking import ANSWER, REQUEST

PROGRAM = """
    import os, random, socket, sys, threading
    from sipswarm.actors.host.forking import Forks
    {before}
    if not Forks(socket.socket(fileno=0)).serve():
        sys.exit(3)
    status = os.read(0, 1)
    print(os.getppid(), *sorted(os.listdir("/proc/self/fd")[:-1]), random.random())
    sys.stdout.flush()
    os._exit(int(status or b"9"))
"""


class Forking:
    """A process that forks, and the line to it."""

    def __init__(self, before: str) -> None:
        self.line, theirs = socket.socketpair()
        self.line.settimeout(20.0)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(PROGRAM).format(before=before)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )

    def answer(self) -> int:
        """A number; -1 = the process is gone."""
        octets = self.line.recv(ANSWER.size)
        return int(ANSWER.unpack(octets)[0]) if octets else -1

    def child(self, files: int = 3) -> tuple[int, socket.socket, int]:
        """Ask for a child; its number, its standard input and its standard output."""
        ours, theirs = socket.socketpair()
        reads, writes = os.pipe()
        socket.send_fds(self.line, [REQUEST], [theirs.fileno(), writes, writes][:files])
        theirs.close()
        os.close(writes)
        return self.answer(), ours, reads


@contextmanager
def forking(before: str = "") -> Iterator[Forking]:
    forks = Forking(before)
    subreaper.adopt(forks, True)
    try:
        assert forks.answer() in (forks.process.pid, -1)
        yield forks
    finally:
        subreaper.adopt(forks, False)
        forks.line.close()
        forks.process.kill()
        forks.process.communicate()


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_of_ours_has_three_files_and_a_randomness_of_its_own() -> None:
    with forking() as forks:
        said = []
        for _ in range(2):
            pid, line, output = forks.child()
            assert subreaper.is_child(pid)
            line.close()
            with os.fdopen(output) as reads:
                parent, *files, number = reads.readline().split()
            assert (int(parent), files) == (os.getpid(), ["0", "1", "2"])
            said.append(number)
            assert ended(pid) == 9
            assert not subreaper.is_child(pid)
        assert said[0] != said[1]


def test_the_end_of_a_child_is_known_and_outlives_the_process_that_forked_it() -> None:
    with forking() as forks:
        first, second = forks.child(), forks.child()
        forks.process.kill()
        forks.process.wait()
        first[1].send(b"5")
        assert ended(first[0]) == 5
        assert subreaper.is_child(second[0])
        os.kill(second[0], signal.SIGABRT)
        assert ended(second[0]) == -signal.SIGABRT
        for _, line, output in (first, second):
            line.close()
            os.close(output)


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_fork_that_the_system_refuses_is_answered_and_the_next_one_is_done(fails_at: int) -> None:
    refusing = f"""
from errno import EAGAIN
forks = iter(range(1, 10)); real = os.fork
def fork():
    if next(forks) == {fails_at}:
        raise BlockingIOError(EAGAIN, "no more processes")
    return real()
os.fork = fork"""
    with forking(refusing) as forks:
        pid, line, output = forks.child()
        assert pid == 0
        line.close()
        os.close(output)
        if fails_at == 1:  # the second fork of a child is made in a process that has a count of its own
            pid, line, output = forks.child()
            line.close()
            assert ended(pid) == 9
            os.close(output)


def test_a_request_whose_files_did_not_come_is_refused() -> None:
    with forking() as forks:
        pid, line, output = forks.child(files=2)
        assert pid == 0
        assert os.read(output, 1) == b"", "nothing is left open"
        assert line.recv(1) == b""
        line.close()
        os.close(output)


def test_a_process_with_a_thread_forks_nothing() -> None:
    with forking("threading.Thread(target=threading.Event().wait, daemon=True).start()") as forks:
        pid, line, output = forks.child()
        assert pid == -1
        _, errors = forks.process.communicate(timeout=20)
        assert "a library has started a thread" in errors
        line.close()
        os.close(output)


def test_it_ends_when_nobody_can_ask_any_more() -> None:
    with forking() as forks:
        forks.line.close()
        assert forks.process.wait(20) == 3
