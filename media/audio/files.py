"""Audio of a file by its content: what it is by its first octets, and its samples, mixed to mono, block by block.

WAV is read here: RIFF, RIFX and RF64 with PCM of 8 to 32 bits, float, A-law and µ-law, of any rate and number of
channels, also with the unfinished header of a recorder that was killed. MP3, Ogg, FLAC, M4A and others are decoded by
PyAV (the extra `audio`). Anything else is refused with what it is. A name is never proof of a content; only payload
octets, which have no magic number, are known by their name (`payload_codec`). Packets and codecs of a call are not
known here.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import g711
from .codecs import AudioTooLong, CodecUnavailable, decoded_file
from .g711 import Samples
from .resampling import Resampler, Wave, rounded

LONGEST = 3600
"""Seconds of audio that a file may have."""
_HEAD = 4096
"""Octets by which a file is recognised."""
_BLOCK = 4096
"""Samples of all channels together that are read at a time, below 1 ms of work: a call may wait meanwhile."""
_TOO_LONG = f"lasts longer than {LONGEST // 60} minutes, which is the limit; cut it"
_UNKNOWN_SIZE = 0x7FFF_0000
"""Sizes in a WAV header by which its writer leaves the number of octets open."""
_CHUNKS = frozenset((b"LIST", b"fact", b"cue ", b"bext", b"id3 ", b"ID3 ", b"JUNK", b"PAD ", b"smpl", b"fmt ", b"data"))
"""Names of chunks that follow samples."""
_TELL_LENGTH = frozenset(("flac", "aiff", "caf", "w64", "au"))
"""Containers whose header contains their length."""
_CONVERT = "convert it: ffmpeg -i FILE -ac 1 -ar 16000 -c:a pcm_s16le NEW.wav"


class AudioFileError(ValueError):
    """A file that cannot be played; the text has what it is and how to mend it, without its name."""


class _Kind(NamedTuple):
    """What a file is."""

    name: str
    """For people, after "is"."""
    demuxer: str = ""
    """FFmpeg's name of the container; "" = it holds no audio that is played."""
    hint: str = ""
    """How to mend it, if it is not to be converted."""


_WAV = _Kind("a WAV file", "wav")
_MP3 = _Kind("MP3 audio", "mp3")
_CAPTURE = _Kind("a network capture (pcap)", hint="extract its audio, or play it by play_pcap_audio of a scenario file")
_MAGIC: tuple[tuple[int, bytes, _Kind], ...] = (
    (0, b"OggS", _Kind("an Ogg file", "ogg")),
    (0, b"fLaC", _Kind("FLAC audio", "flac")),
    (4, b"ftyp", _Kind("an MP4 file (M4A, 3GP, MOV)", "mov")),
    (0, b"\x1a\x45\xdf\xa3", _Kind("a Matroska or WebM file", "matroska")),
    (0, b"#!AMR", _Kind("AMR audio", "amr")),
    (0, b"riff\x2e\x91\xcf\x11", _Kind("a Wave64 file", "w64")),
    (0, b"caff", _Kind("a CAF file", "caf")),
    (0, b".snd", _Kind("an AU file", "au")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _Kind("a Windows Media file", "asf")),
    (0, b"\xa1\xb2\xc3\xd4", _CAPTURE),
    (0, b"\xd4\xc3\xb2\xa1", _CAPTURE),
    (0, b"\xa1\xb2\x3c\x4d", _CAPTURE),
    (0, b"\x4d\x3c\xb2\xa1", _CAPTURE),
    (0, b"\x0a\x0d\x0d\x0a", _CAPTURE),
    (0, b"MThd", _Kind("a MIDI file, which holds notes and no sound")),
    (0, b"%PDF", _Kind("a PDF document")),
    (0, b"PK\x03\x04", _Kind("a ZIP archive", hint="unpack it")),
    (0, b"\x1f\x8b", _Kind("a gzip archive", hint="unpack it")),
    (0, b"BZh", _Kind("a bzip2 archive", hint="unpack it")),
    (0, b"\xfd7zXZ", _Kind("an xz archive", hint="unpack it")),
    (0, b"7z\xbc\xaf", _Kind("a 7z archive", hint="unpack it")),
    (0, b"\x89PNG", _Kind("a PNG image")),
    (0, b"\xff\xd8\xff\xe0", _Kind("a JPEG image")),
    (0, b"\xff\xd8\xff\xe1", _Kind("a JPEG image")),
    (0, b"GIF8", _Kind("a GIF image")),
    (0, b"\x7fELF", _Kind("a program")),
    (0, b"SQLite format 3", _Kind("an SQLite database")),
)
_LFS = _Kind("a Git LFS pointer and not the file itself", hint="fetch the file: git lfs pull")
_HTML = _Kind("an HTML page", hint="download the audio itself; a server may have answered with an error page")
_XML = _Kind("an XML file")
_TEXT = _Kind("a text file")
_FORMATS = {
    0x02: "Microsoft ADPCM",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x45: "G.726",
    0x55: "MP3",
    0x64: "G.726",
    0x65: "G.722",
    0x83: "G.729",
    0x161: "Windows Media Audio",
    0x28F: "G.722",
}
_PAYLOAD = {
    "PCMU": ("ulaw", "ul", "mulaw", "mu", "pcmu", "g711u"),
    "PCMA": ("alaw", "al", "pcma", "g711a"),
    "G722": ("g722",),
    "L16": ("l16",),
    "G729": ("g729", "g729a"),
    "G723": ("g723", "g723.1"),
    "GSM": ("gsm",),
    "iLBC": ("ilbc",),
    "": ("raw",),
}
_PAYLOAD_NAMES = {ending: codec for codec, endings in _PAYLOAD.items() for ending in endings}
_PAYLOAD_NAME = re.compile(r"\.([A-Za-z0-9]+(?:\.1)?)(?:-([1-9][0-9]{3,5}))?\Z")


