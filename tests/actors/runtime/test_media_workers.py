"""Which media worker gets a stream: one that is there, and one that retires only where there is no other one."""

from sipswarm.actors.runtime.media_workers import PLANNED_WAIT, WAIT, MediaWorkers
from sipswarm.actors.supervisor.child_process import KILL_AFTER
from sipswarm.actors.supervisor.supervisor import START_TIMEOUT, WATCH

T1 = 0.5
"""Seconds (RFC 3261 section 17.1.1.1)."""


def chosen(workers: MediaWorkers, preferred: int) -> set[int]:
    return {workers.choose(preferred) for _ in range(6)}


def test_one_that_retires_gets_no_stream_while_another_one_is_there() -> None:
    workers = MediaWorkers(3)
    workers.retire(0)
    assert chosen(workers, 0) == {1, 2}
    assert chosen(workers, 1) == {1}
    workers.unlinked(2)
    assert chosen(workers, 0) == {1}


def test_it_gets_streams_where_no_other_one_is_there() -> None:
    workers = MediaWorkers(2)
    workers.retire(0)
    workers.late(1)
    assert chosen(workers, 0) == {0}
    assert chosen(workers, 1) == {0}
    assert workers.is_there(0), "its streams go on"


def test_its_replacement_gets_streams_again() -> None:
    workers = MediaWorkers(2)
    workers.retire(0)
    workers.unlinked(0)
    workers.linked(0)
    assert chosen(workers, 0) == {0}


def test_streams_wait_longer_only_for_one_that_is_replaced_on_purpose() -> None:
    workers = MediaWorkers(2)
    workers.unlinked(1)
    workers.retire(0)
    assert workers.wait == WAIT
    workers.unlinked(0)
    assert workers.wait == PLANNED_WAIT
    workers.linked(1)
    assert workers.wait == PLANNED_WAIT
    workers.linked(0)
    assert workers.wait == WAIT
    workers.unlinked(0)
    assert workers.wait == WAIT, "it has died"
    workers.linked(0)
    workers.retire(0)
    workers.unlinked(0)
    workers.given_up(0)
    assert workers.wait == WAIT


def test_a_planned_wait_lasts_for_a_start_that_hangs_and_the_next_one_and_no_longer_than_a_caller_waits() -> None:
    a_start = 5.0
    assert START_TIMEOUT + WATCH + KILL_AFTER + a_start < PLANNED_WAIT < 64 * T1
