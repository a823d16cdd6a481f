"""Capture files as sources: the RTP packets of a file, replayed with its payload types, markers and steps of time.

A file is read into memory once for all streams that replay it, and its packets are found one by one as they are due.
When they leave decides the sender (`sender.replay`); sockets and schedules do not belong here.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Final

from .messages import Frame
from .refusal import Refusal
from .rtp.capture import CapturedFrame, CaptureError, frames_of
from .sources import Source, SourceError

MOST_OCTETS: Final = 32 << 20
"""Octets of a capture file at the most: an hour of G.711."""
MOST_FILES: Final = 8
"""Capture files that are kept; the least used goes first."""
_M32: Final = 0xFFFFFFFF


class Capture:
    """The RTP packets of one file, as far as they were needed yet."""

    __slots__ = ("_error", "_frames", "_left", "_path")

    def __init__(self, path: str, data: bytes) -> None:
        """Find the first packet.

        Args:
            path: for messages.
            data: the whole file.

        Raises:
            SourceError: the file is no capture, or has no RTP.
        """
        self._path = path
        self._frames: list[CapturedFrame] = []
        self._left: Iterator[CapturedFrame] | None = frames_of(data)
        self._error = ""
        if self.frame(0) is None:
            raise SourceError(Refusal.BAD_FILE, f"{path} has no RTP packet")

    def frame(self, number: int) -> CapturedFrame | None:
        """Return a packet by its number, from 0; None behind the last one.

        Raises:
            SourceError: the file is damaged before it.
        """
        while len(self._frames) <= number and self._left is not None:
            try:
                found = next(self._left, None)
            except CaptureError as error:
                self._error = str(error)
                found = None
            if found is None:
                self._left = None
            else:
                self._frames.append(found)
        if number < len(self._frames):
            return self._frames[number]
        if self._error:
            raise SourceError(Refusal.BAD_FILE, f"{self._path} {self._error}")
        return None


class CaptureSource(Source):
    """One replay of a capture."""

    __slots__ = ("_began", "_capture", "_first", "_position", "_timestamp")

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self._position = 0
        self._began = -1.0
        self._timestamp = self._first = 0

    @property
    def has_begun(self) -> bool:
        """Whether its times are known."""
        return self._began >= 0

    def begin(self, now: float, timestamp: int) -> None:
        """Let the first packet be due now.

        Args:
            now: seconds, monotonic.
            timestamp: of that packet; those behind it follow by the steps of the file.
        """
        first = self._next()
        self._began, self._timestamp = now, timestamp
        self._first = first.timestamp if first is not None else 0

    def take(self, now: float) -> Iterator[tuple[Frame, float]]:
        """Hand out the packets that are due, each with its time; `finished` is set behind the last one.

        Args:
            now: seconds, monotonic.
        """
        while (frame := self._next()) is not None:
            at = self._began + frame.at
            if at > now + 1e-6:
                return
            self._position += 1
            timestamp = (self._timestamp + frame.timestamp - self._first) & _M32
            yield (frame.payload, frame.payload_type, frame.marker, timestamp), at
        self.finished = self.finished or "end"

    def _next(self) -> CapturedFrame | None:
        """The next packet; None = there is none, or it cannot be read."""
        try:
            return self._capture.frame(self._position)
        except SourceError as error:
            self.finished, self.detail = error.cause.value, error.detail
            return None


class CaptureFiles:
    """Capture files, kept while they are unchanged."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], Capture] = OrderedDict()

    def source(self, path: str) -> CaptureSource:
        """A file to replay.

        Raises:
            SourceError: it is missing, unreadable, no capture, too large, or without RTP.
        """
        try:
            status = Path(path).stat()
            key = (path, status.st_mtime_ns, status.st_size)
            found = self._kept.get(key)
            if found is None:
                found = Capture(path, _read(path))
        except OSError as error:
            raise SourceError(Refusal.NO_FILE, f"{path}: {error.strerror or error}") from error
        except ValueError as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(Refusal.BAD_VALUE, f"{path}: {error}") from error  # a name that none can be
        self._kept[key] = found
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_FILES:
            self._kept.popitem(last=False)
        return CaptureSource(found)


def _read(path: str) -> bytes:
    """The octets of a file, which must be one that nobody is waited for.

    Raises:
        SourceError: it is no regular file, or too large.
        OSError: it cannot be read.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not S_ISREG(status.st_mode):
            raise SourceError(Refusal.BAD_FILE, f"{path} is no regular file")
        if status.st_size > MOST_OCTETS:
            raise SourceError(Refusal.BAD_FILE, f"{path} is larger than {MOST_OCTETS >> 20} MiB, which is the limit")
        return file.read(MOST_OCTETS)


def _open_without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)
