"""What the application of a call worker (a robot, a load generator) hears and tells besides its calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sipswarm.sipcore.message.messages import Request

from ..handle.call import Call
from ..identity import Identity
from .authentication import Challenger

OnCall = Callable[[Call, Request], None]
"""What takes a call that came in; it (or the task it starts) answers or rejects."""


@dataclass(frozen=True, slots=True)
class IncomingPolicy:
    """What becomes of calls that come in; replaced as a whole (`Arrivals.serve`)."""

    on_call: OnCall | None = None
    """None = no calls are taken"""
    wishes: Mapping[str, Any] = field(default_factory=dict)
    """for their media, as for `CallFactory.demand_for`"""
    param: Mapping[str, Any] = field(default_factory=dict)
    """their parameters"""
    identity: Identity | None = None
    """who takes them; None = the node's account, or its user at the address that the call came to"""
    challenger: Challenger | None = None
    """asks callers who they are; None lets everybody in"""


def _ignore(record: Any) -> None:
    pass


def _nothing() -> None:
    pass


def _none() -> int:
    return 0


def _at_once(ready: Callable[[], None]) -> None:
    ready()


class Application:
    """The places where an application hangs itself in; each does nothing until then."""

    __slots__ = ("end_pending", "on_record", "pending", "prepare", "scenario", "update_gauges")

    def __init__(self) -> None:
        self.scenario = ""
        """label of the calls that come in"""
        self.prepare: Callable[[Callable[[], None]], None] = _at_once
        """called once when the worker is linked, and calls back when it serves a call as it will serve all others; the
        node is not said to listen before"""
        self.on_record: Callable[[Any], None] = _ignore
        """takes records of the supervisor that only the application knows"""
        self.pending: Callable[[], int] = _none
        """how many pieces of work are not done though no call of theirs may be live"""
        self.end_pending: Callable[[], None] = _nothing
        """ends them; the time of a drain is over"""
        self.update_gauges: Callable[[], None] = _nothing
        """brings its gauges up to date, before each snapshot"""
