"""Permits that the call workers of a node share: for live calls (`-l`), and for the rows of a data file.

A permit is an octet of a file in the run directory, mapped by every call worker: 0 = free, else a mark of its holder.
Taking one is find and set under a lock of the file (flock), so that two workers never take the same and a free one is
never missed; giving it back is one store by its holder and needs no lock. Nothing waits for another process: a take
costs some microseconds, whatever the number of permits. The kernel frees the lock of a process that dies, and the next
process of its slot frees its permits.
"""

import fcntl
import mmap
import os
import time
from typing import Final

PATIENCE: Final = 0.05
"""Seconds that a take tries for the lock; it is held for microseconds, unless its holder was stopped just then."""
RETRY: Final = 0.0001
CURSOR: Final = 8
"""Octets behind the permits with the place to look next, so that they go round."""
MARKS: Final = 255
"""Different marks of holders; the workers that share one start together, before anything is taken."""


class Permits:
    """Numbers 0 … size - 1, each held by one holder at a time; the one that was not taken for longest comes first.

    Args:
        path: the file that all holders share, made when it is not there; empty = they are for this object alone.
        slot: the call worker that holds what is taken here.
    """

    def __init__(self, size: int, path: str = "", slot: int = 0) -> None:
        self._size = size
        self._mark = slot % MARKS + 1
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if path else -1
        if path:
            os.ftruncate(self._descriptor, size + CURSOR)
        self._octets = mmap.mmap(self._descriptor, size + CURSOR)
        mark, at = bytes((self._mark,)), -1
        while (at := self._octets.find(mark, at + 1, size)) >= 0:
            self._octets[at] = 0

    def take(self) -> int | None:
        """A free number; None = each has a holder."""
        if not self._lock():
            return None
        octets, size = self._octets, self._size
        cursor = int.from_bytes(octets[size:], "little")
        number = octets.find(b"\0", cursor, size)
        if number < 0:
            number = octets.find(b"\0", 0, cursor)
        if number >= 0:
            octets[number] = self._mark
            octets[size:] = (number + 1).to_bytes(CURSOR, "little")
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return number if number >= 0 else None

    def give_back(self, number: int) -> None:
        """A number that was taken here is free again."""
        self._octets[number] = 0

    def close(self) -> None:
        """Let go of the file; what is taken stays taken."""
        self._octets.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _lock(self) -> bool:
        if self._descriptor < 0:
            return True
        deadline = 0.0
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                now = time.monotonic()
                deadline = deadline or now + PATIENCE
                if now > deadline:
                    return False
                time.sleep(RETRY)
            else:
                return True


class LiveBound:
    """A limit of the live calls over all call workers of the node.

    Args:
        limit: how many, 0 = any number.
        path, slot: as for `Permits`.
    """

    def __init__(self, limit: int, path: str = "", slot: int = 0) -> None:
        self._permits = Permits(limit, path, slot) if limit else None
        self._held: list[int] = []

    def enter(self) -> bool:
        """A call is to begin; False = it must not."""
        if self._permits is None:
            return True
        number = self._permits.take()
        if number is not None:
            self._held.append(number)
        return number is not None

    def leave(self) -> None:
        """A call that was let in is over, or did not begin."""
        if self._permits is not None:
            self._permits.give_back(self._held.pop())
