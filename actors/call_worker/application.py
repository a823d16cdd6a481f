"""What a call worker does with calls that come in, and what its application (a robot, a load generator) is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sipswarm.sipcore.message.messages import Request

from ..handle.call import Call
from ..identity import Identity
from .authentication import Challenger

OnCall = Callable[[Call, Request], None]
"""What takes a call that came in; it (or the task it starts) answers or rejects."""
OnTransfer = Callable[[Call, int, Request], None]
"""What takes a transfer that the peer of a call asks for, by the number of its request."""


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
    on_transfer: OnTransfer | None = None
    """None = transfers are declined"""


class Application:
    """What a call worker is there for: a robot, or a load. Each method does nothing where that is enough."""

    scenario = ""
    """label of the calls that come in"""

    def prepare(self, ready: Callable[[], None]) -> None:
        """The worker is linked: call back when it serves a call as it will serve all others.

        Called once; the node is not said to listen before it called back.
        """
        ready()

    def start(self, at: float) -> None:
        """Every process is linked. at: start of the schedule, in monotonic seconds."""

    def on_record(self, record: Any) -> None:
        """A record of the supervisor that only the application knows."""

    def pending(self) -> int:
        """Number of pieces of work that are not done though no call of theirs may be live."""
        return 0

    def end_pending(self) -> None:
        """End them; the time of a drain is over."""

    def update_gauges(self) -> None:
        """Bring its gauges up to date, before each snapshot."""


class Applications(Application):
    """Those of one call worker, in the order in which they were installed."""

    def __init__(self) -> None:
        self._all: list[Application] = []
        self._prepared = False

    def add(self, application: Application) -> None:
        """Install one."""
        self._all.append(application)
        self.scenario = application.scenario or self.scenario

    def prepare(self, ready: Callable[[], None]) -> None:
        """One after the other, the first time; a link that comes anew later needs no preparation."""
        if self._prepared:
            ready()
            return
        self._prepared = True
        for each in reversed(self._all):
            ready = partial(each.prepare, ready)
        ready()

    def start(self, at: float) -> None:
        """Tell each."""
        for each in self._all:
            each.start(at)

    def on_record(self, record: Any) -> None:
        """Tell each."""
        for each in self._all:
            each.on_record(record)

    def pending(self) -> int:
        """Of all together."""
        return sum(each.pending() for each in self._all)

    def end_pending(self) -> None:
        """Tell each."""
        for each in self._all:
            each.end_pending()

    def update_gauges(self) -> None:
        """Tell each."""
        for each in self._all:
            each.update_gauges()
