"""The run directory: private, locked by one node, home of the socket and shared files between its processes.

A second bind on a live `ipc://` path succeeds and steals it, so the lock (flock) and the mode 0700 are what keeps two
nodes and other users apart. A node that is killed leaves its fresh directory, which the next start removes.

A node runs for months, and programs that clean temporary folders remove what has not been used for days. So `look`
keeps the times of everything in the directory new, and makes a directory that was removed again.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import stat
import tempfile
from math import inf
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError
from .left_run_dirs import LOCK_SIZE, MARK, PREFIX, remove_left

LONGEST_SOCKET_PATH = 107
"""Octets; sun_path of unix(7) less its final NUL."""
_LONGEST_NAME = "/media-999.sock"
USE_EVERY: Final = 3600.0
"""Seconds after which the times of the files are made new."""
_logger = logging.getLogger(__name__)


class RunDirectory:
    """Made or taken, locked, emptied of stale socket and shared files; `close` removes all that was made.

    Args:
        path: an existing or new directory; empty = a fresh one below `$XDG_RUNTIME_DIR` or the system's temporary
            folder.

    Raises:
        ConfigurationError: in use by another node, not private, too long a path, or not writable.
    """

    def __init__(self, path: str = "") -> None:
        self._fresh = not path
        self._is_missed = False
        if not path:
            parent = os.environ.get("XDG_RUNTIME_DIR", "")
            parent = parent if parent and os.access(parent, os.W_OK) else tempfile.gettempdir()
            remove_left(parent)
            path = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
        self.path = os.path.abspath(path)
        length = len(os.fsencode(self.path + _LONGEST_NAME))
        if length > LONGEST_SOCKET_PATH:
            if self._fresh:
                os.rmdir(self.path)
            raise ConfigurationError(
                f"run directory {self.path}: its socket paths would have {length} octets, the system allows "
                f"{LONGEST_SOCKET_PATH}; choose a shorter --run-dir"
            )
        self._used_at = -inf
        self._lock = self._take()
        self._remove_files()

    def _take(self) -> int:
        """Make the directory where it is not there, and lock it.

        Returns:
            Descriptor of the lock.
        """
        try:
            Path(self.path).mkdir(mode=0o700, exist_ok=True)
            status = os.stat(self.path)
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise ConfigurationError(
                    f"run directory {self.path} must be yours and closed to others; do: chmod 700 {self.path}"
                )
            lock = os.open(os.path.join(self.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"run directory {self.path}: {error.strerror}; choose a writable --run-dir"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, *_ = os.read(lock, LOCK_SIZE).decode("ascii", "replace").split() or [""]
            os.close(lock)
            raise ConfigurationError(
                f"run directory {self.path} is in use by another sipswarm (pid {pid or 'unknown'}); "
                "stop it or choose another --run-dir"
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}{f' {MARK}' if self._fresh else ''}\n".encode())
        return lock

    def look(self, now: float) -> None:
        """Make the directory again where somebody has removed it; processes bind their sockets in it by themselves.

        Args:
            now: monotonic seconds.
        """
        if not os.path.lexists(os.path.join(self.path, "lock")):
            self._take_again()
        elif now - self._used_at >= USE_EVERY:
            self._used_at = now
            with contextlib.suppress(OSError):
                for each in (self.path, *(entry.path for entry in os.scandir(self.path))):
                    os.utime(each)

    def _take_again(self) -> None:
        try:
            lock = self._take()
        except (ConfigurationError, OSError) as error:
            if not self._is_missed:
                _logger.error("the run directory was removed, and no process can be replaced: %s", error)
            self._is_missed = True
            return
        os.close(self._lock)
        self._lock, self._is_missed = lock, False
        _logger.warning("run directory %s was removed, and is made again", self.path)

    def close(self) -> None:
        """Remove the socket and shared files; a fresh directory goes too, in one that was given the lock file stays."""
        self._remove_files()
        if self._fresh:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def _remove_files(self) -> None:
        for pattern in ("*.sock", "*.shared"):
            for each in Path(self.path).glob(pattern):
                each.unlink(missing_ok=True)
