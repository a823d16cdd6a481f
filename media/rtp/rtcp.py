"""RTCP packets (RFC 3550 6, 4585 6.1) as fields and back to the same bytes, compound rules, and the report interval.

`parse` cuts a datagram into its packets and refuses the whole when one does not fit its own length; `check_compound`
then judges their order. Packets of unknown types are passed over. It must not depend on streams, sockets, clocks or
randomness: times and random values are arguments.
"""

from struct import Struct
from typing import NamedTuple

from .packet import RtpError

SR, RR, SDES, BYE, APP, RTPFB, PSFB = 200, 201, 202, 203, 204, 205, 206
"""Packet types (RFC 3550 12.1, RFC 4585 6.1)."""
CNAME = 1
"""The one SDES item that is mandatory (RFC 3550 6.5.1)."""
MINIMUM_INTERVAL = 5.0
"""Seconds that lie between two reports at least, before randomisation (RFC 3550 6.2)."""
COMPENSATION = 2.718281828459045 - 1.5
"""Divisor that makes up for timer reconsideration (RFC 3550 6.3.1)."""

_HEADER = Struct("!BBH")
_BLOCK = Struct("!IBBHIIII")
_SENDER = Struct("!IQIII")


class ReportBlock(NamedTuple):
    """One report block (RFC 3550 6.4.1)."""

    ssrc: int
    """The source it is about."""
    fraction_lost: int
    """Since the last report, in 256ths."""
    packets_lost: int
    """Cumulative, signed 24 bit."""
    highest_sequence: int
    """Extended highest sequence number received."""
    jitter: int
    """In units of the timestamp."""
    last_sr: int
    """Middle 32 bits of the NTP time of the source's last SR; 0 = none."""
    delay_since_last_sr: int
    """In 65536ths of a second."""

    def to_bytes(self) -> bytes:
        """24 octets."""
        lost = self.packets_lost & 0xFFFFFF
        return _BLOCK.pack(self.ssrc, self.fraction_lost, lost >> 16, lost & 0xFFFF, *self[3:])


class SenderReport(NamedTuple):
    """SR (RFC 3550 6.4.1)."""

    ssrc: int
    """The sender."""
    ntp_time: int
    """64 bit: seconds since 1900 and fraction."""
    rtp_timestamp: int
    """The same instant on the RTP clock."""
    packets_sent: int
    """RTP packets since the start."""
    octets_sent: int
    """Their payload octets."""
    blocks: tuple[ReportBlock, ...] = ()
    """At most 31."""
    padding: bytes = b""
    """As on the wire; only in the last packet of a compound."""

    def to_bytes(self) -> bytes:
        """The packet with its header."""
        body = _SENDER.pack(*self[:5]) + b"".join(block.to_bytes() for block in self.blocks)
        return _packed(SR, len(self.blocks), body, self.padding)


class ReceiverReport(NamedTuple):
    """RR (RFC 3550 6.4.2)."""

    ssrc: int
    """The sender of this report."""
    blocks: tuple[ReportBlock, ...] = ()
    """At most 31."""
    padding: bytes = b""
    """As on the wire; only in the last packet of a compound."""

    def to_bytes(self) -> bytes:
        """The packet with its header."""
        body = self.ssrc.to_bytes(4, "big") + b"".join(block.to_bytes() for block in self.blocks)
        return _packed(RR, len(self.blocks), body, self.padding)


class SdesChunk(NamedTuple):
    """What one source reports about itself."""

    ssrc: int
    """The source."""
    items: tuple[tuple[int, bytes], ...]
    """(item type, text of at most 255 octets)."""


class SourceDescription(NamedTuple):
    """SDES (RFC 3550 6.5)."""

    chunks: tuple[SdesChunk, ...]
    """At most 31."""
    padding: bytes = b""
    """As on the wire; only in the last packet of a compound."""

    def to_bytes(self) -> bytes:
        """The packet with its header."""
        body = b""
        for chunk in self.chunks:
            body += chunk.ssrc.to_bytes(4, "big")
            for kind, text in chunk.items:
                body += bytes((kind, len(text))) + text
            body += bytes(4 - len(body) % 4)  # at least one null ends the list
        return _packed(SDES, len(self.chunks), body, self.padding)


