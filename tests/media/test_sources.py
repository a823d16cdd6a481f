"""What a stream sends: frames of files and tones, echo, callback (man page `media_send_recv`, `media_recv_echo`)."""

import struct
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio import g711
from sipswarm.media.sources import (
    CALLBACK_BOUND,
    CallbackSource,
    ConstantSource,
    EchoSource,
    FileFrames,
    Format,
    FramesSource,
    Source,
    SourceError,
    tone,
)

PCMU = Format("PCMU", 8000, 160, 160)
PCMA = Format("pcma", 8000, 160, 160)


def played(source: Source, most: int = 100) -> list[bytes | None]:
    return [source.next_payload() for _ in range(most)]


def wav(samples: bytes, kind: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\x00" + b"fmt " + struct.pack("<I", 16) + form
    return b"RIFF" + bytes(4) + b"WAVE" + chunks + b"data" + struct.pack("<I", len(samples)) + samples


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [(0, "ab"), (1, "ab"), (2, "abab"), (3, "ababab"), (-1, "ab" * 50), (-7, "ab" * 50)],
)
def test_frames_are_repeated_as_often_as_the_man_page_says(repeat: int, expected: str) -> None:
    source = FramesSource((b"a", b"b"), repeat)
    got = [each for each in played(source) if each is not None]
    assert b"".join(got).decode() == expected
    assert source.finished == ("" if repeat < 0 else "end")


def test_skipping_moves_on_in_the_file() -> None:
    source = FramesSource((b"a", b"b", b"c"), 2)
    source.skip(4)
    assert played(source, 3) == [b"b", b"c", None]
    source.skip(2)
    assert source.finished == "end"


@pytest.mark.parametrize(
    ("delay", "back"),
    [(-1, []), (0, [1, 2, 3, 4]), (1, [1, 2, 3]), (3, [1]), (10, [])],
)
def test_echo_with_a_delay_of_n_gives_the_first_after_packet_n_plus_one(delay: int, back: list[int]) -> None:
    source = EchoSource(delay)
    frames = [(b"%d" % n, 0, 0, n) for n in range(1, 5)]
    got = [source.echo(frame) for frame in frames]
    assert [each[3] for each in got if each is not None] == back
    assert source.next_payload() is None
    assert not source.paced


class TestCallbackSource:
    def test_asks_five_packets_of_20_ms_ahead_and_once_at_a_time(self) -> None:
        source = CallbackSource(0.02)
        assert source.wanted() == 5
        assert source.wanted() == 0
        source.provide(tuple((b"%d" % n, -1, 0, -1) for n in range(5)), False)
        assert source.wanted() == 0
        assert played(source, 2) == [b"0", b"1"]
        assert source.wanted() == 0
        assert played(source, 1) == [b"2"]
        assert source.wanted() == 3
        assert played(source, 3) == [b"3", b"4", None]
        assert source.underruns == 1

    def test_a_long_interval_asks_for_one(self) -> None:
        assert CallbackSource(0.2).wanted() == 1

    def test_hands_out_payload_type_marker_and_timestamp(self) -> None:
        source = CallbackSource(0.02)
        source.provide(((b"x", 96, 1, 12345),), False)
        assert source.next_payload() == b"x"
        assert source.override == (b"x", 96, 1, 12345)

    def test_ends_when_the_last_frame_is_out(self) -> None:
        source = CallbackSource(0.02)
        source.provide(((b"x", -1, 0, -1),), True)
        assert source.wanted() == 0
        assert played(source, 2) == [b"x", None]
        assert source.finished == "end"

    def test_drops_beyond_its_bound_and_counts(self) -> None:
        source = CallbackSource(0.02)
        source.provide(tuple((b"x", -1, 0, -1) for _ in range(CALLBACK_BOUND + 3)), False)
        assert (source.waiting, source.dropped) == (CALLBACK_BOUND, 3)
        source.skip(CALLBACK_BOUND + 1)
        assert source.waiting == 0


def test_the_source_that_gives_nothing_gives_nothing() -> None:
    source = Source()
    source.skip(3)
    assert (source.next_payload(), source.paced, source.finished) == (None, False, "")


def test_silence_is_that_of_the_codec() -> None:
    assert PCMU.silence() == b"\xff" * 160
    assert PCMA.silence() == b"\xd5" * 160
    assert Format("L16", 8000, 320, 160).silence() == bytes(320)
    assert Format("iLBC", 8000, 50, 240).silence() == bytes(50)
    assert played(ConstantSource(b"s"), 2) == [b"s", b"s"]


