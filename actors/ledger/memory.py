"""Ledger: the entries of the live calls of one slot, in memory that outlives the call worker which writes them.

The supervisor makes the memory (`host.shared_memory`) and gives it to each process of the slot in turn: there is one
writer at a time. It is no file, because an entry has keys and telephone numbers. An entry is written as a whole when
its call changes; the state and the CSeq numbers alone are written in place, each by one store. The length and a
checksum show an entry whose writer died within it: such an entry is counted, and its call is not known any more.

Memory is used when it is written first: the ledger costs nothing for places that no call has had. An entry of more than
`INLINE` octets is in the annex of its place, whose pages are given back with it.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

MAGIC: Final = b"sipledg1"
PAGE: Final = 4096
PLACE: Final = 2048
"""Octets of a place."""
ANNEX: Final = 16384
"""Octets of an entry at most."""
_FILE_HEAD: Final = struct.Struct("<8sII16s")
_HEAD: Final = struct.Struct("<IIIIi")
"""State, octets, checksum, local and remote CSeq number."""
_STATE: Final = struct.Struct("<I")
_NUMBERS: Final = struct.Struct("<Ii")
_USED_AT: Final = 12
_NUMBERS_AT: Final = 12
_BODY_AT: Final = 24
INLINE: Final = PLACE - _BODY_AT
"""Octets of an entry that fit into its place."""
FREE: Final = 0
_TORN: Final = 0xFFFFFFFF
"""The state of an entry that is being written."""
SPARE: Final = 64
"""Places beyond those of the live calls, for calls whose BYE waits for its answer."""


class Entry(NamedTuple):
    """One entry as it was read."""

    place: int
    state: int
    data: bytes
    local_cseq: int
    remote_cseq: int


def octets_for(calls: int) -> int:
    """Return the size of the memory for a number of live calls."""
    return PAGE + (calls + calls // 4 + SPARE) * (PLACE + ANNEX)


def prepare(descriptor: int, calls: int, secret: bytes) -> None:
    """Make fresh memory a ledger.

    Args:
        calls: live at a time at most.
        secret: 16 random octets that all processes of the slot share.
    """
    places = calls + calls // 4 + SPARE
    os.pwrite(descriptor, _FILE_HEAD.pack(MAGIC, places, 0, secret), 0)


class Ledger:
    """The ledger in memory that was prepared; the process that has it is its one writer.

    Raises:
        ValueError: the memory is no ledger.

    Attributes:
        secret: 16 octets that all processes of the slot share.
        torn: entries whose writer died within them.
    """

    __slots__ = ("_annexes", "_free", "_memory", "_places", "_used", "secret", "torn")

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, 0)
        head: tuple[bytes, int, int, bytes] = _FILE_HEAD.unpack_from(self._memory)
        magic, self._places, self._used, self.secret = head
        if magic != MAGIC or PAGE + self._places * (PLACE + ANNEX) > len(self._memory):
            raise ValueError("the memory is no ledger")
        self._annexes = PAGE + self._places * PLACE
        self._free: list[int] = []
        self.torn = 0

    def read(self) -> list[Entry]:
        """Return the entries that the process before has left, and free all other places; to be called once."""
        entries = list(self._read())
        taken = {each.place for each in entries}
        self._free = [place for place in range(self._used - 1, -1, -1) if place not in taken]
        return entries

    def _read(self) -> Iterator[Entry]:
        for place in range(self._used):
            state, length, checksum, local_cseq, remote_cseq = _HEAD.unpack_from(self._memory, self._at(place))
            if state == FREE:
                continue
            start = self._body(place, length)
            data = self._memory[start : start + length] if length <= ANNEX else b""
            if state == _TORN or crc32(data) != checksum:
                self.torn += 1
                self.free(place)
            else:
                yield Entry(place, state, data, local_cseq, remote_cseq)

    def take(self) -> int:
        """Return a free place; -1 when there is none."""
        if self._free:
            return self._free.pop()
        if self._used >= self._places:
            return -1
        self._used += 1
        _STATE.pack_into(self._memory, _USED_AT, self._used)
        return self._used - 1

    def write(self, place: int, state: int, data: bytes, local_cseq: int, remote_cseq: int) -> bool:
        """Write an entry; False when it is too long, and its place is left free."""
        length, memory, at = len(data), self._memory, self._at(place)
        _STATE.pack_into(memory, at, _TORN)
        if length > ANNEX:
            _STATE.pack_into(memory, at, FREE)
            return False
        start = self._body(place, length)
        memory[start : start + length] = data
        _HEAD.pack_into(memory, at, _TORN, length, crc32(data), local_cseq, remote_cseq)
        _STATE.pack_into(memory, at, state)
        return True

    def move(self, place: int, state: int) -> None:
        """Write another state of an entry."""
        _STATE.pack_into(self._memory, self._at(place), state)

    def number(self, place: int, local_cseq: int, remote_cseq: int) -> None:
        """Write other CSeq numbers of an entry."""
        _NUMBERS.pack_into(self._memory, self._at(place) + _NUMBERS_AT, local_cseq, remote_cseq)

    def free(self, place: int) -> None:
        """Forget an entry."""
        at = self._at(place)
        length = _HEAD.unpack_from(self._memory, at)[1]
        _STATE.pack_into(self._memory, at, FREE)
        if INLINE < length <= ANNEX:
            self._memory.madvise(mmap.MADV_REMOVE, self._body(place, length), ANNEX)
        self._free.append(place)

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()

    def _at(self, place: int) -> int:
        return PAGE + place * PLACE

    def _body(self, place: int, length: int) -> int:
        if length <= INLINE:
            return PAGE + place * PLACE + _BODY_AT
        return self._annexes + place * ANNEX
