"""Capture files, read back by what the formats say: lengths, addresses and checksums are right for both families."""

import ipaddress
import struct

import pytest

from sipswarm.actors.trace.pcap import HEADER, LONGEST, packet

V4, V6 = ("192.0.2.1", 5060), ("2001:db8::1", 5061)


def ones_sum(data: bytes) -> int:
    """The 16-bit one's complement sum; 0xffff over everything that a right checksum covers (RFC 1071)."""
    total = 0
    for high, low in zip(data[::2], (data + b"\0")[1::2], strict=False):
        total += (high << 8) + low
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_the_head_of_a_file_says_version_2_4_and_raw_ip() -> None:
    assert struct.unpack("<IHHiIII", HEADER) == (0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)


@pytest.mark.parametrize("payload", [b"", b"a", b"OPTIONS sip:a SIP/2.0\r\n\r\n", bytes(300), b"\xff" * 301])
@pytest.mark.parametrize(
    ("source", "destination", "version"),
    [
        (V4, ("198.51.100.7", 40000), 4),
        (V6, ("fe80::1%eth0", 40000), 6),
        (("0.0.0.0", 5060), V6, 6),
        (V6, V4, 6),
        (("a name", 5060), V4, 4),
    ],
)
def test_a_packet_has_right_lengths_and_checksums(
    source: tuple[str, int], destination: tuple[str, int], version: int, payload: bytes
) -> None:
    record = packet(1700000000.25, source, destination, payload)
    seconds, microseconds, kept, length = struct.unpack("<IIII", record[:16])
    assert (seconds, microseconds) == (1700000000, 250000)
    assert kept == length == len(record) - 16
    ip = record[16:]
    assert ip[0] >> 4 == version
    if version == 4:
        head, udp = ip[:20], ip[20:]
        assert struct.unpack("!H", head[2:4])[0] == len(ip)
        assert ones_sum(head) == 0xFFFF
        addresses = head[12:20]
    else:
        udp = ip[40:]
        assert struct.unpack("!HBB", ip[4:8]) == (len(udp), 17, 64)
        addresses = ip[8:40]
    assert struct.unpack("!HHH", udp[:6]) == (source[1], destination[1], len(udp))
    assert udp[6:8] != b"\0\0"
    assert ones_sum(addresses + struct.pack("!II", len(udp), 17) + udp) == 0xFFFF
    assert udp[8:] == payload


def test_addresses_stand_where_they_belong() -> None:
    ip = packet(0.0, V4, ("198.51.100.7", 1), b"x")[16:]
    assert [str(ipaddress.ip_address(part)) for part in (ip[12:16], ip[16:20])] == ["192.0.2.1", "198.51.100.7"]
    mapped = packet(0.0, V4, V6, b"x")[16:]
    assert ipaddress.IPv6Address(mapped[8:24]).ipv4_mapped == ipaddress.ip_address("192.0.2.1")


def test_a_message_that_fits_into_no_packet_is_cut() -> None:
    assert len(packet(0.0, V4, V4, bytes(70000))) == 16 + 20 + 8 + LONGEST
