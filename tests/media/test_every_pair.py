"""Every pair of formats, one after the other in one stream, in both directions (RFC 3264 8.3): a phone made of a socket
decodes each packet that we send, and sends packets of its own, which we record; both press a key after the change.
Then the same with digits of ours under way, as events and as tones, which the new format may not permit."""

import wave
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.formats import payload_octets
from sipswarm.media.digits.digit_packet import EVENTS
from sipswarm.media.digits.inband import HIGH_HZ, KEYPAD, LOW_HZ
from sipswarm.media.messages import (
    CommandRefused,
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    SendDigits,
    SetSink,
)
from sipswarm.media.sockets import bind
from tests.media.rtp_packet import RtpPacket

from .tones import HZ, fit, sine
from .world import HOME, World

LEVEL = 3605
"""Peak of our tone of -16 dBm0."""
PHONE = 700
"""Hz of the phone's tone."""
BEFORE, AFTER, DIGIT = 0.3, 0.6, 0.36


class Form(NamedTuple):
    """A codec and a packet time."""

    name: str
    payload_type: int
    clock: int
    rate: int
    ms: int
    least: float
    """dB of signal to noise that the codec alone reaches with a tone."""

    @property
    def ticks(self) -> int:
        return self.clock * self.ms // 1000


TIMES = (10, 20, 30, 40, 60)
FORMS = [
    Form(name, number, clock, rate, ms, least)
    for name, number, clock, rate, times, least in (
        ("PCMU", 0, 8000, 8000, TIMES, 33),
        ("PCMA", 8, 8000, 8000, TIMES, 33),
        ("G722", 9, 8000, 16000, TIMES, 20),
        ("L16", 96, 8000, 8000, TIMES, 60),
        ("L16", 98, 16000, 16000, (10, 20, 30, 40), 60),
        ("L16", 99, 48000, 48000, (10,), 60),
        ("L16/2", 95, 8000, 8000, (20, 40), 60),
        ("opus", 97, 48000, 48000, (10, 20, 40, 60), 15),
    )
    for ms in times
]


@cache
def phone_tone(form: Form, seconds: float) -> tuple[bytes, ...]:
    codec = open_codec(form.name, form.clock)
    length = form.ms / 1000
    return tuple(
        codec.encode(sine(at * length, length, form.rate, PHONE)) for at in range(int(seconds / length + 1e-6))
    )


class Phone:
    """What the other end sends and gets."""

    def __init__(self, world: World, to: int) -> None:
        self.socket = bind(HOME, 0)
        self.world = world
        self.to = (HOME, to)
        self.number = 30000
        self.timestamp = 123456
        self.heard: list[RtpPacket] = []

    def talk(self, form: Form, payloads: tuple[bytes, ...]) -> None:
        """Send these, a packet each interval."""
        for payload in payloads:
            self._send(RtpPacket(form.payload_type, self.number, self.timestamp, 7, payload))
            self.timestamp += form.ticks
            self.world.run(form.ms / 1000)
        self._listen()

    def press(self, form: Form) -> None:
        """A key of 100 ms (RFC 4733 2.5.1)."""
        start = self.timestamp
        for part in (2, 3, 4, 5, 5, 5):
            duration = form.clock // 50 * part
            end = 0x80 if part == 5 else 0
            payload = bytes((9, end | 10)) + duration.to_bytes(2, "big")
            self._send(RtpPacket(101, self.number, start, 7, payload))
            self.world.run(0.02)
        self.world.run(DIGIT - 0.12)
        self._listen()

    def _send(self, packet: RtpPacket) -> None:
        self.socket.sendto(packet.to_bytes(), self.to)
        self.number += 1

    def _listen(self) -> None:
        while True:
            try:
                self.heard.append(RtpPacket.parse(self.socket.recv(4096)))
            except BlockingIOError:
                return


def configuration(port: int, form: Form) -> ConfigureStream:
    return ConfigureStream(
        1,
        remote_address=HOME,
        remote_port=port,
        codec=form.name,
        payload_type=form.payload_type,
        clock_rate=form.clock,
        payload_size=payload_octets(form.name, form.ticks),
        packet_interval=form.ms / 1000,
        receive_codecs=((form.payload_type, form.name, form.clock),),
        dtmf_payload_type=101,
        dtmf_receive_payload_type=101,
        dtmf_clock_rate=form.clock,
    )


