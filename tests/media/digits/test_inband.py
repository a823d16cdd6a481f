"""In-band digits: the limits of ITU-T Q.24, bad networks, and silence about speech."""

import os
import shutil
import subprocess
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.g711 import PCMA, PCMU, Law
from sipswarm.media.digits.digit_packet import EVENTS
from sipswarm.media.digits.dtmf import ReceivedDigit
from sipswarm.media.digits.inband import HIGH_HZ, HOP, KEYPAD, LOW_HZ, Detector, Found, ToneGenerator
from tests.media.channel import Impairment, Packet, carry, send_digits

LAWS = pytest.mark.parametrize("law", [PCMU, PCMA], ids=["PCMU", "PCMA"])
Wave = NDArray[np.float64]


def tone(
    digit: str, ms: float, *, low_dbm0: float = -10.0, high_dbm0: float = -10.0, off: float = 0.0, lead: int = 0
) -> Wave:
    """The digit with each tone at its own level, both off by a share of their frequency, after `lead` samples."""
    row, column = divmod(KEYPAD.index(digit), 4)
    time = np.arange(int(ms * 8)) * (2 * np.pi / 8000)
    amplitude = 22_657 * 10 ** (np.array([low_dbm0, high_dbm0]) / 20)
    low = amplitude[0] * np.sin(LOW_HZ[row] * (1 + off) * time)
    return np.concatenate((np.zeros(lead), low + amplitude[1] * np.sin(HIGH_HZ[column] * (1 + off) * time)))


def silence(ms: float) -> Wave:
    return np.zeros(int(ms * 8))


def encode(law: Law, *parts: Wave) -> bytes:
    return law.encode(np.clip(np.rint(np.concatenate(parts)), -32768, 32767).astype(np.int16))


def detect_all(law: Law, audios: list[bytes], *, size: int = 160, timestamp: int = 0) -> list[list[ReceivedDigit]]:
    """Digits of many streams at once, cut into packets of `size` octets; short ones go on with silence."""
    detector = Detector()
    slots = [detector.add() for _ in audios]
    length = max(map(len, audios))
    audios = [audio.ljust(length, law.silence) for audio in audios]
    found: Found = []
    for start in range(0, length, size):
        stamps = [(timestamp + start) & 0xFFFFFFFF] * len(audios)
        found += detector.process(law, slots, [audio[start : start + size] for audio in audios], stamps, start / 8000)
    for slot in slots:
        found += detector.remove(slot)
    return [[digit for place, digit in found if place == slot] for slot in slots]


def detect(law: Law, audio: bytes, *, size: int = 160, timestamp: int = 0) -> list[ReceivedDigit]:
    """The same for one stream."""
    return detect_all(law, [audio], size=size, timestamp=timestamp)[0]


def text(digits: list[ReceivedDigit]) -> str:
    return "".join(digit.event for digit in digits)


# --- generator -------------------------------------------------------------------------------------------------------


@LAWS
def test_a_tone_goes_on_without_seam_over_packets_and_seconds(law: Law) -> None:
    generator = ToneGenerator(law)
    whole = generator.frame("9", 0, 20_000, 20_000)
    assert b"".join(generator.frame("9", start, 160, 20_000) for start in range(0, 20_000, 160)) == whole
    assert whole[:8000] == whole[8000:16_000]


@LAWS
def test_a_tone_has_its_level_and_silence_after_its_end(law: Law) -> None:
    samples = law.decode(ToneGenerator(law, -10).frame("5", 0, 8000, 8000)).astype(np.float64)
    level = 20 * np.log10(np.sqrt(np.mean(samples**2)) * np.sqrt(2) / 22_657)
    assert level == pytest.approx(-10, abs=0.1)
    assert ToneGenerator(law).frame("5", 100, 160, 150)[50:] == law.silence * 110
    assert ToneGenerator(law).frame("5", 200, 160, 150) == law.silence * 160


@pytest.mark.parametrize("level", [-41, 1])
def test_an_impossible_level_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="dBm0"):
        ToneGenerator(PCMU, level)


