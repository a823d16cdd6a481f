"""Relays: packets between two sockets of ours, who may send to them, and when they count as silent."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import (
    CloseStream,
    CommandRefused,
    ConfigureStream,
    RelayStream,
    SendDigits,
    StreamClosed,
    StreamOpened,
    StreamSilent,
)
from sipswarm.media.sockets import bind
from sipswarm.media.totals import RELAY_KINDS, RELAY_RESULTS

from .world import HOME, World

RTP = b"\x80\x00\x00\x01" + bytes(8) + b"audio"
RTCP = b"\x80\xc9\x00\x01" + bytes(4)


class Scene:
    """A relay with a phone on each side: alice at stream 1, bob at stream 2."""

    def __init__(self, world: World, stack: ExitStack, homes: tuple[str, str] = (HOME, HOME)) -> None:
        self.world = world
        self.homes = homes
        self.stack = stack
        self.engine: MediaEngine = world.engine()
        self.opened: list[StreamOpened] = [
            world.open(self.engine, number, address=home) for number, home in enumerate(homes, 1)
        ]
        self.rtp = [self.open(home) for home in homes]
        self.rtcp = [self.open(home) for home in homes]

    def open(self, home: str = HOME) -> socket.socket:
        return self.stack.enter_context(bind(home, 0))

    def describe(self, side: int, **more: object) -> None:
        """Announce a phone; nothing may be refused."""
        command = RelayStream(
            side + 1,
            2 - side,
            self.homes[side],
            self.rtp[side].getsockname()[1],
            remote_rtcp_port=self.rtcp[side].getsockname()[1],
        )
        assert self.world.do(self.engine, command._replace(**more)) == []  # type: ignore[arg-type]  # any field

    def send(self, side: int, data: bytes = RTP, *, sock: socket.socket | None = None, rtcp: bool = False) -> None:
        """Send from a phone, or from another socket, to the relay's socket toward the phone."""
        opened = self.opened[side]
        own = (self.rtcp if rtcp else self.rtp)[side]
        (sock or own).sendto(data, (opened.address, opened.rtcp_port if rtcp else opened.rtp_port))
        self.world.poll(self.engine)

    def count(self, kind: str, result: str) -> int:
        return self.engine.totals.relayed[RELAY_KINDS.index(kind)][RELAY_RESULTS.index(result)]


def heard(sock: socket.socket) -> list[tuple[bytes, int]]:
    """What has come to a socket: octets, and the port that they came from."""
    came: list[tuple[bytes, int]] = []
    while True:
        try:
            data, source = sock.recvfrom(65536)
        except BlockingIOError:
            return came
        came.append((data, source[1]))


@pytest.fixture
def scene(world: World) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(world, stack)


def test_rtp_and_rtcp_pass_both_ways_octet_for_octet(world: World) -> None:
    for homes in ((HOME, HOME), (HOME, "::1")):
        with ExitStack() as stack:
            scene = Scene(world, stack, homes)
            for side in (0, 1):
                scene.describe(side)
            for side in (0, 1):
                scene.send(side, RTP + bytes([side]))
                scene.send(side, RTCP + bytes([side]), rtcp=True)
            for side in (0, 1):
                opened = scene.opened[side]
                assert heard(scene.rtp[side]) == [(RTP + bytes([1 - side]), opened.rtp_port)]
                assert heard(scene.rtcp[side]) == [(RTCP + bytes([1 - side]), opened.rtcp_port)]
            assert (scene.count("rtp", "forwarded"), scene.count("rtcp", "forwarded")) == (2, 2)


def test_a_side_is_answered_where_its_packets_come_from(scene: Scene) -> None:
    nat = scene.open()
    scene.describe(0)
    scene.describe(1, remote_address="192.0.2.7", latch_address=HOME)
    scene.send(1, sock=nat)
    scene.send(0)
    assert heard(nat) == [(RTP, scene.opened[1].rtp_port)]
    assert heard(scene.rtp[0]) == [(RTP, scene.opened[0].rtp_port)]


def test_only_the_first_source_is_taken_until_another_address_is_announced(scene: Scene) -> None:
    stranger, moved = scene.open(), scene.open()
    scene.describe(0)
    scene.describe(1)
    scene.send(1)
    scene.send(1, sock=stranger)
    assert len(heard(scene.rtp[0])) == 1
    assert scene.count("rtp", "bad_source") == 1
    scene.describe(1)
    scene.send(1, sock=stranger)
    assert scene.count("rtp", "bad_source") == 2
    scene.describe(1, remote_port=moved.getsockname()[1])
    scene.send(0)
    assert len(heard(moved)) == 1
    scene.send(1, sock=moved)
    scene.send(1)
    assert len(heard(scene.rtp[0])) == 1
    assert scene.count("rtp", "bad_source") == 3


