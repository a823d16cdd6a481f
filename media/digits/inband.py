"""DTMF as tones in G.711 audio (ITU-T Q.23): a generator, and a detector for many streams at once.

The detector keeps the limits of ITU-T Q.24: each tone from 0 to -25 dBm0 and within 1.8 % of its frequency, the two
tones not too unequal, 40 ms on, 40 ms off; it refuses tones that are 3 % off or shorter than 22 ms, and bridges
interruptions of 10 ms. All streams of one tick are analysed together: one matrix product gives, for every hop of
10 ms, a 20 ms Hann window at the eight frequencies; only streams where something sounds reach the per-stream state.
Sockets, payload types, reordering buffers and the clock do not belong here. Reported digits mask themselves in repr.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..audio.g711 import LAWS, Law
from .dtmf import ReceivedDigit

RATE = 8000
"""Samples per second of G.711."""
LOW_HZ = (697, 770, 852, 941)
"""Frequencies of the rows (Q.23)."""
HIGH_HZ = (1209, 1336, 1477, 1633)
"""Frequencies of the columns (Q.23)."""
KEYPAD = "123A456B789C*0#D"
"""The digit of row r and column c is KEYPAD[4 * r + c] (Q.23)."""

_FULL_0_DBM0 = 22_657.0
"""Peak amplitude of a sine of 0 dBm0 on the int16 scale: a full-scale one has +3.17 dBm0 (G.711 table 5)."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@cache
def _tone_second(law: Law, digit: str, level_dbm0: float) -> bytes:
    """One second of the digit. All frequencies are whole hertz, so a second repeats without a seam."""
    row, column = divmod(KEYPAD.index(digit), 4)
    # Two equal tones: each has half the power.
    amplitude = _FULL_0_DBM0 * 10 ** (level_dbm0 / 20) / math.sqrt(2)
    time = np.arange(RATE) * (2 * math.pi / RATE)
    wave = amplitude * (np.sin(LOW_HZ[row] * time) + np.sin(HIGH_HZ[column] * time))
    return law.encode(np.clip(np.rint(wave), -32768, 32767).astype(np.int16))


class ToneGenerator:
    """Renders digits as tones in one law; a `ToneSource` for `EventSender.send`. Stateless: one may serve all."""

    __slots__ = ("_law", "_level")

    def __init__(self, law: Law, level_dbm0: float = -10.0) -> None:
        """Choose law and level.

        Args:
            law: PCMU or PCMA of `audio.g711`.
            level_dbm0: power of both tones together, -40 to 0.
        """
        if not -40 <= level_dbm0 <= 0:
            raise ValueError(f"a tone has -40 to 0 dBm0, not {level_dbm0}")
        self._law = law
        self._level = level_dbm0

    def frame(self, digit: str, start: int, samples: int, total: int) -> bytes:
        """Payload of `samples` octets from sample `start` of a tone of `total` samples; silence after its end.

        Args:
            digit: one of `0-9 A-D * #`.

        Raises:
            ValueError: another.
        """
        second = _tone_second(self._law, digit, self._level)
        sounding = max(0, min(samples, total - start))
        start %= RATE
        tone = second[start : start + sounding]
        while len(tone) < sounding:
            tone += second[: sounding - len(tone)]
        return tone + self._law.silence * (samples - sounding)


def tones_of(codec: str) -> ToneGenerator | None:
    """What renders digits in a codec; None = there are no tones in it.

    Args:
        codec: encoding name.
    """
    law = LAWS.get(codec.upper())
    return None if law is None else ToneGenerator(law)


HOP = 80
"""Samples between two windows: 10 ms."""
_WINDOW = 2 * HOP

