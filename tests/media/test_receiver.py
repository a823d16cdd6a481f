"""What comes in: statistics, probation, digits, echo, sinks, SRTP."""

import random
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipswarm.media.audio import g711
from sipswarm.media.digits.dtmf import ReceivedDigit
from sipswarm.media.digits.inband import ToneGenerator
from sipswarm.media.messages import DtmfReceived, FramesReceived, SendDigits, SinkFailed, StreamStarted
from sipswarm.media.receiver import DIGITS_WAITING, DOOR
from sipswarm.media.rtp.srtp import SrtpSession
from sipswarm.media.sinks import CallbackSink, RawFileSink, Sink, WavSink
from sipswarm.media.sources import CallbackSource, ConstantSource, EchoSource
from sipswarm.media.stream import Stream
from tests.media.rtp_packet import RtpPacket

from .halves import DTMF, SILENCE, Line
from .tones import decoded


def test_a_source_is_taken_with_its_second_packet_and_the_first_is_not_lost() -> None:
    line = Line()
    line.stream.set_sink(CallbackSink())
    line.audio([10])
    assert line.stream.receiver.received == 0
    assert line.events() == []
    line.audio([11, 12], at=0.02)
    assert line.stream.receiver.received == 3
    line.stream.receiver.take_frames()
    started, frames = line.events()
    assert started == StreamStarted(1, 5, 0, "", 0)
    assert isinstance(frames, FramesReceived)
    assert [frame[1:] for frame in frames.frames] == [(10, 1600, 0, 0), (11, 1760, 0, 0), (12, 1920, 0, 0)]
    assert frames.dropped == 0
    assert line.stream.receiver.first_at == 0.0


def test_another_ssrc_must_wait_until_the_first_is_silent() -> None:
    line = Line()
    line.audio([1, 2, 3])
    line.audio([500, 501, 502], ssrc=6, at=0.06)
    assert line.stream.receiver.ssrc_changes == 0
    line.audio([503, 504], ssrc=6, at=0.3)
    assert line.stream.receiver.ssrc_changes == 1
    assert line.stream.receiver.reception is not None
    assert line.stream.receiver.reception.ssrc == 6
    assert line.stream.receiver.received == 3 + 5, "what came in the meantime was kept"
    assert line.discards() == {}
    assert line.stream.receiver.earlier[0] == 3
    assert [type(event).__name__ for event in line.events()] == ["StreamStarted", "StreamStarted"]


@pytest.mark.parametrize(
    ("numbers", "received", "expected"),
    [
        ([2, 1, 4, 3, 6, 5], 6, 6),  # each pair changed places, from the first one on
        ([2, 1], 2, 2),
        ([0, 65535, 1], 3, 3),
        ([1, 3, 5], 3, 5),  # every other one is lost
        ([7], 0, 0),  # one packet proves nothing (RFC 3550 A.1)
        ([7, 7], 0, 0),
        ([7, 2000], 0, 0),
    ],
)
def test_a_source_is_taken_with_a_second_packet_near_the_first(
    numbers: list[int], received: int, expected: int
) -> None:
    line = Line()
    line.audio(numbers)
    receiver = line.stream.receiver
    assert receiver.reception is None or receiver.reception.ssrc == 5
    assert receiver.counts()[:2] == (received, expected)


def test_only_four_ssrcs_are_known_at_a_time_and_old_candidates_give_way() -> None:
    line = Line()
    line.audio([1, 2])
    for ssrc in (10, 11, 12, 13):
        line.audio([100], ssrc=ssrc, at=0.04)
    assert line.discards() == {"bad_ssrc": 1}
    line.audio([100, 101], ssrc=14, at=3.0)
    assert line.stream.receiver.ssrc_changes == 1


def test_after_an_exchange_another_ssrc_is_taken_with_its_first_packet_and_its_digits_are_heard() -> None:
    line = Line()
    line.audio(list(range(20)))
    for number, packet in enumerate(key_press("1", ssrc=5, first=20)):
        line.receive(packet, 0.4 + number * 0.02)
    line.stream.receiver.renegotiated(0.5)
    line.audio([500], ssrc=6, at=0.51)
    assert line.stream.receiver.ssrc_changes == 1
    assert line.stream.receiver.received == 20 + 5 + 1
    line.stream.receiver.renegotiated(0.52)
    for number, packet in enumerate(key_press("2", ssrc=7, first=9000)):
        line.receive(packet, 0.53 + number * 0.02)
    assert [event.event for event in line.events() if isinstance(event, DtmfReceived)] == ["1", "2"]
    assert line.discards() == {}


