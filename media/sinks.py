"""Where a stream puts what it receives: nowhere, a file, or a callback in another process.

A sink takes payloads that were accepted, once each. A file is opened when the sink is made, so that a bad path is
refused at once, and gets its final header when it is closed. A sink must never wait for a reader. Headers, sockets and
statistics do not belong here.
"""

import contextlib
import errno
import os
import struct
from collections.abc import Callable
from stat import S_ISCHR, S_ISREG
from typing import BinaryIO, Protocol

import numpy as np

from .audio.resampling import Wave, rounded
from .messages import ReceivedFrame
from .recording import Track
from .refusal import Refusal, Refused

FRAMES_PER_EVENT = 32
"""Frames that a callback sink holds until they are taken; more are dropped and counted."""
_BUFFER = 1 << 14
_MOST_OCTETS = 0xFFFFFF00
"""Octets of samples in a WAV file at the most."""
_CHUNK = 0.02
"""Seconds of audio that are played at a time."""
_LONGEST_GAP = 600.0
"""Seconds of a pause in the reception that are written out at the most."""
_LONGEST_REST = 200
"""Chunks that are played at the end of a recording at the most."""


class OutputFile(Protocol):
    """As much of a binary file as a sink uses."""

    def write(self, octets: bytes, /) -> int: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


Opens = Callable[[str], OutputFile]


class SinkError(Refused):
    """A sink that cannot be opened."""


class Sink:
    """The sink that drops, and what all others share."""

    __slots__ = ()

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        """Take a frame.

        Args:
            codec: encoding name of voice, "CN", or "" for telephone-event.
            clock_rate: of the voice, in Hz.
            now: seconds, monotonic.

        Raises:
            OSError: the kernel refuses.
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

    def __init__(self, path: str, opens: Opens | None = None) -> None:
        """Create or empty the file.

        Args:
            opens: as for `WavSink`.

        Raises:
            SinkError: the file cannot be written.
        """
        self._file = (opens or open_for_writing)(path)

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        if codec not in ("", "CN"):
            self._file.write(frame[0])

    def close(self) -> None:
        self._file.close()


class WavSink(Sink):
    """Decoded audio as a WAV file: in order, at a steady pace, at one rate, losses concealed.

    The header is right once a second, so that the file of a process that is killed can be read.
    """

    __slots__ = ("_clock", "_file", "_from_header", "_heard", "_next_at", "_octets", "_rate", "_sent", "_stereo")

    def __init__(
        self,
        path: str,
        sides: str = "heard",
        clock: Callable[[], float] = float,
        opens: Opens | None = None,
    ) -> None:
        """Create or empty the file.

        Args:
            opens: creates or empties a file to be written; None = `open_for_writing`, which waits for the disk.
            sides: heard, or with what is sent: stereo (left heard, right sent) or mixed.
            clock: gives the `now` of `write` for what is sent.

        Raises:
            SinkError: the file cannot be written.
        """
        self._file = (opens or open_for_writing)(path)
        self._clock = clock
        self._stereo = sides == "stereo"
        self._heard = Track()
        self._sent = None if sides == "heard" else Track()
        self._rate = 0
        self._octets = self._from_header = 0
        self._next_at = 0.0
        try:
            self._write_header()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()
            raise SinkError(Refusal.NO_FILE, f"{path}: {error.strerror}") from error

    @property
    def takes_sent(self) -> bool:
        """Whether it takes sent frames too."""
        return self._sent is not None

    @property
    def late(self) -> int:
        return self._heard.late

    def restart(self) -> None:
        self._heard.restart()

    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        self._put(self._heard, frame, codec, clock_rate, now)

    def write_sent(self, frame: ReceivedFrame, codec: str, clock_rate: int) -> None:
        """Take a frame that is sent.

        Args:
            codec, clock_rate: as for `write`.

        Raises:
            OSError: the kernel refuses.
        """
        if self._sent is not None:
            self._put(self._sent, frame, codec, clock_rate, self._clock())

    def _put(self, track: Track, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        if not codec:
            return
        if self._next_at:
            self._play(now)
        track.put(frame, codec, clock_rate, now)
        if not self._next_at and track.rate:
            self._next_at = now + track.delay
            self._rate = self._heard.rate = track.rate
            if self._sent is not None:
                self._sent.rate = track.rate

    def _play(self, now: float) -> None:
        """Write what was to be played until now, interval by interval."""
        if now - self._next_at > _LONGEST_GAP:
            self._next_at = now - _LONGEST_GAP
        while self._next_at + _CHUNK <= now:
            self._play_chunk()

    def _play_chunk(self) -> None:
        self._next_at += _CHUNK
        count = self._rate // 50
        sent = self._sent.read(count, self._next_at) if self._sent is not None else None
        self._write_samples(self._heard.read(count, self._next_at), sent)

    def _write_samples(self, samples: Wave, sent: Wave | None) -> None:
        if sent is not None:
            longest = max(len(samples), len(sent))
            samples, sent = (np.pad(each, (0, longest - len(each))) for each in (samples, sent))
            samples = np.stack((samples, sent), axis=1).reshape(-1) if self._stereo else samples + sent
        octets = rounded(samples).astype("<i2").tobytes()
        if self._octets + len(octets) > _MOST_OCTETS:
            raise OSError(errno.EFBIG, "a WAV file holds 4 GiB at the most")
        self._file.write(octets)
        self._octets += len(octets)
        if self._octets - self._from_header >= 2 * self._rate:
            self._write_header()

    def _write_header(self) -> None:
        """Write the lengths into the header, and hand it all to the system."""
        self._file.seek(0)
        self._file.write(wav_header(self._rate or 8000, self._octets, 2 if self._stereo else 1))
        self._file.seek(0, 2)
        self._file.flush()
        self._from_header = self._octets

    def close(self) -> None:
        try:
            for _ in range(_LONGEST_REST):
                if not self._heard.waiting and (self._sent is None or not self._sent.waiting):
                    break
                self._play_chunk()
            self._write_samples(self._heard.finish(), self._sent.finish() if self._sent is not None else None)
            self._write_header()
        finally:
            self._file.close()


class CallbackSink(Sink):
    """Frames for user code, batched."""

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


def wav_header(rate: int, octets: int, channels: int = 1) -> bytes:
    """The header of a WAV file of 16 bit PCM.

    Args:
        rate: samples of a channel per second.
        octets: of the samples.
    """
    frame = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, frame * rate, frame, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", octets)
    return b"RIFF" + struct.pack("<I", len(chunks) + octets) + chunks


def open_for_writing(path: str) -> BinaryIO:
    """The file, empty.

    Raises:
        SinkError: also for a pipe or socket: a stream cannot wait for a reader of it.
    """
    try:
        file = open(path, "wb", buffering=_BUFFER, opener=_open_at_once)  # noqa: SIM115 the sink closes it
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise SinkError(Refusal.BAD_FILE, f"{path} is no regular file") from error
        raise SinkError(Refusal.NO_FILE, f"{path}: {error.strerror}") from error
    kind = os.fstat(file.fileno()).st_mode
    if not (S_ISREG(kind) or S_ISCHR(kind)):
        file.close()
        raise SinkError(Refusal.BAD_FILE, f"{path} is no regular file")
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
