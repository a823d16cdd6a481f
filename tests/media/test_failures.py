"""A fault in the code of one stream costs that packet, source or command, and nothing of the others."""

import os
from collections.abc import Callable

import pytest

from sipswarm.media.audio.g711 import PCMU
from sipswarm.media.digits import inband
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import (
    CommandDone,
    CommandRefused,
    DigitsSent,
    OpenStream,
    ProvideFrames,
    ReceivedFrame,
    SendDigits,
    SetSource,
    SourceFinished,
    StreamRefused,
)
from sipswarm.media.sinks import Sink
from sipswarm.media.sources import Source
from sipswarm.media.stream import Stream

from .world import HOME, World, to


class Fault(Exception):
    """What no part of the media engine knows."""


class Log:
    """The failures that an engine told."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def attempt(self, text: str, action: Callable[..., object], *arguments: object) -> bool:
        try:
            action(*arguments)
        except (Fault, TypeError) as error:
            assert text
            self.errors.append(error)
            return False
        return True


class FaultySink(Sink):
    def write(self, frame: ReceivedFrame, codec: str, clock_rate: int, now: float) -> None:
        raise Fault


class FaultySource(Source):
    paced = True

    def next_payload(self) -> bytes | None:
        raise Fault


class FaultyTones(inband.ToneGenerator):
    def frame(self, digit: str, start: int, samples: int, total: int) -> bytes:
        raise Fault


def calls(world: World, pairs: int, log: Log, **more: object) -> tuple[MediaEngine, MediaEngine]:
    """An engine with several streams, each in a call with one of another engine."""
    one, other = world.engine(attempt=log.attempt), world.engine()
    for number in range(1, pairs + 1):
        here, there = world.open(one, number), world.open(other, number)
        world.do(one, to(there, stream_id=number, source=("silence",), **more))
        world.do(other, to(here, stream_id=number, source=("silence",), **more))
    world.run(0.1)
    return one, other


def stream_of(engine: MediaEngine, number: int) -> Stream:
    return engine._endpoints[(1, number)].stream


@pytest.mark.parametrize("often", [False, True], ids=["read at once", "read on the tick"])
def test_a_packet_that_cannot_be_handled_is_passed_over_and_those_after_it_are_read(world: World, often: bool) -> None:
    log = Log()
    one, _ = calls(world, 24 if often else 3, log)
    stream_of(one, 1).set_sink(FaultySink(), ())
    before = stream_of(one, 2).receiver.received
    world.run(1.0)
    assert len(log.errors) == pytest.approx(50, abs=2)  # each of its packets, and none of the others
    assert stream_of(one, 1).receiver.received == pytest.approx(before + 50, abs=3)
    assert stream_of(one, 2).receiver.received == pytest.approx(before + 50, abs=2)
    assert {world.close(one, number).packets_lost for number in (1, 2, 3)} == {0}


def test_a_source_that_fails_ends_and_the_others_go_on(world: World) -> None:
    log = Log()
    one, other = calls(world, 12, log)
    stream_of(one, 5).set_source(FaultySource())
    world.run(1.0)
    assert len(log.errors) == 1
    (end,) = world.said(one, SourceFinished)
    assert (end.stream_id, end.reason) == (5, "failed")
    received = {number: stream_of(other, number).receiver.received for number in range(1, 13)}
    silenced = received.pop(5)
    assert silenced < 10
    assert all(count == pytest.approx(54, abs=2) for count in received.values())


def test_a_source_of_an_odd_packet_time_that_fails_ends(world: World) -> None:
    log = Log()
    one, other = calls(world, 2, log, packet_interval=0.023, payload_size=184)
    stream_of(one, 1).set_source(FaultySource())
    world.run(1.0)
    assert len(log.errors) == 1
    assert [each.reason for each in world.said(one, SourceFinished)] == ["failed"]
    assert stream_of(other, 2).receiver.received == pytest.approx(1.1 / 0.023, abs=3)


def test_a_source_over_another_that_fails_gives_way_to_it(world: World) -> None:
    log = Log()
    one, other = calls(world, 1, log)
    stream_of(one, 1).set_source(FaultySource(), ("silence",), "over", 7)
    world.run(1.0)
    assert [(each.reason, each.request_id) for each in world.said(one, SourceFinished)] == [("failed", 7)]
    assert stream_of(other, 1).receiver.received == pytest.approx(54, abs=3)


def test_digits_that_fail_are_answered_and_the_audio_goes_on(world: World) -> None:
    log = Log()
    one, other = calls(world, 2, log)
    world.do(one, SendDigits(1, 9, "1", 100, "rfc4733"))
    digits = stream_of(one, 1).sender.digits
    assert digits is not None
    digits.send("3", 100, 10, FaultyTones(PCMU))
    world.run(1.0)
    assert len(log.errors) == 1
    assert [each[1:4] for each in world.said(one, DigitsSent)] == [(9, "OK", ""), (10, "FAIL", "failed")]
    assert stream_of(other, 1).receiver.received == pytest.approx(55, abs=5)
    world.do(one, SendDigits(1, 11, "4", 100, "rfc4733"))
    world.run(0.5)
    assert world.said(one, DigitsSent)[-1][1:3] == (11, "OK")


class Dice:
    """Random octets, or once a fault."""

    def __init__(self) -> None:
        self.faulty = False

    def __call__(self, count: int) -> bytes:
        if self.faulty:
            self.faulty = False
            raise Fault
        return os.urandom(count)


def test_what_is_due_by_time_is_done_for_the_other_streams(world: World) -> None:
    log, dice = Log(), Dice()
    engine = MediaEngine(clock=lambda: world.now, random_bytes=dice, attempt=log.attempt)
    world.engines.append(engine)
    world.events[engine] = []
    peer = world.engine()
    for number in range(1, 6):
        world.open(engine, number)
        world.do(engine, to(world.open(peer, number), stream_id=number, source=("silence",)))
    dice.faulty = True  # at the first report of RTCP
    world.run(12)
    assert len(log.errors) == 1
    assert engine.totals.rtcp_sent > 5
    assert engine.totals.frames_skipped == 0


def test_a_stream_that_cannot_be_opened_for_a_fault_of_ours_is_refused(world: World) -> None:
    log, dice = Log(), Dice()
    engine = MediaEngine(clock=lambda: world.now, random_bytes=dice, attempt=log.attempt)
    world.engines.append(engine)
    world.events[engine] = []
    dice.faulty = True
    assert world.do(engine, OpenStream(1, HOME)) == [StreamRefused(1, "failed")]
    assert len(log.errors) == 1
    world.open(engine)


def test_a_command_that_fails_is_refused_and_the_next_is_done(world: World) -> None:
    log = Log()
    one, _ = calls(world, 1, log)
    world.do(one, SetSource(1, ("callback",)))
    no_frames = ProvideFrames(1, None, False)  # type: ignore[arg-type]  # what a faulty caller sends
    assert world.do(one, no_frames) == [CommandRefused(1, "ProvideFrames", "failed")]
    assert len(log.errors) == 1
    assert world.do(one, SetSource(1, ("silence",), 4)) == [CommandDone(1, 4)]
