"""What a stream sends: silence, tone, file, echo, a callback in another process, or nothing.

A source hands out one payload per packet interval. WAV and raw files are cut into frames once and shared by all
streams that play them. Headers, digits, pacing and sockets are not known here.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import g711
from .codecs import Codec, CodecUnavailable, CodecUnknown, LibraryCodec, open_codec
from .messages import Frame

Samples = NDArray[np.int16]

TONE_PEAK = 10 ** (-16 / 20) * 22_748
"""Peak of a sine of -16 dBm0 in int16 samples: the highest code is +3.17 dBm0 (ITU-T G.711 table 5)."""
_LONGEST_TONE = 10
"""Seconds of tone that are computed at the most."""
CALLBACK_BOUND = 64
"""Frames that may wait in a callback source."""
AHEAD = 0.1
"""Seconds that a callback source is asked ahead at most."""
MAX_FILE_OCTETS = 256 << 20


class SourceError(ValueError):
    """A source that cannot be opened; the text begins with a word of `CommandRefused.reason`."""


class Source:
    """The source that gives nothing, and what all others share."""

    __slots__ = ("finished",)

    paced = False
    """Whether the engine's tick asks for payloads."""
    uniform = 0
    """Octets of every payload; 0 = they differ."""
    constant = False
    """Whether it gives the same payload for ever: then nobody needs to ask twice."""

    def __init__(self) -> None:
        self.finished = ""
        """Why no more will come, as in `SourceFinished.reason`; empty while it goes on."""

    def next_payload(self) -> bytes | None:
        """The payload of the next packet interval; None = nothing goes out."""
        return None

    def skip(self, frames: int) -> None:
        """Pass over what should have gone out in so many intervals."""


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
        """Begin at the first frame. frames: at least one. repeat: how often; < 0 endless, 0 and 1 once."""
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
        """Take the place of a source of the same audio. position: frames of this round. left: as there."""
        self._left = left
        self._position = position % len(self._frames) if left < 0 else min(position, len(self._frames))

    def next_payload(self) -> bytes | None:
        position = self._position
        if position == len(self._frames):
            if self._left > 0:
                self._left -= 1
            if self._left == 0:
                self.finished = "end"
                return None
            position = 0
        self._position = position + 1
        return self._frames[position]

    def skip(self, frames: int) -> None:
        for _ in range(frames):
            if not self.finished:
                self.next_payload()


class EchoSource(Source):
    """What came in, after a delay counted in packets (man page `media_recv_echo`)."""

    __slots__ = ("_delay", "_waiting")

    def __init__(self, delay: int) -> None:
        """delay: packets that are held; < 0 sends nothing back."""
        super().__init__()
        self._delay = delay
        self._waiting: deque[Frame] = deque()

    @property
    def immediate(self) -> bool:
        """Whether what comes in goes back at once."""
        return self._delay == 0

    def echo(self, frame: Frame) -> Frame | None:
        """Take a received frame and give the one that is due now."""
        if self._delay <= 0:
            return None if self._delay else frame
        self._waiting.append(frame)
        return self._waiting.popleft() if len(self._waiting) > self._delay else None


class CallbackSource(Source):
    """Frames that somebody else computes, asked for up to 100 ms ahead."""

    __slots__ = ("_ahead", "_ended", "_open_question", "_waiting", "dropped", "override", "underruns")

    paced = True

    def __init__(self, packet_interval: float) -> None:
        """packet_interval: seconds."""
        super().__init__()
        self._ahead = max(1, int(AHEAD / packet_interval + 1e-6))
        self._waiting: deque[Frame] = deque()
        self._open_question = False
        self._ended = False
        self.override: Frame = (b"", -1, 0, -1)
        """The frame handed out last, with its own payload type, marker and timestamp."""
        self.dropped = 0
        """Frames beyond the bound."""
        self.underruns = 0
        """Intervals in which nothing waited."""

    def wanted(self) -> int:
        """How many frames to ask for now; 0 = none, or a question is still open."""
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
        """Take frames in order; `end` says that no more will come."""
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
        """An encoder. Raises SourceError."""
        try:
            return open_codec(self.codec, self.clock_rate)
        except (CodecUnknown, CodecUnavailable) as error:
            raise SourceError(f"bad_value: audio cannot be encoded as {self.codec}; use a raw file") from error

    def silence(self) -> bytes:
        """One packet of silence; zeros for codecs that are passed through."""
        try:
            return self.open().silence(self.step)
        except SourceError:
            return bytes(self.payload_size)

    def frames(self, samples: Samples, codec: Codec) -> tuple[bytes, ...]:
        """Samples at the codec's rate as packets; a short tail is dropped."""
        size = self.step * codec.sample_rate // codec.clock_rate
        return tuple(codec.encode(samples[at : at + size]) for at in range(0, len(samples) - size + 1, size))


