"""A sine of known frequency, and how much of what came out is that sine."""

import wave
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sipswarm.media.audio.files import audio

HZ = 440
PEAK = 8000


def sine(start: float, seconds: float, rate: int, hz: float = HZ, peak: float = PEAK) -> NDArray[np.int16]:
    """Samples from the time `start` on: pieces of one tone fit together, whatever their rates."""
    time = start + np.arange(round(seconds * rate)) / rate
    return np.rint(np.sin(2 * np.pi * hz * time) * peak).astype(np.int16)


def fit(samples: NDArray[np.generic], rate: int, hz: float = HZ) -> tuple[float, float]:
    """Signal to noise in dB and peak of the sine of this frequency that fits best."""
    heard = samples.astype(float)
    angle = 2 * np.pi * hz * np.arange(len(heard)) / rate
    waves = np.stack((np.sin(angle), np.cos(angle)), axis=1)
    amplitudes, *_ = np.linalg.lstsq(waves, heard, rcond=None)
    signal = waves @ amplitudes
    noise = float(((heard - signal) ** 2).sum())
    return float(10 * np.log10(max((signal**2).sum(), 1e-9) / max(noise, 1e-9))), float(np.hypot(*amplitudes))


def decoded(data: bytes, rate: int) -> NDArray[np.int16]:
    """All samples of an audio file at this rate. Raises AudioFileError."""
    return np.concatenate([*audio(BytesIO(data), rate), np.empty(0, np.int16)])


def channels(path: Path, rate: int) -> list[NDArray[np.int16]]:
    """The channels of a recording of 16 bits, which is at this rate."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == rate
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    return list(samples.T)
