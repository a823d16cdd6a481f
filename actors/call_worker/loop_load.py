"""How much the event loop of a call worker can take, and which new calls that leaves room for.

A timer that fires late shows the time that the loop was at work without a turn, whatever the work was: SIP, timers, or
a user's code that blocks. While the loop was late for 80 % of the last second it is overloaded. Then new calls are paid
from a bucket: each turn fills it with what is left of `TURN` after the lateness, and each call takes what a call has
cost lately. So calls are refused in proportion, not all or none (RFC 6357 section 4), and the loop gets its turns. One
long turn alone is no overload: it may be a pause of the process or of the machine. `LoopLoad` is pure: times are
arguments.
"""

import asyncio
import math
from collections import deque
from typing import Final

PROBE: Final = 0.05
"""Seconds between two firings of the timer."""
TURN: Final = 0.3
"""Seconds of work by new calls that one turn of an overloaded loop may begin."""
SPAN: Final = 1.0
"""Seconds that are looked at."""
SHARE: Final = 0.8
"""Share of them in which the loop is late, from which on it is overloaded."""
TURNS: Final = 3
"""Turns that are looked at where fewer fit into the span."""
FORGET: Final = 0.7
"""Weight of what calls have cost before, where the newest ones cost less."""


class LoopLoad:
    """The load of one loop."""

    __slots__ = ("_begun", "_cost", "_late", "_left", "_newest", "overloaded")

    def __init__(self) -> None:
        self.overloaded = False
        self._late: deque[tuple[float, float]] = deque()
        """When the timer fired, and how late, within the last `SPAN`."""
        self._begun = 0
        """New calls since the last turn."""
        self._cost = 0.0
        """Seconds that a new call costs."""
        self._newest = 0.0
        """The same by the last turn alone."""
        self._left = math.inf

    def turn(self, late: float, now: float) -> None:
        """Note that the timer fired.

        Args:
            late: seconds after it was due.
            now: monotonic seconds.
        """
        self._late.append((now, late))
        while len(self._late) > TURNS and self._late[0][0] < now - SPAN:
            self._late.popleft()
        turns = [each for _, each in self._late if each > PROBE]
        self.overloaded = len(turns) > 1 and sum(turns) >= SHARE * SPAN
        if self._begun:
            cost = late / self._begun
            self._cost = max(min(cost, self._newest), FORGET * self._cost)  # one alone may be a pause
            self._newest = cost
        self._begun = 0
        self._left = max(0.0, TURN - late) if self.overloaded else math.inf

    @property
    def has_room(self) -> bool:
        """Whether a new call might begin now."""
        return self._left >= max(self._cost, 1e-6)

    def admits(self) -> bool:
        """Whether a new call may begin; it is counted as begun."""
        if not self.has_room:
            return False
        self._left -= self._cost
        self._begun += 1
        return True


class LoopWatch:
    """The timer that measures one loop."""

    __slots__ = ("_due", "_loop", "_timer", "load")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.load = LoopLoad()
        self._loop = loop
        self._arm()

    def close(self) -> None:
        """Measure no more."""
        self._timer.cancel()

    def _arm(self) -> None:
        self._due = self._loop.time() + PROBE
        self._timer = self._loop.call_later(PROBE, self._on_timer)

    def _on_timer(self) -> None:
        now = self._loop.time()
        self.load.turn(max(0.0, now - self._due), now)
        self._arm()
