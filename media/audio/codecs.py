"""The table of codecs, and audio to payload and back for those that we can decode.

PCMU, PCMA and L16 need nothing; G.722 and Opus use PyAV (the extra `audio`), imported here only and only when such a
codec or an audio file is opened. Any other payload type is passed through as octets and never comes here. RTP headers,
timestamps and packet pacing do not belong here.
"""

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import g711
from .formats import encoding_of
from .g711 import Samples


class CodecUnknown(LookupError):
    """No audio can be made of or for this codec; its payload can only be passed through."""


class AudioTooLong(ValueError):
    """An audio file that lasts longer than it may."""


class CodecUnavailable(Exception):
    """The codec needs a library that is not installed; the text names the way to get it."""


class CodecFormat(NamedTuple):
    """One codec as SDP and RTP see it."""

    name: str
    """Encoding name in SDP, compared without regard to case."""
    payload_type: int
    """Static payload type (RFC 3551 6), -1 for a dynamic one."""
    clock_rate: int
    """RTP clock in Hz."""
    sample_rate: int
    """Samples per second of the audio; differs from the clock for G.722 by an old mistake (RFC 3551 4.5.2)."""
    channels: int = 1
    """Channels that the rtpmap names."""
    library: bool = False
    """Whether PyAV is needed."""


FORMATS: dict[str, CodecFormat] = {
    codec.name.upper(): codec
    for codec in (
        CodecFormat("PCMU", 0, 8000, 8000),
        CodecFormat("PCMA", 8, 8000, 8000),
        CodecFormat("L16", -1, 8000, 8000),  # static types 10 and 11 are the same at 44,100 Hz
        CodecFormat("G722", 9, 8000, 16000, library=True),
        CodecFormat("opus", -1, 48000, 48000, channels=2, library=True),  # always named with 2 (RFC 7587 7)
    )
}
"""By encoding name in capitals."""

_NOTHING: Samples = np.empty(0, np.int16)


