"""RTP packets as fields and back to the same bytes (RFC 3550 5.1), for peers of the tests."""

from typing import NamedTuple

from sipswarm.media.rtp.packet import HEADER, HEADER_SIZE, PLAIN, payload_bounds


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
