"""The deadlines of many owners in one heap, so that a process arms one timer for thousands of calls.

A later deadline of an owner costs nothing: its old entry is looked at when it comes up and put back. An entry without a
waiting owner holds none, and such entries are never most of the heap. Overdue owners can be spread over a time. Pure:
time and randomness are arguments.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, Protocol, TypeVar

SWEEP: Final = 256
"""The heap is swept only above this number of empty entries."""


class HasDeadline(Protocol):
    """An object with a time at which it is next to be woken."""

    @property
    def deadline(self) -> float | None: ...


Owner = TypeVar("Owner", bound=HasDeadline)


class Deadlines(Generic[Owner]):
    """A heap of owners by deadline. `watch` after every input to an owner; `due` pops those whose time has come.

    An owner that has ended is to be released by `forget`: else it lives until its last deadline, minutes after its end.
    """

    __slots__ = ("_armed", "_empty", "_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[list[Any]] = []
        # [when it comes up, number, owner or None, noted deadline]: the number decides before the owner
        self._armed: dict[int, list[Any]] = {}
        self._empty = 0
        self._number = 0

    def __len__(self) -> int:
        return len(self._armed)

    def watch(self, owner: Owner) -> None:
        """Note the owner's deadline; only an earlier one than the noted one needs an entry now."""
        deadline = owner.deadline
        if deadline is None:
            return
        key = id(owner)
        armed = self._armed.get(key)
        if armed is None or deadline < armed[3]:
            if armed is not None:
                self._let_go(armed)
            self._number += 1
            self._armed[key] = entry = [deadline, self._number, owner, deadline]
            heappush(self._heap, entry)

    def forget(self, owner: Owner) -> None:
        """Release an owner that has ended: the heap holds it no longer."""
        armed = self._armed.pop(id(owner), None)
        if armed is not None:
            self._let_go(armed)

    def _let_go(self, entry: list[Any]) -> None:
        entry[2] = None
        self._empty += 1
        if self._empty > SWEEP and self._empty > len(self._armed):
            self._heap = [each for each in self._heap if each[2] is not None]
            heapify(self._heap)
            self._empty = 0

    def next(self) -> float | None:
        """Return when the earliest entry comes up; its owner may have moved later."""
        return self._heap[0][0] if self._heap else None

    def spread(self, now: float, over: float, fraction: Callable[[], float]) -> None:
        """Let the owners that are overdue come up at random times from now on, each once, and not all at once.

        Args:
            now: seconds.
            over: seconds in which all of them come up.
            fraction: returns a random number from 0 to 1.
        """
        for entry in self._heap:
            if entry[0] <= now:
                entry[0] = now + over * fraction()
        heapify(self._heap)

    def due(self, now: float) -> Iterator[Owner]:
        """Yield the owners whose deadline has come, each once; put entries that moved back at their new time.

        An owner that is due again after it was handled waits for the next turn. So an owner that never moves its
        deadline cannot stop the others.
        """
        again: list[Owner] = []
        while self._heap and self._heap[0][0] <= now:  # the handling of an owner may sweep the heap
            at, _, owner, _ = heappop(self._heap)
            if owner is None:
                self._empty -= 1
                continue
            del self._armed[id(owner)]
            deadline = owner.deadline
            if deadline is None:
                continue
            if deadline <= now and deadline <= at:  # one that moved comes in its new turn
                yield owner
                deadline = owner.deadline
                if deadline is not None and deadline <= now:
                    again.append(owner)
                    continue
            self.watch(owner)
        for owner in again:
            self.watch(owner)
