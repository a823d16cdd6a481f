"""What all streams of one media engine share: events, counters, randomness, and listening for digits.

Holds things and does nothing. Neither half of a stream is imported here, because both import this file. Sockets and
time do not belong here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .digits.listening import Listening
from .messages import Event
from .totals import MediaTotals

Attempt = Callable[..., bool]
"""Runs code that may fail, given a text for the log, a function and its arguments; whether nothing was raised."""


def unguarded(text: str, action: Callable[..., object], *arguments: object) -> bool:
    """The `Attempt` that lets an exception out: whoever runs the engine gets it."""
    action(*arguments)
    return True


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
    attempt: Attempt = unguarded
    """Runs the code of one stream, whose failure must not stop the others."""
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
