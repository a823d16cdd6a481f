"""What all streams of one media engine share: events, counters, randomness, and the tone detector's batch.

Holds things; does nothing but collect audio for the detector. Sockets and time are not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import g711, inband
from .messages import Event
from .totals import MediaTotals

if TYPE_CHECKING:
    from .receiver import Receiver

LAWS = {"PCMU": g711.PCMU, "PCMA": g711.PCMA}
"""Codecs whose audio is listened to and measured."""

Heard = list[tuple[int, bytes, int]]
"""Slot, payload and RTP timestamp of each packet for the detector."""


def _nothing_heard() -> dict[str, Heard]:
    return {name: [] for name in LAWS}


@dataclass(slots=True)
class StreamContext:
    """What all streams of one engine share."""

    random_bytes: Callable[[int], bytes]
    """Gives so many random octets."""
    wall_offset: float = 0.0
    """Unix time minus monotonic time."""
    events: list[tuple[int, Event]] = field(default_factory=list)
    """What happened, with the owner of the stream."""
    drained: int = 0
    """How often the events were handed out."""
    totals: MediaTotals = field(default_factory=MediaTotals)
    """Counters of the process."""
    sounding: set["Receiver"] = field(default_factory=set)
    """Receivers on which an RFC 4733 digit has begun and not ended."""
    gathering: set["Receiver"] = field(default_factory=set)
    """Receivers whose callback sink holds frames."""
    detector: inband.Detector = field(default_factory=inband.Detector)
    """Listens for tones on all streams at once."""
    heard: dict[str, Heard] = field(default_factory=_nothing_heard)
    """Audio for the detector since it was called last, by law."""
    listening: dict[int, "Receiver"] = field(default_factory=dict)
    """Receiver of each slot of the detector."""

    @property
    def waiting(self) -> int:
        """Packets that wait for the detector."""
        return sum(map(len, self.heard.values()))

    def detect(self, now: float) -> None:
        """Find tones in what was heard, and report the digits. now: seconds, monotonic."""
        found: inband.Found = []
        for name, heard in self.heard.items():
            if heard:
                slots, payloads, timestamps = zip(*heard, strict=True)
                heard.clear()
                found += self.detector.process(LAWS[name], slots, payloads, timestamps, now)
        found += self.detector.expire(now)
        for slot, digit in found:
            receiver = self.listening.get(slot)
            if receiver is not None:
                receiver.report(digit, "inband", now)
