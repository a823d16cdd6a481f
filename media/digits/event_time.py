"""The time in which digits of a peer stood instead of its audio, by its telephone-event packets (RFC 4733).

A gateway may send events beside the audio or instead of it; both are right. What a digit stands for is the time from
the packet before it to its newest packet, or the duration that it reports, whichever is longer, and at most LONGEST: an
event that never ends is no audio. Whether there was audio beside it, this file does not know.
"""

LONGEST = 1.0
"""Seconds of audio that one digit may stand for."""
_APART = 0.1
"""Seconds from one packet to the next at most, where the later one goes on for the earlier."""


class EventTime:
    """The digits of one stream, in seconds."""

    __slots__ = ("_begun", "_counted", "_has_ended", "_newest", "_press", "before", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        """Of all digits until now."""
        self.before = 0.0
        """Of those before the newest packet of audio, where an event is newer than that."""
        self._press = (-1, -1)  # timestamp and code
        self._has_ended = False
        self._begun = self._counted = 0.0
        self._newest = -1.0

    def follow(self, audio_at: float) -> None:
        """Begin with the first packet after audio.

        Args:
            audio_at: when the newest packet of audio came.
        """
        self.before = self.seconds
        self._newest = audio_at

    def take(self, payload: bytes, timestamp: int, clock_rate: int, now: float) -> None:
        """Count a packet of an event; one that comes twice counts once.

        Args:
            payload: of a packet, at least four octets; a shorter one counts nothing.
            timestamp: of its RTP header.
            clock_rate: of durations, Hz.
            now: seconds, monotonic.
        """
        if len(payload) < 4:
            return
        press, has_ended = (timestamp, payload[0]), bool(payload[1] & 0x80)
        if press != self._press or (self._has_ended and not has_ended):
            self._press, self._counted = press, 0.0
            self._begun = max(self._newest, now - _APART) if self._newest >= 0 else now
        self._has_ended, self._newest = has_ended, now
        lasted = max(int.from_bytes(payload[2:4], "big") / clock_rate, now - self._begun)
        more = min(LONGEST, lasted) - self._counted
        if more > 0:
            self._counted += more
            self.seconds += more