def test_a_host_that_nobody_named_is_never_taken(scene: Scene) -> None:
    stranger = scene.open("127.0.0.2")
    scene.describe(0)
    scene.describe(1)
    scene.send(1, sock=stranger)
    scene.send(0)
    assert heard(scene.rtp[0]) == []
    assert heard(stranger) == []
    assert len(heard(scene.rtp[1])) == 1


def test_what_comes_before_its_side_is_described_waits_and_what_has_no_destination_is_counted(scene: Scene) -> None:
    scene.describe(0)
    scene.send(1)
    assert heard(scene.rtp[0]) == []
    scene.send(0)
    assert scene.count("rtp", "no_destination") == 1
    scene.describe(1)
    scene.world.poll(scene.engine)
    assert len(heard(scene.rtp[0])) == 1


def test_two_relays_that_name_each_other_keep_no_packet_going_round(scene: Scene) -> None:
    world, engine = scene.world, scene.engine
    others = [world.open(engine, number) for number in (3, 4)]
    scene.describe(0)
    (refused,) = world.do(engine, RelayStream(2, 1, HOME, scene.opened[0].rtp_port))
    assert isinstance(refused, CommandRefused)
    world.do(engine, RelayStream(2, 1, HOME, others[0].rtp_port), RelayStream(3, 4, HOME, 9), RelayStream(4, 3))
    for _ in range(10):
        scene.send(0)
    for _ in range(10):
        world.poll(engine)
    assert scene.count("rtp", "forwarded") == 10
    assert scene.count("rtp", "bad_source") == 10


def test_silence_of_both_sides_is_told_once_and_a_pause_of_the_machine_is_none(scene: Scene) -> None:
    world, engine = scene.world, scene.engine
    scene.describe(0, inactivity_limit=10.0)
    scene.describe(1, inactivity_limit=10.0)
    world.run(8.0)
    scene.send(1, RTCP, rtcp=True)
    world.run(8.0)
    assert world.said(engine, StreamSilent) == []
    world.now += 60.0
    world.run(1.0)
    assert world.said(engine, StreamSilent) == []
    world.run(10.0)
    told = world.said(engine, StreamSilent)
    assert sorted((each.stream_id, each.level) for each in told) == [(1, "limit"), (2, "limit")]
    world.run(30.0)
    assert len(world.said(engine, StreamSilent)) == 2


def test_a_relay_takes_no_other_command_and_a_stream_of_a_call_is_none(scene: Scene) -> None:
    world, engine = scene.world, scene.engine
    world.open(engine, 3)
    world.do(engine, ConfigureStream(3, remote_address=HOME, remote_port=9))
    for command in (RelayStream(1, 3), RelayStream(3, 1), RelayStream(1, 1), RelayStream(1, 7)):
        (refused,) = world.do(engine, command)
        assert isinstance(refused, CommandRefused), command
    for values in ({"remote_address": "::1"}, {"remote_address": "224.0.0.1"}, {"remote_port": 65536}):
        command = RelayStream(1, 2, HOME, 4000)._replace(**values)
        (refused,) = world.do(engine, command)
        assert isinstance(refused, CommandRefused), command
    scene.describe(0)
    for other in (ConfigureStream(1), ConfigureStream(2), SendDigits(1, 1, "5")):
        assert len(world.do(engine, other)) == 1, other
    scene.describe(1)
    scene.send(0)
    assert len(heard(scene.rtp[1])) == 1


def test_a_side_that_is_closed_leaves_the_other_one_without_destination(scene: Scene) -> None:
    scene.describe(0)
    scene.describe(1)
    (closed,) = scene.world.do(scene.engine, CloseStream(2))
    assert isinstance(closed, StreamClosed)
    scene.send(0)
    scene.send(0, RTCP, rtcp=True)
    assert (scene.count("rtp", "no_destination"), scene.count("rtcp", "no_destination")) == (1, 1)
    assert heard(scene.rtp[1]) == []
    assert len(scene.world.do(scene.engine, CloseStream(1))) == 1


def test_an_icmp_error_costs_no_packet(scene: Scene) -> None:
    scene.describe(0)
    scene.describe(1)
    gone = scene.rtp[1]
    port = gone.getsockname()[1]
    gone.close()
    for _ in range(3):
        scene.send(0)
    scene.rtp[1] = scene.stack.enter_context(bind(HOME, port))
    scene.send(0)
    assert len(heard(scene.rtp[1])) == 1
    scene.send(1)
    assert len(heard(scene.rtp[0])) == 1
