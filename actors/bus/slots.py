"""Which slot owns a call: one pure function of its Call-ID, in both directions.

Nothing is looked up and nothing is rebalanced. `hash()` would differ from process to process; crc32 with the node's
key does not.
"""

from collections.abc import Callable
from typing import final
from zlib import crc32

from ..diagnosis.foreign_text import octets_of


def own_part(call_id: bytes) -> bytes:
    """The part of a Call-ID that says whose it is: what stands behind the last `///`, as in SIPp.

    Scenario files of SIPp put a text of their own before it, to begin several dialogs in one call.
    """
    return call_id.rpartition(b"///")[2] or call_id


def slot_of(call_id: bytes | None, key: int, slots: int) -> int:
    """The slot that owns a Call-ID; a message without one belongs to slot 0.

    Args:
        call_id: the octets of the header value as they stand in the message.
        key: the node's key, an unsigned 32-bit integer.
        slots: number of call workers, at least 1.
    """
    if call_id is None:
        return 0
    return crc32(own_part(call_id) if b"///" in call_id else call_id, key) % slots


@final
class SlotMap:
    """The slots of a node as one call worker sees them.

    Args:
        own: the slot of this call worker.
        slots: number of call workers, at least 1.
        key: as for `slot_of`.
    """

    __slots__ = ("key", "own", "slots")

    def __init__(self, own: int, slots: int, key: int) -> None:
        self.own = own
        self.slots = slots
        self.key = key

    def of(self, text: str) -> int:
        """The slot that owns a Call-ID, or another text that one slot has to own, such as an address-of-record.

        Args:
            text: octets that are no UTF-8 are lone surrogates in it.
        """
        return slot_of(octets_of(text), self.key, self.slots)

    def is_ours(self, text: str) -> bool:
        """Whether the slot of this call worker owns a text."""
        return self.of(text) == self.own

    def mint(self, new: Callable[[], str]) -> str:
        """A fresh Call-ID of this slot, so that answers come back to the worker that placed the call.

        Args:
            new: returns another Call-ID each time.
        """
        while True:
            call_id = new()
            if self.is_ours(call_id):
                return call_id