def test_only_digits_have_tones() -> None:
    with pytest.raises(ValueError, match="substring"):
        ToneGenerator(PCMU).frame("x", 0, 160, 160)


# --- limits of Q.24 --------------------------------------------------------------------------------------------------


def heard_at_all_alignments(**arguments: float) -> set[str]:
    """What comes of each digit at 20 offsets to the packets: {""} never, {"once"} always, and so on."""
    ms = arguments.pop("ms", 40)
    cases = [(digit, lead) for digit in KEYPAD for lead in range(0, 160, 8)]
    audios = [encode(PCMU, silence(60), tone(digit, ms, lead=lead, **arguments), silence(100)) for digit, lead in cases]
    heard = map(text, detect_all(PCMU, audios))
    return {"once" if digits == digit else digits for digits, (digit, _) in zip(heard, cases, strict=True)}


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ({}, {"once"}),
        ({"ms": 40}, {"once"}),  # 40 ms are heard, under 23 ms nothing
        ({"ms": 22}, {""}),
        ({"low_dbm0": 0, "high_dbm0": 0}, {"once"}),
        ({"low_dbm0": -25, "high_dbm0": -25}, {"once"}),
        ({"low_dbm0": -35, "high_dbm0": -35}, {""}),  # NTT refuses under -29, AT&T under -55
        ({"low_dbm0": -5, "high_dbm0": -13}, {"once"}),  # twist 8 dB
        ({"low_dbm0": -14, "high_dbm0": -10}, {"once"}),  # reverse twist 4 dB
        ({"low_dbm0": -5, "high_dbm0": -18}, {""}),
        ({"low_dbm0": -18, "high_dbm0": -9}, {""}),
        ({"off": 0.015}, {"once"}),
        ({"off": -0.015}, {"once"}),
        ({"off": 0.018}, {"once"}),
        ({"off": -0.018}, {"once"}),
        ({"off": 0.030}, {""}),
        ({"off": -0.030}, {""}),
        ({"off": 0.035}, {""}),
        ({"off": -0.035}, {""}),
        ({"off": 0.015, "low_dbm0": -17, "high_dbm0": -25}, {"once"}),
    ],
)
def test_the_limits_of_q24(arguments: dict[str, float], outcome: set[str]) -> None:
    assert heard_at_all_alignments(**arguments) == outcome


@LAWS
def test_40_ms_on_and_40_ms_off_at_any_alignment(law: Law) -> None:
    parts = [part for digit in KEYPAD + KEYPAD[-1] for part in (tone(digit, 40), silence(40))]
    audios = [encode(law, np.zeros(lead), *parts, silence(40)) for lead in range(0, 160, 10)]
    for heard in detect_all(law, audios):
        assert text(heard) == KEYPAD + KEYPAD[-1]
        assert all(30 <= digit.duration_ms <= 60 for digit in heard)


@pytest.mark.parametrize("break_ms", [1, 5, 10])
def test_an_interruption_of_10_ms_does_not_split_a_digit(break_ms: float) -> None:
    parts = (tone("8", 60), silence(break_ms), tone("8", 60), silence(60))
    audios = [encode(PCMU, np.zeros(lead), *parts) for lead in range(0, 160, 10)]
    assert {text(heard) for heard in detect_all(PCMU, audios)} == {"8"}


@pytest.mark.parametrize("snr_db", [15, 18, 25])
def test_digits_in_noise(snr_db: int) -> None:
    noise = np.random.default_rng(snr_db)
    audio = np.concatenate([part for digit in KEYPAD * 4 for part in (silence(60), tone(digit, 60))])
    power = 2 * (22_657 * 10 ** (-10 / 20)) ** 2 / 2
    audio += noise.standard_normal(len(audio)) * np.sqrt(power / 10 ** (snr_db / 10))
    assert text(detect(PCMU, encode(PCMU, audio, silence(60)))) == KEYPAD * 4


@LAWS
@pytest.mark.parametrize("offset", [-12_000, -3000, -1000, 500, 2000, 3000, 6000, 12_000])
def test_an_offset_of_a_converter_hides_no_digit(law: Law, offset: int) -> None:
    """Under every digit and pause lies the same direct current; Q.24 has no limit for it, and ears none."""
    parts = [part for digit in EVENTS for part in (tone(digit, 50), silence(50))]
    assert text(detect(law, encode(law, silence(100) + offset, *(part + offset for part in parts)))) == EVENTS


