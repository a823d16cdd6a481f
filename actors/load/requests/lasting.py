"""What registrations and subscriptions of a load have in common: they are answered, last for the hold, and are removed.

Without a hold they last until no further arrival comes, and are then removed at the rate of the plan, because a burst
would be another load than the one asked for. At a drain all are removed; what is not confirmed within `LAST_WAIT` is
reported as it is.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ...call_worker.draining import HANG_UP_WAIT
from ...config import LoadConfig
from ...runtime.actor_loop import ActorLoop
from ..starter import Ended, Starter
from .ends import Begun, RequestEnds, Result, Shown

LAST_WAIT: Final = HANG_UP_WAIT - 0.5
"""Seconds that removals have at a drain, less than the worker waits for them."""
STEP: Final = 0.01
"""Seconds between two groups of removals at least."""
A = TypeVar("A")
"""The actor of a registration or subscription."""


class Held(Generic[A]):
    """One registration or subscription from its request to the confirmation of its end.

    Args:
        credentials: of its requests.
        ended: called when it is over.
    """

    __slots__ = ("actor", "begun", "credentials", "ended", "is_drained", "removing", "result", "timer")

    def __init__(self, credentials: Shown, ended: Ended) -> None:
        self.credentials = credentials
        self.ended = ended
        self.result: Result | None = None
        """Of its first request; None = it has no final response."""
        self.removing = self.is_drained = False
        """Its end has begun here; because the run ends."""
        self.timer: asyncio.TimerHandle | None = None
        """Of the hold."""

    def enter(self, actor: A, begun: Begun) -> None:
        """Note that its first request leaves."""
        self.actor = actor
        self.begun = begun


class Lasting(Starter, Generic[A]):
    """The registrations or subscriptions of one call worker; a subclass sends, and takes the events.

    Args:
        ends: takes those that are over.
        is_draining: whether the run comes to its end.
    """

    places_calls = False

    def __init__(
        self, config: LoadConfig, ends: RequestEnds, actor_loop: ActorLoop, *, is_draining: Callable[[], bool]
    ) -> None:
        self.label = config.method
        self._config = config
        self._ends = ends
        self._actor_loop = actor_loop
        self._is_draining = is_draining
        self._held: dict[Held[A], None] = {}
        self._finishing = False
        self._waiting: deque[Held[A]] = deque()
        """Those whose removal waits for its turn; at most as many as are held."""
        self._stepping = False

    def _send_removal(self, held: Held[A]) -> None:
        """Send the request that ends it."""
        raise NotImplementedError

    @property
    def running(self) -> int:
        """Number of registrations or subscriptions that are not over."""
        return len(self._held)

    @property
    def takes_time(self) -> bool:
        """Whether one is held, or waits for its answer."""
        return bool(self._held)

    def finish(self) -> None:
        """Remove what has no hold of its own."""
        before, self._finishing = self._finishing, True
        if not before and not self._config.hold:
            self._waiting.extend(held for held in self._held if held.result is not None and not held.removing)
            self._step_soon()

    def cancel(self) -> None:
        """Remove all: the run ends. The worker sends the removals, at a pace of its own."""
        self._finishing = True
        for held in self._held:
            if not held.removing:
                held.removing = True
                held.is_drained = bool(self._config.hold)
        self._actor_loop.loop.call_later(LAST_WAIT, self._give_up)

    def _enter(self, held: Held[A], actor: A, call_id: str, planned: float, index: int, line: int = 0) -> None:
        held.enter(actor, self._ends.began(call_id, planned, index, line))
        self._held[held] = None

    def _answered(self, held: Held[A], result: Result) -> None:
        """Take the first 2xx: the hold begins."""
        held.result = result
        self._ends.answered(held.begun)
        if self._config.hold:
            held.timer = self._actor_loop.later(self._config.hold, self._remove, held)
        elif self._finishing and not held.removing:
            self._waiting.append(held)
            self._step_soon()

    def _remove(self, held: Held[A]) -> None:
        if held in self._held and not held.removing:
            held.removing = True
            self._send_removal(held)

    def _over(self, held: Held[A], result: Result, *, closed: str = "", by: str = "local", failure: str = "") -> None:
        """Report it, once; arguments as for `RequestEnds.over`."""
        if self._held.pop(held, held) is held:
            return
        if held.timer is not None:
            held.timer.cancel()
        if held.is_drained and result.outcome == "answered" and not failure:
            result = result.drained()
        self._ends.over(held.begun, result, closed=closed, by=by, failure=failure)
        held.ended(False)

    def _give_up(self) -> None:
        """Report what is left: the time of the drain is over."""
        for held in tuple(self._held):
            if held.result is None:
                self._over(held, Result.given_up(drained=True))
            else:
                self._over(held, held.result, closed="unanswered")

    # ---- the pace

    def _step_soon(self) -> None:
        if not self._stepping and self._waiting:
            self._stepping = True
            self._actor_loop.loop.call_soon(self._step)

    def _step(self) -> None:
        rate = max(self._config.rate / self._config.shards, 1.0)
        interval = max(STEP, 1.0 / rate)
        handful = max(1, round(interval * rate))
        self._stepping = len(self._waiting) > handful
        if self._stepping:
            self._actor_loop.loop.call_later(interval, self._step)
        for _ in range(min(handful, len(self._waiting))):
            self._remove(self._waiting.popleft())
