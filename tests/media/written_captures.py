"""Writes capture files of RTP, classic pcap and pcapng, over each link type that is read."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

ETHERNET, RAW, COOKED, COOKED_2 = 1, 101, 113, 276


class Rtp(NamedTuple):
    """One RTP packet."""

    at: float
    """Seconds."""
    payload_type: int = 0
    marker: int = 0
    timestamp: int = 0
    payload: bytes = b"\xd5" * 160
    ssrc: int = 7
    number: int = 0

    def octets(self) -> bytes:
        """As it is on the wire."""
        second = self.marker << 7 | self.payload_type
        return struct.pack("!BBHII", 0x80, second, self.number, self.timestamp, self.ssrc) + self.payload


def speech(count: int, at: float = 0.0, timestamp: int = 1000) -> list[Rtp]:
    """Packets of 20 ms of G.711."""
    return [Rtp(at + number * 0.02, timestamp=timestamp + number * 160, number=number) for number in range(count)]


def digit(at: float, timestamp: int, payload_type: int = 101) -> list[Rtp]:
    """The digit 5 as telephone-event: four packets, and its end three times at once (RFC 4733 section 2.5.1.4)."""
    packets = []
    for number in range(7):
        duration, end = min(number + 1, 5) * 160, 0x80 if number >= 4 else 0
        payload = struct.pack("!BBH", 5, end | 10, duration)
        packets.append(Rtp(at + min(number, 4) * 0.02, payload_type, int(not number), timestamp, payload))
    return packets


def udp(payload: bytes, *, protocol: int = 17, fragment: int = 0) -> bytes:
    """An IPv4 packet with a UDP datagram."""
    datagram = struct.pack("!HHHH", 6000, 6002, 8 + len(payload), 0) + payload
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, fragment, 64, protocol, 0, bytes(4), bytes([10, 0, 0, 1])
    )
    return head + datagram


def udp6(payload: bytes, *, options: bool = False) -> bytes:
    """An IPv6 packet with a UDP datagram, behind a header of destination options where asked for."""
    datagram = struct.pack("!HHHH", 6000, 6002, 8 + len(payload), 0) + payload
    extension = bytes([17, 0]) + bytes(6) if options else b""
    kind, size = 60 if options else 17, len(extension + datagram)
    head = struct.pack("!IHBB16s16s", 6 << 28, size, kind, 64, bytes(16), bytes(16))
    return head + extension + datagram


def framed(link: int, packet: bytes, *, tagged: bool = False) -> bytes:
    """An IP packet with the header of a link."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    if link == ETHERNET:
        tag = b"\x81\x00\x00\x07" if tagged else b""
        return bytes(12) + tag + kind + packet + bytes(4)  # with padding behind it
    if link == COOKED:
        return bytes(14) + kind + packet
    return kind + bytes(18) + packet if link == COOKED_2 else packet


def pcap(records: Sequence[tuple[float, bytes]], link: int = RAW, order: str = "<", nano: bool = False) -> bytes:
    """A classic capture file."""
    magic, unit = (0xA1B23C4D, 1e9) if nano else (0xA1B2C3D4, 1e6)
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for at, octets in records:
        seconds = int(at)
        fraction = round((at - seconds) * unit)
        data += struct.pack(f"{order}IIII", seconds, fraction, len(octets), len(octets)) + octets
    return data


def pcapng(records: Sequence[tuple[float, bytes]], link: int = RAW, order: str = "<", digits: int = 6) -> bytes:
    """A pcapng file with one interface, whose times have so many decimal digits."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = 12 + len(body)
        return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)

    option = struct.pack(f"{order}HHBxxx", 9, 1, digits) + bytes(4)
    data = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack(f"{order}HHI", link, 0, 0) + option)
    data += block(5, bytes(12))  # statistics: passed over
    for at, octets in records:
        time = round(at * 10**digits)
        head = struct.pack(f"{order}IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(octets), len(octets))
        data += block(6, head + octets)
    return data


def of_rtp(packets: Sequence[Rtp]) -> bytes:
    """A classic capture file of RTP over IPv4."""
    return pcap([(1_700_000_000 + each.at, udp(each.octets())) for each in packets])
