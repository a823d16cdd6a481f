"""The end of a process once everything is said: at once, whatever it still holds.

The interpreter would free each object one by one, for seconds where calls have just ended by the thousand, and the
supervisor kills who takes that long. What a user's file left in its buffers is written first, and its exit functions
run; nothing else is waited for.
"""

import atexit
import gc
import io
import os
from contextlib import suppress

_BUFFERED = frozenset((io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom))


def leave(status: int) -> None:
    """End this process.

    Args:
        status: its exit status.
    """
    atexit._run_exitfuncs()  # it writes their errors to standard error
    gc.unfreeze()
    for text in (True, False):  # a text file writes into its buffer first
        for each in gc.get_objects():
            if type(each) in _BUFFERED and isinstance(each, io.TextIOWrapper) is text:
                with suppress(OSError, ValueError):
                    each.flush()
    os._exit(status)
