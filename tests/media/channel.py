"""A network between two engines: a list of packets in, what arrives out; loss and order from a seeded generator."""

import random
from typing import NamedTuple, TypeVar

from sipswarm.media.digits.digit_packet import DigitKind, ToneSource
from sipswarm.media.digits.dtmf import EventSender

T = TypeVar("T")


class Impairment(NamedTuple):
    """How a channel treats packets."""

    loss: float = 0.0
    """Share of packets that are lost."""
    duplication: float = 0.0
    """Share of packets that come twice."""
    reordering: float = 0.0
    """Share of packets that come after the next one."""


class Packet(NamedTuple):
    """What a stream sends in one interval."""

    event: bool
    timestamp: int
    sequence_number: int
    payload: bytes
    marker: bool
    sent_at: float


def carry(packets: list[T], impairment: Impairment, seed: int) -> list[T]:
    """What arrives, in order of arrival."""
    chance = random.Random(seed)
    arriving: list[tuple[float, int, T]] = []
    for index, packet in enumerate(packets):
        if chance.random() < impairment.loss:
            continue
        late = 1.5 if chance.random() < impairment.reordering else 0.0
        arriving.append((index + late, len(arriving), packet))
        if chance.random() < impairment.duplication:
            arriving.append((index + late + 0.1, len(arriving), packet))
    return [packet for _, _, packet in sorted(arriving, key=lambda item: item[:2])]


def play(
    sender: EventSender, silence: bytes, *, samples: int = 160, timestamp: int = 0, sequence_number: int = 0
) -> list[Packet]:
    """One stream until its digits are out and half a second longer; its audio is silence."""
    packets: list[Packet] = []
    rest = 4000 // samples
    tick = 0
    while rest:
        now = (timestamp + tick * samples) & 0xFFFFFFFF
        digit = sender.next_packet(now, samples)
        rest -= digit is None
        if digit is None or digit.kind is DigitKind.GAP:
            event, payload, marker, stamp = False, silence * samples, False, now
        else:
            event = digit.kind is DigitKind.EVENT
            payload, marker, stamp = digit.payload, digit.marker, digit.timestamp
        number = (sequence_number + tick) & 0xFFFF
        packets.append(Packet(event, stamp, number, payload, marker, tick * samples / 8000))
        tick += 1
    return packets


def send_digits(
    digits: str, silence: bytes, duration_ms: int = 100, tones: ToneSource | None = None, **start: int
) -> list[Packet]:
    """`play` for one request."""
    sender = EventSender()
    sender.send(digits, duration_ms, tones=tones)
    return play(sender, silence, **start)