def test_digits_of_an_ssrc_on_probation_are_kept_also_when_nothing_follows_them() -> None:
    line = Line()
    line.audio(list(range(20)))
    for number, packet in enumerate(key_press("3", ssrc=7, first=9000)):
        line.receive(packet, 0.4 + number * 0.02)
    line.stream.receiver.settle(0.5)
    assert line.stream.receiver.ssrc_changes == 0
    line.stream.receiver.settle(0.6)
    assert [event.event for event in line.events() if isinstance(event, DtmfReceived)] == ["3"]
    assert line.discards() == {}


def test_a_delayed_packet_of_the_source_before_does_not_come_back_through_the_open_door() -> None:
    line = Line()
    line.audio([1, 2, 3])
    receiver = line.stream.receiver
    receiver.renegotiated(0.06)
    line.audio([500, 501], ssrc=6, at=0.06)
    receiver.renegotiated(0.08)
    line.audio([4], at=0.09)
    line.audio([502], ssrc=6, at=0.1)
    assert receiver.ssrc_changes == 1
    line.audio([70, 71], at=0.4)  # but it may return
    assert receiver.ssrc_changes == 2
    assert receiver.received == 3 + 3 + 2 + 1


@pytest.mark.parametrize("pause", [DOOR + 0.1, 100.0])
def test_the_door_closes(pause: float) -> None:
    line = Line()
    line.audio([1, 2])
    line.stream.receiver.renegotiated(0.1)
    line.audio([3], at=pause)
    line.audio([500], ssrc=6, at=pause + 0.1)
    line.audio([4], at=pause + 0.11)
    assert line.stream.receiver.ssrc_changes == 0


def test_the_first_source_is_no_less_strictly_chosen() -> None:
    line = Line()
    line.stream.receiver.renegotiated(0.0)
    line.audio([10])
    assert line.stream.receiver.reception is None


def test_what_is_thrown_away_of_other_sources_is_counted_packet_by_packet() -> None:
    line = Line()
    for number in range(500):
        line.audio([number], at=number * 0.02)
        line.audio([1000 + number], ssrc=6, at=number * 0.02 + 0.001)
        line.audio([7 * number * 1000], ssrc=7, at=number * 0.02 + 0.002)
    assert line.stream.receiver.ssrc_changes == 0
    line.stream.close()
    received = line.stream.receiver.received
    assert received + line.discards()["bad_ssrc"] == 3 * 500
    assert received == 500


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"\x00" + data[1:], "malformed"),
        (lambda data: data[:8], "malformed"),
        (lambda data: b"\xa0" + data[1:-1] + b"\x00", "malformed"),
        (lambda data: data[:1] + b"\x12" + data[2:], "bad_payload"),
        (lambda data: data[:1] + b"\xcd" + data[2:], "bad_payload"),  # marker and 77, RTP where ports are not shared
        (lambda data: data[:8] + b"abcd" + data[12:], ""),
    ],
)
def test_what_does_not_belong_is_dropped_by_reason(change: object, reason: str) -> None:
    line = Line()
    line.audio([1, 2, 3])
    packet = RtpPacket(0, 4, 640, 5, SILENCE).to_bytes()
    assert callable(change)
    assert line.receive(change(packet), 0.06)
    assert line.stream.receiver.received == 3
    assert line.discards() == ({reason: 1} if reason else {})


def test_rtcp_on_the_rtp_port_is_handed_back_only_when_negotiated() -> None:
    """Without rtcp-mux it is dropped, and no packet of RTP; 72 to 76 are no payload types (RFC 3551 section 6)."""
    for packet_type in range(200, 205):
        report = bytes((0x80, packet_type, 0, 1, 0, 0, 0, 5))
        line = Line()
        assert line.receive(report, 0.0)
        assert line.discards() == {}
        assert sum(line.context.totals.rtcp_discards) == 1
        assert not Line(DTMF._replace(rtcp_mux=True)).receive(report, 0.0)


