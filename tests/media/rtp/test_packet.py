"""RTP packets: foreign bytes to fields and back, and what is refused (RFC 3550 5.1, RELIABILITY M6)."""

import random
from pathlib import Path

import pytest

from sipswarm.media.rtp.packet import RtpError, is_rtcp, payload_bounds
from tests.media.rtp_packet import RtpPacket

HEADER = bytes.fromhex("8000000a000000a012345678")


@pytest.mark.parametrize(
    ("name", "payload_type", "marker", "sequence", "timestamp", "ssrc", "csrc", "extension", "payload", "padding"),
    [
        ("rtp", 0, False, 15743, 3937035252, 4028317929, (), None, 160, 0),
        ("rtp_dtmf", 101, True, 24152, 4021352124, 2795586802, (), None, 4, 0),
        ("rtp_with_csrc", 0, False, 16082, 144, 1606227614, (2882400001, 3735928559), None, 160, 0),
        ("rtp_only_padding", 120, False, 27759, 4044047131, 2837429438, (), None, 0, 224),
        ("rtp_only_padding_with_header_extensions", 98, False, 22138, 3171065731, 1501474669, (), (0xBEDE, 4), 0, 224),
        ("rtp_with_sdes_mid", 111, True, 14156, 1327210925, 4084547440, (), (0xBEDE, 4), 54, 0),
    ],
)
def test_foreign_packets_are_read_and_written_back(
    shared_data: Path,
    name: str,
    payload_type: int,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    csrc: tuple[int, ...],
    extension: tuple[int, int] | None,
    payload: int,
    padding: int,
) -> None:
    data = (shared_data / "aiortc" / f"{name}.bin").read_bytes()
    packet = RtpPacket.parse(data)
    assert packet[:4] == (payload_type, sequence, timestamp, ssrc)
    assert (packet.marker, packet.csrc) == (marker, csrc)
    found = None if packet.extension is None else (packet.extension[0], len(packet.extension[1]))
    assert found == extension
    assert (len(packet.payload), len(packet.padding)) == (payload, padding)
    assert packet.to_bytes() == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "RTP packet is shorter than its header"),
        (HEADER[:11], "RTP packet is shorter than its header"),
        (b"\x00" + HEADER[1:], "RTP version is not 2"),
        (b"\x40" + HEADER[1:], "RTP version is not 2"),
        (b"\xc0" + HEADER[1:], "RTP version is not 2"),
        (b"\x82" + HEADER[1:] + bytes(7), "RTP CSRC list is truncated"),
        (b"\x90" + HEADER[1:] + bytes(3), "RTP extension header is truncated"),
        (b"\x90" + HEADER[1:] + bytes.fromhex("bede0002") + bytes(7), "RTP extension is truncated"),
        (b"\xa0" + HEADER[1:], "RTP padding is empty"),
        (b"\xa0" + HEADER[1:] + b"ab\x00", "RTP padding is empty"),
        (b"\xa0" + HEADER[1:] + b"ab\x04", "RTP padding is longer than the packet"),
        (b"\xb0" + HEADER[1:] + bytes.fromhex("bede0000") + b"\x02", "RTP padding is longer than the packet"),
    ],
)
def test_broken_packets_are_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(RtpError, match=f"^{reason}$"):
        RtpPacket.parse(data)


def test_fields_become_the_packet_of_the_rfc() -> None:
    packet = RtpPacket(101, 10, 160, 0x12345678, b"\x01\x8a\x03\x20", marker=True, extension=(0xBEDE, b"abcd"))
    data = packet.to_bytes()
    assert data.hex() == "90e5000a000000a012345678bede000161626364018a0320"
    assert RtpPacket.parse(data) == packet


def test_bounds_count_from_the_datagram_not_from_the_buffer() -> None:
    buffer = bytearray(HEADER + b"abcd" + bytes(100))
    assert payload_bounds(buffer, 16) == (12, 16)
    assert payload_bounds(memoryview(buffer), 12) == (12, 12)


@pytest.mark.parametrize(
    ("second", "rtcp"), [(0, False), (0x80 | 63, False), (192, True), (200, True), (223, True), (224, False)]
)
def test_rtcp_is_told_by_its_packet_type(second: int, rtcp: bool) -> None:
    assert is_rtcp(bytes((0x80, second))) is rtcp


def test_mutants_are_read_or_refused(shared_data: Path) -> None:
    rng = random.Random(3550)
    seeds = [path.read_bytes() for path in sorted((shared_data / "aiortc").glob("rtp_*.bin"))]
    refused = 0
    for _ in range(20_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(min(len(data), 24))
            data[place] = rng.randrange(256)
        del data[rng.randrange(len(data) + 1) :]
        try:
            packet = RtpPacket.parse(bytes(data))
        except RtpError:
            refused += 1
        else:
            assert packet.to_bytes() == data
    assert 0 < refused < 20_000
