"""A recording has one rate, and the right pitch and length, whatever codecs come in (RFC 3264 8.3, RFC 3551)."""

import os
import wave
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.resampling import Resampler, resampled
from sipswarm.media.messages import CommandRefused, ConfigureStream, ReceivedFrame, SetSink
from sipswarm.media.recording import HOLD, Track
from sipswarm.media.sinks import Sink, WavSink
from sipswarm.media.sockets import bind
from tests.media.rtp_packet import RtpPacket

from .tones import HZ, PEAK, decoded, fit, sine
from .world import HOME, World


class Form(NamedTuple):
    """A codec as it is negotiated."""

    name: str
    payload_type: int
    clock: int
    rate: int
    least: float
    """dB of signal to noise that the codec alone reaches with the tone."""


PCMU = Form("PCMU", 0, 8000, 8000, 30)
PCMA = Form("PCMA", 8, 8000, 8000, 30)
G722 = Form("G722", 9, 8000, 16000, 20)
L16 = Form("L16", 96, 8000, 8000, 50)
L16_WIDE = Form("L16", 98, 16000, 16000, 50)
L16_FULL = Form("L16", 99, 48000, 48000, 50)
L16_STEREO = Form("L16/2", 95, 16000, 16000, 50)
OPUS = Form("opus", 97, 48000, 48000, 20)
FORMS = (PCMU, PCMA, G722, L16, L16_WIDE, L16_FULL, L16_STEREO, OPUS)
RECEIVE = tuple((form.payload_type, form.name, form.clock) for form in FORMS)
PART = 1.2


def packets(forms: Sequence[Form], ms: Sequence[int], ssrcs: Sequence[int] = ()) -> list[tuple[RtpPacket, float]]:
    """A tone that goes on through one codec after the other, 1.2 s of each; with the time of each packet."""
    made = []
    number, timestamp, start = 100, 5000, 0.0
    for place, (form, length) in enumerate(zip(forms, ms, strict=True)):
        codec = open_codec(form.name, form.clock)
        for _ in range(round(PART * 1000 / length)):
            samples = sine(start, length / 1000, form.rate)
            ssrc = ssrcs[place] if ssrcs else 7
            made.append((RtpPacket(form.payload_type, number, timestamp, ssrc, codec.encode(samples)), start))
            number += 1
            timestamp += form.clock * length // 1000
            start += length / 1000
    return made


def read(path: Path) -> tuple[NDArray[np.int16], int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16), file.getframerate()


def check(samples: NDArray[np.int16], rate: int, forms: Sequence[Form], seconds: float) -> float:
    """The tone is there from begin to end; returns the worst signal to noise over what the codec must reach."""
    assert len(samples) / rate == pytest.approx(seconds, abs=0.06)
    level = np.sqrt(
        (samples.astype(float)[: len(samples) // 80 * 80].reshape(-1, len(samples) // 80) ** 2).mean(axis=1)
    )
    assert level[2:-2].min() > PEAK / 2**0.5 * 0.7, "a hole"
    worst = np.inf
    for place, form in enumerate(forms):
        part = samples[round((place * PART + 0.15) * rate) : round(((place + 1) * PART - 0.05) * rate)]
        quality, peak = fit(part, rate)
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 10 * rate))
        assert np.argmax(spectrum) / 10 == pytest.approx(HZ, abs=0.2)
        assert quality > form.least, form
        assert peak == pytest.approx(PEAK, rel=0.05)
        worst = min(worst, quality - form.least)
    return float(worst)


