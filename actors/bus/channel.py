"""What one end of a link knows of the other one: the numbers of both directions, and what is under way or waits.

A record that was sent is under way until the other end acknowledges it. Then it was handled, or left out because it
came too late; the acknowledgement has the number of both. When the other end is gone, what is under way is given back,
so that its sender can act. Acknowledgements come at the limits of frames, in their order. Pure: times are arguments.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """Records that were sent together and are not acknowledged."""

    end: int
    """Number of records sent up to its last one."""
    at: float
    """When it was sent, in monotonic seconds."""
    records: Sequence[Any]


class Channel:
    """The other end of a link, as one end knows it.

    Args:
        identity: by which ZeroMQ finds it.
        window: records that may be under way to it.
    """

    __slots__ = (
        *("_later", "_under_way", "acknowledged", "handled", "identity", "incarnation", "late", "reported", "role"),
        *("sent", "slot", "window"),
    )

    def __init__(self, identity: bytes, window: int) -> None:
        self.identity = identity
        self.window = window
        self.role = ""
        self.slot = -1
        self.incarnation = -1
        self.sent = 0
        self.acknowledged = 0
        self._later = 0
        """Records that it has left out."""
        self.handled = 0
        self.late = 0
        """Records from it that were left out here."""
        self.reported = 0
        """Records from it that it knows to be handled."""
        self._under_way: deque[Frame] = deque()

    @property
    def room(self) -> int:
        """Records that can be sent now."""
        return self.window - (self.sent - self.acknowledged)

    def restart(self, incarnation: int) -> None:
        """The other end is a new process: both directions count from zero."""
        self.incarnation = incarnation
        self.sent = self.acknowledged = self._later = self.handled = self.late = self.reported = 0
        self._under_way.clear()

    def meet(self, role: str, slot: int, incarnation: int, handled: int) -> None:
        """Note who the other end is, and how many of its records led to this."""
        self.role, self.slot, self.incarnation, self.handled = role, slot, incarnation, handled

    def greet(self) -> None:
        """Note that `Hello` was sent, which is no record of a user of the link."""
        self.sent = 1

    def take(self, sequence: int, count: int) -> None:
        """Note that a frame was handled: `count` records after the first `sequence` ones."""
        self.handled = sequence + count

    def leave_out(self, count: int) -> None:
        """Note records that came too late, or never."""
        self.late += count

    def add(self, records: Sequence[Any], now: float) -> None:
        """Note that records were sent in one frame."""
        self.sent += len(records)
        self.reported = self.handled
        if records:
            self._under_way.append(Frame(self.sent, now, records))

    def settle(self, acknowledged: int, late: int) -> tuple[list[Frame], int]:
        """Take an acknowledgement.

        Args:
            acknowledged: records that the other end has done with.
            late: those of them that it has left out, since its start.

        Returns:
            The frames that are not under way any more, and how many of their records were left out.
        """
        acknowledged = min(acknowledged, self.sent)
        if acknowledged <= self.acknowledged:
            return [], 0
        self.acknowledged = acknowledged
        done: list[Frame] = []
        while self._under_way and self._under_way[0].end <= acknowledged:
            done.append(self._under_way.popleft())
        left_out, self._later = max(0, late - self._later), max(late, self._later)
        return done, left_out

    def give_back(self) -> list[Any]:
        """Return every record under way, which the other end never acknowledged, and note them no longer."""
        records = [record for frame in self._under_way for record in frame.records]
        self._under_way.clear()
        return records

    @property
    def under_way(self) -> list[Any]:
        """The records that are sent and not acknowledged."""
        return [record for frame in self._under_way for record in frame.records]

    def silent_for(self, now: float) -> float:
        """Return for how many seconds the oldest record under way has not been acknowledged; 0.0 = none is."""
        return max(0.0, now - self._under_way[0].at) if self._under_way else 0.0
