"""What the application of a call worker (a robot, a load generator) hears and tells besides its calls."""

from collections.abc import Callable
from typing import Any


def _ignore(record: Any) -> None:
    pass


def _nothing() -> None:
    pass


def _none() -> int:
    return 0


def _at_once(ready: Callable[[], None]) -> None:
    ready()


class Application:
    """The places where an application hangs itself in; each does nothing until then."""

    __slots__ = ("end_pending", "on_record", "pending", "prepare", "scenario", "update_gauges")

    def __init__(self) -> None:
        self.scenario = ""
        """label of the calls that come in"""
        self.prepare: Callable[[Callable[[], None]], None] = _at_once
        """called once when the worker is linked, and calls back when it serves a call as it will serve all others; the
        node is not said to listen before"""
        self.on_record: Callable[[Any], None] = _ignore
        """takes records of the supervisor that only the application knows"""
        self.pending: Callable[[], int] = _none
        """how many pieces of work are not done though no call of theirs may be live"""
        self.end_pending: Callable[[], None] = _nothing
        """ends them; the time of a drain is over"""
        self.update_gauges: Callable[[], None] = _nothing
        """brings its gauges up to date, before each snapshot"""