@LAWS
@pytest.mark.parametrize("offset", [-3000, 3000, 12_000])
def test_an_offset_lets_no_short_or_strange_tone_pass(law: Law, offset: int) -> None:
    parts = [
        part for digit in EVENTS for part in (tone(digit, 20), silence(60), tone(digit, 60, off=0.035), silence(60))
    ]
    assert text(detect(law, encode(law, *(part + offset for part in parts)))) == ""
    rng = np.random.default_rng(3)
    steps = np.repeat(rng.choice([0.0, float(offset)], 400), 160)  # clicks
    assert text(detect(law, encode(law, steps))) == ""


def test_the_next_digit_may_follow_without_a_pause() -> None:
    audio = encode(PCMU, silence(40), *(tone(digit, 100) for digit in "1595"), silence(40))
    assert text(detect(PCMU, audio)) == "1595"


@pytest.mark.parametrize("duration_ms", [50, 100, 250, 1000])
def test_the_duration_is_that_of_the_tone(duration_ms: int) -> None:
    audios = [encode(PCMU, np.zeros(lead), tone("4", duration_ms), silence(60)) for lead in range(0, 160, 16)]
    for (digit,) in detect_all(PCMU, audios):
        assert digit.duration_ms == pytest.approx(duration_ms, abs=20)


# --- packets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 80, 100, 160, 240, 333, 480, 1600])
def test_the_size_of_packets_does_not_matter(size: int) -> None:
    parts = [part for digit in KEYPAD for part in (tone(digit, 60), silence(60))]
    assert text(detect(PCMA, encode(PCMA, *parts), size=size, timestamp=2**32 - 4000)) == KEYPAD


def inband(digits: str, law: Law) -> list[Packet]:
    return send_digits(digits, law.silence, tones=ToneGenerator(law), timestamp=2**32 - 20_000)


def hear(law: Law, packets: list[Packet]) -> str:
    detector = Detector()
    slot = detector.add()
    found: Found = []
    for packet in packets:
        found += detector.process(law, [slot], [packet.payload], [packet.timestamp], packet.sent_at)
    return text([digit for _, digit in found + detector.flush(slot)])


@LAWS
@pytest.mark.parametrize(
    ("impairment", "least"),
    # Share of the digits that must be heard. A digit is five packets; without its first and its third, say, no
    # 30 ms of it are left in one piece.
    [
        (Impairment(), 1.0),
        (Impairment(loss=0.01), 0.99),
        (Impairment(loss=0.05), 0.95),
        (Impairment(duplication=0.02), 1.0),
        (Impairment(reordering=0.02), 0.99),
    ],
    ids=["clean", "1 % loss", "5 % loss", "2 % duplication", "reordering"],
)
def test_no_digit_comes_twice_over_a_bad_network(law: Law, impairment: Impairment, least: float) -> None:
    digits = EVENTS + EVENTS[::-1]
    packets = inband(digits, law)
    heard = 0
    for seed in range(10):
        rest = iter(digits)
        arrived = hear(law, carry(packets, impairment, seed))
        assert all(digit in rest for digit in arrived), "a digit that was not sent, or twice"
        heard += len(arrived)
    assert heard >= least * 10 * len(digits)


def test_many_streams_are_told_apart() -> None:
    detector = Detector()
    rng = np.random.default_rng(5)
    sent = {detector.add(): "".join(rng.choice(list(KEYPAD), 4)) for _ in range(200)}
    assert repr(detector) == "Detector(200 streams, 0 sounding)"
    audio = {
        slot: encode(PCMU, np.zeros(slot), *(part for digit in digits for part in (tone(digit, 50), silence(50))))
        + PCMU.silence * 640
        for slot, digits in sent.items()
    }
    found: Found = []
    for start in range(0, 3200, 160):
        payloads = [audio[slot][start : start + 160] for slot in sent]
        found += detector.process(PCMU, list(sent), payloads, [start] * len(sent), start / 8000)
    for slot, digits in sent.items():
        found += detector.remove(slot)
        assert text([digit for found_slot, digit in found if found_slot == slot]) == digits
    assert repr(detector) == "Detector(0 streams, 0 sounding)"


