"""Call detail records: a line of JSON for each ended call, appended to a file that another program may rotate.

A record is written when its call is over, by the process that the user started, never in the path of a call. Records
that the disk does not take wait in memory, at most RING; beyond, the oldest is dropped and counted. A record is never
torn: when a full disk took a part of a line, its rest is written later. Where the file was opened anew since, the whole
line goes there. Once a second the disk is made to keep what was written, so that a power failure costs a second at
most.
"""

import datetime
import errno
import json
import logging
import os
import select
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from ..bus.messages import CallFinished
from ..counting.totals import Cell, SeriesRow
from ..diagnosis.failure_reasons import blame_of
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError
from ..host.named_files import open_to_write, why
from .results import COLUMNS
from .tally import discards_of

RING: Final = 10_000
"""Records that wait for the disk at most, some 4 MB."""
RETRY: Final = 1.0
"""Seconds between two tries to write to a disk that is full."""
CLOSING: Final = 2.0
"""Seconds that the end of a run waits for a reader of a pipe that is full."""
_FIGURES: Final = (
    "post_dial_delay",
    "answer_delay",
    "disconnect_delay",
    "jitter",
    "mos",
    "media_due",
    "media_present",
    "media_gap",
)
"""Columns in which -1.0 stands for none."""
_logger = logging.getLogger(__name__)


