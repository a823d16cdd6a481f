"""What many sessions count together: messages that went or came again, transactions that no answer ended, strangers,
and the faults of peers that reading put up with.

RFC 3261 section 17 (retransmissions, timers B, F and H). Plain numbers that only grow; uses no metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from ..leniency import Leniency

MAX_METHODS: Final = 32
"""Methods counted by name; the name of a request comes from the peer, so further ones count together."""
FURTHER: Final = "OTHER"


@final
class TransactionCounts:
    """Numbers of one owner of sessions; shared by all of them, so that they are there before a session ends."""

    __slots__ = ("late_answers", "leniencies", "received_again", "sent_again", "strangers", "timeouts")

    def __init__(self) -> None:
        self.sent_again: dict[str, int] = {}
        """Requests and responses sent again, by the method of their CSeq."""
        self.received_again: dict[str, int] = {}
        """Requests and final responses that came again, by the method of their CSeq."""
        self.timeouts: dict[str, int] = {"B": 0, "F": 0, "H": 0}
        """Transactions without an answer, or without the ACK to a local one, by timer (RFC 3261 section 17,
        13.3.1.4)."""
        self.strangers = 0
        """Requests within a dialog that came from outside of its peer set (RELIABILITY S3)."""
        self.late_answers = 0
        """Dialogs that were acknowledged and hung up because their 2xx came when its INVITE was over (RFC 3261 section
        13.2.2.4)."""
        self.leniencies: dict[Leniency, int] = {}
        """Messages and descriptions that were read by a leniency, by its name."""

    def sent(self, method: str) -> None:
        """A message went out once more."""
        _count(self.sent_again, method)

    def received(self, method: str) -> None:
        """A message of the peer came once more."""
        _count(self.received_again, method)

    def refused_stranger(self) -> None:
        """A request within a dialog came from outside of its peer set."""
        self.strangers += 1

    def answered_late(self) -> None:
        """A dialog whose 2xx came late was acknowledged and hung up."""
        self.late_answers += 1

    def put_up_with(self, used: Iterable[Leniency]) -> None:
        """Reading a message or a description took these leniencies."""
        for each in used:
            self.leniencies[each] = self.leniencies.get(each, 0) + 1

    def timed_out(self, timer: str) -> None:
        """A transaction was given up.

        Args:
            timer: B, F or H.
        """
        self.timeouts[timer] += 1


def _count(counts: dict[str, int], method: str) -> None:
    if method not in counts and len(counts) >= MAX_METHODS:
        method = FURTHER
    counts[method] = counts.get(method, 0) + 1
