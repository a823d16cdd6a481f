"""Reception statistics of one source (RFC 3550 A.3, A.8)."""

import random
import re
from pathlib import Path

import pytest

from sipswarm.media.rtp.packet import HEADER_IN_WORDS
from sipswarm.media.rtp.reception import Reception, take_ready
from sipswarm.media.rtp.sequence import OUTSIDE, SequenceTracker, Verdict
from tests.media.captures import read_capture
from tests.media.rtp_packet import RtpPacket


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


BOOKKEEPING = {"head", "read", "usual_size", "_other_octets"}
FIELDS = {name for kind in (SequenceTracker, Reception) for name in kind.__slots__} - BOOKKEEPING | {
    "octets",
    "received",
}


class Wire:
    """A socket that is a list of packets, and whoever takes what the loop does not."""

    def __init__(self, packets: list[bytes], source: Reception) -> None:
        self.waiting = iter(packets)
        self.buffer = bytearray(2048)
        self.source = source
        self.taken: list[int] = []
        source.read = self.read

    def read(self, buffer: bytearray) -> int:
        packet = next(self.waiting)
        if not packet:
            raise BlockingIOError if not self.taken else ConnectionRefusedError
        buffer[: len(packet)] = packet
        return len(packet)

    def take(self, size: int, now: float) -> None:
        self.taken.append(size)
        if 12 <= size < 2048:
            _, number, timestamp, ssrc = HEADER_IN_WORDS.unpack_from(self.buffer)
            if ssrc == self.source.ssrc and self.source.receive(number, timestamp, int(now * 8000)) != OUTSIDE:
                self.source.count_octets(size - 12)
                self.source.last_at = now


@pytest.mark.parametrize("seed", range(20))
def test_the_engines_loop_counts_as_one_packet_after_the_other_does(seed: int) -> None:
    """Loss, duplicates, disorder, restarts, jumps of the clock, wraps, arrivals at any time."""
    chance = random.Random(seed)
    number, timestamp, now = chance.randrange(65536), chance.randrange(1 << 32), 1000.0
    plain, looped = Reception(7, number), Reception(7, number)
    packets, times = [], []
    size = 160
    for _ in range(3000):
        packets.append(RtpPacket(0, number, timestamp, 7, bytes(size)).to_bytes())
        times.append(now)
        size = chance.choices((160, 80, 0), (8, 1, 1))[0]
        step = chance.choices((1, 0, 2, -1, 5000), (90, 3, 3, 3, 1))[0]
        number = (number + step) & 0xFFFF
        timestamp = (timestamp + chance.choices((160 * step, 1 << 31, -9000), (96, 2, 2))[0]) & 0xFFFFFFFF
        now += chance.choice((0.0, 0.02, 0.015, 0.025))
    one, other = Wire(packets, plain), Wire(packets, looped)
    for at in times:
        for source, wire in ((plain, one), (looped, other)):
            take_ready([(3, 1)], [None, None, None, source], [None, None, None, wire.take], wire.buffer, at)
        looped.head = 0x8000  # as the stream does after the first packet
        looped.expect(chance.choice((92, 172)))
        assert [getattr(plain, name) for name in FIELDS] == [getattr(looped, name) for name in FIELDS]
    assert len(one.taken) == 3000
    assert len(other.taken) < 1500


def test_a_packet_may_be_echoed_out_of_the_buffer() -> None:
    source = Reception(7, 1)
    source.receive(1, 160, 160)
    source.head = 0x8000
    sent: list[tuple[bytes, int]] = []
    source.echo = lambda buffer, size, timestamp: sent.append((bytes(buffer[:size]), timestamp))
    packets = [RtpPacket(0, number, 160 * number, 7, b"x" * number).to_bytes() for number in (2, 3)]
    wire = Wire(packets, source)
    for _ in packets:
        take_ready([(0, 1)], [source], [wire.take], wire.buffer, 1.0)
    assert (sent, wire.taken) == ([(packets[0], 320), (packets[1], 480)], [])


def test_what_is_not_in_order_or_not_plain_is_left_to_the_stream() -> None:
    source = Reception(7, 1)
    source.head = 0x8000
    good = RtpPacket(0, 1, 160, 7, bytes(160))
    odd = [good._replace(ssrc=8), good._replace(payload_type=8), good._replace(marker=True), good._replace(payload=b"")]
    odd.append(good._replace(payload=bytes(2036)))
    wire = Wire([b"", *(packet.to_bytes() for packet in odd), b"", good.to_bytes()], source)

    def take(size: int, now: float) -> None:
        wire.taken.append(size)

    for _ in range(8):
        take_ready([(0, 1)], [source], [take], wire.buffer, 1.0)
    assert wire.taken == [-1, 172, 172, 172, 12, 2048, -1]
    assert (source.received, source.octets, source.last_at) == (1, 160, 1.0)
    take_ready([(0, 1), (1, 1)], [None, None], [take, None], wire.buffer, 1.0)
    assert wire.taken[-1] == -2
    with pytest.raises(BlockingIOError):
        Reception(7, 1).read(bytearray())
