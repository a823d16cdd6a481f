"""Where a stream puts what it receives: nowhere, a file, or a callback in another process.

A sink takes payloads that were accepted, once each. Headers, sockets and statistics are not known here.
"""

from typing import BinaryIO

from .messages import ReceivedFrame

FRAMES_PER_EVENT = 32
"""Frames that a callback sink holds until they are taken; more are dropped and counted."""
_BUFFER = 1 << 14


class SinkError(ValueError):
    """A sink that cannot be opened; the text begins with a word of `CommandRefused.reason`."""


class Sink:
    """The sink that drops, and what all others share."""

    __slots__ = ()

    def write(self, frame: ReceivedFrame, audio: bool, now: float) -> None:
        """Take a frame. audio: it is of a voice codec, not a telephone-event or comfort noise. May raise OSError."""

    def poll(self, now: float) -> None:
        """Do what is due by time. May raise OSError."""

    def close(self) -> None:
        """Write out what is held. May raise OSError."""


class RawFileSink(Sink):
    """Payload octets of the voice codec in the order of arrival (man page `media_recv_echo`, OUTPUT)."""

    __slots__ = ("_file",)

    def __init__(self, path: str) -> None:
        """Create or empty the file. Raises SinkError."""
        self._file = open_for_writing(path)

    def write(self, frame: ReceivedFrame, audio: bool, now: float) -> None:
        if audio:
            self._file.write(frame[0])

    def close(self) -> None:
        self._file.close()


class CallbackSink(Sink):
    """Frames for somebody else, batched."""

    __slots__ = ("_dropped", "_frames", "dropped")

    def __init__(self) -> None:
        self._frames: list[ReceivedFrame] = []
        self._dropped = 0
        self.dropped = 0
        """Frames beyond the bound, ever."""

    def write(self, frame: ReceivedFrame, audio: bool, now: float) -> None:
        if len(self._frames) < FRAMES_PER_EVENT:
            self._frames.append(frame)
        else:
            self._dropped += 1
            self.dropped += 1

    def take(self) -> tuple[tuple[ReceivedFrame, ...], int]:
        """What came since the last call, and how many frames did not fit."""
        taken = tuple(self._frames), self._dropped
        self._frames.clear()
        self._dropped = 0
        return taken


def open_for_writing(path: str) -> BinaryIO:
    """The file, empty. Raises SinkError."""
    try:
        return open(path, "wb", buffering=_BUFFER)
    except OSError as error:
        raise SinkError(f"no_file: {path}: {error.strerror}") from error
