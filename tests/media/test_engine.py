"""Two real engines over loopback sockets: calls, digits, files, callbacks, hold, statistics."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import (
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    ExpectMedia,
    FramesReceived,
    FramesWanted,
    ProvideFrames,
    SendDigits,
    SetSink,
    SetSource,
    SourceFinished,
    StopDigits,
    StreamOpened,
    StreamSilent,
    StreamStarted,
    StreamStatistics,
)
from sipswarm.media.rtp import rtcp
from sipswarm.media.sockets import bind
from sipswarm.media.totals import RTCP_BAD_SOURCE, RTCP_SRTP_AUTH
from tests.media.rtp_packet import RtpPacket

from .world import HOME, TICK, World, call, to


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


def test_inband_digits_of_many_streams_are_told_apart(world: World) -> None:
    """Twice as many packets at once as the detector waits for, and streams that close while a digit sounds."""
    one, other = world.engine(), world.engine()
    for stream_id in range(300):
        here, there = world.open(one, stream_id), world.open(other, stream_id)
        world.do(one, to(there, stream_id=stream_id, source=("silence",)))
        world.do(other, to(here, stream_id=stream_id, source=("none",), dtmf_methods=("inband",)))
    keys = "0123456789*#ABCD"
    for stream_id in range(300):
        world.do(one, SendDigits(stream_id, 7, keys[stream_id % 16], 100, "inband"))
    world.run(0.1)
    for stream_id in range(200, 300):
        world.close(other, stream_id)
    world.run(0.4)
    got = {digit.stream_id: digit.event for digit in world.said(other, DtmfReceived)}
    assert {stream_id: got[stream_id] for stream_id in range(200)} == {each: keys[each % 16] for each in range(200)}
    assert {got.get(each, keys[each % 16]) == keys[each % 16] for each in range(200, 300)} == {True}
    assert len(world.said(other, DtmfReceived)) == len(got)


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
    played = ((data + b"tail") * 2).ljust(
        160 * 101, b"\xff"
    )  # the second round follows without a break, silence fills up
    assert (tmp_path / "other.raw").read_bytes() == played
    assert (tmp_path / "one.raw").read_bytes() == played


def test_an_echo_goes_on_as_it_is_put_on_hold_recorded_and_taken_away(world: World, tmp_path: Path) -> None:
    """The shortest way, the long way, and none: what comes back is what went out, packet for packet."""
    one, other = call(world, source=("tone", 400))
    world.do(other, SetSource(1, ("echo", 0)))
    world.run(1.0)
    echoed = [sum(other.totals.packets_sent)]
    for command in (
        SetSink(1, ("file", str(tmp_path / "recorded.ul"))),
        SetSink(1, ("none",)),
        SetSource(1, ("echo", -1)),
        SetSource(1, ("echo", 2)),
        SetSource(1, ("echo", 0)),
    ):
        world.do(other, command)
        world.run(1.0)
        echoed.append(sum(other.totals.packets_sent))
    steps = [after - before for before, after in pairwise(echoed)]
    assert steps == pytest.approx([50, 50, 0, 48, 50], abs=1)
    final = world.close(one)
    assert (final.packets_lost, final.ssrc_changes, final.packets_discarded) == (0, 0, 0)
    assert final.level_dbm0 == pytest.approx(-16, abs=1)


def test_a_tone_is_heard_at_its_level_and_recorded_as_wav(world: World, tmp_path: Path) -> None:
    one, other = call(world, source=("tone", 440), sink=("file", str(tmp_path / "out.wav")))
    world.run(5.0)
    final = world.close(one)
    assert final.level_dbm0 == pytest.approx(-16, abs=0.5)
    assert final.audible_ratio == 1.0
    world.close(other)
    assert (tmp_path / "out.wav").stat().st_size == pytest.approx(5 * 16000, rel=0.05)


@pytest.mark.parametrize(("payload_type", "codec"), [(0, "PCMU"), (8, "PCMA")])
@pytest.mark.parametrize("hz", [300, 1000, 2000, 2667, 3400])
def test_a_tone_of_the_band_is_audible_at_its_level(world: World, payload_type: int, codec: str, hz: int) -> None:
    one, other = call(world, source=("tone", hz), codec=codec, payload_type=payload_type)
    world.run(4.0)
    final = world.close(other)
    assert final.level_dbm0 == pytest.approx(-16, abs=0.5)
    assert final.audible_ratio == 1.0
    world.close(one)


@pytest.mark.parametrize("payload_type", [0, 8])
@pytest.mark.parametrize("octet", [0x00, 0x2A, 0x80, 0xAA, 0xD5, 0xFF])
def test_a_constant_is_nothing_to_be_heard(world: World, payload_type: int, octet: int) -> None:
    """A level in dBm0 is that of a signal within the band of a telephone, 300 to 3400 Hz; a constant has none."""
    engine = world.engine()
    opened = world.open(engine)
    peer = bind(HOME, 0)
    world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1]))
    for number in range(150):
        packet = RtpPacket(payload_type, number, 160 * number, 5, 160 * bytes((octet,)))
        peer.sendto(packet.to_bytes(), (opened.address, opened.rtp_port))
        world.run(0.02)
    peer.close()
    final = world.close(engine)
    assert (final.packets_received, final.audible_ratio, final.level_dbm0) == (150, 0.0, -127.0)


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


def test_streams_are_counted_by_what_they_may_do_and_by_codec(world: World) -> None:
    engine = world.engine()
    for stream_id, (direction, codec, remote) in enumerate(
        [("sendrecv", "PCMU", HOME), ("sendrecv", "PCMA", HOME), ("sendonly", "PCMA", HOME), ("sendrecv", "PCMA", "")]
    ):
        world.open(engine, stream_id)
        codecs = ((0, "PCMU", 8000), (8, "PCMA", 8000))
        command = ConfigureStream(stream_id, direction, remote, 9, codec=codec, receive_codecs=codecs)
        world.do(engine, command)
    world.open(engine, 9)
    assert engine.totals.streams_active[:2] == [2, 3]
    assert engine.totals.streams_sending[:2] == [1, 2]
    assert engine.totals.streams_receiving[:2] == [3, 0]
    with bind(HOME, 0) as peer:
        opened = world.said(engine, StreamOpened)[1]
        world.do(engine, to(opened, stream_id=1, remote_port=peer.getsockname()[1], receive_codecs=codecs))
        for number in (1, 2):
            peer.sendto(RtpPacket(8, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, opened.rtp_port))
        world.run(0.1)
    rows = {(name, labels): values for name, labels, values in engine.totals.rows()}
    assert [rows["sipswarm_rtp_streams_active", ("received", codec)] for codec in ("PCMU", "PCMA")] == [(2,), (1,)]
    for stream_id in range(4):
        world.close(engine, stream_id)
    assert sum(engine.totals.streams_sending + engine.totals.streams_receiving) == 0


def test_asymmetric_streams_send_from_a_port_of_their_own_and_are_taken(world: World) -> None:
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one, asymmetric=True), world.open(other)
    assert at_one.send_port != at_one.rtp_port
    world.do(one, to(at_other, source=("silence",)))
    world.do(other, to(at_one, source=("silence",)))
    world.run(2.0)
    final = world.close(other)
    assert final.remote_port == at_one.send_port
    assert final.packets_received == pytest.approx(100, abs=2), "what came before the other port was taken was kept"
    assert final.packets_discarded == 0
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
    with bind(HOME, 0) as stranger:
        stranger.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, at_one.rtcp_port))
    world.run(0.1)
    assert one.totals.rtcp_discards[RTCP_SRTP_AUTH] == 1
    assert world.close(one).packets_discarded == 0


def test_silence_is_told_once_as_warning_and_once_as_limit(world: World) -> None:
    one, other = call(world, silence_warning=1.0, inactivity_limit=3.0)
    world.run(0.5)
    world.do(other, SetSource(1, ("none",)))
    other.close()
    world.engines.remove(other)
    world.run(6.0)
    assert [event.level for event in world.said(one, StreamSilent)] == ["warning", "limit"]
    assert world.said(one, StreamSilent)[1].seconds == pytest.approx(3.0, abs=0.4)


@pytest.mark.parametrize("pause", [2.0, 4.5, 7.0, 30.0, 3600.0])
def test_a_pause_of_the_media_worker_is_no_silence_of_the_peer(world: World, pause: float) -> None:
    one, other = call(world, silence_warning=1.5, inactivity_limit=3.0)
    world.run(0.5)
    world.now += pause
    world.run(1.0)
    assert world.said(one, StreamSilent) == []
    world.do(other, SetSource(1, ("none",)))
    other.close()
    world.engines.remove(other)
    world.run(4.0)
    assert [event.level for event in world.said(one, StreamSilent)] == ["warning", "limit"], "a real one still counts"


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


def test_a_peer_that_stops_is_loss_in_time_and_not_in_sequence_numbers(world: World) -> None:
    one, other = call(world)
    world.run(1.0)
    world.do(other, SetSource(1, ("none",)))
    world.run(9.0)
    final = world.close(one)
    assert (final.packets_lost, final.loss_ratio) == (0, 0.0), "RFC 3550 A.3, as RTCP reports it"
    assert final.packets_received == pytest.approx(50, abs=2)
    assert final.packets_due == pytest.approx(500, abs=5)
    assert final.packets_missed == pytest.approx(450, abs=5)
    assert final.missed_ratio == pytest.approx(0.9, abs=0.01)
    assert final.media_due == pytest.approx(10.0, abs=0.02)
    assert final.media_present == pytest.approx(1.0, abs=0.05)
    assert final.media_gap == pytest.approx(9.0, abs=0.05)
    assert final.mos == 1.0
    assert final.one_way == "peer"
    assert one.totals.packets_missed[0] == final.packets_missed
    assert one.totals.packets_due[0] == final.packets_due
    assert (one.totals.gap.count, one.totals.gap.total) == (1, final.media_gap)
    assert one.totals.loss_ratio[0].total == final.missed_ratio
    well = world.close(other)
    assert (well.packets_missed, well.one_way) == (0, "")
    assert well.mos > 4.3


@pytest.mark.parametrize("octets", [160, 80])
def test_audio_faster_than_real_time_cannot_be_played(world: World, octets: int) -> None:
    """A packet every 10 ms: of 10 ms, as agreed between honest sides, or of 20 ms."""
    engine = world.engine()
    opened = world.open(engine)
    peer = bind(HOME, 0)
    world.do(engine, ConfigureStream(1, remote_address=HOME, remote_port=peer.getsockname()[1]))
    for number in range(400):
        packet = RtpPacket(0, number, octets * number, 5, octets * b"\xff")
        peer.sendto(packet.to_bytes(), (opened.address, opened.rtp_port))
        world.run(0.01)
    peer.close()
    final = world.close(engine)
    assert (final.packets_received, final.packets_missed) == (400, 0)
    assert final.packets_due == pytest.approx(200 if octets == 160 else 400, abs=1), "by time"
    assert (final.mos < 2.0) is (octets == 160), "half of it has to be thrown away"


def test_a_stream_on_which_nothing_comes_is_all_loss_once_the_call_is_answered(world: World) -> None:
    one, other = world.engine(), world.engine()
    world.open(one)
    at = world.open(other)
    world.do(one, to(at, source=("silence",), early=True))
    world.run(3.0)
    world.do(one, ExpectMedia(1))
    world.run(2.0)
    final = world.close(one)
    assert final.media_due == final.media_gap == pytest.approx(2.0, abs=0.01)
    assert (final.media_present, final.packets_due, final.packets_missed) == (0.0, 100, 100)
    assert (final.mos, final.missed_ratio, final.one_way) == (1.0, 1.0, "peer")


def test_nothing_is_due_of_a_call_that_was_never_answered(world: World) -> None:
    engine = world.engine()
    other = world.engine()
    world.open(engine)
    world.do(engine, to(world.open(other), source=("silence",), early=True))
    world.run(3.0)
    final = world.close(engine)
    assert (final.media_due, final.packets_due, final.mos, final.missed_ratio) == (0.0, 0, 0.0, 0.0)
    assert engine.totals.loss_ratio[0].count == engine.totals.gap.count == 0


@pytest.mark.parametrize("direction", ["sendonly", "inactive", "recvonly"])
def test_a_hold_and_its_end_are_no_gap(world: World, direction: str) -> None:
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one), world.open(other)
    settings = {one: to(at_other, source=("silence",)), other: to(at_one, source=("silence",))}
    for engine in (one, other):
        world.do(engine, settings[engine])
    world.run(2.0)
    world.do(one, settings[one]._replace(direction=direction))
    world.do(other, settings[other]._replace(direction="recvonly" if direction == "sendonly" else "inactive"))
    world.run(3.0)
    for engine in (one, other):
        world.do(engine, settings[engine])
    world.run(2.0)
    for engine in (one, other):
        final = world.close(engine)
        assert final.media_due == pytest.approx(4.0, abs=0.02)
        assert final.media_present == final.media_due
        assert final.media_gap < 0.1
        assert final.packets_missed <= 1


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


def test_a_stream_that_only_sends_is_connected_at_once_and_opens_again_for_both(world: World) -> None:
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one), world.open(other, asymmetric=True)
    world.do(one, to(at_other, direction="sendonly", source=("silence",)))
    world.do(other, to(at_one, source=("silence",)))
    world.run(1.0)
    assert one.totals.packets_received[0] == 0
    world.do(one, to(at_other, source=("silence",)))
    world.run(1.0)
    assert world.close(other).packets_received == pytest.approx(100, abs=3)
    assert world.close(one).packets_received == pytest.approx(50, abs=3)


@pytest.mark.parametrize("idle", [0.1, 0.31, 0.85, 3.0])
def test_a_file_that_begins_on_an_idle_engine_is_sent_whole(world: World, tmp_path: Path, idle: float) -> None:
    """The chores of the idle time are done all the same, none twice and none passed over."""
    path = tmp_path / "numbered.pcmu"
    path.write_bytes(b"".join(bytes((number,)) * 160 for number in range(50)))
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one), world.open(other)
    world.do(other, to(at_one, source=("none",), sink=("file", str(tmp_path / "heard.pcmu"))))
    world.run(idle)
    world.do(one, to(at_other, source=("file", str(path), 1), statistics_interval=0.01))
    world.run(1.5)
    looks = len(world.said(one, StreamStatistics))
    final = world.close(one)
    world.close(other)
    assert (tmp_path / "heard.pcmu").read_bytes() == path.read_bytes()
    assert (final.packets_sent, final.frames_skipped) == (50, 0)
    assert one.totals.frames_skipped == 0
    assert looks in (4, 5)  # every 0.32 s


@pytest.mark.parametrize("change", ["ssrc", "port", "source port", "back to the announced port", "nothing"])
def test_after_an_exchange_a_new_source_is_heard_from_its_first_packet_on(world: World, change: str) -> None:
    """A phone that begins a new source after each re-INVITE: audio, then digits at once."""
    engine = world.engine()
    at = world.open(engine)
    with bind(HOME, 0) as first, bind(HOME, 0) as second:
        announced, then = (second, second) if change == "back to the announced port" else (first, first)
        command = ConfigureStream(
            1, "sendrecv", HOME, announced.getsockname()[1], dtmf_payload_type=101, dtmf_receive_payload_type=101
        )
        world.do(engine, command)
        for number in range(75):
            first.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, at.rtp_port))
            world.run(0.02)
        if change == "port":
            then = second
            command = command._replace(remote_port=second.getsockname()[1])
        elif change == "source port":
            then = second
        world.do(engine, command)
        ssrc = 5 if change in ("source port", "nothing") else 6
        base = 75 if ssrc == 5 else 30_000
        for place in range(75):
            packet = RtpPacket(0, base + place, 160 * place, ssrc, bytes(160))
            if place < 5:
                duration = 160 * (place + 1)
                end = 0x80 if place > 2 else 0
                packet = RtpPacket(101, base + place, 7, ssrc, bytes((4, 10 | end, duration >> 8, duration & 255)))
            then.sendto(packet.to_bytes(), (HOME, at.rtp_port))
            world.run(0.02)
        final = world.close(engine)
    assert [digit.event for digit in world.said(engine, DtmfReceived)] == ["4"]
    assert (final.packets_received, final.packets_discarded, final.packets_lost) == (150, 0, 0)


def test_reports_go_where_the_peer_has_its_rtcp_and_are_taken_from_there(world: World) -> None:
    """RFC 3605 2.1: an address of its own for RTCP."""
    engine = world.engine()
    at = world.open(engine)
    with bind(HOME, 0) as audio, bind("127.0.0.2", 0) as control:
        port = control.getsockname()[1]
        command = ConfigureStream(1, "sendrecv", HOME, audio.getsockname()[1], port, source=("silence",))
        world.do(engine, command._replace(remote_rtcp_address="127.0.0.2"))
        world.run(10.0)
        assert rtcp.parse(control.recv(2000))
        control.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, at.rtcp_port))
        world.run(0.1)
        with bind("127.0.0.3", 0) as stranger:
            stranger.sendto(rtcp.ReceiverReport(5).to_bytes(), (HOME, at.rtcp_port))
        world.run(0.1)
        final = world.close(engine)
        assert (final.rtcp_received, final.packets_discarded) == (1, 0)
        assert engine.totals.rtcp_discards[RTCP_BAD_SOURCE] == 1


@pytest.mark.parametrize("address", ["rtcp.example.com", "::1", "224.0.0.1", "0.0.0.0"])
def test_an_address_for_rtcp_that_cannot_be_used_leaves_it_beside_the_audio(world: World, address: str) -> None:
    engine = world.engine()
    world.open(engine)
    with bind(HOME, 0) as audio, bind(HOME, 0) as control:
        command = ConfigureStream(1, "sendrecv", HOME, audio.getsockname()[1], control.getsockname()[1])
        said = world.do(engine, command._replace(source=("silence",), remote_rtcp_address=address))
        assert said == []
        world.run(10.0)
        assert rtcp.parse(control.recv(2000))


@pytest.mark.parametrize("held", [{"direction": "recvonly"}, {"remote_address": "0.0.0.0"}, {"direction": "inactive"}])
def test_a_peer_that_holds_us_without_music_is_not_silent_for_too_long(world: World, held: dict[str, Any]) -> None:
    engine = world.engine()
    at = world.open(engine)
    with bind(HOME, 0) as peer:
        both = ConfigureStream(1, "sendrecv", HOME, peer.getsockname()[1], silence_warning=1.0, inactivity_limit=2.0)
        if "remote_address" in held:
            held = {**held, "direction": "recvonly"}
        world.do(engine, both)
        for number in range(2):
            peer.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, at.rtp_port))
        world.run(0.5)
        world.do(engine, both._replace(**held))
        world.run(10.0)
        assert world.said(engine, StreamSilent) == []
        world.do(engine, both)
        world.run(1.9)
        assert [event.level for event in world.said(engine, StreamSilent)] == ["warning"]
        world.run(0.6)
        assert [event.level for event in world.said(engine, StreamSilent)] == ["warning", "limit"]


def test_a_peer_that_only_sends_from_the_start_holds_nobody(world: World) -> None:
    engine = world.engine()
    world.open(engine)
    command = ConfigureStream(1, "recvonly", HOME, 9, silence_warning=0.0, inactivity_limit=2.0)
    world.do(engine, command)
    world.run(3.0)
    assert [event.level for event in world.said(engine, StreamSilent)] == ["limit"]


@pytest.mark.parametrize("interval", [0.02, 0.033])
@pytest.mark.parametrize("course", ["running", "ended", "none", "hold", "echo stops", "echo held", "echo replaced"])
def test_every_sender_report_pairs_the_rtp_time_with_its_own_moment(
    world: World, tmp_path: Path, course: str, interval: float
) -> None:
    """RFC 3550 6.4.1: both timestamps are of the same instant, also when the last packet is long past."""
    path = tmp_path / "short.pcmu"
    path.write_bytes(bytes(160) * 50)
    engine = MediaEngine(MediaSettings(rtcp_minimum=0.5), clock=lambda: world.now)
    world.engines.append(engine)
    world.events[engine] = []
    at = world.open(engine)
    echo = course.startswith("echo")
    reports: list[tuple[float, int]] = []
    packets: list[tuple[float, int]] = []
    with bind(HOME, 0) as audio, bind(HOME, 0) as control:
        command = ConfigureStream(
            1, "sendrecv", HOME, audio.getsockname()[1], control.getsockname()[1], packet_interval=interval
        )
        source = ("echo", 0) if echo else ("file", str(path), 1) if course == "ended" else ("silence",)
        world.do(engine, command._replace(source=source))
        for step in range(1500):
            if echo and step % 4 == 0 and not (course == "echo stops" and step > 400):
                number = step // 4
                audio.sendto(RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes(), (HOME, at.rtp_port))
            if step == 400:
                if course in ("none", "echo replaced"):
                    world.do(engine, SetSource(1, ("none",)))
                elif course in ("hold", "echo held"):
                    world.do(engine, command._replace(direction="recvonly"))
            world.run(TICK)
            if step == 1499:
                world.close(engine)
            for sock, taken in ((audio, packets), (control, reports)):
                while True:
                    try:
                        data = sock.recv(2000)
                    except BlockingIOError:
                        break
                    if sock is audio:
                        taken.append((world.now, RtpPacket.parse(data).timestamp))
                    elif isinstance(sent := rtcp.parse(data)[0], rtcp.SenderReport):
                        taken.append((world.now, sent.rtp_timestamp))
    assert len(reports) > 2
    base_at, base = packets[0]
    for now, timestamp in reports:
        elapsed = ((timestamp - base + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        assert elapsed / 8000 == pytest.approx(now - base_at, abs=interval + 2 * TICK)
