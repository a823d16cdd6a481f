"""Tracebacks of errors in local code or a user's, each place at most once a minute.

A peer can repeat an error a thousand times a second, and a log that grew with it would harm the other calls. Further
errors of one place are counted, and the count stands in the next line about it. The place of an error of a user's code
is the user's line, because one line of this program runs the code of many.
"""

import logging
import traceback
from collections.abc import Callable
from typing import Final

EVERY: Final = 60.0
"""Seconds between two tracebacks of one place."""
MOST_PLACES: Final = 256
"""Files and lines remembered."""
FAILURES: Final = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What ends one call and not the process: exit() in a user's code is one of its errors. Cancellation is none."""
_logger = logging.getLogger(__name__)

Place = tuple[str, int]
"""File and line in which an error was raised."""
Told = Callable[[str, BaseException], None]
"""Called with the text and the error of each line, also of those that are only counted."""


class CrashLog:
    """One per worker.

    Args:
        now: the monotonic clock.
    """

    __slots__ = ("_now", "_places", "_told")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._places: dict[Place, list[float]] = {}  # when it was logged, and how many were not logged since
        self._told: Told | None = None

    def also_tell(self, told: Told) -> None:
        """Call a function with each error from now on, whether it is logged or only counted."""
        self._told = told

    def tell(self, text: str, error: BaseException, where: str = "") -> None:
        """Log what happened and where, with a traceback; only count it when its place was logged within a minute.

        Args:
            where: the place in the user's code, as "FILE:LINE"; empty = the line in which the error was raised.
        """
        if self._told is not None:
            self._told(text, error)
        left_out = self._left_out(_place_in(where) if where else place_of(error), "errors in this line")
        if left_out is not None:
            _logger.error("%s%s", text, left_out, exc_info=error)

    def warn(self, text: str, place: Place) -> None:
        """Log what is wrong at a place, as `tell` does, without a traceback."""
        left_out = self._left_out(place, "such lines")
        if left_out is not None:
            _logger.warning("%s%s", text, left_out)

    def _left_out(self, place: Place, what: str) -> str | None:
        """Return what the line about a place ends with; None = it is only counted."""
        now = self._now()
        told = self._places.get(place)
        if told is not None and now - told[0] < EVERY:
            told[1] += 1
            return None
        self._places.pop(place, None)
        if len(self._places) >= MOST_PLACES:
            del self._places[next(iter(self._places))]
        self._places[place] = [now, 0]
        return f" ({told[1]:.0f} more {what} were not logged)" if told is not None and told[1] else ""

    def attempt(self, text: str, action: Callable[..., object], *arguments: object) -> bool:
        """Run code whose failure must not stop the code after it.

        Args:
            text: the log line of a failure.

        Returns:
            Whether no exception was raised.
        """
        try:
            action(*arguments)
        except FAILURES as error:
            self.tell(text, error)
            return False
        return True


def place_of(error: BaseException) -> Place:
    """File and line in which an error was raised; nothing for one that was never raised."""
    last: Place = ("", 0)
    for frame, line in traceback.walk_tb(error.__traceback__):
        last = (frame.f_code.co_filename, line)
    return last


def _place_in(where: str) -> Place:
    """File and line of a text "FILE:LINE"."""
    file, _, line = where.rpartition(":")
    return file, int(line)
