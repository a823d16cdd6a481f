"""The time that code of users takes in the turns of the event loop: what can wait does, and what blocks is named.

Code of a user runs in steps: a callback, or a coroutine from one `await` that waits to the next. While a step runs, no
other call, timer or heartbeat has its turn, and all steps that are ready run in one turn of the loop. So the steps that
come after `LONGEST` seconds of a turn wait for the next one, which begins with the timers that are due. A process whose
steps are many and slow sends heartbeats; one with a step that does not end hangs, and is replaced. A step of `BLOCKS`
seconds is logged with its place.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from ..diagnosis.crash_log import CrashLog
from ..diagnosis.user_code import place_of

LONGEST: Final = 0.3
"""Seconds of steps in one turn of the loop, after which further ones wait."""
BLOCKS: Final = 0.5
"""Seconds of one step from which on it is logged."""
Result = TypeVar("Result")


class UserTurns:
    """The steps of one event loop.

    Args:
        soon: calls a function in the next turn of the loop.
        now: the monotonic clock, in seconds.
        log: has each place that blocks once a minute.
    """

    __slots__ = ("_log", "_since", "_soon", "now")

    def __init__(self, soon: Callable[[Callable[[], None]], object], now: Callable[[], float], log: CrashLog) -> None:
        self._soon = soon
        self.now = now
        self._log = log
        self._since: float | None = None
        """When the first step of this turn began; None = there was none."""

    def is_long(self) -> bool:
        """Return whether a step that can wait has to; the first one of a turn never has."""
        now = self.now()
        if self._since is None:
            self._since = now
            self._soon(self._end)
            return False
        return now - self._since > LONGEST

    def call(self, what: str, given: object, function: Callable[[], Result]) -> Result:
        """Call a function that calls back the user.

        Args:
            what: the callback, for the log, such as "the callback cb_final".
            given: what the user gave.
        """
        began = self.now()
        try:
            return function()
        finally:
            if self.now() - began >= BLOCKS:
                self.blocked(what, place_of(given), self.now() - began)

    def blocked(self, what: str, where: str, seconds: float) -> None:
        """Log a step that has blocked the loop.

        Args:
            what: the callback or coroutine.
            where: its place, as "FILE:LINE"; empty when it is not known.
        """
        place = f" ({where})" if where else ""
        self._log.warn(
            f"{what}{place} kept the event loop for {seconds:.1f} s, in which no other call could go on; "
            "await what takes time, or run it with asyncio.to_thread",
            (where or what, 0),
        )

    def _end(self) -> None:
        self._since = None