class Codec(ABC):
    """Encoder and decoder of one stream; what all codecs share. Samples are mono."""

    __slots__ = ("clock_rate", "errors", "name", "sample_rate")

    def __init__(self, name: str, clock_rate: int, sample_rate: int) -> None:
        self.name = name
        """Encoding name as in FORMATS."""
        self.clock_rate = clock_rate
        """RTP clock in Hz."""
        self.sample_rate = sample_rate
        """Samples per second."""
        self.errors = 0
        """Payloads that could not be decoded, wholly or in part."""

    @abstractmethod
    def encode(self, samples: Samples) -> bytes:
        """The payload of one packet.

        Args:
            samples: its audio at `sample_rate`.
        """
        ...

    @abstractmethod
    def decode(self, payload: bytes) -> Samples:
        """The audio of one packet; what cannot be decoded is counted and left out, never raised."""
        ...

    @abstractmethod
    def ticks(self, payload: bytes) -> int:
        """How long a packet lasts in units of the RTP clock; 0 = it does not show."""
        ...

    def silence(self, ticks: int) -> bytes:
        """One packet of silence that lasts `ticks` of the RTP clock."""
        return self.encode(np.zeros(ticks * self.sample_rate // self.clock_rate, np.int16))


class G711Codec(Codec):
    """PCMU or PCMA, at any clock rate."""

    __slots__ = ("_law",)

    def __init__(self, law: g711.Law, clock_rate: int = 8000) -> None:
        super().__init__(law.name, clock_rate, clock_rate)
        self._law = law

    def encode(self, samples: Samples) -> bytes:
        return self._law.encode(samples)

    def decode(self, payload: bytes) -> Samples:
        return self._law.decode(payload)

    def ticks(self, payload: bytes) -> int:
        return len(payload)

    def silence(self, ticks: int) -> bytes:
        return self._law.silence * ticks


class LinearCodec(Codec):
    """L16: 16 bits in network byte order, channels in turn (RFC 3551 4.5.11)."""

    __slots__ = ("_channels",)

    def __init__(self, clock_rate: int, channels: int) -> None:
        super().__init__("L16", clock_rate, clock_rate)
        self._channels = channels

    def encode(self, samples: Samples) -> bytes:
        return np.repeat(samples, self._channels).astype(">i2").tobytes()

    def decode(self, payload: bytes) -> Samples:
        step = 2 * self._channels
        whole = len(payload) // step * step
        self.errors += whole < len(payload)
        channels = np.frombuffer(payload[:whole], ">i2").reshape(-1, self._channels)
        mixed: Samples = channels.mean(axis=1).astype(np.int16)
        return mixed

    def ticks(self, payload: bytes) -> int:
        return len(payload) // (2 * self._channels)


class LibraryCodec(Codec):
    """G.722 or Opus by PyAV."""

    # PyAV is an extra, so its types are not there to check against.
    __slots__ = ("_av", "_decoder", "_encoder", "_position", "_size")

    def __init__(self, form: CodecFormat) -> None:
        super().__init__(form.name, form.clock_rate, form.sample_rate)
        try:
            import av
            import av.error
        except ImportError as error:
            raise CodecUnavailable(f"{form.name} needs PyAV: pip install sipswarm[audio]") from error
        self._av: Any = av
        self._decoder: Any = self._context("r")
        self._encoder: Any = None
        self._size = 0  # samples per packet that the encoder is open for
        self._position = 0

    def _context(self, mode: str) -> Any:
        context = self._av.CodecContext.create("g722" if self.name == "G722" else "libopus", mode)
        context.sample_rate = self.sample_rate
        context.layout = "mono"
        return context

    def _open_encoder(self, size: int) -> None:
        encoder = self._context("w")
        encoder.format = "s16"
        if self.name == "G722":
            encoder.options = {"frame_size": str(size)}
        else:
            milliseconds = size * 1000 / self.sample_rate
            if milliseconds not in (2.5, 5, 10, 20, 40, 60):
                raise ValueError(f"an Opus packet lasts 2.5, 5, 10, 20, 40 or 60 ms, not {milliseconds:g}")
            encoder.options = {"application": "voip", "frame_duration": f"{milliseconds:g}"}
        self._encoder = encoder
        self._size = size

    def encode(self, samples: Samples) -> bytes:
        """The payload of one packet.

        Raises:
            ValueError: a length that the codec has no packets of.
        """
        if len(samples) != self._size:
            self._open_encoder(len(samples))
        frame = self._av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self.sample_rate
        frame.pts = self._position
        self._position += len(samples)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decode(self, payload: bytes) -> Samples:
        if not payload:  # an empty packet would be the end of the stream to the library
            self.errors += 1
            return _NOTHING
        try:
            frames = self._decoder.decode(self._av.Packet(payload))
        except self._av.error.FFmpegError:
            self.errors += 1
            return _NOTHING
        parts: list[Samples] = [frame.to_ndarray().reshape(-1) for frame in frames]
        return np.concatenate(parts) if parts else _NOTHING

    def ticks(self, payload: bytes) -> int:
        return len(payload) if self.name == "G722" else opus_ticks(payload)


def opus_ticks(payload: bytes) -> int:
    """How long an Opus packet lasts in units of 1/48000 s, by its first octets (RFC 6716 3.1, 3.2); 0 = junk."""
    if not payload:
        return 0
    configuration, code = payload[0] >> 3, payload[0] & 3
    if configuration < 12:  # SILK
        frame = (480, 960, 1920, 2880)[configuration & 3]
    elif configuration < 16:  # hybrid
        frame = (480, 960)[configuration & 1]
    else:  # CELT
        frame = (120, 240, 480, 960)[configuration & 3]
    if code < 3:
        return frame if code == 0 else 2 * frame
    ticks = frame * (payload[1] & 0x3F) if len(payload) > 1 else 0
    return ticks if ticks <= 5760 else 0  # 120 ms are the most (RFC 6716 3.2.5)


_SHORT = 0.98, 0.2
"""Share, and seconds beside, of the length in a header which must be there: encoders pad their ends."""


_WITHOUT_LENGTH = ("mp3", "aac", "amr")
"""Containers whose length FFmpeg may only guess, by the bit rate of their beginning."""


def load_library() -> None:
    """Import PyAV, if it is installed: that takes 0.1 s, which no call is to wait for."""
    with contextlib.suppress(ImportError):
        import av
        import av.error  # noqa: F401  # to be there when a file is opened


def decoded_file(
    file: BinaryIO, demuxer: str, start: float = 0.0, *, longest: float = math.inf, tells_length: bool = False
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Rate and mono samples, in the range of 16 bits, of the first audio stream of a container, block by block.

    Args:
        demuxer: FFmpeg's name of the container: nothing is guessed, and no other file or address is opened. What is
            behind a damage is left out.
        start, longest: seconds that are passed over, and that the file may have by its header.
        tells_length: its header has its length: a file that ends much earlier is refused as cut off.

    Raises:
        CodecUnavailable: the extra is missing.
        AudioTooLong: it lasts longer than `longest`.
        ValueError: what cannot be decoded.
    """
    try:
        import av
        import av.error
    except ImportError as error:
        raise CodecUnavailable("pip install sipswarm[audio]") from error
    heard = 0
    seconds = promised = 0.0
    try:
        with av.open(file, "r", format=demuxer) as container:
            if not container.streams.audio:
                raise ValueError("it has no audio")
            told = 0 if demuxer in _WITHOUT_LENGTH and not tells_length else container.duration or 0
            if told / av.time_base > longest:
                raise AudioTooLong
            stream = container.streams.audio[0]
            begin = start + float((stream.start_time or 0) * (stream.time_base or 0))
            if start:
                container.seek(round(begin * av.time_base))
            floats = av.AudioResampler(format="fltp")
            if tells_length and stream.duration is not None and stream.time_base is not None:
                promised = float(stream.duration * stream.time_base)
            for frame in container.decode(stream):
                place = frame.time - begin if start and frame.time is not None else 0.0
                unwanted = round(-place * frame.sample_rate)
                seconds = seconds or start + place
                for each in floats.resample(frame):
                    block = each.to_ndarray()
                    heard += block.shape[1]
                    seconds += block.shape[1] / each.sample_rate
                    if unwanted > 0:  # a container is entered at a packet before the place
                        block, unwanted = block[:, unwanted:], unwanted - block.shape[1]
                    wave = np.nan_to_num(block, posinf=1, neginf=-1).mean(axis=0) * 32767
                    yield each.sample_rate, wave.astype(np.float32)
    except av.error.FFmpegError as error:
        if not heard:
            raise ValueError(error.strerror or "damaged") from error
    if not heard:
        raise ValueError("it has no samples")
    if seconds < promised * _SHORT[0] - _SHORT[1]:
        raise ValueError(f"it is cut off: {seconds:.1f} of {promised:.1f} s are there")


def open_codec(codec: str, clock_rate: int = 0) -> Codec:
    """A fresh encoder and decoder.

    Args:
        codec: encoding name of the rtpmap, in any case, with the channels behind it as from `stream_codec`: received
            channels are mixed to one, and the same samples are sent on all.
        clock_rate: of the rtpmap, 0 = the usual one.

    Raises:
        CodecUnknown: a codec that can only be passed through, as all but L16 with several channels.
        CodecUnavailable: the extra is missing.
    """
    name, channels = encoding_of(codec)
    form = FORMATS.get(name.upper())
    if form is None or channels < 1 or clock_rate < 0 or (channels > 1 and form.name != "L16"):
        raise CodecUnknown(f"no audio of {codec} at {clock_rate} Hz: its payload is only passed through")
    rate = clock_rate or form.clock_rate
    if form.name == "L16":
        return LinearCodec(rate, channels)
    if form.library:
        if rate != form.clock_rate:
            raise CodecUnknown(f"{form.name} has a clock of {form.clock_rate} Hz, not {rate}")
        return LibraryCodec(form)
    return G711Codec(g711.PCMU if form.name == "PCMU" else g711.PCMA, rate)
