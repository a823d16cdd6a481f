"""Whose fault a gap in the statistics is: that of the process, or of the supervisor that read none."""

from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.load.health import MOST_GAPS, Health

CAME_LATE = "; what the others counted meanwhile came late"


def reasons(*beats: tuple[str, float]) -> tuple[str, ...]:
    """The reasons of a run with snapshots of processes at these times."""
    health = Health()
    health.begin()
    for number, (process, at) in enumerate(beats):
        health.observe(process, 1, Snapshot(number + 1, at, 0, ()))
    return health.figures(None).reasons


def test_a_process_that_sends_nothing_is_named() -> None:
    assert reasons(("call-0", 0.0), ("supervisor", 3.0), ("call-0", 3.5)) == (
        "call-0: no statistics for more than 3 s",
    )


def test_a_supervisor_that_stood_still_is_named_and_not_those_whose_statistics_it_did_not_read() -> None:
    started = [("supervisor", 0.0), ("call-0", 0.3), ("media-0", 0.4)]
    went_on = [("call-0", 8.3), ("media-0", 8.4), ("supervisor", 8.5)]
    assert reasons(*started, *went_on) == (f"supervisor: stood still for 8.5 s{CAME_LATE}",)
    assert reasons(*started, *reversed(went_on)) == (f"supervisor: stood still for 8.5 s{CAME_LATE}",)
    later = [("call-0", 20.0), ("supervisor", 10.0), ("supervisor", 12.0), ("supervisor", 14.0)]
    assert reasons(*started, *went_on, *later) == (
        "call-0: no statistics for more than 3 s",
        f"supervisor: stood still for 8.5 s{CAME_LATE}",
    )


def test_the_supervisor_of_a_node_with_a_prefix_is_one_too() -> None:
    assert reasons(("load supervisor", 0.0), ("load call-0", 0.0), ("load call-0", 4.0), ("load supervisor", 4.0)) == (
        f"load supervisor: stood still for 4.0 s{CAME_LATE}",
    )


def test_the_gaps_that_are_kept_are_bounded() -> None:
    health = Health()
    health.begin()
    for number in range(10 * MOST_GAPS):
        health.observe("call-0", 1, Snapshot(number + 1, 4.0 * number, 0, ()))
    assert len(health._gaps["call-0"]) == MOST_GAPS
