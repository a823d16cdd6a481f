"""The RTP packets of a capture file, classic pcap or pcapng: Ethernet, Linux cooked or raw IP, IPv4 and IPv6.

They are those of the first source (SSRC) of the file, with the times at which they were captured. Whatever else is in
it, RTCP and fragments too, is passed over. The file is read packet by packet. It must not open files or send.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from .packet import HEADER, HEADER_SIZE, RtpError, is_rtcp, payload_bounds

MOST_OTHERS: Final = 20_000
"""Packets in a row that are passed over, some milliseconds of work."""
_LONGEST: Final = 262_144
"""Octets of a captured packet at the most, as of tcpdump."""
_MOST_INTERFACES: Final = 256
_ETHERNET: Final = 1
_COOKED: Final = 113
_COOKED_2: Final = 276
_RAW: Final = frozenset((12, 14, 101, 228, 229))
_LINKS: Final = frozenset((_ETHERNET, _COOKED, _COOKED_2)) | _RAW
"""Link types, https://www.tcpdump.org/linktypes.html."""
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
"""A pcapng file begins with it."""
_INTERFACE: Final = 1
_PACKET: Final = 6
_RESOLUTION: Final = 9
"""The option of an interface that has the unit of its times."""
_CLASSIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
"""Order of octets and unit of the fractions of seconds, by the first octets of a classic file."""
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
"""Order of octets by the magic number of a section of pcapng."""
_TAGS: Final = (b"\x81\x00", b"\x88\xa8")
"""Types of Ethernet frames with a VLAN tag (IEEE 802.1Q)."""
_IP: Final = (b"\x08\x00", b"\x86\xdd")
"""Types of those with IPv4 and IPv6."""
_UDP: Final = 17
_EXTENSIONS: Final = frozenset((0, 43, 60))
"""Headers of IPv6 that may stand before that of UDP (RFC 8200 section 4); a fragment is passed over."""
_Record = tuple[float, int, bytes]
"""Time in seconds, link type, octets of one captured packet."""


class CaptureError(ValueError):
    """A file that is no capture or a damaged one; the text goes on after the name of the file."""


class CapturedFrame(NamedTuple):
    """One RTP packet of a capture."""

    at: float
    """Seconds since the first one, never less than of the one before."""
    payload: bytes
    payload_type: int
    marker: int
    """0 or 1."""
    timestamp: int


def frames_of(data: bytes) -> Iterator[CapturedFrame]:
    """Read the RTP packets of a capture one by one.

    Args:
        data: the whole file.

    Raises:
        CaptureError: the file cannot be read from here on.
    """
    began = last = 0.0
    source = -1
    others = 0
    for at, link, octets in _records(data):
        others += 1
        if others > MOST_OTHERS:
            raise CaptureError(f"has more than {MOST_OTHERS} packets in a row that are no RTP of its first source")
        packet = _datagram(link, octets)
        if len(packet) < HEADER_SIZE or is_rtcp(packet):
            continue
        try:
            start, end = payload_bounds(packet, len(packet))
        except RtpError:
            continue
        _, second, _, timestamp, sender = HEADER.unpack_from(packet)
        if source < 0:
            source, began = sender, at
        elif sender != source:
            continue
        others = 0
        last = max(last, at - began)
        yield CapturedFrame(last, packet[start:end], second & 0x7F, second >> 7, timestamp)


def _records(data: bytes) -> Iterator[_Record]:
    if data[:4] == _SECTION:
        return _pcapng(data)
    found = _CLASSIC.get(data[:4])
    if found is None:
        raise CaptureError("is no capture file; give one of pcap or pcapng")
    return _pcap(data, *found)


def _pcap(data: bytes, order: str, unit: float) -> Iterator[_Record]:
    """Packets of a classic file.

    Args:
        unit: of the fractions of seconds.
    """
    if len(data) < 24:
        raise CaptureError("ends within its header")
    link = Struct(f"{order}I").unpack_from(data, 20)[0] & 0xFFFF
    if link not in _LINKS:
        raise CaptureError(f"has packets of link type {link}; capture Ethernet, -i any, or raw IP")
    head = Struct(f"{order}IIII")
    at = 24
    while at + head.size <= len(data):
        seconds, fraction, size, _ = head.unpack_from(data, at)
        if size > _LONGEST:
            raise CaptureError(f"is damaged at octet {at}: a packet of {size} octets")
        at += head.size
        yield seconds + fraction * unit, link, data[at : at + size]
        at += size


