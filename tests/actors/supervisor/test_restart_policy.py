"""When a process is started again: a bounded number of times in a window, with growing pauses; then never."""

from sipswarm.actors.supervisor.restart_policy import BACK_OFF, RESTART_WINDOW, RESTARTS, RestartPolicy


def test_pauses_grow_until_the_process_has_died_too_often() -> None:
    policy = RestartPolicy()
    assert [policy.died(100.0 + number) for number in range(RESTARTS)] == list(BACK_OFF)
    assert policy.died(100.0 + RESTARTS) is None
    assert policy.died(100.0 + RESTARTS) is None


def test_what_is_long_ago_does_not_count() -> None:
    policy = RestartPolicy()
    for number in range(RESTARTS):
        policy.died(100.0 + number)
    assert policy.died(100.0 + RESTART_WINDOW) == BACK_OFF[-1]
    assert policy.died(100.0 + RESTART_WINDOW) is None
    assert policy.died(200.0 + RESTART_WINDOW) == BACK_OFF[0]
