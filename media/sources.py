"""What a stream sends: silence, tone, file, echo, a callback in another process, or nothing.

A source hands out one payload per packet interval. A file becomes frames once for all streams that play it, 40 ms of
audio at a time (below a millisecond of work), so that a long one holds up no stream; `audio.files` reads it. What is
left at its end and fills no packet is sent with silence behind it, or before the next round. Headers, digits, pacing
and sockets do not belong here.
"""

import math
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, NamedTuple

import numpy as np

from .audio.codecs import FORMATS, Codec, CodecUnavailable, CodecUnknown, LibraryCodec, load_library, open_codec
from .audio.files import AudioFileError, audio, is_container, payload_codec
from .audio.formats import encoding_of, payload_octets
from .audio.g711 import Samples
from .audio.resampling import Resampler, rounded
from .messages import Frame
from .refusal import Refusal, Refused

_NO_SAMPLES: Samples = np.empty(0, np.int16)

TONE_PEAK = 10 ** (-16 / 20) * 22_748
"""Peak of a sine of -16 dBm0 in int16 samples: the highest code is +3.17 dBm0 (ITU-T G.711 table 5)."""
_LONGEST_TONE = 10
"""Seconds of tone that are computed at the most."""
CALLBACK_BOUND = 64
"""Frames that may wait in a callback source."""
AHEAD = 0.1
"""Seconds ahead of its packet at which a frame is requested at most."""
MAX_FILE_OCTETS = 256 << 20
"""Octets of a file at the most; see `audio.files.LONGEST` for its seconds."""
RAW = "raw:"
"""Before the name of a file: its octets are the payload, whatever it is called or looks like."""
_PAYLOAD_BLOCK = 4096
"""Octets of payload that are read at a time, below 1 ms of work."""
_PORTION = 0.04
"""Seconds of a file that become packets at a time: 0.3 ms of work from MP3 to PCMU, 0.9 ms from 44.1 kHz to Opus."""
_USUAL_RATES = (11025, 22050, 44100)
"""Samples a second of files whose filters for 8000 Hz take some milliseconds to make."""
_MOST_UNFINISHED = 64
"""Files that are being read at a time for the streams to come; further ones are read by those that play them alone."""


_CUT_ANYWHERE = ("PCMU", "PCMA", "G722", "L16")
"""Codecs whose payload may be cut between any two samples."""


class SourceError(Refused):
    """A source that cannot be opened."""


class Source:
    """The source that gives nothing, and what all others share."""

    __slots__ = ("detail", "finished")

    paced = False
    """Whether the engine's tick requests payloads."""
    uniform = 0
    """Octets of every payload; 0 = they differ."""
    constant = False
    """Whether it gives the same payload for ever: then one request is enough."""

    def __init__(self) -> None:
        self.finished = ""
        """Why no more will come, as in `SourceFinished.reason`; empty while it goes on."""
        self.detail = ""
        """As in `SourceFinished.detail`."""

    def next_payload(self) -> bytes | None:
        """The payload of the next packet interval; None = nothing goes out."""
        return None

    def skip(self, frames: int) -> None:
        """Pass over what should have gone out in that many intervals."""


class ConstantSource(Source):
    """The same payload in every packet: silence."""

    __slots__ = ("_payload", "uniform")

    paced = True
    constant = True

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self._payload = payload
        self.uniform = len(payload)

    def next_payload(self) -> bytes | None:
        return self._payload


