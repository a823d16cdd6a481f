"""What is heard in audio: a prompt through G.711, noise, losses and another rate; a tone; silence."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from sipswarm.media.audio.likeness import (
    Match,
    is_silent,
    joined,
    level,
    longest_silence,
    longest_tone,
    match,
    recorded,
)
from sipswarm.media.audio.resampling import Wave
from sipswarm.media.sinks import wav_header
from tests.media.audio.voices import RATE, voice


def wave_of(samples: NDArray[np.int16]) -> Wave:
    return np.asarray(samples, np.float32)


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE), np.float32)


def tone(hz: float, seconds: float, dbm0: float = -10.0) -> Wave:
    return np.asarray(level(dbm0) * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE), "f4")


PROMPT = voice(5.0, 1)
OTHER = voice(5.0, 2)


def test_a_prompt_is_found_at_its_place() -> None:
    heard = np.concatenate((silence(1.0), wave_of(PROMPT), silence(0.5)))
    found = match(wave_of(PROMPT), heard, RATE)
    assert found.share == 1.0
    assert found.at == pytest.approx(1.0, abs=1 / RATE)


def through_ulaw(samples: NDArray[np.int16]) -> Wave:
    return wave_of(ulaw_decode(ulaw_encode(samples)))


def through_alaw(samples: NDArray[np.int16]) -> Wave:
    return wave_of(alaw_decode(alaw_encode(samples)))


def quiet(samples: NDArray[np.int16]) -> Wave:
    return wave_of(samples) * np.float32(0.05)


def noisy(samples: NDArray[np.int16]) -> Wave:
    return wave_of(samples) + np.asarray(np.random.default_rng(7).normal(0, level(-35), len(samples)), np.float32)


def with_losses(samples: NDArray[np.int16]) -> Wave:
    """Each tenth packet of 20 ms is silence."""
    found = wave_of(samples).copy()
    for start in range(0, len(found), 1600):
        found[start : start + 160] = 0
    return found


def stretched(samples: NDArray[np.int16]) -> Wave:
    """A playout buffer has put in 10 ms in the middle."""
    middle = len(samples) // 2
    return np.concatenate((wave_of(samples[:middle]), silence(0.01), wave_of(samples[middle:])))


@pytest.mark.parametrize("way", [through_ulaw, through_alaw, quiet, noisy, with_losses, stretched])
def test_a_prompt_is_known_whatever_its_way_did_to_it(way: object) -> None:
    assert callable(way)
    heard = np.concatenate((silence(0.3), way(PROMPT)))
    assert match(wave_of(PROMPT), heard, RATE).share >= 0.8


@pytest.mark.parametrize("seed", range(3, 9))
def test_another_prompt_of_the_same_voice_is_not_taken_for_it(seed: int) -> None:
    assert match(wave_of(PROMPT), wave_of(voice(8.0, seed)), RATE).share <= 0.3


def test_the_share_tells_how_much_of_it_came_and_a_missing_start_gives_a_negative_place() -> None:
    half = match(wave_of(PROMPT), wave_of(PROMPT[: len(PROMPT) // 2]), RATE)
    assert 0.35 <= half.share <= 0.6
    late = match(wave_of(PROMPT), wave_of(PROMPT[RATE:]), RATE)
    assert 0.6 <= late.share < 1.0
    assert late.at == pytest.approx(-1.0, abs=1 / RATE)


def test_pauses_of_a_prompt_say_nothing() -> None:
    prompt = np.concatenate((wave_of(PROMPT), silence(10.0)))
    assert match(prompt, np.concatenate((wave_of(PROMPT), silence(0.5))), RATE).share == 1.0


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
def test_short_prompts_are_found_too(seconds: float) -> None:
    prompt = wave_of(voice(seconds, 4))
    found = match(prompt, np.concatenate((wave_of(OTHER), prompt, silence(0.2))), RATE)
    assert found.share == 1.0
    assert found.at == pytest.approx(5.0, abs=1 / RATE)


@pytest.mark.parametrize("length", [0, 10, RATE])
def test_what_is_too_short_or_silent_is_no_match(length: int) -> None:
    assert match(wave_of(PROMPT), silence(0)[:length], RATE) == Match(0.0, 0.0)
    assert match(silence(length / RATE), wave_of(PROMPT), RATE) == Match(0.0, 0.0)
    assert match(wave_of(PROMPT), silence(length / RATE), RATE).share == 0.0


def test_a_tone_is_told_from_others_from_speech_and_from_a_faint_one() -> None:
    audio = np.concatenate((wave_of(OTHER), tone(440, 1.0), silence(0.5)))
    found = longest_tone(audio, RATE, 440)
    assert found.seconds == pytest.approx(1.0, abs=0.1)
    assert found.end == pytest.approx(6.0, abs=0.1)
    for hz in (330, 480, 880):
        assert longest_tone(tone(hz, 1.0), RATE, 440).seconds == 0
    assert longest_tone(wave_of(voice(10.0, 5)), RATE, 440).seconds < 0.2
    assert longest_tone(tone(440, 1.0, -60.0), RATE, 440).seconds == 0
    assert longest_tone(silence(1.0), RATE, 440).seconds == 0


def test_silence_is_found_and_audio_is_none() -> None:
    audio = np.concatenate((tone(440, 1.0), silence(0.7), tone(440, 0.2)))
    found = longest_silence(audio, RATE)
    assert found.seconds == pytest.approx(0.7, abs=0.1)
    assert found.end == pytest.approx(1.7, abs=0.1)
    assert longest_silence(tone(440, 1.0), RATE).seconds == 0
    assert [is_silent(audio), is_silent(silence(1.0)), is_silent(silence(0))] == [False, True, True]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_recording_is_read_whether_it_is_finished_or_not(channels: int) -> None:
    left = PROMPT[:800]
    samples = left if channels == 1 else np.stack((left, OTHER[:800]), axis=1).reshape(-1)
    for length in (0, samples.nbytes):
        rate, audio = recorded(
            wav_header(16000, length, channels) + samples.astype("<i2").tobytes() + b"\x01" * (length > 0)
        )
        assert rate == 16000
        assert audio.tolist() == left.tolist()
    assert recorded(b"")[0] == recorded(wav_header(8000, 0)[:43])[0] == 0


def test_the_blocks_of_a_file_are_joined() -> None:
    assert joined([PROMPT[:800], OTHER[:800]]).shape == (1600,)
    assert len(joined([])) == 0