_LEVEL = -30.0
"""dBm0 that each tone must have; Q.24 demands -25."""
_FREQUENCY = 0.02
"""Largest relative deviation; Q.24: 1.5 % (AT&T) and 1.8 % (NTT) are detected, 3 % and 3.5 % are not."""
_HIGH_OVER_LOW = 10 ** (6.0 / 10)
"""Largest power of the column's tone over the row's; Q.24: 4 dB (AT&T) to 6 dB (Denmark) are detected."""
_LOW_OVER_HIGH = 10 ** (10.0 / 10)
"""Largest power of the row's tone over the column's; Q.24: 8 dB (AT&T) to 10 dB (Australia) are detected."""
_PURITY = 0.95
"""Share of the energy that the two tones must have for a digit to begin: speech has more than two."""
_STEADY = 0.65
"""Least ratio of the energies of three hops where a digit begins, so a tone under 23 ms does not reach three."""
_ROUGH_PURITY = 0.35
"""Share for a window to go on being the digit, not corrected for deviating frequency."""
_ROUGH_LEVEL = 10 ** (-6.0 / 10)
"""What a tone at the limit of frequency loses in the window, and some noise: dB under _LEVEL for a rough hit."""
_ROUGH_TWIST = 10 ** (3.0 / 10)
"""The same for the ratio of the two tones."""
_FADE = 0.2
"""A window below this share of the digit's power is a miss: less than half of it sounds."""
_MISSES = 3
"""Number of windows without the digit that end it: 40 ms of pause give four, an interruption of 10 ms at most two."""
_HOLD = 3 * _WINDOW
"""Samples of lost packets that a sounding digit survives: 60 ms."""
_LATE = RATE
"""A packet that far or less behind is late or a duplicate; further behind, the timestamps have restarted."""
_BLOCK = 256
"""Hops in one matrix product."""
SILENT_AFTER = 0.1
"""Seconds without a packet after which `expire` ends a digit."""

_HZ = np.array(LOW_HZ + HIGH_HZ, np.float32)
_TURN = np.exp(-2j * np.pi * _HZ.astype(np.float64) * HOP / RATE).astype(np.complex64)
"""Undoes the phase that each exact frequency gains in a hop."""
_MIN_POWER = (_FULL_0_DBM0 * 10 ** (_LEVEL / 20) * _WINDOW / 4) ** 2
"""Squared magnitude that a sine of _LEVEL has in a Hann window (sum of its weights: half the length)."""
_POWER_TO_ENERGY = 3.0 / _WINDOW
"""From squared magnitude of a sine to its energy under the squared window."""


def _analysis() -> tuple[Floats, Floats]:
    """The two matrices that a hop is multiplied with.

    First (80 x 34): as the first half of a window, real parts at eight frequencies and imaginary parts, then the
    same as the second half, then the sum under each half. Second (80 x 3), for the squared samples: energy under the
    first half of the squared window, under the second half, and plain.
    """
    position = np.arange(_WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (position + 0.5) / _WINDOW)
    phase = 2 * np.pi / RATE * np.outer(position, _HZ.astype(np.float64))
    wave = np.hstack((np.cos(phase), -np.sin(phase))) * window[:, None]
    energy = np.stack((window[:HOP] ** 2, window[HOP:] ** 2, np.ones(HOP)), axis=1)
    halves = (wave[:HOP], wave[HOP:], window[:HOP, None], window[HOP:, None])
    return np.hstack(halves).astype(np.float32), energy.astype(np.float32)


_WAVES, _ENERGIES = _analysis()
_MEAN = 1 / HOP
"""From the sum under a window to the mean of its samples: what does not swing, which some converters add."""
_SQUARED_WINDOW = 3 * _WINDOW / 8
"""Sum of the weights of the squared window."""


@cache
def _float_table(law: Law) -> Floats:
    return law.to_linear.astype(np.float32)


class _Sounding:
    """The digit that sounds on one stream."""

    __slots__ = ("digit", "end", "level", "misses", "start")

    def __init__(self, digit: int, start: int, end: int, level: float) -> None:
        self.digit = digit  # index in KEYPAD
        self.start = start  # sample where it began, in the stream's own count
        self.end = end  # sample where its last window ended
        self.level = level  # power of its first window
        self.misses = 0  # windows without it since


_RISING = slice(0, 16)
_LAST_WINDOW = slice(16, 32)
_HALF_ENERGY = 32
_LAST_TOTAL = 33
_HOP_ENERGY = slice(34, 36)
_LAST_DIGIT = 36
_LAST_SUM = 37
_CARRY = 38
"""Columns of what one stream carries from packet to packet: its last hop as the first half of the next window, its
last window, that hop's energy under the first half, the last window's energy, the plain energies of the last two
hops, the last window's digit, and that hop's sum under the first half. Energies of windows and plain ones are without
the mean."""
_NO_DIGIT = -1
_BROKEN = -2
"""As last digit: the next window would span a loss, so it is not used."""

Found = list[tuple[int, ReceivedDigit]]
"""Digits with the slot of the stream that they came on."""


