"""The actions of signals: of SIGINT while a command starts, of two others in every verb that has calls."""

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

INTERRUPTED: Final = 130
"""Exit code of a command that SIGINT ended before it had begun: 128 + 2, as of a shell."""


@contextmanager
def end_on_interrupt() -> Iterator[None]:
    """Have SIGINT end the process at once, without a word; in another thread than the main one nothing changes.

    It is for imports: they have nothing to clean up, and a traceback out of them helps no user.
    """
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def leave_at_once() -> None:
    """Exit without results; the processes of the node get SIGTERM from the kernel and hang up by themselves."""
    os._exit(1)


def show_stack_on_sigusr2() -> None:
    """Have SIGUSR2 write the stack to standard error, as the other processes do, instead of ending this one.

    It comes through a pipe that does not block, because whoever reads standard error may have stopped to.

    Raises:
        ConfigurationError: the system lets no more threads run.
    """
    from ..host import kernel  # not before SIGINT ends the start: see `end_on_interrupt`

    with suppress(OSError):  # no more files can be opened; then nothing is shown
        reads, writes = os.pipe()
        os.set_blocking(writes, False)
        faulthandler.register(signal.SIGUSR2, file=writes, all_threads=False)
        kernel.start(threading.Thread(target=_forward, args=(reads,), name="stacks", daemon=True))


def _forward(reads: int) -> None:
    while octets := os.read(reads, 1 << 16):
        sys.stderr.write(octets.decode("utf-8", "backslashreplace"))
        sys.stderr.flush()
