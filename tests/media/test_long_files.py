"""Files are read bit by bit: however long one is, it holds up no stream, and it is heard whole from its first frame."""

import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio import files as audio_files
from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.audio.formats import payload_octets
from sipswarm.media.messages import (
    CloseStream,
    CommandDone,
    CommandRefused,
    ConfigureStream,
    Event,
    OpenStream,
    SetSource,
    StreamOpened,
)
from sipswarm.media.sinks import wav_header
from sipswarm.media.sockets import bind
from sipswarm.media.sources import FileFrames, Format, FramesSource, SourceError
from tests.media.rtp_packet import RtpPacket

from .world import HOME, TICK, World

PCMU = Format("PCMU", 8000, 160, 160)
FORMS = {
    "PCMU": PCMU,
    "L16": Format("L16", 16000, 640, 320),
    "G722": Format("G722", 8000, 160, 160),
    "opus": Format("opus", 48000, 960, 960),
}
LONGEST_WORK = 0.1
"""Seconds of CPU that no single call of an engine may take here. One portion takes 1 ms; the rest is for a slow
machine. A file of ten minutes that is read at once takes 1 to 5 s."""


def rising(seconds: int, rate: int) -> np.ndarray:
    """A sine whose frequency tells the second: 300 Hz, 320 Hz …"""
    moment = np.arange(rate) / rate
    parts = [np.sin(2 * np.pi * (300 + 20 * (second % 100)) * moment) for second in range(seconds)]
    return (np.concatenate(parts) * 9000).astype("<i2")


