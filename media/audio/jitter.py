"""Adaptive playout: packets in as the network brings them, audio out at a steady pace.

`PlayoutBuffer` puts packets in order and decides for each interval what is played: a packet, something instead of a
lost one, comfort noise or silence. Its delay follows the jitter of the last seconds. `Player` adds a decoder and
concealment and gives samples. Sockets, SSRC and the clock do not belong here: a new source is a `reset`.
"""

from collections import deque
from enum import Enum, auto
from typing import NamedTuple

import numpy as np

from .codecs import Codec
from .concealment import Concealer, comfort_noise
from .g711 import Samples

LEAST_DELAY = 0.02
"""Seconds that a packet waits at the least."""
MOST_DELAY = 0.2
"""Seconds that the buffer adds at the most; what comes later is lost."""
BOUND = 256
"""Packets that may wait; beyond it the oldest is dropped and counted."""
_HOLD_ROOM = 0.3
"""Seconds that a buffer which holds packets may add to that."""
_HISTORY = 200
"""Packets whose delay is remembered: 4 s at 20 ms."""
_QUANTILE = 0.975
"""Share of packets that shall come in time."""
_REVIEW = 25
"""Intervals between two looks at whether the delay may shrink, and packets between two estimates of jitter."""
_LONGEST_PACKET = 0.12
"""Seconds that a packet may last whose own length is not known; a larger step of the timestamp is a pause."""
_CONCEALED_AT_ONCE = 3
"""Intervals that are bridged when nothing more comes, before it counts as the peer's silence."""
_JUMP = 2.0
"""Seconds by which a timestamp may be off before the stream counts as restarted (RELIABILITY B8)."""


class Kind(Enum):
    """What an interval is filled with."""

    AUDIO = auto()
    """A packet's payload."""
    LOST = auto()
    """A packet did not come in time: conceal it."""
    NOISE = auto()
    """Comfort noise; the payload has the level."""
    SILENCE = auto()
    """Nothing is being received."""


class Interval(NamedTuple):
    """One packet interval of playout."""

    kind: Kind
    """What to play."""
    payload: bytes
    """Of the voice packet, or of the comfort noise packet in force."""


class _Playing(Enum):
    """State of the buffer."""

    WAITING = auto()
    """For the first packet of a talkspurt, and then until it is old enough."""
    PLAYING = auto()


class _Packet(NamedTuple):
    sequence_number: int
    payload: bytes
    noise: bool
    arrived: float
    ticks: int


