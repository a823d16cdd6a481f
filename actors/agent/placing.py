"""How the calls of a user agent belong to something larger, such as a run of a scenario."""

from collections.abc import Callable
from dataclasses import dataclass

from ..handle.call import Call


@dataclass(frozen=True, slots=True)
class Placing:
    """What holds for each call that a user agent places, and for those of agents that it makes."""

    scenario: str = ""
    """label of the calls"""
    target: str = ""
    """who a load calls"""
    media: str | None = None
    """what calls send that have neither `media` nor `init_media`; None = echo"""
    ring_time: float = 0.0
    """seconds without a final answer before CANCEL, for calls that have none of their own; 0 = 180"""
    before_placed: Callable[[], None] | None = None
    """called just before a call is placed; what it raises keeps the call from being placed"""
    on_placed: Callable[[Call], None] | None = None
    """called with each call of `invite` before its INVITE leaves"""