class Detector:
    """Finds digits in the audio of many streams.

    A stream takes a slot with `add`. Each tick, hand all packets of one law to `process`, in the order of their
    arrival; lost, late and repeated packets are recognised by RTP timestamp. A digit is reported when it has ended.
    """

    __slots__ = ("_carry", "_expected", "_free", "_heard_at", "_position", "_rest", "_sounding")

    def __init__(self) -> None:
        """Begin without streams."""
        self._carry: Floats = np.zeros((0, _CARRY), np.float32)
        self._expected: Ints = np.zeros(0, np.int64)  # RTP timestamp of the next sample; -1 = any
        self._position: Ints = np.zeros(0, np.int64)  # samples received or known lost
        self._heard_at: NDArray[np.float64] = np.zeros(0, np.float64)
        self._free: list[int] = []
        self._sounding: dict[int, _Sounding] = {}
        self._rest: dict[int, bytes] = {}  # octets that do not fill a hop yet

    def __repr__(self) -> str:
        return f"Detector({len(self._expected) - len(self._free)} streams, {len(self._sounding)} sounding)"

    def add(self) -> int:
        """A slot for one more stream, with nothing received."""
        if not self._free:
            old = len(self._expected)
            new = max(64, 2 * old)
            self._carry = np.concatenate((self._carry, np.zeros((new - old, _CARRY), np.float32)))
            self._expected = np.concatenate((self._expected, np.zeros(new - old, np.int64)))
            self._position = np.concatenate((self._position, np.zeros(new - old, np.int64)))
            self._heard_at = np.concatenate((self._heard_at, np.zeros(new - old, np.float64)))
            self._free = list(range(new - 1, old - 1, -1))
        slot = self._free.pop()
        self._expected[slot] = -1
        self._position[slot] = 0
        return slot

    def remove(self, slot: int) -> Found:
        """Give the slot back; returns the digit that was still sounding, if any."""
        found = self.flush(slot)
        self._rest.pop(slot, None)
        self._free.append(slot)
        return found

    def flush(self, slot: int) -> Found:
        """End the stream's digit, if one sounds, and forget its audio: its source changes or stops."""
        self._expected[slot] = -1
        return self._end(slot)

    def expire(self, now: float) -> Found:
        """End the digits of streams from which no packet has come for SILENT_AFTER.

        Args:
            now: seconds, monotonic.
        """
        silent = [slot for slot in self._sounding if now - self._heard_at[slot] > SILENT_AFTER]
        return [found for slot in silent for found in self._end(slot)]

    def process(
        self, law: Law, slots: Sequence[int], payloads: Sequence[bytes], timestamps: Sequence[int], now: float
    ) -> Found:
        """Digits that ended within these packets, mostly none.

        Cheapest when each slot comes once and all payloads have the same multiple of 80 octets.

        Args:
            law: PCMU or PCMA, of all the packets.
            slots, payloads, timestamps: one entry for each packet, the RTP timestamp counting samples.
            now: seconds, monotonic.
        """
        if len(set(slots)) < len(slots):
            return self._in_rounds(law, slots, payloads, timestamps, now)
        if not slots:
            return []
        found: Found = []
        rows = np.array(slots, np.int64)
        stamps = np.array(timestamps, np.int64)
        ahead = (stamps - self._expected[rows]) & 0xFFFFFFFF
        if ahead.any():
            keep = self._align(rows, ahead, found)
            if len(keep) < len(slots):
                rows, stamps = rows[keep], stamps[keep]
                slots = rows.tolist()
                payloads = [payloads[index] for index in keep]
        self._heard_at[rows] = now
        sizes = {len(payload) for payload in payloads}
        if len(sizes) == 1 and not self._rest:
            size = sizes.pop()
            if size and size % HOP == 0:
                self._expected[rows] = (stamps + size) & 0xFFFFFFFF
                self._analyse(law, rows, size // HOP, b"".join(payloads), found)
                return found
        lengths = np.array([len(payload) for payload in payloads], np.int64)
        self._expected[rows] = (stamps + lengths) & 0xFFFFFFFF
        by_hops: dict[int, tuple[list[int], list[bytes]]] = {}
        for slot, payload in zip(slots, payloads, strict=True):
            audio = self._rest.pop(slot, b"") + payload
            hops = len(audio) // HOP
            if hops * HOP < len(audio):
                self._rest[slot] = audio[hops * HOP :]
            if hops:
                group = by_hops.setdefault(hops, ([], []))
                group[0].append(slot)
                group[1].append(audio[: hops * HOP])
        for hops, (members, audios) in by_hops.items():
            self._analyse(law, np.array(members, np.int64), hops, b"".join(audios), found)
        return found

    def _in_rounds(
        self, law: Law, slots: Sequence[int], payloads: Sequence[bytes], timestamps: Sequence[int], now: float
    ) -> Found:
        """The same for slots that come several times: one packet of each slot at a time."""
        rounds: list[tuple[list[int], list[bytes], list[int]]] = []
        count: dict[int, int] = {}
        for slot, payload, timestamp in zip(slots, payloads, timestamps, strict=True):
            number = count.get(slot, 0)
            count[slot] = number + 1
            if number == len(rounds):
                rounds.append(([], [], []))
            rounds[number][0].append(slot)
            rounds[number][1].append(payload)
            rounds[number][2].append(timestamp)
        return [found for one in rounds for found in self.process(law, *one, now)]

    def _align(self, rows: Ints, ahead: Ints, found: Found) -> list[int]:
        """Mark the streams where audio is missing; returns the indexes of the packets that are not late."""
        late: set[int] = set()
        for index in np.flatnonzero(ahead).tolist():
            slot = int(rows[index])
            lost = int(ahead[index])
            if self._expected[slot] < 0:
                lost = 0
            elif lost >= 2**32 - _LATE:
                late.add(index)
                continue
            if lost > _HOLD:
                found += self._end(slot)
            self._position[slot] += min(lost, RATE)
            self._carry[slot, _LAST_DIGIT] = _BROKEN
            self._rest.pop(slot, None)
        return [index for index in range(len(rows)) if index not in late]

    def _analyse(self, law: Law, rows: Ints, hops: int, audio: bytes, found: Found) -> None:
        """Look at `hops` new windows of each row.

        Args:
            audio: hops * HOP octets for each.
        """
        count = len(rows)
        samples = _float_table(law)[np.frombuffer(audio, np.uint8)].reshape(count * hops, HOP)
        waves = _product(samples, _WAVES).reshape(count, hops, 34)
        energies = _product(np.square(samples), _ENERGIES).reshape(count, hops, 3)
        carry = self._carry[rows]

        windows = np.empty((count, hops + 1, 16), np.float32)  # the last one of before, then the new ones
        windows[:, 0] = carry[:, _LAST_WINDOW]
        windows[:, 1] = carry[:, _RISING]
        windows[:, 2:] = waves[:, :-1, :16]
        windows[:, 1:] += waves[:, :, 16:32]
        total = energies[:, :, 1].copy()
        total[:, 0] += carry[:, _HALF_ENERGY]
        total[:, 1:] += energies[:, :-1, 0]
        mean = waves[:, :, 33] * _MEAN
        mean[:, 0] += carry[:, _LAST_SUM] * _MEAN
        mean[:, 1:] += waves[:, :-1, 32] * _MEAN
        np.square(mean, out=mean)
        total -= mean * _SQUARED_WINDOW
        hop_energy = energies[:, :, 2] - mean * HOP

        power = np.square(windows[:, 1:])
        power = power[:, :, :8] + power[:, :, 8:]
        low = power[:, :, :4].max(axis=2)
        high = power[:, :, 4:].max(axis=2)
        rough = (low + high) * _POWER_TO_ENERGY >= _ROUGH_PURITY * total
        rough &= np.minimum(low, high) >= _MIN_POWER * _ROUGH_LEVEL
        rough &= high <= low * (_HIGH_OVER_LOW * _ROUGH_TWIST)
        rough &= low <= high * (_LOW_OVER_HIGH * _ROUGH_TWIST)
        broken = carry[:, _LAST_DIGIT] == _BROKEN
        rough[broken, 0] = False

        last_digit = np.full(count, _NO_DIGIT, np.float32)
        busy = rough.any(axis=1)
        if self._sounding:
            busy |= np.fromiter((slot in self._sounding for slot in rows.tolist()), np.bool_, count)
        if busy.any():
            some = np.flatnonzero(busy)
            best = power[some, :, :4].argmax(axis=2) * 4 + power[some, :, 4:].argmax(axis=2)
            digits = np.empty((len(some), hops + 1), np.int64)
            digits[:, 0] = carry[some, _LAST_DIGIT]
            digits[:, 1:] = np.where(rough[some], best, _NO_DIGIT)
            plain = np.concatenate((carry[some, _HOP_ENERGY], hop_energy[some]), axis=1)
            totals = np.concatenate((carry[some, _LAST_TOTAL, None], total[some]), axis=1)
            steady = _steady(digits, windows[some], totals, plain)
            last_digit[some] = digits[:, -1]
            digits[broken[some], 1] = _BROKEN
            self._follow(rows[some], digits[:, 1:], steady, (low + high)[some], found)

        carry[:, _RISING] = waves[:, -1, :16]
        carry[:, _LAST_WINDOW] = windows[:, -1]
        carry[:, _HALF_ENERGY] = energies[:, -1, 0]
        carry[:, _LAST_TOTAL] = total[:, -1]
        carry[:, _HOP_ENERGY] = hop_energy[:, -2:] if hops > 1 else np.stack((carry[:, 35], hop_energy[:, 0]), 1)
        carry[:, _LAST_SUM] = waves[:, -1, 32]
        carry[:, _LAST_DIGIT] = last_digit
        self._carry[rows] = carry
        self._position[rows] += hops * HOP

    def _follow(self, rows: Ints, digits: Ints, steady: NDArray[np.bool_], power: Floats, found: Found) -> None:
        """Take the streams where something sounds through their new windows."""
        for slot, row_digits, row_steady, row_power in zip(
            rows.tolist(), digits.tolist(), steady.tolist(), power.tolist(), strict=True
        ):
            end = int(self._position[slot])
            sounding = self._sounding.get(slot)
            for digit, begins, level in zip(row_digits, row_steady, row_power, strict=True):
                end += HOP
                if digit == _BROKEN:
                    continue
                if sounding is not None:
                    if digit == sounding.digit and level >= _FADE * sounding.level:
                        sounding.misses = 0
                        sounding.end = end
                        continue
                    sounding.misses += 1
                    if sounding.misses < _MISSES and not (begins and digit != sounding.digit):
                        continue
                    found += self._end(slot)
                    sounding = None
                if begins:
                    sounding = self._sounding[slot] = _Sounding(digit, end - 3 * HOP, end, level)

    def _end(self, slot: int) -> Found:
        """Report the digit that sounds on the stream, if one does."""
        sounding = self._sounding.pop(slot, None)
        if sounding is None:
            return []
        return [(slot, ReceivedDigit(KEYPAD[sounding.digit], (sounding.end - sounding.start) * 1000 // RATE))]


def _product(rows: Floats, matrix: Floats) -> Floats:
    """rows @ matrix, in blocks so small that the linear algebra library starts no threads for them.

    Its threads spin while they wait: 1,000 streams at once would cost four times the CPU time.
    """
    result = np.empty((len(rows), matrix.shape[1]), np.float32)
    for start in range(0, len(rows), _BLOCK):
        np.matmul(rows[start : start + _BLOCK], matrix, out=result[start : start + _BLOCK])
    return result


def _steady(digits: Ints, windows: Floats, totals: Floats, plain: Floats) -> NDArray[np.bool_]:
    """Where a digit may begin: the strict limits, on a window and the one before it.

    Args:
        digits, totals: (streams, 1 + hops), the first column of before.
        windows: (streams, 1 + hops, 16).
        plain: energies of hops, (streams, 2 + hops).

    Returns:
        (streams, hops).
    """
    steady = np.zeros((len(digits), digits.shape[1] - 1), np.bool_)
    row, hop = np.nonzero((digits[:, 1:] == digits[:, :-1]) & (digits[:, 1:] >= 0))
    if not len(row):
        return steady
    digit = digits[row, hop + 1]
    tone = np.stack((digit // 4, 4 + digit % 4), axis=1)
    first, second = windows[row, hop], windows[row, hop + 1]
    before = np.take_along_axis(first, tone, 1) + 1j * np.take_along_axis(first, tone + 8, 1)
    after = np.take_along_axis(second, tone, 1) + 1j * np.take_along_axis(second, tone + 8, 1)

    # The phase gained in a hop beyond that of the exact frequency shows how far the tone is off.
    off_hz = np.angle(after * np.conj(before) * _TURN[tone]) * (RATE / (2 * np.pi * HOP))
    good = (np.abs(off_hz) <= _FREQUENCY * _HZ[tone]).all(axis=1)
    bins = off_hz * (_WINDOW / RATE)
    gain = np.square(np.sinc(bins) / (1 - np.square(bins)))  # of the Hann window, |bins| < 1
    for window, column in ((before, hop), (after, hop + 1)):
        power = np.square(np.abs(window)) / gain
        low, high = power[:, 0], power[:, 1]
        good &= (low + high) * _POWER_TO_ENERGY >= _PURITY * totals[row, column]
        good &= np.minimum(low, high) >= _MIN_POWER
        good &= (high <= low * _HIGH_OVER_LOW) & (low <= high * _LOW_OVER_HIGH)
    hops = np.stack((plain[row, hop], plain[row, hop + 1], plain[row, hop + 2]))
    good &= hops.min(axis=0) >= _STEADY * hops.max(axis=0)
    steady[row, hop] = good
    return steady