class FramesSource(Source):
    """Frames in a row, once, several times or endlessly: a file or a tone."""

    __slots__ = ("_frames", "_left", "_position", "uniform")

    paced = True

    def __init__(self, frames: Sequence[bytes], repeat: int) -> None:
        """Begin at the first frame.

        Args:
            frames: at least one.
            repeat: how often; < 0 endless, 0 and 1 once.
        """
        super().__init__()
        self._frames = frames
        sizes = {len(frames[0]), len(frames[-1]), max(map(len, frames[:50]))}
        self.uniform = sizes.pop() if len(sizes) == 1 else 0
        self._position = 0
        self._left = repeat if repeat < 0 else max(repeat, 1)

    @property
    def position(self) -> int:
        """Frames of this round that were handed out."""
        return self._position

    @property
    def left(self) -> int:
        """Rounds to play, the present one included; < 0 endless."""
        return self._left

    def go_on(self, position: int, left: int) -> None:
        """Take the place of a source of the same audio.

        Args:
            position: frames of this round.
            left: as there.
        """
        self._left = left
        self._position = position % len(self._frames) if left < 0 else min(position, len(self._frames))

    def next_payload(self) -> bytes | None:
        if self._position >= len(self._frames) and not self._goes_on():
            return None
        position = self._position
        self._position = position + 1
        return self._frames[position]

    def _goes_on(self) -> bool:
        """Begin the next round; False = this was the last one."""
        if self._left > 0:
            self._left -= 1
        if self._left == 0:
            self.finished = "end"
            return False
        self._position = 0
        return True

    def skip(self, frames: int) -> None:
        for _ in range(frames):
            if not self.finished:
                self.next_payload()


class EchoSource(Source):
    """What came in, after a delay counted in packets (man page `media_recv_echo`)."""

    __slots__ = ("_delay", "_waiting")

    def __init__(self, delay: int) -> None:
        """Begin with nothing held.

        Args:
            delay: packets that are held; < 0 sends nothing back.
        """
        super().__init__()
        self._delay = delay
        self._waiting: deque[Frame] = deque()

    @property
    def immediate(self) -> bool:
        """Whether what comes in goes back at once."""
        return self._delay == 0

    def forget(self) -> None:
        """Let go of what is held: it is of another time."""
        self._waiting.clear()

    def echo(self, frame: Frame) -> Frame | None:
        """Take a received frame and give the one that is due now."""
        if self._delay <= 0:
            return None if self._delay else frame
        self._waiting.append(frame)
        return self._waiting.popleft() if len(self._waiting) > self._delay else None


class CallbackSource(Source):
    """Frames that user code computes, requested up to 100 ms ahead."""

    __slots__ = ("_ahead", "_ahead_seconds", "_ended", "_open_question", "_waiting", "dropped", "override", "underruns")

    paced = True

    def __init__(self, packet_interval: float, ahead: float = AHEAD) -> None:
        """Begin without frames.

        Args:
            packet_interval, ahead: seconds.
        """
        super().__init__()
        self._ahead_seconds = ahead
        self.set_packet_interval(packet_interval)
        self._waiting: deque[Frame] = deque()
        self._open_question = False
        self._ended = False
        self.override: Frame = (b"", -1, 0, -1)
        """The frame handed out last, with its own payload type, marker and timestamp."""
        self.dropped = 0
        """Frames beyond the bound."""
        self.underruns = 0
        """Intervals in which nothing waited."""

    def set_packet_interval(self, seconds: float) -> None:
        """Count what is requested ahead in packets of another length; frames that wait are sent as they are."""
        self._ahead = max(1, int(self._ahead_seconds / seconds + 1e-6))

    def wanted(self) -> int:
        """How many frames to request now; 0 = none, or a question is still open."""
        if self._open_question or self._ended:
            return 0
        missing = self._ahead - len(self._waiting)
        if missing * 2 < self._ahead:
            return 0
        self._open_question = True
        return missing

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        return len(self._waiting)

    def provide(self, frames: tuple[Frame, ...], end: bool) -> None:
        """Take frames in order; `end` = no more will come."""
        room = CALLBACK_BOUND - len(self._waiting)
        self._waiting.extend(frames[:room])
        self.dropped += max(0, len(frames) - room)
        self._open_question = False
        self._ended = self._ended or end

    def next_payload(self) -> bytes | None:
        if self._waiting:
            self.override = self._waiting.popleft()
            return self.override[0]
        if self._ended:
            self.finished = "end"
        else:
            self.underruns += 1
        return None

    def skip(self, frames: int) -> None:
        for _ in range(min(frames, len(self._waiting))):
            self._waiting.popleft()


