"""Which tones a recording holds, for how long and how clean, as FFmpeg and numpy read it: not our own decoders."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

WINDOW = 0.04
QUIET_RMS = 100.0
CLEAN_DB = 20.0


class Stretch(NamedTuple):
    """A part of a recording in which one tone was heard, silence within it left out."""

    hz: float
    seconds: float
    peak: float
    """median"""


class Heard(NamedTuple):
    """A recording as its tones."""

    stretches: tuple[Stretch, ...]
    """in order"""
    noisy: int
    """windows that are neither silence nor one of the tones: the seams, and what is wrong"""
    seconds: float
    """the whole recording"""


def ffmpeg() -> Any:
    """PyAV; a test without it skips."""
    return pytest.importorskip("av", reason="PyAV is in the extra audio")


def samples_of(path: Path) -> tuple[int, NDArray[np.float64]]:
    """Rate and samples of an audio file, as FFmpeg decodes it."""
    av = ffmpeg()
    with av.open(str(path)) as container:
        mono = av.AudioResampler(format="s16", layout="mono")
        frames = [each for frame in container.decode(audio=0) for each in mono.resample(frame)]
    return frames[0].sample_rate, np.concatenate([each.to_ndarray().reshape(-1) for each in frames]).astype(float)


def heard(path: Path, *tones: float) -> Heard:
    """Judge a recording in windows of 40 ms: each is silent, one of the tones, or noise."""
    rate, samples = samples_of(path)
    size = round(rate * WINDOW)
    angles = 2 * np.pi * np.outer(np.arange(size) / rate, tones)
    found: list[tuple[float, float]] = []
    noisy = 0
    for begin in range(0, len(samples) - size + 1, size):
        window = samples[begin : begin + size]
        if np.sqrt(np.mean(window**2)) < QUIET_RMS:
            continue
        fits = []
        for column, hz in enumerate(tones):
            waves = np.stack((np.sin(angles[:, column]), np.cos(angles[:, column])), axis=1)
            amplitudes, *_ = np.linalg.lstsq(waves, window, rcond=None)
            rest = ((window - waves @ amplitudes) ** 2).sum()
            ratio = 10 * np.log10((window**2).sum() / max(rest, 1e-9))
            fits.append((ratio, hz, float(np.hypot(*amplitudes))))
        ratio, hz, peak = max(fits)
        if ratio < CLEAN_DB:
            noisy += 1
        else:
            found.append((hz, peak))
    stretches: list[Stretch] = []
    for hz, peak in found:
        if stretches and stretches[-1].hz == hz:
            stretches[-1] = stretches[-1]._replace(seconds=stretches[-1].seconds + WINDOW)
        else:
            stretches.append(Stretch(hz, WINDOW, peak))
    peaks = {hz: float(np.median([peak for each, peak in found if each == hz])) for hz, _ in found}
    whole = tuple(each._replace(peak=peaks[each.hz]) for each in stretches)
    return Heard(whole, noisy, len(samples) / rate)


def encoded(encoder: str, rate: int, hz: float, seconds: float, peak: float) -> bytes:
    """A tone as FFmpeg encodes it."""
    av = ffmpeg()
    context = av.CodecContext.create(encoder, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    time = np.arange(round(rate * seconds)) / rate
    wave = np.rint(np.sin(2 * np.pi * hz * time) * peak).astype(np.int16)
    octets = b""
    for begin in range(0, len(wave), rate // 50):
        frame = av.AudioFrame.from_ndarray(wave[begin : begin + rate // 50].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, begin
        octets += b"".join(bytes(packet) for packet in context.encode(frame))
    return octets + b"".join(bytes(packet) for packet in context.encode(None))