@pytest.mark.parametrize("hz", [100, 440, 1004.4, 3999])
def test_a_tone_has_its_frequency_and_level_and_no_seam(hz: float) -> None:
    payload = b"".join(each for each in played(tone(hz, PCMU), 150) if each is not None)
    samples = g711.ulaw_decode(payload).astype(float)
    spectrum = np.abs(np.fft.rfft(samples[:8000]))
    assert int(spectrum.argmax()) == round(hz)
    if hz < 3000:
        level = 10 * np.log10(np.mean(samples**2) / (22748.0**2 / 2))
        assert level == pytest.approx(-16, abs=0.2)
        assert np.abs(np.diff(samples)).max() < 2 * np.pi * hz / 8000 * 3700 + 256


def test_a_tone_of_packets_that_do_not_divide_a_second_has_no_seam() -> None:
    form = Format("PCMA", 8000, 240, 240)
    payload = b"".join(each for each in played(tone(300, form), 150) if each is not None)
    samples = g711.alaw_decode(payload).astype(float)
    assert np.abs(np.diff(samples)).max() < 2 * np.pi * 300 / 8000 * 3700 + 256


@pytest.mark.parametrize(
    ("hz", "form", "reason"),
    [
        (0, PCMU, "bad_value: a tone of 0 Hz does not fit 8000 samples a second"),
        (4000, PCMU, "bad_value: a tone of 4000 Hz does not fit 8000 samples a second"),
        (3999.5, PCMU, "bad_value: a tone of 3999.5 Hz does not fit 8000 samples a second"),
        (4001, PCMU, "bad_value: a tone of 4001 Hz does not fit 8000 samples a second"),
        (440, Format("iLBC", 8000, 50, 240), "bad_value: audio cannot be encoded as iLBC; use a raw file"),
    ],
)
def test_a_tone_that_cannot_be_is_refused(hz: float, form: Format, reason: str) -> None:
    with pytest.raises(SourceError, match=f"^{reason}$"):
        tone(hz, form)


def test_a_raw_file_is_cut_into_packets_and_its_tail_filled_with_silence(tmp_path: Path) -> None:
    path = tmp_path / "announce.pcmu-8000"
    path.write_bytes(bytes(range(200)) * 2)
    frames = FileFrames().frames(str(path), PCMU)
    assert [len(each) for each in frames] == [160, 160, 160]
    assert b"".join(frames) == bytes(range(200)) * 2 + b"\xff" * 80


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(160))
    files = FileFrames()
    first = files.frames(str(path), PCMU)
    assert files.frames(str(path), PCMU) is first
    assert files.frames(str(path), PCMA) is not first
    path.write_bytes(bytes(320))
    assert len(files.frames(str(path), PCMU)) == 2


def test_the_least_used_files_are_forgotten(tmp_path: Path) -> None:
    files = FileFrames(most=400)
    paths = []
    for name in "abc":
        path = tmp_path / f"{name}.raw"
        path.write_bytes(bytes(160))
        paths.append(str(path))
    kept = [files.frames(path, PCMU) for path in paths]
    assert files.frames(paths[2], PCMU) is kept[2]
    assert files.frames(paths[1], PCMU) is kept[1]
    assert files.frames(paths[0], PCMU) is not kept[0]


RAMP = np.arange(-8000, 8000, 4).astype("<i2")


def test_missing_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no_file: .*/none: No such file"):
        FileFrames().frames(str(tmp_path / "none"), PCMU)
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(SourceError, match=r"bad_file: .* is larger than"):
        FileFrames().frames(str(huge), PCMU)


def test_a_wav_file_becomes_packets_of_the_codec(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(RAMP.tobytes()))
    frames = FileFrames().frames(str(path), PCMA)
    assert b"".join(frames) == g711.alaw_encode(RAMP.astype(np.int16))[: 160 * (len(RAMP) // 160)]


@pytest.mark.parametrize("hz", [1, 440, 3399, 3900, 3990, 3999])
def test_a_tone_below_half_of_the_rate_is_heard(hz: int) -> None:
    sent = b"".join(each for each in played(tone(hz, PCMU), 100) if each)
    assert np.sqrt(np.mean(g711.ulaw_decode(sent).astype(float) ** 2)) == pytest.approx(2549, rel=0.05)
