"""Times in which a process of the node stood still, and the calls that they fall into.

A process stands still when its event loop does not turn: it or its machine was stopped or overloaded, or code keeps the
loop. It sees that itself, because a beat that was due is late. A media worker and the dispatcher tell the call workers
before anything that they read afterwards. So a call is judged with what is known of the processes that it needed. Pure:
times are arguments, in monotonic seconds.
"""

from collections import deque
from collections.abc import Callable, Collection
from math import inf
from typing import Any, Final

from .messages import StoodStill
from .outages import Outages

LONGEST: Final = 0.5
"""Seconds for which a process may stand still. After T1 peers repeat the requests that wait, and every delay that is
measured in that time is its own (RFC 3261 section 17.1.1.2)."""
KEPT: Final = 64
"""Standstills that are kept of a process; the oldest are dropped."""
SIGNALLING: Final = -1
"""Stands for the dispatcher and the call worker, where media workers have their index."""


class Pulse:
    """The beats of one process; whoever reads input looks before it handles that."""

    __slots__ = ("_due", "_told", "planned")

    def __init__(self) -> None:
        self.planned = self._due = inf
        """When the next beat is due."""
        self._told: Callable[[StoodStill], None] = lambda stood: None

    def attend(self, told: Callable[[StoodStill], None]) -> None:
        """Have each standstill told."""
        self._told = told

    def expect(self, due: float) -> None:
        """Note when the next beat is due; without any a process never stands still."""
        self.planned = self._due = due

    def look(self, now: float) -> None:
        """See whether the beat that is due is late; tell a standstill once."""
        if now - self._due > LONGEST:
            stood, self._due = StoodStill(self._due, now), now
            self._told(stood)


class Standstills:
    """Those that the calls of one call worker fell into, and the outages of its network.

    Args:
        pulse: of its process; None = it has none.
        outages: of the network; None = nothing tells them.
    """

    __slots__ = ("_kept", "_pulse", "outages")

    def __init__(self, pulse: Pulse | None = None, outages: Outages | None = None) -> None:
        self.outages = outages or Outages()
        self._kept: dict[int, deque[StoodStill]] = {}
        self._pulse = pulse or Pulse()
        self._pulse.attend(self.add)

    def add(self, stood: StoodStill, process: int = SIGNALLING) -> None:
        """Note a standstill.

        Args:
            process: the index of a media worker, or `SIGNALLING`.
        """
        self._kept.setdefault(process, deque(maxlen=KEPT)).append(stood)

    def columns(
        self,
        since: float,
        now: float,
        workers: Collection[int] | None = None,
        addresses: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """Return the fields of a row that say for how long its network was away, and what it needs stood still.

        Its BYE and the end of its streams, which may be late, belong to that time.

        Args:
            since: when the call began.
            workers: the media workers of its streams; None = any may have been.
            addresses: its local ones; None = all that are in use.
        """
        self._pulse.look(now)
        down = self.outages.seconds(since, now, addresses)
        found: dict[str, Any] = {"network_down": down} if down else {}
        if not self._kept:
            return found
        media = set(self._kept) - {SIGNALLING} if workers is None else set(self._kept).intersection(workers)
        return found | {
            "stood_still": self._seconds(SIGNALLING, since),
            "media_stood_still": max((self._seconds(each, since) for each in media), default=0.0),
        }

    def _seconds(self, process: int, since: float) -> float:
        return sum(max(0.0, each.until - max(since, each.since)) for each in self._kept.get(process, ()))
