"""Voices that share no pitch, vowel or syllable: prompts that a comparison has to tell from each other. Not a test."""

import numpy as np
from numpy.typing import NDArray

RATE = 8000
SYLLABLE = 0.18
"""seconds"""


def voice(seconds: float, seed: int) -> NDArray[np.int16]:
    """Syllables with a pitch and a vowel of their own, some breath, and pauses between; peak below 16,000."""
    source = np.random.default_rng(seed)
    count = round(seconds * RATE)
    steps = int(seconds / SYLLABLE) + 2
    moments = np.arange(count) / RATE
    corners = np.arange(steps) * SYLLABLE
    pitch = np.interp(moments, corners, source.uniform(90, 230, steps))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    which = np.minimum((moments / SYLLABLE).astype(int), steps - 1)
    voiced = np.zeros(count)
    for harmonic in range(1, 15):
        strength = source.exponential(1.0, steps) / harmonic**0.5
        voiced += strength[which] * np.sin(harmonic * phase + source.uniform(0, 2 * np.pi))
    breath = source.standard_normal(count) * source.uniform(0, 0.5, steps)[which]
    loudness = np.sin(np.pi * (moments % SYLLABLE) / SYLLABLE) * (source.uniform(0, 1, steps) > 0.15)[which]
    signal = loudness * (voiced + breath)
    return np.asarray(signal / max(float(np.abs(signal).max()), 1e-9) * 15_000, np.int16)
