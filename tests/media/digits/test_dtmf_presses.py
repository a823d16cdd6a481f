"""One key press is one digit, whatever its durations do, for phones whose timestamp moves or stands still.

The phones here are written from RFC 4733 2.3.5 and 2.5.1 and from reports about real ones; they share no code with the
sender of this package.
"""

import random
import struct
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from typing import Any, NamedTuple

import pytest

from sipswarm.media.digits.digit_packet import EVENTS
from sipswarm.media.digits.dtmf import EventReceiver, ReceivedDigit
from sipswarm.media.messages import ConfigureStream, DtmfReceived
from sipswarm.media.sockets import bind
from tests.media.world import HOME, World

SSRC = 0x5EED


class Sent(NamedTuple):
    """One packet of a phone."""

    at: float
    sequence_number: int
    timestamp: int
    payload: bytes
    """empty: audio"""


class Press(NamedTuple):
    """The durations of one key press, in clock units."""

    reports: tuple[int, ...]
    ends: tuple[int, ...]


def grows(ticks: int = 5, step: int = 160, ends: int = 3) -> Press:
    """A press as RFC 4733 2.5.1.2 has it."""
    return Press(tuple(step * n for n in range(1, ticks)), (step * ticks,) * ends)


def dial(
    digits: str,
    presses: list[Press],
    *,
    stands_still: bool = False,
    interval: float = 0.02,
    pause: float = 0.1,
    audio: bool = True,
    sequence_number: int = 65400,
) -> Iterator[Sent]:
    """A phone that presses the digits; the presses are taken in turn. pause: seconds between two keys."""
    number, at, event_time = sequence_number, 0.0, 2**32 - 20_000
    for index, digit in enumerate(digits):
        press = presses[index % len(presses)]
        if not stands_still:
            event_time = (2**32 - 20_000 + round(at * 8000)) & 0xFFFFFFFF
        for end, durations in ((False, press.reports), (True, press.ends)):
            for duration in durations:
                payload = bytes([EVENTS.index(digit), 0x8A if end else 0x0A]) + (duration & 0xFFFF).to_bytes(2)
                yield Sent(at, number & 0xFFFF, event_time, payload)
                number, at = number + 1, at + interval
        for _ in range(round(pause / interval)):
            if audio:
                yield Sent(at, number & 0xFFFF, 0, b"")
                number += 1
            at += interval


def network(
    packets: Iterator[Sent], seed: int, *, loss: float = 0.0, late: float = 0.0, twice: float = 0.0
) -> list[Sent]:
    """What arrives, in order of arrival; `at` is the time of arrival. late: share that is up to 60 ms late."""
    chance = random.Random(seed)
    arriving = []
    for packet in packets:
        if chance.random() >= loss:
            at = packet.at + (chance.uniform(0.02, 0.06) if chance.random() < late else 0.0)
            arriving.append(packet._replace(at=at))
        if chance.random() < twice:
            arriving.append(packet._replace(at=packet.at + chance.uniform(0.0, 0.06)))
    return sorted(arriving, key=lambda packet: packet.at)


def hear(packets: list[Sent]) -> list[ReceivedDigit]:
    """What a receiver reports, asked every 5 ms whether a digit has expired, as the engine does."""
    receiver, now = EventReceiver(), 0.0
    digits: list[ReceivedDigit] = []
    for packet in packets:
        while now + 0.005 <= packet.at:
            now += 0.005
            digits += receiver.expire(now)
        if packet.payload:
            digits += receiver.receive(SSRC, packet.timestamp, packet.payload, packet.sequence_number, packet.at)
    return digits + list(receiver.expire(now + 60))


def text(digits: list[ReceivedDigit]) -> str:
    """The characters."""
    return "".join(digit.event for digit in digits)


