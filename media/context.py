"""What all streams of one media engine share: events, counters, randomness, and listening for digits.

Holds things and does nothing. Neither half of a stream is imported here, because both import this file. Sockets and
time do not belong here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .digits.listening import Listening
from .messages import Event
from .totals import MediaTotals


class FrameHolder:
    """What holds frames until the events are handed out; its one implementation is `receiver.Receiver`."""

    __slots__ = ()

    def take_frames(self) -> None:
        """Add the frames to the events."""
        raise NotImplementedError


@dataclass(slots=True)
class StreamContext:
    """What all streams of one engine share."""

    random_bytes: Callable[[int], bytes]
    """Returns that many random octets."""
    wall_offset: float = 0.0
    """Unix time minus monotonic time."""
    events: list[tuple[int, Event]] = field(default_factory=list)
    """What happened, with the owner of the stream."""
    drained: int = 0
    """How often the events were handed out."""
    totals: MediaTotals = field(default_factory=MediaTotals)
    """Counters of the process."""
    gathering: set[FrameHolder] = field(default_factory=set)
    """Those whose callback sink holds frames."""
    listening: Listening = field(default_factory=Listening)
    """Digits that are found by time."""