@pytest.mark.parametrize("payload_type", [64, 71, 77, 95])
def test_payload_types_of_rtcp_are_rtp_as_long_as_the_ports_are_not_shared(payload_type: int) -> None:
    """RFC 5761 section 4 keeps them from being used on a shared port only."""
    settings = DTMF._replace(receive_codecs=((payload_type, "PCMU", 8000),))
    line = Line(settings)
    for number in range(3):
        assert line.receive(RtpPacket(payload_type, number, 160 * number, 5, SILENCE, True).to_bytes(), number * 0.02)
    assert line.stream.receiver.received == 3
    assert line.discards() == {}
    shared = Line(settings._replace(rtcp_mux=True))
    assert not shared.receive(RtpPacket(payload_type, 0, 0, 5, SILENCE, True).to_bytes(), 0.0)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_nothing_is_taken_against_the_direction(direction: str) -> None:
    line = Line()
    line.audio([1, 2])
    line.stream.configure(DTMF._replace(direction=direction), True)
    line.audio([3, 4], at=0.04)
    assert line.stream.receiver.received == 2
    assert line.discards() == {"direction": 2}
    line.stream.configure(DTMF, True)
    line.audio([5], at=0.08)
    assert line.stream.receiver.received == 3


def test_duplicates_and_strays_are_counted_and_not_delivered() -> None:
    line = Line()
    line.stream.set_sink(CallbackSink())
    line.audio([1, 2, 2, 3, 30000, 4])
    line.stream.receiver.take_frames()
    frames = next(event for event in line.events() if isinstance(event, FramesReceived))
    assert [frame[1] for frame in frames.frames] == [1, 2, 3, 4]
    assert line.discards() == {"duplicate": 1, "reordered": 1}


def test_payload_type_marker_csrc_and_padding_are_taken_as_they_come() -> None:
    line = Line()
    line.stream.set_sink(CallbackSink())
    packets = [
        RtpPacket(0, 1, 160, 5, b"a" * 160, marker=True),
        RtpPacket(8, 2, 320, 5, b"b" * 160, csrc=(1, 2)),
        RtpPacket(8, 3, 480, 5, b"c" * 160, padding=b"\x00\x02"),
        RtpPacket(13, 4, 640, 5, b"\x20"),
        RtpPacket(0, 5, 800, 5, b"d" * 160, extension=(0xBEDE, b"abcd")),
    ]
    for place, packet in enumerate(packets):
        line.receive(packet, place * 0.02)
    line.stream.receiver.take_frames()
    frames = next(event for event in line.events() if isinstance(event, FramesReceived))
    assert [(frame[0][:1], frame[3], frame[4]) for frame in frames.frames] == [
        (b"a", 0, 1),
        (b"b", 8, 0),
        (b"c", 8, 0),
        (b" ", 13, 0),
        (b"d", 0, 0),
    ]
    assert line.stream.receiver.codec == "PCMU"


def test_the_clock_follows_the_codec() -> None:
    line = Line(DTMF._replace(receive_codecs=((96, "L16", 16000),)))
    for number in range(1, 20):
        line.receive(RtpPacket(96, number, 320 * number, 5, bytes(640)), 0.02 * number)
    reception = line.stream.receiver.reception
    assert reception is not None
    assert (reception.clock_rate, reception.jitter) == (16000, 0)


def test_digits_are_received_even_when_a_phone_repeats_sequence_numbers_and_markers() -> None:
    line = Line()
    line.audio([1, 2])
    for duration, end in ((160, 0), (320, 0), (480, 0), (640, 0x80), (640, 0x80)):
        payload = bytes((7, end | 10)) + duration.to_bytes(2, "big")
        line.receive(RtpPacket(101, 3, 480, 5, payload, marker=True), 0.06)
    events = line.events()
    assert events[1:] == [DtmfReceived(1, "7", 80, "rfc4733")]
    assert line.stream.receiver.digits_received == 1


