"""One media line without sockets: what goes out of a source, and what comes in to statistics, digits and a sink."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from media import g711
from media.context import StreamContext
from media.inband import ToneGenerator
from media.messages import (
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    Event,
    FramesReceived,
    FramesWanted,
    ProvideFrames,
    SendDigits,
    SinkFailed,
    SourceFinished,
    StreamStarted,
)
from media.rtp import RtpPacket
from media.sinks import CallbackSink, RawFileSink, Sink, WavSink
from media.sources import CallbackSource, ConstantSource, EchoSource, FramesSource, read_wav
from media.srtp import SrtpSession
from media.stream import Stream
from media.totals import DISCARD_REASONS

SILENCE = b"\xff" * 160
DTMF = ConfigureStream(1, dtmf_payload_type=101, dtmf_receive_payload_type=101)


class Line:
    """A stream, what it sent and what it said."""

    def __init__(self, command: ConfigureStream = DTMF) -> None:
        self.context = StreamContext(os.urandom)
        self.stream = Stream(1, 9, self.context, 0.0)
        self.stream.configure(command, True)
        self.sent: list[RtpPacket] = []
        self.stream.sender.send = lambda data: self.sent.append(RtpPacket.parse(bytes(data)))
        self.number = 0

    def intervals(self, count: int) -> list[RtpPacket | None]:
        """What the tick gets in so many intervals."""
        got = []
        for _ in range(count):
            data = self.stream.sender.next_packet()
            got.append(None if data is None else RtpPacket.parse(bytes(data)))
        return got

    def receive(self, packet: RtpPacket | bytes, now: float) -> bool:
        data = packet if isinstance(packet, bytes) else packet.to_bytes()
        return self.stream.receiver.receive(data, len(data), now)

    def audio(
        self, numbers: list[int], *, ssrc: int = 5, at: float = 0.0, payload: bytes = SILENCE, pt: int = 0
    ) -> None:
        """Packets in the order given, each at the time of its place."""
        for place, number in enumerate(numbers):
            self.receive(RtpPacket(pt, number & 0xFFFF, 160 * number & 0xFFFFFFFF, ssrc, payload), at + place * 0.02)

    def events(self) -> list[Event]:
        taken = [event for owner, event in self.context.events if owner == 9]
        self.context.events.clear()
        return taken

    def discards(self) -> dict[str, int]:
        return {
            name: count for name, count in zip(DISCARD_REASONS, self.stream.receiver.discards, strict=True) if count
        }


# sending


def test_packets_count_up_from_random_values_and_the_first_has_the_marker() -> None:
    line = Line()
    line.stream.set_source(ConstantSource(SILENCE))
    packets = [packet for packet in line.intervals(100) if packet is not None]
    assert len(packets) == 100
    first = packets[0]
    assert [packet.marker for packet in packets] == [True] + [False] * 99
    assert {packet.ssrc for packet in packets} == {line.stream.sender.ssrc}
    for place, packet in enumerate(packets):
        assert packet.sequence_number == (first.sequence_number + place) & 0xFFFF
        assert packet.timestamp == (first.timestamp + 160 * place) & 0xFFFFFFFF
        assert (packet.payload_type, packet.payload) == (0, SILENCE)
    assert (line.stream.sender.packets_sent, line.stream.sender.bytes_sent) == (100, 16000)


def test_two_streams_share_no_start_value() -> None:
    one, other = Line().stream.sender, Line().stream.sender
    assert one.ssrc != other.ssrc
    assert one.timestamp != other.timestamp


def test_payloads_of_a_file_follow_each_other_and_the_end_is_told_once() -> None:
    line = Line()
    line.stream.set_source(FramesSource((b"a" * 160, b"b" * 160), 2))
    packets = line.intervals(6)
    assert [None if packet is None else packet.payload[:1] for packet in packets] == [
        b"a",
        b"b",
        b"a",
        b"b",
        None,
        None,
    ]
    assert line.events() == [SourceFinished(1, "end")]
    assert not line.stream.sender.paced


def test_frames_of_other_sizes_are_counted_by_their_size() -> None:
    line = Line()
    line.stream.set_source(FramesSource((b"a" * 10, b"b" * 20), 1))
    assert [packet.payload for packet in line.intervals(2) if packet] == [b"a" * 10, b"b" * 20]
    assert line.stream.sender.bytes_sent == 30


def test_a_new_configuration_keeps_ssrc_numbers_and_counts() -> None:
    line = Line()
    line.stream.set_source(ConstantSource(SILENCE))
    (before,) = line.intervals(1)
    line.stream.configure(
        ConfigureStream(1, codec="iLBC", payload_type=97, payload_size=50, packet_interval=0.03), True
    )
    line.stream.set_source(ConstantSource(bytes(50)))
    first, second = line.intervals(2)
    assert before is not None
    assert first is not None
    assert second is not None
    assert (first.ssrc, first.payload_type, first.marker) == (before.ssrc, 97, True)
    assert first.sequence_number == (before.sequence_number + 1) & 0xFFFF
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 240
    assert (line.stream.sender.packets_sent, line.stream.sender.bytes_sent) == (3, 260)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ConfigureStream(1, direction="both"), "no such direction: both"),
        (ConfigureStream(1, packet_interval=0.0), "160 octets every 0.0 s cannot be sent"),
        (ConfigureStream(1, packet_interval=2.0), "160 octets every 2.0 s cannot be sent"),
        (ConfigureStream(1, payload_size=0), "0 octets every 0.02 s cannot be sent"),
        (ConfigureStream(1, payload_size=1500), "1500 octets every 0.02 s cannot be sent"),
        (ConfigureStream(1, clock_rate=0), "payload type 0 at 0 Hz"),
        (ConfigureStream(1, payload_type=128), "payload type 128 at 8000 Hz"),
        (ConfigureStream(1, dtmf_methods=("info",)), "no such DTMF method: info"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_by_name(command: ConfigureStream, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^bad_value: {reason}$"):
        Line(command)


def test_a_callback_source_is_asked_ahead_and_may_set_type_marker_and_timestamp() -> None:
    line = Line()
    line.stream.set_source(CallbackSource(0.02))
    line.stream.sender.ask_for_frames()
    first = line.stream.sender.next_sequence_number
    assert line.events() == [FramesWanted(1, first, 5)]
    frames = ((b"x" * 160, -1, 0, -1), (b"y", 96, 1, 777), (b"z" * 160, -1, 0, -1))
    assert line.stream.sender.provide(ProvideFrames(1, frames, True))
    one, two, three, none = line.intervals(4)
    assert one is not None
    assert (one.payload, one.payload_type, one.marker, one.sequence_number) == (b"x" * 160, 0, True, first)
    assert two is not None
    assert (two.payload, two.payload_type, two.marker, two.timestamp) == (b"y", 96, True, 777)
    assert three is not None
    assert (three.timestamp - one.timestamp) & 0xFFFFFFFF == 320
    assert none is None
    assert line.events() == [SourceFinished(1, "end")]
    assert not line.stream.sender.provide(ProvideFrames(1, ()))


def test_a_callback_source_that_is_slow_leaves_a_gap_and_a_marker() -> None:
    line = Line()
    line.stream.set_source(CallbackSource(0.02))
    assert line.intervals(3) == [None, None, None]
    line.stream.sender.provide(ProvideFrames(1, ((b"x" * 160, -1, 0, -1),) * 80))
    assert line.context.totals.frames_dropped == 16
    (packet,) = line.intervals(1)
    assert packet is not None
    assert packet.marker


# digits


def test_rfc4733_digits_replace_the_audio_and_are_answered() -> None:
    line = Line()
    line.stream.set_source(ConstantSource(SILENCE))
    line.stream.sender.send_digits(SendDigits(1, 77, "1#", 100))
    packets = line.intervals(30)
    types = [packet.payload_type for packet in packets if packet is not None]
    assert len(types) == 30
    events = [packet for packet in packets if packet is not None and packet.payload_type == 101]
    assert [packet.payload[0] for packet in events] == [1] * 7 + [11] * 7
    assert [packet.marker for packet in events] == ([True] + [False] * 6) * 2
    assert [packet.payload[1] >> 7 for packet in events] == ([0] * 4 + [1] * 3) * 2
    assert len({packet.timestamp for packet in events}) == 2
    numbers = [packet.sequence_number for packet in packets if packet is not None]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert types[7] == 0
    assert line.events() == [DigitsSent(1, 77, "OK")]
    assert line.stream.sender.digits_sent == 2
    assert line.context.totals.digits_sent == [2, 0]


def test_digits_go_out_without_a_source_and_then_nothing_more() -> None:
    line = Line()
    paced = [line.stream.sender.paced]
    line.stream.sender.send_digits(SendDigits(1, 1, "5-6", 60))
    paced.append(line.stream.sender.paced)
    packets = line.intervals(40)
    assert {packet.payload_type for packet in packets if packet is not None} == {101}
    assert line.events() == [DigitsSent(1, 1, "OK")]
    assert [*paced, line.stream.sender.paced] == [False, True, False]


def test_inband_digits_are_tones_in_the_codec() -> None:
    line = Line()
    line.stream.set_source(ConstantSource(SILENCE))
    line.stream.sender.send_digits(SendDigits(1, 1, "12", 100, "inband"))
    packets = [packet for packet in line.intervals(20) if packet is not None]
    assert {packet.payload_type for packet in packets} == {0}
    loud = "".join("x" if packet.payload != SILENCE else "." for packet in packets)
    assert loud.startswith("xxxxx...xxxxx...")
    assert line.context.totals.digits_sent == [0, 2]
    assert line.events() == [DigitsSent(1, 1, "OK")]


@pytest.mark.parametrize(
    ("command", "configuration", "reason"),
    [
        (SendDigits(1, 3, "1"), ConfigureStream(1), "not_negotiated"),
        (SendDigits(1, 3, "1", mode="inband"), ConfigureStream(1, codec="opus"), "no_tone_codec"),
        (SendDigits(1, 3, "1", mode="info"), DTMF, "bad_value"),
        (SendDigits(1, 3, "1", 0), DTMF, "bad_value"),
        (SendDigits(1, 3, "1" * 65), DTMF, "queue_full"),
    ],
)
def test_digits_that_cannot_be_sent_are_answered_by_name(
    command: SendDigits, configuration: ConfigureStream, reason: str
) -> None:
    line = Line(configuration)
    line.stream.sender.send_digits(command)
    assert line.events() == [DigitsSent(1, 3, "FAIL", reason)]
    assert line.context.totals.digits_refused == 1
    assert not line.stream.sender.paced


def test_stopped_digits_are_answered() -> None:
    line = Line()
    line.stream.sender.stop_digits()
    line.stream.sender.send_digits(SendDigits(1, 1, "123"))
    line.stream.sender.send_digits(SendDigits(1, 2, "456"))
    line.intervals(2)
    line.stream.sender.stop_digits()
    assert line.events() == [DigitsSent(1, 1, "FAIL", "stopped"), DigitsSent(1, 2, "FAIL", "stopped")]


def test_closing_answers_digits_that_wait() -> None:
    line = Line()
    line.stream.sender.send_digits(SendDigits(1, 1, "123"))
    line.stream.close()
    assert line.events() == [DigitsSent(1, 1, "FAIL", "closed")]


def test_secrets_do_not_show() -> None:
    assert "1234" not in repr(SendDigits(1, 1, "1234"))
    assert "'7'" not in repr(DtmfReceived(1, "7", 100, "rfc4733"))
    keys = ConfigureStream(1, srtp_suite="AES_CM_128_HMAC_SHA1_80", srtp_send_key=b"secret", srtp_receive_key=b"secret")
    assert "secret" not in repr(keys)
    assert "PCMU" in repr(ConfigureStream(1))


# receiving


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


def test_two_packets_out_of_sequence_begin_no_source() -> None:
    line = Line()
    line.audio([10, 12, 14])
    assert line.stream.receiver.received == 0
    assert line.discards() == {"bad_ssrc": 2}


def test_another_ssrc_must_wait_until_the_first_is_silent() -> None:
    line = Line()
    line.audio([1, 2, 3])
    line.audio([500, 501, 502], ssrc=6, at=0.06)
    assert line.stream.receiver.ssrc_changes == 0
    assert line.discards() == {"bad_ssrc": 2}
    line.audio([503, 504], ssrc=6, at=0.3)
    assert line.stream.receiver.ssrc_changes == 1
    assert line.stream.receiver.reception is not None
    assert line.stream.receiver.reception.ssrc == 6
    assert line.stream.receiver.received == 3 + 3
    assert line.stream.receiver.earlier[0] == 3
    assert [type(event).__name__ for event in line.events()] == ["StreamStarted", "StreamStarted"]


def test_only_four_ssrcs_are_known_at_a_time_and_old_candidates_give_way() -> None:
    line = Line()
    line.audio([1, 2])
    for ssrc in (10, 11, 12, 13):
        line.audio([100], ssrc=ssrc, at=0.04)
    assert line.discards() == {"bad_ssrc": 1}
    line.audio([100, 101], ssrc=14, at=3.0)
    assert line.stream.receiver.ssrc_changes == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"\x00" + data[1:], "malformed"),
        (lambda data: data[:8], "malformed"),
        (lambda data: b"\xa0" + data[1:-1] + b"\x00", "malformed"),
        (lambda data: data[:1] + b"\x12" + data[2:], "bad_payload"),
        (lambda data: data[:1] + b"\xc8" + data[2:], "malformed"),
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
    report = bytes.fromhex("80c90001 00000005")
    assert Line().receive(report, 0.0)
    assert not Line(DTMF._replace(rtcp_mux=True)).receive(report, 0.0)


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
    (receiver,) = line.context.sounding
    receiver.expire_digit(0.07)
    assert len(line.events()) == 1
    receiver.expire_digit(1.0)
    assert line.events() == [DtmfReceived(1, "9", 40, "rfc4733")]
    assert not line.context.sounding


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
    line.context.detect(0.3)
    tones(line, "6", at=0.3, first=13)
    line.context.detect(0.5)
    found = [(event.event, event.mode) for event in line.events() if isinstance(event, DtmfReceived)]
    assert found == [("5", "inband"), ("6", "inband")]
    line.stream.configure(DTMF, True)
    assert not line.context.listening


def test_a_tone_still_sounding_at_the_end_is_reported() -> None:
    line = Line(DTMF._replace(dtmf_methods=("inband",)))
    line.audio([1, 2])
    generator = ToneGenerator(g711.PCMU)
    for place in range(5):
        line.audio([3 + place], at=0.04 + place * 0.02, payload=generator.frame("4", place * 160, 160, 800))
    line.context.detect(0.2)
    line.stream.close()
    assert [event.event for event in line.events() if isinstance(event, DtmfReceived)] == ["4"]


def test_one_key_press_in_both_modes_is_one_digit() -> None:
    line = Line(DTMF._replace(dtmf_methods=("rfc4733", "inband")))
    line.audio([1, 2])
    line.receive(RtpPacket(101, 3, 480, 5, bytes((5, 0x8A, 3, 32))), 0.06)
    tones(line, "5", at=0.0, first=4)
    line.context.detect(0.15)
    assert [event.mode for event in line.events() if isinstance(event, DtmfReceived)] == ["rfc4733"]


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


@pytest.mark.parametrize("kind", [RawFileSink, WavSink])
def test_a_full_disk_ends_the_recording_and_not_the_stream(kind: type[RawFileSink] | type[WavSink]) -> None:
    line = Line()
    line.stream.set_sink(kind("/dev/full"))
    line.audio(list(range(1, 400)))
    events = [event for event in line.events() if isinstance(event, SinkFailed)]
    assert events == [SinkFailed(1, "No space left on device")]
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
    samples = read_wav(path.read_bytes(), 8000)
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
    samples = set(read_wav(path.read_bytes(), 8000).tolist())
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
