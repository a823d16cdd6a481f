"""The roll of a slot: the calls of a load that its worker started and whose records have not reached the supervisor.

It is memory that outlives the worker: the supervisor makes it (memfd), the worker writes it, and whoever is killed in
between leaves it as it is. An entry is written before the INVITE of its call leaves, so that no call of a peer can
vanish with its worker. It is released by the supervisor, when the record of the call has come; the worker then uses its
place again. The head has how far the plan is carried out, so that a replacement goes on where its predecessor died.
Each field has one writer while the worker lives: an octet tells whether a place is in use, and only the supervisor sets
it back.

The worker may be killed between any two writes, and each arrival must have one end even then. So there are two heads,
and an octet tells which one is valid: figures that change together change with one write. An arrival that is counted
and has no entry yet stands in the head, and so does the place of an entry that is taken back.
"""

import mmap
import os
from collections import deque
from struct import Struct
from typing import Final, NamedTuple

PLACES: Final = 131_072
"""Calls that a roll can hold: those alive (`--max-calls`) and those whose records are on their way."""
_FIGURES: Final = Struct("<QQQQQQ")
"""As `PlanFigures`."""
_MARKS: Final = Struct("<qqd")
"""1 + place of the entry that is taken back, 1 + index of the arrival without an entry, 0 = there is none;
monotonic time at which that arrival was due."""
_HEADS: Final = (8, 8 + _FIGURES.size + _MARKS.size)
"""Where the two heads stand; the first octet of all is the number of the valid one."""
_ENTRY: Final = Struct("<BBxxxxxxddddq80s")
"""In use, length of the Call-ID; then as `_BODY`."""
_BODY: Final = Struct("<ddddq80s")
"""Monotonic times of start and answer, lateness, monotonic time at which it was due, index of the arrival, the
Call-ID."""
_BODY_AT: Final = _ENTRY.size - _BODY.size
_ANSWERED: Final = Struct("<d")
_ANSWERED_AT: Final = 16
_FIRST: Final = 256
_LONGEST: Final = 80
_SIZE: Final = _FIRST + PLACES * _ENTRY.size


class PlanFigures(NamedTuple):
    """How far one slot has carried out its share of a plan, over all processes that it has had.

    Each arrival that came due is in exactly one of the three figures that follow it.
    """

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
    """A call, or a run of a scenario, that was started and whose end is not known; or an arrival that never began."""

    call_id: str
    """Empty = a run that has placed no call, or an arrival that never began."""
    started: float
    """Monotonic seconds."""
    answered: float
    """Monotonic seconds; 0.0 = it was not."""
    lateness: float
    """Seconds; -1.0 = a further call of a run, or an arrival that never began."""
    planned: float
    """Monotonic time at which its arrival was due; -1.0 = a further call of a run."""
    arrival: int
    """Its index over all shards; -1 = the call belongs to none."""

    @property
    def has_begun(self) -> bool:
        """Whether a call or a run was started."""
        return bool(self.call_id) or self.lateness >= 0


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
        return _read_figures(self._octets)

    def release(self, place: int) -> None:
        """Let the worker use a place again: the record of its call has come."""
        if 0 <= place < PLACES:
            self._octets[_FIRST + place * _ENTRY.size] = 0

    def take_open(self) -> list[OpenCall]:
        """Return the calls and arrivals whose records have not come, and release all; the worker must be gone."""
        marks = _HEADS[self._octets[0]] + _FIGURES.size
        withdrawn, arrival, planned = _MARKS.unpack_from(self._octets, marks)
        self.release(withdrawn - 1)
        calls = self._take_entries()
        if arrival and not any(call.arrival == arrival - 1 for call in calls):
            calls.append(OpenCall("", planned, 0.0, -1.0, planned, arrival - 1))
        _MARKS.pack_into(self._octets, marks, 0, 0, 0.0)
        return calls

    def _take_entries(self) -> list[OpenCall]:
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
        self._valid = self._octets[0]
        self._figures = list(_read_figures(self._octets))
        self._has_arrival = False
        """An arrival without an entry stands in the head."""
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
        self._figures[0] += 1
        self._figures[5] = 0
        self._write_head()

    def leave_plan(self) -> None:
        """Note that the next worker is to start each arrival that has not come due here."""
        self._figures[5] = 1
        self._write_head()

    def came_due(self, index: int, planned: float) -> None:
        """Count an arrival that comes due now, and is about to be started.

        Args:
            index: of the arrival.
            planned: monotonic time at which it was due.
        """
        self._figures[1] += 1
        self._figures[2] += 1
        self._write_head(arrival=1 + index, planned=planned)

    def held_back(self, overloaded: bool) -> None:
        """Count the arrival that came due last as one that is not started.

        Args:
            overloaded: the bound of the call worker kept it.
        """
        self._figures[2] -= 1
        self._figures[4 if overloaded else 3] += 1
        self._write_head()

    def enter(self, call_id: str, started: float, lateness: float, planned: float, index: int) -> int:
        """Enter a call before its INVITE leaves; the arrival that came due last, where it is one of its own.

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
            place = -1
        if place >= 0:
            self._write(place, OpenCall(call_id, started, 0.0, lateness, planned, index))
        if self._has_arrival:
            self._write_head()
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
        """Take back the entry of a run that the bound of the call worker held back: no record of it comes.

        Args:
            place: of the run; -1 = it has none.
        """
        self._figures[2] -= 1
        self._figures[4] += 1
        self._write_head(withdrawn=1 + place)
        if place >= 0:
            self._octets[_FIRST + place * _ENTRY.size] = 0
            self._write_head()
            self._free.append(place)

    def _write(self, place: int, call: OpenCall) -> None:
        """Write an entry, which is in use with the last octet that is written, and has the Call-ID with the one before.

        Until then it is free, or a run without a call.
        """
        name = call.call_id.encode("utf-8", "surrogateescape")[:_LONGEST]
        at, octets = _FIRST + place * _ENTRY.size, self._octets
        _BODY.pack_into(octets, at + _BODY_AT, *call[1:], name)
        octets[at + 1] = len(name)
        octets[at] = 1
        if call.call_id:
            self._places[call.call_id] = place

    def _write_head(self, *, withdrawn: int = 0, arrival: int = 0, planned: float = 0.0) -> None:
        """Write the figures into the head that is not valid, and make it the valid one."""
        self._valid ^= 1
        at = _HEADS[self._valid]
        _FIGURES.pack_into(self._octets, at, *self._figures)
        _MARKS.pack_into(self._octets, at + _FIGURES.size, withdrawn, arrival, planned)
        self._octets[0] = self._valid
        self._has_arrival = arrival > 0


def _read_figures(octets: mmap.mmap) -> PlanFigures:
    """Return the figures of the valid head; while a worker writes, another process may get those of two writes."""
    return PlanFigures(*_FIGURES.unpack_from(octets, _HEADS[octets[0]]))