def payload_codec(path: str) -> tuple[str, int] | None:
    """Encoding name and clock rate in the name of a payload file: ".ulaw", ".pcmu-8000", ".l16-16000".

    The codec is "" for ".raw", which is whatever the call sends; the clock rate is 0 where the name has none. None for
    a name that is not one of payload.
    """
    found = _PAYLOAD_NAME.search(path)
    codec = _PAYLOAD_NAMES.get(found[1].lower()) if found is not None else None
    return None if found is None or codec is None else (codec, int(found[2] or 0))


def is_container(file: BinaryIO) -> bool:
    """Whether its first octets are those of a container of audio, whatever its name is."""
    head = _head(file)
    if head[:4] == b"RIFF":
        return head[8:12] == b"WAVE"
    kind = _recognised(head)
    return kind is not None and bool(kind.demuxer) and not _is_frame_sync(head)


def audio(file: BinaryIO, wanted: int, begin: float = 0.0) -> Iterator[Samples]:
    """The audio of a file at `wanted` samples a second, mono, in blocks.

    Args:
        begin: seconds that are passed over.

    Raises:
        AudioFileError: it is no audio, damaged, or too long.
        OSError: it cannot be read.
    """
    head = _head(file)
    start = _tag_size(head)
    if start:
        file.seek(start)
        behind = file.read(_HEAD)
        if behind[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            return _at_rate(_by_library(file, _recognised(behind) or _MP3, begin), wanted)
        head = behind
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _at_rate(_Wav(file, start).blocks(begin), wanted)
    if not head:
        raise AudioFileError("is empty; see how it was made or copied")
    kind = _recognised(head)
    if kind is None:
        shown = head[:8].hex(" ")
        raise AudioFileError(
            f"is no audio file that is known (it begins with {shown}); {_CONVERT}; or, if it is the payload of RTP "
            "packets, write raw:FILE"
        )
    return _at_rate(_by_library(file, kind, begin), wanted)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEAD)


