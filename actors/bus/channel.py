"""What one end of a link knows of the other one: the numbers of both directions, and what is under way or waits.

A record that was sent is under way until the other end acknowledges it. Then it was handled, or left out because it
came too late; the acknowledgement has the number of both. When the other end is gone, what is under way is given back,
so that its sender can act; when only the connection was lost, it is sent again, and a frame that came already is known
by its number. Acknowledgements come at the limits of frames, in their order. Pure: times are arguments.
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

    @property
    def sequence(self) -> int:
        """Number of records sent before it."""
        return self.end - len(self.records)


class Channel:
    """The other end of a link, as one end knows it.

    Args:
        identity: by which ZeroMQ finds it.
        window: records that may be under way to it.
    """

    __slots__ = (
        *("_heard", "_later", "_missed_at", "_under_way", "acknowledged", "asked_at", "handled", "identity"),
        *("incarnation", "late", "reported", "role", "sent", "slot", "unread", "window"),
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
        self.unread = False
        """Whether a frame from it could not be read; then the records before the next one never come."""
        self._heard = False
        """Whether it has sent anything since the last look (`watch`)."""
        self.asked_at = 0.0
        """Monotonic seconds of the oldest `Probe` that it has not answered; 0.0 = there is none."""
        self._missed_at = -1
        """How many of its records were handled when it was told last that some did not come."""
        self._under_way: deque[Frame] = deque()

    @property
    def room(self) -> int:
        """Records that can be sent now."""
        return self.window - (self.sent - self.acknowledged)

    def restart(self, incarnation: int) -> None:
        """The other end is a new process: both directions count from zero."""
        self.incarnation = incarnation
        self.sent = self.acknowledged = self._later = self.handled = self.late = self.reported = 0
        self.unread = self._heard = False
        self.asked_at = 0.0
        self._missed_at = -1
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
        self.unread = False

    def miss(self) -> bool:
        """Note that the records after the handled ones did not come; whether that is new, and has to be told."""
        is_new = self._missed_at != self.handled
        self._missed_at = self.handled
        return is_new

    def hear(self) -> None:
        """Note that a frame came."""
        self._heard = True

    def was_heard(self) -> bool:
        """Whether a frame came since the last time that this was asked."""
        heard, self._heard = self._heard, False
        return heard

    def spoil(self) -> None:
        """Note that a frame came that cannot be read."""
        self.unread = True

    def ask(self, now: float) -> None:
        """Note that a `Probe` is sent; the oldest one without an answer counts."""
        self.asked_at = self.asked_at or now

    def excuse(self, seconds: float) -> None:
        """Leave time out in which this process stood still."""
        if self.asked_at:
            self.asked_at += seconds

    def answer(self, sent: int) -> None:
        """Note that the other end, which has sent so many records, is told how many were handled."""
        if self.unread and sent > self.handled:
            self.leave_out(sent - self.handled)
            self.take(sent, 0)
        self.reported = self.handled

    def is_answered(self, sent: int) -> bool:
        """Take the answer to a `Probe` after so many records; whether all of them were handled."""
        self.asked_at = 0.0
        return self.acknowledged >= sent

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

    def frames_under_way(self) -> list[Frame]:
        """Return what was sent and is not acknowledged, in the order of its numbers."""
        return list(self._under_way)

    @property
    def under_way(self) -> list[Any]:
        """The records that are sent and not acknowledged."""
        return [record for frame in self._under_way for record in frame.records]

    def silent_for(self, now: float) -> float:
        """Return for how many seconds the oldest record under way has not been acknowledged; 0.0 = none is."""
        return max(0.0, now - self._under_way[0].at) if self._under_way else 0.0