class Rest(NamedTuple):
    """What is left at the end of a file and fills no packet."""

    content: bytes | Samples
    """Payload or audio, for the next round to begin with."""
    payload: bytes
    """The last packet, where there is no next round."""


class Format(NamedTuple):
    """What one packet of a stream is made of."""

    codec: str
    """Encoding name."""
    clock_rate: int
    """RTP clock in Hz."""
    payload_size: int
    """Octets per packet; for codecs that we cannot encode, and for raw files."""
    step: int
    """RTP clock units per packet."""

    def open(self) -> Codec:
        """An encoder.

        Raises:
            SourceError: the source cannot be used.
        """
        try:
            return open_codec(self.codec, self.clock_rate)
        except (CodecUnknown, CodecUnavailable) as error:
            raise SourceError(Refusal.BAD_VALUE, f"audio cannot be encoded as {self.codec}; use a raw file") from error

    def silence(self) -> bytes:
        """One packet of silence; zeros for codecs that are passed through."""
        try:
            return self.open().silence(self.step)
        except SourceError:
            return bytes(self.payload_size)

    def frames(self, samples: Samples, codec: Codec) -> tuple[bytes, ...]:
        """Samples at the codec's rate as packets; a short tail is dropped."""
        return tuple(each for each in self.packets(iter((samples,)), codec) if not isinstance(each, Rest))

    def packets(self, blocks: Iterator[Samples], codec: Codec, rest: Samples = _NO_SAMPLES) -> Iterator[bytes | Rest]:
        """Blocks of samples at the codec's rate as packets, and what is left of them.

        Args:
            rest: samples that come first.
        """
        size = self.step * codec.sample_rate // codec.clock_rate
        for block in blocks:
            samples = np.concatenate((rest, block)) if len(rest) else block
            whole = len(samples) // size * size
            for at in range(0, whole, size):
                yield codec.encode(samples[at : at + size])
            rest = samples[whole:]
        if len(rest):
            yield Rest(rest.copy(), codec.encode(np.concatenate((rest, np.zeros(size - len(rest), np.int16)))))


def tone(hz: float, form: Format) -> FramesSource:
    """An endless sine of -16 dBm0.

    Args:
        hz: 1 to below half the sample rate, at which it would be zeros.

    Raises:
        SourceError: the source cannot be used.
    """
    codec = form.open()
    rate = codec.sample_rate
    if not (hz >= 1 and round(hz) * 2 < rate):
        raise SourceError(Refusal.BAD_VALUE, f"a tone of {hz} Hz does not fit {rate} samples a second")
    # Whole cycles in a second, and whole seconds in whole packets, so that it repeats without a click.
    size = form.step * rate // codec.clock_rate
    seconds = size // math.gcd(size, rate)
    time = np.arange(rate * min(seconds, _LONGEST_TONE)) * (2 * np.pi * round(hz) / rate)
    samples = np.round(np.sin(time) * TONE_PEAK).astype(np.int16)
    frames = form.frames(samples, codec)
    if isinstance(codec, LibraryCodec):
        # Its packets depend on those before: the round that follows a round is the one that follows itself.
        frames = form.frames(samples, codec)
    return FramesSource(frames, -1)


def prepare() -> None:
    """Load what the first audio file needs, 0.1 s of work that no call is to wait for."""
    load_library()
    for rate in _USUAL_RATES:
        Resampler(rate, 8000)


