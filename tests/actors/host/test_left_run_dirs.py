"""Fresh run directories of nodes that were killed: removed by the next start, unless a process still uses them."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sipswarm.actors.host.left_run_dirs import MOST, remove_left
from sipswarm.actors.host.run_dir import RunDirectory

SPAWN = multiprocessing.get_context("spawn")


def take(path: str, answer: Connection) -> None:
    """What a supervisor does with its directory, until it is killed."""
    answer.send(RunDirectory(path).path)
    signal.pause()


@contextmanager
def running(path: str = "") -> Iterator[tuple[Path, int]]:
    """The run directory of a process, and its number; the process is killed at the end."""
    ours, its = SPAWN.Pipe()
    process = SPAWN.Process(target=take, args=(path, its))
    process.start()
    its.close()
    try:
        assert process.pid is not None
        yield Path(ours.recv()), process.pid
    finally:
        process.kill()
        process.join()
        ours.close()


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_the_directory_of_a_node_that_was_killed_goes_at_the_next_start(parent: Path) -> None:
    with running() as (left, _):
        (left / "control.sock").touch()
        RunDirectory().close()
        assert left.is_dir(), "its node lives"
    assert left.is_dir()
    fresh = RunDirectory()
    assert [str(each) for each in parent.iterdir()] == [fresh.path]
    fresh.close()


def test_a_directory_whose_sockets_a_process_still_serves_stays_for_a_later_start() -> None:
    with running() as (left, _):
        pass
    with socket.socket(socket.AF_UNIX) as orphan:
        orphan.bind(str(left / "sip.sock"))
        orphan.listen(0)
        for _ in range(3):  # the second one finds the queue full
            assert remove_left(str(left.parent)) == 0
        assert (left / "sip.sock").exists()
    assert remove_left(str(left.parent)) == 1
    assert not left.exists()


def test_no_other_directory_is_touched(parent: Path) -> None:
    with running(str(parent / "sipswarm-mine")):
        pass
    making, other = parent / "sipswarm-making", parent / "sipswarm-other"
    for each in (making, other):
        each.mkdir()
    (making / "lock").touch()
    (other / "notes.txt").touch()
    (parent / "sipswarm-link").symlink_to(other)
    before = {str(each) for each in parent.rglob("*")}
    assert remove_left(str(parent)) == 0
    assert {str(each) for each in parent.rglob("*")} == before
    assert remove_left(str(parent / "nowhere")) == 0


def test_one_start_looks_at_a_bounded_number(parent: Path) -> None:
    for number in range(MOST + 3):
        folder = parent / f"sipswarm-{number}"
        folder.mkdir()
        (folder / "lock").write_text(f"{os.getpid()} fresh\n")
    assert remove_left(str(parent)) == MOST
    assert remove_left(str(parent)) == 3
