"""Reports of a node to a service manager: that it is ready, reloads, stops, how it is, and that it lives."""

from collections.abc import Iterable
from typing import Final

from ..host.systemd import Notifier
from .child_process import ChildProcess

RELOAD_TIMEOUT: Final = 60.0
"""Seconds after which a reload is taken to be over, whatever a user's `setup` still waits for."""


class ServiceReport:
    """The reports of one node. Times are monotonic seconds."""

    __slots__ = ("_alive_due", "_notifier", "_problem", "_reloaded_by", "_reloading")

    def __init__(self, notifier: Notifier | None) -> None:
        self._notifier = notifier or Notifier()
        self._alive_due = 0.0
        self._reloading: set[ChildProcess] = set()
        """Children that have not reported the result of the reload yet."""
        self._reloaded_by = 0.0
        self._problem = ""
        """Why the last reload kept what was there."""

    def ready(self) -> None:
        """The node takes calls."""
        self._notifier.ready()

    def stopping(self) -> None:
        """The node takes no more calls."""
        self._notifier.stopping()

    def reloading(self, children: Iterable[ChildProcess], now: float) -> None:
        """These read their user's file again."""
        self._notifier.reloading(now)
        self._reloading = set(children)
        self._reloaded_by = now + RELOAD_TIMEOUT
        self._problem = ""

    def reloaded(self, child: ChildProcess, problem: str) -> None:
        """A call worker is through with a reload, or gone; when all are, the node is ready again.

        Args:
            child: the call worker.
            problem: why it kept its file; empty = it did not.
        """
        self._problem = self._problem or problem
        if child in self._reloading:
            self._reloading.discard(child)
            if not self._reloading:
                self._notifier.ready()

    def tell(self, now: float, doing: str, live_calls: int, quarantine: str, *, well: bool) -> None:
        """Report how the node is, and that it lives.

        Args:
            now: the time.
            doing: in words.
            live_calls: their number.
            quarantine: why a process is in it.
            well: every process sends heartbeats.
        """
        if self._reloading and now > self._reloaded_by:
            self._problem = self._problem or "the reload has not come to its end"
            self._reloading.clear()
            self._notifier.ready()
        problems = [each for each in (quarantine, self._problem) if each]
        self._notifier.status("; ".join((doing, f"{live_calls} calls", *problems)))
        watchdog = self._notifier.watchdog
        if watchdog and now >= self._alive_due and well:
            self._alive_due = now + watchdog / 2
            self._notifier.alive()
