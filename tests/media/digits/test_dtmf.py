"""RFC 4733 events: what goes onto the wire, and each digit once whatever happens on the way."""

import re
from pathlib import Path

import pytest

from sipswarm.media.audio.g711 import PCMU, ULAW_SILENCE
from sipswarm.media.digits.digit_packet import EVENTS, DigitKind
from sipswarm.media.digits.dtmf import (
    MAX_DIGIT_MS,
    MEMORY,
    QUEUE_BOUND,
    DigitQueueFull,
    EventReceiver,
    EventSender,
    ReceivedDigit,
)
from sipswarm.media.digits.inband import ToneGenerator
from tests.media.captures import read_capture
from tests.media.channel import Impairment, Packet, carry, play, send_digits

SSRC = 0x1234


def wire(sender: EventSender, ticks: int, samples: int = 160, timestamp: int = 0) -> list[str]:
    """What the sender gives, one word for each interval: event, end, duration, marker, timestamp."""
    words = []
    for tick in range(ticks):
        packet = sender.next_packet((timestamp + tick * samples) & 0xFFFFFFFF, samples)
        if packet is None:
            words.append("audio")
        elif packet.kind is not DigitKind.EVENT:
            words.append(packet.kind.name.lower())
        else:
            code, flags, duration = packet.payload[0], packet.payload[1], int.from_bytes(packet.payload[2:])
            end = "E" if flags & 0x80 else ""
            marker = "M" if packet.marker else ""
            words.append(f"{marker}{EVENTS[code]}@{packet.timestamp}+{duration}{end}")
    return words


def hear(packets: list[Packet], receiver: EventReceiver | None = None) -> list[ReceivedDigit]:
    """Digits that a receiver reports of the packets, in order; time goes on to the end of the last event."""
    receiver = receiver or EventReceiver()
    digits: list[ReceivedDigit] = []
    now = 0.0
    for packet in packets:
        now = max(now, packet.sent_at)
        digits += receiver.expire(now)
        if packet.event:
            digits += receiver.receive(SSRC, packet.timestamp, packet.payload, packet.sequence_number, now)
    return digits + list(receiver.expire(now + 60))


def text(digits: list[ReceivedDigit]) -> str:
    """The characters of the digits."""
    return "".join(digit.event for digit in digits)


def event(
    code: int, timestamp: int, duration: int, sequence_number: int, *, end: bool = False, at: float = 0.0
) -> Packet:
    """One event packet, by hand."""
    payload = bytes([code, 0x8A if end else 0x0A]) + duration.to_bytes(2)
    return Packet(True, timestamp, sequence_number, payload, False, at)


# --- sender ----------------------------------------------------------------------------------------------------------


def test_an_event_has_one_marker_a_constant_timestamp_and_three_end_packets() -> None:
    sender = EventSender()
    sender.send("5")
    assert wire(sender, 9, timestamp=8000) == [
        "M5@8000+160",
        "5@8000+320",
        "5@8000+480",
        "5@8000+640",
        "5@8000+800E",
        "5@8000+800E",
        "5@8000+800E",
        "audio",
        "audio",
    ]


@pytest.mark.parametrize(
    ("digits", "duration_ms", "starts"),
    # Intervals of 20 ms: a digit of 100 ms lasts five, then 50 ms (three) or 100 ms (five) of silence.
    [
        ("12", 100, [0, 8]),
        ("11", 100, [0, 10]),
        ("121", 100, [0, 8, 16]),
        ("3--#", 100, [0, 15]),  # two pauses of 100 ms from the end of the 3
        ("1-1", 20, [0, 6]),  # a pause shorter than the gap does not shorten it
        (",7", 60, [3]),
        ("1a2", 100, [0, 10]),  # lower case letters are no digits: a pause
    ],
)
def test_gaps_and_pauses_between_digits(digits: str, duration_ms: int, starts: list[int]) -> None:
    sender = EventSender()
    sender.send(digits, duration_ms)
    words = wire(sender, 40)
    assert [tick for tick, word in enumerate(words) if word.startswith("M")] == starts
    last = max(tick for tick, word in enumerate(words) if "@" in word)
    assert all(word == "audio" for word in words[last + 1 :])
    assert "audio" not in words[:last]


