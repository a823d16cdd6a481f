"""Captures as sources: what leaves, when, and what becomes of the source that lies below."""

import os
import socket
import struct
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from sipswarm.media.captures import CaptureFiles
from sipswarm.media.messages import (
    CommandRefused,
    SendDigits,
    SetSink,
    SetSource,
    SourceFinished,
    SourceSpec,
    StopSource,
)
from sipswarm.media.sources import SourceError
from tests.media.world import TICK, World, call, to
from tests.media.written_captures import digit, of_rtp, speech


class Heard(NamedTuple):
    """One packet that came."""

    at: float
    payload_type: int
    marker: int
    number: int
    timestamp: int
    payload: bytes


class Listener:
    """A socket in the place of a peer, read after each tick."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.packets: list[Heard] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def run(self, seconds: float) -> None:
        """Let the clock run, and note what comes at each tick."""
        for _ in range(round(seconds / TICK)):
            self._world.run(TICK)
            while True:
                try:
                    data = self._socket.recv(2048)
                except BlockingIOError:
                    break
                _, second, number, timestamp, _ = struct.unpack_from("!BBHII", data)
                self.packets.append(Heard(self._world.now, second & 0x7F, second >> 7, number, timestamp, data[12:]))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def replayed(world: World, path: Path, seconds: float, below: SourceSpec = ("none",)) -> Listener:
    """A stream that replays a capture over another source."""
    engine, listener = world.engine(), Listener(world)
    opened = world.open(engine)
    world.do(engine, to(opened, remote_port=listener.port, source=below, payload_type=8, codec="PCMA"))
    world.do(engine, SetSource(1, ("capture", str(path)), request_id=4, layer="over"))
    listener.run(seconds)
    listener.close()
    return listener


def test_a_capture_with_digits_leaves_as_it_is_and_in_time(world: World, tmp_path: Path) -> None:
    packets = [*speech(50), *digit(1.0, 9000), *speech(10, at=1.2, timestamp=10_600)]
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(packets))
    listener = replayed(world, path, 2.0)
    heard = listener.packets
    assert [(each.payload_type, each.marker, each.payload) for each in heard] == [
        (each.payload_type, each.marker, each.payload) for each in packets
    ]
    steps = [(each.timestamp - heard[0].timestamp) & 0xFFFFFFFF for each in heard]
    assert steps == [each.timestamp - packets[0].timestamp for each in packets]
    assert [each.number - heard[0].number & 0xFFFF for each in heard] == list(range(len(packets)))
    times = [each.at - heard[0].at for each in heard]
    assert times == pytest.approx([each.at for each in packets], abs=TICK + 1e-6)
    (finished,) = world.said(world.engines[0], SourceFinished)
    assert (finished.reason, finished.request_id) == ("end", 4)


def test_what_lies_below_goes_on_when_a_capture_is_over(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(5)))
    listener = replayed(world, path, 0.5, below=("silence",))
    kinds = [each.payload_type for each in listener.packets]
    assert kinds[:5] == [0] * 5
    assert set(kinds[5:]) == {8}
    assert 20 <= len(kinds) <= 28
    stamps = [each.timestamp for each in listener.packets]
    steps = [later - earlier & 0xFFFFFFFF for earlier, later in pairwise(stamps)]
    assert set(steps[:4]) == {160}
    assert max(steps) < 1000, "the clock of the stream goes on"


def test_a_capture_is_stopped_and_replaced(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(100)))
    engine, listener = world.engine(), Listener(world)
    opened = world.open(engine)
    world.do(engine, to(opened, remote_port=listener.port, source=("none",)))
    world.do(engine, SetSource(1, ("capture", str(path)), layer="over"))
    listener.run(0.2)
    world.do(engine, StopSource(1))
    listener.run(0.2)
    assert 9 <= len(listener.packets) <= 11
    world.do(engine, SetSource(1, ("capture", str(path))))
    listener.run(0.1)
    assert 14 <= len(listener.packets) <= 17
    world.close(engine)
    listener.run(0.1)
    listener.close()
    assert len(listener.packets) <= 17


def test_digits_replace_a_capture_while_they_last(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(50)))
    engine, listener = world.engine(), Listener(world)
    opened = world.open(engine)
    world.do(engine, to(opened, remote_port=listener.port, source=("capture", str(path))))
    listener.run(0.2)
    world.do(engine, SendDigits(1, 9, "5"))
    listener.run(0.9)
    listener.close()
    kinds = [each.payload_type for each in listener.packets]
    first, last = kinds.index(101), len(kinds) - 1 - kinds[::-1].index(101)
    assert set(kinds[first : last + 1]) == {101}
    assert kinds[-1] == 0, "the capture goes on behind them"


def test_what_is_late_is_passed_over_and_counted(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(50)))
    engine, listener = world.engine(), Listener(world)
    opened = world.open(engine)
    world.do(engine, to(opened, remote_port=listener.port, source=("capture", str(path))))
    listener.run(0.1)
    world.now += 0.5  # this process stood still
    listener.run(0.6)
    listener.close()
    figures = world.close(engine)
    assert len(listener.packets) + figures.frames_skipped == 50
    assert 15 <= figures.frames_skipped <= 25


def test_a_peer_counts_the_packets_of_a_capture(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp([*speech(50), *digit(1.0, 9000)]))
    one, other = call(world, source=("none",))
    world.do(other, SetSink(1, ("none",)))
    world.do(one, SetSource(1, ("capture", str(path))))
    world.run(1.5)
    sent, received = world.close(one), world.close(other)
    assert sent.packets_sent == received.packets_received == 57
    assert (received.packets_lost, received.digits_received) == (0, 1)


@pytest.mark.parametrize(
    ("name", "content", "reason", "said"),
    [
        ("none.pcap", None, "no_file", "No such file"),
        ("empty.pcap", b"", "bad_file", "is no capture file"),
        ("sip.pcap", of_rtp([]), "bad_file", "has no RTP packet"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_by_its_name(
    world: World, tmp_path: Path, name: str, content: bytes | None, reason: str, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    engine = world.engine()
    opened = world.open(engine)
    world.do(engine, to(opened, remote_port=9))
    (refused,) = world.do(engine, SetSource(1, ("capture", str(path)), request_id=3))
    assert isinstance(refused, CommandRefused)
    assert (refused.reason, refused.request_id) == (reason, 3)
    assert name in refused.detail
    assert said in refused.detail


def test_a_capture_that_is_damaged_ends_with_its_reason(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(3)) + b"\xff" * 16)
    listener = replayed(world, path, 0.3)
    assert len(listener.packets) == 3
    (finished,) = world.said(world.engines[0], SourceFinished)
    assert finished.reason == "bad_file"
    assert "is damaged at octet" in finished.detail


def test_a_pipe_is_no_capture(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(SourceError, match="is no regular file"):
        CaptureFiles().source(str(path))


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path, files = tmp_path / "a.pcap", CaptureFiles()
    path.write_bytes(of_rtp(speech(1)))
    first = files.source(str(path))
    path.write_bytes(of_rtp(speech(2)))
    second = files.source(str(path))
    for source in (first, second):
        source.begin(0.0, 0)
    assert (len(list(first.take(1.0))), len(list(second.take(1.0)))) == (1, 2)
