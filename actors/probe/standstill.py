"""How long the event loop stood still while a call was up: what is judged by time cannot be judged then.

A timer fires again and again; the most by which it was late is the longest standstill.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.05
"""Seconds between two firings."""
TOLERATED: Final = 0.2
"""Seconds of a standstill that spoils no judgement of media and digits."""


class Standstill:
    """Watches the running loop while it is entered.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fired_at = 0.0
        self.longest = 0.0
        """Seconds of the longest standstill so far."""

    def __enter__(self) -> Self:
        self._fired_at = self._clock()
        self._timer = self._loop.call_later(EVERY, self._fire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def spoils(self) -> bool:
        """Whether the loop stood still for so long that media and digits cannot be judged."""
        return self.longest > TOLERATED

    def _fire(self) -> None:
        now = self._clock()
        self.longest = max(self.longest, now - self._fired_at - EVERY)
        self._fired_at = now
        self._timer = self._loop.call_later(EVERY, self._fire)
