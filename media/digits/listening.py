"""Digits that are found by time: the tone detector of one engine, the audio for it, and who gets its reports.

The detector is cheapest with one packet of every stream at a time, so receivers put audio into `heard` and the engine
calls `detect` every few ticks. A receiver is an interface here (`DigitListener`), so that receivers can import this
file and not the other way round. Sockets and clocks do not belong here.
"""

from ..audio.g711 import LAWS
from . import inband
from .dtmf import ReceivedDigit

Heard = list[tuple[int, bytes, int]]
"""Slot, payload and RTP timestamp of each packet for the detector."""


class DigitListener:
    """What takes the digits of one stream; its one implementation is `receiver.Receiver`."""

    __slots__ = ()

    def report(self, digit: ReceivedDigit, mode: str, now: float) -> None:
        """Take a digit that has ended.

        Args:
            mode: "rfc4733" or "inband".
            now: seconds, monotonic.
        """
        raise NotImplementedError

    def expire_digit(self, now: float) -> None:
        """Report a digit whose end was lost.

        Args:
            now: seconds, monotonic.
        """
        raise NotImplementedError


class Listening:
    """The tone detector of all streams of one engine."""

    __slots__ = ("_detector", "_listeners", "heard", "sounding")

    def __init__(self) -> None:
        """Begin without streams."""
        self._detector = inband.Detector()
        self._listeners: dict[int, DigitListener] = {}
        self.heard: dict[str, Heard] = {name: [] for name in LAWS}
        """Audio for the detector since it was called last, by law."""
        self.sounding: set[DigitListener] = set()
        """Those on which an RFC 4733 digit has begun and not ended."""

    @property
    def streams(self) -> int:
        """How many streams the detector listens to."""
        return len(self._listeners)

    @property
    def waiting(self) -> int:
        """Packets that wait for the detector."""
        return sum(map(len, self.heard.values()))

    @property
    def is_due(self) -> bool:
        """Whether a digit may end by time."""
        return bool(self.sounding or self._listeners)

    def add(self, listener: DigitListener) -> int:
        """Listen to one more stream; returns its slot, which goes with its packets in `heard`."""
        slot = self._detector.add()
        self._listeners[slot] = listener
        return slot

    def remove(self, slot: int, now: float) -> None:
        """Give a slot back; a digit that still sounds is reported.

        Args:
            now: seconds, monotonic.
        """
        self.detect(now)  # what waits is this slot's, not that of the stream that takes it next
        found = self._detector.remove(slot)
        listener = self._listeners.pop(slot)
        for _, digit in found:
            listener.report(digit, "inband", now)

    def expire(self, now: float) -> None:
        """Report the digits whose end was lost.

        Args:
            now: seconds, monotonic.
        """
        for listener in list(self.sounding):
            listener.expire_digit(now)

    def detect(self, now: float) -> None:
        """Find tones in the received audio, and report the digits.

        Args:
            now: seconds, monotonic.
        """
        found: inband.Found = []
        for name, heard in self.heard.items():
            if heard:
                slots, payloads, timestamps = zip(*heard, strict=True)
                heard.clear()
                found += self._detector.process(LAWS[name], slots, payloads, timestamps, now)
        found += self._detector.expire(now)
        for slot, digit in found:
            listener = self._listeners.get(slot)
            if listener is not None:
                listener.report(digit, "inband", now)