def test_several_packets_of_a_stream_in_one_tick_are_taken_in_order() -> None:
    detector = Detector()
    one, other = detector.add(), detector.add()
    audio = encode(PCMU, silence(20), tone("7", 60), silence(80))
    starts = range(0, len(audio), 160)
    slots = [slot for _ in starts for slot in (one, other)]
    payloads = [audio[start : start + 160] for start in starts for _ in (one, other)]
    stamps = [start for start in starts for _ in (one, other)]
    found = detector.process(PCMU, slots, payloads, stamps, 0.0)
    assert sorted((slot, digit.event) for slot, digit in found) == [(one, "7"), (other, "7")]


def test_nothing_to_process_finds_nothing() -> None:
    assert Detector().process(PCMU, [], [], [], 0.0) == []


def test_a_used_slot_starts_afresh() -> None:
    detector = Detector()
    slot = detector.add()
    detector.process(PCMU, [slot], [encode(PCMU, tone("1", 40))[:310]], [0], 0.0)
    assert text([digit for _, digit in detector.remove(slot)]) == "1"
    assert detector.add() == slot
    assert detector.process(PCMU, [slot], [PCMU.silence * 1600], [77], 0.0) == []


def test_a_digit_ends_when_the_stream_falls_silent() -> None:
    detector = Detector()
    slot = detector.add()
    detector.process(PCMU, [slot], [encode(PCMU, tone("6", 60))], [0], 5.0)
    assert detector.expire(5.1) == []
    assert [digit.event for _, digit in detector.expire(5.2)] == ["6"]
    assert detector.expire(9.0) == []


@pytest.mark.parametrize("jump", [1600, 2**31, 2**32 - 9000])
def test_a_jump_of_the_timestamp_ends_the_digit(jump: int) -> None:
    detector = Detector()
    slot = detector.add()
    detector.process(PCMU, [slot], [encode(PCMU, tone("6", 60))], [0], 0.0)
    found = detector.process(PCMU, [slot], [PCMU.silence * 160], [(480 + jump) & 0xFFFFFFFF], 0.06)
    assert [digit.event for _, digit in found] == ["6"]


def test_late_packets_are_left_out_beside_others() -> None:
    detector = Detector()
    slots = [detector.add() for _ in range(3)]
    audio = encode(PCMU, tone("6", 100), silence(80))
    found: Found = []
    for start in range(0, len(audio), 160):
        stamps = [start, start, 0]  # the third stream repeats its first timestamp for ever
        found += detector.process(PCMU, slots, [audio[start : start + 160]] * 3, stamps, start / 8000)
    assert [(slot, digit.event) for slot, digit in found] == [(slots[0], "6"), (slots[1], "6")]


# --- talk-off --------------------------------------------------------------------------------------------------------

MINUTES = 10
STREAMS = 20


def false_digits(law: Law, audio: bytes) -> list[ReceivedDigit]:
    """Digits found in the audio, cut into STREAMS pieces that are looked at together."""
    length = len(audio) // STREAMS
    streams = [audio[start : start + length] for start in range(0, STREAMS * length, length)]
    return [digit for digits in detect_all(law, streams) for digit in digits]


