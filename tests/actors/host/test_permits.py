"""Permits shared by processes: never two holders of one, never a free one missed, none lost with a dead process."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.host.permits import MARKS, LiveBound, Permits

TAKER = textwrap.dedent(
    """
    import json, sys, time
    from sipswarm.actors.host.permits import Permits
    path, slot, size, rounds = sys.argv[1], *map(int, sys.argv[2:])
    permits = Permits(size, path, slot)
    print("there", flush=True)
    sys.stdin.readline()
    held = []
    for _ in range(rounds):
        number = permits.take()
        if number is not None:
            held.append((number, time.monotonic()))
        if len(held) > size // 3 or number is None:
            number, since = held.pop(0) if held else (None, 0.0)
            if number is not None:
                print(json.dumps((number, since, time.monotonic())))
                permits.give_back(number)
    for number, since in held:
        print(json.dumps((number, since, time.monotonic())))
    """
)


def taker(path: Path, slot: int, size: int, rounds: int) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", TAKER, str(path), str(slot), str(size), str(rounds)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def test_processes_never_hold_the_same_number_at_a_time(tmp_path: Path) -> None:
    size = 7
    processes = [taker(tmp_path / "live.shared", slot, size, 20_000) for slot in range(3)]
    held: list[tuple[int, float, float]] = []
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in processes:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        held += [(number, since, until) for number, since, until in map(json.loads, out.splitlines())]
    assert len(held) > 1000
    for number in range(size):
        spans = sorted((since, until) for held_number, since, until in held if held_number == number)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_a_process_that_is_killed_leaves_no_lock_and_its_slots_next_one_frees_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "live.shared"
    process = taker(path, 1, 3, 10**9)
    assert process.stdin is not None
    mine = Permits(3, str(path), slot=0)
    process.stdin.write("go\n")
    process.stdin.flush()
    number = None
    while number is None:
        number = mine.take()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    Permits(3, str(path), slot=1).close()
    rest = {mine.take(), mine.take()}
    assert rest | {number} == {0, 1, 2}
    assert mine.take() is None


def test_numbers_go_round(tmp_path: Path) -> None:
    for permits in (Permits(3), Permits(3, str(tmp_path / "rows.shared"))):
        first = permits.take()
        assert first == 0
        permits.give_back(first)
        assert [permits.take(), permits.take(), permits.take(), permits.take()] == [1, 2, 0, None]
        permits.give_back(2)
        assert permits.take() == 2
        permits.close()


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.integers(1, 5))
def test_as_many_are_taken_as_there_are_by_whomever(steps: list[tuple[int, bool]], size: int) -> None:
    path = f"/dev/shm/sipswarm-test-{os.getpid()}"
    bounds = [LiveBound(size, path, slot) for slot in range(3)]
    live = [0, 0, 0]
    try:
        for worker, enters in steps:
            if enters:
                assert bounds[worker].enter() == (sum(live) < size)
                live[worker] += sum(live) < size
            elif live[worker]:
                bounds[worker].leave()
                live[worker] -= 1
    finally:
        os.unlink(path)


def test_no_limit_lets_in_whatever_comes() -> None:
    bound = LiveBound(0)
    assert all(bound.enter() for _ in range(1000))
    bound.leave()


def test_a_lock_that_is_not_let_go_is_waited_for_only_so_long(tmp_path: Path) -> None:
    path = tmp_path / "live.shared"
    permits = Permits(2, str(path))
    holder = os.open(path, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert permits.take() is None
    os.close(holder)
    assert permits.take() == 0


@pytest.mark.parametrize("slot", [0, 1, MARKS - 1, MARKS])
def test_every_slot_that_may_be_has_a_mark(slot: int) -> None:
    permits = Permits(1, slot=slot)
    assert (permits.take(), permits.take()) == (0, None)
