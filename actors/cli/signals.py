"""The actions of two signals in every verb that has calls."""

import faulthandler
import os
import signal
import sys
import threading
from contextlib import suppress


def leave_at_once() -> None:
    """Exit without results; the processes of the node get SIGTERM from the kernel and hang up by themselves."""
    os._exit(1)


def show_stack_on_sigusr2() -> None:
    """Have SIGUSR2 write the stack to standard error, as the other processes do, instead of ending this one.

    It comes through a pipe that does not block, because whoever reads standard error may have stopped to.
    """
    with suppress(OSError):  # no more files can be opened; then nothing is shown
        reads, writes = os.pipe()
        os.set_blocking(writes, False)
        faulthandler.register(signal.SIGUSR2, file=writes, all_threads=False)
        threading.Thread(target=_forward, args=(reads,), name="stacks", daemon=True).start()


def _forward(reads: int) -> None:
    while octets := os.read(reads, 1 << 16):
        sys.stderr.write(octets.decode("utf-8", "backslashreplace"))
        sys.stderr.flush()