class Goodbye(NamedTuple):
    """BYE (RFC 3550 6.6)."""

    sources: tuple[int, ...]
    """SSRCs that leave."""
    reason: bytes = b""
    """Text of at most 255 octets."""
    padding: bytes = b""
    """As on the wire; only in the last packet of a compound."""

    def to_bytes(self) -> bytes:
        """The packet with its header."""
        body = b"".join(ssrc.to_bytes(4, "big") for ssrc in self.sources)
        if self.reason:
            body += bytes((len(self.reason),)) + self.reason
            body += bytes(-len(body) % 4)
        return _packed(BYE, len(self.sources), body, self.padding)


class Feedback(NamedTuple):
    """APP, RTPFB or PSFB (RFC 3550 6.7, RFC 4585 6.1): read so far that it can be passed over or written back."""

    packet_type: int
    """APP, RTPFB or PSFB."""
    format: int
    """Subtype or feedback message type, 5 bit."""
    ssrc: int
    """The sender."""
    second: int
    """The media source (RFC 4585), or the four letters of APP's name as a number."""
    data: bytes = b""
    """What follows."""
    padding: bytes = b""
    """As on the wire; only in the last packet of a compound."""

    def to_bytes(self) -> bytes:
        """The packet with its header."""
        body = self.ssrc.to_bytes(4, "big") + self.second.to_bytes(4, "big") + self.data
        return _packed(self.packet_type, self.format, body, self.padding)


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | Feedback


def _packed(kind: int, count: int, body: bytes, padding: bytes) -> bytes:
    first = 0x80 | (0x20 if padding else 0) | count
    return _HEADER.pack(first, kind, (len(body) + len(padding)) // 4) + body + padding


def parse(data: bytes) -> tuple[RtcpPacket, ...]:
    """Every known packet of one datagram, in order; unknown packet types are passed over (RFC 3550 6.1).

    Raises:
        RtpError: a packet does not fit its own length, or the lengths do not add up (A.2).
    """
    if len(data) < 4:
        raise RtpError("RTCP packet is shorter than its header")
    packets: list[RtcpPacket] = []
    offset = 0
    size = len(data)
    while offset < size:
        if offset + 4 > size:
            raise RtpError("RTCP packet is shorter than its header")
        first, kind, words = _HEADER.unpack_from(data, offset)
        if first >> 6 != 2:
            raise RtpError("RTCP version is not 2")
        end = offset + 4 + 4 * words
        if end > size:
            raise RtpError("RTCP packet is truncated")
        body = data[offset + 4 : end]
        padding = b""
        if first & 0x20:
            if end != size:
                raise RtpError("RTCP padding is not in the last packet")
            length = body[-1] if body else 0
            if length == 0 or length % 4 or length > len(body):
                raise RtpError("RTCP padding is wrong")
            padding = body[-length:]
            body = body[:-length]
        packet = _parse_body(kind, first & 0x1F, body, padding)
        if packet is not None:
            packets.append(packet)
        offset = end
    return tuple(packets)


def _parse_body(kind: int, count: int, body: bytes, padding: bytes) -> RtcpPacket | None:
    if kind == SR:
        if len(body) < 24 + 24 * count:
            raise RtpError("RTCP sender report is shorter than its blocks")
        ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
        return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, 24, count), padding)
    if kind == RR:
        if len(body) < 4 + 24 * count:
            raise RtpError("RTCP receiver report is shorter than its blocks")
        return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body, 4, count), padding)
    if kind == SDES:
        return SourceDescription(_chunks(body, count), padding)
    if kind == BYE:
        return _goodbye(body, count, padding)
    if kind in (APP, RTPFB, PSFB):
        if len(body) < 8:
            raise RtpError("RTCP feedback is shorter than its sources")
        ssrc, second = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        return Feedback(kind, count, ssrc, second, body[8:], padding)
    return None


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for _ in range(count):
        ssrc, fraction, high, low, sequence, jitter, last, delay = _BLOCK.unpack_from(body, offset)
        lost = high << 16 | low
        if lost >= 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, fraction, lost, sequence, jitter, last, delay))
        offset += 24
    return tuple(blocks)


