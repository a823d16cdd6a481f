"""The schedule: absolute, spread over the interval, late frames skipped, never a burst. Time is a number here."""

import os
from collections import Counter
from itertools import pairwise

import pytest

from sipswarm.media.context import StreamContext
from sipswarm.media.messages import ConfigureStream
from sipswarm.media.pacing import Pacer
from sipswarm.media.sender import Sender
from sipswarm.media.sources import ConstantSource, FramesSource, Source
from sipswarm.media.totals import MediaTotals
from tests.media.rtp_packet import RtpPacket

TICK = 0.005


class Bench:
    """A pacer, its clock, and what each sender sent when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.totals = MediaTotals()
        self.pacer = Pacer(TICK, 0.0, lambda: self.now, self.totals)
        self.context = StreamContext(os.urandom)
        self.sent: list[tuple[float, int, RtpPacket]] = []
        self.fail = False

    def sender(self, number: int = 0, interval: float = 0.02, source: Source | None = None) -> Sender:
        sender = Sender(number, 0, self.context)

        def send(data: bytes | bytearray | memoryview) -> object:
            if self.fail:
                raise ConnectionRefusedError
            self.sent.append((self.now, number, RtpPacket.parse(bytes(data))))
            return None

        sender.send = send
        sender.configure(ConfigureStream(number, packet_interval=interval), True)
        sender.set_source(source or ConstantSource(b"\xff" * 160))
        sender.paced_interval = interval
        self.pacer.add(sender)
        return sender

    def tick_at(self, now: float) -> None:
        self.now = now
        number = self.pacer.number_at(now)
        if number > self.pacer.done:
            self.pacer.run(number, now)

    def run(self, until: float) -> None:
        while self.now + TICK <= until + 1e-9:
            self.tick_at(self.now + TICK)


def test_a_thousand_streams_are_no_burst() -> None:
    bench = Bench()
    for number in range(1000):
        bench.sender(number)
    bench.run(0.1)
    per_tick = Counter(round(now / TICK) for now, _, _ in bench.sent)
    assert set(per_tick.values()) == {250}
    assert all(count == 5 for count in Counter(number for _, number, _ in bench.sent).values())


@pytest.mark.parametrize("interval", [0.01, 0.02, 0.03, 0.06, 0.033, 0.0125, 0.004])
def test_every_interval_is_kept_on_average(interval: float) -> None:
    bench = Bench()
    bench.sender(interval=interval)
    bench.run(3.0)
    steps = [b[0] - a[0] for a, b in pairwise(bench.sent)]
    assert len(bench.sent) + bench.totals.frames_skipped == pytest.approx(3.0 / interval, abs=2)
    assert max(steps) <= interval + TICK + 1e-9
    numbers = [packet.sequence_number for _, _, packet in bench.sent]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))


def test_a_late_tick_sends_once_and_skips_what_is_too_late() -> None:
    bench = Bench()
    sender = bench.sender()
    bench.run(0.1)
    before = len(bench.sent)
    last = bench.sent[-1][2]
    bench.tick_at(bench.now + 0.1)
    assert len(bench.sent) == before + 1
    packet = bench.sent[-1][2]
    assert packet.sequence_number == (last.sequence_number + 1) & 0xFFFF
    assert (packet.timestamp - last.timestamp) & 0xFFFFFFFF == 160 * 5
    assert sender.frames_skipped == bench.totals.frames_skipped == 4


def test_a_tick_that_is_late_by_less_than_the_interval_skips_nothing() -> None:
    bench = Bench()
    sender = bench.sender()
    bench.run(0.1)
    before = len(bench.sent)
    bench.tick_at(bench.now + 0.019)
    bench.tick_at(bench.now + 0.001)
    bench.run(0.2)
    assert sender.frames_skipped == 0
    assert len(bench.sent) - before == 5
    assert 0.004 < sender.late_max < 0.02


def test_irregular_intervals_skip_as_well() -> None:
    bench = Bench()
    sender = bench.sender(interval=0.033)
    bench.run(0.1)
    before = len(bench.sent)
    bench.tick_at(bench.now + 0.5)
    assert len(bench.sent) == before + 1
    assert sender.frames_skipped == bench.totals.frames_skipped == 15


def test_lateness_is_counted_for_every_packet() -> None:
    bench = Bench()
    for number in range(100):
        bench.sender(number)
    bench.tick_at(0.0095)
    assert bench.totals.lateness.count == len(bench.sent) == 25
    assert bench.totals.lateness.total == pytest.approx(25 * 0.0045)


def test_what_the_kernel_refuses_is_counted_and_the_schedule_goes_on() -> None:
    bench = Bench()
    regular, irregular = bench.sender(1), bench.sender(2, interval=0.033)
    bench.fail = True
    bench.run(0.1)
    bench.fail = False
    bench.run(0.2)
    assert regular.send_errors == 5
    assert irregular.send_errors == 3
    assert len(bench.sent) == 5 + 3


@pytest.mark.parametrize("interval", [0.02, 0.033])
def test_a_source_that_ends_leaves_the_schedule_and_time_runs_on_until_the_next(interval: float) -> None:
    bench = Bench()
    sender = bench.sender(source=FramesSource((b"\xff" * 160,) * 3, 1), interval=interval)
    bench.run(0.3)
    assert len(bench.sent) == 3
    assert sender.group is None
    assert bench.pacer.next_number() is None
    sender.set_source(ConstantSource(b"\xff" * 160))
    bench.pacer.add(sender)
    bench.run(0.5)
    third, fourth = bench.sent[2], bench.sent[3]
    assert fourth[2].marker
    elapsed = (fourth[2].timestamp - third[2].timestamp) & 0xFFFFFFFF
    assert elapsed == pytest.approx((fourth[0] - third[0]) * 8000, abs=8000 * TICK + 1)


def test_a_sender_that_is_removed_sends_no_more() -> None:
    bench = Bench()
    one, other = bench.sender(1), bench.sender(2, interval=0.033)
    bench.run(0.1)
    bench.pacer.remove(one)
    bench.pacer.remove(one)
    bench.pacer.remove(other)
    sent = len(bench.sent)
    bench.run(0.3)
    assert len(bench.sent) == sent
    bench.pacer.add(one)
    bench.run(0.4)
    first, second = [each for each in bench.sent if each[1] == 1][4:6]
    elapsed = (second[2].timestamp - first[2].timestamp) & 0xFFFFFFFF
    assert elapsed == round((second[0] - first[0]) * 8000)


def test_the_next_tick_is_the_first_on_which_anything_is_sent() -> None:
    bench = Bench()
    assert bench.pacer.next_number() is None
    bench.sender(1, interval=0.06)
    assert bench.pacer.next_number() == 1
    bench.run(0.005)
    assert bench.pacer.next_number() == 13
    bench.sender(2, interval=0.033)
    assert bench.pacer.next_number() == 2
    bench.run(0.01)
    assert bench.pacer.next_number() == 9


@pytest.mark.parametrize("interval", [0.01, 0.02, 0.03, 0.06, 0.033, 0.12])
@pytest.mark.parametrize("idle", [0.004, 0.3, 0.85, 7.0])
def test_a_stream_that_begins_while_nothing_is_due_begins_now_and_loses_no_frame(interval: float, idle: float) -> None:
    """No tick runs while nothing is due: the last one may be long past when a stream begins."""
    bench = Bench()
    bench.now = idle
    frames = [bytes((number,)) * 160 for number in range(50)]
    sender = bench.sender(interval=interval, source=FramesSource(frames, 1))
    bench.run(idle + 51 * interval + TICK)
    assert [packet.payload for _, _, packet in bench.sent] == frames
    assert idle < bench.sent[0][0] <= idle + interval + 2 * TICK
    assert sender.frames_skipped == bench.totals.frames_skipped == 0
    assert sender.late_max <= TICK
    assert bench.totals.lateness.total <= 50 * TICK


@pytest.mark.parametrize("other", [0.06, 0.12, 0.033, 1.0])
@pytest.mark.parametrize("after", range(1, 24, 3))
def test_a_stream_that_begins_between_two_packets_of_a_slower_one_loses_no_frame(other: float, after: int) -> None:
    bench = Bench()
    slow = bench.sender(1, interval=other)
    for _ in range(after):  # as an engine does: no tick runs on which nothing is due
        bench.now += TICK
        due = bench.pacer.next_number()
        if due is not None and due <= bench.pacer.number_at(bench.now):
            bench.tick_at(bench.now)
    sender = bench.sender(2, source=FramesSource((b"\xff" * 160,) * 10, 1))
    bench.run(2.0)
    assert len([each for each in bench.sent if each[1] == 2]) == 10
    assert sender.frames_skipped == slow.frames_skipped == 0
    assert sender.late_max == 0.0


@pytest.mark.parametrize("late", [0.021, 0.05, 0.3])
@pytest.mark.parametrize("interval", [0.02, 0.03, 0.033])
def test_a_stream_that_begins_while_others_are_late_has_no_share_in_that(late: float, interval: float) -> None:
    bench = Bench()
    first = bench.sender(1)
    bench.run(0.1)
    bench.now += late
    newcomer = bench.sender(2, interval=interval, source=FramesSource((b"\xff" * 160,) * 10, 1))
    assert bench.pacer.next_number() is not None
    bench.tick_at(bench.now)
    skipped = first.frames_skipped
    assert skipped == bench.totals.frames_skipped
    assert skipped or late < 0.04
    bench.run(1.0)
    assert newcomer.frames_skipped == 0
    assert newcomer.late_max < TICK
    assert len([each for each in bench.sent if each[1] == 2]) == 10
    assert first.frames_skipped == skipped


def test_a_stream_that_is_taken_away_before_its_first_packet_leaves_nothing_behind() -> None:
    bench = Bench()
    bench.sender(1)
    bench.run(0.1)
    bench.now += 0.05
    newcomer = bench.sender(2)
    bench.pacer.remove(newcomer)
    assert newcomer.group is None
    bench.run(0.5)
    assert {number for _, number, _ in bench.sent} == {1}


@pytest.mark.parametrize("idle", [0.2, 0.5])
def test_a_stream_that_resumes_or_changes_its_packet_time_after_a_pause_loses_no_frame(idle: float) -> None:
    bench = Bench()
    sender = bench.sender()
    bench.run(0.1)
    bench.pacer.remove(sender)
    last = bench.sent[-1]
    bench.now += idle
    sender.configure(ConfigureStream(0, packet_interval=0.03, payload_size=240), True)
    sender.set_source(FramesSource((b"\xff" * 240,) * 10, 1))
    sender.paced_interval = 0.03
    bench.pacer.add(sender)
    before = len(bench.sent)
    bench.run(bench.now + 0.5)
    after = bench.sent[before:]
    assert len(after) == 10
    assert sender.frames_skipped == 0
    elapsed = (after[0][2].timestamp - last[2].timestamp) & 0xFFFFFFFF
    assert elapsed == pytest.approx((after[0][0] - last[0]) * 8000, abs=8000 * 0.02 + 1)
