"""Which slot owns a call: one pure function of its Call-ID, in both directions.

Nothing is looked up and nothing is rebalanced. `hash()` would differ from process to process; crc32 with the fleet's
key does not.
"""

from collections.abc import Callable
from zlib import crc32

from ..diagnosis.foreign_text import octets_of


def slot_of(call_id: bytes | None, key: int, slots: int) -> int:
    """The slot that owns a Call-ID; a message without one belongs to slot 0.

    call_id: the octets of the header value as they stand in the message.
    key: the fleet's key, an unsigned 32-bit integer.
    slots: how many call workers there are, at least 1.
    """
    if call_id is None:
        return 0
    return crc32(call_id, key) % slots


def slot_of_text(call_id: str, key: int, slots: int) -> int:
    """As `slot_of`, of a Call-ID as text, in which octets that are no UTF-8 are lone surrogates."""
    return slot_of(octets_of(call_id), key, slots)


def mint_call_id(new_call_id: Callable[[], str], slot: int, key: int, slots: int) -> str:
    """A fresh Call-ID that belongs to `slot`, so that answers come back to the worker that placed the call."""
    while True:
        call_id = new_call_id()
        if slot_of_text(call_id, key, slots) == slot:
            return call_id
