"""How the calls of a user agent belong to something larger, such as a run of a scenario."""

from collections.abc import Callable
from dataclasses import dataclass

from ..handle.call import Call


@dataclass(frozen=True, slots=True)
class Placing:
    """Defaults and callbacks for each call that a user agent places, and for calls of agents that it makes."""

    scenario: str = ""
    """Label of the calls."""
    target: str = ""
    """The target that a load calls."""
    media: str | None = None
    """What a call sends without `media` and `init_media` of its own; None = echo."""
    ring_time: float = 0.0
    """Seconds without a final answer before CANCEL, for calls without such a limit of their own; 0 = 180."""
    before_placed: Callable[[], None] | None = None
    """Called just before a call is placed; an exception that it raises keeps the call from being placed."""
    on_placed: Callable[[Call], None] | None = None
    """Called with each call of `invite` before its INVITE leaves."""
