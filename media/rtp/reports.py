"""The RTCP side of one stream: when to report (RFC 3550 6.3), what (SR, RR, SDES, BYE), and what the peer reports.

One stream has one peer, so a session has two members. A report that is due is reconsidered first (6.3.6), then written
as SR or RR with SDES. A compound that comes is checked as a whole (A.2) before any of its packets counts. It takes
bytes and times; it must not use sockets or receive RTP.
"""

from collections.abc import Callable

from . import rtcp
from .reception import Reception
from .remote_loss import RemoteLoss, nothing_sent

_M32 = 0xFFFFFFFF
_IP_UDP = 28
"""Octets of IP and UDP headers, which count in the average size (RFC 3550 6.3.3)."""
SESSION_BANDWIDTH = 10_000.0
"""Octets per second of one G.711 stream with its headers; RTCP gets 5 % of both directions."""


class RtcpSession:
    """Reports sent and received on one stream."""

    __slots__ = (
        "_average_size",
        "_initial",
        "_minimum",
        "_packets_at_report",
        "_previous",
        "_random_bytes",
        "_senders_seen",
        "_wall_offset",
        "cname",
        "due",
        "received",
        "remote_cname",
        "remote_fraction_lost",
        "remote_jitter",
        "remote_loss",
        "remote_said_bye",
        "round_trip",
        "round_trips",
        "sent",
        "ssrc",
    )

    def __init__(
        self,
        ssrc: int,
        cname: bytes,
        random_bytes: Callable[[int], bytes],
        wall_offset: float,
        minimum: float = rtcp.MINIMUM_INTERVAL,
        sent: Callable[[], tuple[int, int]] = nothing_sent,
    ) -> None:
        """Begin silent, until `start`.

        Args:
            ssrc: of the local side.
            cname: RFC 7022.
            random_bytes: returns that many random octets.
            wall_offset: Unix time minus `now`.
            minimum: seconds between reports at least.
            sent: returns how many RTP packets were sent so far, and the sequence number of the next one.
        """
        self.ssrc = ssrc
        self.cname = cname
        self._random_bytes = random_bytes
        self._wall_offset = wall_offset
        self._minimum = minimum
        self._average_size = 100.0 + _IP_UDP
        self._initial = True
        self._previous = 0.0
        self._packets_at_report = 0
        self._senders_seen = False
        self.due = float("inf")
        """When the next report is due."""
        self.sent = 0
        """Compounds sent."""
        self.received = 0
        """Valid compounds received."""
        self.round_trip = -1.0
        """Seconds, newest; -1 = unknown."""
        self.round_trips = 0
        """How often it was measured."""
        self.remote_loss = RemoteLoss(sent)
        """What the peer reported as lost of what we send."""
        self.remote_fraction_lost = -1
        """In 256ths, newest; -1 = no report."""
        self.remote_jitter = -1
        """In clock units, newest; -1 = no report."""
        self.remote_cname = b""
        self.remote_said_bye = False

    def start(self, now: float) -> None:
        """Schedule the first report, unless that was done."""
        if self.due == float("inf"):
            self._previous = now
            self.remote_loss.start(now)
            self.due = now + self._interval(False)

    def _interval(self, we_sent: bool) -> float:
        senders = we_sent + self._senders_seen
        return rtcp.interval(
            members=2,
            senders=senders,
            bandwidth=0.05 * 2 * SESSION_BANDWIDTH,
            we_sent=we_sent,
            average_size=self._average_size,
            initial=self._initial,
            uniform=int.from_bytes(self._random_bytes(4), "big") / (1 << 32),
            minimum=self._minimum,
        )

    def compound(
        self,
        now: float,
        packets_sent: int,
        bytes_sent: int,
        timestamp: int,
        reception: Reception | None,
    ) -> bytes | None:
        """The report that is due, or None when reconsideration puts it off (RFC 3550 6.3.6).

        Args:
            packets_sent, bytes_sent: RTP so far.
            timestamp: of our RTP clock now.
            reception: of the peer's source.
        """
        we_sent = packets_sent > self._packets_at_report
        self._senders_seen = reception is not None
        due = self._previous + self._interval(we_sent)
        if due > now:
            self.due = due
            return None
        data = self._report(now, we_sent, packets_sent, bytes_sent, timestamp, reception) + self._description()
        self._average_size += (len(data) + _IP_UDP - self._average_size) / 16
        self._initial = False
        self._previous = now
        self._packets_at_report = packets_sent
        self.due = now + self._interval(we_sent)
        self.sent += 1
        return data

    def goodbye(
        self,
        now: float,
        packets_sent: int,
        bytes_sent: int,
        timestamp: int,
        reception: Reception | None,
    ) -> bytes | None:
        """Report and BYE; None when nothing was ever sent (RFC 3550 6.3.7)."""
        if not packets_sent and not self.sent:
            return None
        self.sent += 1
        report = self._report(now, packets_sent > 0, packets_sent, bytes_sent, timestamp, reception)
        return report + self._description() + rtcp.Goodbye((self.ssrc,)).to_bytes()

    def _report(
        self,
        now: float,
        we_sent: bool,
        packets_sent: int,
        bytes_sent: int,
        timestamp: int,
        reception: Reception | None,
    ) -> bytes:
        blocks = (reception.report_block(now),) if reception is not None else ()
        if not we_sent:
            return rtcp.ReceiverReport(self.ssrc, blocks).to_bytes()
        ntp = rtcp.ntp_time(now + self._wall_offset)
        return rtcp.SenderReport(
            self.ssrc, ntp, timestamp & _M32, packets_sent & _M32, bytes_sent & _M32, blocks
        ).to_bytes()

    def _description(self) -> bytes:
        chunk = rtcp.SdesChunk(self.ssrc, ((rtcp.CNAME, self.cname),))
        return rtcp.SourceDescription((chunk,)).to_bytes()

    def receive(self, data: bytes, reception: Reception | None, now: float) -> bool:
        """Take a compound from the peer; returns whether it belonged.

        Args:
            data: one datagram.
            reception: of the peer's source.

        Raises:
            RtpError: bytes that are no RTCP.
        """
        packets = rtcp.parse(data)
        rtcp.check_compound(packets)
        remote = reception.ssrc if reception is not None else None
        first = packets[0]
        if remote is not None and isinstance(first, rtcp.SenderReport | rtcp.ReceiverReport) and first.ssrc != remote:
            return False
        self._average_size += (len(data) + _IP_UDP - self._average_size) / 16
        self.received += 1
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                if reception is not None:
                    reception.sender_report(packet.ntp_time >> 16 & _M32, now, packet.packets_sent)
                self._take_blocks(packet.blocks, now)
            elif isinstance(packet, rtcp.ReceiverReport):
                self._take_blocks(packet.blocks, now)
            elif isinstance(packet, rtcp.SourceDescription):
                for chunk in packet.chunks:
                    for kind, text in chunk.items:
                        if kind == rtcp.CNAME:
                            self.remote_cname = text
            elif isinstance(packet, rtcp.Goodbye) and remote in packet.sources:
                self.remote_said_bye = True
        return True

    def _take_blocks(self, blocks: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc != self.ssrc:
                continue
            self.remote_fraction_lost = block.fraction_lost
            self.remote_jitter = block.jitter
            middle = rtcp.ntp_time(now + self._wall_offset) >> 16 & _M32
            delay = rtcp.round_trip(block, middle)
            if delay is not None and delay < 60.0:
                self.round_trip = delay
                self.round_trips += 1
            self.remote_loss.take(block, max(0.0, self.round_trip), now)
