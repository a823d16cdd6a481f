"""One direction of a call as steady audio of one rate, whatever codecs it is sent in.

Each codec, clock and source is a segment of its own: a player with its decoder, and a resampler to the rate of the
track. When a segment is followed by another it is played to its end first, so that nothing is lost at the change. All
of a segment ends with it, as `formats` describes. Files, sockets and the clock do not belong here.
"""

from collections import deque

import numpy as np

from .audio.codecs import CodecUnavailable, CodecUnknown, open_codec
from .audio.jitter import Player
from .audio.resampling import Resampler, Wave
from .messages import ReceivedFrame

MOST_SEGMENTS = 8
"""Segments that wait to be played; beyond, the oldest is dropped, and its packets count as late."""

HOLD = 0.3
"""Least seconds that a packet is held before it is written: no person listens, so few packets come too late. A peer may
go over to packets of 200 ms (RFC 3551 4.2); the first of them comes 180 ms later than one of 20 ms would."""


class _Segment:
    """Packets of one source in one codec."""

    __slots__ = ("clock_rate", "codec", "first", "follows", "player", "resampler")

    def __init__(self, codec: str, clock_rate: int, first: int, follows: bool) -> None:
        """Begin empty.

        Args:
            first: number of its first packet.
            follows: the segment before is of the same source.
        """
        self.codec = codec
        self.clock_rate = clock_rate
        self.first = first
        self.follows = follows
        self.player: Player | None = None
        """None = the codec cannot be decoded: its time is silence."""
        self.resampler: Resampler | None = None

    @property
    def late(self) -> int:
        return self.player.buffer.late if self.player is not None else 0


class Track:
    """What came in, or what was sent, as samples at a steady pace."""

    __slots__ = ("_fresh", "_late", "_ready", "_segments", "rate")

    def __init__(self) -> None:
        self.rate = 0
        """Samples per second of the track; 0 = that of the first codec that can be decoded."""
        self._segments: deque[_Segment] = deque()
        self._ready: Wave = np.empty(0, np.float32)
        self._fresh = True  # the next packet is of another source than those before
        self._late = 0

    @property
    def late(self) -> int:
        """Packets that came too late to be played."""
        return self._late + sum(segment.late for segment in self._segments)

    @property
    def delay(self) -> float:
        """Seconds that a packet is held before it is played."""
        player = self._segments[-1].player if self._segments else None
        return player.buffer.delay if player is not None else 0.0

    @property
    def waiting(self) -> bool:
        """Whether packets wait to be played."""
        return any(segment.player is not None and segment.player.buffer.waiting for segment in self._segments)

    def restart(self) -> None:
        """The source changed: its sequence numbers and timestamps have nothing to do with those before."""
        self._fresh = True

    def put(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        """Take a packet.

        Args:
            codec, clock_rate: of voice; "CN" for comfort noise.
            now: seconds, when it came.
        """
        payload, sequence_number, timestamp, _, _ = frame
        noise = codec == "CN"
        segment = self._segment_of(codec, clock_rate, sequence_number)
        if segment is None and not noise:
            segment = self._open(codec, clock_rate, sequence_number)
        if segment is None:
            self._late += 1
        elif segment.player is not None:
            segment.player.put(sequence_number, timestamp, payload, now, noise=noise)

    def _segment_of(self, codec: str, clock_rate: int, sequence_number: int) -> _Segment | None:
        """The segment that a packet belongs to: one that the network delayed may be of an earlier one."""
        if self._fresh:
            return None
        for segment in reversed(self._segments):
            early = (sequence_number - segment.first) & 0xFFFF >= 0x8000
            if codec == "CN" or (not early and (segment.codec, segment.clock_rate) == (codec, clock_rate)):
                return segment
            if not early or not segment.follows:
                return None
        return None

    def _open(self, codec: str, clock_rate: int, sequence_number: int) -> _Segment:
        """Follow with another codec, clock or source from this packet on."""
        segment = _Segment(codec, clock_rate, sequence_number, not self._fresh)
        self._fresh = False
        try:
            decoder = open_codec(codec, clock_rate)
        except (CodecUnknown, CodecUnavailable):
            pass
        else:
            self.rate = self.rate or decoder.sample_rate
            segment.player = Player(decoder, decoder.clock_rate // 50, max(HOLD, self.delay))
            segment.resampler = Resampler(decoder.sample_rate, self.rate)
        self._segments.append(segment)
        if len(self._segments) > MOST_SEGMENTS:
            self._drop_first()
        return segment

    def _drop_first(self) -> None:
        dropped = self._segments.popleft()
        self._late += dropped.late
        if dropped.player is not None:
            self._late += dropped.player.buffer.waiting

    def read(self, count: int, now: float) -> Wave:
        """The next `count` samples; call it at the pace of the samples.

        Args:
            now: seconds.
        """
        parts = [self._ready]
        missing = count - len(self._ready)
        while missing > 0:
            part = self._next(missing, now)
            parts.append(part)
            missing -= len(part)
        ready = np.concatenate(parts)
        samples, self._ready = ready[:count], ready[count:]
        return samples

    def finish(self) -> Wave:
        """What is left of the last packet, when no other one waits."""
        parts = [self._ready]
        for segment in self._segments:
            if segment.player is not None and segment.resampler is not None:
                parts.append(segment.resampler.push(segment.player.read(segment.player.rest, 0.0)))
                parts.append(segment.resampler.finish())
        self._segments.clear()
        self._ready = np.empty(0, np.float32)
        return np.concatenate(parts)

    def _next(self, count: int, now: float) -> Wave:
        """About that many samples of the segment whose turn it is."""
        while len(self._segments) > 1:
            segment = self._segments[0]
            player, resampler = segment.player, segment.resampler
            if player is not None and resampler is not None and (player.rest or player.buffer.waiting):
                return resampler.push(player.read(max(1, min(player.rest, resampler.needed(count))), now))
            self._drop_first()
            following = self._segments[0].player
            if following is not None:
                following.buffer.begin_at_once()
            if resampler is not None:
                return resampler.finish()
        if self._segments:
            player, resampler = self._segments[0].player, self._segments[0].resampler
            if player is not None and resampler is not None:
                return resampler.push(player.read(resampler.needed(count), now))
        return np.zeros(count, np.float32)
