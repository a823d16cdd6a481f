"""The slot of a Call-ID: the same in every process, spread evenly, and minted for one's own slot."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.actors.bus.slots import SlotMap, own_part, slot_of
from sipswarm.sipcore.message.tokens import Tokens

KEYS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("call_id", "key", "slots", "slot"),
    [
        (None, 1, 8, 0),
        (b"", 0, 8, 0),
        (b"a84b4c76e66710@pc33.atlanta.com", 0, 1, 0),
        (b"123456789", 0, 1 << 32, 0xCBF43926),  # the check value of CRC-32
    ],
)
def test_the_slot_is_a_function_written_down(call_id: bytes | None, key: int, slots: int, slot: int) -> None:
    assert slot_of(call_id, key, slots) == slot


@pytest.mark.parametrize(
    ("call_id", "part"),
    [
        (b"1@h", b"1@h"),
        (b"own///1@h", b"1@h"),
        (b"a///b///1@h", b"1@h"),
        (b"///1@h", b"1@h"),
        (b"1@h///", b"1@h///"),
        (b"a//b", b"a//b"),
        (b"", b""),
    ],
)
def test_a_text_before_three_slashes_does_not_say_whose_a_call_id_is(call_id: bytes, part: bytes) -> None:
    assert own_part(call_id) == part
    assert slot_of(call_id, 7, 64) == slot_of(part, 7, 64)


@given(st.binary(max_size=80), KEYS, st.integers(1, 64))
def test_every_call_id_has_one_slot_in_range(call_id: bytes, key: int, slots: int) -> None:
    assert 0 <= slot_of(call_id, key, slots) < slots
    assert slot_of(call_id, key, slots) == slot_of(bytes(bytearray(call_id)), key, slots)


@given(KEYS, st.integers(1, 16), st.data())
def test_a_minted_call_id_belongs_to_its_slot(key: int, slots: int, data: st.DataObject) -> None:
    slot = data.draw(st.integers(0, slots - 1))
    tokens = Tokens(random.Random(key).randbytes)
    slot_map = SlotMap(slot, slots, key)
    minted = slot_map.mint(tokens.call_id)
    assert slot_of(minted.encode(), key, slots) == slot_map.of(minted) == slot
    assert slot_map.is_ours(minted)


@given(st.text(max_size=40), KEYS, st.integers(1, 16))
def test_a_text_is_owned_by_one_slot_of_a_node(text: str, key: int, slots: int) -> None:
    octets = text.encode("utf-8", "surrogatepass")
    owners = [
        slot for slot in range(slots) if SlotMap(slot, slots, key).is_ours(octets.decode("utf-8", "surrogateescape"))
    ]
    assert owners == [slot_of(octets, key, slots)]


def test_call_ids_spread_over_all_slots() -> None:
    tokens = Tokens(random.Random(1).randbytes)
    counts = [0] * 8
    for _ in range(8000):
        counts[slot_of(tokens.call_id().encode(), 77, 8)] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
