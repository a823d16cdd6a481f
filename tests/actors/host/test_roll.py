"""The roll of a slot: what its worker has started is there after the worker's end, each call once."""

import os
from collections.abc import Iterator

import pytest

from sipswarm.actors.host.roll import OpenCall, PlanFigures, Roll, RollReader, make_roll


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = make_roll()
    yield descriptor
    os.close(descriptor)


def test_calls_that_are_not_reported_are_there_for_the_supervisor(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    roll.enter("a", 10.0, 0.001, 9.999, 0)
    roll.enter("b", 11.0, 0.002, 10.5, 4)
    roll.answered("b", 11.5)
    assert reader.take_open() == [
        OpenCall("a", 10.0, 0.0, 0.001, 9.999, 0),
        OpenCall("b", 11.0, 11.5, 0.002, 10.5, 4),
    ]
    assert reader.take_open() == []


def test_a_record_that_was_sent_and_did_not_come_leaves_its_call_open(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    for name in ("a", "b", "c"):
        roll.enter(name, 10.0, 0.0, 10.0, 0)
    came, on_its_way = roll.reported("b"), roll.reported("c")
    reader.release(came)
    assert came != on_its_way
    assert [each.call_id for each in reader.take_open()] == ["a", "c"]


def test_a_place_is_used_again_only_when_the_supervisor_has_released_it(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    first = roll.enter("a", 1.0, 0.0, 1.0, 0)
    assert roll.reported("a") == first
    second = roll.enter("b", 1.0, 0.0, 1.0, 1)
    assert second != first
    reader.release(first)
    assert roll.enter("c", 1.0, 0.0, 1.0, 2) == first


def test_many_calls_need_no_more_places_than_are_open_at_a_time(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    places = set()
    for number in range(20_000):
        places.add(roll.enter(f"call-{number}", 1.0, 0.0, 1.0, number))
        if number >= 50:
            reader.release(roll.reported(f"call-{number - 50}"))
    assert len(places) <= 52


def test_a_full_roll_says_so_and_goes_on(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipswarm.actors.host.roll.PLACES", 2)
    reader, roll = RollReader(memory), Roll(memory)
    assert [roll.enter(name, 1.0, 0.0, 1.0, 0) for name in "abc"] == [0, 1, -1]
    assert roll.reported("c") == -1
    reader.release(roll.reported("a"))
    assert roll.enter("d", 1.0, 0.0, 1.0, 0) == 0


def test_the_first_call_of_a_run_takes_the_place_of_the_run(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    place = roll.enter("", 1.0, 0.1, 1.0, 7)
    roll.name(place, "a", 2.0, 0.1, 0.9, 7)
    assert reader.take_open() == [OpenCall("a", 2.0, 0.0, 0.1, 0.9, 7)]


def test_a_run_that_is_held_back_leaves_no_entry(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    for index in (7, 8):
        roll.came_due(index, 1.0)
        roll.withdraw(roll.enter("", 1.0, 0.1, 1.0, index))
    assert reader.take_open() == []
    assert reader.figures == PlanFigures(arrivals=2, overloaded=2)


def test_an_arrival_that_has_no_entry_yet_is_open_too_and_once(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    roll.came_due(0, 1.0)
    assert reader.take_open() == [OpenCall("", 1.0, 0.0, -1.0, 1.0, 0)]
    assert reader.take_open() == []
    successor = Roll(memory)
    successor.came_due(4, 2.0)
    successor.enter("a", 2.1, 0.1, 2.0, 4)
    assert reader.take_open() == [OpenCall("a", 2.1, 0.0, 0.1, 2.0, 4)]
    assert reader.figures == successor.figures == PlanFigures(arrivals=2, started=2)


def test_what_never_began_is_told_from_what_did() -> None:
    assert not OpenCall("", 1.0, 0.0, -1.0, 1.0, 0).has_begun
    assert OpenCall("", 1.0, 0.0, 0.0, 1.0, 0).has_begun
    assert OpenCall("a", 1.0, 0.0, -1.0, -1.0, 0).has_begun


def test_a_replacement_goes_on_with_the_figures_of_its_predecessor(memory: int) -> None:
    roll = Roll(memory)
    roll.begin_plan()
    for index in range(5):
        roll.came_due(index, 1.0)
        if index > 2:
            roll.held_back(overloaded=index == 3)
    successor = Roll(memory)
    successor.came_due(5, 2.0)
    assert successor.figures == RollReader(memory).figures == PlanFigures(1, 6, 4, 1, 1)


def test_a_worker_leaves_its_plan_to_the_next_one_until_that_goes_on(memory: int) -> None:
    roll = Roll(memory)
    roll.begin_plan()
    roll.leave_plan()
    roll.leave_plan()
    successor = Roll(memory)
    assert successor.figures.left == 1
    successor.begin_plan()
    assert successor.figures == Roll(memory).figures == PlanFigures(begun=2)


def test_a_call_id_of_any_octets_and_length_is_kept_as_far_as_there_is_room(memory: int) -> None:
    reader, roll = RollReader(memory), Roll(memory)
    roll.enter("\udcff@host", 1.0, 0.0, 1.0, 0)
    roll.enter("x" * 500, 1.0, 0.0, 1.0, 1)
    assert [each.call_id for each in reader.take_open()] == ["\udcff@host", "x" * 80]