@pytest.mark.parametrize(
    ("duration_ms", "samples", "durations"),
    [
        (100, 160, [160, 320, 480, 640, 800, 800, 800]),
        (90, 160, [160, 320, 480, 640, 720, 720, 720]),
        (100, 240, [240, 480, 720, 800, 800, 800]),
        (10, 160, [80, 80, 80]),
        (100, 80, [80, 160, 240, 320, 400, 480, 560, 640, 720, 800, 800, 800]),
    ],
)
def test_the_last_duration_is_exact_whatever_the_packet_interval(
    duration_ms: int, samples: int, durations: list[int]
) -> None:
    sender = EventSender()
    sender.send("D", duration_ms)
    words = [word for word in wire(sender, 20, samples) if "@" in word]
    assert [int(re.sub(r".*\+|E", "", word)) for word in words] == durations
    assert [word.endswith("E") for word in words].count(True) == 3


def test_requests_append_and_finish_one_after_the_other() -> None:
    sender = EventSender()
    sender.send("1", request_id=7)
    sender.send("", request_id=8)
    sender.send("1-", request_id=9)
    assert sender.pending == 3
    assert sender.take_finished() == (8,)
    finished = []
    for tick in range(40):
        sender.next_packet(tick * 160, 160)
        finished += [(tick, request) for request in sender.take_finished()]
    # The second 1 begins at 200 ms and ends at 300; its pause ends at 400, seen in interval 20.
    assert finished == [(6, 7), (20, 9)]
    assert not sender.active


def test_timestamps_wrap_within_an_event() -> None:
    sender = EventSender()
    sender.send("1")
    words = wire(sender, 8, timestamp=2**32 - 320)
    assert words[3] == f"1@{2**32 - 320}+640"
    assert words[4] == f"1@{2**32 - 320}+800E"


def test_a_skipped_interval_makes_the_duration_jump() -> None:
    sender = EventSender()
    sender.send("1")
    first = sender.next_packet(0, 160)
    third = sender.next_packet(320, 160)
    assert first is not None
    assert third is not None
    assert third.payload[2:] == (480).to_bytes(2)


def test_a_long_event_goes_in_segments() -> None:
    sender = EventSender()
    sender.send("9", 20_000)  # 160,000 clock units
    words = [word for word in wire(sender, 1100) if "@" in word]
    assert [word for word in words if word.startswith("M")] == ["M9@0+160"]
    # A segment ends at the last report that fits 16 bits, three times; the next begins where it ended.
    cut = 65440
    assert words[408:412] == [f"9@0+{cut}"] * 3 + [f"9@{cut}+480"]
    assert words[-3:] == [f"9@{2 * cut}+{160_000 - 2 * cut}E"] * 3
    receiver = EventReceiver()
    assert hear(send_digits("9", ULAW_SILENCE, 20_000), receiver) == [ReceivedDigit("9", 20_000)]


def test_a_duration_that_skips_past_the_field_is_cut_to_a_segment() -> None:
    sender = EventSender()
    sender.send("9", 20_000)
    sender.next_packet(0, 160)
    packet = sender.next_packet(70_000, 160)
    assert packet is not None
    assert packet.payload == bytes([9, 0x0A, 0xFF, 0xFF])


def test_stop_ends_the_present_digit_and_drops_the_rest() -> None:
    sender = EventSender()
    sender.send("1", 1000, request_id=1)
    sender.send("23", request_id=2)
    assert wire(sender, 2)[-1] == "1@0+320"
    assert sender.stop() == (1, 2)
    assert wire(sender, 4, timestamp=320) == ["1@0+480E", "1@0+480E", "1@0+480E", "audio"]
    assert sender.take_finished() == ()
    assert sender.stop() == ()


def test_stop_during_the_end_packets_lets_the_request_finish() -> None:
    sender = EventSender()
    sender.send("1", 20, request_id=1)
    sender.next_packet(0, 160)
    assert sender.stop() == ()
    wire(sender, 3, timestamp=160)
    assert sender.take_finished() == (1,)


