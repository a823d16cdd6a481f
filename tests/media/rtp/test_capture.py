"""RTP in capture files: every form of file and link, and what is passed over or refused."""

import random
from collections.abc import Callable

import pytest

from sipswarm.media.rtp import capture
from sipswarm.media.rtp.capture import CapturedFrame, CaptureError, frames_of
from tests.media.written_captures import (
    COOKED,
    COOKED_2,
    ETHERNET,
    RAW,
    Rtp,
    digit,
    framed,
    of_rtp,
    pcap,
    pcapng,
    speech,
    udp,
    udp6,
)

PACKETS = [*speech(3), *digit(0.06, 5000)]
EXPECTED = [(each.payload_type, each.marker, each.timestamp, each.payload) for each in PACKETS]


def contents(frames: list[CapturedFrame]) -> list[tuple[int, int, int, bytes]]:
    """What is in packets, without their times."""
    return [(each.payload_type, each.marker, each.timestamp, each.payload) for each in frames]


@pytest.mark.parametrize("link", [RAW, ETHERNET, COOKED, COOKED_2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda records, link, order: pcap(records, link, order), id="pcap"),
        pytest.param(lambda records, link, order: pcap(records, link, order, nano=True), id="pcap-nanoseconds"),
        pytest.param(lambda records, link, order: pcapng(records, link, order), id="pcapng"),
        pytest.param(lambda records, link, order: pcapng(records, link, order, digits=9), id="pcapng-nanoseconds"),
    ],
)
@pytest.mark.parametrize("packet", [udp, udp6])
def test_every_form_of_file_gives_the_same_packets_and_times(
    link: int, order: str, write: Callable[..., bytes], packet: Callable[[bytes], bytes]
) -> None:
    records = [(1_700_000_000 + each.at, framed(link, packet(each.octets()))) for each in PACKETS]
    frames = list(frames_of(write(records, link, order)))
    assert contents(frames) == EXPECTED
    assert [each.at for each in frames] == pytest.approx([each.at for each in PACKETS], abs=2e-6)


def test_vlan_tags_and_extension_headers_are_passed() -> None:
    first, second = speech(2)
    records = [
        (1.0, framed(ETHERNET, udp(first.octets()), tagged=True)),
        (1.02, framed(ETHERNET, udp6(second.octets(), options=True))),
    ]
    assert contents(list(frames_of(pcap(records, ETHERNET)))) == EXPECTED[:2]


def test_what_is_no_rtp_of_the_first_source_is_passed_over() -> None:
    first, second, third = speech(3)
    others = [
        udp(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"),
        udp(b"\x80\xc8\x00\x06" + bytes(24)),  # RTCP
        udp(first._replace(ssrc=8).octets()),
        udp(first.octets(), protocol=6),
        udp(first.octets(), fragment=0x2000),
        udp(b"\x80\x00"),
        b"\x45",
        b"",
    ]
    records = [(0.5, others[0]), (1.0, udp(first.octets())), *[(1.01, each) for each in others]]
    records += [(1.02, udp(second.octets())), (1.04, udp(third.octets()))]
    frames = list(frames_of(pcap(records)))
    assert contents(frames) == EXPECTED[:3]
    assert [each.at for each in frames] == pytest.approx([0.0, 0.02, 0.04])


def test_csrcs_extension_and_padding_are_no_payload() -> None:
    plain = Rtp(0.0, payload=b"abcd").octets()
    csrc = bytes([0x81]) + plain[1:12] + bytes(4) + b"abcd"
    extension = bytes([0x90]) + plain[1:12] + b"\xbe\xde\x00\x01" + bytes(4) + b"abcd"
    padding = bytes([0xA0]) + plain[1:] + b"\x00\x00\x00\x04"
    records = [(float(number), udp(each)) for number, each in enumerate((plain, csrc, extension, padding))]
    assert [each.payload for each in frames_of(pcap(records))] == [b"abcd"] * 4


def test_times_that_go_back_do_not() -> None:
    records = [(at, udp(each.octets())) for at, each in zip((1.0, 1.04, 1.02), speech(3), strict=True)]
    assert [each.at for each in frames_of(pcap(records))] == pytest.approx([0.0, 0.04, 0.04])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no capture file"),
        (b"RIFF" + bytes(100), "is no capture file"),
        (b"\xd4\xc3\xb2\xa1" + bytes(4), "ends within its header"),
        (pcap([], link=147), "has packets of link type 147"),
        (of_rtp(speech(1)) + b"\xff" * 16, "is damaged at octet"),
        (pcapng([])[:8] + bytes(20), "is damaged at octet 0: a section without its magic number"),
        (pcapng([]) + bytes(12), "a block of 0 octets"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        list(frames_of(data))


def test_a_file_that_ends_within_a_packet_gives_those_before() -> None:
    data = of_rtp(speech(3))
    assert len(list(frames_of(data[: len(data) - 180]))) == 2


def test_packets_that_are_passed_over_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_OTHERS", 5)
    records = [(0.0, udp(speech(1)[0].octets())), *[(1.0, udp(b"x"))] * 6]
    with pytest.raises(CaptureError, match="more than 5 packets in a row"):
        list(frames_of(pcap(records)))


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_damaged_file_raises_nothing_else(write: Callable[..., bytes]) -> None:
    records = [(each.at, framed(ETHERNET, udp(each.octets()))) for each in PACKETS]
    data = write(records, ETHERNET)
    chance = random.Random(4733)
    for _ in range(2000):
        mutant = bytearray(data)
        for _ in range(chance.randrange(1, 8)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        try:
            found = list(frames_of(bytes(mutant[: chance.randrange(len(mutant) + 1)])))
        except CaptureError:
            continue
        assert len(found) <= len(data) // 16