def test_a_digit_whose_end_was_lost_runs_out() -> None:
    line = Line()
    line.audio([1, 2])
    for number, duration in ((3, 160), (4, 320)):
        line.receive(RtpPacket(101, number, 480, 5, bytes((9, 10)) + duration.to_bytes(2, "big")), 0.06)
    (receiver,) = line.context.listening.sounding
    receiver.expire_digit(0.07)
    assert len(line.events()) == 1
    receiver.expire_digit(1.0)
    assert line.events() == [DtmfReceived(1, "9", 40, "rfc4733")]
    assert not line.context.listening.sounding


def test_octets_are_those_of_the_payloads() -> None:
    line = Line()
    sizes = [160, 160, 80, 160, 160, 240, 1, 160]
    for number, size in enumerate(sizes):
        line.audio([number], at=number * 0.02, payload=bytes(size))
    assert line.stream.receiver.bytes_received == sum(sizes)
    line.audio([7], at=0.16, payload=bytes(50))  # a duplicate counts, as it was received
    line.audio([30_000, 30_001], at=0.18, payload=bytes(20))  # a restart: the first of its packets is lost
    assert line.stream.receiver.bytes_received == sum(sizes) + 50 + 20
    line.audio([1, 2, 3], ssrc=6, at=1.0, payload=bytes(33))
    assert line.stream.receiver.bytes_received == sum(sizes) + 50 + 20 + 99


def key_press(digit: str, *, ssrc: int, first: int) -> list[RtpPacket]:
    """Two reports and three ends of one event of 60 ms."""
    event = "0123456789*#ABCD".index(digit)
    reports = [(0, 160), (0, 320), (0x80, 480), (0x80, 480), (0x80, 480)]
    return [
        RtpPacket(
            101, first + place & 0xFFFF, 160 * first, ssrc, bytes((event, 10 | end, duration >> 8, duration & 255))
        )
        for place, (end, duration) in enumerate(reports)
    ]


def press(line: Line, digits: str, first: int) -> None:
    """Digits of one packet each, all the end of an event."""
    for place, digit in enumerate(digits, first):
        payload = bytes((int(digit), 0x8A, 3, 32))
        line.receive(RtpPacket(101, place & 0xFFFF, 1600 * place, 5, payload), place * 0.2)


def test_only_the_newest_digits_wait_and_the_others_are_counted() -> None:
    line = Line()
    neighbour = Stream(2, 9, line.context, 0.0)
    line.audio([1, 2])
    neighbour.receiver.report(ReceivedDigit("9", 100), "rfc4733", 0.0)
    press(line, "0123456789" * 4, 3)
    got = [(event.stream_id, event.event) for event in line.events() if isinstance(event, DtmfReceived)]
    assert got == [(2, "9")] + [(1, digit) for digit in ("0123456789" * 4)[-DIGITS_WAITING:]]
    assert line.context.totals.digits_dropped == 40 - DIGITS_WAITING
    assert line.stream.receiver.digits_received == 40
    line.context.drained += 1
    press(line, "0123456789" * 3, 43)
    assert len(line.events()) == 30
    assert line.context.totals.digits_dropped == 40 - DIGITS_WAITING


def test_digits_by_a_method_that_is_not_wanted_are_not_reported() -> None:
    line = Line(DTMF._replace(dtmf_methods=()))
    line.audio([1, 2])
    line.receive(RtpPacket(101, 3, 480, 5, bytes((7, 0x8A, 3, 32))), 0.06)
    assert len(line.events()) == 1


def tones(line: Line, digit: str, *, at: float, first: int) -> None:
    """100 ms of a digit and 100 ms of silence, in packets from number `first` on."""
    generator = ToneGenerator(g711.PCMU)
    for place in range(10):
        payload = generator.frame(digit, place * 160, 160, 800)
        line.audio([first + place], at=at + place * 0.02, payload=payload)


def test_inband_digits_are_found_in_the_audio() -> None:
    line = Line(DTMF._replace(dtmf_methods=("rfc4733", "inband")))
    line.audio([1, 2])
    tones(line, "5", at=0.04, first=3)
    line.context.listening.detect(0.3)
    tones(line, "6", at=0.3, first=13)
    line.context.listening.detect(0.5)
    found = [(event.event, event.mode) for event in line.events() if isinstance(event, DtmfReceived)]
    assert found == [("5", "inband"), ("6", "inband")]
    line.stream.configure(DTMF, True)
    assert not line.context.listening.streams


