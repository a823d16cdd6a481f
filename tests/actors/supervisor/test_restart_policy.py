"""When a process is started again: at once if it lived, with growing pauses if its starts fail, then never."""

import pytest

from sipswarm.actors.supervisor.restart_policy import (
    BACK_OFF,
    BUDGETS,
    GIVEN_UP,
    QUICK,
    Budget,
    Phase,
    RestartPolicy,
)

MANY = Budget(100, 1000.0, quick_only=False)


def dies(policy: RestartPolicy, started: float, lived: float) -> float | None:
    """The decision on a process that was started then and lived so long."""
    policy.started(started)
    return policy.died(started + lived)


def test_a_process_that_lived_is_replaced_at_once() -> None:
    policy = RestartPolicy(MANY)
    assert [dies(policy, 100.0 * number, QUICK) for number in range(5)] == [0.0] * 5


def test_pauses_grow_while_starts_fail_in_a_row_and_begin_anew_with_one_that_lived() -> None:
    policy = RestartPolicy(MANY)
    assert [dies(policy, float(number), 0.1) for number in range(len(BACK_OFF))] == list(BACK_OFF)
    assert dies(policy, 20.0, 2.9) == BACK_OFF[-1] == 5.0
    assert dies(policy, 30.0, 60.0) == 0.0
    assert dies(policy, 90.0, 0.1) == BACK_OFF[0] == 0.05


@pytest.mark.parametrize("role", sorted(BUDGETS))
def test_a_process_that_dies_at_every_start_is_given_up_and_stays_so(role: str) -> None:
    policy, budget = RestartPolicy(BUDGETS[role]), BUDGETS[role]
    decisions = [dies(policy, 100.0 + number, 0.1) for number in range(budget.deaths)]
    assert None not in decisions
    assert dies(policy, 100.0 + budget.deaths, 0.1) is None
    assert dies(policy, 101.0 + budget.deaths, 0.1) is None
    assert policy.words == f"died {budget.deaths + 1} times in {budget.window:.0f} s"


@pytest.mark.parametrize("role", ["call", "media"])
def test_of_a_worker_every_death_counts(role: str) -> None:
    policy = RestartPolicy(BUDGETS[role])
    assert [dies(policy, 100.0 + 4 * number, 3.5) for number in range(6)] == [0.0] * 5 + [None]


def test_a_dispatcher_that_is_killed_again_and_again_is_replaced_as_long_as_each_lived() -> None:
    policy = RestartPolicy(BUDGETS["dispatcher"])
    assert [dies(policy, 100.0 + 4 * number, 3.5) for number in range(20)] == [0.0] * 20


def test_what_is_long_ago_does_not_count() -> None:
    policy = RestartPolicy(BUDGETS["call"])
    for number in range(5):
        assert dies(policy, 100.0 + number, 0.5) is not None
    assert dies(policy, 130.0, 0.6) is not None, "the first is 30 s ago"
    assert dies(policy, 130.7, 0.1) is None


def test_a_start_that_the_system_refuses_is_tried_again_for_ever_and_counts_for_nothing() -> None:
    policy = RestartPolicy(BUDGETS["call"])
    pauses = [policy.refused() for _ in range(100)]
    assert pauses[: len(BACK_OFF)] == list(BACK_OFF)
    assert set(pauses[len(BACK_OFF) :]) == {BACK_OFF[-1]}
    assert dies(policy, 1000.0, 10.0) == 0.0


@pytest.mark.parametrize(
    ("role", "phases"),
    [
        ("call", [Phase.SERVING, Phase.CLOSING, Phase.LEFT]),  # its calls have peers that wait for their ends
        ("media", [Phase.SERVING, Phase.LEFT]),  # its calls are in call workers, which move or end them
        ("dispatcher", [Phase.SERVING]),  # the node ends with it
    ],
)
def test_what_follows_when_the_processes_of_a_slot_died_too_often(role: str, phases: list[Phase]) -> None:
    policy = RestartPolicy(BUDGETS[role])
    went = [policy.phase]
    while (role, policy.phase) in GIVEN_UP:
        policy.give_up(role)
        went.append(policy.phase)
    assert went == phases
    assert (policy.is_closing, policy.is_left) == (False, phases[-1] is Phase.LEFT)


def test_processes_that_end_calls_have_a_budget_of_their_own_with_pauses() -> None:
    policy = RestartPolicy(BUDGETS["call"])
    assert [dies(policy, float(number), 0.1) for number in range(6)][-1] is None
    policy.give_up("call")
    assert policy.is_closing
    assert [dies(policy, 6.0 + number, 0.1) for number in range(5)] == [*BACK_OFF[:4], None]
    assert policy.words == "died 5 times in 60 s"
