"""Writes recordings beside the packets: one thread for all files of an engine, and bounded waits for it.

A disk that is slow or hangs stops the thread, never the engine. Opening, the first flush and closing are waited for a
moment, so that a path that cannot be used is refused at once, and a file is whole when its stream is closed. After one
that was waited for in vain, nothing is waited for until it is done, nor in the next second. What a disk does not take
waits in memory, up to a bound for each file and for all; beyond, the recording ends with an error. Parts that never
reach the disk are counted. The thread is a daemon: a process ends without a disk that hangs. Nothing here knows formats
or streams.
"""

import errno
import math
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from .refusal import Refused
from .sinks import Opens, OutputFile, open_for_writing

PATIENCE: Final = 0.1
"""Seconds for which the engine waits for the disk at a time."""
REST: Final = 1.0
"""Seconds without such a wait after one in vain."""
LAST_PATIENCE: Final = 1.0
"""Seconds for which the end of the engine waits for all that is not written yet."""
PART: Final = 1 << 14
"""Octets that are handed to the thread together, unless the file is flushed before."""
MOST: Final = 1 << 20
"""Octets of one file that may wait: a minute of 8000 samples of 16 bit a second."""
MOST_IN_ALL: Final = 64 << 20
"""Octets of all files that may wait."""


class Disk:
    """The files of one engine.

    Args:
        opens: creates or empties a file; called in the thread; may raise `OSError` or `Refused`.
        patience: seconds, see `PATIENCE`.
        most, most_in_all: octets, see `MOST` and `MOST_IN_ALL`.
    """

    def __init__(
        self,
        opens: Opens = open_for_writing,
        *,
        patience: float = PATIENCE,
        most: int = MOST,
        most_in_all: int = MOST_IN_ALL,
    ) -> None:
        self._opens = opens
        self._patience = patience
        self.most = most
        self._most_in_all = most_in_all
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = False
        self._missed = threading.Event()
        """The end of what was waited for in vain."""
        self._missed.set()
        self._rests_until = -math.inf
        self._lock = threading.Lock()
        self._waiting = 0
        self.lost = 0
        """Parts of files that never reached the disk."""

    @property
    def waiting(self) -> int:
        """Octets that wait."""
        return self._waiting

    def open(self, path: str) -> "DiskFile":
        """Create or empty a file.

        Raises:
            OSError, Refused, ValueError: it is known already that the file cannot be written, or has no such name.
        """
        return DiskFile(self, path)

    def close(self, within: float = LAST_PATIENCE) -> None:
        """Wait for what is not written yet, and end the thread; what the disk does not take in time is lost.

        Args:
            within: seconds.
        """
        if self._started:
            self._started = False
            done = threading.Event()
            self._jobs.put(done.set)
            self._jobs.put(None)
            done.wait(within)

    def opened(self, path: str) -> OutputFile:
        """Create or empty a file, in the thread."""
        return self._opens(path)

    def take(self, size: int) -> bool:
        """Reserve room for octets that wait; False without room."""
        with self._lock:
            if self._waiting + size > self._most_in_all:
                return False
            self._waiting += size
            return True

    def passed(self, size: int, *, lost: bool) -> None:
        """Release the room of a part that is written, or lost."""
        with self._lock:
            self._waiting -= size
            self.lost += lost

    def run(self, job: Callable[[], None], *, waits: bool = False) -> bool:
        """Have the thread do something, after all before it.

        Args:
            waits: wait for its end, if the disk keeps up.

        Returns:
            Whether it is known to be done.
        """
        if not self._started:
            self._started = True
            threading.Thread(target=self._work, name="recordings", daemon=True).start()
        if not waits:
            self._jobs.put(job)
            return False
        done = threading.Event()

        def marked() -> None:
            try:
                job()
            finally:
                done.set()

        self._jobs.put(marked)
        if not self._missed.is_set() or time.monotonic() < self._rests_until:
            return done.is_set()
        if done.wait(self._patience):
            return True
        self._missed = done
        self._rests_until = time.monotonic() + REST
        return False

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class DiskFile:
    """A file that is written by the thread of a `Disk`: like a binary file, as far as sinks use one."""

    __slots__ = ("_at_start", "_disk", "_error", "_file", "_given", "_held", "_is_first", "_passed", "_size")

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._file: OutputFile | None = None
        self._error: Exception | None = None
        self._held: list[tuple[bool, bytes]] = []
        """Octets that are not handed over yet, each with whether they go to the start of the file."""
        self._at_start = False
        self._is_first = True
        self._given = 0
        """Octets that were handed over."""
        self._passed = 0
        """Octets that the thread has done with."""
        self._size = 0
        """Of what the thread has written: another writer of the same file must not move it."""
        if b"\0" in os.fsencode(path):
            raise ValueError("a NUL in the name of a file")
        disk.run(lambda: self._open(path), waits=True)
        if self._error is not None:
            raise self._error

    def write(self, octets: bytes) -> int:
        """Write at the place of the last `seek`, or behind the last octets.

        Raises:
            OSError: an earlier part could not be written, or too much waits for the disk.
        """
        self._check()
        self._held.append((self._at_start, bytes(octets)))
        if sum(len(each) for _, each in self._held) >= PART:
            self._hand_over(waits=False)
        return len(octets)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Write at the start from now on, or with SEEK_END behind the last octets; there are no other places."""
        self._at_start = whence == os.SEEK_SET
        return offset

    def flush(self) -> None:
        """Hand everything to the disk; the first time it is waited for.

        Raises:
            OSError: as for `write`.
        """
        self._check()
        self._hand_over(waits=self._is_first)
        self._is_first = False
        self._check()

    def close(self) -> None:
        """Write what is held and close the file.

        Raises:
            OSError: it is known that not all of it was written.
        """
        if self._held and self._error is None:
            self._hand_over(waits=False)
        self._disk.run(self._end, waits=True)
        self._check()

    def _check(self) -> None:
        error = self._error
        if isinstance(error, OSError):
            raise error
        if error is not None:  # the file could not be opened, which took longer than the wait
            raise OSError(errno.EIO, str(error)) from error

    def _hand_over(self, *, waits: bool) -> None:
        held, self._held = self._held, []
        size = sum(len(each) for _, each in held)
        if self._given - self._passed + size > self._disk.most or not self._disk.take(size):
            self._disk.passed(0, lost=True)
            self._error = OSError(errno.EIO, "the disk takes nothing")
            raise self._error
        self._given += size
        self._disk.run(lambda: self._write(held, size), waits=waits)

    # ---- in the thread

    def _open(self, path: str) -> None:
        try:
            self._file = self._disk.opened(path)
        except (OSError, Refused, ValueError) as error:  # other files need the thread
            self._error = error

    def _write(self, held: list[tuple[bool, bytes]], size: int) -> None:
        lost = self._file is None
        try:
            if self._file is not None:
                for at_start, octets in held:
                    at = 0 if at_start else self._size
                    self._file.seek(at)
                    self._file.write(octets)
                    self._size = max(self._size, at + len(octets))
                self._file.flush()
        except (OSError, ValueError) as error:
            self._error = self._error or error
            lost = True
        self._passed += size
        self._disk.passed(size, lost=lost)

    def _end(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except (OSError, ValueError) as error:
            self._error = self._error or error