@pytest.mark.parametrize(("one", "other"), list(permutations(FORMS, 2)), ids=lambda form: f"{form.name}/{form.clock}")
@pytest.mark.parametrize("again", [False, True], ids=["another payload type", "configured again"])
def test_a_recording_has_one_rate_and_pitch_through_changes_of_the_codec(
    world: World, tmp_path: Path, one: Form, other: Form, again: bool
) -> None:
    path = tmp_path / "heard.wav"
    engine = world.engine()
    ours = world.open(engine)
    peer = bind(HOME, 0)
    forms = [one, other, one]

    def configure(receive: tuple[tuple[int, str, int], ...], sink: tuple[str, ...]) -> None:
        port = peer.getsockname()[1]
        world.do(
            engine,
            ConfigureStream(1, remote_address=HOME, remote_port=port, receive_codecs=receive, sink=sink),
        )

    try:
        configure(((one.payload_type, one.name, one.clock),) if again else RECEIVE, ("file", str(path)))
        begun = world.now
        last = one.payload_type
        for packet, at in packets(forms, [20, 20, 20]):
            while world.now - begun < at - 1e-6:
                world.run(0.005)
            if again and packet.payload_type != last:
                last = packet.payload_type
                configure(tuple(each for each in RECEIVE if each[0] == last), ())
            peer.sendto(packet.to_bytes(), (HOME, ours.rtp_port))
        world.run(0.02)
        world.do(engine, SetSink(1, ("none",)))
    finally:
        peer.close()
    samples, rate = read(path)
    assert rate == one.rate
    check(samples, rate, forms, 3 * PART)


def write(path: Path, order: Sequence[tuple[RtpPacket, float]]) -> None:
    sink: Sink = WavSink(str(path))
    ssrc = order[0][0].ssrc
    by_type = {form.payload_type: form for form in FORMS}
    for packet, at in order:
        form = by_type[packet.payload_type]
        if packet.ssrc != ssrc:
            ssrc = packet.ssrc
            sink.restart()
        frame: ReceivedFrame = (packet.payload, packet.sequence_number, packet.timestamp, packet.payload_type, 0)
        sink.write(frame, form.name, form.clock, 50.0 + at)
    sink.close()


@pytest.mark.parametrize("ms", [(20, 10, 40, 20, 60, 30), (30, 60, 10, 20, 20, 20)], ids=str)
def test_many_changes_in_one_call_with_other_packet_times_and_sources(tmp_path: Path, ms: tuple[int, ...]) -> None:
    forms = [PCMU, G722, L16_FULL, PCMA, L16_WIDE, L16]
    for name, ssrcs in (("one", (7,) * 6), ("many", (7, 8, 9, 9, 7, 7))):
        path = tmp_path / f"{name}.wav"
        write(path, packets(forms, ms, ssrcs))
        samples, rate = read(path)
        check(samples, rate, forms, 6 * PART)


def test_packets_that_change_places_at_a_change_of_the_codec_are_played_in_order(tmp_path: Path) -> None:
    forms = [PCMU, L16_FULL, PCMA]
    order = packets(forms, [20, 20, 20])
    for place in (59, 119):
        (early, _), (late, after) = order[place : place + 2]
        order[place : place + 2] = [(late, after), (early, after + 0.001)]
    path = tmp_path / "heard.wav"
    write(path, order)
    samples, rate = read(path)
    check(samples, rate, forms, 3 * PART)
    for border in (1, 2):
        quality, _ = fit(samples[round((border * PART - 0.05) * rate) : round((border * PART + 0.05) * rate)], rate)
        assert quality > 20, "the tone goes on through the change"


