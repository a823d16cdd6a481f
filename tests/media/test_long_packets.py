"""Packets of any length that a peer chooses, without `a=ptime`: receivers take 0 to 200 ms (RFC 3551 section 4.2).

Nothing is lost here, so nothing may be missing: not in the figures, not in the recording.
"""

import random
import wave
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.messages import ConfigureStream, ReceivedFrame, SetSink
from sipswarm.media.sinks import WavSink
from sipswarm.media.sockets import bind
from tests.media.rtp_packet import RtpPacket

from .test_presence import HOME as CONFIGURED
from .test_presence import Sent, played
from .tones import HZ, fit, sine
from .world import HOME, World

LENGTHS = (10, 20, 30, 60, 80, 100, 120, 140, 160, 200, 240, 300)


def courses(ms: int) -> dict[str, list[int]]:
    """Milliseconds of each packet of about nine seconds, by how the packet time behaves."""
    chance = random.Random(ms)
    return {
        "from the start": [ms] * (9000 // ms),
        "after 20 ms": [20] * 150 + [ms] * (6000 // ms),
        "until 20 ms": [ms] * (3000 // ms) + [20] * 300,
        "in turns": [20, ms] * (9000 // (20 + ms)),
        "by chance": [chance.choice((10, 20, 40, ms)) for _ in range(9000 // (20 + ms // 3))],
    }


CASES = [pytest.param(course, id=f"{ms} ms {name}") for ms in LENGTHS for name, course in courses(ms).items()]


@pytest.mark.parametrize("jitter", [0.0, 0.03])
@pytest.mark.parametrize("course", CASES)
@pytest.mark.parametrize("form", ["PCMU", "L16"])
def test_nothing_is_missing_of_a_stream_of_which_nothing_was_lost(form: str, course: list[int], jitter: float) -> None:
    """Each packet comes when the audio in it is over, as a phone sends it."""
    chance = random.Random(7)
    octets = 16 if form == "L16" else 8
    ends = list(accumulate(course))
    packets = [
        Sent((end + 50) / 1000 + chance.random() * jitter, number, (end - ms) * 8, octets=octets * ms)
        for number, (end, ms) in enumerate(zip(ends, course, strict=True))
    ]
    command = CONFIGURED._replace(receive_codecs=((0, form, 8000),))
    found = played(packets, ends[-1] / 1000 + 0.1, command=command)
    assert (found.packets_missed, found.packets_surplus) == (0, 0)
    in_packets = found.due * 1000 / sum(course) * len(course)
    assert found.packets_due == pytest.approx(in_packets, abs=0.51), "the time in packets"
    assert found.present == found.due


@pytest.mark.parametrize("ms", LENGTHS)
def test_a_gap_among_long_packets_is_still_found(ms: int) -> None:
    count = 9000 // ms
    lost = range(count // 3, 2 * count // 3)
    packets = [
        Sent((number + 1) * ms / 1000, number, number * 8 * ms, octets=8 * ms)
        for number in range(count)
        if number not in lost
    ]
    found = played(packets, count * ms / 1000)
    assert found.packets_missed == pytest.approx(len(lost), abs=1)
    assert found.present == pytest.approx(found.due - len(lost) * ms / 1000, abs=ms / 1000 + 0.05)


def packets_of(course: list[int], name: str) -> list[tuple[float, RtpPacket]]:
    """A tone in packets of these lengths, each when it is over; the second is of time."""
    codec, rate = open_codec(name), 16000 if name == "G722" else 8000
    made, start = [], 0
    for number, ms in enumerate(course):
        parts = [codec.encode(sine((start + at) / 1000, 0.01, rate)) for at in range(0, ms, 10)]
        made.append(((start + ms) / 1000, RtpPacket(0, number, start * 8, 7, b"".join(parts))))
        start += ms
    return made


def is_whole(path: Path, seconds: float) -> None:
    """The recording has the tone's pitch throughout, without a hole, and its length."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    begin = int(np.argmax(np.abs(samples) > 500))
    assert len(samples) / rate == pytest.approx(seconds, abs=0.06)
    heard = samples[begin + rate // 20 : -rate // 20]
    assert len(heard) / rate == pytest.approx(seconds - 0.1, abs=0.06)
    quality, _ = fit(heard, rate, HZ)
    assert quality > 18, "the tone goes on in one phase: nothing was put in or left out"


@pytest.mark.parametrize("name", ["PCMU", "G722", "L16"])
@pytest.mark.parametrize("course", CASES)
def test_a_recording_is_as_long_as_what_came(tmp_path: Path, course: list[int], name: str) -> None:
    path = tmp_path / "heard.wav"
    sink = WavSink(str(path))
    for at, packet in packets_of(course, name):
        frame: ReceivedFrame = (packet.payload, packet.sequence_number, packet.timestamp, 0, 0)
        sink.write(frame, name, 8000, 50.0 + at)
    sink.close()
    assert sink.late == 0
    is_whole(path, sum(course) / 1000)


@pytest.mark.parametrize("name", ["PCMU", "L16"])
@pytest.mark.parametrize("ms", [160, 200])
def test_a_stream_takes_long_packets_from_its_socket(world: World, tmp_path: Path, ms: int, name: str) -> None:
    path = tmp_path / "heard.wav"
    engine = world.engine()
    ours = world.open(engine)
    peer = bind(HOME, 0)
    course = [20] * 50 + [ms] * (3000 // ms)
    try:
        port = peer.getsockname()[1]
        world.do(engine, ConfigureStream(1, "sendrecv", HOME, port, receive_codecs=((0, name, 8000),)))
        world.do(engine, SetSink(1, ("file", str(path))))
        begun = world.now
        for at, packet in packets_of(course, name):
            world.run(begun + at - world.now)
            peer.sendto(packet.to_bytes(), (HOME, ours.rtp_port))
        world.run(0.02)
    finally:
        peer.close()
    statistics = world.close(engine)
    assert (statistics.packets_received, statistics.packets_lost) == (len(course), 0)
    assert (statistics.packets_due, statistics.packets_missed, statistics.packets_late) == (len(course), 0, 0)
    assert statistics.mos > 4.3
    is_whole(path, sum(course) / 1000)
