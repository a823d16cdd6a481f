"""The ledger: what one process writes the next one reads, and an entry whose writer died within it is seen."""

import os
import random
import struct
from collections.abc import Iterator

import pytest

from sipswarm.actors.host.shared_memory import new_memory
from sipswarm.actors.ledger.memory import ANNEX, INLINE, PAGE, PLACE, SPARE, Entry, Ledger, octets_for, prepare

CALLS = 8
PLACES = CALLS + CALLS // 4 + SPARE
SECRET = bytes(range(16))


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_memory("ledger-of-a-test", octets_for(CALLS))
    prepare(descriptor, CALLS, SECRET)
    yield descriptor
    os.close(descriptor)


def used(descriptor: int) -> int:
    """Octets of the memory that are there."""
    return os.fstat(descriptor).st_blocks * 512


def test_the_next_process_reads_what_was_written(memory: int) -> None:
    first = Ledger(memory)
    assert first.read() == []
    places = [first.take() for _ in range(4)]
    data = [b"one", b"two" * 900, b"", b"three" * 3000]
    for place, each in zip(places, data, strict=True):
        assert first.write(place, 7, each, 1, -1)
    first.move(places[0], 8)
    first.number(places[1], 12, 2**31 - 1)
    first.free(places[2])
    first.close()
    second = Ledger(memory)
    assert second.secret == SECRET
    assert second.read() == [
        Entry(places[0], 8, data[0], 1, -1),
        Entry(places[1], 7, data[1], 12, 2**31 - 1),
        Entry(places[3], 7, data[3], 1, -1),
    ]
    assert second.torn == 0
    assert second.take() == places[2], "the place of the entry that was freed"


@pytest.mark.parametrize("length", [0, 1, INLINE - 1, INLINE, INLINE + 1, ANNEX - 1, ANNEX])
def test_every_length_up_to_the_annex_is_kept(memory: int, length: int) -> None:
    data = random.Random(length).randbytes(length)
    ledger = Ledger(memory)
    ledger.read()
    places = [ledger.take() for _ in range(3)]
    for place in places:
        assert ledger.write(place, 5, data, 3, 4)
    assert [each.data for each in Ledger(memory).read()] == [data] * 3


def test_what_is_too_long_is_refused_and_leaves_nothing(memory: int) -> None:
    ledger = Ledger(memory)
    place = ledger.take()
    assert ledger.write(place, 5, b"before", 1, 1)
    assert not ledger.write(place, 5, bytes(ANNEX + 1), 1, 1)
    assert Ledger(memory).read() == []


def test_a_torn_entry_is_seen_and_costs_only_itself(memory: int) -> None:
    ledger = Ledger(memory)
    for number in range(3):
        assert ledger.write(ledger.take(), 5, b"call %d" % number, 1, 1)
    os.pwrite(memory, b"X", PAGE + PLACE + 24)  # the octets of the second changed, and its writer died
    reader = Ledger(memory)
    assert [each.data for each in reader.read()] == [b"call 0", b"call 2"]
    assert reader.torn == 1
    assert reader.take() == 1
    assert len(Ledger(memory).read()) == 2


@pytest.mark.parametrize("moment", ["mark", "body"])
def test_a_writer_that_dies_within_a_write_leaves_a_torn_entry(memory: int, moment: str) -> None:
    ledger = Ledger(memory)
    place = ledger.take()
    assert ledger.write(place, 5, b"before", 1, 1)
    os.pwrite(memory, struct.pack("<I", 0xFFFFFFFF), PAGE)
    if moment == "body":
        os.pwrite(memory, b"after!", PAGE + 24)
    reader = Ledger(memory)
    assert reader.read() == []
    assert reader.torn == 1


def test_any_octets_are_read_without_an_error(memory: int) -> None:
    chance = random.Random(1)
    os.pwrite(memory, struct.pack("<I", PLACES), 12)
    for _ in range(200):
        os.pwrite(memory, chance.randbytes(PLACE * 4), PAGE)
        Ledger(memory).read()


def test_there_are_places_for_all_live_calls_and_those_that_are_ending(memory: int) -> None:
    ledger = Ledger(memory)
    assert [ledger.take() for _ in range(PLACES)] == list(range(PLACES))
    assert ledger.take() == -1
    ledger.free(3)
    assert ledger.take() == 3


def test_places_that_no_call_had_cost_no_memory_and_an_annex_is_given_back() -> None:
    descriptor = new_memory("ledger-of-a-test", octets_for(20_000))
    prepare(descriptor, 20_000, SECRET)
    ledger = Ledger(descriptor)
    ledger.read()
    assert used(descriptor) <= 2 * 4096
    places = [ledger.take() for _ in range(10)]
    for place in places:
        ledger.write(place, 5, b"x" * 600, 1, 1)
    assert used(descriptor) <= 8 * 4096
    before = used(descriptor)
    for place in places:
        ledger.write(place, 5, b"x" * ANNEX, 1, 1)
    assert used(descriptor) >= before + 10 * ANNEX
    for place in places:
        ledger.free(place)
    assert used(descriptor) == before
    os.close(descriptor)


def test_other_memory_is_no_ledger() -> None:
    descriptor = new_memory("no-ledger", 8192)
    with pytest.raises(ValueError, match="no ledger"):
        Ledger(descriptor)
    os.close(descriptor)