def speech_like_noise(minutes: float, seed: int) -> Wave:
    """Voiced sounds with moving pitch and formants, hisses and pauses, at the pace of syllables."""
    rng = np.random.default_rng(seed)
    parts = []
    done = 0
    while done < minutes * 60 * 8000:
        length = int(rng.uniform(0.06, 0.35) * 8000)
        kind = rng.random()
        if kind < 0.15:
            part = np.zeros(length)
        elif kind < 0.3:
            part = np.diff(rng.standard_normal(length + 1))
        else:
            start, end = rng.uniform(80, 300, 2)
            phase = 2 * np.pi * np.cumsum(np.linspace(start, end, length)) / 8000
            formants = np.array([rng.uniform(250, 900), rng.uniform(850, 2500), rng.uniform(2300, 3300)])
            hz = np.arange(1, int(3600 / max(start, end)))[:, None] * (start + end) / 2
            gains = (np.array([1, 0.6, 0.25]) / (1 + ((hz - formants) / 90) ** 2)).sum(axis=1)
            part = (gains[:, None] * np.sin(np.arange(1, len(gains) + 1)[:, None] * phase)).sum(axis=0)
            part += 0.02 * rng.standard_normal(length)
        peak = np.abs(part).max() or 1.0
        parts.append(part / peak * np.hanning(length) ** 0.3 * rng.uniform(1000, 25_000))
        done += length
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", [1])
def test_ten_minutes_of_speech_like_noise_hold_no_digit(seed: int) -> None:
    audio = encode(PCMU, speech_like_noise(MINUTES, seed))
    assert false_digits(PCMU, audio) == []


def test_digits_among_speech_like_noise_are_found() -> None:
    noise = np.array_split(speech_like_noise(0.5, 2), 16)
    parts = [part for piece, digit in zip(noise, KEYPAD, strict=True) for part in (piece, tone(digit, 60))]
    assert text(detect(PCMA, encode(PCMA, *parts, noise[0]))) == KEYPAD


def spoken(tmp_path: Path, voice: str, minutes: float) -> Wave:
    """Speech of espeak-ng at 8 kHz: pseudo-random syllables, so that there are minutes without repetition."""
    program = shutil.which("espeak-ng")
    if program is None:
        reason = "espeak-ng is not installed; `make peers` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    rng = np.random.default_rng(len(voice))
    onsets = [*"bcdfghjklmnprstvwz", "ch", "sh", "th", "br", "cr", "dr", "fl", "gr", "pl", "st", "tr"]
    vowels = [*"aeiou", "ai", "ea", "ee", "oo", "ou", "ie"]
    rimes = [vowel + coda for vowel in vowels for coda in ("", "n", "m", "r", "st", "k")]
    words = ["".join(rng.choice(onsets) + rng.choice(rimes) for _ in range(rng.integers(1, 4))) for _ in range(1500)]
    text_file, wave_file = tmp_path / "words.txt", tmp_path / "words.wav"
    text_file.write_text(". ".join(" ".join(words[start : start + 9]) for start in range(0, len(words), 9)))
    command = [program, "-v", voice, "-s", "150", "-f", str(text_file), "-w", str(wave_file)]
    subprocess.run(command, check=True, timeout=60)
    with wave.open(str(wave_file)) as recording:
        rate = recording.getframerate()
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16).astype(np.float64)
    seconds = [samples[start : start + rate] for start in range(0, len(samples) - rate, rate)]
    audio = np.concatenate([np.fft.irfft(np.fft.rfft(second)[:4001], 8000) * 8000 / rate for second in seconds])
    assert len(audio) >= minutes * 60 * 8000
    return audio[: int(minutes * 60 * 8000)]


@pytest.mark.parametrize(("voice", "law"), [("en", PCMU), ("en+f3", PCMA)])
def test_ten_minutes_of_speech_hold_no_digit(tmp_path: Path, voice: str, law: Law) -> None:
    audio = spoken(tmp_path, voice, MINUTES)
    assert false_digits(law, encode(law, audio)) == []


def test_dial_tones_and_ringing_are_no_digits() -> None:
    time = np.arange(8000 * 4) * (2 * np.pi / 8000)
    pairs = [(350, 440), (440, 480), (480, 620), (425, 425), *pairwise((697, 770, 852, 941)), (941, 1400), (697, 2100)]
    for low, high in pairs:
        assert detect(PCMU, encode(PCMU, 7000 * (np.sin(low * time) + np.sin(high * time)))) == []
    for hz in (*LOW_HZ, *HIGH_HZ):
        assert detect(PCMU, encode(PCMU, 14_000 * np.sin(hz * time))) == []


def test_hop_is_10_ms() -> None:
    assert HOP * 1000 // 8000 == 10