def test_a_tone_still_sounding_at_the_end_is_reported() -> None:
    line = Line(DTMF._replace(dtmf_methods=("inband",)))
    line.audio([1, 2])
    generator = ToneGenerator(g711.PCMU)
    for place in range(5):
        line.audio([3 + place], at=0.04 + place * 0.02, payload=generator.frame("4", place * 160, 160, 800))
    line.context.listening.detect(0.2)
    line.stream.close()
    assert [event.event for event in line.events() if isinstance(event, DtmfReceived)] == ["4"]


def test_audio_that_waits_for_the_detector_is_not_left_to_the_next_stream() -> None:
    line = Line(DTMF._replace(dtmf_methods=("inband",)))
    line.audio([1, 2])
    tones(line, "4", at=0.04, first=3)
    assert line.context.listening.waiting == 12
    line.stream.configure(DTMF, True)
    assert line.context.listening.waiting == 0
    assert [event.event for event in line.events() if isinstance(event, DtmfReceived)] == ["4"]


def test_one_key_press_in_both_modes_is_one_digit() -> None:
    line = Line(DTMF._replace(dtmf_methods=("rfc4733", "inband")))
    line.audio([1, 2])
    line.receive(RtpPacket(101, 3, 480, 5, bytes((5, 0x8A, 3, 32))), 0.06)
    tones(line, "5", at=0.0, first=4)
    line.context.listening.detect(0.15)
    assert [event.mode for event in line.events() if isinstance(event, DtmfReceived)] == ["rfc4733"]


@pytest.mark.parametrize("length", [4, 10, 40])
@pytest.mark.parametrize(("tone_from", "tone_to"), [(-3, 1), (-2, 100), (0, 3), (0, 100), (1, 3), (2, 100)])
def test_a_gateway_that_lets_the_tone_through_beside_its_event_presses_once(
    length: int, tone_from: int, tone_to: int
) -> None:
    """Keys of `length` intervals of 20 ms, an event for each, the tone in the audio for a part or all of it."""
    line = Line(DTMF._replace(dtmf_methods=("rfc4733", "inband")))
    generator, number, now = ToneGenerator(g711.PCMU), 0, 0.0
    for key in range(3):
        for tick in range(-10, length + 15):
            now = (key * (length + 25) + tick + 10) * 0.02
            from_, to = tone_from, min(tone_to, length)
            total = 160 * (to - from_)
            audio = b"\xff" * 160
            if from_ <= tick < to:
                audio = generator.frame("5", 160 * (tick - from_), 160, total)
            line.receive(RtpPacket(0, number, round(now * 8000), 5, audio), now)
            number += 1
            if 0 <= tick < length + 2:
                duration = min(tick + 1, length) * 160
                event = bytes((5, 10 | (0x80 if tick + 1 >= length else 0))) + duration.to_bytes(2)
                line.receive(RtpPacket(101, number, 90_000 * (key + 1), 5, event), now)
                number += 1
            line.context.listening.detect(now)
            line.stream.receiver.expire_digit(now)
    assert "".join(event.event for event in line.events() if isinstance(event, DtmfReceived)) == "555"


# echo, sinks


def test_echo_keeps_type_marker_and_timestamp_and_has_its_own_numbers() -> None:
    line = Line()
    line.stream.set_source(EchoSource(0))
    for number in range(1, 6):
        line.receive(RtpPacket(8, number, 1000 + number, 5, bytes((number,)) * 160, marker=number == 3), 0.02 * number)
    assert [(packet.payload[0], packet.timestamp, packet.marker, packet.payload_type) for packet in line.sent] == [
        (number, 1000 + number, number == 3, 8) for number in range(1, 6)
    ]
    first = line.sent[0].sequence_number
    assert [(packet.sequence_number - first) & 0xFFFF for packet in line.sent] == list(range(5))
    assert {packet.ssrc for packet in line.sent} == {line.stream.sender.ssrc}