COURSES = {
    "grows": grows(),
    "ends below the last report": Press(tuple(range(160, 1601, 160)), (1440, 1440, 1440)),
    "ends one below": Press(tuple(range(160, 1601, 160)), (1599, 1599, 1599)),
    "ends far below": Press(tuple(range(160, 1761, 160)), (1644, 1644, 1644)),
    "each end shorter": Press((160, 320, 480), (640, 480, 160)),
    "each end longer": Press((160, 320, 480), (640, 800, 960)),
    "first end longest, then none": Press((160, 320, 480), (640, 0, 0)),
    "ends of 0": Press((160, 320, 480), (0, 0, 0)),
    "reports of 0": Press((0, 0, 0, 0), (800, 800, 800)),
    "reports shrink": Press((800, 640, 480, 320), (160, 160, 160)),
    "reports do not move": Press((800, 800, 800, 800), (800, 800, 800)),
    "one end": Press((160, 320, 480), (640,)),
    "eight ends": Press((160, 320, 480), (640,) * 8),
    "eight ends, shrinking": Press((160, 320, 480), (1000, 900, 800, 700, 600, 500, 400, 300)),
    "ends only": Press((), (800, 800, 800)),
    "ends only, shrinking": Press((), (800, 799, 160)),
    "one unit": Press((), (1, 1, 1)),
    "one report, then a shorter end": Press((160,), (80, 80, 80)),
    "held at the largest": Press((*range(160, 65536, 160), *(65535,) * 20), (65535,) * 3),
    "held at the largest, shorter ends": Press((*range(160, 65536, 160), *(65535,) * 20), (65000,) * 3),
    "wraps": Press(tuple(range(160, 70_000, 160)), (70_000,) * 3),
    "wraps between two ends": Press(tuple(range(160, 65536, 160)), (65_530, 65_540, 65_540)),
    "wraps, shorter ends": Press(tuple(range(160, 70_000, 160)), (69_000,) * 3),
}


MOVING_AND_STANDING = [(course, moves) for course in COURSES for moves in (True, False)]


@pytest.mark.parametrize("audio", [True, False], ids=["audio", "no audio"])
@pytest.mark.parametrize("interval", [0.01, 0.02, 0.03, 0.05])
@pytest.mark.parametrize(
    ("course", "moves"),
    # Two presses of ends only under one timestamp are one by RFC 4733 2.5.1.4: what the receiver says it cannot tell.
    [(course, moves) for course, moves in MOVING_AND_STANDING if moves or COURSES[course].reports],
)
def test_one_press_is_one_digit_whatever_its_durations_do(
    course: str, moves: bool, interval: float, audio: bool
) -> None:
    press, stands_still = COURSES[course], not moves
    sent = list(dial("1144#", [press], stands_still=stands_still, interval=interval, audio=audio, pause=0.2))
    assert text(hear(sent)) == "1144#"


def test_a_duration_that_wraps_counts_in_full() -> None:
    (digit,) = hear(list(dial("5", [COURSES["wraps"]])))
    assert digit.duration_ms == 8750


def test_segments_with_an_end_each_are_one_digit() -> None:
    """RFC 4733 2.5.1.3 sets no E bit before the last segment; some do, and the next begins where it ended."""
    packets, number = [], 0
    for segment, last in ((0, 65_440), (65_440, 65_440), (130_880, 20_000)):
        for duration in (*range(160, last, 160), last, last, last):
            payload = bytes([7, 0x8A if duration == last else 0x0A]) + duration.to_bytes(2)
            packets.append(Sent(number * 0.02, number, segment, payload))
            number += 1
    assert text(hear(packets)) == "7"


def test_an_end_that_is_late_ends_no_later_press() -> None:
    """The last end of the first press comes after the second press has begun, under the same timestamp."""
    sent = [packet for packet in dial("44", [grows()], stands_still=True) if packet.payload]
    late = sent.pop(6)
    sent.insert(8, late._replace(at=sent[7].at))
    assert [(digit.event, digit.duration_ms) for digit in hear(sent)] == [("4", 100), ("4", 100)]


@pytest.mark.parametrize("gaps", [(0.1,), (0.2,), (0.3,), (1.0,), (5.0,), (0.2, 0.2, 0.2), (0.3, 1.0)], ids=str)
@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("audio", [True, False], ids=["audio", "no audio"])
@pytest.mark.parametrize("counts", [True, False], ids=["numbered", "same number"])
def test_an_end_that_is_said_again_after_a_while_is_no_further_press(
    gaps: tuple[float, ...], before: int, audio: bool, counts: bool
) -> None:
    """One SSRC, timestamp and event is one press (RFC 4733 2.5.1.4), also where its first end comes so late."""
    sent = list(dial("4", [grows(ends=before)], pause=0.0))
    number, at = sent[-1].sequence_number, sent[-1].at
    for gap in gaps:
        for _ in range(round(gap / 0.02)):
            number, at = number + audio, at + 0.02
            if audio:
                sent.append(Sent(at, number & 0xFFFF, 0, b""))
        number += counts
        payload = bytes([4, 0x8A]) + (800).to_bytes(2)
        sent.append(Sent(at, number & 0xFFFF, sent[0].timestamp, payload))
    assert text(hear(sent)) == "4"