def _cut(payload: bytes, size: int) -> tuple[bytes, ...]:
    """Whole packets; a short tail is dropped (man page `media_send_recv`)."""
    return tuple(payload[start : start + size] for start in range(0, len(payload) - size + 1, size))


def tone(hz: float, form: Format) -> FramesSource:
    """An endless sine of -16 dBm0. hz: 1 to half the sample rate. Raises SourceError."""
    codec = form.open()
    rate = codec.sample_rate
    if not 1 <= hz <= rate / 2:
        raise SourceError(f"bad_value: a tone of {hz} Hz does not fit {rate} samples a second")
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


class FileFrames:
    """Files cut into frames, kept while they are unchanged; the least used go first."""

    __slots__ = ("_kept", "_most", "_octets")

    def __init__(self, most: int = 64 << 20) -> None:
        """most: octets kept, unless one file alone is larger."""
        self._most = most
        self._kept: OrderedDict[tuple[str, int, int, Format], tuple[bytes, ...]] = OrderedDict()
        self._octets = 0

    def frames(self, path: str, form: Format) -> tuple[bytes, ...]:
        """A WAV file (any rate, channels mixed, 8 or 16 bit PCM or G.711) or raw payload, as packets.

        Raises SourceError when the file is missing, unreadable, or shorter than one packet.
        """
        try:
            status = Path(path).stat()
            key = (path, status.st_mtime_ns, status.st_size, form)
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
            if status.st_size > MAX_FILE_OCTETS:
                raise SourceError(f"bad_file: {path} is larger than {MAX_FILE_OCTETS} octets")
            data = Path(path).read_bytes()
        except OSError as error:
            raise SourceError(f"no_file: {path}: {error.strerror}") from error
        if data[:4] == b"RIFF":
            codec = form.open()
            frames = form.frames(read_wav(data, codec.sample_rate, path), codec)
        else:
            frames = _cut(data, form.payload_size)
        if not frames:
            raise SourceError(f"bad_file: {path} is shorter than one packet")
        self._kept[key] = frames
        self._octets += sum(map(len, frames))
        while self._octets > self._most and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._octets -= sum(map(len, dropped))
        return frames


def read_wav(data: bytes, clock_rate: int, path: str = "file") -> Samples:
    """Mono int16 samples at `clock_rate` of a RIFF WAVE file. Raises SourceError."""
    form: tuple[int, int, int, int] | None = None  # format, channels, rate, bits
    offset = 12
    while offset + 8 <= len(data):
        name = data[offset : offset + 4]
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        body = data[offset + 8 : offset + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            kind, channels, rate = (
                int.from_bytes(body[0:2], "little"),
                int.from_bytes(body[2:4], "little"),
                int.from_bytes(body[4:8], "little"),
            )
            if kind == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE: the format is in its GUID
                kind = int.from_bytes(body[24:26], "little")
            form = (kind, channels, rate, int.from_bytes(body[14:16], "little"))
        elif name == b"data":
            if form is None:
                break
            return _resampled(_wav_samples(body, form, path), form[2], clock_rate)
        offset += 8 + size + size % 2
    raise SourceError(f"bad_file: {path} is no WAV file with format and data")


def _wav_samples(body: bytes, form: tuple[int, int, int, int], path: str) -> Samples:
    kind, channels, rate, bits = form
    if not (1 <= channels <= 8 and 1000 <= rate <= 192_000):
        raise SourceError(f"bad_file: {path} has {channels} channels at {rate} Hz")
    if kind == 1 and bits == 16:
        samples = np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(np.int16)
    elif kind == 1 and bits == 8:
        samples = ((np.frombuffer(body, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    elif kind == 6 and bits == 8:
        samples = g711.alaw_decode(body)
    elif kind == 7 and bits == 8:
        samples = g711.ulaw_decode(body)
    else:
        raise SourceError(f"bad_file: {path} is WAV format {kind} with {bits} bits; need 8 or 16 bit PCM or G.711")
    if channels > 1:
        whole = samples[: len(samples) // channels * channels].reshape(-1, channels)
        samples = whole.mean(axis=1).astype(np.int16)
    return samples


def _resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Another rate by linear interpolation, after a moving average when it goes down."""
    if rate == wanted or not len(samples):
        return samples
    if rate > wanted:
        width = rate // wanted
        samples = np.convolve(samples, np.full(width, 1 / width), mode="same").astype(np.int16)
    places = np.arange(int(len(samples) * wanted / rate)) * (rate / wanted)
    result: Samples = np.interp(places, np.arange(len(samples)), samples).astype(np.int16)
    return result
