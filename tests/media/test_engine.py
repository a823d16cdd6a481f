"""Two real engines over loopback sockets, on a clock that is a number (no sleeps: loopback delivers at once)."""

import gc
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from media import rtcp
from media.engine import MediaEngine, MediaSettings
from media.messages import (
    CloseStream,
    Command,
    CommandRefused,
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    Event,
    FramesReceived,
    FramesWanted,
    OpenStream,
    ProvideFrames,
    SendDigits,
    SetSink,
    SetSource,
    SourceFinished,
    StopDigits,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamSilent,
    StreamStarted,
    StreamStatistics,
)
from media.rtp import RtpPacket
from media.sockets import bind

HOME = "127.0.0.1"
TICK = 0.005

E = TypeVar("E")


class World:
    """Engines on one clock, and everything they said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.engines: list[MediaEngine] = []
        self.events: dict[MediaEngine, list[Event]] = {}

    def engine(self, settings: MediaSettings | None = None) -> MediaEngine:
        engine = MediaEngine(settings, clock=lambda: self.now)
        self.engines.append(engine)
        self.events[engine] = []
        return engine

    def do(self, engine: MediaEngine, *commands: Command, owner: int = 1) -> list[Event]:
        """Give commands; returns what was said to them at once."""
        for command in commands:
            engine.handle(owner, command, self.now)
        said = [event for _, event in engine.drain()]
        self.events[engine] += said
        return said

    def open(self, engine: MediaEngine, stream_id: int = 1, address: str = HOME, **more: object) -> StreamOpened:
        command = OpenStream(stream_id, address)._replace(**more)  # type: ignore[arg-type]  # any field
        (opened,) = self.do(engine, command)
        assert isinstance(opened, StreamOpened)
        return opened

    def run(self, seconds: float) -> None:
        """Let the clock run, as an event loop would."""
        until = self.now + seconds
        while self.now + TICK <= until + 1e-9:
            self.now += TICK
            for engine in self.engines:
                self.poll(engine)

    def poll(self, engine: MediaEngine) -> None:
        if select.select([engine.fileno()], [], [], 0)[0]:
            engine.on_readable(self.now)
        deadline = engine.deadline()
        if deadline is not None and deadline <= self.now + 1e-9:
            engine.on_tick(self.now)
        self.events[engine] += [event for _, event in engine.drain()]

    def said(self, engine: MediaEngine, kind: type[E]) -> list[E]:
        return [event for event in self.events[engine] if isinstance(event, kind)]

    def close(self, engine: MediaEngine, stream_id: int = 1) -> StreamStatistics:
        *_, closed = self.do(engine, CloseStream(stream_id))
        assert isinstance(closed, StreamClosed)
        return closed.statistics


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    for engine in world.engines:
        engine.close()


def to(opened: StreamOpened, **more: object) -> ConfigureStream:
    """A configuration that sends to another stream, with digits on payload type 101."""
    command = ConfigureStream(
        1,
        remote_address=opened.address,
        remote_port=opened.rtp_port,
        dtmf_payload_type=101,
        dtmf_receive_payload_type=101,
    )
    return command._replace(**more)  # type: ignore[arg-type]  # any field of the command


def call(world: World, address: str = HOME, **more: object) -> tuple[MediaEngine, MediaEngine]:
    """Two engines with one stream each that send silence to each other."""
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one, address=address), world.open(other, address=address)
    world.do(one, to(at_other, **{"source": ("silence",), **more}))
    world.do(other, to(at_one, **{"source": ("silence",), **more}))
    assert not world.said(one, CommandRefused) + world.said(other, CommandRefused)
    return one, other


@pytest.mark.parametrize("address", [HOME, "::1"])
def test_a_call_is_heard_and_judged_by_both_ends(world: World, address: str) -> None:
    one, other = call(world, address)
    world.run(10.0)
    for engine in (one, other):
        (started,) = world.said(engine, StreamStarted)
        final = world.close(engine)
        assert (started.address, started.ssrc) == (address, final.remote_ssrc)
        assert final.packets_sent == pytest.approx(500, abs=2)
        assert final.packets_received == pytest.approx(500, abs=3)
        assert (final.packets_lost, final.packets_duplicate, final.packets_discarded) == (0, 0, 0)
        assert final.loss_ratio == 0.0
        assert final.jitter_ms < 1.0
        assert final.mos > 4.3
        assert final.codec == "PCMU"
        assert (final.level_dbm0, final.audible_ratio) == (-127.0, 0.0)
        assert final.rtcp_sent >= 2
        assert final.one_way == ""
        assert final.frames_skipped == 0
    assert one.totals.packets_sent[0] == one.totals.packets_received[0] == pytest.approx(500, abs=3)
    assert one.totals.mos[0].count == other.totals.loss_ratio[0].count == 1
    assert one.totals.jitter[0].count >= 1
    assert one.totals.lateness.count == one.totals.packets_sent[0]


def test_rtcp_tells_round_trip_loss_and_jitter(world: World) -> None:
    one, _ = call(world)
    world.run(20.0)
    final = world.close(one)
    assert 0 <= final.round_trip_ms <= 330
    assert final.remote_loss_ratio == 0.0
    assert final.remote_jitter_ms >= 0.0
    assert final.rtcp_received >= 3
    assert one.totals.round_trip.count >= 2


def test_rtp_and_rtcp_share_a_port_when_negotiated(world: World) -> None:
    one, other = call(world, rtcp_mux=True)
    world.run(10.0)
    for engine in (one, other):
        final = world.close(engine)
        assert final.rtcp_received >= 1
        assert final.packets_discarded == 0


def test_a_stream_says_goodbye_when_it_closes(world: World) -> None:
    one, other = call(world)
    world.run(1.0)
    world.close(one)
    world.run(0.05)
    assert world.close(other).rtcp_received == 1


def test_digits_arrive_once_each_in_order(world: World) -> None:
    one, other = call(world)
    digits = "0123456789*#ABCD"
    world.do(one, SendDigits(1, 7, digits, 100))
    world.run(4.0)
    assert world.said(one, DigitsSent) == [DigitsSent(1, 7, "OK")]
    got = world.said(other, DtmfReceived)
    assert "".join(digit.event for digit in got) == digits
    assert {digit.duration_ms for digit in got} == {100}
    assert one.totals.digits_sent == other.totals.digits_received == [16, 0]


def test_inband_digits_arrive(world: World) -> None:
    one, other = call(world, dtmf_methods=("rfc4733", "inband"))
    world.do(one, SendDigits(1, 7, "159D", 100, "inband"))
    world.run(2.0)
    got = world.said(other, DtmfReceived)
    assert [(digit.event, digit.mode) for digit in got] == [(each, "inband") for each in "159D"]
    assert other.totals.digits_received == [0, 4]


def test_a_digit_whose_end_is_lost_is_reported_soon(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    with bind(HOME, 0) as peer:
        world.do(
            engine,
            ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1], dtmf_receive_payload_type=101),
        )
        for number in (1, 2, 3):
            packet = RtpPacket(101, number, 160, 5, bytes((4, 10)) + (160 * number).to_bytes(2, "big"))
            peer.sendto(packet.to_bytes(), (HOME, opened.rtp_port))
        world.run(0.3)
    assert world.said(engine, DtmfReceived) == [DtmfReceived(1, "4", 60, "rfc4733")]


def test_stopped_digits_are_answered(world: World) -> None:
    one, _ = call(world)
    assert world.do(one, SendDigits(1, 1, "12"), StopDigits(1)) == [DigitsSent(1, 1, "FAIL", "stopped")]


def test_a_file_is_played_echoed_and_recorded_byte_for_byte(world: World, tmp_path: Path) -> None:
    data = os.urandom(160 * 50)
    (tmp_path / "in.raw").write_bytes(data + b"tail")
    one, other = call(world, source=("none",))
    world.do(other, SetSource(1, ("echo", 0)), SetSink(1, ("file", str(tmp_path / "other.raw"))))
    world.do(one, SetSink(1, ("file", str(tmp_path / "one.raw"))), SetSource(1, ("file", str(tmp_path / "in.raw"), 2)))
    world.run(2.5)
    assert world.said(one, SourceFinished) == [SourceFinished(1, "end")]
    world.close(one)
    world.close(other)
    assert (tmp_path / "other.raw").read_bytes() == data * 2
    assert (tmp_path / "one.raw").read_bytes() == data * 2


def test_a_tone_is_heard_at_its_level_and_recorded_as_wav(world: World, tmp_path: Path) -> None:
    one, other = call(world, source=("tone", 440), sink=("file", str(tmp_path / "out.wav")))
    world.run(5.0)
    final = world.close(one)
    assert final.level_dbm0 == pytest.approx(-16, abs=0.5)
    assert final.audible_ratio == 1.0
    world.close(other)
    assert (tmp_path / "out.wav").stat().st_size == pytest.approx(5 * 16000, rel=0.05)


def test_a_callback_source_and_sink_work_across_a_link(world: World) -> None:
    one, other = call(world, source=("callback",), sink=("callback",))
    sent: list[bytes] = []
    got: list[bytes] = []
    seen = 0
    for _ in range(400):
        world.run(TICK)
        for event in world.events[one][seen:]:
            if isinstance(event, FramesWanted):
                frames = []
                for _ in range(event.wanted):
                    sent.append(len(sent).to_bytes(2, "big") * 80)
                    frames.append((sent[-1], -1, 0, -1))
                world.do(one, ProvideFrames(1, tuple(frames)))
        seen = len(world.events[one])
    got = [frame[0] for event in world.said(other, FramesReceived) for frame in event.frames]
    assert 95 <= len(got) <= 101
    assert got == sent[: len(got)]
    assert len(sent) - len(got) <= 5
    assert all(event.dropped == 0 for event in world.said(other, FramesReceived))
    world.do(one, ProvideFrames(1, (), True))
    world.run(0.3)
    assert world.said(one, SourceFinished) == [SourceFinished(1, "end")]


def test_hold_stops_sending_and_unhold_goes_on_with_the_same_source(world: World) -> None:
    one, other = call(world)
    world.run(1.0)
    before = world.said(other, StreamStarted)[0].ssrc
    held = ConfigureStream(1, remote_address="0.0.0.0", remote_port=4000)
    world.do(one, held)
    world.run(0.1)
    count = sum(other.totals.packets_received)
    world.run(2.0)
    assert sum(other.totals.packets_received) == count
    assert sum(one.totals.packets_received) == pytest.approx(155, abs=3)
    port = world.said(other, StreamOpened)[0].rtp_port
    world.do(one, ConfigureStream(1, remote_address=HOME, remote_port=port))
    world.run(1.0)
    final = world.close(other)
    assert final.packets_received == pytest.approx(count + 50, abs=2)
    assert (final.remote_ssrc, final.ssrc_changes, final.packets_lost) == (before, 0, 0)


@pytest.mark.parametrize(
    ("direction", "sends", "receives"),
    [("sendrecv", True, True), ("sendonly", True, False), ("recvonly", False, True), ("inactive", False, False)],
)
def test_the_direction_says_who_sends(world: World, direction: str, sends: bool, receives: bool) -> None:
    one, other = call(world)
    port = world.said(other, StreamOpened)[0].rtp_port
    world.do(one, ConfigureStream(1, direction=direction, remote_address=HOME, remote_port=port))
    world.run(1.0)
    totals = one.totals
    assert (totals.packets_sent[0] > 0, totals.packets_received[0] > 0) == (sends, receives)
    assert (totals.discards[10] > 0) == (not receives)


def test_asymmetric_streams_send_from_a_port_of_their_own_and_are_taken(world: World) -> None:
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one, asymmetric=True), world.open(other)
    assert at_one.send_port != at_one.rtp_port
    world.do(one, to(at_other, source=("silence",)))
    world.do(other, to(at_one, source=("silence",)))
    world.run(2.0)
    final = world.close(other)
    assert final.remote_port == at_one.send_port
    assert final.packets_received == pytest.approx(90, abs=4)
    assert 9 <= final.discards[7] <= 12
    assert world.close(one).packets_received == pytest.approx(100, abs=2)


def test_a_stream_may_send_through_another_streams_socket(world: World) -> None:
    one, other = world.engine(), world.engine()
    at_one, lease, at_other = world.open(one), world.open(one, 2), world.open(other)
    world.do(one, to(at_other, source=("silence",), send_through=2))
    world.do(other, to(lease))
    world.run(0.5)
    assert world.close(other).remote_port == lease.rtp_port
    assert at_one.rtp_port != lease.rtp_port


def test_sockets_of_the_caller_are_used_and_stay_his(world: World) -> None:
    engine = world.engine()
    with bind(HOME, 0) as rtp, bind(HOME, 0) as control, bind(HOME, 0) as peer:
        opened = world.open(engine, rtp_fd=rtp.fileno(), rtcp_fd=control.fileno())
        assert (opened.rtp_port, opened.rtcp_port) == (rtp.getsockname()[1], control.getsockname()[1])
        world.do(
            engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1], source=("silence",))
        )
        for number in (1, 2, 3):
            peer.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), rtp.getsockname())
        world.run(0.1)
        assert RtpPacket.parse(peer.recv(2000)).payload_type == 0
        assert world.close(engine).packets_received == 3
        world.run(8.0)
        assert rtp.getsockname()[1] == opened.rtp_port
        alone = world.open(engine, 2, rtp_fd=rtp.fileno())
        assert alone.rtcp_port == 0


def test_srtp_is_used_when_the_keys_are_given(world: World) -> None:
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one), world.open(other)
    keys = bytes(range(30)), bytes(range(30, 60))
    secure = {"srtp_suite": "AES_CM_128_HMAC_SHA1_80", "source": ("silence",)}
    world.do(one, to(at_other, srtp_send_key=keys[0], srtp_receive_key=keys[1], **secure))
    world.do(other, to(at_one, srtp_send_key=keys[1], srtp_receive_key=keys[0], **secure))
    world.do(one, SendDigits(1, 1, "7"))
    world.run(10.0)
    assert [digit.event for digit in world.said(other, DtmfReceived)] == ["7"]
    final = world.close(other)
    assert final.packets_received == pytest.approx(500, abs=3)
    assert final.packets_discarded == 0
    assert final.rtcp_received >= 1
    with bind(HOME, at_other.rtcp_port + 40 if at_other.rtcp_port < 65000 else 0) as stranger:
        stranger.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, at_one.rtcp_port))
    world.run(0.1)
    assert world.close(one).discards[5] == 1


def strangers(world: World, count: int, data: bytes) -> tuple[MediaEngine, MediaEngine, StreamStatistics]:
    """A call into which somebody else, on the same host but another address, sends."""
    one, other = call(world)
    world.run(0.2)
    target = world.said(one, StreamOpened)[0].rtp_port
    with bind("127.0.0.2", 0) as stranger:
        for _ in range(count):
            stranger.sendto(data, (HOME, target))
        world.run(0.2)
    return one, other, world.close(one)


def test_strangers_are_dropped_by_the_kernel_once_the_source_is_locked(world: World) -> None:
    _, _, final = strangers(world, 50, RtpPacket(0, 1, 1, 5, bytes(160)).to_bytes())
    assert final.packets_received == pytest.approx(20, abs=2)
    assert final.packets_discarded == 0


def test_what_was_queued_before_the_lock_is_checked_all_the_same(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    with bind(HOME, 0) as peer, bind("127.0.0.2", 0) as stranger:
        world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1]))
        target = (HOME, opened.rtp_port)
        peer.sendto(RtpPacket(0, 1, 160, 5, bytes(160)).to_bytes(), target)
        for number in range(20):
            stranger.sendto(RtpPacket(0, number, 160, 6, bytes(160)).to_bytes(), target)
        peer.sendto(RtpPacket(0, 2, 320, 5, bytes(160)).to_bytes(), target)
        world.run(0.1)
    final = world.close(engine)
    assert (final.packets_received, final.packets_lost) == (2, 0)
    assert final.discards[7] == 20


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"\x80", 8), (b"\x00" * 172, 8), (b"", 8), (bytes(3000), 9), (RtpPacket(0, 1, 1, 5, b"x").to_bytes(), 7)],
)
def test_rubbish_before_the_lock_is_counted_by_reason(world: World, data: bytes, place: int) -> None:
    engine = world.engine()
    opened = world.open(engine)
    world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=9))
    with bind("127.0.0.2", 0) as stranger:
        stranger.sendto(data, (HOME, opened.rtp_port))
        world.run(0.02)
    final = world.close(engine)
    assert [index for index, count in enumerate(final.discards) if count] == [place]


def test_oversize_packets_of_the_peer_are_counted(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    with bind(HOME, 0) as peer:
        world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1]))
        for data in (RtpPacket(0, 1, 1, 5, b"x"), RtpPacket(0, 2, 1, 5, bytes(3000)), RtpPacket(0, 2, 1, 5, b"x")):
            peer.sendto(data.to_bytes(), (HOME, opened.rtp_port))
            world.run(0.02)
    final = world.close(engine)
    assert (final.packets_received, final.discards[9]) == (2, 1)


def test_latching_takes_the_signalling_peers_source(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    with bind("127.0.0.2", 0) as peer:
        world.do(
            engine,
            ConfigureStream(
                1,
                remote_address="192.0.2.1",
                remote_port=4000,
                latching=True,
                latch_address="127.0.0.2",
                source=("silence",),
            ),
        )
        for number in range(1, 6):
            peer.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, opened.rtp_port))
        world.run(0.1)
        assert RtpPacket.parse(peer.recv(2000)).payload == b"\xff" * 160
    assert world.close(engine).remote_address == "127.0.0.2"


def test_rtcp_is_checked_for_source_and_form(world: World) -> None:
    one, _ = call(world)
    world.run(0.2)
    port = world.said(one, StreamOpened)[0].rtcp_port
    with bind("127.0.0.2", 0) as stranger, bind(HOME, 0) as peer:
        stranger.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, port))
        peer.sendto(b"rubbish", (HOME, port))
        peer.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, port))
        world.run(0.05)
    final = world.close(one)
    assert (final.discards[7], final.discards[3], final.rtcp_received) == (1, 1, 0)
    assert one.totals.rtcp_invalid == 1


def test_a_peer_that_goes_away_is_no_error(world: World) -> None:
    one, other = call(world)
    world.run(0.2)
    other.close()
    world.engines.remove(other)
    world.run(1.0)
    final = world.close(one)
    assert final.send_errors > 0
    assert final.packets_sent == pytest.approx(60, abs=2)
    assert one.totals.send_errors == final.send_errors


def test_silence_is_told_once_as_warning_and_once_as_limit(world: World) -> None:
    one, other = call(world, silence_warning=1.0, inactivity_limit=3.0)
    world.run(0.5)
    world.do(other, SetSource(1, ("none",)))
    other.close()
    world.engines.remove(other)
    world.run(6.0)
    assert [event.level for event in world.said(one, StreamSilent)] == ["warning", "limit"]
    assert world.said(one, StreamSilent)[1].seconds == pytest.approx(3.0, abs=0.4)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_who_expects_nothing_misses_nothing(world: World, direction: str) -> None:
    engine = world.engine()
    world.open(engine)
    world.do(
        engine,
        ConfigureStream(
            1, direction=direction, remote_address=HOME, remote_port=9, silence_warning=1.0, inactivity_limit=2.0
        ),
    )
    world.run(4.0)
    assert world.said(engine, StreamSilent) == []


def test_rtcp_counts_as_a_sign_of_life(world: World) -> None:
    one, other = call(world, silence_warning=0.0, inactivity_limit=8.0)
    world.run(0.5)
    world.do(other, SetSource(1, ("none",)))
    world.run(20.0)
    assert world.said(one, StreamSilent) == []


def test_one_way_media_is_named(world: World) -> None:
    one, other = call(world)
    port = world.said(one, StreamOpened)[0].rtp_port
    world.do(other, ConfigureStream(1, remote_address=HOME, remote_port=port, source=("none",)))
    world.run(1.0)
    assert world.close(one).one_way == "peer"
    assert world.close(other).one_way == "local"
    assert one.totals.streams_one_way == [1, 0]
    assert other.totals.streams_one_way == [0, 1]


def test_statistics_come_at_their_interval(world: World) -> None:
    one, _ = call(world, statistics_interval=1.0)
    world.run(5.0)
    reports = world.said(one, StreamStatistics)
    assert 3 <= len(reports) <= 5
    assert [each.packets_sent for each in reports] == sorted(each.packets_sent for each in reports)


# commands that cannot be done


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ConfigureStream(1, remote_address="localhost", remote_port=4), "bad_value: 'localhost' is no IP address"),
        (ConfigureStream(1, remote_address="::1", remote_port=4), "bad_value: this stream cannot send to ::1"),
        (
            ConfigureStream(1, remote_address="224.0.0.5", remote_port=4),
            "bad_value: this stream cannot send to 224.0.0.5",
        ),
        (ConfigureStream(1, remote_address=HOME, remote_port=70000), "bad_value: port 70000 or 0"),
        (ConfigureStream(1, direction="up"), "bad_value: no such direction: up"),
        (ConfigureStream(1, send_through=4), "unknown_stream: send_through"),
        (ConfigureStream(1, srtp_suite="X"), "bad_value: crypto: suite 'X' is not supported"),
        (SetSource(1, ("file", "/none", 1)), "no_file: /none: No such file or directory"),
        (SetSource(1, ("noise",)), "bad_value: no such source: ('noise',)"),
        (SetSource(1, ("file", 1)), "bad_value: no such source: ('file', 1)"),
        (SetSink(1, ("file", "/none/x")), "no_file: /none/x: No such file or directory"),
        (SetSink(1, ("tape",)), "bad_value: no such sink: ('tape',)"),
        (ProvideFrames(1, ()), "bad_value: the source is no callback"),
        (CloseStream(2), "unknown_stream"),
        (SetSource(2, ("silence",)), "unknown_stream"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_by_name(world: World, command: Command, reason: str) -> None:
    engine = world.engine()
    world.open(engine)
    (refused,) = world.do(engine, command)
    assert refused == CommandRefused(command.stream_id, type(command).__name__, reason)


def test_digits_on_an_unknown_stream_fail(world: World) -> None:
    engine = world.engine()
    assert world.do(engine, SendDigits(5, 8, "1")) == [DigitsSent(5, 8, "FAIL", "unknown_stream")]


def test_streams_that_cannot_be_opened_are_refused_by_name(world: World) -> None:
    engine = world.engine(MediaSettings(max_streams=1))
    refusals = world.do(engine, OpenStream(1, "nowhere"), OpenStream(1, "192.0.2.1"))
    assert refusals == [StreamRefused(1, "bad_address")] * 2
    world.open(engine)
    refusals = world.do(engine, OpenStream(1, HOME), OpenStream(2, HOME))
    assert refusals == [StreamRefused(1, "duplicate"), StreamRefused(2, "limit")]
    assert engine.totals.streams_refused == 4
    with socket.socket() as tcp:
        engine = world.engine()
        assert world.do(engine, OpenStream(1, HOME, rtp_fd=tcp.fileno())) == [StreamRefused(1, "bad_address")]
        with bind(HOME, 0) as udp:
            refused = world.do(engine, OpenStream(1, HOME, rtp_fd=udp.fileno(), rtcp_fd=tcp.fileno()))
            assert refused == [StreamRefused(1, "bad_address")]


def test_no_port_is_refused_by_name(world: World) -> None:
    with bind(HOME, 0) as probe:
        base = min(probe.getsockname()[1] & ~1, 65000) - 1000
    engine = world.engine(MediaSettings(port_first=base, port_last=base + 1))
    world.open(engine)
    assert world.do(engine, OpenStream(2, HOME)) == [StreamRefused(2, "no_port")]


def test_streams_of_an_owner_that_is_gone_are_closed(world: World) -> None:
    engine = world.engine()
    for owner in (1, 2):
        for stream_id in (1, 2):
            engine.handle(owner, OpenStream(stream_id, HOME), world.now)
    engine.drain()
    engine.close_owner(1, world.now)
    assert [(owner, event.stream_id) for owner, event in engine.drain()] == [(1, 1), (1, 2)]
    assert sum(engine.totals.streams_active) == 2


# time, descriptors, memory


def test_without_streams_there_is_no_tick(world: World) -> None:
    engine = world.engine()
    assert engine.deadline() is None
    world.open(engine)
    assert engine.deadline() is not None
    world.close(engine)
    assert engine.deadline() is not None
    world.run(6.0)
    assert engine.deadline() is None


def test_a_stalled_loop_skips_and_never_bursts(world: World) -> None:
    one, other = call(world)
    world.run(1.0)
    before = sum(one.totals.packets_sent)
    world.now += 2.0
    world.poll(one)
    assert sum(one.totals.packets_sent) == before + 1
    assert one.totals.frames_skipped == 99
    world.run(1.0)
    assert world.close(other).packets_lost == 0


def test_many_packets_are_read_on_the_tick_and_few_at_once(world: World) -> None:
    one, other = world.engine(MediaSettings(coalesce_above=200.0)), world.engine()
    for stream_id in range(10):
        here, there = world.open(one, stream_id), world.open(other, stream_id)
        world.do(one, to(there, stream_id=stream_id, source=("silence",)))
        world.do(other, to(here, stream_id=stream_id, source=("silence",)))
    world.run(2.0)
    assert not select.select([one.fileno()], [], [], 0)[0]
    for stream_id in range(2, 10):
        world.close(other, stream_id)
        final = world.close(one, stream_id)
        assert final.packets_lost == 0
        assert final.packets_received == pytest.approx(100, abs=3)
    world.run(1.0)
    other.on_tick(world.now + TICK)
    assert select.select([one.fileno()], [], [], 0)[0]


def test_two_thousand_streams_leave_no_descriptor_port_or_object(world: World) -> None:
    engine = world.engine(MediaSettings(port_first=20000, port_last=29999))
    before = len(os.listdir("/proc/self/fd"))
    world.run(0.1)
    gc.collect()
    gc.disable()
    try:
        for batch in range(4):
            for stream_id in range(500):
                world.do(engine, OpenStream(stream_id, HOME))
                world.do(engine, ConfigureStream(stream_id, remote_address=HOME, remote_port=9, source=("silence",)))
            world.run(0.05)
            engine.close_owner(1, world.now)
            assert len(engine.drain()) == 500, batch
            world.events[engine].clear()
        assert engine.totals.quarantined == 4000
        world.run(6.0)
        assert engine.totals.quarantined == 0
        assert engine.totals.ports_in_use == 0
        assert len(os.listdir("/proc/self/fd")) == before
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_engine_closes_everything() -> None:
    before = len(os.listdir("/proc/self/fd"))
    engine = MediaEngine()
    engine.handle(1, OpenStream(1, HOME, asymmetric=True), 0.0)
    engine.handle(1, OpenStream(2, "::1"), 0.0)
    engine.handle(1, CloseStream(2), 0.0)
    engine.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_twenty_thousand_foreign_packets_a_second_disturb_no_running_stream(world: World) -> None:
    """100 calls, and five seconds of rubbish at 20,000/s: at their ports, at ports that are not locked, and at RTCP."""
    one, other = world.engine(), world.engine()
    targets: list[tuple[str, int]] = []
    for stream_id in range(100):
        here, there = world.open(one, stream_id), world.open(other, stream_id)
        world.do(one, to(there, stream_id=stream_id, source=("silence",)))
        world.do(other, to(here, stream_id=stream_id, source=("silence",)))
        targets.append((HOME, here.rtp_port))
        targets.append((HOME, here.rtcp_port))
    for stream_id in range(100, 110):
        waiting = world.open(one, stream_id)
        world.do(one, ConfigureStream(stream_id, remote_address=HOME, remote_port=9))
        targets.append((HOME, waiting.rtp_port))
    good = RtpPacket(0, 1, 160, 5, bytes(160)).to_bytes()
    rubbish = [
        good,
        good[:7],
        b"",
        b"\x00" + good[1:],
        bytes((0x8F,)) + good[1:20],
        good + bytes(3000),
        os.urandom(200),
    ]
    with bind("127.0.0.2", 0) as stranger:
        sent = 0
        for _ in range(1000):
            for _ in range(100):
                stranger.sendto(rubbish[sent % len(rubbish)], targets[sent % len(targets)])
                sent += 1
            world.run(TICK)
    assert sent == 100_000
    assert one.totals.frames_skipped == 0
    assert sum(one.totals.discards) > 4000
    for stream_id in range(100):
        world.close(other, stream_id)
        final = world.close(one, stream_id)
        assert final.packets_lost == 0
        assert final.packets_received == pytest.approx(250, abs=4)
        assert (final.ssrc_changes, final.digits_received) == (0, 0)
        assert final.jitter_max_ms <= 5.0


def test_a_flood_before_the_lock_does_not_keep_the_peer_out(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    target = (HOME, opened.rtp_port)
    with bind(HOME, 0) as peer, bind("127.0.0.2", 0) as stranger:
        world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1]))
        number = 0
        for tick in range(400):
            for _ in range(100):
                stranger.sendto(b"\x80" * 172, target)
            if tick % 4 == 0:
                number += 1
                peer.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), target)
            world.run(TICK)
    final = world.close(engine)
    assert (final.packets_received, final.packets_lost) == (100, 0)
