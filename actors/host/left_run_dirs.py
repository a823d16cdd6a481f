"""Fresh run directories that nodes left behind, because they were killed: the next start removes them.

The lock of a directory (flock) is free once its supervisor is gone, whatever has its number by then. It holds the
number and `MARK` from the moment it is locked on, so that neither a directory in the making nor one that a user named
is taken for a left one. Processes without a supervisor may still hang up their calls: they listen at its sockets, and
the directory stays for a later start.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import stat
from itertools import islice
from pathlib import Path
from typing import Final

PREFIX: Final = "sipswarm-"
"""Begins the name of a fresh run directory."""
MARK: Final = "fresh"
"""Second word of the lock of a fresh run directory."""
MOST: Final = 256
"""Directories that one start looks at."""
LOCK_SIZE: Final = 64
"""Octets of a lock file that are read."""


def remove_left(parent: str) -> int:
    """Remove the fresh run directories of this user in a folder whose nodes are gone.

    Returns:
        Number of those removed.
    """
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        named = (each.path for each in entries if each.name.startswith(PREFIX) and each.is_dir(follow_symlinks=False))
        return sum(map(_remove, list(islice(named, MOST))))
    return 0


def _remove(path: str) -> bool:
    """Remove a directory if it was left; whether it was."""
    with contextlib.suppress(OSError):
        status = os.stat(path, follow_symlinks=False)
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            return False
        lock = os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.read(lock, LOCK_SIZE).split()[1:] == [MARK.encode()] and not _is_served(path):
                shutil.rmtree(path, ignore_errors=True)
                return not os.path.lexists(path)
        finally:
            os.close(lock)
    return False


def _is_served(path: str) -> bool:
    """Whether a process listens at a socket of a directory."""
    for each in Path(path).glob("*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(each))
            except (ConnectionRefusedError, FileNotFoundError):
                continue
            except OSError:
                return True  # its queue is full: that of a process that lives
            return True
    return False
