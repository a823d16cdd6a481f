"""Functions that are called again and again: `UserAgent.every`.

A function that fails is logged with its file and line, and is called again. A coroutine function is started at each
interval, whether its last run is over or not. No function is called while the node ends.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from ..handle.given_text import checked_seconds, checked_timer
from ..runtime.actor_loop import ActorLoop


class Timer:
    """A function that is called at an interval until it is cancelled.

    Args:
        seconds: the interval.
        function: without arguments, in any form of a callback.
        first: seconds until the first call; None = one interval.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    __slots__ = ("_actor_loop", "_ended", "_first", "_function", "_handle", "_is_over", "_seconds")

    def __init__(self, seconds: float, function: Callable[[], Any], first: float | None) -> None:
        self._seconds = checked_timer(seconds, function)
        self._function = function
        self._first = self._seconds if first is None else checked_seconds("first", first)
        self._handle: asyncio.TimerHandle | None = None
        self._ended = False

    def begin(self, actor_loop: ActorLoop, is_over: Callable[[], bool]) -> None:
        """Start it, unless it was cancelled before; not for users.

        Args:
            is_over: whether it must not be called any more.
        """
        self._actor_loop, self._is_over = actor_loop, is_over
        if not self._ended:
            self._handle = actor_loop.loop.call_later(self._first, self._due)

    @property
    def active(self) -> bool:
        """Whether it will be called again."""
        return self._handle is not None

    def cancel(self) -> None:
        """Call the function no more; a coroutine that runs goes on. Harmless twice."""
        self._ended = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _due(self) -> None:
        self._handle = None
        if self._is_over():
            return
        self._handle = self._actor_loop.loop.call_later(self._seconds, self._due)  # first: the function may cancel it
        self._actor_loop.inform("the function of every()", self._function)
