"""Reliable provisional responses: both ends of RFC 3262 as plain counters and timers.

The sender repeats a 1xx until its PRACK comes; the receiver takes them in order. Knows no messages: the session
writes and reads them.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple, final

from ..message.fields import RAck
from ..message.hop import Transmit

OPTION_TAG = "100rel"


class PendingProvisional(NamedTuple):
    """A reliable 1xx that waits for its turn, as it will be written."""

    status: int
    reason: str
    extra: str
    """Whole header lines without RSeq and Require."""
    body: bytes
    content_type: str


@final
class ReliableSender:
    """The reliable 1xx responses of one INVITE, one unacknowledged at a time (RFC 3262 section 3).

    Arguments: `first` the RSeq of the first, 1 to 2**31 - 1, chosen at random; `t1` in seconds.
    """

    __slots__ = (
        "give_up_at",
        "has_description",
        "interval",
        "outstanding",
        "queue",
        "repeat_at",
        "rseq",
        "t1",
        "unacked",
    )

    def __init__(self, first: int, t1: float) -> None:
        self.rseq = first
        """Number of the response that is out, or of the next when none is."""
        self.t1 = t1
        self.unacked: Transmit | None = None
        """The response that waits for its PRACK, and is repeated."""
        self.outstanding = False
        """True until that PRACK comes, also when a 2xx has ended the repeating (section 3)."""
        self.has_description = False
        """True when it carries a session description, so that a 2xx has to wait (section 3)."""
        self.queue: deque[PendingProvisional] = deque()
        """What is to be sent after it."""
        self.interval = t1
        self.repeat_at = inf
        self.give_up_at = inf

    @property
    def due(self) -> float:
        """Time of the next repetition or of giving up, infinite when nothing is out."""
        return min(self.repeat_at, self.give_up_at)

    def sent(self, transmit: Transmit, has_description: bool, now: float) -> None:
        """Note that a response went out under the present RSeq."""
        self.unacked = transmit
        self.outstanding = True
        self.has_description = has_description
        self.interval = self.t1
        self.repeat_at = now + self.t1
        self.give_up_at = now + 64.0 * self.t1

    def repeated(self, now: float) -> None:
        """Double the interval: there is no upper limit but 64*T1 (section 3)."""
        self.interval *= 2.0
        planned = self.repeat_at + self.interval
        self.repeat_at = planned if planned > now else now + self.interval

    def acknowledge(self, rack: RAck, cseq: int) -> bool:
        """Take a PRACK; False when it names nothing that is out, which gets 481 (section 3)."""
        if not self.outstanding or rack != (self.rseq, cseq, "INVITE"):
            return False
        self.stop()
        self.outstanding = False
        self.rseq += 1
        return True

    def stop(self) -> None:
        """Stop repeating: acknowledged, or a final response is out. A PRACK is still taken (section 3)."""
        self.unacked = None
        self.repeat_at = self.give_up_at = inf


def in_order(last: int, rseq: int) -> bool:
    """Tell whether a reliable 1xx is the next one; `last` is 0 before the first (RFC 3262 section 4)."""
    return rseq > 0 and last in (0, rseq - 1)