class Reading:
    """A file that becomes packets bit by bit, for all streams that play it."""

    __slots__ = (
        "_packets",
        "_path",
        "_portion",
        "counted",
        "error",
        "fixed",
        "follows",
        "frames",
        "octets",
        "rest",
        "varies",
    )

    def __init__(self, path: str, form: Format, first: int = 0, before: Rest | None = None) -> None:
        """Open a file and read its first portion.

        Args:
            path, form, before: as for `FileFrames.reading`.
            first: number of the packet to begin at.

        Raises:
            SourceError: the source cannot be used.
        """
        self.frames: list[bytes] = []
        """The packets that are there by now."""
        self.follows = before is not None
        """Whether they begin with what was left of another round."""
        self.rest: Rest | None = None
        """What is behind them; None = nothing, or it was not read yet."""
        self.error: tuple[Refusal, str] | None = None
        """Why the rest cannot be read: cause and details; None = it can, or has been."""
        self.fixed: tuple[bytes, ...] | None = None
        """All packets, once a stream took all at a time."""
        self.octets = 0
        """Of all packets."""
        self.counted = 0
        """Octets that `FileFrames` has counted."""
        self.varies = form.codec.upper() == "OPUS" or encoding_of(form.codec)[0].upper() not in FORMATS
        """Whether packets differ in their octets."""
        self._path = path.removeprefix(RAW)
        self._portion = max(1, int(_PORTION * form.clock_rate / max(form.step, 1)))
        self._packets: Iterator[bytes | Rest] | None = _packets_of_file(path, form, first, before)
        self.read()
        if self.error:
            raise SourceError(*self.error)
        if not self.frames and not self.rest and not first:
            raise SourceError(Refusal.BAD_FILE, f"{self._path} has no audio")

    @property
    def whole(self) -> bool:
        """Whether nothing more comes."""
        return self._packets is None

    def read(self) -> None:
        """Read a portion more, if there is one."""
        if self._packets is None:
            return
        frames = self.frames
        before = len(frames)
        try:
            for payload in islice(self._packets, self._portion):
                if isinstance(payload, Rest):
                    self.rest = payload
                    break
                frames.append(payload)
                self.octets += len(payload)
        except (ValueError, OSError) as error:
            self.error = _reason(self._path, error)
        if self.error or len(frames) < before + self._portion:
            self._packets = None  # which closes the file


class FileSource(FramesSource):
    """A file, once, several times or endlessly, of which the next portion is read when it is needed."""

    __slots__ = ("_begin", "_first", "_reading")

    def __init__(self, begin: Callable[[int, Rest | None], Reading], repeat: int) -> None:
        """Begin at the first packet.

        Args:
            begin: opens the file at a packet, or after what was left of the round before.
            repeat: how often.

        Raises:
            SourceError: the source cannot be used.
        """
        self._begin = begin
        self._first = 0
        self._reading = reading = begin(0, None)
        super().__init__(reading.frames or [reading.rest.payload if reading.rest else b""], repeat)
        self._frames = reading.frames
        if reading.varies:
            self.uniform = 0

    @property
    def position(self) -> int:
        return self._first + self._position

    def go_on(self, position: int, left: int) -> None:
        """As there; what was not read yet is passed over.

        Raises:
            SourceError: the source cannot be used.
        """
        self._left = left
        if position > len(self._frames) and not self._reading.whole:
            self._read_from(position, None)
        else:
            self._position = min(position, len(self._frames))

    def _read_from(self, position: int, before: Rest | None) -> None:
        self._reading = self._begin(position, before)
        self._frames = self._reading.frames
        self._first = position
        self._position = 0

    def _goes_on(self) -> bool:
        """Read more, or begin the next round; False = this was the last one."""
        reading = self._reading
        while self._position >= len(self._frames) and not reading.whole:
            reading.read()
        if self._position < len(self._frames):
            return True
        if reading.error:
            cause, self.detail = reading.error
            self.finished = cause.value
            return False
        rest = reading.rest
        if rest and self._left == 1 and self._frames is reading.frames:
            self._first += len(self._frames)
            self._frames = [rest.payload]
            self._position = 0
            return True
        if not super()._goes_on():
            return False
        if not self._first and not rest and not reading.follows:
            return True
        try:
            self._read_from(0, rest)
        except SourceError as error:
            if self._first or not self._frames:
                self.finished, self.detail = error.cause.value, error.detail
                return False
            return True  # the file is gone: what was read of it is still there
        return self._position < len(self._frames) or self._goes_on()


