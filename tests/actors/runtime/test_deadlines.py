"""Many deadlines in one heap: the same owners at the same moments as a plain sorted list would give."""

import weakref

from hypothesis import example, given
from hypothesis import strategies as st

from sipswarm.actors.runtime.deadlines import Deadlines


class Owner:
    """Has a deadline."""

    def __init__(self, name: str, deadline: float | None) -> None:
        self.name = name
        self.deadline = deadline


def due(deadlines: Deadlines[Owner], now: float) -> list[str]:
    """Names of the owners that are due; each then has no deadline any more, as after its timer was handled."""
    names = []
    for owner in deadlines.due(now):
        names.append(owner.name)
        owner.deadline = None
    return names


def watched(*owners: Owner) -> Deadlines[Owner]:
    deadlines: Deadlines[Owner] = Deadlines()
    for owner in owners:
        deadlines.watch(owner)
    return deadlines


def test_owners_come_up_in_the_order_of_their_deadlines() -> None:
    deadlines = watched(Owner("c", 3.0), Owner("a", 1.0), Owner("b", 2.0), Owner("d", 4.0))
    assert deadlines.next() == 1.0
    assert due(deadlines, 0.9) == []
    assert due(deadlines, 3.0) == ["a", "b", "c"]
    assert len(deadlines) == 1
    assert deadlines.next() == 4.0


def test_of_two_with_the_same_deadline_the_first_watched_comes_first() -> None:
    assert due(watched(Owner("a", 1.0), Owner("b", 1.0), Owner("c", 1.0)), 1.0) == ["a", "b", "c"]


def test_an_owner_without_a_deadline_is_not_watched() -> None:
    deadlines = watched(Owner("a", None))
    assert len(deadlines) == 0
    assert deadlines.next() is None
    assert due(deadlines, 100.0) == []


def test_an_owner_watched_twice_comes_up_once() -> None:
    owner = Owner("a", 1.0)
    deadlines = watched(owner, owner, owner)
    assert len(deadlines) == 1
    assert due(deadlines, 2.0) == ["a"]
    assert deadlines.next() is None


def test_a_deadline_moved_later_costs_no_entry_and_is_put_back_when_it_comes_up() -> None:
    owner = Owner("a", 1.0)
    deadlines = watched(owner)
    owner.deadline = 5.0
    deadlines.watch(owner)
    assert deadlines.next() == 1.0
    assert due(deadlines, 1.0) == []
    assert deadlines.next() == 5.0
    assert due(deadlines, 5.0) == ["a"]


def test_a_deadline_moved_earlier_comes_up_early_and_once() -> None:
    owner = Owner("a", 5.0)
    deadlines = watched(owner)
    owner.deadline = 1.0
    deadlines.watch(owner)
    assert due(deadlines, 1.0) == ["a"]
    assert due(deadlines, 10.0) == []


def test_a_deadline_moved_earlier_and_back_comes_up_once_at_its_time() -> None:
    owner = Owner("a", 5.0)
    deadlines = watched(owner)
    owner.deadline = 1.0
    deadlines.watch(owner)
    owner.deadline = 5.0
    deadlines.watch(owner)
    assert due(deadlines, 4.0) == []
    assert due(deadlines, 5.0) == ["a"]
    assert due(deadlines, 50.0) == []


def test_a_deadline_that_went_away_is_dropped_when_it_comes_up() -> None:
    owner = Owner("a", 1.0)
    deadlines = watched(owner)
    owner.deadline = None
    assert due(deadlines, 2.0) == []
    assert len(deadlines) == 0


def test_an_owner_that_moves_on_while_it_is_handled_comes_up_again() -> None:
    owner = Owner("a", 1.0)
    deadlines = watched(owner)
    seen = []
    for each in deadlines.due(10.0):
        seen.append(each.deadline)
        each.deadline = 11.0
    assert seen == [1.0]
    assert deadlines.next() == 11.0


