"""RTP of the harness' peer: numbered frames and digits out, what comes back noted by number, one socket for all calls.

A frame carries its number in octets that pass any echo of PCMU unchanged; a digit is an event of RFC 4733. Calls are
told apart by the address that their packets come from, so a remote port that changes is given to `Media.towards`.
"""

import asyncio
import socket
import time
from random import Random

FRAME = 0.02
"""Seconds of a frame."""
DIGIT_FRAMES = 5
"""Frames of a digit."""
END_PACKETS = 3
DIGITS = "0123456789*#ABCD"
EVENT_TYPE = 101
_NIBBLES = 8


class Stream:
    """What one call sends and has received."""

    __slots__ = (
        "_digit_left",
        "_event",
        "_event_at",
        "_heard_sequence",
        "_heard_ssrc",
        "_last_event",
        "arrived",
        "digits",
        "gap",
        "holes",
        "last",
        "pending",
        "remote",
        "sent",
        "sent_digits",
        "sequence",
        "sources",
        "speaks",
        "ssrc",
        "stamp",
        "times",
    )  # fmt: skip

    def __init__(self, ssrc: int) -> None:
        self.remote = ("", 0)
        self.ssrc = ssrc
        self.sequence = self.stamp = 0
        self.speaks = False
        """Whether it sends frames now."""
        self.sent = 0
        """Frames sent; they are numbered from 1."""
        self.arrived: set[int] = set()
        """Numbers of frames that came back."""
        self.times = 0
        """Packets that came, of any kind."""
        self.last = 0.0
        """When the newest came."""
        self.gap = 0.0
        """Longest time between two packets since `restart_gap`."""
        self.digits = ""
        self.sent_digits = ""
        self.pending = ""
        self._digit_left = 0
        self._event = self._event_at = 0
        self._last_event = -1
        self._heard_ssrc = self._heard_sequence = -1
        self.holes = 0
        """Sequence numbers that did not come, within one SSRC."""
        self.sources = 0
        """SSRCs that came, one after the other."""

    def press(self, digits: str) -> None:
        """Send digits, one after the other."""
        self.pending += digits

    def restart_gap(self) -> None:
        """Measure gaps from now on."""
        self.gap = 0.0

    def packets(self) -> list[bytes]:
        """What is due now: a frame, or a part of a digit."""
        self.stamp = (self.stamp + 160) & 0xFFFFFFFF
        if self._digit_left:
            self._digit_left -= 1
            duration = 160 * (DIGIT_FRAMES - self._digit_left)
            if self._digit_left:
                return [self._event_packet(0x0A, duration)]
            return [self._event_packet(0x8A, duration) for _ in range(END_PACKETS)]
        if self.pending:
            self._event, self.pending = DIGITS.index(self.pending[0]), self.pending[1:]
            self.sent_digits += DIGITS[self._event]
            self._event_at, self._digit_left = self.stamp, DIGIT_FRAMES - 1
            return [self._event_packet(0x0A, 160, marker=0x80)]
        if not self.speaks:
            return []
        self.sent += 1
        return [self._header(0, self.stamp) + numbered(self.sent)]

    def keep_alive(self) -> bytes:
        """A frame without a number, so that a silent call has media."""
        return self._header(0, self.stamp) + b"\xff" * 160

    def came(self, packet: bytes, now: float) -> None:
        """Take a packet of the remote side."""
        if len(packet) < 12:
            return
        if self.last and self.times:
            self.gap = max(self.gap, now - self.last)
        self.last = now
        self.times += 1
        self._follow(int.from_bytes(packet[8:12]), int.from_bytes(packet[2:4]))
        if packet[1] & 0x7F == EVENT_TYPE and len(packet) >= 16:
            stamp = int.from_bytes(packet[4:8])
            if stamp != self._last_event and packet[12] < len(DIGITS):
                self._last_event = stamp
                self.digits += DIGITS[packet[12]]
            return
        number = number_of(packet[12:])
        if number:
            self.arrived.add(number)

    def _follow(self, ssrc: int, sequence: int) -> None:
        if ssrc != self._heard_ssrc:
            self._heard_ssrc = ssrc
            self.sources += 1
        else:
            step = (sequence - self._heard_sequence) & 0xFFFF
            if step >= 0x8000:  # came late: it is no hole after all
                self.holes -= 1
                return
            self.holes += max(step - 1, 0)
        self._heard_sequence = sequence

    def missing(self, first: int = 1, last: int = 0) -> int:
        """Frames of these numbers that did not come back."""
        return sum(number not in self.arrived for number in range(first, (last or self.sent) + 1))

    def _header(self, payload_type: int, stamp: int, marker: int = 0) -> bytes:
        self.sequence = (self.sequence + 1) & 0xFFFF
        return (
            bytes((0x80, marker | payload_type)) + self.sequence.to_bytes(2) + stamp.to_bytes(4) + self.ssrc.to_bytes(4)
        )

    def _event_packet(self, volume: int, duration: int, marker: int = 0) -> bytes:
        return self._header(EVENT_TYPE, self._event_at, marker) + bytes((self._event, volume)) + duration.to_bytes(2)