class FileFrames:
    """Files as packets, kept while they are unchanged; the least used go first.

    A stream that plays a file reads it as it goes (`FileSource`). The owner calls `read_on` on each tick, so that the
    file is soon read to its end and closed, also when the streams that play it leave.
    """

    __slots__ = ("_kept", "_most", "_octets", "_unfinished")

    def __init__(self, most: int = 64 << 20) -> None:
        """Begin without files.

        Args:
            most: octets kept, unless one file alone is larger.
        """
        self._most = most
        self._kept: OrderedDict[_Key, Reading] = OrderedDict()
        self._unfinished: OrderedDict[_Key, Reading] = OrderedDict()
        self._octets = 0

    @property
    def unfinished(self) -> bool:
        """Whether `read_on` has something to do."""
        return bool(self._unfinished)

    def source(self, path: str, form: Format, repeat: int) -> FileSource:
        """A file to play.

        Args:
            path, form: as for `reading`.
            repeat: as for `FramesSource`.

        Raises:
            SourceError: the source cannot be used.
        """
        return FileSource(partial(self.reading, path, form), repeat)

    def reading(self, path: str, form: Format, first: int = 0, before: Rest | None = None) -> Reading:
        """A file as packets: audio by its content (`audio.files`), payload by its name or as "raw:FILE".

        Args:
            first: number of the packet to begin at; only a whole file is kept.
            before: what was left of the same file in the round before, to begin with.

        Raises:
            SourceError: the file is missing, unreadable, no audio or without any, or too long.
        """
        name = path.removeprefix(RAW)
        try:
            status = Path(name).stat()
        except (ValueError, OSError) as error:
            raise SourceError(*_reason(name, error)) from error
        key = (path, status.st_mtime_ns, status.st_size, form, len(before.content) if before else 0)
        found = self._kept.get(key)
        if found is not None and not first:
            if found.error:
                raise SourceError(*found.error)
            self._kept.move_to_end(key)
            return found
        _check(name, status)
        reading = Reading(path, form, first, before)
        if not first:
            self._keep(key, reading)
        return reading

    def frames(self, path: str, form: Format) -> tuple[bytes, ...]:
        """All packets of a file, however long that takes. path, form, errors: as for `reading`."""
        reading = self.reading(path, form)
        while not reading.whole:
            reading.read()
        if reading.error:
            raise SourceError(*reading.error)
        if reading.fixed is None:
            reading.fixed = (*reading.frames, reading.rest.payload) if reading.rest else tuple(reading.frames)
        return reading.fixed

    def read_on(self) -> None:
        """Read a portion of one of the files that are not read to their end."""
        if not self._unfinished:
            return
        key, reading = self._unfinished.popitem(last=False)
        reading.read()
        if not reading.whole:
            self._unfinished[key] = reading  # each in turn
        self._count(reading)

    def rest(self) -> None:
        """Close the files that are not read to their end; the stream that plays one reads on alone."""
        for key in list(self._unfinished):
            self._forget(key)

    def _keep(self, key: "_Key", reading: Reading) -> None:
        self._kept[key] = reading
        if not reading.whole:
            self._unfinished[key] = reading
            if len(self._unfinished) > _MOST_UNFINISHED:
                self._forget(next(iter(self._unfinished)))
        self._count(reading)

    def _count(self, reading: Reading) -> None:
        self._octets += reading.octets - reading.counted
        reading.counted = reading.octets
        while self._octets > self._most and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: "_Key") -> None:
        self._unfinished.pop(key, None)
        self._octets -= self._kept.pop(key).counted


_Key = tuple[str, int, int, Format, int]
"""Name, time of change in nanoseconds, octets, what the packets are of, and how much of the round before they begin
with."""


def _reason(name: str, error: ValueError | OSError) -> tuple[Refusal, str]:
    """Why a file cannot be had: cause and details."""
    if isinstance(error, SourceError):
        return error.cause, error.detail
    if isinstance(error, AudioFileError):
        return Refusal.BAD_FILE, f"{name} {error}"
    if isinstance(error, OSError):
        return Refusal.NO_FILE, f"{name}: {error.strerror or error}"
    return Refusal.BAD_VALUE, f"{name}: {error}"  # no packet of this length, or a name that none can be


