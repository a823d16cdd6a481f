"""The time in which a judge of heartbeats itself ran. Pure: times in, times out.

A supervisor that stood still, alone or with its whole machine, could read no heartbeat meanwhile. So it judges by a
clock that stands still with it: of each pause between two of its ticks no more than the planned interval and a little
counts. Heartbeats that wait in its sockets when it goes on are read long before a process is late by this clock.
"""

from typing import Final

TOLERANCE: Final = 0.25
"""Seconds that a tick may be late and still counts in full: a busy machine is no machine that stands still."""


class AwakeClock:
    """Seconds in which its owner ran; it must tick in regular intervals.

    Args:
        now: monotonic seconds.
        interval: seconds between two ticks.
    """

    __slots__ = ("_longest", "_passed", "_ticked")

    def __init__(self, now: float, interval: float) -> None:
        self._longest = interval + TOLERANCE
        self._passed = 0.0
        self._ticked = now

    def tick(self, now: float) -> float:
        """Count the time since the last tick, of a pause only the planned interval.

        Args:
            now: monotonic seconds.

        Returns:
            Seconds that the owner stood still; 0.0 when the tick is in time.
        """
        late = max(0.0, now - self._ticked - self._longest)
        self._passed = self.time(now)
        self._ticked = now
        return late

    def time(self, now: float) -> float:
        """Return the seconds in which the owner has run since the clock was made.

        Args:
            now: monotonic seconds.
        """
        return self._passed + min(max(0.0, now - self._ticked), self._longest)
