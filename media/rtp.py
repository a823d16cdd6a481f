"""RTP packets (RFC 3550 5.1) as fields and back to the same bytes, and the checks of a header in place.

`RtpPacket` is for everything that is not hot. The engine reads plain packets in place: `HEADER` unpacks the twelve
octets, `payload_bounds` does the rest for packets with CSRCs, extension or padding. Sources, sequence and time are
not known here.
"""

from struct import Struct
from typing import NamedTuple

HEADER = Struct("!BBHII")
"""First octet, marker and payload type, sequence number, timestamp, SSRC."""
HEADER_IN_WORDS = Struct("!HHII")
"""The same with the first two octets as one number: `PLAIN << 8 | payload type` for most packets."""
SEQUENCE_AND_TIMESTAMP = Struct("!HI")
"""The two fields at octet 2 that differ from packet to packet."""
HEADER_SIZE = 12
"""Octets of a header without CSRCs and extension."""
PLAIN = 0x80
"""First octet of version 2 without padding, extension and CSRCs."""


class RtpError(ValueError):
    """Bytes that are no RTP or RTCP packet; the text says why."""


class RtpPacket(NamedTuple):
    """One RTP packet."""

    payload_type: int
    """0 to 127."""
    sequence_number: int
    """0 to 65535."""
    timestamp: int
    """32 bit."""
    ssrc: int
    """32 bit."""
    payload: bytes = b""
    """Without padding."""
    marker: bool = False
    """RFC 3551 4.1: the first packet of a talk spurt."""
    csrc: tuple[int, ...] = ()
    """At most 15 contributing sources."""
    extension: tuple[int, bytes] | None = None
    """Profile word and data, a multiple of 4 octets; None = no extension header."""
    padding: bytes = b""
    """As on the wire, its last octet being its length; empty = no padding."""

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read one datagram. Raises RtpError (RFC 3550 5.1, A.1)."""
        start, end = payload_bounds(data, len(data))
        first, second, sequence_number, timestamp, ssrc = HEADER.unpack_from(data)
        count = first & 0x0F
        csrc = tuple(
            int.from_bytes(data[offset : offset + 4], "big")
            for offset in range(HEADER_SIZE, HEADER_SIZE + 4 * count, 4)
        )
        extension = None
        if first & 0x10:
            offset = HEADER_SIZE + 4 * count
            extension = (int.from_bytes(data[offset : offset + 2], "big"), bytes(data[offset + 4 : start]))
        return cls(
            second & 0x7F,
            sequence_number,
            timestamp,
            ssrc,
            bytes(data[start:end]),
            second >= 0x80,
            csrc,
            extension,
            bytes(data[end:]),
        )

    def to_bytes(self) -> bytes:
        """The datagram; the same bytes that `parse` read."""
        first = PLAIN | len(self.csrc)
        if self.extension is not None:
            first |= 0x10
        if self.padding:
            first |= 0x20
        parts = [
            HEADER.pack(
                first,
                self.payload_type | self.marker << 7,
                self.sequence_number,
                self.timestamp,
                self.ssrc,
            )
        ]
        parts += [each.to_bytes(4, "big") for each in self.csrc]
        if self.extension is not None:
            profile, data = self.extension
            parts.append(profile.to_bytes(2, "big") + (len(data) // 4).to_bytes(2, "big") + data)
        parts += [self.payload, self.padding]
        return b"".join(parts)


def payload_bounds(data: bytes | bytearray | memoryview, size: int) -> tuple[int, int]:
    """Where the payload of a datagram begins and ends.

    data: a buffer that begins with the datagram. size: octets of the datagram. Returns two offsets, start <= end.
    Raises RtpError when the header does not fit (RELIABILITY M6).
    """
    if size < HEADER_SIZE:
        raise RtpError("RTP packet is shorter than its header")
    first = data[0]
    if first >> 6 != 2:
        raise RtpError("RTP version is not 2")
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if start > size:
        raise RtpError("RTP CSRC list is truncated")
    if first & 0x10:
        if start + 4 > size:
            raise RtpError("RTP extension header is truncated")
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if start > size:
            raise RtpError("RTP extension is truncated")
    if not first & 0x20:
        return start, size
    padding = data[size - 1] if size > start else 0
    if padding == 0:
        raise RtpError("RTP padding is empty")
    if start + padding > size:
        raise RtpError("RTP padding is longer than the packet")
    return start, size - padding


def is_rtcp(data: bytes | bytearray | memoryview, *, shared: bool = True) -> bool:
    """Whether a datagram on the port of RTP is RTCP.

    data: at least 2 octets. shared: RTP and RTCP have agreed on one port, and RTP has no payload types 64 to 95 there
    (RFC 5761 4). Without that only 72 to 76 are kept free (RFC 3551 6), where SR, RR, SDES, BYE and APP lie.
    """
    return 192 <= data[1] <= 223 if shared else 200 <= data[1] <= 204
