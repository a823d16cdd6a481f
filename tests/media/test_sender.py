"""What goes out of a source, and digits in place of it."""

from itertools import pairwise

import pytest

from sipswarm.media.messages import (
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    FramesWanted,
    ProvideFrames,
    SendDigits,
    SourceFinished,
)
from sipswarm.media.sources import CallbackSource, ConstantSource, FramesSource

from .halves import DTMF, SILENCE, Line


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
    assert line.events() == [FramesWanted(1, first, 5, 160)]
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
        (SendDigits(1, 3, "1" * 1001), DTMF, "queue_full"),
    ],
)
def test_digits_that_cannot_be_sent_are_answered_by_name(
    command: SendDigits, configuration: ConfigureStream, reason: str
) -> None:
    line = Line(configuration)
    line.stream.sender.send_digits(command)
    assert line.events() == [DigitsSent(1, 3, "FAIL", reason)]
    assert line.context.totals.digits_refused == 1
    assert line.context.totals.digits_not_queued == (reason == "queue_full")
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


@pytest.mark.parametrize(
    ("digits", "intervals", "said"),
    [
        ("2", 4, DigitsSent(1, 1, "FAIL", "closed")),
        ("2", 5, DigitsSent(1, 1, "OK")),  # its first end packet
        ("2", 6, DigitsSent(1, 1, "OK")),
        ("2", 7, DigitsSent(1, 1, "OK")),
        ("2-", 5, DigitsSent(1, 1, "FAIL", "closed", 1)),
        ("23", 4, DigitsSent(1, 1, "FAIL", "closed")),
        ("23", 5, DigitsSent(1, 1, "FAIL", "closed", 1)),
        ("23", 12, DigitsSent(1, 1, "FAIL", "closed", 1)),
        ("23", 13, DigitsSent(1, 1, "OK")),
    ],
)
def test_a_digit_is_out_with_its_first_end_packet(digits: str, intervals: int, said: DigitsSent) -> None:
    line = Line()
    line.stream.sender.send_digits(SendDigits(1, 1, digits))
    line.intervals(intervals)
    line.stream.sender.close()
    assert line.events() == [said]
