"""Another sample rate for a stream of audio, block by block, without a seam between two blocks.

A polyphase filter: each sample of the result is a weighted sum of the samples around its place (a sinc under a Kaiser
window). The result is at the same place in time as the input: the filter adds no delay, it waits for the samples after
a place instead. What lies outside both ends is the audio mirrored at its end, so that it begins and ends without a
click. Codecs, files and clocks do not belong here.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .g711 import Samples

Wave = NDArray[np.float32]

_CROSSINGS = 32
"""Zero crossings of the sinc on each side: the band from 84 to 100 % of the lower Nyquist frequency is the slope."""
_BETA = 8.0
"""Of the Kaiser window: 80 dB outside the band."""
_CUTOFF = 0.92
"""Middle of the slope, as a share of the lower Nyquist frequency."""
_PHASES = 2048
"""Places between two samples that have a row of weights of their own; for rates with more of them the nearest one."""
_BLOCK = 256
"""Samples of the result that are computed at a time: beyond it the memory costs more than the work."""


class _Filter(NamedTuple):
    up: int
    down: int
    """Place of sample n of the result, in samples of the input: n * down / up."""
    reach: int
    """Samples of the input on each side of a place."""
    weights: Wave
    """A row of 2 * reach for each phase."""


@lru_cache(maxsize=32)
def _filter(rate: int, wanted: int) -> _Filter:
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    scale = min(1.0, wanted / rate) * _CUTOFF
    reach = math.ceil(_CROSSINGS / scale)
    phases = min(up, _PHASES)
    distance = np.arange(1 - reach, reach + 1)[None, :] - (np.arange(phases) / phases)[:, None]
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, 1)))
    weights = np.sinc(distance * scale) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return _Filter(up, down, reach, weights.astype(np.float32))


class Resampler:
    """Mono audio of one rate in, block by block, and of another rate out."""

    __slots__ = ("_filter", "_first", "_held", "_next", "_taken")

    def __init__(self, rate: int, wanted: int) -> None:
        """Begin.

        Args:
            rate, wanted: samples per second, 1 or more.
        """
        self._filter = None if rate == wanted else _filter(rate, wanted)
        self._held: Wave = np.empty(0, np.float32)
        self._first = 0  # number of the first sample in _held; negative once the beginning was mirrored
        self._taken = 0  # samples of the input so far
        self._next = 0  # number of the next sample of the result

    def needed(self, count: int) -> int:
        """Samples of the input that are missing until `push` can return `count` samples."""
        if self._filter is None:
            return count
        up, down, reach, _ = self._filter
        return max(0, (self._next + count - 1) * down // up + reach + 1 - self._taken)

    def push(self, samples: "Samples | Wave") -> Wave:
        """Take the next samples of the input; returns what can be computed by now, not rounded."""
        block: Wave = samples.astype(np.float32)
        if self._filter is None:
            return block
        self._held = np.concatenate((self._held, block))
        self._taken += len(block)
        if not self._first:
            if self._taken <= self._filter.reach:
                return np.empty(0, np.float32)
            self._mirror_beginning()
        return self._compute((self._taken - self._filter.reach) * self._filter.up)

    def finish(self) -> Wave:
        """The rest of the result after the last sample of the input."""
        if self._filter is None or not self._taken:
            return np.empty(0, np.float32)
        if not self._first:
            self._mirror_beginning()
        reach = self._filter.reach
        held = self._held
        mirrored = 2 * held[-1] - held[-2 : -2 - reach : -1]
        self._held = np.concatenate((held, mirrored, np.full(reach - len(mirrored), held[-1], np.float32)))
        return self._compute(self._taken * self._filter.up)

    def _mirror_beginning(self) -> None:
        assert self._filter is not None
        reach = self._filter.reach
        held = self._held
        mirrored = 2 * held[0] - held[reach:0:-1]
        self._held = np.concatenate((np.full(reach - len(mirrored), held[0], np.float32), mirrored, held))
        self._first = -reach

    def _compute(self, limit: int) -> Wave:
        """The samples of the result from the next one on whose place is before limit / up."""
        assert self._filter is not None
        up, down, reach, weights = self._filter
        parts: list[Wave] = []
        end = max(self._next, -(-limit // down))
        while self._next < end:
            places = np.arange(self._next, min(self._next + _BLOCK, end), dtype=np.int64) * down
            starts, phases = places // up + (1 - reach) - self._first, places % up
            if up > len(weights):
                phases = phases * len(weights) // up
            windows = np.lib.stride_tricks.sliding_window_view(self._held, 2 * reach)[starts]
            parts.append(np.einsum("ij,ij->i", windows, weights[phases]))
            self._next += len(places)
        unused = max(0, self._next * down // up + (1 - reach) - self._first)
        self._held = self._held[unused:]
        self._first += unused
        return np.concatenate(parts) if parts else np.empty(0, np.float32)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """All of a recording at another rate.

    Args:
        rate, wanted: samples per second.
    """
    if rate == wanted or not len(samples):
        return samples
    resampler = Resampler(rate, wanted)
    return rounded(np.concatenate((resampler.push(samples), resampler.finish())))


def rounded(wave: Wave) -> Samples:
    """As 16 bit samples; what does not fit is cut off."""
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
