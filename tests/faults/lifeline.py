"""The end of a process that runs a row: with its parent, and within a bound however it was told.

Its standard input is a pipe that its parent holds: the end of the pipe is the end of the parent. Then, as at a SIGTERM,
the row is cancelled and closes what it opened. A row that does not end in time is killed with all that it has started.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

from .node import descendants

GRACE = 15.0
"""Seconds in which a row that is to end closes what it opened."""


def hold(cancel: Callable[[], object], grace: float = GRACE) -> None:
    """End this process with its parent; to be called in the main thread, once it can be cancelled.

    Args:
        cancel: makes the row end; called in a signal handler of the main thread.
        grace: seconds until the process is killed after that.
    """

    def on_signal(number: int, frame: object) -> None:
        killer = threading.Timer(grace, end_by_force)
        killer.daemon = True
        killer.start()
        cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def end_by_force() -> None:
    """Kill what this process has started, and end it."""
    for pid in reversed(descendants(os.getpid())):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(1)
