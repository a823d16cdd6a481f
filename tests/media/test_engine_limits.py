"""A real engine against strangers, floods, refusals, stalls and its bounds (RELIABILITY S4, B9, R2, R6)."""

import gc
import os
import select
import socket

import pytest

from sipswarm.media.endpoint import BUFFER
from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import (
    CloseStream,
    Command,
    CommandRefused,
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    OpenStream,
    ProvideFrames,
    SendDigits,
    SetSink,
    SetSource,
    StreamOpened,
    StreamRefused,
    StreamStatistics,
)
from sipswarm.media.rtp import rtcp
from sipswarm.media.sockets import bind
from sipswarm.media.totals import BAD_SOURCE, NO_STREAM, RTCP_DISCARD_REASONS
from tests.media.rtp_packet import RtpPacket

from .world import HOME, TICK, World, call, to


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


def test_strangers_are_counted_once_the_source_is_locked(world: World) -> None:
    _, _, final = strangers(world, 50, RtpPacket(0, 1, 1, 5, bytes(160)).to_bytes())
    assert final.packets_received == pytest.approx(20, abs=2)
    assert final.packets_discarded == final.discards[BAD_SOURCE] == 50


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
    [(b"\x80", 8), (b"\x00" * 172, 8), (b"", 8), (bytes(BUFFER), 9), (RtpPacket(0, 1, 1, 5, b"x").to_bytes(), 7)],
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
        for data in (RtpPacket(0, 1, 1, 5, b"x"), RtpPacket(0, 2, 1, 5, bytes(BUFFER)), RtpPacket(0, 2, 1, 5, b"x")):
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
    assert (sum(final.discards), final.rtcp_received) == (0, 0)
    discards = dict(zip(RTCP_DISCARD_REASONS, one.totals.rtcp_discards, strict=True))
    assert discards == {"bad_source": 1, "bad_ssrc": 1, "malformed": 1, "not_negotiated": 0, "srtp_auth": 0}


def test_what_came_before_the_end_is_received_and_what_comes_after_it_is_of_no_stream(world: World) -> None:
    one, other = call(world)
    world.run(0.2)
    opened = world.said(one, StreamOpened)[0]
    sent = world.close(other).packets_sent  # the last of them wait at the other side
    assert world.close(one).packets_received == sent > 5
    with bind(HOME, 0) as peer:
        for number in range(5):
            peer.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, opened.rtp_port))
        peer.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, opened.rtp_port))
        peer.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, opened.rtcp_port))
        world.run(2.0)
        assert one.totals.discards[NO_STREAM] == 5
        peer.sendto(RtpPacket(0, 6, 0, 5, bytes(160)).to_bytes(), (HOME, opened.rtp_port))
        one.close()
    world.engines.remove(one)
    assert one.totals.discards[NO_STREAM] == 6
    assert sum(one.totals.discards) == 6


def test_what_waits_at_the_end_is_not_echoed(world: World) -> None:
    one, other = call(world, source=("echo", 0))
    world.do(other, SetSource(1, ("silence",)))
    world.run(0.2)
    before = one.totals.packets_sent[0]
    assert before > 5
    for _ in range(8):  # packets of the other wait at the one that echoes, which does not read
        world.now += TICK
        world.poll(other)
    sent = other.totals.packets_sent[0]
    assert sent > one.totals.packets_received[0]
    final = world.close(one)
    assert (final.packets_received, final.packets_sent) == (sent, before)


def test_a_peer_that_goes_away_is_no_error(world: World) -> None:
    one, other = call(world)
    world.run(0.2)
    other.close()
    world.engines.remove(other)
    world.run(1.0)
    final = world.close(one)
    assert final.packets_sent == pytest.approx(60, abs=2)
    assert one.totals.send_errors == final.send_errors == 0, "each error is of a packet before"


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
        (ConfigureStream(1, srtp_suite="X"), "bad_value: suite 'X' is not supported"),
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
    cause, _, detail = reason.partition(": ")
    assert refused == CommandRefused(command.stream_id, type(command).__name__, cause, 0, detail)


def test_digits_on_an_unknown_stream_fail(world: World) -> None:
    engine = world.engine()
    assert world.do(engine, SendDigits(5, 8, "1")) == [DigitsSent(5, 8, "FAIL", "unknown_stream")]


def test_digits_that_nobody_takes_are_bounded_and_those_that_are_taken_are_not(world: World) -> None:
    engine = world.engine()
    opened = world.open(engine)
    with bind(HOME, 0) as peer:
        port = peer.getsockname()[1]
        command = ConfigureStream(1, remote_address=HOME, remote_port=port, dtmf_receive_payload_type=101)
        world.do(engine, command)
        for number in range(100):
            payload = bytes((number % 10, 0x8A, 3, 32))
            peer.sendto(RtpPacket(101, number, 1600 * number, 5, payload).to_bytes(), (HOME, opened.rtp_port))
            engine.on_readable(world.now)
            if number == 59:
                assert len([0 for _, event in engine.drain() if isinstance(event, DtmfReceived)]) == 32
    got = [event for _, event in engine.drain() if isinstance(event, DtmfReceived)]
    assert [int(digit.event) for digit in got] == [number % 10 for number in range(68, 100)]
    assert engine.totals.digits_dropped == 28 + 8
    assert world.close(engine).digits_received == 100


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


def test_the_reports_that_are_due_after_a_standstill_leave_over_a_whole_round_of_the_streams(world: World) -> None:
    one, other = world.engine(), world.engine()
    for stream_id in range(100):
        here, there = world.open(one, stream_id), world.open(other, stream_id)
        world.do(one, to(there, stream_id=stream_id, source=("silence",)))
        world.do(other, to(here, stream_id=stream_id, source=("silence",)))
    world.run(1.0)
    before = one.totals.rtcp_sent
    world.now += 20.0
    left: list[int] = []
    for _ in range(64):
        world.now += TICK
        world.poll(one)
        left.append(one.totals.rtcp_sent - before)
    assert left[-1] == 100, "each stream has sent one report"
    assert max(later - earlier for earlier, later in zip([0, *left], left, strict=False)) <= 4


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
        good + bytes(BUFFER),
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


DROPPED = "sipswarm_queue_dropped_total"


def test_two_streams_that_echo_each_other_do_not_keep_a_packet_going_for_ever(world: World) -> None:
    one, other = call(world, source=("echo", 0))
    world.do(one, SendDigits(1, 1, "5"))
    world.run(4.0)
    sent = [sum(engine.totals.packets_sent) for engine in (one, other)]
    assert world.said(other, DtmfReceived), "the digit came through"
    world.run(2.0)
    later = [sum(engine.totals.packets_sent) for engine in (one, other)]
    assert later == sent, "nothing goes on"
    assert max(sent) < 1000
    rows = [row for engine in (one, other) for row in engine.totals.rows()]
    dropped = [values for name, labels, values in rows if (name, labels) == (DROPPED, ("media_frames",))]
    assert sum(count for (count,) in dropped) > 0, "what was not sent back is counted"
