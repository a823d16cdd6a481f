"""Telephone-event under every clock, beside audio of any: the duration field in its own clock (RFC 4733 2.3.1)."""

from contextlib import closing
from itertools import permutations, product

import pytest

from sipswarm.media.digits.dtmf import MAX_DURATION
from sipswarm.media.messages import ConfigureStream, DtmfReceived, SendDigits
from sipswarm.media.sockets import bind
from tests.media.halves import Line
from tests.media.rtp_packet import RtpPacket
from tests.media.world import HOME, World

CLOCKS = (8000, 16000, 48000)
NUMBERS = {8000: 101, 16000: 102, 48000: 103}
EVENTS = tuple((number, "telephone-event", clock) for clock, number in NUMBERS.items())
AUDIO = tuple((90 + place, "L16", clock) for place, clock in enumerate(CLOCKS))


def both(audio: int, events: int, **more: object) -> ConfigureStream:
    """Audio under one clock, digits sent under another, and everything taken that may come."""
    command = ConfigureStream(
        1,
        remote_address=HOME,
        remote_port=4000,
        codec="L16",
        payload_type=AUDIO[CLOCKS.index(audio)][0],
        clock_rate=audio,
        payload_size=audio // 50,
        receive_codecs=AUDIO + EVENTS,
        dtmf_payload_type=NUMBERS[events],
        dtmf_clock_rate=events,
    )
    return command._replace(**more)  # type: ignore[arg-type]  # any field of the command