def test_a_codec_of_each_packet_is_bounded() -> None:
    track = Track()
    for number in range(100):
        form = (PCMU, L16_FULL)[number % 2]
        octets = form.clock // 50 * (2 if form.name == "L16" else 1)
        frame = (bytes(octets), number, number * 160, form.payload_type, 0)
        track.put(frame, form.name, form.clock, 1.0)
    assert track.late >= 90
    assert len(track.read(16000, 1.0 + HOLD)) == 16000
    assert not track.waiting


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("wanted", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [300, 440, 3300])
def test_another_rate_has_the_same_tone_however_it_is_cut_into_blocks(rate: int, wanted: int, hz: int) -> None:
    tone = sine(0, 1, rate, hz)
    resampler = Resampler(rate, wanted)
    parts, at = [], 0
    for size in [1, 0, 7, 333, 20, 160, 4096] * 200:
        parts.append(resampler.push(tone[at : at + size]))
        at += size
    parts.append(resampler.finish())
    heard = np.concatenate(parts)
    assert len(heard) == wanted
    assert np.abs(heard - resampled(tone, rate, wanted)).max() <= 0.51
    middle = heard[wanted // 20 : -wanted // 20]
    quality, peak = fit(middle, wanted, hz)
    assert quality > 75
    assert peak == pytest.approx(PEAK, rel=0.01)
    delay = heard[:wanted] - sine(0, 1, wanted, hz)
    assert np.abs(delay[wanted // 20 : -wanted // 20]).max() < 0.01 * PEAK, "moved in time"


@pytest.mark.parametrize("hz", [4500, 6000, 7900])
def test_what_the_lower_rate_cannot_hold_is_filtered_out(hz: int) -> None:
    heard = resampled(sine(0, 1, 16000, hz), 16000, 8000)
    assert np.abs(heard[400:-400]).max() < PEAK * 1e-3


def test_a_short_block_needs_no_more_than_asked_for() -> None:
    for rate, wanted in ((8000, 48000), (48000, 8000), (16000, 8000), (44100, 16000), (8000, 8000)):
        resampler = Resampler(rate, wanted)
        for count in (1, 160, 5, 960):
            got = resampler.push(np.zeros(resampler.needed(count), np.int16))
            assert count <= len(got) <= count + max(1, wanted // rate)
        empty = Resampler(rate, wanted)
        assert len(empty.finish()) == 0
        few = Resampler(rate, wanted)
        assert len(few.push(np.ones(3, np.int16))) + len(few.finish()) == pytest.approx(3 * wanted / rate, abs=1)


def both(world: World, path: Path, sides: str, form: Form, **more: object) -> list[np.ndarray]:
    """Two engines that send tones of 440 and 700 Hz to each other; what the first one has recorded, by channel."""
    one, other = world.engine(), world.engine()
    ports = [world.open(engine).rtp_port for engine in (one, other)]
    size = form.clock // 100 * (2 if form.name == "L16" else 1)
    shape = {"codec": form.name, "payload_type": form.payload_type, "clock_rate": form.clock, "payload_size": size}
    for engine, port, source in ((one, ports[1], ("tone", HZ)), (other, ports[0], ("tone", 700))):
        command = ConfigureStream(1, "sendrecv", HOME, port, receive_codecs=RECEIVE, source=source)
        world.do(engine, command._replace(**shape, packet_interval=0.01, **(more if engine is one else {})))  # type: ignore[arg-type]
    world.run(0.1)
    world.do(one, SetSink(1, ("file", str(path), sides)))
    world.run(2.0)
    world.written(one)
    with wave.open(str(path)) as file:  # while it is written
        assert 0.9 <= file.getnframes() / file.getframerate() <= 2.0
        assert file.getframerate() == form.rate
    world.do(one, SetSink(1, ("none",)))
    world.run(0.1)
    with wave.open(str(path)) as file:
        assert file.getframerate() == form.rate
        assert file.getnframes() / form.rate == pytest.approx(2.0, abs=0.04)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    return list(samples.T)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}/{form.clock}")
def test_both_directions_are_the_two_channels_of_a_stereo_recording(world: World, tmp_path: Path, form: Form) -> None:
    left, right = both(world, tmp_path / "both.wav", "stereo", form)
    assert fit(left[form.rate // 4 : -form.rate // 4], form.rate, 700)[0] > min(form.least, 30)
    assert fit(right[form.rate // 4 : -form.rate // 4], form.rate, HZ)[0] > min(form.least, 30)


def test_both_directions_are_the_sum_in_a_mixed_recording(world: World, tmp_path: Path) -> None:
    (mixed,) = both(world, tmp_path / "both.wav", "mixed", L16)
    middle = mixed[2000:-2000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle[: len(middle) // 800 * 800][:8000] * np.hanning(8000)))
    strongest = set(np.argsort(spectrum)[-2:].tolist())
    assert strongest == {HZ, 700}
    assert np.sqrt((middle**2).mean()) == pytest.approx(2550 * 2**0.5, rel=0.05)


def test_what_an_echo_sends_back_is_recorded_as_sent(world: World, tmp_path: Path) -> None:
    left, right = both(world, tmp_path / "both.wav", "stereo", PCMU, source=("echo", 0))
    assert fit(left[2000:-2000], 8000, 700)[0] > 30
    assert fit(right[2000:-2000], 8000, 700)[0] > 30


def test_a_change_of_the_codec_we_send_is_heard_in_both_channels(world: World, tmp_path: Path) -> None:
    one, other = world.engine(), world.engine()
    ports = [world.open(engine).rtp_port for engine in (one, other)]
    path = tmp_path / "both.wav"
    for place, form in enumerate((PCMU, G722, L16_FULL, OPUS, PCMU)):
        size = form.clock // 100 * (2 if form.name == "L16" else 1)
        for engine, port, source in ((one, ports[1], ("tone", HZ)), (other, ports[0], ("tone", 700))):
            command = ConfigureStream(
                1,
                "sendrecv",
                HOME,
                port,
                codec=form.name,
                payload_type=form.payload_type,
                clock_rate=form.clock,
                payload_size=size,
                packet_interval=0.01,
                receive_codecs=RECEIVE,
                source=() if place else source,
                sink=("file", str(path), "stereo") if engine is one else (),
            )
            world.do(engine, command)
        world.run(1.0)
    world.do(one, SetSink(1, ("none",)))
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 2)
        assert file.getnframes() / 8000 == pytest.approx(5, abs=0.06)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    for channel, hz in ((0, 700), (1, HZ)):
        for place in range(5):
            part = samples[place * 8000 + 1600 : place * 8000 + 7600, channel]
            assert fit(part, 8000, hz)[0] > 20


@pytest.mark.parametrize("sides", ["stereo", "mixed"])
def test_both_directions_need_a_wav_file(world: World, tmp_path: Path, sides: str) -> None:
    engine = world.engine()
    world.open(engine)
    (refused,) = world.do(engine, SetSink(1, ("file", str(tmp_path / "both.ulaw"), sides)))
    assert isinstance(refused, CommandRefused)
    assert "recorded in a .wav file only" in refused.detail
    (refused,) = world.do(engine, SetSink(1, ("file", str(tmp_path / "both.wav"), "all")))
    assert isinstance(refused, CommandRefused)


def test_a_recording_is_a_wav_file_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    sink = WavSink(str(path))
    with wave.open(str(path)) as file:
        assert file.getnframes() == 0
    for packet, at in packets([PCMU, PCMU], [20, 20]):
        frame: ReceivedFrame = (packet.payload, packet.sequence_number, packet.timestamp, 0, 0)
        sink.write(frame, "PCMU", 8000, 50.0 + at)
    data = path.read_bytes()  # as if the process were killed now
    assert len(data) == 44 + int.from_bytes(data[40:44], "little")
    assert 1.95 <= len(decoded(data, 8000)) / 8000 <= 2.4
    sink.close()


@pytest.mark.parametrize("name", ["pipe.wav", "pipe.ulaw"])
@pytest.mark.parametrize("read", [False, True], ids=["no reader", "a reader"])
def test_a_recording_into_a_pipe_is_refused_at_once(world: World, tmp_path: Path, name: str, read: bool) -> None:
    """Without a reader a pipe would be waited for, by every stream of the process."""
    pipe = tmp_path / name
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if read else -1
    try:
        engine = world.engine()
        world.open(engine)
        (refused,) = world.do(engine, SetSink(1, ("file", str(pipe))))
        assert isinstance(refused, CommandRefused)
        assert (refused.reason, refused.detail) == ("bad_file", f"{pipe} is no regular file")
    finally:
        if read:
            os.close(reader)
