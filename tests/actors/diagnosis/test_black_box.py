"""The black box: it names the message at work, nothing before and nothing after, and outlives the process."""

import os
from collections.abc import Iterator

import pytest

from sipswarm.actors.diagnosis.black_box import (
    MOST,
    OCTETS,
    BlackBox,
    BlackBoxes,
    box_of,
    digest,
    octets_for,
)

MESSAGE = b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = os.memfd_create("boxes")
    os.ftruncate(descriptor, octets_for(3))
    yield descriptor
    os.close(descriptor)


def test_a_box_names_the_message_at_work_and_no_other(memory: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, 1)
    assert boxes.take(1) == (0, 0)
    box.begin(MESSAGE)
    assert [boxes.take(each) for each in (0, 1, 2)] == [(0, 0), (digest(MESSAGE), 0), (0, 0)]
    assert boxes.take(1) == (0, 0), "it is cleared for the next process"


@pytest.mark.parametrize("number", range(5))
def test_a_box_is_true_at_every_point(memory: int, number: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, 1)
    box.begin(MESSAGE)
    if number:
        box.names_caller(8)
    before = box.enter((b"later", 9)) if number > 1 else box.at_work
    if number > 2:
        box.leave(before)
    if number > 3:
        box.end()
    expected = [(digest(MESSAGE), 0), (digest(MESSAGE), 8), (digest(b"later"), 9), (digest(MESSAGE), 8), (0, 0)]
    assert boxes.take(1) == expected[number]


def test_a_finished_message_leaves_nothing(memory: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, 1)
    box.begin(MESSAGE)
    box.names_caller(8)
    box.leave(box.enter((b"later", 9)))
    box.end()
    assert boxes.take(1) == (0, 0)


def test_code_without_a_mark_runs_for_the_message_at_work() -> None:
    box = BlackBox()
    box.begin(MESSAGE)
    before = box.enter(None)
    assert box.at_work == before == (MESSAGE, 0)
    box.leave(before)
    assert box.at_work == before


@pytest.mark.parametrize("length", [20, OCTETS])
def test_the_digest_of_a_message_in_the_buffer_is_that_of_the_message(memory: int, length: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, box_of("dispatcher", 0))
    message = b"x" * length
    box.buffer[:length] = message
    box.holds(length)
    assert boxes.take(0) == (digest(message), 0)
    box.holds(length)
    box.holds(0)
    assert boxes.take(0) == (0, 0)


def test_a_message_that_is_too_long_for_the_buffer_is_not_noted(memory: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory)
    box.begin(MESSAGE)
    box.begin(b"x" * (OCTETS + 1))
    assert boxes.take(0) == (0, 0)


def test_every_process_sees_what_is_published_and_a_later_one_too(memory: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, 1)
    assert box.poison == frozenset()
    boxes.publish([5, 6])
    assert box.poison == BlackBox(memory, 2).poison == {5, 6}
    boxes.publish([7])
    assert box.poison == {7}
    boxes.publish(range(1, MOST + 2))
    assert box.poison == set(range(1, MOST + 1))


def test_processes_have_boxes_of_their_own(memory: int) -> None:
    places = [box_of("dispatcher", 0), box_of("call", 0), box_of("call", 1)]
    boxes, own = BlackBoxes(memory, 3), [BlackBox(memory, each) for each in places]
    for number, box in enumerate(own, start=1):
        box.enter((bytes([number]), number))
    assert [boxes.take(each) for each in places] == [(digest(bytes([each])), each) for each in (1, 2, 3)]


def test_a_caller_is_cleared_once_for_each_time(memory: int) -> None:
    boxes, box = BlackBoxes(memory, 3), BlackBox(memory, 1)
    assert not box.suspects(7)
    boxes.publish([], [8], [7])
    assert box.poison == {8}
    assert [box.suspects(caller) for caller in (7, 8, 9)] == [True, False, False]
    box.clear(7)
    assert [boxes.cleared(each) for each in (0, 1, 2, 1)] == [[], [7], [], []]
    for _ in range(100):
        box.clear(7)
    assert set(boxes.cleared(1)) == {7}
    box.clear(7)
    assert boxes.cleared(1) == [7]
