"""One source over another: it ends, is stopped or fails, and what was sent before goes on, frame by frame."""

from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest

from sipswarm.media.messages import (
    CommandDone,
    CommandRefused,
    ConfigureStream,
    FramesWanted,
    OpenStream,
    ProvideFrames,
    SetSink,
    SetSource,
    SourceFinished,
    SourceSpec,
    StopSource,
    StreamOpened,
    StreamRefused,
)
from sipswarm.media.sockets import bind
from tests.media.rtp_packet import RtpPacket
from tests.media.world import HOME, World

OVER = 101


def numbered(file: Path, first: int, count: int) -> SourceSpec:
    """A raw file whose packets say their number."""
    file = file.with_suffix(".raw")
    file.write_bytes(b"".join(bytes([first + each]) * 160 for each in range(count)))
    return ("file", str(file), 1)


class Sent:
    """An engine whose packets a socket takes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = world.engine()
        world.open(self.engine)
        self.peer = bind(HOME, 0)
        self.packets: list[RtpPacket] = []

    def configure(self, source: SourceSpec = (), **more: object) -> None:
        command = ConfigureStream(1, remote_address=HOME, remote_port=self.peer.getsockname()[1], source=source)
        self.world.do(self.engine, command._replace(**more))  # type: ignore[arg-type]  # any field of the command

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.world.run(0.02)
            while True:
                try:
                    self.packets.append(RtpPacket.parse(self.peer.recv(2048)))
                except BlockingIOError:
                    break

    @property
    def numbers(self) -> list[int]:
        """The first octet of each payload."""
        return [packet.payload[0] for packet in self.packets]


@pytest.fixture
def sent(world: World) -> Iterator[Sent]:
    made = Sent(world)
    yield made
    made.peer.close()


def test_a_file_goes_on_where_it_was_and_no_interval_is_empty(sent: Sent, tmp_path: Path) -> None:
    sent.configure(numbered(tmp_path / "below", 1, 30))
    sent.run(0.2)
    sent.world.do(sent.engine, SetSource(1, numbered(tmp_path / "over", OVER, 5), 7, "over"))
    sent.run(0.8)
    before = sent.numbers.index(OVER)
    assert 8 <= before <= 12
    assert sent.numbers == [*range(1, before + 1), *range(OVER, OVER + 5), *range(before + 1, 31)]
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(sent.packets)} == {160}
    assert {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairwise(sent.packets)} == {1}
    assert sent.world.said(sent.engine, SourceFinished) == [SourceFinished(1, "end", 7), SourceFinished(1, "end", 0)]
    assert sent.world.said(sent.engine, CommandDone) == [CommandDone(1, 7)]


BELOW: dict[str, SourceSpec] = {
    "silence": ("silence",),
    "tone": ("tone", 440.0),
    "none": ("none",),
    "echo": ("echo", 0),
    "callback": ("callback",),
}


@pytest.mark.parametrize("kind", BELOW)
@pytest.mark.parametrize("ends", ["by itself", "stopped", "another first"])
def test_every_source_goes_on(sent: Sent, tmp_path: Path, kind: str, ends: str) -> None:
    """What was sent is sent again: by octets where they are ours, and by being asked or fed where they are not."""
    sent.configure(BELOW[kind])
    address = HOME, sent.world.said(sent.engine, StreamOpened)[0].rtp_port

    numbers = count(1)

    def go(seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            number = next(numbers)
            if kind == "echo":
                sent.peer.sendto(RtpPacket(0, number, number * 160, 5, b"\x33" * 160).to_bytes(), address)
            elif kind == "callback":
                sent.world.do(sent.engine, ProvideFrames(1, ((b"\x44" * 160, -1, 0, -1),)))
            sent.run(0.02)

    go(0.3)
    before = set(sent.numbers)
    sent_before = len(sent.packets)
    first, second = numbered(tmp_path / "a", OVER, 10), numbered(tmp_path / "b", 151, 10)
    sent.world.do(sent.engine, SetSource(1, first, 1, "over"))
    go(0.1)
    if ends == "stopped":
        sent.world.do(sent.engine, StopSource(1))
    elif ends == "another first":
        sent.world.do(sent.engine, SetSource(1, second, 2, "over"))
    go(0.5)
    over = {each for each in sent.numbers if each in range(OVER, OVER + 10) or each in range(151, 161)}
    assert len(over) >= (3 if ends == "stopped" else 10)
    tail = sent.numbers[-10:]
    if kind == "none":
        assert sent_before == 0
        assert set(tail) <= over
    else:
        assert not over & set(tail)
        assert set(tail) <= before
    finished = [event.request_id for event in sent.world.said(sent.engine, SourceFinished)]
    assert finished == {"by itself": [1], "stopped": [], "another first": [2]}[ends]


def test_a_source_put_under_another_is_heard_when_that_ends(sent: Sent, tmp_path: Path) -> None:
    sent.configure(("silence",))
    sent.run(0.1)
    sent.world.do(sent.engine, SetSource(1, numbered(tmp_path / "over", OVER, 10), 1, "over"))
    sent.run(0.1)
    sent.world.do(sent.engine, SetSource(1, numbered(tmp_path / "below", 1, 5), 2, "under"))
    sent.run(0.5)
    tail = sent.numbers[sent.numbers.index(OVER) :]
    assert tail == [*range(OVER, OVER + 10), *range(1, 6)]
    sent.world.do(sent.engine, SetSource(1, ("silence",), 3, "under"))
    sent.run(0.1)
    assert sent.numbers[-1] == 0xFF, "with nothing over it, it is sent at once"


def test_a_source_in_place_of_everything_leaves_nothing_below(sent: Sent, tmp_path: Path) -> None:
    sent.configure(("silence",))
    sent.world.do(sent.engine, SetSource(1, ("tone", 440.0), 1, "over"))
    sent.world.do(sent.engine, SetSource(1, numbered(tmp_path / "file", OVER, 5)))
    sent.run(0.4)
    assert sent.numbers[-5:] == [*range(OVER, OVER + 5)]
    before = len(sent.packets)
    sent.world.do(sent.engine, StopSource(1))
    sent.run(0.2)
    assert len(sent.packets) == before


def test_what_lies_over_and_what_lies_below_follow_the_format(sent: Sent) -> None:
    sent.configure(("silence",))
    sent.world.do(sent.engine, SetSource(1, ("tone", 440.0), 1, "over"))
    sent.run(0.1)
    sent.configure(codec="PCMA", payload_type=8)
    sent.run(0.1)
    sent.world.do(sent.engine, StopSource(1))
    sent.run(0.1)
    assert {packet.payload_type for packet in sent.packets[-4:]} == {8}
    assert set(sent.packets[-1].payload) == {0xD5}, "A-law's silence"


def test_a_source_over_another_that_the_new_format_cannot_have_ends_with_its_reason(sent: Sent) -> None:
    l16 = {"codec": "L16", "payload_type": 96, "clock_rate": 48000, "payload_size": 960, "packet_interval": 0.01}
    sent.configure(("silence",), **l16)
    sent.world.do(sent.engine, SetSource(1, ("tone", 9000.0), 5, "over"))
    sent.run(0.1)
    sent.configure()
    sent.run(0.1)
    (ended,) = sent.world.said(sent.engine, SourceFinished)
    assert ended.request_id == 5
    assert (ended.reason, ended.detail) == ("bad_value", "a tone of 9000.0 Hz does not fit 8000 samples a second")
    assert set(sent.packets[-1].payload) == {0xFF}


def test_frames_that_were_asked_for_reach_a_callback_source_that_lies_below_by_now(sent: Sent) -> None:
    sent.configure(("callback",))
    (asked,) = sent.world.said(sent.engine, FramesWanted)
    sent.world.do(sent.engine, SetSource(1, ("silence",), 1, "over"))
    frames = tuple((bytes([number]) * 160, -1, 0, -1) for number in range(1, asked.wanted + 1))
    sent.world.do(sent.engine, ProvideFrames(1, frames))
    sent.run(0.1)
    sent.world.do(sent.engine, StopSource(1))
    sent.run(0.2)
    assert sent.numbers[-asked.wanted :] == [frame[0][0] for frame in frames]
    assert sent.world.said(sent.engine, CommandRefused) == []


def test_source_and_sink_of_a_configuration_are_refused_by_themselves(sent: Sent) -> None:
    """The stream is configured all the same: it receives and answers RTCP, and a later source is sent."""
    sent.configure(("file", "/none.wav", 1), sink=("file", "/none/out.wav"))
    refused = sent.world.said(sent.engine, CommandRefused)
    assert [(each.command, each.reason, each.detail) for each in refused] == [
        ("SetSource", "no_file", "/none.wav: No such file or directory"),
        ("SetSink", "no_file", "/none/out.wav: No such file or directory"),
    ]
    sent.world.do(sent.engine, SetSource(1, ("silence",)))
    sent.run(0.1)
    assert sent.packets


@pytest.mark.parametrize(("octets", "word"), [(None, "no_file"), (b"", "bad_file"), (b"RIFF\0\0", "bad_file")])
def test_a_stream_whose_file_cannot_be_played_is_not_opened(
    world: World, tmp_path: Path, octets: bytes | None, word: str
) -> None:
    engine = world.engine()
    file = tmp_path / "prompt.wav"
    if octets is not None:
        file.write_bytes(octets)
    (refused,) = world.do(engine, OpenStream(1, HOME, source=("file", str(file), -1)))
    assert isinstance(refused, StreamRefused)
    assert (refused.reason, refused.detail.startswith(str(file))) == (word, True)
    assert engine.totals.ports_in_use == 0
    file.with_suffix(".raw").write_bytes(b"\xff" * 1600)
    (opened,) = world.do(engine, OpenStream(1, HOME, source=("file", str(file.with_suffix(".raw")), -1)))
    assert isinstance(opened, StreamOpened)


def test_a_request_is_answered_once_and_a_command_without_one_is_not(sent: Sent) -> None:
    sent.configure(("silence",))
    said = sent.world.do(
        sent.engine,
        SetSource(1, ("tone", 440.0)),
        SetSource(1, ("tone", 440.0), 3),
        SetSink(1, ("none",), 4),
        SetSink(1, ("file", "/none/x"), 5),
    )
    refused = CommandRefused(1, "SetSink", "no_file", 5, "/none/x: No such file or directory")
    assert said == [CommandDone(1, 3), CommandDone(1, 4), refused]
