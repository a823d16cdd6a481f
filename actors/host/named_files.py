"""Files that a user names: what is read whole, with a bound (`/dev/zero` and its kin end too), and what is written.

Opening a named pipe waits for its other end. So no pipe is taken where several processes read the same file, or read it
anew later; and no pipe without a reader where we write. What one process reads once, before it handles any signal, may
be a pipe.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

MOST: Final = 4 << 20
"""Octets of a script, a profile or a configuration."""
MOST_ROWS: Final = 256 << 20
"""Octets of a file of rows."""
_OF_A_PROCESS: Final = ("/dev/fd/", "/dev/std", "/proc/self/", "/proc/thread-self/")
"""Where each process finds files of its own."""


def read_octets(path: str | Path, wanted: str, most: int = MOST, *, again: bool = False) -> bytes:
    """The octets of a file.

    Args:
        wanted: what kind of file it is to be, for the message: "a CSV file".
        most: octets that it may have.
        again: other processes read it too, or this one later, so that it must be no pipe.

    Raises:
        ConfigurationError: it cannot be read, or has more, or is a pipe that must be none.
    """
    if again:
        refuse_pipe(path, wanted)
    try:
        with open(path, "rb", opener=_open_without_waiting if again else None) as file:
            octets = file.read(most + 1) or b""
    except (OSError, ValueError) as error:  # ValueError: a name with NUL
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path}: {reason}; give {wanted}") from error
    if len(octets) > most:
        raise ConfigurationError(f"{path}: it has more than {most >> 20} MiB; give {wanted}")
    return octets


def refuse_pipe(path: str | Path, wanted: str, option: str = "") -> None:
    """See that a file which is read more than once is none that can be read only once.

    Args:
        wanted: as for `read_octets`.
        option: the option that named it, for the message.

    Raises:
        ConfigurationError: it is a pipe or a socket, or a name that each process understands differently.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # opening it raises the reason
    if is_pipe(mode) or os.path.abspath(path).startswith(_OF_A_PROCESS):
        named = f"{option} {path}".strip()
        raise ConfigurationError(
            f"{named}: it is read by several processes, which a pipe cannot be; give {wanted} on disk"
        )


def is_pipe(mode: int) -> bool:
    """Whether a file of such a mode (`st_mode`) is a pipe or a socket, with another end."""
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def open_to_write(path: str | Path, flags: int, mode: int) -> int:
    """Open a file for writing without ever waiting; the descriptor, which does not block.

    Args:
        flags: such as `os.O_APPEND`; those of writing and of not waiting are added.
        mode: permissions of a file that is made.

    Raises:
        OSError: it cannot be opened. ENXIO: it is a pipe without a reader, or a socket; `why` has words for it.
    """
    return os.open(path, flags | os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC, mode)


def why(error: OSError) -> str:
    """Why a file cannot be opened for writing, in words."""
    if error.errno == errno.ENXIO:
        return "it is a pipe that nobody reads, or a socket"
    return error.strerror or str(error)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
