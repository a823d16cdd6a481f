"""Audio files are what their octets say, whatever their names are: played, or refused by what they are."""

import os
import struct
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media import sources
from sipswarm.media.audio import files as audio_files
from sipswarm.media.audio import g711
from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.files import AudioFileError, audio, payload_codec
from sipswarm.media.messages import CommandRefused, ConfigureStream, SetSource
from sipswarm.media.sinks import wav_header
from sipswarm.media.sockets import bind
from sipswarm.media.sources import FileFrames, Format, Reading, SourceError
from tests.media.rtp_packet import RtpPacket
from tests.media.tones import PEAK, decoded, fit, sine
from tests.media.world import HOME, World

PCMU = Format("PCMU", 8000, 160, 160)
PCMA = Format("PCMA", 8000, 160, 160)
L16 = Format("L16", 8000, 320, 160)
RAMP = np.arange(-8000, 8000, 4).astype("<i2")


def wav(
    data: bytes,
    kind: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
    *,
    magic: bytes = b"RIFF",
    size: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    extensible: bool = False,
    whole: int | None = None,
) -> bytes:
    order = ">" if magic == b"RIFX" else "<"
    align = channels * ((bits + 7) // 8)
    form = struct.pack(
        f"{order}HHIIHH", 0xFFFE if extensible else kind, channels, rate, min(rate * align, 2**32 - 1), align, bits
    )
    if extensible:
        form += struct.pack(f"{order}HHIH", 22, bits, 0, kind) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = before + b"fmt " + struct.pack(f"{order}I", len(form)) + form + b"data"
    chunks += struct.pack(f"{order}I", len(data) if size is None else size) + data + after
    return magic + struct.pack(f"{order}I", 4 + len(chunks) if whole is None else whole) + b"WAVE" + chunks


def pcm(tone: NDArray[Any], bits: int, order: str = "<") -> bytes:
    """Samples from -1 to 1 as integers of so many bits."""
    if bits == 8:
        return bytes((np.rint(tone * 127) + 128).astype(np.uint8))
    numbers = np.rint(tone * (2 ** (bits - 1) - 1)).astype(np.int64)
    octets = numbers.astype(f"{order}i8").view(np.uint8).reshape(-1, 8)
    return bytes(np.ascontiguousarray(octets[:, : bits // 8] if order == "<" else octets[:, 8 - bits // 8 :]))


TONE = {rate: np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * PEAK / 32768 for rate in (8000, 11025, 22050, 44100)}
INT16 = sine(0, 1, 8000)


def stereo(tone: NDArray[Any], channels: int) -> NDArray[Any]:
    return np.repeat(tone, channels)


FILES: dict[str, tuple[bytes, float]] = {
    **{f"{bits} bit": (wav(pcm(TONE[8000], bits), bits=bits), 30 if bits == 8 else 70) for bits in (8, 16, 24, 32)},
    **{
        f"{bits} bit, extensible": (wav(pcm(TONE[8000], bits), bits=bits, extensible=True), 30 if bits == 8 else 70)
        for bits in (8, 16, 24, 32)
    },
    "20 bit in 3 octets": (wav(pcm(TONE[8000], 24), bits=20), 70),
    "float": (wav(TONE[8000].astype("<f4").tobytes(), kind=3, bits=32), 70),
    "double": (wav(TONE[8000].astype("<f8").tobytes(), kind=3, bits=64), 70),
    "float, extensible": (wav(TONE[8000].astype("<f4").tobytes(), kind=3, bits=32, extensible=True), 70),
    "A-law": (wav(g711.alaw_encode(INT16), kind=6, bits=8), 30),
    "µ-law": (wav(g711.ulaw_encode(INT16), kind=7, bits=8), 30),
    "A-law stereo": (wav(stereo(np.frombuffer(g711.alaw_encode(INT16), np.uint8), 2).tobytes(), 6, 2, bits=8), 30),
    **{
        f"{channels} channels of {bits} bit": (wav(pcm(stereo(TONE[8000], channels), bits), 1, channels, bits=bits), 70)
        for channels in (2, 3, 6, 8)
        for bits in (16, 24)
    },
    **{f"{rate} Hz": (wav(pcm(TONE[rate], 16), rate=rate), 60) for rate in (11025, 22050, 44100)},
    **{
        f"{name} of {size:#x}": (wav(pcm(TONE[8000], bits), bits=bits, size=size, whole=whole), 70)
        for name, bits in (("16 bit", 16), ("24 bit", 24))
        for size in (0, 0xFFFFFFFF, 0x7FFFFFFF, 99999)
        for whole in (0, 36, 0xFFFFFFFF)
    },
    "odd chunk": (wav(pcm(TONE[8000], 16), before=b"LIST\x03\0\0\0abc\0"), 70),
    "odd chunk without padding": (wav(pcm(TONE[8000], 16), before=b"LIST\x03\0\0\0abc"), 70),
    "chunk behind": (wav(pcm(TONE[8000], 16), after=b"LIST\x04\0\0\0abcd"), 70),
    "odd octets": (wav(pcm(TONE[8000], 16) + b"\x01", after=b"\0"), 70),
    "RIFX": (wav(pcm(TONE[8000], 16, ">"), magic=b"RIFX"), 70),
    "RIFX 24 bit": (wav(pcm(TONE[8000], 24, ">"), bits=24, magic=b"RIFX"), 70),
    "RF64": (
        wav(
            pcm(TONE[8000], 16),
            magic=b"RF64",
            size=0xFFFFFFFF,
            whole=0xFFFFFFFF,
            before=b"ds64" + struct.pack("<IQQQI", 28, 0, 16000, 8000, 0),
            after=b"LIST" + struct.pack("<I", 400) + b"\x77" * 400,
        ),
        70,
    ),
    "behind an ID3 tag": (b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + wav(pcm(TONE[8000], 16)), 70),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_sort_of_wav_file_is_the_tone_that_was_written(kind: str, tmp_path: Path) -> None:
    data, least = FILES[kind]
    samples = decoded(data, 8000)
    assert len(samples) == 8000
    quality, peak = fit(samples, 8000)
    assert quality > least
    assert peak == pytest.approx(PEAK, rel=0.01)
    path = tmp_path / "some.txt"  # the name is never asked
    path.write_bytes(data)
    heard = np.concatenate([np.frombuffer(each, ">i2") for each in FileFrames().frames(str(path), L16)])
    assert heard.tolist() == samples.tolist()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(wav(RAMP.tobytes()), RAMP, id="16 bit"),
        pytest.param(wav(np.repeat(RAMP, 2).tobytes(), channels=2), RAMP, id="stereo is mixed"),
        pytest.param(wav(bytes(range(256)), bits=8), (np.arange(256) - 128) * 256, id="8 bit"),
        pytest.param(wav(bytes(range(256)), kind=7, bits=8), g711.ULAW_TO_LINEAR, id="µ-law"),
        pytest.param(wav(bytes(range(256)), kind=6, bits=8), g711.ALAW_TO_LINEAR, id="A-law"),
        pytest.param(wav_header(8000, 8000) + RAMP.tobytes(), RAMP, id="a header of ours"),
        pytest.param(wav(b"", after=b"LIST\x02\0\0\0ab"), RAMP[:0], id="a finished file without samples"),
        pytest.param(
            wav(np.array([np.nan, 2, -2, np.inf], "<f4").tobytes(), kind=3, bits=32),
            [0, 32767, -32767, 32767],
            id="NaN",
        ),
    ],
)
def test_samples_are_exactly_those_of_the_file(data: bytes, expected: NDArray[Any]) -> None:
    assert decoded(data, 8000).tolist() == np.asarray(expected).tolist()


def encoded(codec: str, form: str, rate: int, channels: int = 1) -> bytes:
    """A second of the tone as FFmpeg writes it."""
    av = pytest.importorskip("av", reason="PyAV is in the extra audio")
    file = BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
        samples = np.repeat(sine(0, 1, rate), channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=stream.layout.name)
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


LIBRARY = [
    ("mp3", "mp3", 44100, 2, "MP3 audio"),
    ("mp3", "mp3", 16000, 1, "MP3 audio"),
    ("libopus", "ogg", 48000, 1, "an Ogg file"),
    ("libopus", "ogg", 16000, 2, "an Ogg file"),
    ("flac", "flac", 44100, 2, "FLAC audio"),
    ("flac", "flac", 8000, 1, "FLAC audio"),
    ("aac", "ipod", 44100, 2, "an MP4 file"),
    ("aac", "mp4", 48000, 1, "an MP4 file"),
    ("aac", "adts", 44100, 1, "AAC audio"),
    ("libopus", "webm", 48000, 2, "a Matroska or WebM file"),
    ("pcm_s16be", "aiff", 22050, 2, "an AIFF file"),
    ("pcm_s16be", "au", 8000, 1, "an AU file"),
    ("pcm_s16le", "w64", 16000, 1, "a Wave64 file"),
    ("adpcm_ima_wav", "wav", 22050, 1, "a WAV file of IMA ADPCM"),
]


@pytest.mark.parametrize(("codec", "form", "rate", "channels", "name"), LIBRARY)
def test_files_of_other_formats_are_the_tone_with_the_extra_audio(
    codec: str, form: str, rate: int, channels: int, name: str, tmp_path: Path
) -> None:
    data = encoded(codec, form, rate, channels)
    for wanted in (8000, 16000, 48000):
        samples = decoded(data, wanted)
        assert len(samples) / wanted == pytest.approx(1, abs=0.1)
        quality, peak = fit(samples[wanted // 5 : wanted * 4 // 5], wanted)
        assert quality > 25
        assert peak == pytest.approx(PEAK, rel=0.06)
    path = tmp_path / "named.wav"
    path.write_bytes(data)
    assert 44 <= len(FileFrames().frames(str(path), PCMU)) <= 55


@pytest.mark.parametrize(("codec", "form", "rate", "channels", "name"), LIBRARY)
def test_without_the_extra_they_are_refused_with_what_to_install(
    codec: str, form: str, rate: int, channels: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(codec, form, rate, channels)
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with pytest.raises(AudioFileError, match=rf"^is {name}.* needs PyAV: pip install sipswarm\[audio\]; or convert"):
        decoded(data, 8000)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"Welcome to our company.\r\nPress 1.\n", "is a text file"),
    "text in another language": ("Grüß Gott, hier spricht der Anrufbeantworter. ".encode() * 200, "is a text file"),
    "text with a BOM": ("Hello".encode("utf-16"), "is a text file"),
    "HTML": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "is an HTML page, .*download"),
    "HTML without a doctype": (b"<html><head><title>Error</title>", "is an HTML page"),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is an XML file"),
    "JSON": (b'{"error": "not found"}', "is a text file"),
    "playlist": (b"#EXTM3U\nhttp://127.0.0.1/a.mp3\n", "is a text file"),
    "LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "is a Git LFS pointer.*git lfs pull",
    ),
    "pcap": (b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(100), "is a network capture"),
    "pcap of the other order": (b"\xa1\xb2\xc3\xd4" + bytes(100), "is a network capture"),
    "pcap in nanoseconds": (b"\x4d\x3c\xb2\xa1" + bytes(100), "is a network capture"),
    "pcapng": (b"\x0a\x0d\x0d\x0a" + bytes(100), "is a network capture"),
    "ZIP": (b"PK\x03\x04" + bytes(100), "is a ZIP archive, .*unpack"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "is a gzip archive"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG image"),
    "MIDI": (b"MThd\0\0\0\x06" + bytes(100), "is a MIDI file"),
    "AVI": (b"RIFF\0\1\0\0AVI LIST" + bytes(100), "is a RIFF file of type 'AVI '"),
    "zeros": (bytes(4000), "is no audio file that is known .*raw:FILE"),
    "µ-law silence": (b"\xff" * 4000, "is no audio file that is known .*raw:FILE"),
    "A-law silence": (b"\xd5" * 4000, "is no audio file that is known .*raw:FILE"),
    "µ-law": (g711.ulaw_encode(INT16), "is no audio file that is known .*raw:FILE"),
    "A-law": (g711.alaw_encode(INT16), "is no audio file that is known .*raw:FILE"),
    "RIFF and nothing": (b"RIFF", "is a RIFF file|is a WAV file"),
    "cut in the format": (wav(b"")[:30], "is a WAV file with a damaged format"),
    "cut before the samples": (wav(b"")[:38], "is a WAV file without samples"),
    "no format": (b"RIFF----WAVEdata\x04\x00\x00\x00abcd", "is a WAV file whose format does not stand before"),
    "no channels": (wav(bytes(4), channels=0), "is a WAV file of 0 channels at 8000 Hz"),
    "a rate of 1": (wav(bytes(4), rate=1), "is a WAV file of 1 channels at 1 Hz"),
    "unknown format": (wav(bytes(64), kind=0x7777), "is a WAV file of format 30583 with 16 bits"),
    "Ogg and nothing": (b"OggS" + bytes(100), "is an Ogg file that cannot be decoded"),
    "MP3 tag and nothing": (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), "is MP3 audio that cannot be decoded"),
    "FLAC and nothing": (b"fLaC" + bytes(100), "is FLAC audio that cannot be decoded"),
    "MP4 and nothing": (b"\0\0\0\x18ftypM4A " + bytes(100), "is an MP4 file"),
    "WebM and nothing": (b"\x1a\x45\xdf\xa3" + bytes(100), "is a Matroska or WebM file"),
    "AMR and nothing": (b"#!AMR\n", "is AMR audio"),
}


@pytest.mark.parametrize("name", ["sound.wav", "sound.mp3", "sound", "sound.txt"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_audio_is_refused_in_a_sentence_that_says_what_it_is(kind: str, name: str, tmp_path: Path) -> None:
    data, reason = REFUSED[kind]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"(?s)^bad_file: {path} {reason}"):
        FileFrames().frames(str(path), PCMU)


CUT = {
    "16 bit": wav(pcm(TONE[8000], 16)),
    "8 bit": wav(pcm(TONE[8000], 8), bits=8),
    "24 bit stereo": wav(pcm(stereo(TONE[8000], 2), 24), 1, 2, bits=24),
    "µ-law": wav(g711.ulaw_encode(INT16), kind=7, bits=8),
    "with a chunk behind": wav(pcm(TONE[8000], 16), after=b"LIST\x04\0\0\0abcd"),
    "RIFX": wav(pcm(TONE[8000], 16, ">"), magic=b"RIFX"),
    "behind an ID3 tag": b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + wav(pcm(TONE[8000], 16)),
}


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", CUT)
def test_a_wav_file_that_is_cut_off_is_refused(kind: str, share: float, tmp_path: Path) -> None:
    """Both sizes of its header promise more than there is: it is half copied, and not the work of a killed recorder."""
    path = tmp_path / "cut.wav"
    path.write_bytes(CUT[kind][: int(len(CUT[kind]) * share)])
    with pytest.raises(SourceError, match=r"bad_file: .*is a WAV file that is cut off: \d+ of \d+ octets"):
        FileFrames().frames(str(path), PCMU)


@pytest.mark.parametrize("missing", [2, 320, 4000, 1 << 20])
@pytest.mark.parametrize("magic", [b"RIFF", b"RIFX"])
def test_a_wav_file_whose_samples_are_fewer_than_their_size_is_refused(
    magic: bytes, missing: int, tmp_path: Path
) -> None:
    """The size of the whole file is right: docs/cli.md refuses what ends before any length of its header."""
    octets = pcm(TONE[8000], 16, ">" if magic == b"RIFX" else "<")
    data = bytearray(wav(octets, magic=magic))
    place = data.index(b"data") + 4
    data[place : place + 4] = (len(octets) + missing).to_bytes(4, "big" if magic == b"RIFX" else "little")
    path = tmp_path / "fewer.wav"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"is cut off: {len(octets)} of {len(octets) + missing} octets"):
        FileFrames().frames(str(path), PCMU)


@pytest.mark.parametrize("whole", [0, 36, 0x7FFF0000, 0xFFFFFFFF])
def test_a_wav_file_whose_writer_never_told_its_length_plays_what_is_there(whole: int, tmp_path: Path) -> None:
    data = bytearray(wav(pcm(TONE[8000], 16), size=20000))
    data[4:8] = whole.to_bytes(4, "little")
    path = tmp_path / "killed.wav"
    path.write_bytes(data)
    assert len(FileFrames().frames(str(path), PCMU)) == 50


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(
    ("codec", "form", "rate"),
    [("mp3", "mp3", 44100), ("flac", "flac", 44100), ("pcm_s16be", "aiff", 22050), ("pcm_s16be", "au", 8000)],
)
def test_other_files_whose_header_tells_their_length_are_refused_when_they_are_cut_off(
    codec: str, form: str, rate: int, share: float, tmp_path: Path
) -> None:
    data = encoded(codec, form, rate)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match=r"bad_file: .*(cut off: [\d.]+ of [\d.]+ s are there|\(End of file\))"):
        FileFrames().frames(str(path), PCMU)


def test_mp3_without_a_length_in_its_header_plays_what_is_there(tmp_path: Path) -> None:
    data = encoded("mp3", "mp3", 44100)
    place = max(data.find(b"Xing"), data.find(b"Info"))
    bare = data[:place] + bytes(8) + data[place + 8 :]
    path = tmp_path / "bare.mp3"
    path.write_bytes(bare[: len(bare) // 2])
    assert 15 <= len(FileFrames().frames(str(path), PCMU)) <= 35


@pytest.mark.parametrize("after", [b"", b"LIST\x04\0\0\0abcd"], ids=["samples", "nothing"])
def test_a_data_size_of_0_is_unfinished_where_samples_follow(after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "zero.wav"
    path.write_bytes(wav(b"" if after else pcm(TONE[8000], 16), size=0, after=after))
    if after:
        with pytest.raises(SourceError, match="has no audio"):
            FileFrames().frames(str(path), PCMU)
    else:
        assert len(FileFrames().frames(str(path), PCMU)) == 50


def test_missing_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("pipe", "is no regular file"), ("", "is no regular file")):
        with pytest.raises(SourceError, match=reason):
            FileFrames().frames(str(tmp_path / name), PCMU)
    with pytest.raises(SourceError, match=r"no_file: .*/none: No such file"):
        FileFrames().frames(f"raw:{tmp_path}/none", PCMU)


@pytest.mark.parametrize("name", ["kmsg.wav", "kmsg.ulaw", "raw:kmsg"])
def test_files_of_the_kernel_that_may_wait_for_ever_are_refused_unread(name: str, tmp_path: Path) -> None:
    """/proc/kmsg and its kin are regular files without octets; reading one waits for the kernel's next message."""
    form, _, file = name.rpartition(":")
    (tmp_path / file).symlink_to("/proc/self/mountinfo")
    with pytest.raises(SourceError, match=f"^bad_file: {tmp_path}/{file} is empty"):
        FileFrames().frames(f"raw:{tmp_path}/{file}" if form else f"{tmp_path}/{file}", PCMU)


def test_a_file_that_became_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "prompt.wav")  # since its name was looked at
    with pytest.raises(SourceError, match="is no regular file"):
        Reading(str(tmp_path / "prompt.wav"), PCMU)


def test_large_files_are_refused_by_their_octets_or_seconds(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(wav_header(8000, 0xFFFF0000))
        file.truncate(2 * 8000 * (audio_files.LONGEST + 1))
    with pytest.raises(SourceError, match=r"lasts longer than 60 minutes, which is the limit; cut it"):
        FileFrames().frames(str(path), PCMU)
    with path.open("r+b") as file:
        file.truncate(sources.MAX_FILE_OCTETS + 1)
    with pytest.raises(SourceError, match=r"is larger than 256 MiB, which is the limit"):
        FileFrames().frames(str(path), PCMU)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ulaw", ("PCMU", 0)),
        ("a.UL", ("PCMU", 0)),
        ("a.pcmu-8000", ("PCMU", 8000)),
        ("a.alaw", ("PCMA", 0)),
        ("a.g722", ("G722", 0)),
        ("a.l16-16000", ("L16", 16000)),
        ("a.raw", ("", 0)),
        ("a.raw.wav", None),
        ("a", None),
        ("ulaw", None),
        ("a.pcm", None),
        ("a.mp3", None),
    ],
)
def test_payload_is_known_by_its_name(name: str, expected: object) -> None:
    assert payload_codec(f"/some.ulaw/{name}") == expected


def test_raw_in_front_of_a_name_makes_payload_of_everything(tmp_path: Path) -> None:
    for name, data in (("a.wav", wav(RAMP.tobytes())), ("b.txt", b"text " * 100), ("c", b"\xff" * 320)):
        path = tmp_path / name
        path.write_bytes(data)
        frames = FileFrames().frames(f"raw:{path}", PCMU)
        assert b"".join(frames) == data + b"\xff" * (-len(data) % 160)


@pytest.mark.parametrize("ending", ["raw", "ulaw", "pcmu-8000"])
def test_payload_named_so_is_sent_as_it_is_unless_it_is_an_audio_file(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"announcement.{ending}"
    for data in (b"\xff" * 640, g711.ulaw_encode(INT16)):
        path.write_bytes(data)
        assert b"".join(FileFrames().frames(str(path), PCMU)) == data
    path.write_bytes(wav(RAMP.tobytes()))
    frames = FileFrames().frames(str(path), PCMU)
    assert b"".join(frames) == g711.ulaw_encode(RAMP.astype(np.int16))


def test_payload_of_one_codec_is_made_that_of_another(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is in the extra audio")
    forms = {"PCMU": PCMU, "PCMA": PCMA, "L16": L16, "G722": Format("G722", 8000, 160, 160)}
    for written, ending in (("PCMU", "ulaw"), ("PCMA", "alaw"), ("L16", "l16"), ("G722", "g722")):
        codec = open_codec(written)
        path = tmp_path / f"tone.{ending}"
        size = codec.sample_rate // 50
        tone = sine(0, 1, codec.sample_rate)
        path.write_bytes(b"".join(codec.encode(tone[at : at + size]) for at in range(0, len(tone), size)))
        for name, form in forms.items():
            frames = FileFrames().frames(str(path), form)
            decoder = open_codec(name)
            samples = np.concatenate([decoder.decode(each) for each in frames])
            assert len(samples) / decoder.sample_rate == pytest.approx(1, abs=0.03)
            assert fit(samples[1600:-1600], decoder.sample_rate)[0] > 20
    path = tmp_path / "speech.g729"
    path.write_bytes(bytes(320))
    with pytest.raises(SourceError, match=r"speech.g729 is G729 payload, and the call sends PCMU; give a WAV file"):
        FileFrames().frames(str(path), PCMU)
    assert FileFrames().frames(str(path), Format("G729", 8000, 20, 160)) == (bytes(20),) * 16


def through_a_stream(world: World, command: Callable[[int], ConfigureStream], seconds: float) -> list[RtpPacket]:
    engine = world.engine()
    world.open(engine)
    peer = bind(HOME, 0)
    try:
        world.do(engine, command(peer.getsockname()[1]))
        packets = []
        for _ in range(round(seconds / 0.05)):
            world.run(0.05)
            while True:
                try:
                    packets.append(RtpPacket.parse(peer.recv(2048)))
                except BlockingIOError:
                    break
        return packets
    finally:
        peer.close()


@pytest.mark.parametrize(
    ("name", "payload_type", "clock", "size"),
    [("PCMU", 0, 8000, 160), ("G722", 9, 8000, 160), ("opus", 97, 48000, 960)],
)
@pytest.mark.parametrize("kind", ["24 bit", "float", "44100 Hz", "6 channels of 16 bit", "16 bit of 0x0"])
def test_a_file_is_heard_as_the_tone_at_the_other_end(
    world: World, tmp_path: Path, name: str, payload_type: int, clock: int, size: int, kind: str
) -> None:
    path = tmp_path / "prompt.wav"
    path.write_bytes(FILES[f"{kind}" if kind in FILES else "16 bit of 0x0"][0])
    packets = through_a_stream(
        world,
        lambda port: ConfigureStream(
            1,
            remote_address=HOME,
            remote_port=port,
            codec=name,
            payload_type=payload_type,
            clock_rate=clock,
            payload_size=size,
            source=("file", str(path), 1),
        ),
        1.2,
    )
    assert len(packets) == 50
    codec = open_codec(name)
    samples = np.concatenate([codec.decode(packet.payload) for packet in packets])
    quality, peak = fit(samples[len(samples) // 5 : -len(samples) // 5], codec.sample_rate)
    assert quality > 20
    assert peak == pytest.approx(PEAK, rel=0.03)


def test_a_stream_tells_what_is_wrong_with_its_file(world: World, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"<html>")
    engine = world.engine()
    world.open(engine)
    (refused,) = world.do(engine, SetSource(1, ("file", str(path), 1)))
    assert isinstance(refused, CommandRefused)
    assert refused.reason == "bad_file"
    assert refused.detail.startswith(f"{path} is an HTML page")


def test_blocks_are_bounded_however_long_the_file_is() -> None:
    blocks = list(audio(BytesIO(wav(bytes(2 * 400_000))), 8000))
    assert sum(map(len, blocks)) == 400_000
    assert max(map(len, blocks)) <= 1 << 16
