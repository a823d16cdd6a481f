"""What a peer's report blocks say of the packets that we sent: how many of them did not arrive (RFC 3550 6.4.1).

The cumulative loss of a block counts up to the highest number that the peer has received. A receiver that gets nothing
more can count no loss, and its highest number stands still: what was sent after that number did not arrive either,
apart from what was under way. It takes blocks and times; it must not send, and looks at no packet.
"""

from collections.abc import Callable

from .rtcp import ReportBlock

_BEHIND = 0.5
"""Seconds by which the highest number may lie behind, beside the round trip: some report what they last summed up."""
_FEW = 10
"""Packets after the highest number that are no loss, however few are sent in a second."""


def nothing_sent() -> tuple[int, int]:
    """The packets of a stream that sends none."""
    return 0, 0


class RemoteLoss:
    """The loss of one stream on its way to the peer.

    Args:
        sent: returns how many RTP packets were sent so far, and the sequence number of the next one.
    """

    __slots__ = (
        "_after_highest",
        "_began",
        "_highest",
        "_sent",
        "_sent_at_highest",
        "_sent_at_report",
        "lost",
        "unseen",
    )

    def __init__(self, sent: Callable[[], tuple[int, int]] = nothing_sent) -> None:
        self._sent = sent
        self._began = 0.0
        self._highest = -1  # of the newest report; -1 = none came
        self._after_highest = 0  # packets after it when it was first reported
        self._sent_at_highest = self._sent_at_report = 0  # when it was first reported, and when it was last
        self.lost = -1
        """Cumulative loss of the newest report; -1 = none came."""
        self.unseen = 0
        """Packets sent after the highest number of the newest report, less those that were under way."""

    def start(self, now: float) -> None:
        """Note when the stream began.

        Args:
            now: seconds, monotonic.
        """
        self._began = now

    def take(self, block: ReportBlock, round_trip: float, now: float) -> None:
        """Take a block about our source.

        A highest number that we never sent shows only whether it goes on. Cycles are the peer's own count.

        Args:
            round_trip: seconds; 0 = unknown.
            now: seconds, monotonic.
        """
        self.lost = max(0, block.packets_lost)
        sent, following = self._sent()
        if block.highest_sequence != self._highest:
            after = (following - 1 - block.highest_sequence) & 0xFFFF
            self._highest = block.highest_sequence
            self._sent_at_highest = sent
            self._after_highest = after if after < sent else 0
        self._sent_at_report = sent
        after = self._after_highest + sent - self._sent_at_highest
        rate = sent / (now - self._began) if now > self._began else 0.0
        under_way = round_trip * rate
        is_behind = after > max(_FEW, under_way + _BEHIND * rate)
        self.unseen = max(0, round(after - under_way)) if is_behind else 0

    @property
    def ratio(self) -> float:
        """Share of what was sent until the newest report that did not arrive by it, 0 to 1; -1 = no report."""
        if self.lost < 0 or not self._sent_at_report:
            return -1.0
        return min(1.0, (self.lost + self.unseen) / self._sent_at_report)