class PlayoutBuffer:
    """Packets of one source in order, with a delay that follows the jitter."""

    __slots__ = (
        "_clock_rate",
        "_fastest",
        "_first_arrival",
        "_hold",
        "_last_sequence_number",
        "_newest",
        "_newest_sequence_number",
        "_newest_ticks",
        "_noise",
        "_owed",
        "_packets",
        "_played",
        "_played_ticks",
        "_position",
        "_received",
        "_reviewed",
        "_state",
        "_target",
        "_transits",
        "discarded",
        "duplicates",
        "interval",
        "late",
        "lost",
        "resets",
    )

    def __init__(self, clock_rate: int = 8000, interval: int = 160, hold: float = 0.0) -> None:
        """Begin empty.

        Args:
            clock_rate: RTP clock in Hz.
            interval: ticks per packet, until packets show another one.
            hold: seconds that a packet waits at the least, where no person listens; then the delay never
                shrinks, which would cut audio.
        """
        self._hold = hold
        self._clock_rate = clock_rate
        self.interval = interval
        """Ticks of the RTP clock that one packet lasts, as the packets themselves show."""
        self.late = 0
        """Packets that came after their time."""
        self.duplicates = 0
        """Packets that came again while they waited."""
        self.lost = 0
        """Intervals that were concealed because a packet was missing between others."""
        self.discarded = 0
        """Packets left out because the buffer was full or the delay larger than needed."""
        self.resets = 0
        """Times that timestamps jumped and all began anew."""
        self._transits: deque[float] = deque(maxlen=_HISTORY)
        self._received = 0
        self._target = 0.0
        self._newest = 0  # unwrapped timestamp of the newest packet
        self._newest_sequence_number = 0
        self._newest_ticks = 0
        self._packets: dict[int, _Packet] = {}
        self._begin()

    def _begin(self) -> None:
        """Nothing played and nothing waiting."""
        self._packets.clear()
        self._transits.clear()
        self._received = 0
        self._state = _Playing.WAITING
        self._first_arrival = 0.0
        self._position = 0  # unwrapped timestamp of the next packet to play
        self._played = False  # whether _position means anything
        self._played_ticks = self.interval  # how long the packet played last was taken to be
        self._last_sequence_number = 0
        self._noise = b""  # comfort noise in force
        self._owed = 0  # ticks concealed while nothing waited
        self._reviewed = 0  # intervals since the last look at the delay
        self._fastest: float | None = None  # least transit time of the last packets, None = not known yet
        self._target = max(LEAST_DELAY, 2 * self.interval / self._clock_rate, self._hold)

    def reset(self) -> None:
        """Forget everything but the counters: a new source, or its timestamps jumped."""
        self.resets += 1
        self._begin()

    @property
    def delay(self) -> float:
        """Seconds that the buffer aims to hold a packet."""
        return self._target

    @property
    def waiting(self) -> int:
        """Packets that wait to be played."""
        return len(self._packets)

    def begin_at_once(self) -> None:
        """Play the packets that wait, without waiting for the delay: the buffer before this one has run out."""
        self._first_arrival = float("-inf")

    def put(
        self, sequence_number: int, timestamp: int, payload: bytes, now: float, *, noise: bool = False, ticks: int = 0
    ) -> None:
        """Take a packet as it arrives.

        Args:
            noise: whether it is comfort noise (payload type 13).
            ticks: of the RTP clock that it lasts by its payload; 0 = that does not show, and the timestamps decide.
        """
        unwrapped = self._newest + ((timestamp - self._newest + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if (self._played or self._packets) and abs(unwrapped - self._newest) > _JUMP * self._clock_rate:
            self.reset()
        if not self._played and not self._packets:
            self._newest = unwrapped
            self.interval = ticks or self.interval
        if unwrapped in self._packets:
            self.duplicates += 1
            return
        if self._played and unwrapped < self._position:
            self.late += 1
            self._note_transit(unwrapped, now)
            return
        if unwrapped > self._newest:
            step = unwrapped - self._newest
            successive = (sequence_number - self._newest_sequence_number) & 0xFFFF == 1
            if successive and not noise and self._is_length(step, self._newest_ticks):
                if not self._packets:
                    self._position += step - self._played_ticks  # the packet before was played with another length
                    self._played_ticks = step
                self.interval = step
        if unwrapped >= self._newest:
            self._newest = unwrapped
            self._newest_ticks = ticks
            # A packet of noise has no length of its own: the next step is not used.
            self._newest_sequence_number = sequence_number + 2 if noise else sequence_number
        if not self._packets:
            self._first_arrival = now
        elif len(self._packets) >= BOUND:
            del self._packets[min(self._packets)]
            self.discarded += 1
        self._packets[unwrapped] = _Packet(sequence_number, payload, noise, now, ticks)
        self._note_transit(unwrapped, now)

    def _is_length(self, step: int, ticks: int) -> bool:
        """Whether a step from one timestamp to the next is a packet's length, and no pause.

        Args:
            ticks: as for `put`.
        """
        return step <= max(ticks, _LONGEST_PACKET * self._clock_rate)

    def _note_transit(self, timestamp: int, now: float) -> None:
        """Remember how long the packet was under way, and now and then set the delay after it."""
        self._transits.append(now - timestamp / self._clock_rate)
        self._received += 1
        if self._received % _REVIEW == 0:
            ordered = sorted(self._transits)
            spread = ordered[int(_QUANTILE * (len(ordered) - 1))] - ordered[0]
            self._fastest = ordered[0]
            least = self._target if self._hold else LEAST_DELAY
            # Where packets are held anyway, the spread of packets of several lengths is all that is needed.
            margin = LEAST_DELAY if self._hold else self.interval / self._clock_rate
            self._target = min(max(spread + margin, least), self._most_delay)

    @property
    def _most_delay(self) -> float:
        """Seconds that a packet may be held: two of them at the least, however long they are."""
        most = self._hold + _HOLD_ROOM if self._hold else MOST_DELAY
        return max(most, 2 * self.interval / self._clock_rate)

    def next(self, now: float) -> Interval:
        """What is played in the interval that begins now; call it once for every `interval` of time."""
        if self._state is _Playing.WAITING:
            if not self._packets or (now - self._first_arrival < self._target and not self._crowded()):
                return self._quiet()
            self._position = min(self._packets)
            self._played = True
            self._state = _Playing.PLAYING
            self._owed = 0
        if not self._packets:
            return self._underrun()
        while self._crowded():  # a burst after a stall of the network
            self._play(min(self._packets))
            self.discarded += 1
        oldest = min(self._packets)
        surplus = self._surplus(now)
        if surplus < -0.5:
            return Interval(Kind.LOST, b"")
        if surplus > 1 and not self._hold:
            self._play(oldest)
            self.discarded += 1
            if not self._packets:
                return self._underrun()
            oldest = min(self._packets)
        ahead = oldest - self._position
        if ahead >= self.interval:
            packet = self._packets[oldest]
            if (packet.sequence_number - self._last_sequence_number) & 0xFFFF == 1:
                self._state = _Playing.WAITING  # nothing is missing: the peer was silent
                self._first_arrival = packet.arrived
                return self._quiet()
            if ahead > self._owed:
                self._position += self.interval
                self.lost += 1
                return Interval(Kind.LOST, b"")
        return self._play(oldest)

    def _crowded(self) -> bool:
        """Whether more audio waits than the buffer may ever add; packets before a change of length have another one."""
        most = self._most_delay * self._clock_rate
        return len(self._packets) * self.interval > most + self.interval and self._newest - min(self._packets) > most

    def _play(self, timestamp: int) -> Interval:
        packet = self._packets.pop(timestamp)
        self._played_ticks = self._length(timestamp, packet)
        self._position = timestamp + self._played_ticks
        self._last_sequence_number = packet.sequence_number
        self._owed = 0
        self._noise = packet.payload if packet.noise else b""
        return Interval(Kind.NOISE if packet.noise else Kind.AUDIO, packet.payload)

    def _length(self, timestamp: int, packet: _Packet) -> int:
        """Ticks of a packet: up to the one that follows it, if that is there."""
        following = min(self._packets, default=0)
        if self._packets and (self._packets[following].sequence_number - packet.sequence_number) & 0xFFFF == 1:
            step = following - timestamp
            if self._is_length(step, packet.ticks):
                return step
        return packet.ticks or self.interval

    def _quiet(self) -> Interval:
        return Interval(Kind.NOISE, self._noise) if self._noise else Interval(Kind.SILENCE, b"")

    def _underrun(self) -> Interval:
        """Nothing waits: bridge a little, in case the next packet is only late."""
        if self._noise:
            self._state = _Playing.WAITING
            return self._quiet()
        self._owed += self.interval
        if self._owed > _CONCEALED_AT_ONCE * self.interval:
            self._state = _Playing.WAITING
            return self._quiet()
        return Interval(Kind.LOST, b"")

    def _surplus(self, now: float) -> float:
        """Intervals by which packets wait longer than the jitter demands; 0 between two reviews."""
        self._reviewed += 1
        if self._reviewed < _REVIEW or self._fastest is None:
            return 0.0
        self._reviewed = 0
        waits = now - self._position / self._clock_rate - self._fastest
        return (waits - self._target) * self._clock_rate / self.interval


class Player:
    """A playout buffer with a decoder: steady audio of one source, whatever the network does."""

    __slots__ = ("_codec", "_concealer", "_noise_position", "_ready", "buffer")

    def __init__(self, codec: Codec, interval: int = 160, hold: float = 0.0) -> None:
        """Begin with an empty buffer.

        Args:
            codec: of `codecs.open_codec`.
            interval, hold: as for `PlayoutBuffer`.
        """
        self.buffer = PlayoutBuffer(codec.clock_rate, interval, hold)
        """Holds the packets and the counters."""
        self._codec = codec
        self._concealer = Concealer(codec.sample_rate)
        self._ready: Samples = np.empty(0, np.int16)
        self._noise_position = 0

    def put(self, sequence_number: int, timestamp: int, payload: bytes, now: float, *, noise: bool = False) -> None:
        """Take a packet as it arrives, as `PlayoutBuffer.put`."""
        ticks = 0 if noise else self._codec.ticks(payload)
        self.buffer.put(sequence_number, timestamp, payload, now, noise=noise, ticks=ticks)

    @property
    def rest(self) -> int:
        """Samples of a packet that was begun."""
        return len(self._ready)

    def read(self, count: int, now: float) -> Samples:
        """The next `count` samples at the codec's rate; call it at the pace of the samples.

        Args:
            now: seconds.
        """
        while len(self._ready) < count:
            self._ready = np.concatenate((self._ready, self._next(now)))
        samples, self._ready = self._ready[:count], self._ready[count:]
        return samples

    def _next(self, now: float) -> Samples:
        interval = self.buffer.next(now)
        size = max(1, self.buffer.interval * self._codec.sample_rate // self._codec.clock_rate)
        if interval.kind is Kind.AUDIO:
            samples = self._codec.decode(interval.payload)
            return self._concealer.hear(samples) if len(samples) else self._concealer.conceal(size)
        if interval.kind is Kind.LOST:
            return self._concealer.conceal(size)
        if interval.kind is Kind.NOISE:
            samples = comfort_noise(interval.payload, self._noise_position, size)
            self._noise_position += size
            return self._concealer.hear(samples)
        return self._concealer.hear(np.zeros(size, np.int16))
