"""Where the command begins: its imports under a SIGINT that ends the process, then the command.

The half second of imports has nothing to clean up, and a traceback of it helps nobody. As little as possible is
imported before.
"""

import os
import signal
from collections.abc import Callable, Sequence

INTERRUPTED = 130
"""exit code of a command that SIGINT ended before it had begun: 128 + 2, as of a shell"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code.

    arguments: without the program's name; those of this process when not given.
    """
    try:
        before = _end_on_interrupt()
        try:
            from .app import main as run
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _end_on_interrupt() -> Callable[..., object] | int | None:
    """Have SIGINT end the process at once; returns the handler before it, None outside of the main thread."""
    try:
        return signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    except ValueError:
        return None
