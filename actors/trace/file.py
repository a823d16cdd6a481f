"""A file of every SIP message of the node, to which each call worker appends: the capture of `--sip-trace`, or text.

`create` makes it, once, with its header. Each worker then has it open for appending and writes whole records with one
call, so that records of several workers never mix; they are in the order of time to about a tenth of a second. Masking
and writing happen in a thread: a disk that stands still costs messages of the trace, counted, and never a call.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ..counting.totals import Totals
from ..errors import ConfigurationError
from ..host.named_files import is_pipe, open_to_write, why
from . import pcap
from .ladder import Row
from .masking import masked

WAITING: Final = 8192
"""Messages that wait for the thread."""
BATCH: Final = 256
"""Messages in one write."""
REST: Final = 0.05
"""Seconds between two looks of the thread."""
CLOSING: Final = 2.0
"""Seconds that closing waits for the disk."""
_FIX: Final = "give a plain file in a folder that can be written to"
_logger = logging.getLogger(__name__)


def create(path: str, header: bytes = pcap.HEADER, option: str = "--sip-trace") -> None:
    """Make the file, or empty it; only its owner may read it.

    Args:
        header: what it begins with.
        option: that named it, for messages.

    Raises:
        ConfigurationError: it cannot be written, or is a link or a pipe.
    """
    try:
        descriptor = open_to_write(path, os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            if is_pipe(os.fstat(descriptor).st_mode):  # messages of several processes would mix in it
                raise ConfigurationError(f"{option} {path}: it is a pipe; {_FIX}")
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, header)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: {why(error)}; {_FIX}") from error


class TraceFile:
    """One worker's way into the file.

    Args:
        path: made by `create`.
        clock_offset: from monotonic seconds to those since 1970.
        form: makes the octets of a message in the file, of its row, secrets masked, and of that offset.
    """

    def __init__(
        self, path: str, totals: Totals, *, clock_offset: float, form: Callable[[Row, float], bytes] | None = None
    ) -> None:
        self._path = path
        self._offset = clock_offset
        self._form = form or captured
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_trace")
        self._waiting: deque[Row] = deque()
        self._wanted = threading.Event()
        self._closing = False
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="sip-trace", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Have a message written; dropped and counted when too many wait, or the file cannot be written."""
        if self._failed:
            self._dropped.value += len(self._waiting)
            self._waiting.clear()
        if self._failed or len(self._waiting) >= WAITING:
            self._dropped.value += 1
            return
        self._waiting.append(row)
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self) -> None:
        """Write what waits, for at most two seconds."""
        self._closing = True
        self._wanted.set()
        self._thread.join(CLOSING)

    def _run(self) -> None:
        try:
            descriptor = open_to_write(self._path, os.O_APPEND | os.O_NOFOLLOW, 0o600)
            try:
                self._write_all(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._failed = True
            _logger.error("%s is not complete: %s; SIP is not traced any more", self._path, why(error))

    def _write_all(self, descriptor: int) -> None:
        rest = threading.Event()  # never set: a pause that gathers messages for one write
        while True:
            self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                count = min(BATCH, len(self._waiting))
                octets = b"".join([self._record(self._waiting.popleft()) for _ in range(count)])
                while octets:
                    octets = octets[os.write(descriptor, octets) :]
            if self._closing:
                return
            rest.wait(REST)

    def _record(self, row: Row) -> bytes:
        at, sent, transport, local, remote, data, note = row
        return self._form((at, sent, transport, local, remote, masked(data), note), self._offset)


def captured(row: Row, offset: float) -> bytes:
    """Return a message as a packet of a capture.

    Args:
        row: of the message.
        offset: from its time to seconds since 1970.
    """
    at, sent, _, local, remote, data, _ = row
    ends = (local, remote) if sent else (remote, local)
    return pcap.packet(at + offset, *ends, data)
