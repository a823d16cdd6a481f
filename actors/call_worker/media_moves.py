"""The queue of calls whose media worker is gone, until each has streams at another one.

A call that waits for its ports, or is not established, goes on at once: its messages are sent anyway. Established calls
go on at a pace, because each sends a re-INVITE. While no media worker is there all wait, at most as long as
`MediaWorkers.wait` has it. No owner may wait without an end.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ..call.actor import CallActor
from ..call.state import State
from ..runtime.actor import StreamOwner
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox

TURN: Final = 0.025
"""Seconds between two turns of the queue."""
STOOD_STILL: Final = 0.3
"""Seconds by which a turn is so late that this process itself stood still: that time counts for no one."""
PER_TURN: Final = 10
"""Established calls that go on in one turn: 400 a second."""


class MediaMoves:
    """The queue of one call worker.

    Args:
        outbox: its `unplaced` owners are taken over; its media workers are asked.
        actor_loop: runs the owners.
    """

    def __init__(self, outbox: Outbox[Any], actor_loop: ActorLoop) -> None:
        self._outbox = outbox
        self._actor_loop = actor_loop
        self._waiting: deque[tuple[float, StreamOwner]] = deque()
        """When each began to wait, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None
        self._turn_at = 0.0
        """When the next turn is due."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> None:
        """Take over the owners that have lost their streams; those that need no pace go on at once."""
        if not self._outbox.unplaced:
            return
        lost, self._outbox.unplaced[:] = list(self._outbox.unplaced), []
        now = self._actor_loop.now()
        for owner in lost:
            if self._outbox.workers.any_there and not _has_pace(owner):
                self._run(owner, owner.media_found)
            else:
                self._waiting.append((now, owner))
        if self._waiting and self._timer is None:
            self._turn_at = now
            self._timer = self._actor_loop.loop.call_later(0.0, self._on_turn)

    def close(self) -> None:
        """Stop the queue."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _on_turn(self) -> None:
        self._timer = None
        now, left = self._actor_loop.now(), PER_TURN
        if now - self._turn_at > STOOD_STILL:
            lost = now - self._turn_at
            self._waiting = deque((since + lost, owner) for since, owner in self._waiting)
        while self._waiting and left and self._outbox.workers.any_there:
            _, owner = self._waiting.popleft()
            left -= _has_pace(owner)
            self._run(owner, owner.media_found)
        wait = self._outbox.workers.wait
        while self._waiting and not self._outbox.workers.any_there and now - self._waiting[0][0] >= wait:
            _, owner = self._waiting.popleft()
            self._run(owner, owner.media_missing)
        if self._waiting:
            self._turn_at = now + TURN
            self._timer = self._actor_loop.loop.call_later(TURN, self._on_turn)

    def _run(self, owner: StreamOwner, action: Callable[[float], None]) -> None:
        self._actor_loop.guarded(owner, action, self._actor_loop.now())
        if isinstance(owner, CallActor):
            self._actor_loop.touch(owner)
        else:
            self._actor_loop.flush_soon()


def _has_pace(owner: StreamOwner) -> bool:
    """Whether a message to the peer follows from the move, which it would not get otherwise."""
    return isinstance(owner, CallActor) and owner.state is State.UP
