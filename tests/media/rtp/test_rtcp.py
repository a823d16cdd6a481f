"""RTCP packets: foreign bytes to fields and back, what is refused, and the report interval (RFC 3550 6, A.2, A.7)."""

import random
from pathlib import Path

import pytest

from sipswarm.media.rtp import rtcp
from sipswarm.media.rtp.packet import RtpError
from sipswarm.media.rtp.rtcp import (
    Feedback,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
)

BLOCK = ReportBlock(1200895919, 0, 0, 630, 1906, 0, 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rtcp_rr", ReceiverReport(817267719, (BLOCK,))),
        (
            "rtcp_sr",
            SenderReport(
                1831097322,
                16016567581311369308,
                1722342718,
                269,
                13557,
                (ReportBlock(2398654957, 0, 0, 246, 127, 0, 0),),
            ),
        ),
        (
            "rtcp_sdes",
            SourceDescription((SdesChunk(1831097322, ((1, b"{63f459ea-41fe-4474-9d33-9707c9ee79d1}"),)),)),
        ),
        ("rtcp_bye", Goodbye((2924645187,))),
        ("rtcp_bye_no_sources", Goodbye(())),
        ("rtcp_bye_padding", Goodbye((), b"", b"\x04\x04\x04\x04")),
        ("rtcp_psfb_pli", Feedback(rtcp.PSFB, 1, 1414554213, 587284409)),
    ],
)
def test_foreign_packets_are_read_and_written_back(shared_data: Path, name: str, expected: RtcpPacket) -> None:
    data = (shared_data / "aiortc" / f"{name}.bin").read_bytes()
    assert rtcp.parse(data) == (expected,)
    assert expected.to_bytes() == data


def test_a_long_foreign_feedback_is_kept_whole(shared_data: Path) -> None:
    data = (shared_data / "aiortc" / "rtcp_rtpfb.bin").read_bytes()
    (packet,) = rtcp.parse(data)
    assert isinstance(packet, Feedback)
    assert packet[:4] == (rtcp.RTPFB, 1, 2336520123, 4145934052)
    assert len(packet.data) == 40
    assert packet.to_bytes() == data


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rtcp_bye_invalid", "RTCP goodbye is shorter than its sources"),
        ("rtcp_psfb_invalid", "RTCP feedback is shorter than its sources"),
        ("rtcp_rr_invalid", "RTCP receiver report is shorter than its blocks"),
        ("rtcp_rtpfb_invalid", "RTCP feedback is shorter than its sources"),
        ("rtcp_sdes_item_truncated", "RTCP SDES item is truncated"),
        ("rtcp_sdes_source_truncated", "RTCP SDES source is truncated"),
        ("rtcp_sr_invalid", "RTCP sender report is shorter than its blocks"),
    ],
)
def test_foreign_broken_packets_are_refused_by_name(shared_data: Path, name: str, reason: str) -> None:
    with pytest.raises(RtpError, match=f"^{reason}$"):
        rtcp.parse((shared_data / "aiortc" / f"{name}.bin").read_bytes())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "RTCP packet is shorter than its header"),
        ("80c90001 00000001 80c9", "RTCP packet is shorter than its header"),
        ("40c90001 00000001", "RTCP version is not 2"),
        ("80c90002 00000001", "RTCP packet is truncated"),
        ("a0c90001 00000000", "RTCP padding is wrong"),
        ("a0c90001 00000003", "RTCP padding is wrong"),
        ("a0c90001 00000008", "RTCP padding is wrong"),
        ("a0cb0000", "RTCP padding is wrong"),
        ("a0cb0001 04040404 80cb0000", "RTCP padding is not in the last packet"),
        ("81ca0001 00000001", "RTCP SDES item list has no end"),
        ("81ca0002 00000001 01020304", "RTCP SDES item list has no end"),
        ("81cb0002 00000001 05616263", "RTCP goodbye reason is truncated"),
    ],
)
def test_broken_packets_are_refused_by_name(data: str, reason: str) -> None:
    with pytest.raises(RtpError, match=f"^{reason}$"):
        rtcp.parse(bytes.fromhex(data))