@pytest.mark.parametrize("delay", [0, 3])
def test_an_echo_leaves_under_the_numbers_of_the_peer(delay: int) -> None:
    """RFC 3264 5.1: what the peer takes is what its description numbers, whatever it sends itself."""
    line = Line(
        DTMF._replace(
            receive_codecs=((0, "PCMU", 8000), (97, "opus", 48000), (98, "L16", 16000)),
            renumbered=((97, 111), (101, 96), (98, -1)),
        )
    )
    line.stream.set_source(EchoSource(delay))
    for number, kind in enumerate([0, 0, 97, 97, 101, 98, 0] + [0] * delay):
        data = RtpPacket(kind, number, 160 * number, 5, bytes((1, 10, 0, 160))).to_bytes()
        line.stream.receiver.receive(bytearray(data + bytes(100)), len(data), 0.02 * number)
    assert [packet.payload_type for packet in line.sent] == [0, 0, 111, 111, 96, 0]
    assert line.context.totals.frames_dropped == 1


def test_frames_of_a_callback_leave_under_the_numbers_of_the_peer() -> None:
    line = Line(DTMF._replace(renumbered=((97, 111), (101, 96))))
    source = CallbackSource(0.02)
    line.stream.set_source(source)
    source.provide(tuple((SILENCE, kind, 0, -1) for kind in (-1, 97, 101, 8, 111)), False)
    sent = [packet.payload_type for packet in line.intervals(5) if packet is not None]
    assert sent == [0, 111, 96, 8, 111]


def test_an_echo_in_the_engines_buffer_is_the_same_as_one_of_its_own() -> None:
    """At once with nothing else to do: the header is rewritten where the packet was read."""
    alone, recorded = Line(), Line()
    sent: list[list[RtpPacket]] = []
    for line in (alone, recorded):
        sender = line.stream.sender
        line.stream.set_source(EchoSource(0))
        line.audio([1, 2])
        number = line.sent[-1].sequence_number
        if line is recorded:
            line.stream.set_sink(CallbackSink())
        for place in range(3, 9):
            packet = RtpPacket(0, place, 160 * place, 5, bytes((place,)) * 80).to_bytes()
            buffer = bytearray(packet + bytes(900))
            assert line.stream.receiver.receive(buffer, len(packet), place * 0.02)
            if place == 5:
                sender.send_digits(SendDigits(1, 1, "7", 100))
            if place == 7:
                sender.stop_digits()
                line.intervals(40)
        line.stream.receiver.sample_soon()
        line.audio([9, 10], at=0.18)
        sent.append(line.sent)
        assert {packet.ssrc for packet in line.sent} == {sender.ssrc}
        assert line.sent[2].sequence_number == (number + 1) & 0xFFFF
        assert sender.bytes_sent >= sum(len(packet.payload) for packet in line.sent)
        assert line.stream.receiver.level_samples[0] == 1
    plain = [[packet._replace(ssrc=0, sequence_number=0) for packet in packets] for packets in sent]
    assert plain[0] == plain[1]
    assert [packet.payload[0] for packet in sent[0][2:-2]] == [3, 4, 5, 8]


def test_an_echo_that_the_kernel_refuses_is_counted() -> None:
    line = Line()
    line.stream.set_source(EchoSource(0))
    line.audio([1, 2])

    def refuse(data: bytes | bytearray | memoryview) -> object:
        raise ConnectionRefusedError

    line.stream.sender.send = refuse
    line.audio([3])
    packet = RtpPacket(0, 4, 640, 5, SILENCE).to_bytes()
    line.stream.receiver.receive(bytearray(packet), len(packet), 0.08)
    assert line.stream.sender.send_errors == 2


def test_echo_stops_while_the_peer_holds_us_and_digits_go_before_it() -> None:
    line = Line()
    line.stream.set_source(EchoSource(0))
    line.audio([1, 2])
    assert len(line.sent) == 2
    line.stream.sender.send_digits(SendDigits(1, 1, "1", 100))
    line.audio([3], at=0.04)
    assert len(line.sent) == 2
    while line.stream.sender.paced:
        line.intervals(1)
    line.stream.configure(DTMF, False)
    line.audio([4], at=0.06)
    assert len(line.sent) == 2
    line.stream.configure(DTMF, True)
    line.audio([5], at=0.08)
    assert len(line.sent) == 3


