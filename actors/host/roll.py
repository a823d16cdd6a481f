"""The roll of a slot: the calls of a load that its worker started and whose records have not reached the supervisor.

It is memory that outlives the worker: the supervisor makes it (memfd), the worker writes it, and whoever is killed in
between leaves it as it is. An entry is written before the INVITE of its call leaves, so that no call of a peer can
vanish with its worker. It is released by the supervisor, when the record of the call has come; the worker then uses its
place again. The head has how far the plan is carried out, so that a replacement goes on where its predecessor died.
Each field has one writer: an octet tells whether a place is in use, and only the supervisor sets it back.
"""

import mmap
import os
from collections import deque
from struct import Struct
from typing import Final, NamedTuple

PLACES: Final = 131_072
"""Calls that a roll can hold: those alive (`--max-calls`) and those whose records are on their way."""
_HEAD: Final = Struct("<QQQQQQ")
"""As `PlanFigures`."""
_ENTRY: Final = Struct("<BBxxxxxxddddq80s")
"""In use, length of the Call-ID; monotonic times of start and answer, lateness, monotonic time at which it was due,
index of the arrival, the Call-ID."""
_ANSWERED: Final = Struct("<d")
_ANSWERED_AT: Final = 16
_FIRST: Final = 128
_LONGEST: Final = 80
_SIZE: Final = _FIRST + PLACES * _ENTRY.size


class PlanFigures(NamedTuple):
    """How far one slot has carried out its share of a plan, over all processes that it has had."""

    begun: int = 0
    """1 = the plan has begun."""
    arrivals: int = 0
    """Arrivals that came due."""
    started: int = 0
    held_back: int = 0
    """By the user's own limit, or by the rows of the data."""
    overloaded: int = 0
    """By the bound of the call worker."""
    left: int = 0
    """1 = the worker is replaced on purpose, and leaves the arrivals from here on to the next one."""


class OpenCall(NamedTuple):
    """A call, or a run of a scenario, that was started and whose end is not known."""

    call_id: str
    """Empty = a run that has placed no call."""
    started: float
    """Monotonic seconds."""
    answered: float
    """Monotonic seconds; 0.0 = it was not."""
    lateness: float
    """Seconds; -1.0 = a further call of a run."""
    planned: float
    """Monotonic time at which its arrival was due; -1.0 = a further call of a run."""
    arrival: int
    """Its index over all shards; -1 = the call belongs to none."""


def make_roll() -> int:
    """Return the descriptor of the memory for a roll; only pages that are used take memory.

    Raises:
        OSError: no descriptor or no memory is free.
    """
    descriptor = os.memfd_create("sipswarm-roll", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, _SIZE)
    return descriptor


class RollReader:
    """The supervisor's side.

    Args:
        descriptor: of the memory that `make_roll` made.
    """

    def __init__(self, descriptor: int) -> None:
        self._octets = mmap.mmap(descriptor, _SIZE)

    @property
    def figures(self) -> PlanFigures:
        """The figures of the head."""
        return PlanFigures(*_HEAD.unpack_from(self._octets))

    def release(self, place: int) -> None:
        """Let the worker use a place again: the record of its call has come."""
        if 0 <= place < PLACES:
            self._octets[_FIRST + place * _ENTRY.size] = 0

    def take_open(self) -> list[OpenCall]:
        """Return the calls whose records have not come, and release all places; the worker must be gone."""
        calls = []
        for place in range(PLACES):
            at = _FIRST + place * _ENTRY.size
            if self._octets[at] == 0:
                if self._octets[at + 1] == 0 and not any(self._octets[at : at + _ENTRY.size]):
                    break  # no place behind one that was never used is in use
                continue
            _, length, started, answered, lateness, planned, index, call_id = _ENTRY.unpack_from(self._octets, at)
            name = call_id[:length].decode("utf-8", "surrogateescape")
            calls.append(OpenCall(name, started, answered, lateness, planned, index))
            self._octets[at] = 0
        return calls

    def close(self) -> None:
        """Let go of the memory."""
        self._octets.close()


class Roll:
    """The worker's side.

    Args:
        descriptor: of the memory that `make_roll` made; negative = memory of this object's own.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self._octets = mmap.mmap(descriptor, _SIZE)
        self._figures = list(_HEAD.unpack_from(self._octets))
        self._fresh = 0
        self._free: list[int] = []
        self._reported: deque[int] = deque()
        """Places of calls whose records were sent, in their order."""
        self._places: dict[str, int] = {}
        """By Call-ID."""

    @property
    def figures(self) -> PlanFigures:
        """The figures of the head."""
        return PlanFigures(*self._figures)

    def begin_plan(self) -> None:
        """Note that the plan has begun, or goes on."""
        self._add(5, -self._figures[5])
        self._add(0, 1)

    def leave_plan(self) -> None:
        """Note that the next worker is to start each arrival that has not come due here."""
        self._add(5, 1 - self._figures[5])

    def came_due(self) -> None:
        """Count an arrival that comes due now."""
        self._add(1, 1)

    def started(self, count: int = 1) -> None:
        """Count an arrival that was started."""
        self._add(2, count)

    def held_back(self, overloaded: bool) -> None:
        """Count an arrival that was not started.

        Args:
            overloaded: the bound of the call worker kept it.
        """
        self._add(4 if overloaded else 3, 1)

    def enter(self, call_id: str, started: float, lateness: float, planned: float, index: int) -> int:
        """Enter a call before its INVITE leaves.

        Args:
            call_id, started, lateness, planned: as in `OpenCall`.
            index: of the arrival.

        Returns:
            Its place; -1 = every place is taken, and the call is lost without a trace if the worker dies.
        """
        octets, reported = self._octets, self._reported
        while reported and not octets[_FIRST + reported[0] * _ENTRY.size]:
            self._free.append(reported.popleft())
        if self._free:
            place = self._free.pop()
        elif self._fresh < PLACES:
            place = self._fresh
            self._fresh += 1
        else:
            return -1
        self._write(place, OpenCall(call_id, started, 0.0, lateness, planned, index))
        return place

    def name(self, place: int, call_id: str, started: float, lateness: float, planned: float, index: int) -> None:
        """Write the first call of a run into the place of the run; arguments as for `enter`."""
        if place >= 0:
            self._write(place, OpenCall(call_id, started, 0.0, lateness, planned, index))

    def answered(self, call_id: str, at: float) -> None:
        """Note the answer to a call."""
        place = self._places.get(call_id, -1)
        if place >= 0:
            _ANSWERED.pack_into(self._octets, _FIRST + place * _ENTRY.size + _ANSWERED_AT, at)

    def reported(self, call_id: str) -> int:
        """Return the place of a call whose record leaves now; -1 = it has none."""
        place = self._places.pop(call_id, -1)
        self.place_reported(place)
        return place

    def place_reported(self, place: int) -> None:
        """Note that a record leaves that carries a place."""
        if place >= 0:
            self._reported.append(place)

    def withdraw(self, place: int) -> None:
        """Take back an entry: nothing became of it, and no record comes."""
        if place >= 0:
            self._octets[_FIRST + place * _ENTRY.size] = 0
            self._free.append(place)

    def _write(self, place: int, call: OpenCall) -> None:
        name = call.call_id.encode("utf-8", "surrogateescape")[:_LONGEST]
        _ENTRY.pack_into(self._octets, _FIRST + place * _ENTRY.size, 1, len(name), *call[1:], name)
        if call.call_id:
            self._places[call.call_id] = place

    def _add(self, figure: int, count: int) -> None:
        self._figures[figure] += count
        _HEAD.pack_into(self._octets, 0, *self._figures)