def _tag_size(head: bytes) -> int:
    """Octets of an ID3v2 tag before the audio; 0 = there is none."""
    if head[:3] != b"ID3" or len(head) < 10 or any(octet & 0x80 for octet in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _recognised(head: bytes) -> _Kind | None:
    """What a file with these first octets is; None = not known."""
    for place, magic, kind in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return kind
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _WAV if head[8:12] == b"WAVE" else _Kind(f"a RIFF file of type {head[8:12].decode('latin-1')!r}")
    if head[:4] == b"FORM":
        aiff = head[8:12] in (b"AIFF", b"AIFC")
        return _Kind("an AIFF file", "aiff") if aiff else _Kind("an IFF file without audio")
    if head[:3] == b"ID3":
        return _MP3
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and 0 in head[2:4]:
        return _TEXT
    if _is_frame_sync(head):
        return _Kind("AAC audio", "aac") if head[1] & 0x06 == 0 else _MP3
    return _text(head)


def _is_frame_sync(head: bytes) -> bool:
    """Whether it begins with a frame of MPEG audio or AAC; µ-law silence begins with the same octets, but goes on."""
    return (
        len(head) > 3
        and head[0] == 0xFF
        and head[1] & 0xE0 == 0xE0
        and head[1] & 0x18 != 0x08
        and head[2] >> 4 != 0x0F
        and head[2] & 0x0C != 0x0C
        and head[:4].count(0xFF) == 1
    )


def _text(head: bytes) -> _Kind | None:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return None
        text = head[: error.start].decode("utf-8-sig")
    if not text or any(ord(sign) < 32 and sign not in "\t\n\r\f\x1b" for sign in text):
        return None
    start = text.lstrip().lower()
    if start.startswith("version https://git-lfs"):
        return _LFS
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return _HTML
    return _XML if start.startswith("<?xml") else _TEXT


def _by_library(file: BinaryIO, kind: _Kind, begin: float) -> Iterator[tuple[int, Wave]]:
    """Rate and samples of a container that PyAV decodes.

    Raises:
        AudioFileError: the file cannot be used.
    """
    if not kind.demuxer:
        raise AudioFileError(f"is {kind.name}, which cannot be played; {kind.hint or 'give an audio file'}")
    file.seek(0)
    try:
        yield from decoded_file(file, kind.demuxer, begin, longest=LONGEST + 1, tells_length=_tells_length(file, kind))
    except AudioTooLong:
        raise AudioFileError(_TOO_LONG) from None
    except CodecUnavailable:
        raise AudioFileError(f"is {kind.name}, which needs PyAV: pip install sipswarm[audio]; or {_CONVERT}") from None
    except ValueError as error:
        raise AudioFileError(f"is {kind.name} that cannot be decoded ({error}); {_CONVERT}") from error


def _tells_length(file: BinaryIO, kind: _Kind) -> bool:
    """Whether the header of a container has its length, and was finished by its writer."""
    if kind.demuxer != "mp3":
        return kind.demuxer in _TELL_LENGTH
    # The first frame of MP3 may carry the number of those that follow; without it FFmpeg's guess may be anything.
    head = _head(file)
    file.seek(_tag_size(head))
    first = file.read(_HEAD)
    file.seek(0)
    place = max(first.find(b"Xing", 0, 256), first.find(b"Info", 0, 256))
    return place > 0 and bool(first[place + 7] & 1) and any(first[place + 8 : place + 12])


def _at_rate(blocks: Iterator[tuple[int, Wave]], wanted: int) -> Iterator[Samples]:
    resampler: Resampler | None = None
    rate = taken = 0
    for rate, block in blocks:
        taken += len(block)
        if taken > LONGEST * rate:
            raise AudioFileError(_TOO_LONG)
        resampler = resampler or Resampler(rate, wanted)
        for at in range(0, len(block), _BLOCK):
            yield rounded(resampler.push(block[at : at + _BLOCK]))
    if resampler is not None:
        yield rounded(resampler.finish())


class _Wav:
    """A RIFF, RIFX or RF64 file: its format, and where its samples are."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        """Read the chunks up to the samples.

        Args:
            start: octets before the file.

        Raises:
            AudioFileError: the file cannot be used.
        """
        self._file = file
        file.seek(0, 2)
        self._end = file.tell()
        file.seek(start)
        head = file.read(12)
        if head[8:12] != b"WAVE":
            raise AudioFileError(f"is {(_recognised(head) or _WAV).name}, not a whole WAV file; {_CONVERT}")
        self._order = ">" if head[:4] == b"RIFX" else "<"
        finishes = start + 8 + self._number(head[4:8])
        self._form: tuple[int, int, int, int, int] | None = None  # format, channels, rate, octets of a sample, bits
        large = 0
        place = start + 12
        while True:
            file.seek(place)
            chunk = file.read(8)
            if len(chunk) < 8:
                raise AudioFileError(f"is a WAV file without {'samples' if self._form else 'a format'}; {_CONVERT}")
            name, size = chunk[:4], self._number(chunk[4:8])
            begin = place + 8
            if name == b"fmt ":
                self._form = self._read_format(file.read(min(size, 64)))
            elif name == b"ds64":
                large = int.from_bytes(file.read(16)[8:16], "little")
            elif name == b"data":
                break
            place = self._next_chunk(begin + size, size)
        if self._form is None:
            raise AudioFileError(f"is a WAV file whose format does not stand before its samples; {_CONVERT}")
        if size == 0xFFFFFFFF and large:
            size = large
        rest = self._end - begin
        # Both sizes are given, and one claims more: it is no header of a writer that was killed or streams.
        if rest < size < _UNKNOWN_SIZE and begin < finishes < start + _UNKNOWN_SIZE:
            raise AudioFileError(
                f"is a WAV file that is cut off: {rest} of {size} octets of samples are there; copy or export it again"
            )
        unfinished = size > rest or (size == 0 and not self._is_chunk(begin))
        self._begin = begin
        self._size = rest if unfinished else size

    def _number(self, octets: bytes) -> int:
        return int.from_bytes(octets, "big" if self._order == ">" else "little")

    def _is_chunk(self, place: int) -> bool:
        """Whether a whole chunk with a usual name begins there, and no samples do."""
        self._file.seek(place)
        head = self._file.read(8)
        return head[:4] in _CHUNKS and place + 8 + self._number(head[4:8]) <= self._end

    def _next_chunk(self, end: int, size: int) -> int:
        """Where the next chunk begins: behind a padding octet after an odd size, which some writers leave out."""
        if size % 2 == 0:
            return end
        self._file.seek(end)
        following = self._file.read(5)
        padded, bare = following[1:5], following[:4]
        return end if not padded.isascii() or (bare in (b"fmt ", b"data", b"fact", b"LIST")) else end + 1

    def _read_format(self, body: bytes) -> tuple[int, int, int, int, int]:
        if len(body) < 16:
            raise AudioFileError(f"is a WAV file with a damaged format; {_CONVERT}")
        number = self._number
        kind, channels, rate = number(body[0:2]), number(body[2:4]), number(body[4:8])
        align, bits = number(body[12:14]), number(body[14:16])
        if kind == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE: the format is in its GUID
            kind = number(body[24:26])
        if not (1 <= channels <= 64 and 1000 <= rate <= 384_000):
            raise AudioFileError(f"is a WAV file of {channels} channels at {rate} Hz; {_CONVERT}")
        octets = (bits + 7) // 8
        if kind == 1 and align % channels == 0 and align // channels >= octets:
            octets = align // channels  # 20 bits in 3 octets are the upper ones
        return kind, channels, rate, octets, bits

    def blocks(self, begin: float) -> Iterator[tuple[int, Wave]]:
        """Rate and samples, mixed to mono.

        Args:
            begin: seconds that are passed over.

        Raises:
            AudioFileError: the file cannot be used.
        """
        assert self._form is not None
        kind, channels, rate, octets, bits = self._form
        known = {1: (1, 2, 3, 4), 3: (4, 8), 6: (1,), 7: (1,)}.get(kind, ())
        if octets not in known:
            name = f"{_FORMATS.get(kind, f'format {kind}')} with {bits} bits"
            yield from _by_library(self._file, _Kind(f"a WAV file of {name}", "wav"), begin)
            return
        frame = channels * octets
        if self._size // frame > LONGEST * rate:
            raise AudioFileError(_TOO_LONG)
        before = min(round(begin * rate) * frame, self._size)
        self._file.seek(self._begin + before)
        left = self._size - before
        block = max(_BLOCK // channels, _BLOCK // 16) * frame
        while left >= frame:
            data = self._file.read(min(left, block) // frame * frame)
            data = data[: len(data) // frame * frame]
            if not data:
                return  # it was cut while it is read
            left -= len(data)
            samples = self._decoded(data, kind, octets)
            yield rate, samples.reshape(-1, channels).mean(axis=1).astype(np.float32) if channels > 1 else samples

    def _decoded(self, data: bytes, kind: int, octets: int) -> Wave:
        """As numbers in the range of 16 bits."""
        order = self._order
        if kind == 3:
            floats = np.nan_to_num(np.frombuffer(data, f"{order}f{octets}").astype(np.float64), posinf=1, neginf=-1)
            return (np.clip(floats, -1, 1) * 32767).astype(np.float32)
        if kind in (6, 7):
            return (g711.alaw_decode(data) if kind == 6 else g711.ulaw_decode(data)).astype(np.float32)
        if octets == 1:
            return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) * 256
        if octets == 2:
            return np.frombuffer(data, f"{order}i2").astype(np.float32)
        if octets == 3:
            three = np.frombuffer(data, np.uint8).reshape(-1, 3)
            four: NDArray[np.uint8] = np.zeros((len(three), 4), np.uint8)
            four[:, 1:] = three if order == "<" else three[:, ::-1]
            return (four.view("<i4")[:, 0] / 65536).astype(np.float32)
        return (np.frombuffer(data, f"{order}i4") / 65536).astype(np.float32)