def test_a_raw_recording_has_the_payload_of_the_voice_only(tmp_path: Path) -> None:
    line = Line()
    path = tmp_path / "out.raw"
    line.stream.set_sink(RawFileSink(str(path)))
    line.audio([1, 2], payload=b"a" * 160)
    line.receive(RtpPacket(101, 3, 480, 5, bytes((7, 0x8A, 3, 32))), 0.06)
    line.receive(RtpPacket(13, 4, 480, 5, b"\x20"), 0.06)
    line.audio([5], payload=b"b" * 160, at=0.08)
    line.stream.set_sink(Sink())
    assert path.read_bytes() == b"a" * 320 + b"b" * 160


def test_a_callback_sink_holds_so_many_frames_and_says_what_was_dropped() -> None:
    line = Line()
    line.stream.set_sink(CallbackSink())
    line.audio(list(range(1, 41)))
    assert line.context.gathering
    line.stream.receiver.take_frames()
    frames = next(event for event in line.events() if isinstance(event, FramesReceived))
    assert (len(frames.frames), frames.dropped) == (32, 8)
    line.stream.receiver.take_frames()
    assert line.events() == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of this process may have 30,000 octets, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("kind", [RawFileSink, WavSink, lambda path: WavSink(path, "stereo")])
def test_a_full_disk_ends_the_recording_and_not_the_stream(kind: Callable[[str], Sink], tmp_path: Path) -> None:
    line = Line()
    path = tmp_path / "heard.wav"
    line.stream.set_sink(kind(str(path)))
    line.audio(list(range(1, 400)))
    events = [event for event in line.events() if isinstance(event, SinkFailed)]
    assert events == [SinkFailed(1, "File too large")]
    assert path.stat().st_size <= 30_000
    assert type(line.stream.receiver.sink) is Sink
    assert line.stream.receiver.received == 399


def test_a_full_disk_is_told_at_the_end_too() -> None:
    line = Line()
    line.stream.set_sink(RawFileSink("/dev/full"))
    line.audio([1, 2])
    line.stream.close()
    assert SinkFailed(1, "No space left on device") in line.events()


def test_a_wav_recording_is_steady_in_order_and_bridges_what_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    line = Line()
    line.stream.set_sink(WavSink(str(path)))
    frames = [g711.ulaw_encode(g711.ulaw_decode(bytes((0x80 + number % 100,)) * 160)) for number in range(200)]
    order = list(range(1, 200))
    order[50], order[51] = order[51], order[50]
    order.remove(100)
    for place, number in enumerate(order):
        line.receive(RtpPacket(0, number, 160 * number, 5, frames[number]), 0.02 * (number if place != 50 else 52))
    line.receive(RtpPacket(13, 200, 160 * 200, 5, b"\x40"), 4.0)
    line.stream.close()
    samples = decoded(path.read_bytes(), 8000)
    assert 198 * 160 <= len(samples) <= 208 * 160
    heard = samples.tobytes()
    found = [number for number in order if g711.ulaw_decode(frames[number]).tobytes() in heard]
    assert len(found) >= 190
    assert line.stream.receiver.late == 0


