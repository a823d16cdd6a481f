"""Appends records to a file by a thread of its own: nothing of a record is lost but what is counted, nobody waits.

Records that the disk does not take yet wait in memory, a bounded number of them; beyond, the oldest is dropped and
counted. A record is never torn: when a full disk took a part of one, its rest follows later, or all of it where the
file was opened anew since. A disk that hangs stops the thread alone, which is a daemon and is never joined.
"""

import errno
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from .named_files import why

RETRY: Final = 1.0
"""Seconds between two tries to write to a disk that is full."""
REST: Final = 0.02
"""Seconds in which records gather for one write."""
SLICE: Final = 0.05
"""Seconds that the reader of a full pipe is waited for at a time."""
BATCH: Final = 256
"""Records in one write."""
SYNC_EVERY: Final = 1.0
"""Seconds after which the disk is made to keep what was written."""
_logger = logging.getLogger(__name__)


class RecordWriter:
    """One file.

    Args:
        name: of the file, for the log.
        opens: opens it for appending; called again after `reopen`, in the thread.
        ring: number of records that may wait.
        retry: seconds between two tries.
        syncs: make the disk keep what was written, once a second.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(
        self, name: str, opens: Callable[[], int], *, ring: int, retry: float = RETRY, syncs: bool = False
    ) -> None:
        self.dropped = 0
        """Records that were lost because the disk took none and the ring was full."""
        self.problem = ""
        """Why the last try to write has failed; empty = it has not."""
        self._ring = ring
        self._retry = retry
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._busy = 0
        """Waiting records, from the first on, that must not be dropped: the thread is about them."""
        self._passed = 0
        """Records that do not wait any more, ever."""
        self._torn = 0
        """Octets of the first waiting record that are in the file already."""
        self._reopen_at = -1
        """Records after which the file is to be opened anew; -1 = it is not."""
        self._slow = False
        """The file is a pipe that was full at the last try."""
        self._retry_at = self._close_at = 0.0
        self._file = _File(name, opens, syncs)
        self._file.open()
        self._wanted = threading.Event()
        self._asked = self._answered = 0
        self._news = threading.Condition()
        self._at_end: Callable[[], None] | None = None
        self.ended = False
        """The thread has let go of the file."""
        threading.Thread(target=self._run, name="records", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Records that are not in the file yet."""
        return len(self._waiting)

    def put(self, record: bytes) -> None:
        """Take a record; the oldest that waits is dropped when there are too many."""
        with self._lock:
            if len(self._waiting) >= self._ring:
                self._drop_oldest()
            self._waiting.append(record)
        if not self._wanted.is_set():
            self._wanted.set()

    def reopen(self) -> None:
        """Let go of the file, which may have another name by now, and go on in a new one with later records."""
        with self._lock:
            self._reopen_at = self._passed + len(self._waiting)
        self._wanted.set()

    def flush(self, within: float) -> bool:
        """Wait until the waiting records are written, or were tried.

        Args:
            within: seconds at most.

        Returns:
            Whether none waits.
        """
        self._asked += 1
        asked = self._asked
        self._wanted.set()
        with self._news:
            self._news.wait_for(lambda: self.ended or self._answered >= asked, within)
        return not self._waiting

    def close(self, within: float, at_end: Callable[[], None] | None = None) -> int:
        """Write what waits for the last time; a pipe gets until the end to be read.

        Args:
            within: seconds at most.
            at_end: called in the thread when all is written and the file closed. May raise OSError.

        Returns:
            Records that are not in the file.
        """
        if not self._closing:
            self._at_end = at_end
            self._close_at = time.monotonic() + within
        self._wanted.set()
        with self._news:
            ended = self._news.wait_for(lambda: self.ended, within + 2 * SLICE)
        if self._slow and self._waiting:
            self.problem = self.problem or "its reader is too slow"
        elif not ended:
            self.problem = self.problem or f"the disk took nothing for {within:g} s"
        return self.dropped + len(self._waiting)

    @property
    def _closing(self) -> bool:
        return self._close_at > 0

    def _run(self) -> None:
        rest = threading.Event()  # never set: a pause in which records gather
        while not self.ended:
            asked = self._asked
            closing = self._closing
            self._wanted.clear()
            if not self.problem or asked != self._answered or closing or time.monotonic() >= self._retry_at:
                self._write_waiting()
            self._file.sync(now=closing)
            if closing and (not self._waiting or not self._slow or time.monotonic() >= self._close_at):
                self._end()
            with self._news:
                self._answered = asked
                self._news.notify_all()
            if self.ended or self._closing != closing:
                continue
            if self._slow and self._waiting:
                self._wait_for_reader()
            elif self._wanted.wait(self._pause()) and asked == self._asked:
                rest.wait(REST)

    def _pause(self) -> float | None:
        """Seconds until there is something to do without being asked; None = never."""
        if self._waiting and self.problem:
            return max(0.0, self._retry_at - time.monotonic())
        return SYNC_EVERY if self._file.unsynced else None

    def _wait_for_reader(self) -> None:
        room = select.poll()
        room.register(self._file.descriptor, select.POLLOUT)
        room.poll(SLICE * 1000)

    def _write_waiting(self) -> None:
        try:
            self._reopen_if_due()
            while True:
                with self._lock:
                    before = BATCH if self._reopen_at < 0 else self._reopen_at - self._passed
                    self._busy = min(len(self._waiting), BATCH, before)
                    octets = b"".join(self._waiting[each] for each in range(self._busy))[self._torn :]
                if not octets:
                    break
                self._written(self._file.write(octets))
                self._reopen_if_due()
        except BlockingIOError:  # a pipe whose reader is slower than this
            self._slow = True
        except OSError as error:
            self._slow = False
            self._failed(why(error))
        else:
            self._slow = False
            if self.problem:
                self.problem = ""
                _logger.warning("%s can be written again", self._file.name)
        finally:
            with self._lock:
                self._busy = 1 if self._torn else 0

    def _failed(self, problem: str) -> None:
        self._retry_at = time.monotonic() + self._retry
        if not self.problem:
            self.problem = problem
            _logger.error("%s: %s; records wait in memory, %d at most", self._file.name, problem, self._ring)
        if self._reopen_at >= 0:
            self._file.release()

    def _written(self, octets: int) -> None:
        """Let go of the records that are in the file."""
        with self._lock:
            octets += self._torn
            while self._waiting and octets >= len(self._waiting[0]):
                octets -= len(self._waiting.popleft())
                self._passed += 1
                self._busy -= 1
            self._torn = octets

    def _drop_oldest(self) -> None:
        place = min(self._busy, len(self._waiting) - 1)
        del self._waiting[place]
        self._passed += 1
        self.dropped += 1

    def _reopen_if_due(self) -> None:
        with self._lock:
            due = self._reopen_at >= 0 and (self._reopen_at <= self._passed or bool(self.problem))
        if due:
            self._file.release()
            self._reopen_at = -1
        if self._file.descriptor < 0 and self._file.open():
            self._torn = 0

    def _end(self) -> None:
        try:
            self._file.release()
            if self._at_end is not None and not self._waiting:
                self._at_end()
        except OSError as error:
            self.problem = self.problem or why(error)
        self.ended = True