class Cdr:
    """The records of one run.

    Args:
        file: made when it does not exist.
        ring: number of records that may wait.
        retry: seconds between two tries to write to a disk that is full.
        closing: seconds that `close` waits for the reader of a pipe that is full.

    Raises:
        ConfigurationError: the file cannot be opened.
    """

    def __init__(self, file: Path, ring: int = RING, retry: float = RETRY, closing: float = CLOSING) -> None:
        self.file = file
        self.dropped = Cell()
        """Records that were lost because the disk took none and the ring was full."""
        self._ring = ring
        self._retry = retry
        self._closing = closing
        self._waiting: deque[bytes] = deque()
        self._torn = 0
        """Octets of the first waiting record that are in the file already."""
        self._place = (0, 0)
        """Device and inode of the file that was opened last."""
        self.unsynced = False
        """Records were written that the disk need not have kept yet."""
        self._syncing: threading.Thread | None = None
        self._failing = ""
        self._slow = False
        """The file is a pipe that was full at the last try."""
        self._retry_at = 0.0
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise ConfigurationError(
                f"--cdr {file}: {why(error)}; give a file in a folder that can be written to"
            ) from error

    @property
    def waiting(self) -> int:
        """Records that are not in the file yet."""
        return len(self._waiting)

    def rows(self) -> tuple[SeriesRow, ...]:
        """Return the lost records as a series of the process that writes."""
        return (("sipswarm_queue_dropped_total", ("cdr",), (self.dropped.value,)),)

    def add(self, row: CallFinished, failure: str = "") -> None:
        """Record a call that is over.

        Args:
            row: of the call.
            failure: the expectation that it missed, when it is judged elsewhere.
        """
        if not row.call_id:
            return  # a scenario's run that placed no call
        if len(self._waiting) >= self._ring:
            self._drop_oldest()
        self._waiting.append(record_of(row, failure or row.failure, time.time() - time.monotonic()))
        if not self._failing or time.monotonic() >= self._retry_at:
            self.flush()

    def flush(self) -> None:
        """Write the waiting records, as far as the disk takes them."""
        waiting = self._waiting
        try:
            if self._descriptor < 0:
                self._descriptor = self._open()
            while waiting:
                record = waiting[0][self._torn :]
                written = os.write(self._descriptor, record)
                if written < len(record):
                    self._torn += written
                    continue
                self._torn = 0
                self.unsynced = True
                waiting.popleft()
        except BlockingIOError:  # a pipe whose reader is slower than this; the next record tries again
            self._slow = True
            return
        except OSError as error:
            self._retry_at = time.monotonic() + self._retry
            self._slow = False
            if not self._failing:
                self._failing = why(error)
                _logger.error("--cdr %s: %s; records wait in memory, %d at most", self.file, self._failing, self._ring)
            return
        self._slow = False
        if self._failing:
            self._failing = ""
            _logger.warning("--cdr %s can be written again", self.file)

    def tick(self) -> None:
        """Called once a second: try the waiting records again, and sync the written ones, off this thread."""
        if self._waiting and time.monotonic() >= self._retry_at:
            self.flush()
        if self.unsynced and self._descriptor >= 0 and not (self._syncing and self._syncing.is_alive()):
            self.unsynced = False
            self._syncing = threading.Thread(target=self._sync, args=(os.dup(self._descriptor),), daemon=True)
            self._syncing.start()

    def reopen(self) -> None:
        """Let go of the file, which may have another name by now, and go on in a new one (SIGHUP)."""
        self._close()
        self.flush()

    def close(self, lost: int = 0) -> str:
        """Write the waiting records for the last time.

        Args:
            lost: records that never came here.

        Returns:
            What the file lacks, in words; empty = nothing.
        """
        self.flush()
        deadline = time.monotonic() + self._closing
        while self._slow and (left := deadline - time.monotonic()) > 0:
            room = select.poll()
            room.register(self._descriptor, select.POLLOUT)
            room.poll(left * 1000)
            self.flush()
        self._close()
        lost += int(self.dropped.value) + len(self._waiting)
        if not lost:
            return ""
        problem = self._failing or ("its reader is too slow" if self._slow else "")
        mend = "make room, or give another file" if self.dropped.value or self._waiting else "the log says why"
        return f"--cdr {self.file} lacks {lost} records{f': {problem}' if problem else ''}; {mend}"

    def _open(self) -> int:
        descriptor = open_to_write(self.file, os.O_APPEND | os.O_CREAT, 0o640)
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self._place:
            self._place = (status.st_dev, status.st_ino)
            self._torn = 0
        return descriptor

    def _close(self) -> None:
        if self._descriptor >= 0:
            if self.unsynced:
                self._sync(os.dup(self._descriptor))
            self.unsynced = False
            os.close(self._descriptor)
            self._descriptor = -1

    def _sync(self, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EROFS):  # a pipe or a device, which keeps nothing
                _logger.error("--cdr %s: %s; records that were written may be lost", self.file, error.strerror)
        finally:
            os.close(descriptor)

    def _drop_oldest(self) -> None:
        if self._torn and len(self._waiting) > 1:
            del self._waiting[1]  # the first one has begun in the file
        else:
            self._waiting.popleft()
            self._torn = 0
        self.dropped.value += 1


def record_of(row: CallFinished, failure: str, unix_offset: float) -> bytes:
    """Return a line of JSON: the columns of calls.csv and `role`.

    `start` and `end` are times of day; null stands for a figure that there was not.

    Args:
        row: of the call.
        failure: the expectation that it missed.
        unix_offset: seconds from the monotonic clock to the Unix epoch.
    """
    values: dict[str, Any] = row._asdict()
    values |= {"id": row.call_id, "failure": failure}
    for name, moment in (("start", row.started), ("end", row.ended)):
        at = datetime.datetime.fromtimestamp(moment + unix_offset, datetime.UTC)
        values[name] = at.isoformat(timespec="milliseconds")
    failure = failure or row.failure
    values["blame"] = blame_of(failure).value if failure else ""
    for name in ("id", "scenario", "failure", "phrase", "cause"):
        values[name] = shown(values[name])
    values["code"] = row.code or None
    values |= {"rtp_discarded": sum(row.rtp_discards), "discards": discards_of(row)}
    for name in _FIGURES:
        values[name] = None if values[name] < 0 else values[name]
    record = {
        name: round(value, 6) if isinstance(value := values[name], float) else value for name in (*COLUMNS, "role")
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