def _chunks(body: bytes, count: int) -> tuple[SdesChunk, ...]:
    chunks = []
    offset = 0
    size = len(body)
    for _ in range(count):
        if offset + 4 > size:
            raise RtpError("RTCP SDES source is truncated")
        ssrc = int.from_bytes(body[offset : offset + 4], "big")
        offset += 4
        items = []
        while True:
            if offset >= size:
                raise RtpError("RTCP SDES item list has no end")
            kind = body[offset]
            if kind == 0:
                break
            if offset + 2 > size or offset + 2 + body[offset + 1] > size:
                raise RtpError("RTCP SDES item is truncated")
            end = offset + 2 + body[offset + 1]
            items.append((kind, body[offset + 2 : end]))
            offset = end
        offset += 4 - offset % 4
        chunks.append(SdesChunk(ssrc, tuple(items)))
    return tuple(chunks)


def _goodbye(body: bytes, count: int, padding: bytes) -> Goodbye:
    if len(body) < 4 * count:
        raise RtpError("RTCP goodbye is shorter than its sources")
    sources = tuple(int.from_bytes(body[4 * i : 4 * i + 4], "big") for i in range(count))
    rest = body[4 * count :]
    if not rest:
        return Goodbye(sources, b"", padding)
    if 1 + rest[0] > len(rest):
        raise RtpError("RTCP goodbye reason is truncated")
    return Goodbye(sources, rest[1 : 1 + rest[0]], padding)


def check_compound(packets: tuple[RtcpPacket, ...]) -> None:
    """Hold a datagram to the rules of a compound: it begins with a report (RFC 3550 6.1, A.2).

    A lone feedback packet is let through (reduced size, RFC 5506).

    Raises:
        RtpError: it is malformed.
    """
    if not packets:
        raise RtpError("RTCP compound has no known packet")
    if not isinstance(packets[0], SenderReport | ReceiverReport | Feedback):
        raise RtpError("RTCP compound does not begin with a report")


def interval(
    *,
    members: int,
    senders: int,
    bandwidth: float,
    we_sent: bool,
    average_size: float,
    initial: bool,
    uniform: float,
    minimum: float = MINIMUM_INTERVAL,
) -> float:
    """Seconds until the next report (RFC 3550 6.3.1, A.7).

    Args:
        members, senders: SSRCs known, the local one included.
        bandwidth: RTCP's share in octets per second, 5 % of the session.
        we_sent: RTP went out since the second report before.
        average_size: octets of a compound with IP and UDP headers.
        initial: no report was sent yet.
        uniform: a random number from 0 to 1.
        minimum: seconds.
    """
    if initial:
        minimum /= 2
    count = members
    if senders <= members * 0.25:
        if we_sent:
            bandwidth *= 0.25
            count = senders
        else:
            bandwidth *= 0.75
            count -= senders
    time = max(average_size * count / bandwidth if bandwidth > 0 else minimum, minimum)
    return time * (uniform + 0.5) / COMPENSATION


def round_trip(block: ReportBlock, ntp_middle_now: int) -> float | None:
    """Seconds between our SR and its echo in this block, less the peer's delay; None without one (RFC 3550 6.4.1).

    Args:
        ntp_middle_now: middle 32 bits of our NTP time at its arrival.
    """
    if not block.last_sr:
        return None
    units = (ntp_middle_now - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
    if units > 0x7FFFFFFF:  # rounding of clocks: slightly less than nothing
        return 0.0
    return units / 65536


def ntp_time(wall: float) -> int:
    """64 bit NTP time of a Unix time in seconds (RFC 3550 4)."""
    seconds = wall + 2208988800
    return int(seconds) << 32 | int(seconds % 1 * (1 << 32))
