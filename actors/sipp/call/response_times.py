"""The response times of one call: `start_rtd`, `rtd`, `repeat_rtd`.

A response time that no command starts runs from the beginning of the call. It ends once, unless `repeat_rtd` lets it
end each time; a new start lets it end again.
"""

from typing import final

from ..program import Step
from .statistics import ResponseTime


@final
class ResponseTimes:
    """The response times of one call."""

    __slots__ = ("_begun_at", "_ended", "_starts")

    def __init__(self) -> None:
        self._begun_at = 0.0
        self._starts: dict[str, float] = {}
        self._ended: set[str] = set()

    def begin(self, now: float) -> None:
        """Take the beginning of the call, in monotonic seconds."""
        self._begun_at = now

    def passed(self, step: Step, now: float) -> ResponseTime | None:
        """Take a command that is carried out, and return the response time that ends with it.

        Args:
            step: the command.
            now: monotonic seconds.
        """
        if step.start_rtd:
            self._starts[step.start_rtd] = now
            self._ended.discard(step.start_rtd)
        name = step.rtd
        if not name or name in self._ended:
            return None
        if not step.repeat_rtd:
            self._ended.add(name)
        return ResponseTime(name, now - self._starts.get(name, self._begun_at))
