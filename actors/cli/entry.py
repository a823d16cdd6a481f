"""The beginning of the command: its imports under a SIGINT that ends the process, then the command.

As little as possible is imported before.
"""

import os
from collections.abc import Sequence

from .signals import INTERRUPTED, end_on_interrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of this process when not given.
    """
    try:
        _fill_standard_descriptors()
        with end_on_interrupt():
            from .app import main as run
        return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


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