def wav(path: Path, seconds: int, rate: int = 44100) -> Path:
    """The same samples in each minute, written without holding them all."""
    minute = np.repeat(rising(min(seconds, 60), rate), 2).tobytes()
    with path.open("wb") as file:
        header = bytearray(wav_header(rate, 4 * rate * seconds))
        header[22:24] = (2).to_bytes(2, "little")
        header[28:34] = (4 * rate).to_bytes(4, "little") + (4).to_bytes(2, "little")
        file.write(header)
        for _ in range(max(1, seconds // 60)):
            file.write(minute)
    return path


def encoded(path: Path, seconds: int, codec: str, rate: int = 44100) -> Path:
    """The same in a container of the name's ending."""
    av = pytest.importorskip("av", reason="PyAV is in the extra audio")
    frame = av.AudioFrame.from_ndarray(rising(seconds, rate).astype(np.int16).reshape(1, -1), "s16", "mono")
    frame.sample_rate = rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        context = stream.codec_context
        cut = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or 1024)
        for each in (*cut.resample(frame), *cut.resample(None)):
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return path


def mp3(path: Path, minutes: int, rate: int = 44100) -> Path:
    """The same in each minute, as frames without a header that tells how many there are."""
    av = pytest.importorskip("av", reason="PyAV is in the extra audio")
    minute = encoded(path.with_name("minute.mp3"), 60, "libmp3lame", rate)
    with av.open(str(minute)) as container:
        path.write_bytes(b"".join(bytes(packet) for packet in container.demux() if packet.size) * minutes)
    return path


def open_files(folder: Path) -> list[str]:
    """The files of a folder that this process holds open."""
    held = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            held.append(str(each.readlink()))
        except OSError:  # the descriptor of the listing itself
            continue
    return [name for name in held if name.startswith(str(folder))]


class Two:
    """An engine with two streams to sockets: one sends silence, the other what a test says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = world.engine()
        self.peers = bind(HOME, 0), bind(HOME, 0)
        self.packets: tuple[list[RtpPacket], list[RtpPacket]] = ([], [])
        self.longest = 0.0
        for number in (1, 2):
            world.open(self.engine, number)
            self.configure(number, "PCMU", source=("silence",))

    def configure(self, number: int, codec: str, **more: object) -> list[Event]:
        form = FORMS[codec]
        command = ConfigureStream(
            number,
            remote_address=HOME,
            remote_port=self.peers[number - 1].getsockname()[1],
            codec=codec,
            payload_type=0 if codec == "PCMU" else 96,
            clock_rate=form.clock_rate,
            payload_size=payload_octets(codec, form.step),
        )
        return self.do(command._replace(**more))  # type: ignore[arg-type]  # any field of the command

    def do(self, *commands: object) -> list[Event]:
        before = time.thread_time()
        said = self.world.do(self.engine, *commands)  # type: ignore[arg-type]  # commands, as there
        self.longest = max(self.longest, time.thread_time() - before)
        return said

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            before = time.thread_time()
            self.world.run(TICK)
            self.longest = max(self.longest, time.thread_time() - before)
            for peer, packets in zip(self.peers, self.packets, strict=True):
                while True:
                    try:
                        packets.append(RtpPacket.parse(peer.recv(4096)))
                    except BlockingIOError:
                        break

    def heard(self, codec: str, first: int) -> list[int]:
        """The frequencies that the second stream sent from a packet on, in Hz, each second of its own time."""
        decoder = open_codec(codec, FORMS[codec].clock_rate)
        samples = np.concatenate([decoder.decode(packet.payload) for packet in self.packets[1][first:]])
        rate = decoder.sample_rate
        seconds = (samples[at : at + rate] for at in range(0, len(samples) - rate + 1, rate))
        return [int(np.abs(np.fft.rfft(second)).argmax()) for second in seconds]


@pytest.fixture
def two(world: World) -> Iterator[Two]:
    made = Two(world)
    yield made
    made.engine.close()
    world.engines.remove(made.engine)
    for peer in made.peers:
        peer.close()


@pytest.mark.parametrize(
    ("kind", "codec"),  # payload without a codec of its own, as in a .raw file, is not made into Opus
    [
        (kind, codec)
        for kind in ("wav", "mp3", "raw", "ulaw")
        for codec in ("PCMU", "opus")
        if (kind, codec) != ("raw", "opus")
    ],
)
def test_a_file_of_ten_minutes_holds_up_no_stream_and_is_heard_from_its_first_frame(
    two: Two, tmp_path: Path, kind: str, codec: str
) -> None:
    path = tmp_path / f"long.{kind}"
    if kind == "wav":
        wav(path, 600)
    elif kind == "mp3":
        mp3(path, 10)
    else:
        audio = open_codec("PCMU").encode(rising(60, 8000).astype(np.int16))
        path.write_bytes(audio * (10 if kind == "ulaw" else 100))
    two.configure(2, codec)
    two.run(1.0)
    two.longest = 0.0
    before = len(two.packets[1])
    (done,) = two.do(SetSource(2, ("file", str(path), 1), 7, "over"))
    assert isinstance(done, CommandDone)
    two.run(5.1)
    assert two.longest < LONGEST_WORK
    for packets in two.packets:
        assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets[-250:])} in ({160}, {960})
    if kind != "raw" or codec == "PCMU":
        assert two.heard(codec, before)[:5] == pytest.approx([300, 320, 340, 360, 380], abs=1)


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_another_codec_late_in_a_long_file_holds_up_no_stream_and_goes_on_where_it_was(
    two: Two, tmp_path: Path, kind: str
) -> None:
    path = wav(tmp_path / "a.wav", 60) if kind == "wav" else mp3(tmp_path / "a.mp3", 1)
    two.do(SetSource(2, ("file", str(path), -1), 0, "all"))
    two.run(20.0)
    two.longest = 0.0
    for codec, second in (("G722", 20), ("opus", 22), ("L16", 24), ("PCMU", 26)):
        before = len(two.packets[1])
        assert two.configure(2, codec) == []
        two.run(2.0)
        heard = two.heard(codec, before)
        assert heard[0] in range(300 + 20 * second - 1, 300 + 20 * second + 22)
    assert two.longest < LONGEST_WORK
    assert {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairwise(two.packets[1])} == {1}
    assert 1395 <= len(two.packets[1]) <= 1401, "no interval is empty"


def test_a_file_in_another_codec_begins_again_at_its_beginning(two: Two, tmp_path: Path) -> None:
    two.do(SetSource(2, ("file", str(wav(tmp_path / "a.wav", 3, 16000)), 2), 0, "all"))
    two.run(0.5)
    two.run(2.0)
    two.configure(2, "L16")
    before = len(two.packets[1])
    two.run(3.6)
    assert two.heard("L16", before + 25)[:3] == pytest.approx([300, 320, 340], abs=1)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg", "a.m4a", "a.raw", "a.alaw"])
@pytest.mark.parametrize("codec", ["PCMU", "L16"])
@pytest.mark.parametrize("first", [1, 77, 200])
def test_a_file_from_a_packet_on_is_the_rest_of_the_whole(tmp_path: Path, name: str, codec: str, first: int) -> None:
    path, form = tmp_path / name, FORMS[codec]
    codecs = {"mp3": "libmp3lame", "flac": "flac", "ogg": "libopus", "m4a": "aac"}
    ending = name[2:]
    if ending == "wav":
        wav(path, 5)
    elif ending in codecs:
        encoded(path, 5, codecs[ending], 48000 if ending == "ogg" else 44100)
    else:
        path.write_bytes(open_codec("PCMA").encode(rising(5, 8000).astype(np.int16)) * (4 if ending == "raw" else 1))
    files = FileFrames()
    whole = files.frames(str(path), form)
    rest = files.reading(str(path), form, first)
    while not rest.whole:
        rest.read()
    assert len(rest.frames) == pytest.approx(len(whole) - first, abs=1)
    if ending == "raw":
        assert tuple(rest.frames) == whole[first:]
        return
    decoder = open_codec(codec, form.clock_rate)
    expected = np.concatenate([decoder.decode(each) for each in whole[first + 5 :]]).astype(float)
    got = np.concatenate([decoder.decode(each) for each in rest.frames[5:]]).astype(float)
    size = min(len(expected), len(got)) - form.step
    assert np.sqrt(np.mean((expected[:size] - got[:size]) ** 2)) < 400, "of 6400: no sample of 44,100 a second earlier"


def test_streams_that_play_a_file_share_its_packets_also_while_it_is_read(tmp_path: Path) -> None:
    files = FileFrames()
    name = str(wav(tmp_path / "a.wav", 60))
    ahead, behind = files.source(name, PCMU, 1), files.source(name, PCMU, 1)
    first = [ahead.next_payload() for _ in range(500)]
    files.read_on()
    second = [behind.next_payload() for _ in range(500)]
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_a_file_is_closed_at_its_end_and_with_the_last_stream(two: Two, tmp_path: Path) -> None:
    short, long = wav(tmp_path / "short.wav", 1), wav(tmp_path / "long.wav", 60)
    two.do(SetSource(1, ("file", str(short), 1)), SetSource(2, ("file", str(long), 1)))
    two.run(0.5)
    assert open_files(tmp_path) == [str(long)]
    two.do(CloseStream(2))
    two.do(CloseStream(1))
    assert open_files(tmp_path) == []
    two.do(OpenStream(3, HOME, source=("file", str(long), 1)))
    assert open_files(tmp_path) == [str(long)]
    two.engine.close()
    assert open_files(tmp_path) == []


def test_a_stream_that_is_refused_leaves_no_file_open(world: World, tmp_path: Path) -> None:
    engine = world.engine()
    path = wav(tmp_path / "long.wav", 60)
    (refused,) = world.do(engine, OpenStream(1, "no address", source=("file", str(path), 1)))
    assert not isinstance(refused, StreamOpened)
    assert open_files(tmp_path) == []
    engine.close()
    world.engines.remove(engine)


def test_many_files_that_are_read_at_a_time_are_bounded(tmp_path: Path) -> None:
    one = wav(tmp_path / "0.wav", 10)
    files = FileFrames()
    for number in range(100):
        path = tmp_path / f"{number}.wav"
        if number:
            os.link(one, path)
        files.reading(str(path), PCMU)
    assert len(open_files(tmp_path)) == 64
    while files.unfinished:
        files.read_on()
    assert open_files(tmp_path) == []


def test_what_is_kept_stays_bounded_while_files_grow(tmp_path: Path) -> None:
    files = FileFrames(most=100_000)
    names = [str(wav(tmp_path / f"{number}.wav", 10, 8000)) for number in range(3)]  # 80,000 octets of PCMU each
    readings = [files.reading(name, PCMU) for name in names]
    while files.unfinished:
        files.read_on()
    again = [files.reading(name, PCMU) for name in names]
    assert sum(one is other for one, other in zip(readings, again, strict=True)) <= 1


def test_a_file_that_is_too_long_is_refused_at_once_and_one_that_hides_it_ends_with_the_error(
    two: Two, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(wav_header(8000, 2 * 8000 * (audio_files.LONGEST + 2)))
        file.truncate(44 + 2 * 8000 * (audio_files.LONGEST + 2))
    (refused,) = two.do(SetSource(2, ("file", str(path), 1), 7, "over"))
    assert isinstance(refused, CommandRefused)
    assert "lasts longer than 60 minutes" in refused.detail
    assert two.longest < LONGEST_WORK
    hidden = mp3(tmp_path / "long.mp3", 61, 8000)
    source = FileFrames().source(str(hidden), PCMU, 1)
    sent = 0
    while source.next_payload() is not None:
        sent += 1
    assert sent * 0.02 == pytest.approx(3600, abs=1)
    assert source.finished == "bad_file"
    assert source.detail.startswith(f"{hidden} lasts longer than 60 minutes")


def test_a_file_that_vanishes_between_two_rounds_ends_with_the_error(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", 2)
    source = FileFrames().source(str(path), PCMU, 2)
    source.go_on(90, 2)
    path.unlink()
    sent = sum(1 for _ in iter(source.next_payload, None))
    assert sent == 10
    assert source.finished == "no_file"
    assert source.detail.startswith(f"{path}: ")


def test_what_was_due_before_a_source_was_set_is_not_missing_from_it(two: Two, tmp_path: Path) -> None:
    """An engine that is held up for a while after the command begins the file at its first frame."""
    path = tmp_path / "a.raw"
    path.write_bytes(b"".join(bytes([number]) * 160 for number in range(1, 101)))
    two.run(0.5)
    before = len(two.packets[1])
    two.world.now += 0.3
    two.do(SetSource(2, ("file", str(path), 1)))
    two.world.now += 0.3
    two.run(1.0)
    numbers = [packet.payload[0] for packet in two.packets[1][before:]]
    assert [number for number in numbers if number != 0xFF][:20] == list(range(1, 21))


def test_a_source_of_frames_is_still_passed_over_while_it_is_sent(two: Two, tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"".join(bytes([number]) * 160 for number in range(1, 101)))
    two.do(SetSource(2, ("file", str(path), 1)))
    two.run(0.2)
    two.world.now += 0.3
    two.run(0.2)
    numbers = [packet.payload[0] for packet in two.packets[1]]
    assert [b - a for a, b in pairwise(numbers) if b - a != 1] == [pytest.approx(15, abs=1)]


def test_a_file_that_is_missing_or_empty_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    short = tmp_path / "a.raw"
    short.write_bytes(b"")
    for name, reason in ((str(short), "is empty"), (str(tmp_path / "none"), "^no_file: ")):
        with pytest.raises(SourceError, match=reason):
            FileFrames().source(name, PCMU, 1)
    short.write_bytes(bytes(161))
    source = FileFrames().source(str(short), PCMU, 1)
    assert isinstance(source, FramesSource)
    assert [source.next_payload() for _ in range(3)] == [bytes(160), bytes(1) + b"\xff" * 159, None]
    assert source.finished == "end"