def test_stop_during_a_pause_is_idle_at_once() -> None:
    sender = EventSender()
    sender.send("-", 1000, request_id=1)
    assert wire(sender, 1) == ["gap"]
    assert sender.stop() == (1,)
    assert wire(sender, 1, timestamp=160) == ["audio"]


def test_stop_between_segments_ends_the_event() -> None:
    sender = EventSender()
    sender.send("1", 20_000, request_id=1)
    assert wire(sender, 410)[-1] == "1@0+65440"
    assert sender.stop() == (1,)
    assert wire(sender, 3, timestamp=410 * 160)[1:] == ["1@65440+480E", "1@65440+480E"]


def test_tones_replace_audio_and_end_in_the_middle_of_a_packet() -> None:
    sender = EventSender()
    sender.send("1", 50, tones=ToneGenerator(PCMU))
    frames = [sender.next_packet(tick * 160, 160) for tick in range(4)]
    assert [frame.kind for frame in frames if frame] == [DigitKind.TONE] * 3
    assert frames[3] is None
    assert frames[2] is not None
    assert frames[2].payload[80:] == ULAW_SILENCE * 80
    assert frames[2].timestamp == 320


def test_stop_ends_a_tone_at_once() -> None:
    sender = EventSender()
    sender.send("12", 1000, request_id=3, tones=ToneGenerator(PCMU))
    sender.next_packet(0, 160)
    assert sender.stop() == (3,)
    packet = sender.next_packet(160, 160)
    assert packet is not None
    assert packet.payload == ULAW_SILENCE * 160
    assert sender.next_packet(320, 160) is None


def test_the_queue_is_bounded_and_takes_all_or_nothing() -> None:
    sender = EventSender()
    sender.send("1" * (QUEUE_BOUND - 1))
    with pytest.raises(DigitQueueFull, match="at most 1000"):
        sender.send("12")
    assert sender.pending == QUEUE_BOUND - 1
    sender.send("2")


@pytest.mark.parametrize("duration_ms", [0, -1, MAX_DIGIT_MS + 1])
def test_an_impossible_duration_is_refused(duration_ms: int) -> None:
    with pytest.raises(ValueError, match="ms"):
        EventSender().send("1", duration_ms)


@pytest.mark.parametrize("volume", [-1, 64])
def test_an_impossible_volume_is_refused(volume: int) -> None:
    with pytest.raises(ValueError, match="volume"):
        EventSender(volume=volume)


def test_no_repr_shows_a_digit() -> None:
    sender = EventSender()
    sender.send("7777")
    packet = sender.next_packet(0, 160)
    receiver = EventReceiver()
    receiver.receive(1, 2, bytes([7, 10, 0, 160]), 1, 0.0)
    shown = repr(sender) + repr(packet) + repr(receiver) + repr(ReceivedDigit("7", 100)) + repr(EventReceiver())
    assert "7" not in shown
    assert "x07" not in shown


# --- both ends -------------------------------------------------------------------------------------------------------

CHANNELS = {
    "clean": Impairment(),
    "1 % loss": Impairment(loss=0.01),
    "5 % loss": Impairment(loss=0.05),
    "2 % duplication": Impairment(duplication=0.02),
    "reordering": Impairment(reordering=0.05),
    "all of it": Impairment(loss=0.05, duplication=0.02, reordering=0.05),
}


@pytest.mark.parametrize("impairment", CHANNELS.values(), ids=CHANNELS)
def test_every_digit_arrives_once_over_a_bad_network(impairment: Impairment) -> None:
    for seed in range(60):
        packets = send_digits(EVENTS + EVENTS[::-1], ULAW_SILENCE, sequence_number=65500, timestamp=2**32 - 9000)
        assert text(hear(carry(packets, impairment, seed))) == EVENTS + EVENTS[::-1], f"seed {seed}"


