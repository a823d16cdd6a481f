"""The spare: one process that has started Python and imported everything, and waits until a role needs it.

Most of the time of a replacement is the start of the interpreter and its imports, and this process has that behind it.
It is started some seconds after the node, never while a process is being replaced, and at a low priority
(`process.spare`). Without one a process is started as at the start of the node. A spare that cannot do its work, one
that stands still or was stopped, is killed and never used. It counts in no state of the node.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import Final

from ..counting.totals import Totals
from ..host import kernel, running_node
from .restart_policy import BUDGETS, RestartPolicy
from .started_process import StartedProcess

FIRST_AFTER: Final = 3.0
"""Seconds from the start of a node until it gets a spare: a short run needs none."""
AFTER: Final = 0.3
"""Seconds from the moment in which a spare is used until the next one is started."""
WARM_WITHIN: Final = 60.0
"""Seconds that it may take to import everything at a low priority."""
ARGUMENT: Final = running_node.SPARE.ljust(16)
"""Its name on the command line, with room for the name of any slot (`kernel.rename_last_argument`)."""
_logger = logging.getLogger(__name__)


class Spare:
    """Starts spares, one at a time.

    Args:
        is_calm: whether no process is being started or replaced.
        totals: counts the spares that took a role.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, is_calm: Callable[[], bool], totals: Totals) -> None:
        self._loop = loop
        self._is_calm = is_calm
        self._totals = totals
        self._ready = totals.cell("sipswarm_process_spares")
        self._process: StartedProcess | None = None
        self._restarts = RestartPolicy(BUDGETS[running_node.SPARE])
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that can take a role now; None = there is none."""
        return self._process.pid if self._process is not None and self._ready.value else None

    def start_later(self, after: float = AFTER) -> None:
        """Start one soon, unless there is one already, or one is due.

        Args:
            after: seconds; longer while a process is being started or replaced.
        """
        if self._process is None and self._timer is None:
            self._timer = self._loop.call_later(after, self._start)

    def take(self, role: str) -> StartedProcess | None:
        """Return the spare for good; None = there is none that can take a role now.

        Args:
            role: that it gets, for the count.
        """
        process = self._process
        if process is None or not self._ready.value:
            return None
        if not kernel.is_awake(process.pid):
            process.send(signal.SIGKILL)  # `_on_end` follows
            return None
        self._process, self._ready.value = None, 0.0
        self._totals.cell("sipswarm_process_spares_used_total", role).value += 1
        self.start_later()
        return process

    def close(self) -> None:
        """End it, and start none any more."""
        self._stop_timer()
        if self._process is not None:
            self._process.end()
            self._process, self._ready.value = None, 0.0

    def _start(self) -> None:
        self._timer = None
        if not self._is_calm():
            self.start_later()
            return
        try:
            self._process = StartedProcess(ARGUMENT, self._loop)
        except OSError as error:
            delay = self._restarts.refused()
            _logger.warning("no process can be kept for a replacement now, again in %g s: %s", delay, error)
            self.start_later(delay)
            return
        self._restarts.started(time.monotonic())
        self._process.on_end(self._on_end)
        self._process.on_word(self._on_warm)
        self._timer = self._loop.call_later(WARM_WITHIN, self._process.send, signal.SIGKILL)

    def _on_warm(self, word: bytes) -> None:
        if word:
            self._stop_timer()
            self._ready.value = 1.0

    def _on_end(self) -> None:
        assert self._process is not None
        status = self._process.reap()
        self._process, self._ready.value = None, 0.0
        self._stop_timer()
        delay = self._restarts.died(time.monotonic())
        if delay is None:
            _logger.warning(
                "the spare process %s, the last time with status %d; none is started any more, and what dies is "
                "replaced more slowly",
                self._restarts.words,
                status,
            )
        else:
            self.start_later(max(AFTER, delay))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