def _packets_of_file(path: str, form: Format, first: int, before: Rest | None) -> Iterator[bytes | Rest]:
    """The packets of a file from one on; it is closed at its end, or when no stream needs more."""
    name = path.removeprefix(RAW)
    with open(name, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        _check(name, status)  # it may be another one by now
        if not status.st_size:  # as files of the kernel say that may wait for ever, such as /proc/kmsg
            raise SourceError(Refusal.BAD_FILE, f"{name} is empty; see how it was made or copied")
        yield from _packets(file, path, form, first, before.content if before else b"")


def _open_without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def _check(name: str, status: os.stat_result) -> None:
    """See that a file can be read without waiting for anybody: all calls of the worker would wait too.

    Raises:
        SourceError: it is no regular file, or too large.
    """
    if not S_ISREG(status.st_mode):
        raise SourceError(Refusal.BAD_FILE, f"{name} is no regular file")
    if status.st_size > MAX_FILE_OCTETS:
        limit = MAX_FILE_OCTETS >> 20
        raise SourceError(Refusal.BAD_FILE, f"{name} is larger than {limit} MiB, which is the limit")


def _packets(file: BinaryIO, path: str, form: Format, first: int, before: bytes | Samples) -> Iterator[bytes | Rest]:
    """The packets of an open file from one on, and what is left of it.

    Raises:
        SourceError: the source cannot be used.
        AudioFileError and OSError
    """
    if path.startswith(RAW):
        return _cut(file, form, first, before)
    named = payload_codec(path)
    if named is None or is_container(file):
        codec = form.open()
        blocks = audio(file, codec.sample_rate, first * form.step / form.clock_rate)
        return form.packets(blocks, codec, _samples(before))
    name, clock = named
    if not name or (name.upper() == form.codec.upper() and clock in (0, form.clock_rate)):
        return _cut(file, form, first, before)
    return _recoded(file, Format(name, clock or 8000, 0, (clock or 8000) // 50), form, first, _samples(before))


def _samples(before: bytes | Samples) -> Samples:
    """What was left of a round as audio; a file that has changed from payload to audio begins anew."""
    return _NO_SAMPLES if isinstance(before, bytes) else before


def _recoded(file: BinaryIO, written: Format, form: Format, first: int, before: Samples) -> Iterator[bytes | Rest]:
    """The packets of payload that was written in another codec.

    Raises:
        SourceError: the source cannot be used.
    """
    try:
        decoder = open_codec(written.codec, written.clock_rate)
    except (CodecUnknown, CodecUnavailable) as error:
        raise SourceError(
            Refusal.BAD_FILE,
            f"{file.name} is {written.codec} payload, and the call sends {form.codec}; give a WAV file",
        ) from error
    codec = form.open()
    resampler = Resampler(decoder.sample_rate, codec.sample_rate)
    file.seek(payload_octets(written.codec, first * form.step * written.clock_rate // form.clock_rate))

    def blocks() -> Iterator[Samples]:
        while data := file.read(_PAYLOAD_BLOCK):
            yield rounded(resampler.push(decoder.decode(data)))
        yield rounded(resampler.finish())

    return form.packets(blocks(), codec, before)


def _cut(file: BinaryIO, form: Format, first: int, before: bytes | Samples) -> Iterator[bytes | Rest]:
    """The octets of a file in whole packets, from one on, and what is left of it (man page `media_send_recv`)."""
    size = form.payload_size
    file.seek(first * size)
    rest = before if isinstance(before, bytes) else b""
    while data := file.read(max(1, _PAYLOAD_BLOCK // size) * size):
        data = rest + data
        whole = len(data) // size * size
        for start in range(0, whole, size):
            yield data[start : start + size]
        rest = data[whole:]
    if rest:
        # Of a codec that we do not know, or whose packets are of any length, nobody can say what silence is.
        padded = encoding_of(form.codec)[0].upper() in _CUT_ANYWHERE
        yield Rest(rest, rest + form.silence()[len(rest) : size] if padded else rest)
