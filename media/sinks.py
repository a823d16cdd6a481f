"""Where a stream puts what it receives: nowhere, a file, or a callback in another process.

A sink takes payloads that were accepted, once each. Headers, sockets and statistics are not known here.
"""

from typing import BinaryIO

from .messages import ReceivedFrame
from .recording import Track
from .resampling import rounded

FRAMES_PER_EVENT = 32
"""Frames that a callback sink holds until they are taken; more are dropped and counted."""
_BUFFER = 1 << 14
_WAV_HEADER = 44
_CHUNK = 0.02
"""Seconds of audio that are played at a time."""
_LONGEST_GAP = 600.0
"""Seconds of a pause in the reception that are written out at the most."""
_LONGEST_REST = 200
"""Chunks that are played at the end of a recording at the most."""


class SinkError(ValueError):
    """A sink that cannot be opened; the text begins with a word of `CommandRefused.reason`."""


class Sink:
    """The sink that drops, and what all others share."""

    __slots__ = ()

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        """Take a frame.

        codec: encoding name of voice, "CN", or "" for telephone-event. clock_rate: of the voice, in Hz. now: seconds,
        monotonic. May raise OSError.
        """

    @property
    def late(self) -> int:
        """Packets that were too late to be played."""
        return 0

    def restart(self) -> None:
        """The peer's source changed: what comes next has nothing to do with what came."""

    def close(self) -> None:
        """Write out what is held. May raise OSError."""


class RawFileSink(Sink):
    """Payload octets of the voice codec in the order of arrival (man page `media_recv_echo`, OUTPUT)."""

    __slots__ = ("_file",)

    def __init__(self, path: str) -> None:
        """Create or empty the file. Raises SinkError."""
        self._file = open_for_writing(path)

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        if codec not in ("", "CN"):
            self._file.write(frame[0])

    def close(self) -> None:
        self._file.close()


class WavSink(Sink):
    """Decoded audio as a WAV file: in order, at a steady pace, at one rate, losses concealed."""

    __slots__ = ("_file", "_next_at", "_octets", "_track")

    def __init__(self, path: str) -> None:
        """Create or empty the file. Raises SinkError."""
        self._file = open_for_writing(path)
        self._file.write(bytes(_WAV_HEADER))
        self._track = Track()
        self._octets = 0
        self._next_at = 0.0

    @property
    def late(self) -> int:
        return self._track.late

    def restart(self) -> None:
        self._track.restart()

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        if not codec:
            return
        track = self._track
        if self._next_at:
            self._play(now)
        track.put(frame, codec, clock_rate, now)
        if not self._next_at and track.rate:
            self._next_at = now + track.delay

    def _play(self, now: float) -> None:
        """Write what was to be played until now, interval by interval."""
        if now - self._next_at > _LONGEST_GAP:
            self._next_at = now - _LONGEST_GAP
        while self._next_at + _CHUNK <= now:
            self._play_chunk()

    def _play_chunk(self) -> None:
        self._next_at += _CHUNK
        samples = rounded(self._track.read(self._track.rate // 50, self._next_at)).astype("<i2").tobytes()
        self._file.write(samples)
        self._octets += len(samples)

    def close(self) -> None:
        try:
            for _ in range(_LONGEST_REST):
                if not self._track.waiting:
                    break
                self._play_chunk()
            self._file.seek(0)
            self._file.write(wav_header(self._track.rate or 8000, self._octets))
        finally:
            self._file.close()


class CallbackSink(Sink):
    """Frames for somebody else, batched."""

    __slots__ = ("_dropped", "_frames", "dropped")

    def __init__(self) -> None:
        self._frames: list[ReceivedFrame] = []
        self._dropped = 0
        self.dropped = 0
        """Frames beyond the bound, ever."""

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
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


def wav_header(rate: int, octets: int) -> bytes:
    """The header of a mono WAV file of 16 bit PCM. rate: samples per second. octets: of the samples."""
    return (
        b"RIFF"
        + (36 + octets).to_bytes(4, "little")
        + b"WAVEfmt "
        + (16).to_bytes(4, "little")
        + (1).to_bytes(2, "little")
        + (1).to_bytes(2, "little")
        + rate.to_bytes(4, "little")
        + (2 * rate).to_bytes(4, "little")
        + (2).to_bytes(2, "little")
        + (16).to_bytes(2, "little")
        + b"data"
        + octets.to_bytes(4, "little")
    )


def open_for_writing(path: str) -> BinaryIO:
    """The file, empty. Raises SinkError."""
    try:
        return open(path, "wb", buffering=_BUFFER)
    except OSError as error:
        raise SinkError(f"no_file: {path}: {error.strerror}") from error