class _File:
    """The file as it is now."""

    def __init__(self, name: str, opens: Callable[[], int], syncs: bool) -> None:
        self.name = name
        self._opens = opens
        self._syncs = syncs
        self._place = (0, 0)
        """Device and inode of the file that was opened last."""
        self._unsynced_since = 0.0
        self.descriptor = -1

    @property
    def unsynced(self) -> bool:
        """Whether the disk need not have kept all that was written."""
        return self._unsynced_since > 0

    def open(self) -> bool:
        """Open it; whether it is another one than before. May raise OSError."""
        self.descriptor = self._opens()
        status = os.fstat(self.descriptor)
        before, self._place = self._place, (status.st_dev, status.st_ino)
        return before != self._place

    def write(self, octets: bytes) -> int:
        """Write; the number of octets that it took. May raise OSError."""
        written = os.write(self.descriptor, octets)
        self._unsynced_since = self._unsynced_since or time.monotonic()
        return written

    def release(self) -> None:
        """Let go of it."""
        if self.descriptor >= 0:
            self.sync(now=True)
            os.close(self.descriptor)
            self.descriptor = -1

    def sync(self, *, now: bool) -> None:
        """Make the disk keep what was written: now, or when it is due."""
        if not self._unsynced_since or not (now or time.monotonic() - self._unsynced_since >= SYNC_EVERY):
            return
        self._unsynced_since = 0.0
        if not self._syncs:
            return
        try:
            os.fdatasync(self.descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EROFS):  # a pipe or a device, which keeps nothing
                _logger.error("%s: %s; records that were written may be lost", self.name, error.strerror)
