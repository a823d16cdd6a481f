"""A reader of capture files, classic pcap and pcapng, as far as IPv4 UDP packets are in them."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ETHERNET, _RAW_IP = 1, 101


class Datagram(NamedTuple):
    """One UDP datagram of a capture."""

    time: float
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def read_capture(path: Path) -> list[Datagram]:
    """The UDP datagrams of the file, in order."""
    data = path.read_bytes()
    frames = _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)
    return [datagram for time, link, frame in frames if (datagram := _udp(time, link, frame)) is not None]


def _pcap(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    (link,) = struct.unpack_from(order + "I", data, 20)
    offset = 24
    while offset + 16 <= len(data):
        seconds, micros, captured, _ = struct.unpack_from(order + "IIII", data, offset)
        yield seconds + micros / 1e6, link, data[offset + 16 : offset + 16 + captured]
        offset += 16 + captured


def _pcapng(data: bytes) -> Iterator[tuple[float, int, bytes]]:
    order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    links: list[int] = []
    offset = 0
    while offset + 12 <= len(data):
        kind, length = struct.unpack_from(order + "II", data, offset)
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, offset + 8)[0])
        elif kind == 6:
            interface, high, low, captured, _ = struct.unpack_from(order + "IIIII", data, offset + 8)
            frame = data[offset + 28 : offset + 28 + captured]
            yield (high << 32 | low) / 1e6, links[interface], frame
        offset += length


def _udp(time: float, link: int, frame: bytes) -> Datagram | None:
    if link == _ETHERNET:
        if frame[12:14] != b"\x08\x00":
            return None
        frame = frame[14:]
    elif link != _RAW_IP:
        raise ValueError(f"link type {link} is not read here")
    if frame[0] >> 4 != 4 or frame[9] != 17:
        return None
    size = (frame[0] & 15) * 4
    source_port, destination_port, length = struct.unpack_from(">HHH", frame, size)
    source = ".".join(map(str, frame[12:16]))
    destination = ".".join(map(str, frame[16:20]))
    payload = frame[size + 8 : size + length]
    return Datagram(time, (source, source_port), (destination, destination_port), payload)