def _pcapng(data: bytes) -> Iterator[_Record]:
    """Packets of a pcapng file (draft-ietf-opsawg-pcapng): those of enhanced packet blocks, which have times."""
    order = ""
    interfaces: list[tuple[int, float]] = []
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == _SECTION:
            order, interfaces = _ORDERS.get(data[at + 8 : at + 12], ""), []
            if not order:
                raise CaptureError(f"is damaged at octet {at}: a section without its magic number")
        kind, size = Struct(f"{order}II").unpack_from(data, at)
        if size < 12 or size % 4:
            raise CaptureError(f"is damaged at octet {at}: a block of {size} octets")
        body = data[at + 8 : at + size - 4]
        if kind == _INTERFACE and len(body) >= 8:
            if len(interfaces) >= _MOST_INTERFACES:
                raise CaptureError(f"has more than {_MOST_INTERFACES} interfaces")
            interfaces.append(_interface(body, order))
        elif kind == _PACKET and len(body) >= 20:
            number, high, low, length, _ = Struct(f"{order}IIIII").unpack_from(body)
            if number < len(interfaces):
                link, unit = interfaces[number]
                yield (high << 32 | low) * unit, link, body[20 : 20 + length]
        at += size


def _interface(body: bytes, order: str) -> tuple[int, float]:
    """Link type of an interface, and the unit of its times in seconds."""
    (link,) = Struct(f"{order}H").unpack_from(body)
    option, at = Struct(f"{order}HH"), 8
    while at + 4 <= len(body):
        code, size = option.unpack_from(body, at)
        if code == _RESOLUTION and size == 1 and at + 4 < len(body):
            value = body[at + 4]
            return link, 2.0 ** -(value & 0x7F) if value & 0x80 else 10.0**-value
        if not code:
            break
        at += 4 + (size + 3) // 4 * 4
    return link, 1e-6


def _datagram(link: int, octets: bytes) -> bytes:
    """The payload of a UDP datagram; empty for whatever else."""
    if link == _ETHERNET:
        at, kind = 14, octets[12:14]
        while kind in _TAGS:
            kind = octets[at + 2 : at + 4]
            at += 4
    elif link == _COOKED:
        at, kind = 16, octets[14:16]
    elif link == _COOKED_2:
        at, kind = 20, octets[:2]
    elif link in _RAW:
        at, kind = 0, _IP[0]
    else:
        return b""
    if kind not in _IP or len(octets) < at + 20:
        return b""
    return {4: _of_ipv4, 6: _of_ipv6}.get(octets[at] >> 4, _of_nothing)(octets, at)


def _of_nothing(octets: bytes, at: int) -> bytes:
    return b""


def _of_ipv4(octets: bytes, at: int) -> bytes:
    fragment = int.from_bytes(octets[at + 6 : at + 8], "big") & 0x3FFF
    if octets[at + 9] != _UDP or fragment:
        return b""
    total = int.from_bytes(octets[at + 2 : at + 4], "big")
    return _of_udp(octets, at + (octets[at] & 15) * 4, at + total if total else len(octets))


def _of_ipv6(octets: bytes, at: int) -> bytes:
    if len(octets) < at + 40:
        return b""
    kind, end = octets[at + 6], at + 40 + int.from_bytes(octets[at + 4 : at + 6], "big")
    at += 40
    while kind in _EXTENSIONS and len(octets) >= at + 8:
        kind, at = octets[at], at + 8 * (octets[at + 1] + 1)
    return _of_udp(octets, at, end) if kind == _UDP else b""


def _of_udp(octets: bytes, at: int, end: int) -> bytes:
    """Payload of the datagram that begins there.

    Args:
        end: of the IP packet.
    """
    length = int.from_bytes(octets[at + 4 : at + 6], "big")
    return octets[at + 8 : min(end, at + length)] if length >= 8 else b""
