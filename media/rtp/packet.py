"""The header of RTP packets (RFC 3550 5.1), read and checked in place.

`HEADER` unpacks the twelve octets of a plain packet, `payload_bounds` does the rest for packets with CSRCs, extension
or padding. Nothing is copied. Sources, sequence and time do not belong here.
"""

from struct import Struct

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
    """Bytes that are no RTP or RTCP packet; the text has the reason."""


def payload_bounds(data: bytes | bytearray | memoryview, size: int) -> tuple[int, int]:
    """Where the payload of a datagram begins and ends.

    Args:
        data: a buffer that begins with the datagram.
        size: octets of the datagram.

    Returns:
        two offsets, start <= end.

    Raises:
        RtpError: the header does not fit (RELIABILITY M6).
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

    Args:
        data: at least 2 octets.
        shared: RTP and RTCP have agreed on one port, and RTP has no payload types 64 to 95 there (RFC 5761 4).
            Without that only 72 to 76 are kept free (RFC 3551 6), where SR, RR, SDES, BYE and APP lie.
    """
    return 192 <= data[1] <= 223 if shared else 200 <= data[1] <= 204
