"""The deadlines of many owners in one heap, so that a process arms one timer for thousands of calls.

An owner that moves its deadline later costs nothing: its old entry is looked at when it comes up and put back. Pure:
time is an argument.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar


class HasDeadline(Protocol):
    """Anything that says when it next wants to be woken."""

    @property
    def deadline(self) -> float | None: ...


Owner = TypeVar("Owner", bound=HasDeadline)


class Deadlines(Generic[Owner]):
    """A heap of owners by deadline. `watch` after every input to an owner; `due` pops those whose time has come."""

    __slots__ = ("_armed", "_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Owner]] = []
        self._armed: dict[int, float] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._armed)

    def watch(self, owner: Owner) -> None:
        """Take note of the owner's deadline; only an earlier one than known needs an entry now."""
        deadline = owner.deadline
        if deadline is None:
            return
        key = id(owner)
        armed = self._armed.get(key)
        if armed is None or deadline < armed:
            self._armed[key] = deadline
            self._number += 1
            heappush(self._heap, (deadline, self._number, owner))

    def next(self) -> float | None:
        """When the earliest entry comes up (it may turn out to have moved later)."""
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Owner]:
        """Owners whose deadline has come, each once; entries that moved are put back at their new time.

        An owner that is due again when it was handled waits for the next turn, so that one that never moves its
        deadline cannot hold up the others.
        """
        heap, armed = self._heap, self._armed
        again: list[Owner] = []
        while heap and heap[0][0] <= now:
            at, _, owner = heappop(heap)
            key = id(owner)
            if armed.get(key) != at:
                continue  # an earlier entry of the same owner has spoken for it
            del armed[key]
            deadline = owner.deadline
            if deadline is None:
                continue
            if deadline <= now:
                yield owner
                deadline = owner.deadline
                if deadline is not None and deadline <= now:
                    again.append(owner)
                    continue
            self.watch(owner)
        for owner in again:
            self.watch(owner)
