"""One RTP stream of a call: who carries it, its ports and keys, and what is known of it when it is over or lost.

It has no decisions: `CallMedia` makes them.
"""

from sipswarm.media import messages as media
from sipswarm.sipcore.sdp.media_attributes import Crypto

from .joined_statistics import joined


class MediaStream:
    """One RTP stream of a call, its use and its state. It belongs to one media line."""

    __slots__ = (
        *("before", "closed", "configured", "crypto", "events", "figures", "may_send", "port", "remote", "rtcp_port"),
        *("statistics", "stream_id", "worker"),
    )

    def __init__(self, stream_id: int, port: int = 0, rtcp_port: int = 0, worker: int = 0) -> None:
        self.stream_id = stream_id
        """0 = there is no stream."""
        self.worker = worker
        """Index of its media worker."""
        self.before: MediaStream | None = None
        """The lost stream whose place it takes."""
        self.port = port
        """0 = not opened yet, or not used."""
        self.rtcp_port = rtcp_port
        self.closed = False
        self.configured = False
        """It has its source and sink."""
        self.may_send = True
        """Whether the last negotiation permits sending (RFC 3264 section 8.4); True before any negotiation."""
        self.events: frozenset[int] | None = None
        """Codes of the telephone-events that the peer accepts (RFC 4733 section 2.4.1); None = no event was agreed."""
        self.crypto: tuple[Crypto, ...] = ()
        """Local SRTP keys, one per suite; made with its first description."""
        self.statistics: media.StreamStatistics | None = None
        """The final statistics; None while it is open."""
        self.figures: media.StreamStatistics | None = None
        """The newest statistics while it is open."""
        self.remote: tuple[str, int] | None = None
        """Source address and port of the received RTP."""

    def opened(self, port: int, rtcp_port: int) -> None:
        """Note its ports."""
        self.port, self.rtcp_port = port, rtcp_port

    def keyed(self, crypto: tuple[Crypto, ...]) -> None:
        """Note its local SRTP keys."""
        self.crypto = crypto

    def agreed(self, may_send: bool, events: frozenset[int] | None) -> None:
        """Note what was negotiated for it: it is configured by that."""
        self.configured, self.may_send, self.events = True, may_send, events

    def counted(self, figures: media.StreamStatistics) -> None:
        """Note the newest statistics while it is open."""
        self.figures = figures

    def receives_from(self, address: str, port: int) -> None:
        """Note the source of the received RTP."""
        self.remote = address, port

    def gone(self, statistics: media.StreamStatistics | None = None) -> None:
        """Note that it is closed, with its final statistics, or refused."""
        self.closed = True
        self.statistics = statistics or self.statistics

    def lost(self) -> "MediaStream":
        """Note that its media worker is gone; return what takes its place, not opened yet."""
        self.closed = True
        self.statistics = self.statistics or self.figures
        successor = MediaStream(0)
        successor.before = self
        return successor

    @property
    def moved(self) -> bool:
        """Whether it takes the place of a stream that was lost."""
        return self.before is not None

    @property
    def all_figures(self) -> media.StreamStatistics | None:
        """The newest statistics, with those of the lost streams whose place it takes."""
        own = self.statistics or self.figures
        return own if self.before is None else joined(self.before.all_figures, own)

    def reopen(self, stream_id: int, worker: int) -> None:
        """Give a stream to what takes the place of a lost one."""
        self.stream_id, self.worker = stream_id, worker
