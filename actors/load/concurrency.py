"""The most calls that were live at one moment, from the begin and end of each. Pure.

Calls that overlap need channels of their own: taken in the order of their ends, each call goes into the channel that
became free last before its begin, or into a new one. The channels that are needed are the most calls that were live at
one moment, exactly. Memory: one number for each channel, and the newest calls, because calls of several processes, and
those of a scenario that goes on, are not told in the order of their ends.
"""

from bisect import bisect_right, insort
from heapq import heappop, heappush
from typing import Final

NEWEST: Final = 4096
"""calls that wait for others which ended before them and are told later"""


class Concurrency:
    """Counts calls that overlap. One that ends when another begins does not overlap it.

    newest: a call may be told after so many others that ended later; one that comes later still is left out, so that
    the figure is never too high.
    """

    def __init__(self, newest: int = NEWEST) -> None:
        self._newest = newest
        self._waiting: list[tuple[float, float]] = []
        """(end, begin), a heap"""
        self._channels: list[float] = []
        """the end of the last call of each channel, rising"""
        self._told_to = float("-inf")
        """the greatest end that is in a channel"""

    def add(self, begun: float, ended: float) -> None:
        """A call was live from `begun` to `ended`, in seconds of one clock."""
        if ended < self._told_to:
            return
        heappush(self._waiting, (ended, begun))
        if len(self._waiting) > self._newest:
            self._told_to, begun = heappop(self._waiting)
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
