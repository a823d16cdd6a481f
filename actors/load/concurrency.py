"""The most calls that were live at one moment, from the begin and end of each. Pure.

Calls that overlap need channels of their own. Taken in the order of their ends, each call goes into the channel that
became free last before its begin, or into a new one. The number of channels is exactly the most calls that were live at
one moment. Memory: one number for each channel, and the newest calls. These wait, because calls do not arrive in the
order of their ends. They come from several processes, have an unanswered BYE, or belong to a scenario that goes on.
"""

from bisect import bisect_right, insort
from heapq import heappop, heappush
from typing import Final

NEWEST: Final = 1024
"""Calls that wait at least for others which ended before them and are reported later."""
SECONDS: Final = 64.0
"""Seconds that further ones wait: longer than an unanswered BYE delays the report of a call (64·T1)."""
MOST: Final = 32_768
"""Calls that wait at most."""


class Concurrency:
    """Counts calls that overlap. One that ends when another begins does not overlap it.

    A call may be reported after `newest` others that ended later, or `seconds` later than they ended. One that comes
    later still is left out, so that the figure is never too high.
    """

    def __init__(self, newest: int = NEWEST, seconds: float = SECONDS) -> None:
        self._newest = newest
        self._seconds = seconds
        self._last = float("-inf")
        """The greatest end."""
        self._waiting: list[tuple[float, float]] = []
        """(end, begin), a heap."""
        self._channels: list[float] = []
        """The end of the last call of each channel, rising."""
        self._told_to = float("-inf")
        """The greatest end that is in a channel."""

    def add(self, begun: float, ended: float) -> None:
        """Add a call that was live from `begun` to `ended`, in seconds of one clock."""
        if ended < self._told_to:
            return
        waiting = self._waiting
        heappush(waiting, (ended, begun))
        self._last = max(self._last, ended)
        while len(waiting) > self._newest and (waiting[0][0] <= self._last - self._seconds or len(waiting) > MOST):
            self._told_to, begun = heappop(waiting)
            _put(self._channels, begun, self._told_to)

    @property
    def most(self) -> int:
        """The most calls that were live at one moment, of those added until now."""
        channels = self._channels.copy()
        for ended, begun in sorted(self._waiting):
            _put(channels, begun, ended)
        return len(channels)


def _put(channels: list[float], begun: float, ended: float) -> None:
    free = bisect_right(channels, begun)
    if free:
        del channels[free - 1]
    insort(channels, ended)
