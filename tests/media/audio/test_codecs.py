"""Codecs: audio to payload and back, and clear words when a library is missing."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio import g711
from sipswarm.media.audio.codecs import FORMATS, Codec, CodecUnknown, open_codec, opus_ticks
from sipswarm.media.audio.formats import stream_codec

AUDIO_REASON = "PyAV (extra `audio`) is not installed"


def sine(rate: int, seconds: float = 1.0) -> NDArray[np.int16]:
    wave: NDArray[np.float64] = 8000 * np.sin(2 * np.pi * 440 / rate * np.arange(int(rate * seconds)))
    return np.round(wave).astype(np.int16)


def likeness(sent: NDArray[np.int16], heard: NDArray[np.int16]) -> float:
    """Best correlation over the delays that a codec may have, up to 25 ms at 48 kHz."""
    length = min(len(sent), len(heard)) - 1200
    return max(float(np.corrcoef(sent[:length], heard[lag : lag + length])[0, 1]) for lag in range(1200))


def through(codec: Codec, audio: NDArray[np.int16], size: int) -> tuple[NDArray[np.int16], set[int]]:
    """The audio after encoding and decoding in packets of `size` samples, and the sizes of the payloads."""
    payloads = [codec.encode(audio[start : start + size]) for start in range(0, len(audio), size)]
    return np.concatenate([codec.decode(payload) for payload in payloads]), set(map(len, payloads))


@pytest.mark.parametrize(("name", "law"), [("PCMU", g711.PCMU), ("pcma", g711.PCMA)])
def test_g711_is_the_table(name: str, law: g711.Law) -> None:
    codec = open_codec(name)
    audio = sine(8000)
    assert codec.encode(audio) == law.encode(audio)
    assert codec.decode(bytes(range(256))).tolist() == law.to_linear.tolist()
    assert codec.silence(160) == law.silence * 160
    assert (codec.clock_rate, codec.sample_rate) == (8000, 8000)
    assert open_codec(name, 16000).sample_rate == 16000


@pytest.mark.parametrize("channels", [1, 2])
def test_l16_is_network_byte_order_and_bit_exact(channels: int) -> None:
    codec = open_codec(stream_codec("L16", channels), 16000)
    samples = np.array([0, 1, -1, 32767, -32768, 0x1234], np.int16)
    payload = codec.encode(samples)
    assert payload[: 2 * channels] == bytes(2 * channels)
    assert payload[-2 * channels :] == b"\x12\x34" * channels
    assert codec.decode(payload).tolist() == samples.tolist()
    assert codec.silence(320) == bytes(640 * channels)
    assert (codec.clock_rate, codec.sample_rate) == (16000, 16000)


def test_a_torn_l16_payload_loses_its_last_sample_only() -> None:
    codec = open_codec("L16")
    assert codec.decode(b"\0\1\0\2\0").tolist() == [1, 2]
    assert codec.errors == 1
    assert codec.decode(b"").tolist() == []


@pytest.mark.parametrize(
    ("name", "clock_rate", "channels"),
    [("iLBC", 8000, 1), ("", 0, 1), ("PCMU", -1, 1), ("L16", 8000, 0), ("PCMU", 8000, 2), ("G722", 8000, 2)],
)
def test_other_codecs_are_only_passed_through(name: str, clock_rate: int, channels: int) -> None:
    with pytest.raises(CodecUnknown, match="passed through"):
        open_codec(stream_codec(name, channels), clock_rate)


@pytest.mark.parametrize(("name", "rate"), [("G722", 16000), ("opus", 8000)])
def test_library_codecs_have_one_clock_rate(name: str, rate: int) -> None:
    with pytest.raises(CodecUnknown, match="clock"):
        open_codec(name, rate)


@pytest.mark.parametrize("name", ["G722", "opus"])
def test_a_missing_library_is_named_with_the_extra(name: str) -> None:
    script = (
        "import sys; sys.modules['av'] = None\n"
        "from sipswarm.media.audio.codecs import open_codec, CodecUnavailable\n"
        f"try: open_codec({name!r})\n"
        "except CodecUnavailable as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert name in shown
    assert "pip install sipswarm[audio]" in shown


def test_opening_g711_does_not_load_the_library() -> None:
    script = "import sys, sipswarm.media.audio.codecs as c; c.open_codec('PCMU'); sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "size", "octets"),
    [
        ("G722", 160, {80}),
        ("G722", 320, {160}),
        ("G722", 480, {240}),
        ("opus", 480, None),
        ("opus", 960, None),
        ("opus", 2880, None),
    ],
)
def test_library_codecs_carry_audio(name: str, size: int, octets: set[int] | None) -> None:
    pytest.importorskip("av", reason=AUDIO_REASON)
    codec = open_codec(name)
    audio = sine(codec.sample_rate, 0.96)
    heard, sizes = through(codec, audio, size)
    assert len(heard) == len(audio)
    assert octets in (None, sizes)
    assert likeness(audio, heard) > 0.99
    assert codec.errors == 0


@pytest.mark.parametrize("name", ["G722", "opus"])
def test_library_codecs_are_silent_when_told(name: str) -> None:
    pytest.importorskip("av", reason=AUDIO_REASON)
    codec = open_codec(name)
    heard = codec.decode(codec.silence(codec.clock_rate // 50))
    assert len(heard) == codec.sample_rate // 50
    assert np.abs(heard.astype(np.int32)).max() < 50


def test_opus_refuses_packets_that_it_does_not_have() -> None:
    pytest.importorskip("av", reason=AUDIO_REASON)
    with pytest.raises(ValueError, match="Opus packet lasts"):
        open_codec("opus").encode(sine(48000)[:1440])


@pytest.mark.parametrize("name", ["G722", "opus"])
def test_garbage_never_raises(name: str) -> None:
    pytest.importorskip("av", reason=AUDIO_REASON)
    codec = open_codec(name)
    rng = np.random.default_rng(1)
    for size in (0, 1, 3, 160, 1400):
        for _ in range(20):
            codec.decode(rng.bytes(size))
    assert codec.errors >= 20
    assert likeness(sine(codec.sample_rate), through(codec, sine(codec.sample_rate), codec.sample_rate // 50)[0]) > 0.99


def test_the_table_names_each_codec_as_sdp_does() -> None:
    assert {form.name: (form.payload_type, form.clock_rate) for form in FORMATS.values()} == {
        "PCMU": (0, 8000),
        "PCMA": (8, 8000),
        "L16": (-1, 8000),
        "G722": (9, 8000),
        "opus": (-1, 48000),
    }


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "L16", "G722", "opus"])
def test_a_packet_tells_how_long_it_is(name: str) -> None:
    if FORMATS[name.upper()].library:
        pytest.importorskip("av", reason=AUDIO_REASON)
    codec = open_codec(name)
    for ms in (10, 20, 40, 60):
        ticks = codec.clock_rate * ms // 1000
        assert codec.ticks(codec.encode(np.zeros(codec.sample_rate * ms // 1000, np.int16))) == ticks


@pytest.mark.parametrize(
    ("octets", "ticks"),
    [
        (b"", 0),
        (b"\x00", 480),  # SILK, 10 ms, one frame (RFC 6716 table 2)
        (b"\x18", 2880),  # SILK, 60 ms
        (b"\x19", 5760),  # two of them
        (b"\x60", 480),  # hybrid, 10 ms
        (b"\x68", 960),
        (b"\x80", 120),  # CELT, 2.5 ms
        (b"\x9a", 1920),
        (b"\x9b\x06", 5760),  # six frames of 20 ms
        (b"\x9b\x07", 0),  # more than 120 ms
        (b"\x9b", 0),
    ],
)
def test_the_length_of_opus_packets_of_every_kind(octets: bytes, ticks: int) -> None:
    assert opus_ticks(octets) == ticks