def test_a_digit_of_which_only_a_late_end_arrives_keeps_its_place() -> None:
    sent = [packet for packet in dial("12", [grows()], stands_still=True) if packet.payload]
    late = sent[6]._replace(at=sent[8].at)
    assert text(hear([sent[7], sent[8], late, *sent[9:]])) == "12"


PHONES: dict[str, tuple[dict[str, Any], list[Press]]] = {
    "moves": ({}, [grows()]),
    "stands still": ({"stands_still": True}, [grows()]),
    "stands still, no audio": ({"stands_still": True, "audio": False}, [grows()]),
    "stands still, lengths vary": ({"stands_still": True}, [grows(4), grows(12), grows(6), grows(9)]),
    "stands still, fast": ({"stands_still": True, "pause": 0.08}, [grows(4), grows(5)]),
    "shrinks": ({}, [COURSES["ends below the last report"]]),
    "each end shorter": ({}, [COURSES["each end shorter"], COURSES["eight ends, shrinking"]]),
    "ends of 0": ({}, [Press(tuple(range(160, 801, 160)), (0, 0, 0))]),
}
STRINGS = ("11", "4444", "1234#*", "0000000000", "5995", "AABBCCDD")


@pytest.mark.parametrize("phone", PHONES)
def test_500_of_500_digits_over_a_bad_network(phone: str) -> None:
    """10 % lost, 10 % up to 60 ms late, 10 % twice; each seed is another 500 digits."""
    assert count(phone, range(4)) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("phone", PHONES)
def test_10000_of_10000_digits_over_a_bad_network(phone: str) -> None:
    assert count(phone, range(20)) == (0, 0)


def count(phone: str, seeds: range) -> tuple[int, int]:
    """How many digits were lost and doubled of at least 500 for each seed."""
    keywords, presses = PHONES[phone]
    lost = doubled = 0
    for seed in seeds:
        chance, said = random.Random(seed), 0
        for number, digits in enumerate(product(STRINGS, repeat=2)):
            if said >= 500:
                break
            string = "".join(digits) + chance.choice(STRINGS)
            said += len(string)
            sent = dial(string, presses, sequence_number=chance.randrange(65536), **keywords)
            heard = text(hear(network(sent, 1000 * seed + number, loss=0.1, late=0.1, twice=0.1)))
            lost += max(0, len(string) - len(heard))
            doubled += max(0, len(heard) - len(string))
            if len(heard) == len(string) and heard != string:
                lost += 1
    return lost, doubled


@pytest.mark.parametrize("phone", PHONES)
def test_an_engine_hears_each_press_once(world: World, phone: str) -> None:
    """The same through sockets: 16 keys, and audio between them as a phone sends it."""
    keywords, presses = PHONES[phone]
    engine = world.engine()
    port = world.open(engine).rtp_port
    with closing(bind(HOME, 0)) as peer:
        own = peer.getsockname()[1]
        world.do(
            engine,
            ConfigureStream(1, remote_address=HOME, remote_port=own, dtmf_receive_payload_type=101),
        )
        began = world.now
        for packet in dial("11444412340000##", presses, **keywords):
            world.run(max(0.0, began + packet.at - world.now))
            kind, payload = (101, packet.payload) if packet.payload else (0, b"\xff" * 160)
            timestamp = packet.timestamp if packet.payload else round(packet.at * 8000)
            header = struct.pack("!BBHII", 0x80, kind, packet.sequence_number, timestamp, SSRC)
            peer.sendto(header + payload, (HOME, port))
        world.run(0.5)
    assert "".join(digit.event for digit in world.said(engine, DtmfReceived)) == "11444412340000##"
