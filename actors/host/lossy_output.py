"""Lines on their way to a descriptor that may stand still: nobody who writes one ever waits.

A reader that stopped reading, a terminal in XOFF, a full or a hanging disk: what carries or supervises calls must not
stand still with them. A descriptor that other processes share is left as it is, and a thread of its own writes to it:
`ThreadedOutput`. The pipe from a process to its supervisor is that process's alone and does not block: `PipeOutput`
writes to it at once, so that the last words of a process that is killed are there. Both hold a bounded number of
octets; a line beyond is lost and counted, and how many were lost is said as soon as something can be written again.
"""

import errno
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from . import kernel

UNREAD: Final = (errno.EPIPE, errno.EIO)
"""Errors of output whose reader is gone: of a closed pipe, and of a terminal that is gone."""
MOST: Final = 1 << 20
"""Octets that wait for a reader."""
CHUNK: Final = 1 << 16
"""Octets in one write."""
RETRY: Final = 1.0
"""Seconds between two tries to say how many lines were lost."""

Notice = Callable[[int], bytes]
"""Gives the line that says how many lines were lost; empty = it has said so elsewhere."""


class Output:
    """What takes lines and never blocks.

    Attributes:
        problem: why lines are lost that a person expects; empty = none are.
    """

    def __init__(self, descriptor: int, notice: Notice) -> None:
        self.descriptor = descriptor
        self.problem = ""
        self._notice = notice
        self._refused = 0
        """Lines for which there was no room; those who write count them."""
        self._unwritten = 0
        """Lines that the kernel did not take; who hands them to it counts them."""
        self._told = 0
        self._gone = False

    @property
    def lost(self) -> int:
        """Lines that no reader will see; those after a reader went away are not meant for any."""
        return self._refused + self._unwritten

    def put(self, octets: bytes) -> None:
        """Take whole lines; they are written in order, or lost and counted."""
        raise NotImplementedError

    def flush(self, within: float) -> bool:
        """Wait until everything is written.

        Args:
            within: seconds at most.

        Returns:
            Whether it is.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Take no more lines; what waits may still be written."""

    def _failed(self, error: OSError, lines: int) -> None:
        if error.errno in UNREAD:
            self._gone = True
        else:
            self._unwritten += lines
            self.problem = self.problem or error.strerror or str(error)


class ThreadedOutput(Output):
    """Lines to a descriptor that may block: a thread that nobody waits for writes them.

    Args:
        descriptor: of the output; it stays as it is, because other processes may share it.
        notice: see `Notice`.
        most: octets that wait at most.

    Raises:
        ConfigurationError: the system allows no thread.
    """

    def __init__(self, descriptor: int, notice: Notice, most: int = MOST) -> None:
        super().__init__(descriptor, notice)
        self._most = most
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.RLock()  # a destructor that warns may come back in the midst of `put`
        self._taken = self._done = 0
        self._progress = threading.Event()
        self._torn = False
        """A part of the last line is written, and its rest was not taken."""
        kernel.start(threading.Thread(target=self._run, name=f"output-{descriptor}", daemon=True))

    def put(self, octets: bytes) -> None:
        with self._lock:
            if self._gone:
                return
            if self._taken - self._done + len(octets) > self._most:
                self._refused += _lines(octets)
                return
            self._taken += len(octets)
            self._queue.put(octets)

    def flush(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while self._done != self._taken:
            self._progress.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._done != self._taken:
                self._progress.wait(left)
        return True

    def close(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while True:
            octets: bytes | None = b""
            with suppress(queue.Empty):
                octets = self._queue.get(timeout=RETRY if self.lost != self._told else None)
            if octets is None:
                return
            if octets:
                self._write(octets)
                self._done += len(octets)
            if self.lost != self._told and self._queue.empty():
                self._tell()
            self._progress.set()

    def _tell(self) -> None:
        lost = self.lost
        line = self._notice(lost - self._told)
        if not line or self._write(line, counts=False):
            self._told = lost

    def _write(self, octets: bytes, *, counts: bool = True) -> bool:
        """Write lines; whether they are written."""
        rest = memoryview(b"\n" + octets if self._torn else octets)
        while rest and not self._gone:
            try:
                written = os.write(self.descriptor, rest[:CHUNK])
            except BlockingIOError:  # whoever started us does not want it to block
                room = select.poll()
                room.register(self.descriptor, select.POLLOUT)
                room.poll(RETRY * 1000)
            except OSError as error:
                if counts or error.errno in UNREAD:
                    self._failed(error, _lines(octets))
                return False
            else:
                rest = rest[written:]
                self._torn = bool(rest)
        return not self._gone


class PipeOutput(Output):
    """Lines to a pipe of this process alone, which does not block: written at once, and lost where there is no room.

    Args:
        descriptor: of the pipe.
        notice: see `Notice`.
    """

    def __init__(self, descriptor: int, notice: Notice) -> None:
        super().__init__(descriptor, notice)
        self._rest = b""
        self._lock = threading.RLock()

    def put(self, octets: bytes) -> None:
        with self._lock:
            self._push()
            if self._gone:
                return
            if self._rest:
                self._refused += _lines(octets)
                return
            self._rest = octets
            self._push()

    def flush(self, within: float) -> bool:
        deadline = time.monotonic() + within
        with self._lock:
            self._push()
            while self._rest and (left := deadline - time.monotonic()) > 0:
                room = select.poll()
                room.register(self.descriptor, select.POLLOUT)
                room.poll(left * 1000)
                self._push()
            return not self._rest

    def _push(self) -> None:
        """Write what waits, and how many lines were lost before it."""
        while self._rest or self.lost != self._told:
            if not self._rest:
                self._rest, self._told = self._notice(self.lost - self._told), self.lost
            try:
                self._rest = self._rest[os.write(self.descriptor, self._rest) :]
            except BlockingIOError:
                return
            except OSError as error:
                lines, self._rest = _lines(self._rest), b""
                self._failed(error, lines)
                return


def _lines(octets: bytes) -> int:
    return max(1, octets.count(b"\n"))