def walk(one: Form, other: Form, path: Path) -> tuple[float, float]:
    """One stream that changes from one format to the other; margin in dB of what was sent, and of what was recorded."""
    world = World()
    engine = world.engine()
    phone = Phone(world, world.open(engine).rtp_port)
    port = phone.socket.getsockname()[1]
    try:
        started = configuration(port, one)._replace(source=("tone", HZ), sink=("file", str(path)))
        world.do(engine, started)
        phone.talk(one, phone_tone(one, BEFORE))
        before = len(phone.heard)
        world.do(engine, configuration(port, other))
        phone.talk(other, phone_tone(other, AFTER))
        spoken = len(phone.heard)
        world.do(engine, SendDigits(1, 1, "5", 100))
        phone.press(other)
        world.do(engine, SetSink(1, ("none",)))
        assert not world.said(engine, CommandRefused)
        digits = [(digit.event, digit.duration_ms) for digit in world.said(engine, DtmfReceived)]
    finally:
        phone.socket.close()
        engine.close()
    sent = check_sent(phone.heard[before:spoken], other)
    check_digit(phone.heard[spoken:], other)
    assert digits == [("9", 100)]
    return sent, check_recorded(path, one, other)


def check_sent(packets: list[RtpPacket], form: Form) -> float:
    assert {packet.payload_type for packet in packets} == {form.payload_type}
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)} == {form.ticks}
    assert {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairwise(packets)} == {1}
    if form.name != "opus":
        assert {len(packet.payload) for packet in packets} == {payload_octets(form.name, form.ticks)}
    assert len(packets) == pytest.approx(AFTER * 1000 / form.ms, abs=1)
    codec = open_codec(form.name, form.clock)
    samples = np.concatenate([codec.decode(packet.payload) for packet in packets])
    assert codec.errors == 0
    assert len(samples) == len(packets) * form.rate * form.ms // 1000
    quality, peak = fit(samples[form.rate // 10 :], form.rate)
    assert peak == pytest.approx(LEVEL, rel=0.05)
    assert quality > form.least
    return quality - form.least


def check_digit(packets: list[RtpPacket], form: Form) -> None:
    events = [packet for packet in packets if packet.payload_type == 101]
    assert len({packet.timestamp for packet in events}) == 1
    ends = [packet.payload for packet in events if packet.payload[1] & 0x80]
    assert [(end[0], int.from_bytes(end[2:4], "big")) for end in ends] == [(5, form.clock // 10)] * 3
    assert {packet.payload_type for packet in packets} <= {101, form.payload_type}


def check_recorded(path: Path, one: Form, other: Form) -> float:
    with wave.open(str(path)) as file:
        assert file.getframerate() == one.rate
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    spoken = (int(BEFORE * 1000) // one.ms * one.ms + int(AFTER * 1000) // other.ms * other.ms) / 1000
    assert spoken - 0.01 <= len(samples) / one.rate <= spoken + DIGIT + 0.03
    change = int(BEFORE * 1000) // one.ms * one.ms / 1000
    worst = np.inf
    for form, start, end in ((one, 0.1, change - 0.05), (other, change + 0.12, spoken - 0.05)):
        quality, peak = fit(samples[round(start * one.rate) : round(end * one.rate)], one.rate, PHONE)
        assert peak == pytest.approx(8000, rel=0.06)
        least = min(form.least, 50)
        assert quality > least
        worst = min(worst, quality - least)
    return float(worst)


@pytest.mark.parametrize("one", FORMS, ids=lambda form: f"{form.name}/{form.clock} {form.ms} ms")
def test_each_change_of_the_format_is_heard_right_in_both_directions(one: Form, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is in the extra audio")
    margins = {}
    for other in FORMS:
        if other != one:
            try:
                margins[other] = walk(one, other, tmp_path / "heard.wav")
            except AssertionError as error:
                error.add_note(f"from {one} to {other}")
                raise
    sent, recorded = (min(margin[side] for margin in margins.values()) for side in (0, 1))
    print(f"{len(margins)} changes; least dB above what is asked: sent {sent:.1f}, recorded {recorded:.1f}")  # noqa: T201


KEYS = "159D"
LIST_0_TO_4 = 0b11111


def press(one: Form, other: Form, mode: str, wait: float, **more: object) -> tuple[list[RtpPacket], DigitsSent]:
    """Digits of ours, and after some seconds another format; what the phone gets, and what is said of the digits."""
    world = World()
    engine = world.engine()
    phone = Phone(world, world.open(engine).rtp_port)
    port = phone.socket.getsockname()[1]
    try:
        world.do(engine, configuration(port, one)._replace(source=("silence",)))
        world.run(BEFORE)
        world.do(engine, SendDigits(1, 9, KEYS, 100, mode))
        world.run(wait)
        phone._listen()
        before = len(phone.heard)
        change = configuration(port, other)._replace(dtmf_payload_type=102)
        world.do(engine, change._replace(**more))  # type: ignore[arg-type]  # any field of the command
        phone._listen()
        at_once = phone.heard[before:]
        world.run(1.2)
        phone._listen()
        assert not world.said(engine, CommandRefused)
        (answer,) = world.said(engine, DigitsSent)
    finally:
        phone.socket.close()
        engine.close()
    after = phone.heard[before + len(at_once) :]
    events = {102} if more.get("dtmf_payload_type") != -1 else set()
    assert {packet.payload_type for packet in phone.heard[:before]} <= {one.payload_type, 101}
    # Only what an event that ends now has still to say leaves in the old format, before the change.
    assert all(packet.payload_type == 101 and packet.payload[1] & 0x80 for packet in at_once)
    assert len(at_once) <= 3
    assert {packet.payload_type for packet in after} <= {other.payload_type} | events
    assert {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairwise(phone.heard)} == {1}
    sound = [packet for packet in after if packet.payload_type == other.payload_type]
    assert sound  # the source goes on
    if other.name != "opus":
        assert {len(packet.payload) for packet in sound} == {payload_octets(other.name, other.ticks)}
    return phone.heard, answer


def keys_of_events(packets: list[RtpPacket], one: Form, other: Form) -> str:
    """The events with their three end packets, each of 100 ms."""
    events = [packet for packet in packets if packet.payload_type in (101, 102)]
    heard: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for packet in events:
        ends = heard.setdefault((packet.timestamp, packet.payload[0]), [])
        if packet.payload[1] & 0x80:
            ends.append((packet.payload_type, int.from_bytes(packet.payload[2:4], "big")))
    for ends in heard.values():
        assert len(ends) == 3
        for number, duration in ends:
            clock = one.clock if number == 101 else other.clock
            assert duration == pytest.approx(clock // 10, rel=0.01)
    return "".join(EVENTS[code] for _, code in heard)


def keys_of_tones(packets: list[RtpPacket], *forms: Form) -> tuple[str, list[float]]:
    """The keys that the audio of each format has, a window of 10 ms at a time, and their milliseconds."""
    found: list[str] = []
    codecs = {form.payload_type: (open_codec(form.name, form.clock), form.rate) for form in forms}
    for packet in packets:
        codec, rate = codecs[packet.payload_type]
        samples = codec.decode(packet.payload).astype(float)
        size = rate // 100
        found += [key(samples[at : at + size], rate) for at in range(0, len(samples) - size + 1, size)]
    runs = [(name, len(list(run))) for name, run in groupby(found)]
    return "".join(name for name, _ in runs if name), [10.0 * count for name, count in runs if name]


def key(samples: NDArray[np.float64], rate: int) -> str:
    if samples.std() < 300:
        return ""
    angle = -2j * np.pi * np.arange(len(samples)) / rate
    low, high = (int(np.argmax([abs((samples * np.exp(angle * hz)).sum()) for hz in row])) for row in (LOW_HZ, HIGH_HZ))
    return KEYPAD[4 * low + high]


WAITS = (0.035, 0.06, 0.13, 0.3)
"""Seconds: within the first digit, among its end packets or just after it, within the second."""


@pytest.mark.parametrize("one", FORMS, ids=lambda form: f"{form.name}/{form.clock} {form.ms} ms")
def test_digits_under_way_are_made_again_for_each_other_format_or_are_taken_back(one: Form) -> None:
    pytest.importorskip("av", reason="PyAV is in the extra audio")
    for number, other in enumerate(FORMS):
        if other == one:
            continue
        wait = WAITS[number % 4]
        try:
            check_events(one, other, wait)
            if one.name in ("PCMU", "PCMA"):
                check_tones(one, other, wait)
        except AssertionError as error:
            error.add_note(f"from {one} to {other} after {wait} s")
            raise


def check_events(one: Form, other: Form, wait: float) -> None:
    heard, answer = press(one, other, "rfc4733", wait)
    assert answer == DigitsSent(1, 9, "OK")
    assert keys_of_events(heard, one, other) == KEYS
    for listed, more in ((0, {"dtmf_payload_type": -1}), (LIST_0_TO_4, {"dtmf_events": LIST_0_TO_4})):
        heard, answer = press(one, other, "rfc4733", wait, **more)
        keys = keys_of_events(heard, one, other)
        assert (answer.status, answer.reason) == ("FAIL", "format_changed")
        assert keys == KEYS[: len(KEYS) - answer.left]
        assert 1 <= answer.left <= 3  # the digit under way is whole
        if listed:
            assert len(keys) == (2 if wait > 0.2 else 1)  # 1 is in the list, 5 is not


def check_tones(one: Form, other: Form, wait: float) -> None:
    heard, answer = press(one, other, "inband", wait, dtmf_payload_type=-1)
    keys, lengths = keys_of_tones(heard, one, other)
    if other.name in ("PCMU", "PCMA"):
        assert answer == DigitsSent(1, 9, "OK")
        assert keys == KEYS
        # Each packet begins where the one before ends.
        assert all(b.timestamp == a.timestamp + len(a.payload) & 0xFFFFFFFF for a, b in pairwise(heard))
        assert lengths == pytest.approx([100] * 4, abs=21)
    else:
        assert (answer.status, answer.reason) == ("FAIL", "format_changed")
        assert 1 <= answer.left <= len(KEYS)
        whole = "".join(name for name, length in zip(keys, lengths, strict=True) if length >= 40)
        assert whole == KEYS[: len(KEYS) - answer.left]