def test_a_wav_recording_survives_a_change_of_codec_and_source(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    line = Line(DTMF._replace(receive_codecs=((0, "PCMU", 8000), (8, "pcma", 8000), (97, "iLBC", 8000))))
    line.stream.set_sink(WavSink(str(path)))
    line.audio(list(range(1, 50)), payload=b"\x10" * 160)
    line.audio(list(range(50, 100)), at=1.0, payload=b"\x20" * 160, pt=8)
    line.audio([100], at=2.0, payload=bytes(50), pt=97)
    line.audio([101], at=2.02, payload=b"\x20" * 160, pt=13)
    line.receive(RtpPacket(101, 102, 480, 5, bytes((7, 0x8A, 3, 32))), 2.04)
    line.audio(list(range(5000, 5050)), at=3.0, payload=b"\x30" * 160, ssrc=6)
    line.stream.close()
    samples = set(decoded(path.read_bytes(), 8000).tolist())
    expected = {int(g711.ULAW_TO_LINEAR[0x10]), int(g711.ALAW_TO_LINEAR[0x20]), int(g711.ULAW_TO_LINEAR[0x30])}
    assert expected <= samples


def test_the_level_of_a_sampled_packet_is_measured() -> None:
    line = Line()
    line.audio([1, 2])
    line.stream.receiver.sample_soon()
    line.audio([3], at=0.04)
    line.stream.receiver.sample_soon()
    line.audio([4, 5], at=0.06, payload=ToneGenerator(g711.PCMU).frame("5", 0, 160, 160))
    line.stream.receiver.sample_soon()
    line.audio([6], at=0.1, payload=b"")
    packets, _, audible = line.stream.receiver.level_samples
    assert (packets, audible) == (2, 1)


# SRTP


def test_srtp_streams_understand_each_other_and_refuse_the_rest() -> None:
    one, other = Line(), Line()
    keys = bytes(range(30)), bytes(range(30, 60))
    one.stream.secure(SrtpSession("AES_CM_128_HMAC_SHA1_80", *keys))
    other.stream.secure(SrtpSession("AES_CM_128_HMAC_SHA1_80", keys[1], keys[0]))
    one.stream.set_source(ConstantSource(SILENCE))
    packets = [bytes(data) for _ in range(5) if (data := one.stream.sender.next_packet()) is not None]
    assert all(SILENCE not in packet for packet in packets)
    for place, packet in enumerate(packets):
        assert other.receive(packet, 0.02 * place)
    assert other.stream.receiver.received == 5
    other.receive(packets[4], 0.1)
    assert other.discards() == {"srtp_replay": 1}
    forged = one.stream.sender.next_packet()
    assert forged is not None
    other.receive(bytes(forged[:-1]) + bytes((forged[-1] ^ 1,)), 0.1)
    other.receive(RtpPacket(0, 9, 9, 5, SILENCE), 0.1)
    assert other.discards() == {"srtp_auth": 2, "srtp_replay": 1}
    other.stream.secure(None)
    assert other.stream.receiver.srtp is None


@pytest.mark.parametrize(
    "fed",
    [
        pytest.param([(5, 7)] * 20, id="one sequence number in all packets"),
        pytest.param([(5, 1)], id="one packet"),
        pytest.param([(ssrc, 1) for ssrc in range(10, 20)], id="a new source with each packet"),
        pytest.param([(5, 1), (6, 900), (7, 40), (5, 2), (5, 3)], id="others held while one is taken"),
        pytest.param([(5, n) for n in (1, 2, 20000, 20001, 20002)], id="a restart"),
        pytest.param([(5, n) for n in (1, 2, 20000, 3)], id="a stray number"),
        pytest.param([(5, n) for n in (1, 2, 2, 4, 3)], id="a copy, and two that changed places"),
    ],
)
def test_every_packet_is_received_or_discarded_by_a_reason_once(fed: list[tuple[int, int]]) -> None:
    line = Line()
    for place, (ssrc, number) in enumerate(fed):
        line.audio([number], ssrc=ssrc, at=0.02 * place)
    receiver = line.stream.receiver
    line.stream.close()
    discards = line.discards()
    assert receiver.received + sum(discards.values()) - discards.get("duplicate", 0) == len(fed)


def test_random_packets_of_several_sources_are_received_or_discarded_once() -> None:
    for seed in range(100):
        rng = random.Random(seed)
        line = Line()
        fed = rng.randrange(1, 200)
        now = 0.0
        for _ in range(fed):
            now += rng.choice((0.0, 0.02, 0.3, 2.5))
            number = rng.choice((rng.randrange(40), rng.randrange(30000, 30040)))
            line.audio([number], ssrc=rng.randrange(1, 7), at=now)
        line.stream.close()
        discards = line.discards()
        found = line.stream.receiver.received + sum(discards.values()) - discards.get("duplicate", 0)
        assert found == fed, seed


def test_packets_of_another_payload_type_leave_no_loss_and_a_real_loss_is_one() -> None:
    line = Line()
    line.audio([1, 2, 3])
    line.audio([4, 5], pt=77, at=0.06)
    assert line.stream.receiver.thrown == 0
    line.audio([7], at=0.12)
    receiver = line.stream.receiver
    assert line.discards() == {"bad_payload": 2}
    _, expected, unique, _ = receiver.counts()
    assert expected - unique == 3
    assert receiver.thrown == 2
    line.audio([8], pt=77, at=0.14)
    assert receiver.thrown == 2, "the newest leave no gap yet"