def numbered(number: int) -> bytes:
    """160 octets of PCMU with a number."""
    return bytes(0x90 | (number >> (4 * place) & 15) for place in range(_NIBBLES)) + b"\xa5" * (160 - _NIBBLES)


def number_of(payload: bytes) -> int:
    """The number of a frame; 0 = it has none."""
    if len(payload) < 160 or payload[159] != 0xA5:
        return 0
    return sum((payload[place] & 15) << (4 * place) for place in range(_NIBBLES))


class Media:
    """The socket and the clock of all streams of a peer.

    Args:
        host: local IP address.
        dice: for SSRCs.
    """

    def __init__(self, host: str, dice: Random) -> None:
        self._dice = dice
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._on_readable)
        self._by_place: dict[tuple[str, int], Stream] = {}
        self._streams: dict[Stream, None] = {}
        self._task = self._loop.create_task(self._tick())
        self.strays = 0
        """Packets from elsewhere."""
        self.late_most = 0.0
        """Seconds by which a tick of ours was late: a longer gap than a target allows is ours then."""

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def open(self) -> Stream:
        """A stream that begins to send when it has a remote place."""
        stream = Stream(self._dice.randrange(1, 1 << 32))
        self._streams[stream] = None
        return stream

    def towards(self, stream: Stream, place: tuple[str, int]) -> None:
        """Send to there, and take what comes from there."""
        if place[1] and place != stream.remote:
            stream.remote = place
            self._by_place[place] = stream

    def end(self, stream: Stream) -> None:
        """Send no more; what still comes is noted until `forget`."""
        self._streams.pop(stream, None)

    def forget(self, stream: Stream) -> None:
        """Take no more of it either."""
        self.end(stream)
        if self._by_place.get(stream.remote) is stream:
            del self._by_place[stream.remote]

    async def close(self) -> None:
        self._task.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _on_readable(self) -> None:
        now = time.monotonic()
        receive, known = self._socket.recvfrom, self._by_place
        for _ in range(400):
            try:
                packet, source = receive(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            stream = known.get(source[:2])
            if stream is None:
                self.strays += 1
            else:
                stream.came(packet, now)

    async def _tick(self) -> None:
        due = time.monotonic()
        number = 0
        while True:
            due += FRAME
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.late_most = max(self.late_most, -wait)
                await asyncio.sleep(0)
                if wait < -0.5:  # a machine that stood still: no burst
                    due = time.monotonic()
            number += 1
            self._send_due(number)

    def _send_due(self, number: int) -> None:
        send = self._socket.sendto
        for place, stream in enumerate(self._streams):
            if not stream.remote[1]:
                continue
            packets = stream.packets()
            if not packets and (number + place) % 100 == 0:
                packets = [stream.keep_alive()]
            for packet in packets:
                try:
                    send(packet, stream.remote)
                except OSError:
                    continue
