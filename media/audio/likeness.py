"""What is heard in recorded audio: a prompt, a tone, silence. For tests of what a peer plays.

A prompt is cut into pieces. Each is found in the audio by normalised cross-correlation, which the level does not
change, and a codec or noise changes little. A piece counts where it lies at its own distance from the others.
So the share of the pieces that were heard says how much of the prompt came, whatever was lost, and another prompt of
the same voice has next to none. Silent pieces are left out. Files, clocks and calls do not belong here.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from .g711 import Samples
from .resampling import Wave

PIECE: Final = 0.4
"""Seconds of a piece; a quarter of a prompt that is shorter than 1.6 s."""
SHORTEST: Final = 0.1
"""Seconds of a piece at least."""
LONGEST: Final = 30.0
"""Seconds of a prompt that are looked for."""
SLACK: Final = 0.04
"""Seconds by which a piece may be early or late: playout buffers stretch and cut pauses."""
LEAST: Final = 0.6
"""Correlation of a piece that counts as heard."""
QUIET: Final = 0.05
"""A piece below this part of the prompt's level says nothing."""
WINDOW: Final = 0.05
"""Seconds in which a tone or silence is judged."""
PURE: Final = 0.8
"""Share of the power of a window that a tone has at least."""
HEADER: Final = 44
"""Octets before the samples of a recording."""
FULL_SCALE: Final = 23170.0
"""Root mean square of the loudest sine, which is +3.14 dBm0 (ITU-T G.711)."""


class Match(NamedTuple):
    """How much of a prompt was heard."""

    share: float
    """From 0 to 1, of the pieces that are not silent."""
    at: float
    """Seconds from the start of the audio to that of the prompt; negative when its start is missing."""


def level(dbm0: float) -> float:
    """Return the root mean square of samples of 16 bits at a level.

    Args:
        dbm0: the level in dBm0.
    """
    return float(FULL_SCALE * 10 ** ((dbm0 - 3.14) / 20))


def recorded(octets: bytes) -> tuple[int, Wave]:
    """Return rate and received samples of a WAV recording of this program, finished or not; of stereo the left side.

    Args:
        octets: of the file; the rate is 0 before its header is there.
    """
    if len(octets) < HEADER:
        return 0, np.empty(0, np.float32)
    channels, rate = struct.unpack_from("<HI", octets, 22)
    frame = 2 * max(1, channels)
    end = HEADER + (len(octets) - HEADER) // frame * frame
    return rate, np.frombuffer(octets[HEADER:end], "<i2")[:: max(1, channels)].astype(np.float32)


def joined(blocks: Iterable[Samples]) -> Wave:
    """Return the blocks of a file as one."""
    parts = [np.asarray(each, np.float32) for each in blocks]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def match(prompt: Wave, audio: Wave, rate: int) -> Match:
    """Return how much of a prompt is in the audio, and where.

    Args:
        prompt, audio: samples of one rate.
        rate: samples per second.
    """
    prompt = prompt[: round(LONGEST * rate)]
    piece = min(round(PIECE * rate), max(round(SHORTEST * rate), len(prompt) // 4))
    if not piece or len(prompt) < piece or len(audio) < piece:
        return Match(0.0, 0.0)
    quiet = QUIET * _rms(prompt)
    starts = [
        start for start in range(0, len(prompt) - piece + 1, piece) if _rms(prompt[start : start + piece]) > quiet
    ]
    size = 1 << (len(audio) + piece).bit_length()
    spectrum = np.fft.rfft(audio, size)
    sums = np.concatenate(([0.0], np.cumsum(np.square(audio, dtype=np.float64))))
    norms = np.sqrt(np.maximum(sums[piece:] - sums[:-piece], piece * level(-60.0) ** 2))
    rows = []
    for start in starts:
        part = prompt[start : start + piece] - prompt[start : start + piece].mean()
        found = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, size)), size)[: len(norms)]
        rows.append((found / (norms * max(float(np.linalg.norm(part)), 1e-9))).astype(np.float32))
    best = Match(0.0, 0.0)
    for start, row in zip(starts, rows, strict=True):
        begin = int(row.argmax()) - start
        share = sum(_is_there(each, begin + at, rate) for at, each in zip(starts, rows, strict=True)) / len(starts)
        if share > best.share:
            best = Match(share, begin / rate)
    return best


class Stretch(NamedTuple):
    """A part of the audio."""

    seconds: float
    """Its length; 0 = there is none."""
    end: float
    """Seconds from the start of the audio to its end."""


def longest_tone(audio: Wave, rate: int, hz: float, least: float = -40.0) -> Stretch:
    """Return the longest part in which a tone is nearly all that is heard.

    Args:
        hz: its frequency.
        least: its level in dBm0 at least.
    """
    count = max(1, round(WINDOW * rate))
    window = np.hanning(count)
    turn = window * np.exp(-2j * np.pi * hz / rate * np.arange(count))
    windows = _windows(audio, count)
    power = np.square(windows * np.sqrt(window)).sum(axis=1) / window.sum()
    tone = 2 * np.square(np.abs(windows @ turn)) / window.sum() ** 2
    return _longest((tone >= PURE * power) & (tone >= level(least) ** 2), count / rate)


def longest_silence(audio: Wave, rate: int, most: float = -50.0) -> Stretch:
    """Return the longest part without sound.

    Args:
        most: the level in dBm0 that counts as silence at most.
    """
    count = max(1, round(WINDOW * rate))
    return _longest(np.square(_windows(audio, count)).mean(axis=1) <= level(most) ** 2, count / rate)


def is_silent(audio: Wave, most: float = -50.0) -> bool:
    """Whether audio as a whole is below a level in dBm0."""
    return _rms(audio) <= level(most)


def _rms(audio: Wave) -> float:
    return float(np.sqrt(np.square(audio, dtype=np.float64).mean())) if len(audio) else 0.0


def _is_there(row: Wave, at: int, rate: int) -> bool:
    """Whether a piece is heard around a place."""
    slack = round(SLACK * rate)
    around = row[max(0, at - slack) : max(0, at + slack + 1)]
    return bool(len(around) and around.max() >= LEAST)


def _windows(audio: Wave, count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    whole = len(audio) // count * count
    return np.asarray(audio[:whole], np.float64).reshape(-1, count)


def _longest(marks: "np.ndarray[tuple[int], np.dtype[np.bool_]]", step: float) -> Stretch:
    """Return the longest run of true values, each of which stands for some seconds."""
    best, end, run = 0, 0, 0
    for index, each in enumerate(marks, 1):
        run = run + 1 if each else 0
        if run > best:
            best, end = run, index
    return Stretch(best * step, end * step)
