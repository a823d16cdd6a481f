"""The actions of two signals in every verb that has calls."""

import faulthandler
import os
import signal
import sys
from contextlib import suppress


def leave_at_once() -> None:
    """Exit without results; the processes of the node get SIGTERM from the kernel and hang up by themselves."""
    os._exit(1)


def show_stack_on_sigusr2() -> None:
    """Have SIGUSR2 write the stack to standard error, as the other processes do, instead of ending this one."""
    with suppress(OSError, ValueError):  # no descriptor behind standard error
        faulthandler.register(signal.SIGUSR2, file=sys.stderr.fileno(), all_threads=False)