@pytest.mark.parametrize("duration_ms", [40, 100, 250, 500])
def test_the_reported_duration_is_the_one_sent(duration_ms: int) -> None:
    digits = hear(send_digits("12D#34B*", ULAW_SILENCE, duration_ms))
    assert text(digits) == "12D#34B*"
    assert {digit.duration_ms for digit in digits} == {duration_ms}


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
def test_durations_follow_the_clock_rate(clock_rate: int) -> None:
    sender = EventSender(clock_rate)
    sender.send("1", 100)
    digits: list[ReceivedDigit] = []
    receiver = EventReceiver(clock_rate)
    for packet in play(sender, b"\0", samples=clock_rate // 50):
        if packet.event:
            digits += receiver.receive(SSRC, packet.timestamp, packet.payload, packet.sequence_number, 0.0)
    assert digits == [ReceivedDigit("1", 100)]


# --- receiver --------------------------------------------------------------------------------------------------------

PRESS = [event(1, 1000, 160 * n, n, at=n / 50) for n in range(1, 5)]
END = [event(1, 1000, 800, n, end=True, at=n / 50) for n in range(5, 8)]
NEXT = [event(2, 3000, 160 * n, 20 + n, at=(20 + n) / 50) for n in range(1, 5)]


@pytest.mark.parametrize(
    ("packets", "digits"),
    [
        pytest.param(PRESS + END, "1", id="whole"),
        pytest.param(END, "1", id="only the end packets"),
        pytest.param(END[2:], "1", id="only the last packet"),
        pytest.param(PRESS[2:] + END, "1", id="start lost"),
        pytest.param(PRESS, "1", id="end lost"),
        pytest.param(PRESS[:1], "1", id="all but the first lost"),
        pytest.param(PRESS + NEXT, "12", id="end lost and the next digit begins"),
        pytest.param([*PRESS, *PRESS, *END, *END], "1", id="everything twice"),
        pytest.param([*END, *PRESS], "1", id="end first"),
        pytest.param([*PRESS, NEXT[0], END[0], *NEXT[1:]], "12", id="end after the next digit began"),
        pytest.param([NEXT[0], END[0], END[1], *NEXT[1:]], "12", id="known late by its end packets only"),
        pytest.param([*PRESS, *END, event(1, 2600, 160, 20, at=0.4)], "11", id="same digit again"),
        pytest.param([*PRESS, event(1, 2600, 160, 20, at=0.2)], "11", id="same digit again, end lost"),
        pytest.param([event(16, 1000, 800, 1, end=True)], "", id="flash is no digit"),
        pytest.param([event(255, 1000, 800, 1, end=True)], "", id="event 255"),
        pytest.param([event(1, 1000, 0, 1, end=True)], "", id="ends without lasting"),
        pytest.param([event(1, 1000, 0, 1), *PRESS, *END], "1", id="first packet with duration 0"),
        pytest.param([*PRESS, *END, event(3, 100, 800, 30, end=True)], "13", id="timestamps restart"),
        pytest.param([*PRESS, *END, event(1, 1000, 160, 60, at=1.0)], "11", id="timestamp never moves"),
        pytest.param([*PRESS, *END, event(1, 1000, 800, 60, at=30.0)], "11", id="same identity much later"),
        pytest.param(
            [event(9, 50_000, 160, 100), event(3, 10_000, 800, 60, end=True)], "9", id="too late to be believed"
        ),
    ],
)
def test_each_digit_once(packets: list[Packet], digits: str) -> None:
    assert text(hear(packets)) == digits


def test_counters_name_what_was_dropped() -> None:
    receiver = EventReceiver()
    hear([event(16, 0, 1, 1), event(1, 0, 0, 1, end=True), *PRESS, *END], receiver)
    hear([event(9, 90_000, 160, 300), event(3, 10_000, 800, 60, end=True)], receiver)
    for payload in (b"", b"\1", b"\1\n\0", b"\1\n\0\xa0\0", bytes(36)):
        assert receiver.receive(SSRC, 0, payload, 400, 1.0) == ()
    assert (receiver.refused, receiver.repeated, receiver.late, receiver.malformed) == (2, 2, 1, 5)


def test_an_event_without_end_expires_after_three_intervals() -> None:
    receiver = EventReceiver()
    assert receiver.deadline() is None
    for n in (1, 2, 3):  # reports every 50 ms
        assert receiver.receive(SSRC, 0, bytes([4, 10]) + (400 * n).to_bytes(2), n, n * 0.05) == ()
    assert receiver.active
    assert receiver.deadline() == pytest.approx(0.3)
    assert receiver.expire(0.29) == ()
    assert receiver.expire(0.31) == (ReceivedDigit("4", 150),)
    assert receiver.deadline() is None
    # The end that arrives after all belongs to the digit that was reported.
    assert receiver.receive(SSRC, 0, bytes([4, 0x8A, 5, 0]), 5, 0.4) == ()


def test_a_new_ssrc_ends_the_digit_of_the_old_one() -> None:
    receiver = EventReceiver()
    assert receiver.receive(1, 9000, bytes([4, 10, 0, 160]), 1, 0.0) == ()
    assert receiver.receive(2, 100, bytes([4, 10, 0, 160]), 1, 0.02) == (ReceivedDigit("4", 20),)
    assert receiver.expire(1.0) == (ReceivedDigit("4", 20),)


def test_a_segment_whose_end_was_lost_still_continues_the_event() -> None:
    receiver = EventReceiver()
    receiver.receive(SSRC, 0, bytes([6, 10]) + (64_800).to_bytes(2), 1, 0.0)
    receiver.receive(SSRC, 65_440, bytes([6, 10]) + (800).to_bytes(2), 5, 0.1)
    # A late packet of the first segment changes nothing.
    assert receiver.receive(SSRC, 0, bytes([6, 10]) + (65_280).to_bytes(2), 3, 0.1) == ()
    assert receiver.receive(SSRC, 65_440, bytes([6, 0x8A]) + (1600).to_bytes(2), 9, 0.2) == (
        ReceivedDigit("6", (65_440 + 1600) // 8),
    )


def test_contiguous_events_may_share_a_packet() -> None:
    receiver = EventReceiver()
    payload = bytes([1, 0x0A, 1, 0x90, 2, 0x8A, 1, 0x90])  # RFC 4733 2.5.1.5
    digits = (ReceivedDigit("1", 50), ReceivedDigit("2", 50))
    assert receiver.receive(SSRC, 5000, payload, 1, 0.0) == digits
    assert receiver.receive(SSRC, 5000, payload, 2, 0.02) == ()


def test_the_memory_of_events_is_bounded() -> None:
    receiver = EventReceiver()
    for n in range(4 * MEMORY):
        assert len(receiver.receive(SSRC, 1000 * n, bytes([n % 16, 0x8A, 1, 0]), n, n / 10)) == 1
    assert len(receiver._known) == MEMORY


# --- captures --------------------------------------------------------------------------------------------------------


def test_the_digits_of_two_real_phones(shared_data: Path) -> None:
    receivers: dict[tuple[str, int], EventReceiver] = {}
    digits: dict[tuple[str, int], list[ReceivedDigit]] = {}
    last = 0.0
    for datagram in read_capture(shared_data / "rtpproxy" / "catch_dtmf" / "dtmf.pcap"):
        rtp = datagram.payload
        assert rtp[0] == 0x80
        assert rtp[1] & 0x7F == 101
        receiver = receivers.setdefault(datagram.source, EventReceiver())
        heard = digits.setdefault(datagram.source, [])
        heard += receiver.expire(datagram.time)
        sequence_number, timestamp, ssrc = (int.from_bytes(rtp[a:b]) for a, b in ((2, 4), (4, 8), (8, 12)))
        heard += receiver.receive(ssrc, timestamp, rtp[12:], sequence_number, datagram.time)
        last = datagram.time
    for source, receiver in receivers.items():
        digits[source] += receiver.expire(last + 1)
    assert [text(heard) for heard in digits.values()] == ["123456789*0#5", "54321#"]
    phone_1 = [digit.duration_ms for digit in next(iter(digits.values()))]
    assert phone_1 == [120, 140, 130, 120, 130, 130, 110, 120, 130, 120, 110, 110, 430]