def press(line: Line, clock: int, number: int, timestamp: int, duration_ms: int = 100) -> None:
    """A key press as a phone sends it, each 20 ms; number: its first sequence number."""
    ticks, at = clock // 1000 * duration_ms, number / 50
    reports = [clock // 50 * each for each in range(1, duration_ms // 20)]
    for place, (duration, end) in enumerate([(each, 0) for each in reports] + [(ticks, 0x80)] * 3):
        event = bytes((5, 10 | end)) + duration.to_bytes(2)
        line.receive(RtpPacket(NUMBERS[clock], number + place, timestamp, 5, event), at + place / 50)


@pytest.mark.parametrize(("audio", "one", "other"), list(product(CLOCKS, CLOCKS, CLOCKS)))
def test_digits_are_read_under_the_clock_of_their_payload_type(audio: int, one: int, other: int) -> None:
    line = Line(both(audio, 8000))
    payload_type = AUDIO[CLOCKS.index(audio)][0]
    line.audio(list(range(10)), pt=payload_type)
    press(line, one, 10, 5000)
    line.audio(list(range(17, 40)), pt=payload_type, at=0.4)
    press(line, other, 40, 90_000, 60)
    said = [(each.event, each.duration_ms) for each in line.events() if isinstance(each, DtmfReceived)]
    assert said == [("5", 100), ("5", 60)]
    assert line.discards() == {}


@pytest.mark.parametrize(("audio", "events"), list(product(CLOCKS, CLOCKS)))
@pytest.mark.parametrize("duration_ms", [40, 100, 250])
def test_digits_are_sent_with_durations_in_their_own_clock(audio: int, events: int, duration_ms: int) -> None:
    line = Line(both(audio, events))
    line.stream.sender.send_digits(SendDigits(1, 1, "12", duration_ms))
    sent = [packet for packet in line.intervals(60) if packet is not None and packet.payload_type in NUMBERS.values()]
    assert {packet.payload_type for packet in sent} == {NUMBERS[events]}
    for code in (1, 2):
        packets = [packet for packet in sent if packet.payload[0] == code]
        ends = [packet for packet in packets if packet.payload[1] & 0x80]
        assert [int.from_bytes(packet.payload[2:]) for packet in ends] == [events // 1000 * duration_ms] * 3
        assert len({packet.timestamp for packet in packets}) == 1
        durations = [int.from_bytes(packet.payload[2:]) for packet in packets]
        assert durations[0] == min(events // 50, events // 1000 * duration_ms)
        assert durations == sorted(durations)
    starts = [packet.timestamp for packet in sent if packet.marker]
    gap = ((starts[1] - starts[0]) & 0xFFFFFFFF) * 1000 / audio - duration_ms
    assert 50 <= gap <= 70  # timestamps count in the clock of the audio


@pytest.mark.parametrize(("audio", "events"), list(product(CLOCKS, CLOCKS)))
def test_a_long_digit_is_cut_where_its_field_is_full(audio: int, events: int) -> None:
    """20 s in segments: their durations add up, and the receiver makes one digit of them."""
    line = Line(both(audio, events))
    line.stream.sender.send_digits(SendDigits(1, 1, "7", 20_000))
    sent = [packet for packet in line.intervals(1200) if packet is not None and packet.payload_type in NUMBERS.values()]
    longest: dict[int, int] = {}
    for packet in sent:
        longest[packet.timestamp] = max(longest.get(packet.timestamp, 0), int.from_bytes(packet.payload[2:]))
    assert max(longest.values()) <= MAX_DURATION
    assert sum(longest.values()) == pytest.approx(20 * events, abs=len(longest) * events / audio)
    other = Line(both(audio, events))
    other.audio(list(range(5)), pt=AUDIO[CLOCKS.index(audio)][0], ssrc=sent[0].ssrc)
    for number, packet in enumerate(sent, 5):
        other.receive(packet._replace(sequence_number=number), number / 50)
    said = [(each.event, each.duration_ms) for each in other.events() if isinstance(each, DtmfReceived)]
    assert [event for event, _ in said] == ["7"]
    assert said[0][1] == pytest.approx(20_000, abs=20)


CONFIGURATIONS = [*permutations(CLOCKS, 2), *((clock, clock) for clock in CLOCKS)]


@pytest.mark.parametrize(("one", "other"), CONFIGURATIONS)
@pytest.mark.parametrize("kept", ["both clocks follow", "events stay at 8000"])
@pytest.mark.parametrize("wait", [0.0, 0.04, 0.08, 0.1, 0.12, 0.14, 0.2])
def test_a_configuration_within_a_press_makes_no_second_digit(
    world: World, one: int, other: int, kept: str, wait: float
) -> None:
    """A refresh, a hold and resume, another clock: at any packet of a press, in both directions at once."""
    engines = world.engine(), world.engine()
    ports = [world.open(engine).rtp_port for engine in engines]

    def use(clock: int, **more: object) -> None:
        events = 8000 if kept == "events stay at 8000" else clock
        for engine, port in zip(engines, reversed(ports), strict=True):
            world.do(engine, both(clock, events, remote_port=port, **more))

    use(one, source=("silence",))
    world.run(0.5)
    for engine in engines:
        world.do(engine, SendDigits(1, 1, "1", 100))
    world.run(wait)
    use(other)
    world.run(0.02)
    use(other)
    world.run(0.5)
    for engine in engines:
        world.do(engine, SendDigits(1, 2, "12", 100))
    world.run(0.7)
    for engine in engines:
        said = world.said(engine, DtmfReceived)
        assert [digit.event for digit in said] == ["1", "1", "2"]
        assert [digit.duration_ms for digit in said] == pytest.approx([100, 100, 100], abs=2)


@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
@pytest.mark.parametrize("wait", [0.02, 0.06, 0.1, 0.12, 0.14])
def test_a_hold_within_a_press_of_the_peer_makes_no_second_digit(world: World, direction: str, wait: float) -> None:
    """The peer goes on with its three end packets while we take a hold and its end."""
    engine = world.engine()
    port = world.open(engine).rtp_port
    with closing(bind(HOME, 0)) as peer:
        own = peer.getsockname()[1]
        world.do(engine, both(48000, 48000, remote_port=own))
        began, number = world.now, 0
        changes = [(wait, direction), (wait + 0.02, "sendrecv")]
        for digit in (1, 1):
            for duration, end in [(960 * n, 0) for n in range(1, 5)] + [(4800, 0x80)] * 3:
                while world.now < began + number / 50:
                    world.run(0.005)
                    if changes and world.now >= began + changes[0][0]:
                        world.do(engine, both(48000, 48000, remote_port=own, direction=changes.pop(0)[1]))
                event = bytes((digit, 10 | end)) + duration.to_bytes(2)
                timestamp = 77 if number < 7 else 48_000
                peer.sendto(RtpPacket(103, number, timestamp, 5, event).to_bytes(), (HOME, port))
                number += 1
            number += 10
        world.run(0.5)
    assert [digit.event for digit in world.said(engine, DtmfReceived)] == ["1", "1"]
