"""The beginning of the command: its imports under a SIGINT that ends the process, then the command.

The half second of imports has nothing to clean up, and a traceback of it helps no user. As little as possible is
imported before.
"""

import os
import signal
from collections.abc import Callable, Sequence

INTERRUPTED = 130
"""Exit code of a command that SIGINT ended before it had begun: 128 + 2, as of a shell."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of this process when not given.
    """
    try:
        _fill_standard_descriptors()
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
    """Have SIGINT end the process at once; return the handler before it, None outside of the main thread."""
    try:
        return signal.signal(signal.SIGINT, lambda number, frame: os._exit(INTERRUPTED))
    except ValueError:
        return None


def _fill_standard_descriptors() -> None:
    """Open /dev/null for standard input, output or error where it is closed (`<&-`).

    The next file or socket would get its number: printed text would go there, and libuv aborts when it closes it.
    """
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened == descriptor:
                os.set_inheritable(descriptor, True)  # the processes of the node inherit it as they would the terminal
            else:
                os.dup2(opened, descriptor)
                os.close(opened)
