"""Which slot is replaced next on purpose: one at a time, not again and again, and not waited for without end."""

import itertools

import pytest

from sipswarm.actors.supervisor.recycle_policy import AT_ONCE, PAUSE, WITHIN, RecyclePolicy

MIB = 1 << 20
LIMIT = 200 * MIB
CALL_0, CALL_1, MEDIA_0, DISPATCHER = ("call", 0), ("call", 1), ("media", 0), ("dispatcher", 0)


def test_without_a_limit_no_size_asks_for_anything() -> None:
    policy = RecyclePolicy(0)
    assert not policy.weighed(CALL_0, 1 << 50, 1.0)
    assert policy.begin(1.0) is None


def test_a_process_above_the_limit_is_asked_for_once() -> None:
    policy = RecyclePolicy(LIMIT)
    assert not policy.weighed(CALL_0, LIMIT, 1.0)
    assert policy.weighed(CALL_0, LIMIT + 1, 1.5)
    assert not policy.weighed(CALL_0, LIMIT + 2, 2.0)
    assert policy.begin(2.5) == (CALL_0, "memory", 2.5 + WITHIN["call"], AT_ONCE * (LIMIT + 2))
    assert not policy.weighed(CALL_0, LIMIT + 3, 3.0), "it is replaced already"
    policy.ended(CALL_0, 4.0)
    assert policy.begin(5.0) is None


def test_one_slot_at_a_time_in_the_order_in_which_they_were_asked_for() -> None:
    policy = RecyclePolicy(LIMIT)
    for slot in (CALL_1, MEDIA_0, CALL_0):
        assert policy.weighed(slot, LIMIT + 1, 1.0)
    done = []
    for at in (10.0, 20.0, 30.0):
        turn = policy.begin(at)
        assert turn is not None
        assert policy.begin(at + 1) is None
        done.append(turn.slot)
        policy.ended(turn.slot, at + 2)
    assert done == [CALL_1, MEDIA_0, CALL_0]


def test_a_process_that_starts_above_the_limit_is_not_replaced_again_and_again() -> None:
    policy = RecyclePolicy(LIMIT)
    replaced = []
    for tick in range(1200):  # ten minutes, two looks a second
        now = 100.0 + tick / 2
        policy.weighed(CALL_0, LIMIT + 1, now)
        if policy.begin(now) is not None:
            replaced.append(now)
            policy.ended(CALL_0, now)
    assert len(replaced) == 600 / PAUSE
    assert all(later - now >= PAUSE for now, later in itertools.pairwise(replaced))


@pytest.mark.parametrize("begin", [LIMIT + 2, 2 * LIMIT])
@pytest.mark.parametrize(("more", "by"), [(0, 60.0), (1, 5.0)])
def test_a_drain_is_cut_short_only_by_a_process_that_grows_on(begin: int, more: int, by: float) -> None:
    policy = RecyclePolicy(LIMIT)
    policy.weighed(CALL_0, LIMIT + 1, 0.0)
    policy.weighed(CALL_0, begin, 0.5)  # while it waits for its turn
    policy.begin(0.5)
    octets = begin * 3 // 2 + more
    by += 0.5 * (by == 60.0)
    policy.weighed(CALL_0, octets, 5.0)
    assert not policy.is_over(4.9)
    assert policy.is_over(5.0) == (by == 5.0)
    assert policy.is_over(by)


def test_the_size_of_a_process_that_is_gone_is_not_that_of_the_next_one() -> None:
    policy = RecyclePolicy(LIMIT)
    policy.weighed(CALL_0, 3 * LIMIT, 0.0)
    policy.ended(CALL_0, 1.0)
    policy.roll([CALL_0])
    policy.begin(2.0)
    policy.weighed(CALL_0, 2 * LIMIT, 3.0)
    assert policy.is_over(3.0)


def test_all_are_replaced_in_turn_and_one_that_is_asked_for_is_not_replaced_twice() -> None:
    policy = RecyclePolicy(LIMIT)
    policy.weighed(CALL_1, LIMIT + 1, 0.0)
    slots = [MEDIA_0, CALL_0, CALL_1, DISPATCHER]
    policy.roll(slots)
    policy.roll(slots)
    turns = []
    for at in range(10):
        turn = policy.begin(float(at))
        if turn is not None:
            turns.append((turn.slot, turn.reason))
            policy.ended(turn.slot, at + 0.5)
    assert turns == [
        (CALL_1, "memory"),
        (MEDIA_0, "rolling"),
        (CALL_0, "rolling"),
        (DISPATCHER, "rolling"),
    ]


def test_memory_comes_before_a_restart_of_all_and_only_it_in_a_hurry() -> None:
    policy = RecyclePolicy(LIMIT)
    policy.roll([MEDIA_0, CALL_0])
    assert policy.begin(0.0, hurry=True) is None
    assert policy.turn is None
    policy.weighed(CALL_1, LIMIT + 1, 0.0)
    policy.weighed(DISPATCHER, LIMIT + 1, 0.0)
    turns = []
    for hurry in (True, False, False, False):
        turn = policy.begin(1.0, hurry=hurry)
        assert turn is not None
        turns.append(turn.slot)
        policy.ended(turn.slot, 1.0)
    assert turns == [CALL_1, DISPATCHER, MEDIA_0, CALL_0]


def test_a_process_that_dies_before_its_turn_has_no_memory_to_be_replaced_for() -> None:
    policy = RecyclePolicy(LIMIT)
    policy.weighed(CALL_0, LIMIT + 1, 0.0)
    policy.ended(CALL_0, 1.0)
    assert policy.begin(2.0) is None
    policy.roll([CALL_0])
    policy.ended(CALL_0, 3.0)
    turn = policy.begin(4.0)
    assert turn is not None, "a restart of all means also one that died meanwhile"
    assert turn.reason == "rolling"


def test_a_node_that_ends_replaces_nothing() -> None:
    policy = RecyclePolicy(LIMIT)
    policy.roll([CALL_0, CALL_1])
    assert policy.begin(0.0) is not None
    policy.forget()
    assert policy.turn is None
    assert policy.begin(1.0) is None
