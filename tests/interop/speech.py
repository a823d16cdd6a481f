"""A signal that lines up with itself in one place only, and the judgement of a recording of it after G.711.

The recording is cut into pieces; each is found in what was sent by cross-correlation, and judged for gain and for the
ratio of signal to what G.711 and the way have added. Knows nothing of SIP or RTP.
"""

import struct
import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sipswarm.media.audio.g711 import ulaw_decode, ulaw_encode

RATE = 8000
PIECE = RATE // 4
QUIET_RMS = 200.0
"""of a piece that is judged at least; pauses say nothing"""
Signal = NDArray[np.float64]


def speech(seconds: float, seed: int) -> NDArray[np.int16]:
    """Syllables of noise and gliding tones with pauses, up to 3.4 kHz, peak below 16,000."""
    source = np.random.default_rng(seed)
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    glide = 600 + 400 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    voiced = np.sin(phase) + 0.5 * np.sin(2 * phase + 1) + 0.25 * np.sin(3 * phase + 2)
    spectrum = np.fft.rfft(source.standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / RATE) > 3400] = 0
    noise = np.fft.irfft(spectrum, count)
    loudness = np.clip(np.sin(2 * np.pi * 2.3 * time) + 0.4, 0, 1)
    signal = loudness * (3500 * voiced + 700 * noise)
    return np.asarray(np.clip(signal, -16000, 16000), np.int16)


def write_wav(path: Path, samples: NDArray[np.int16]) -> Path:
    """A mono WAV file of 16 bit samples at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> NDArray[np.int16]:
    """The samples of a mono WAV file of 16 bits at 8 kHz; its lengths may not be filled in yet."""
    octets = path.read_bytes()
    channels, rate = struct.unpack_from("<HI", octets, 22)
    bits = struct.unpack_from("<H", octets, 34)[0]
    assert (channels, rate, bits) == (1, RATE, 16), f"{path.name}: {channels} channels, {rate} Hz, {bits} bits"
    start = octets.index(b"data") + 8
    return np.frombuffer(octets[start : start + (len(octets) - start) // 2 * 2], "<i2")


class Likeness(NamedTuple):
    """How a recording compares with what was sent."""

    pieces: int
    """that were loud enough to be judged"""
    found: float
    """share of the pieces that stand in the original at the place of most, 20 ms more or less"""
    gain: float
    """median over the pieces, 1 = as sent"""
    snr_db: float
    """median over the pieces, against the original before G.711"""
    exact: float
    """share of the samples of those pieces that are what G.711 makes of the original, 2 more or less: that is how
    baresip decodes a zero"""


def likeness(sent: NDArray[np.int16], heard: NDArray[np.int16]) -> Likeness:
    """Judge a recording."""
    original: Signal = sent.astype(np.float64)
    coded = np.asarray(ulaw_decode(ulaw_encode(sent)), np.float64)
    length = 1 << (len(original) + PIECE - 1).bit_length()
    spectrum = np.fft.rfft(original, length)
    energy = np.cumsum(np.concatenate(([0.0], original**2)))
    rows: list[tuple[int, float, float, float]] = []
    for start in range(0, len(heard) - PIECE, PIECE):
        piece: Signal = heard[start : start + PIECE].astype(np.float64)
        if np.sqrt(np.mean(piece**2)) < QUIET_RMS:
            continue
        product: Any = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, length)), length)
        places = len(original) - PIECE
        norm = np.sqrt(np.maximum(energy[PIECE : PIECE + places] - energy[:places], 1.0))
        place = int(np.argmax(product[:places] / norm))
        like, exactly = original[place : place + PIECE], coded[place : place + PIECE]
        gain = float(np.dot(piece, like) / max(np.dot(like, like), 1.0))
        rest = piece - gain * like
        snr = 10 * np.log10(np.dot(gain * like, gain * like) / max(np.dot(rest, rest), 1e-9))
        rows.append((start - place, gain, float(snr), float(np.mean(np.abs(piece - exactly) <= 2))))
    if not rows:
        return Likeness(0, 0.0, 0.0, 0.0, 0.0)
    delays, gains, ratios, exact = (np.array(column) for column in zip(*rows, strict=True))
    in_place = np.abs(delays - np.median(delays)) <= RATE // 50
    return Likeness(
        len(rows),
        float(np.mean(in_place)),
        float(np.median(gains)),
        float(np.median(ratios)),
        float(np.mean(exact[in_place])),
    )
