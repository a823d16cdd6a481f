"""Audio for packets that did not come: repetition of the last pitch period, and comfort noise (RFC 3389).

The method is that of G.711 Appendix I in its main lines: find the pitch, repeat the last period with a soft seam,
hold for 10 ms, then fade out until 60 ms. Packets, timestamps and codecs do not belong here.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .g711 import Samples

_SHORTEST_PITCH, _LONGEST_PITCH = 0.005, 0.015
"""Seconds of a pitch period that is looked for: 66 to 200 Hz; a higher voice repeats several periods."""
_TEMPLATE = 0.02
"""Seconds that are compared."""
_HOLD, _FADE = 0.01, 0.05
"""Seconds at full level, and seconds until silence after them."""
_JOIN = 0.004
"""Seconds over which real audio takes over from a concealed gap."""


class Concealer:
    """Follows one stream's audio and continues it where it breaks off."""

    __slots__ = ("_done", "_history", "_period", "_rate")

    def __init__(self, sample_rate: int) -> None:
        """Begin with no audio played.

        Args:
            sample_rate: Hz, 8000 or more.
        """
        self._rate = sample_rate
        self._history: Samples = np.zeros(int((_TEMPLATE + 2 * _LONGEST_PITCH) * sample_rate), np.int16)
        self._period: NDArray[np.float64] | None = None  # what is repeated; None while nothing is concealed
        self._done = 0  # samples concealed since the last real one

    def hear(self, samples: Samples) -> Samples:
        """Take real audio; returns it, with its beginning faded in when it follows a concealed gap."""
        if self._period is not None and len(samples):
            join = min(int(_JOIN * self._rate), len(samples))
            ramp = np.linspace(0, 1, join)
            mixed = samples[:join] * ramp + self._continue(join) * (1 - ramp)
            samples = np.concatenate((np.rint(mixed).astype(np.int16), samples[join:]))
            self._period = None
        size = len(self._history)
        self._history = np.concatenate((self._history, samples))[-size:]
        return samples

    def conceal(self, count: int) -> Samples:
        """`count` samples instead of those that did not come; silence after 60 ms."""
        if self._period is None:
            self._period = self._last_period()
            self._done = 0
        return np.rint(self._continue(count)).astype(np.int16)

    def _continue(self, count: int) -> NDArray[np.float64]:
        assert self._period is not None
        position = np.arange(self._done, self._done + count)
        self._done += count
        gain = np.clip(1 - (position / self._rate - _HOLD) / _FADE, 0, 1)
        wave: NDArray[np.float64] = self._period[position % len(self._period)] * gain
        return wave

    def _last_period(self) -> NDArray[np.float64]:
        history = self._history.astype(np.float64)
        shortest, longest = int(_SHORTEST_PITCH * self._rate), int(_LONGEST_PITCH * self._rate)
        template = history[-int(_TEMPLATE * self._rate) :]
        # Row l of the view is the history `longest - l` samples before the template.
        windows = np.lib.stride_tricks.sliding_window_view(
            history[-len(template) - longest : len(history) - shortest], len(template)
        )
        energy = np.sqrt(np.square(windows).sum(axis=1))
        lag = longest - int(np.argmax(windows @ template / np.maximum(energy, 1.0)))
        period = history[-lag:]
        # The end of the period runs into what came before its start, so that it repeats without a click.
        seam = lag // 4
        ramp = np.linspace(0, 1, seam)
        period[-seam:] = period[-seam:] * (1 - ramp) + history[-lag - seam : -lag] * ramp
        return period


@cache
def _noise() -> NDArray[np.float64]:
    """White noise of power 1, the same in every process: a mixing function (SplitMix64) of the index."""
    state = np.arange(1, 8193, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = (state >> np.uint64(11)).astype(np.float64) / 2**53
    wave: NDArray[np.float64] = (uniform - 0.5) * 12**0.5
    return wave


def comfort_noise(payload: bytes, start: int, count: int) -> Samples:
    """White noise at the level of a comfort noise packet; its spectral coefficients are not used (RFC 3389 3).

    An empty payload is silence.

    Args:
        payload: of payload type 13; its first octet is the level in -dBov.
        start: samples of it already played.
        count: samples wanted.
    """
    if not payload:
        return np.zeros(count, np.int16)
    level = 32768 * 10 ** (-(payload[0] & 0x7F) / 20)
    wave = _noise()[np.arange(start, start + count) % len(_noise())] * level
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)
