"""Reception statistics of one source (RFC 3550 A.3, A.8)."""

import re
from pathlib import Path

import pytest

from media.reception import Reception
from media.rtp import RtpPacket
from media.sequence import Verdict

from .captures import read_capture


def test_a_steady_source_has_no_jitter() -> None:
    reception = Reception(1, 10)
    for n in range(100):
        reception.receive(10 + n, 160 * n, 5000 + 160 * n)
    assert reception.jitter == 0
    assert reception.received == 100


def test_jitter_is_a_sixteenth_of_each_difference() -> None:
    reception = Reception(1, 0)
    arrivals = [0, 160, 480, 480, 640]
    expected = highest = 0
    before = None
    for n, arrival in enumerate(arrivals):
        reception.receive(n, 160 * n, arrival)
        transit = arrival - 160 * n
        if before is not None:
            expected += abs(transit - before) - ((expected + 8) >> 4)
        before = transit
        highest = max(highest, expected)
        assert reception.jitter16 == expected
    assert reception.jitter16_max == highest


def test_timestamps_and_arrivals_may_wrap() -> None:
    reception = Reception(1, 0)
    for n in range(10):
        reception.receive(n, (0xFFFFFF00 + 160 * n) & 0xFFFFFFFF, (0xFFFFFFA0 + 160 * n))
    assert reception.jitter == 0


def test_a_jump_of_the_peers_clock_is_no_jitter() -> None:
    reception = Reception(1, 0)
    for n in range(10):
        reception.receive(n, 160 * n + (0 if n < 5 else 1 << 30), 160 * n)
    assert reception.jitter == 0


def test_a_restart_forgets_the_transit_time() -> None:
    reception = Reception(1, 0)
    reception.receive(0, 0, 0)
    assert reception.receive(30000, 7000, 160) is Verdict.OUTSIDE
    assert reception.receive(30001, 7160, 320) is Verdict.RESTARTED
    assert reception.jitter == 0


def test_a_report_block_tells_the_loss_since_the_last_one() -> None:
    reception = Reception(0xABCD, 1)
    for n in (1, 2, 4, 5):
        reception.receive(n, 160 * n, 160 * n)
    first = reception.report_block(10.0)
    assert first[:4] == (0xABCD, 256 // 5, 1, 5)
    assert (first.last_sr, first.delay_since_last_sr) == (0, 0)
    reception.sender_report(0x12345678, 10.0)
    for n in (6, 7):
        reception.receive(n, 160 * n, 160 * n)
    second = reception.report_block(10.5)
    assert (second.fraction_lost, second.packets_lost) == (0, 1)
    assert (second.last_sr, second.delay_since_last_sr) == (0x12345678, 0x8000)


def test_duplicates_make_the_reported_loss_negative() -> None:
    reception = Reception(1, 1)
    for n in (1, 1, 1, 2):
        reception.receive(n, 160 * n, 160 * n)
    block = reception.report_block(0.0)
    assert (block.fraction_lost, block.packets_lost) == (0, -2)
    assert reception.lost == 0


@pytest.mark.parametrize("name", ["call1_alaw", "call1_ulaw"])
def test_two_real_calls_give_the_counts_that_rtpproxy_found(shared_data: Path, name: str) -> None:
    folder = shared_data / "rtpproxy" / "extractaudio"
    text = (folder / f"{name}.output").read_text()
    expected = {
        int(ssrc, 16): (int(count), int(low), int(high), int(duplicates), int(sent), int(received), int(lost))
        for count, low, high, ssrc, duplicates, sent, received, lost in re.findall(
            r"pcount=(\d+), min_seq=(\d+), max_seq=(\d+), seq_offset=0, ssrc=0x(\w+), duplicates=(\d+)\n"
            r"ssrc_changes=1, psent=(\d+), precvd=(\d+), plost=(\d+)",
            text,
        )
    }
    found = {}
    for side in "ao":
        reception: Reception | None = None
        for datagram in read_capture(folder / f"{name}.{side}.pcap"):
            packet = RtpPacket.parse(datagram.payload)
            assert packet.to_bytes() == datagram.payload
            if reception is None:
                reception = Reception(packet.ssrc, packet.sequence_number)
            assert packet.ssrc == reception.ssrc
            reception.receive(packet.sequence_number, packet.timestamp, int(datagram.time * 8000))
        assert reception is not None
        found[reception.ssrc] = (
            reception.unique,
            reception.base,
            reception.highest,
            reception.duplicates,
            reception.expected,
            reception.unique,
            reception.lost,
        )
    assert found == expected
