"""RTP of a liar: one stream for each call, frames of 20 ms, digits as RFC 4733 events; shares no code with the product.

A frame has its place in time by its number, so that a late tick sends what is due and shifts nothing. Sequence numbers
count packets, timestamps count time (RFC 3550 section 5.1).
"""

import asyncio
import random
import socket
import struct
from collections import deque
from typing import Final, NamedTuple

from .lies import FOR_EVER, Media

FRAME: Final = 0.02
SAMPLES: Final = 160
PCMU, PCMA, G729 = 0, 8, 18
REPORT_FRAMES: Final = 25
EVENT_PACKETS: Final = 5
EVENT_PAUSE: Final = 3
DIGITS: Final = "0123456789*#ABCD"
# 400 Hz at 8 kHz: 20 samples, eight periods in a frame, so that each frame continues the one before.
_SINE: Final = (0, 2472, 4702, 6472, 7608, 8000, 7608, 6472, 4702, 2472)


def _mu_law(sample: int) -> int:
    """G.711 table 2a, from a 14-bit magnitude that is given with 16 bits."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def _a_law(sample: int) -> int:
    """G.711 table 1a."""
    sign, magnitude = (0, -sample - 1) if sample < 0 else (0x80, sample)
    magnitude >>= 4
    exponent = max(0, magnitude.bit_length() - 5)
    mantissa = magnitude >> exponent & 0x0F if exponent else magnitude >> 1 & 0x0F
    if magnitude < 32:
        exponent, mantissa = (1, magnitude & 0x0F) if magnitude >= 16 else (0, magnitude & 0x0F)
    else:
        exponent, mantissa = exponent + 1, magnitude >> exponent & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def _period() -> tuple[int, ...]:
    return (*_SINE, *(-each for each in _SINE))


FRAMES: Final = {
    ("tone", PCMU): bytes(_mu_law(each) for each in _period()) * 8,
    ("tone", PCMA): bytes(_a_law(each) for each in _period()) * 8,
    ("tone", G729): bytes(range(20)),
    ("silence", PCMU): b"\xff" * SAMPLES,
    ("silence", PCMA): b"\xd5" * SAMPLES,
    ("constant", PCMU): b"\x00" * SAMPLES,
    ("constant", PCMA): b"\x2a" * SAMPLES,
}
"""by what is sent and payload type; what is not here is not sent"""


class Agreed(NamedTuple):
    """What offer and answer came to for a stream."""

    host: str
    port: int
    payload_type: int
    events_type: int
    """of telephone-event; -1 = not agreed"""


class _Event(NamedTuple):
    not_before: float
    digit: int


class Stream:
    """One call's RTP.

    host: the address that it binds; the port is even, and the next one is bound too and reads nothing (RTCP).
    """

    def __init__(self, media: Media, host: str, loop: asyncio.AbstractEventLoop) -> None:
        self._media = media
        self._loop = loop
        self._sockets: list[socket.socket] = []
        self._receiving, self._reporting = self._bound_pair(host)
        self.port: int = self._receiving.getsockname()[1]
        self._sending = self._receiving
        if media.other_port or media.other_host:
            self._sending = self._bound(media.other_host or host, 0)
        self._moved = self._bound(host, 0) if media.moves_at < FOR_EVER else self._sending
        for each in {self._receiving, self._sending, self._moved}:
            loop.add_reader(each, self._read, each)
        self.port_of_sender: int = self._sending.getsockname()[1]
        self.agreed: Agreed | None = None
        self.others: list[Stream] = []
        """of the calls that are up, this one among them"""
        self._start = 0.0
        self._frame = 0
        self._formed = 0
        """packets, the lost ones too"""
        self._sequence = random.randrange(1 << 16)
        self._timestamp = random.randrange(1 << 32)
        self._ssrc = random.randrange(1 << 32)
        self._ssrc_until = media.ssrc_seconds
        self._kept: bytes | None = None
        self._digits: deque[_Event] = deque()
        self._step = 0
        """of the event at the head of the queue"""
        self._event_timestamp = 0
        self._heard: set[int] = set()
        self._heard_number = 0
        self._highest: tuple[int, int] | None = None
        """the caller's SSRC, and its newest sequence number that reports tell of"""
        self.held = False
        """the peer holds: nothing is sent until its next offer is answered"""
        self.sent = self.received = 0
        """packets, junk among them"""

    def _bound(self, host: str, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.bind((host, port))
        except OSError:
            made.close()
            raise
        self._sockets.append(made)
        return made

    def _bound_pair(self, host: str) -> tuple[socket.socket, socket.socket]:
        for _ in range(200):
            first = self._bound(host, 0)
            port: int = first.getsockname()[1]
            if port % 2 == 0:
                try:
                    return first, self._bound(host, port + 1)
                except OSError:
                    pass
            self._sockets.remove(first)
            first.close()
        raise OSError("no pair of ports for RTP")

    def start(self, now: float) -> None:
        """The ACK came: from here the media of the call counts."""
        if not self._start:
            self._start = now

    def tick(self, now: float) -> None:
        """Send every frame that is due."""
        while self._start and self.agreed is not None and self._start + self._due <= now:
            self._send_frame(self.agreed, now)
            self._frame += 1
            self._timestamp = (self._timestamp + SAMPLES) & 0xFFFFFFFF
            if self._frame % REPORT_FRAMES == 0 and self._highest is not None:
                self._report(self.agreed, *self._highest)

    @property
    def _due(self) -> float:
        """Seconds from the start to the time of the next frame."""
        at_once = self._media.at_once
        return self._frame // at_once * at_once * FRAME / self._media.speed

    def rest(self) -> None:
        """Send nothing more; what comes is counted."""
        self._start, self.agreed = 0.0, None

    def close(self) -> None:
        """Give the ports back."""
        for each in {self._receiving, self._sending, self._moved}:
            self._loop.remove_reader(each)
        for each in self._sockets:
            each.close()
        self.rest()

    def _send_frame(self, agreed: Agreed, now: float) -> None:
        media, at = self._media, self._frame * FRAME
        resting = self.held or at < media.begins or at >= media.ends or media.gap[0] <= at < media.gap[1]
        if resting or media.source in ("none", "echo") or (media.most and self._formed >= media.most):
            return
        if at >= media.moves_at:
            self._sending = self._moved
        if media.ssrc_seconds and at >= self._ssrc_until:
            self._ssrc_until += media.ssrc_seconds
            self._ssrc, self._sequence = random.randrange(1 << 32), random.randrange(1 << 16)
        if self._digits and self._digits[0].not_before <= now and self._send_event(agreed):
            return
        payload = FRAMES.get((media.source, agreed.payload_type))
        if payload is None:
            return
        if media.octets:
            payload = payload[: max(0, media.octets)]
        elif media.padded:
            payload = bytes(len(payload) - 1) + bytes((len(payload),))
        timestamp = self._timestamp
        if media.timestamps == "frozen":
            timestamp -= self._frame * SAMPLES
        elif media.timestamps == "jump" and at >= 0.5:
            timestamp += 1_000_000
        wire_type = agreed.payload_type if media.payload_type < 0 else media.payload_type
        self._send_packet(agreed, wire_type, self._formed == 0, timestamp, payload)
        if media.events_beside:
            self._send_packet(agreed, agreed.events_type, False, 0, struct.pack("!BBH", 5, 10, SAMPLES))
        if media.noise:
            for junk in (b"", b"\x80", b"\x00" * 11, b"\xff" * 400):
                self._send(junk, agreed)

    def _send_event(self, agreed: Agreed) -> bool:
        """One packet of a digit: five that grow, three that end it; then audio for three frames (RFC 4733 section 2.5).

        Returns:
            Whether this frame is the digit's.
        """
        step = self._step
        self._step += 1
        if step == 0:
            self._event_timestamp = self._timestamp
        if step < EVENT_PACKETS + 3:
            end = 0x80 if step >= EVENT_PACKETS else 0
            duration = min(step + 1, EVENT_PACKETS) * SAMPLES
            payload = struct.pack("!BBH", self._digits[0].digit, end | 10, duration)
            self._send_packet(agreed, agreed.events_type, step == 0, self._event_timestamp, payload)
            return True
        if self._step == EVENT_PACKETS + 3 + EVENT_PAUSE:
            self._digits.popleft()
            self._step = 0
        return False

    def _send_packet(self, agreed: Agreed, wire_type: int, marker: bool, timestamp: int, payload: bytes) -> None:
        media = self._media
        self._formed += 1
        first = 0xA0 if media.padded else 0x80
        head = (first, (0x80 if marker else 0) | wire_type, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc)
        packet = struct.pack("!BBHII", *head) + payload
        self._sequence = (self._sequence + 1) & 0xFFFF
        honest = self._formed <= media.honest_first
        if media.lose_every and not honest and self._formed % media.lose_every == 0:
            return
        if media.swapped and not honest:
            if self._kept is None:
                self._kept = packet
                return
            self._send(packet, agreed)
            packet, self._kept = self._kept, None
        for _ in range(1 if honest else media.copies):
            self._send(packet, agreed)

    def _report(self, agreed: Agreed, ssrc: int, highest: int) -> None:
        """A receiver report with one block that counts no loss, and a CNAME (RFC 3550 sections 6.4.2 and 6.5)."""
        block = struct.pack("!IIIIII", ssrc, 0, highest, 0, 0, 0)
        name = struct.pack("!BBHIBB", 0x81, 202, 3, self._ssrc, 1, 4) + b"liar" + bytes(2)
        packet = struct.pack("!BBHI", 0x81, 201, 7, self._ssrc) + block + name
        try:
            self._reporting.sendto(packet, (agreed.host, agreed.port + 1))
        except OSError:  # the caller's port is closed by now
            return

    def _send(self, packet: bytes, agreed: Agreed) -> None:
        if self._media.crossed:
            others = [each.agreed for each in self.others if each is not self and each.agreed is not None]
            if not others:
                return
            agreed = others[0]
        try:
            self._sending.sendto(packet, (agreed.host, agreed.port))
        except OSError:  # the caller's port is closed by now
            return
        self.sent += 1

    def _read(self, at: socket.socket) -> None:
        while True:
            try:
                packet = at.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of what was sent
            if len(packet) >= 12 and packet[0] >> 6 == 2:
                self.received += 1
                self._hear(packet)

    def _hear(self, packet: bytes) -> None:
        agreed = self.agreed
        if agreed is None:
            return
        payload_type = packet[1] & 0x7F
        if self._start and self._loop.time() < self._start + self._media.received < FOR_EVER:
            self._highest = (int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big"))
        if self._media.source == "echo" and payload_type in (agreed.payload_type, agreed.events_type):
            self._send(packet[:8] + struct.pack("!I", self._ssrc) + packet[12:], agreed)
        elif payload_type == agreed.events_type and len(packet) >= 16 and packet[13] & 0x80:
            timestamp = int.from_bytes(packet[4:8], "big")
            if timestamp not in self._heard:  # the end of an event comes three times
                self._heard.add(timestamp)
                self._give_back(packet[12])

    def _give_back(self, digit: int) -> None:
        how, now = self._media.digits, self._loop.time()
        self._heard_number += 1
        if how == "never" or (how == "missing" and self._heard_number % 2 == 0):
            return
        if how == "wrong":
            digit = (digit + 1) % 10
        event = _Event(now + 8.0 if how == "late" else now, digit)
        self._digits.extend([event] * (2 if how == "doubled" else 1))