def test_an_owner_that_does_not_move_its_deadline_comes_up_once_a_turn_and_does_not_hold_up_the_others() -> None:
    stuck, other = Owner("stuck", 1.0), Owner("other", 2.0)
    deadlines = watched(stuck, other)
    for turn in range(3):
        names = []
        for owner in deadlines.due(5.0):
            names.append(owner.name)
            if owner is other:
                owner.deadline = None
            assert len(names) < 10, "the heap hands out the same owner for ever"
        assert names == (["stuck", "other"] if turn == 0 else ["stuck"])
        assert deadlines.next() == 1.0


def test_an_owner_that_is_forgotten_is_let_go_at_once_and_does_not_come_up() -> None:
    owner, other = Owner("a", 900.0), Owner("b", 900.0)
    deadlines = watched(owner, other)
    owner.deadline = 5.0
    deadlines.watch(owner)
    deadlines.forget(owner)
    gone = weakref.ref(owner)
    del owner
    assert gone() is None, "the entry at 900 s holds nothing"
    assert len(deadlines) == 1
    assert due(deadlines, 1000.0) == ["b"]
    assert deadlines.next() is None


def test_entries_that_nobody_waits_for_are_never_most_of_a_large_heap() -> None:
    deadlines: Deadlines[Owner] = Deadlines()
    stays = [Owner(str(index), 5000.0 + index) for index in range(100)]
    for each in stays:
        deadlines.watch(each)
    for index in range(5000):
        passing = Owner("passing", 1000.0 + index)
        deadlines.watch(passing)
        deadlines.forget(passing)
        assert len(deadlines._heap) <= 100 + 258
    assert due(deadlines, 10000.0) == [each.name for each in stays]


STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.none() | st.integers(0, 30), st.integers(0, 3)),
    max_size=60,
)


@given(STEPS)
@example([(0, 4, 0), (1, 0, 3), (1, 2, 2)])
def test_any_history_gives_what_a_sorted_list_gives(steps: list[tuple[int, int | None, int]]) -> None:
    owners = [Owner(str(index), None) for index in range(5)]
    deadlines: Deadlines[Owner] = Deadlines()
    now = 0.0
    for index, deadline, passed in steps:
        owners[index].deadline = None if deadline is None else now + deadline
        if deadline == 30:
            deadlines.forget(owners[index])
            owners[index].deadline = None
        deadlines.watch(owners[index])
        now += passed
        expected = sorted(
            (owner.deadline, owner.name) for owner in owners if owner.deadline is not None and owner.deadline <= now
        )
        found = [(owner.deadline, owner.name) for owner in deadlines.due(now)]
        assert sorted((at or 0.0, name) for at, name in found) == expected
        assert [at for at, _ in found] == sorted(at or 0.0 for at, _ in found)
        for owner in owners:
            if owner.deadline is not None and owner.deadline <= now:
                owner.deadline = None


def test_overdue_owners_are_spread_and_come_up_once_each() -> None:
    owners = [Owner(str(number), 1.0 + number / 100) for number in range(100)]
    deadlines = watched(*owners, Owner("later", 20.0))
    fractions = iter([number / 100 for number in range(99, -1, -1)])
    deadlines.spread(10.0, 1.0, lambda: next(fractions))
    assert deadlines.next() == 10.0
    assert len(due(deadlines, 10.495)) == 50
    assert len(due(deadlines, 11.0)) == 50
    assert due(deadlines, 19.0) == []
    assert due(deadlines, 20.0) == ["later"]


def test_a_spread_owner_keeps_its_turn_unless_its_deadline_becomes_earlier() -> None:
    same, later, earlier, gone = owners = [Owner(name, 1.0) for name in ("same", "later", "earlier", "gone")]
    deadlines = watched(*owners)
    deadlines.spread(10.0, 1.0, lambda: 0.5)
    later.deadline, earlier.deadline, gone.deadline = 10.2, 0.5, None
    for owner in (same, later, earlier):
        deadlines.watch(owner)
    deadlines.forget(gone)
    assert due(deadlines, 10.1) == ["earlier"]
    assert due(deadlines, 10.5) == ["same", "later"]
    assert deadlines.next() is None
