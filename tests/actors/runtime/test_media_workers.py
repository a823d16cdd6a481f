"""Which media worker gets a stream: one that is there, and one that retires only where there is no other one."""

from sipswarm.actors.runtime.media_workers import MediaWorkers


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
