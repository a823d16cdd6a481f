"""Playout: order, delay that follows the jitter, and something to hear where packets are missing."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.concealment import Concealer, comfort_noise
from sipswarm.media.audio.g711 import PCMU, Samples
from sipswarm.media.audio.jitter import BOUND, MOST_DELAY, Kind, Player, PlayoutBuffer

TICK = 0.02
Arrival = tuple[float, int]
"""When a packet comes, and its number."""


def network(count: int, *, jitter: float = 0.0, loss: float = 0.0, drift: float = 0.0, seed: int = 1) -> list[Arrival]:
    """Packets of 20 ms after 50 ms and an exponential delay of mean `jitter`; drift = how much slower they are sent."""
    chance = random.Random(seed)
    arrivals = []
    for number in range(count):
        delay = chance.expovariate(1 / jitter) if jitter else 0.0
        if chance.random() >= loss:
            arrivals.append((number * TICK * (1 + drift) + 0.05 + delay, number))
    return sorted(arrivals)


def play(arrivals: list[Arrival], ticks: int, buffer: PlayoutBuffer | None = None) -> tuple[str, list[int]]:
    """One letter for each interval (A, L, N, S), and the numbers of the packets played, in order."""
    buffer = buffer or PlayoutBuffer()
    kinds, numbers = "", []
    waiting = iter([*arrivals, (1e9, -1)])
    at, number = next(waiting)
    for tick in range(ticks):
        now = tick * TICK + 0.001
        while at <= now:
            payload = number.to_bytes(3)
            buffer.put((65_000 + number) & 0xFFFF, (2**32 - 8000 + 160 * number) & 0xFFFFFFFF, payload, at)
            at, number = next(waiting)
        interval = buffer.next(now)
        kinds += interval.kind.name[0]
        if interval.kind is Kind.AUDIO:
            numbers.append(int.from_bytes(interval.payload))
    return kinds, numbers


def test_a_steady_stream_is_played_without_a_gap() -> None:
    buffer = PlayoutBuffer()
    kinds, numbers = play(network(500), 520, buffer)
    assert numbers == sorted(numbers)
    assert len(numbers) >= 499  # one may be left out when the delay shrinks to what no jitter needs
    assert "L" not in kinds.strip("S").rstrip("LS")
    assert buffer.delay == pytest.approx(0.02)


@pytest.mark.parametrize("jitter", [0.002, 0.01, 0.03])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_nearly_all_that_the_network_delivers_is_played_in_order(jitter: float, loss: float) -> None:
    buffer = PlayoutBuffer()
    arrivals = network(3000, jitter=jitter, loss=loss)
    _, numbers = play(arrivals, 3020, buffer)
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 0.98 * len(arrivals)
    assert len(numbers) + buffer.late + buffer.discarded == len(arrivals)
    assert 2 * jitter < buffer.delay <= MOST_DELAY


def test_the_delay_grows_with_jitter_and_shrinks_again() -> None:
    calm, rough = network(1000), network(1000, jitter=0.03)
    buffer = PlayoutBuffer()
    delays = []
    for phase, arrivals in enumerate((calm, rough, calm)):
        for at, number in arrivals:
            number += 1000 * phase
            buffer.put(number & 0xFFFF, 160 * number, b"a", at + 20 * phase)
            buffer.next(at + 20 * phase)
        delays.append(buffer.delay)
    assert [delays[0], delays[2]] == pytest.approx([0.02, 0.02])
    assert delays[1] > 0.08


@pytest.mark.parametrize("drift", [0.001, -0.001])
def test_a_peer_with_another_clock_is_followed(drift: float) -> None:
    buffer = PlayoutBuffer()
    kinds, numbers = play(network(10_000, jitter=0.003, drift=drift), 9_900, buffer)
    assert len(numbers) >= 0.995 * len(kinds) - 20
    assert buffer.late <= 20


def test_lost_packets_are_concealed_in_their_place() -> None:
    arrivals = [arrival for arrival in network(40) if arrival[1] not in (10, 11, 20)]
    kinds, numbers = play(arrivals, 40)
    assert kinds.lstrip("S").startswith("A" * 10 + "LL" + "A" * 8 + "L" + "A" * 10)
    assert numbers[:20] == [number for _, number in arrivals[:20]]


def test_reordered_and_repeated_packets_are_played_once() -> None:
    arrivals = network(20)  # so few that the delay is not reviewed yet
    arrivals[10], arrivals[11] = (arrivals[10][0], arrivals[11][1]), (arrivals[11][0], arrivals[10][1])
    arrivals += [(at + 0.001, number) for at, number in arrivals]
    buffer = PlayoutBuffer()
    _, numbers = play(sorted(arrivals), 40, buffer)
    assert numbers == list(range(20))
    assert buffer.duplicates + buffer.late == 20


def test_a_late_packet_after_an_underrun_is_still_played() -> None:
    arrivals = [(at + (0.05 if number == 20 else 0), number) for at, number in network(21)]
    kinds, numbers = play(arrivals, 40)
    assert numbers == list(range(21))
    assert "AL" in kinds


def test_when_nothing_more_comes_it_bridges_and_falls_silent() -> None:
    kinds, _ = play(network(20), 40)
    assert kinds.rstrip("S").endswith("ALLL")


def test_a_pause_of_the_peer_is_silence_not_loss() -> None:
    buffer = PlayoutBuffer()
    for number in range(5):
        buffer.put(number, 160 * number, b"a", number * TICK)
    buffer.put(5, 160 * 50, b"b", 5 * TICK)  # next in sequence, 0.9 s later in time
    kinds = "".join(buffer.next(5 * TICK + tick * TICK).kind.name[0] for tick in range(10))
    assert kinds.rstrip("SL") == "AAAAASA"
    assert buffer.lost == 0


def test_comfort_noise_fills_the_pause_until_speech_returns() -> None:
    buffer = PlayoutBuffer()
    buffer.put(0, 0, b"a", 0.0)
    buffer.put(1, 160, b"\x3c", 0.02, noise=True)
    heard = [buffer.next(0.05 + tick * TICK) for tick in range(5)]
    assert [interval.kind for interval in heard] == [Kind.AUDIO] + [Kind.NOISE] * 4
    assert heard[-1].payload == b"\x3c"
    buffer.put(2, 160 * 20, b"b", 0.4)
    kinds = [buffer.next(0.4 + tick * TICK).kind for tick in range(4)]
    assert kinds[0] is Kind.NOISE
    assert Kind.AUDIO in kinds
    assert buffer.interval == 160


@pytest.mark.parametrize("jump", [2**31, 100_000, -100_000])
def test_a_jump_of_the_timestamps_begins_anew(jump: int) -> None:
    buffer = PlayoutBuffer()
    for number in range(3):
        buffer.put(number, 500_000 + 160 * number, b"a", number * TICK)
    assert buffer.next(0.06).kind is Kind.AUDIO
    buffer.put(3, (500_000 + jump) & 0xFFFFFFFF, b"b", 0.06)
    assert buffer.resets == 1
    assert [buffer.next(0.06 + tick * TICK).kind for tick in range(4)][-1] in (Kind.AUDIO, Kind.LOST)


@pytest.mark.parametrize(("first", "second"), [(160, 240), (240, 160), (160, 80)])
def test_a_changed_packet_length_is_learned(first: int, second: int) -> None:
    buffer = PlayoutBuffer()
    timestamp, now, played = 0, 0.0, 0
    due = 0.06
    for number in range(100):
        step = first if number < 50 else second
        buffer.put(number, timestamp, b"a", now)
        timestamp += step
        now += step / 8000
        while due <= now:
            played += buffer.next(due).kind is Kind.AUDIO
            due += buffer.interval / 8000
    assert buffer.interval == second
    assert buffer.late == 0
    assert played >= 92


def test_the_buffer_is_bounded() -> None:
    buffer = PlayoutBuffer()
    for number in range(BOUND + 10):
        buffer.put(number, 160 * number, b"a", 0.0)
    assert buffer.discarded == 10


def test_a_burst_after_a_stall_is_cut_to_the_greatest_delay() -> None:
    buffer = PlayoutBuffer()
    for number in range(60):  # 1.2 s of audio at once
        buffer.put(number, 160 * number, number.to_bytes(2), 0.0)
    first = buffer.next(0.01)
    assert int.from_bytes(first.payload) == 60 - 11  # 200 ms and the packet that is being played
    assert buffer.discarded == 60 - 11
    assert [buffer.next(0.03 + tick * TICK).kind for tick in range(10)] == [Kind.AUDIO] * 10


def test_when_the_only_packet_is_left_out_it_bridges() -> None:
    buffer = PlayoutBuffer()
    for number in range(25):
        buffer.put(number, 160 * number, b"a", number * TICK)
        buffer.next(number * TICK)
    while buffer.next(0.5).kind is Kind.AUDIO:  # empties the buffer at once
        pass
    late = 10.0  # the consumer was stopped for so long that one packet is a surplus
    kinds = []
    for number in range(25, 60):
        buffer.put(number, 160 * number, b"a", number * TICK)
        kinds.append(buffer.next(late + number * TICK).kind)
    assert Kind.LOST in kinds
    assert buffer.discarded >= 1


# --- concealment and the player --------------------------------------------------------------------------------------


def voice(count: int, hz: float = 130.0, rate: int = 8000) -> Samples:
    """A steady vowel: harmonics of one pitch."""
    time = np.arange(count) * (2 * np.pi * hz / rate)
    wave: NDArray[np.float64] = np.sum([6000 / n * np.sin(n * time + n) for n in range(1, 6)], axis=0)
    return np.rint(wave).astype(np.int16)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_concealed_gap_goes_on_like_the_voice_before_it(rate: int) -> None:
    size = rate // 50
    whole = voice(6 * size, rate=rate)
    concealer = Concealer(rate)
    concealer.hear(whole[: 4 * size])
    gap = concealer.conceal(size)
    truth = whole[4 * size : 5 * size]
    assert np.corrcoef(gap, truth)[0, 1] > 0.9
    after = concealer.hear(whole[5 * size :])
    assert (
        np.abs(np.diff(np.concatenate((whole[: 4 * size], gap, after)).astype(float))).max()
        < 1.5 * np.abs(np.diff(whole.astype(float))).max()
    )
    assert np.array_equal(after[size // 2 :], whole[5 * size :][size // 2 :])


def test_concealment_fades_to_silence_in_60_ms() -> None:
    concealer = Concealer(8000)
    concealer.hear(voice(800))
    levels = [float(np.abs(concealer.conceal(160).astype(np.int32)).max()) for _ in range(5)]
    assert levels[0] > levels[1] > levels[2] > 0
    assert levels[3:] == [0, 0]


def test_concealing_before_anything_was_heard_is_silence() -> None:
    assert not Concealer(8000).conceal(160).any()
    assert len(Concealer(8000).hear(np.empty(0, np.int16))) == 0


@pytest.mark.parametrize(("octet", "dbov"), [(0, 0), (40, -40), (0x80 | 60, -60)])
def test_comfort_noise_has_the_level_of_its_packet(octet: int, dbov: int) -> None:
    samples = comfort_noise(bytes([octet, 1, 2]), 100, 8000).astype(np.float64)
    rms = float(np.sqrt(np.mean(np.square(samples))))
    assert 20 * np.log10(rms / 32768) == pytest.approx(dbov, abs=0.7 if octet & 0x7F else 3.5)  # 0 dBov clips
    assert not comfort_noise(b"", 0, 160).any()


def test_the_player_gives_steady_samples_from_an_uneven_network() -> None:
    audio = voice(8000 * 4)
    player = Player(open_codec("PCMU"))
    arrivals = iter([*network(200, jitter=0.005, loss=0.02), (1e9, 0)])
    at, number = next(arrivals)
    heard = []
    for tick in range(400):  # read 10 ms at a time, against packets of 20 ms
        now = tick * 0.01
        while at <= now:
            samples = audio[number * 160 : number * 160 + 160]
            player.buffer.put(number, 160 * number, PCMU.encode(samples), at)
            at, number = next(arrivals)
        part = player.read(80, now)
        assert len(part) == 80
        heard.append(part)
    level = np.sqrt(np.mean(np.square(np.concatenate(heard)[4000:28_000].astype(np.float64))))
    assert level == pytest.approx(np.sqrt(np.mean(np.square(audio.astype(np.float64)))), rel=0.1)


def test_the_player_plays_noise_and_hides_what_cannot_be_decoded() -> None:
    player = Player(open_codec("L16"))
    player.buffer.put(0, 0, voice(160).astype(">i2").tobytes(), 0.0)
    player.buffer.put(1, 160, b"", 0.02)
    player.buffer.put(2, 320, b"\x1e", 0.04, noise=True)
    assert player.read(160, 0.05).any()
    assert player.read(160, 0.07).any()  # concealed
    noise = player.read(160, 0.09)
    assert 500 < np.sqrt(np.mean(np.square(noise.astype(np.float64)))) < 2000  # -30 dBov, the join included
    assert not np.array_equal(player.read(160, 0.11), noise)


def test_nothing_received_is_silence() -> None:
    assert not Player(open_codec("PCMU")).read(333, 0.0).any()