def test_a_compound_is_read_in_order_and_unknown_types_are_passed_over() -> None:
    packets = (
        SenderReport(1, 2, 3, 4, 5, (BLOCK._replace(packets_lost=-3, fraction_lost=7),)),
        SourceDescription((SdesChunk(1, ((1, b"abc"), (2, b""))), SdesChunk(2, ((1, b"wxyz"),)))),
        Feedback(rtcp.APP, 3, 1, 0x41424344, b"data"),
        Goodbye((1, 2), b"over"),
    )
    unknown = bytes.fromhex("80cf0001 00000000")
    data = packets[0].to_bytes() + unknown + b"".join(packet.to_bytes() for packet in packets[1:])
    assert rtcp.parse(data) == packets


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ((), "RTCP compound has no known packet"),
        ((Goodbye((1,)),), "RTCP compound does not begin with a report"),
        ((SourceDescription(()), ReceiverReport(1)), "RTCP compound does not begin with a report"),
    ],
)
def test_a_compound_begins_with_a_report(packets: tuple[RtcpPacket, ...], reason: str) -> None:
    with pytest.raises(RtpError, match=f"^{reason}$"):
        rtcp.check_compound(packets)


def test_reports_and_lone_feedback_are_compounds() -> None:
    rtcp.check_compound((ReceiverReport(1), Goodbye((1,))))
    rtcp.check_compound((SenderReport(1, 2, 3, 4, 5),))
    rtcp.check_compound((Feedback(rtcp.RTPFB, 1, 1, 2),))


@pytest.mark.parametrize(
    ("members", "senders", "we_sent", "initial", "size", "seconds"),
    [
        pytest.param(2, 2, True, False, 128, 5.0, id="two that talk: the minimum"),
        pytest.param(2, 1, False, True, 128, 2.5, id="the first report: half of it"),
        pytest.param(1000, 1000, True, False, 128, 128.0, id="many senders share all"),
        pytest.param(1000, 10, True, False, 128, 5.12, id="few senders share a quarter"),
        pytest.param(1000, 10, False, False, 128, 168.96, id="the others share the rest"),
    ],
)
def test_the_interval_follows_members_and_bandwidth(
    members: int, senders: int, we_sent: bool, initial: bool, size: float, seconds: float
) -> None:
    got = [
        rtcp.interval(
            members=members,
            senders=senders,
            bandwidth=1000.0,
            we_sent=we_sent,
            average_size=size,
            initial=initial,
            uniform=uniform,
        )
        * rtcp.COMPENSATION
        for uniform in (0.0, 0.5, 1.0)
    ]
    assert got == pytest.approx([seconds * 0.5, seconds, seconds * 1.5])


def test_without_bandwidth_the_minimum_holds() -> None:
    got = rtcp.interval(members=2, senders=1, bandwidth=0.0, we_sent=True, average_size=1e6, initial=False, uniform=0.5)
    assert got * rtcp.COMPENSATION == pytest.approx(5.0)


def test_the_round_trip_is_that_of_the_rfcs_example() -> None:
    # RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 5.25 s, so 6.125 s.
    block = BLOCK._replace(last_sr=0xB7052000, delay_since_last_sr=0x00054000)
    assert rtcp.round_trip(block, 0xB7108000) == pytest.approx(6.125)
    assert rtcp.round_trip(block._replace(last_sr=0), 0xB7108000) is None
    assert rtcp.round_trip(block, 0xB705FFFF) == 0.0


def test_ntp_time_counts_from_1900() -> None:
    assert rtcp.ntp_time(0.5) == 2208988800 << 32 | 1 << 31


def test_mutants_are_read_or_refused(shared_data: Path) -> None:
    rng = random.Random(3550)
    seeds = [path.read_bytes() for path in sorted((shared_data / "aiortc").glob("rtcp_*.bin"))]
    for _ in range(30_000):
        data = bytearray(b"".join(rng.choices(seeds, k=rng.randrange(1, 3))))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randrange(len(data) + 1) :]
        try:
            packets = rtcp.parse(bytes(data))
            rtcp.check_compound(packets)
        except RtpError:
            continue
        assert rtcp.parse(b"".join(packet.to_bytes() for packet in packets)) == packets
