"""Peers whose RTP comes from another port in the middle of a call, and what comes beside it, with real sockets."""

import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sipswarm.media.beside import SHARE
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import ConfigureStream, StreamStatistics
from sipswarm.media.sockets import bind
from sipswarm.media.totals import DISCARD_REASONS

from .rtp_packet import RtpPacket
from .world import HOME, World

Peer = socket.socket
HOSTS = pytest.mark.parametrize("host", [HOME, "::1"])


class Scene:
    """A stream whose peer has several sockets, and how many packets they sent."""

    def __init__(self, world: World, host: str = HOME) -> None:
        self.world, self.host = world, host
        self.engine: MediaEngine = world.engine()
        self.port = world.open(self.engine, address=host).rtp_port
        self.peers = [bind(host, 0) for _ in range(3)]
        self.sent = 0
        self.describe()

    def describe(self, peer: int = 0, **more: object) -> None:
        command = ConfigureStream(1, "sendrecv", self.host, self.peers[peer].getsockname()[1], source=("silence",))
        self.world.do(self.engine, command._replace(**more))  # type: ignore[arg-type]  # any field of the command

    def send(self, peer: Peer, ssrc: int = 5, number: int = -1) -> None:
        number = self.sent if number < 0 else number
        packet = RtpPacket(0, number & 0xFFFF, 160 * number & 0xFFFFFFFF, ssrc, bytes(160))
        peer.sendto(packet.to_bytes(), (self.host, self.port))
        self.sent += 1

    def talk(self, peer: int, packets: int, ssrc: int = 5) -> None:
        """Send a packet of 20 ms in its time, and another one."""
        for _ in range(packets):
            self.send(self.peers[peer], ssrc)
            self.world.run(0.02)

    def discards(self, final: StreamStatistics) -> dict[str, int]:
        return {name: count for name, count in zip(DISCARD_REASONS, final.discards, strict=True) if count}

    def is_connected(self) -> bool:
        endpoint = self.engine._endpoints[1, 1]
        return endpoint.sender.send == endpoint.rtp_socket.send

    def close(self) -> StreamStatistics:
        """Close the stream: every packet must be counted once."""
        final = self.world.close(self.engine)
        assert final.packets_received + final.packets_discarded == self.sent
        return final


@pytest.fixture
def scene_at(world: World) -> Iterator[Callable[[str], Scene]]:
    scenes: list[Scene] = []

    def made(host: str = HOME) -> Scene:
        scenes.append(Scene(world, host))
        return scenes[-1]

    yield made
    for scene in scenes:
        for peer in scene.peers:
            peer.close()


@HOSTS
@pytest.mark.parametrize("ssrc", [5, 6])
def test_a_port_that_moves_is_followed_when_the_described_one_is_silent(
    scene_at: Callable[[str], Scene], host: str, ssrc: int
) -> None:
    scene = scene_at(host)
    scene.talk(0, 50)
    assert scene.is_connected()
    scene.talk(1, 50, ssrc)
    scene.talk(2, 50, ssrc)
    final = scene.close()
    assert final.packets_received == 150
    assert final.remote_port == scene.peers[2].getsockname()[1]
    assert final.packets_missed == 0


def test_one_that_returns_is_followed_too(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    for peer in (0, 1, 0):
        scene.talk(peer, 50)
    assert scene.close().packets_received == 150


def test_a_second_source_beside_the_present_one_is_counted_and_not_taken(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    for number in range(200):
        scene.send(scene.peers[0], 5, number)
        scene.send(scene.peers[1], 6, number)
        scene.world.run(0.02)
    assert scene.is_connected()
    final = scene.close()
    assert final.packets_received == 200
    assert scene.discards(final) == {"bad_source": 200}


def test_what_a_late_engine_finds_of_the_peer_is_no_silence_of_it(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    scene.talk(0, 50)
    for number in range(20):
        scene.send(scene.peers[1], 6, number)
        scene.send(scene.peers[0], 5, 50 + number)
        if number in (5, 12):
            scene.world.now += 0.5
            scene.world.poll(scene.engine)
    scene.world.now += 0.5
    final = scene.close()
    assert final.packets_received == 70
    assert scene.discards(final) == {"bad_source": 20}


def test_a_stranger_is_counted_and_never_taken(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    scene.talk(0, 50)
    with bind("127.0.0.2", 0) as stranger:
        for _ in range(50):
            scene.send(stranger)
            scene.world.run(0.02)
        stranger.sendto(b"rubbish", (HOME, scene.port))
        scene.sent += 1
        scene.world.run(0.02)
    final = scene.close()
    assert final.packets_received == 50
    assert scene.discards(final) == {"bad_source": 50, "malformed": 1}


@pytest.mark.parametrize("early", [False, True])
def test_what_comes_from_a_new_port_before_its_description_is_taken_with_it(
    scene_at: Callable[[], Scene], early: bool
) -> None:
    """The 200 to a re-INVITE may reach the peer before our own configuration reaches the stream."""
    scene = scene_at()
    scene.describe(early=early)
    scene.talk(0, 50)
    scene.talk(1, 3)
    scene.describe(1)
    assert not scene.is_connected()
    scene.talk(1, 50)
    assert scene.is_connected()
    final = scene.close()
    assert (final.packets_received, final.packets_lost) == (103, 0)


def test_the_last_packets_of_the_old_port_are_counted(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    scene.talk(0, 50)
    scene.describe(1)
    scene.talk(1, 5)
    scene.talk(0, 2)
    scene.talk(1, 50)
    final = scene.close()
    assert final.packets_received == 105
    assert scene.discards(final) == {"bad_source": 2}


@pytest.mark.parametrize("wait", [False, True])
def test_what_waits_at_the_end_is_counted(scene_at: Callable[[], Scene], wait: bool) -> None:
    scene = scene_at()
    scene.talk(0, 50)
    for peer in (0, 1, 2):
        scene.send(scene.peers[peer])
    if wait:
        scene.world.run(0.02)
    assert scene.close().packets_received == 51


def test_a_stream_that_only_sends_counts_what_comes(scene_at: Callable[[], Scene]) -> None:
    scene = scene_at()
    scene.describe(direction="sendonly")
    assert scene.is_connected()
    scene.talk(0, 10)
    scene.talk(1, 10)
    assert scene.close().packets_received == 0


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Sets how many descriptors this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def next_free() -> int:
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


def test_where_descriptors_are_few_a_stream_has_two_and_everything_is_counted(
    scene_at: Callable[[], Scene], limit: Callable[[int], None]
) -> None:
    limit(SHARE * next_free())
    scene = scene_at()
    for peer in (0, 1):
        scene.talk(peer, 50)
        assert not scene.is_connected()
    assert scene.close().packets_received == 100


def test_a_stream_that_finds_no_descriptor_gets_those_beside_the_sockets_of_others(
    scene_at: Callable[[], Scene], limit: Callable[[int], None]
) -> None:
    scene = scene_at()
    for stream_id in (2, 3):
        at = scene.world.open(scene.engine, stream_id)
        with bind(HOME, 0) as peer:
            command = ConfigureStream(stream_id, "sendonly", HOME, peer.getsockname()[1])
            scene.world.do(scene.engine, command)
            assert at.rtp_port
    scene.talk(0, 50)
    with ExitStack() as stack:
        limit(next_free() + 1)
        while True:
            try:
                stack.callback(os.close, os.dup(0))
            except OSError:
                break
        scene.world.open(scene.engine, 4)
    scene.talk(0, 50)
    scene.talk(1, 50)
    assert scene.close().packets_received == 150


def test_a_stream_that_fails_at_its_end_leaves_no_descriptor(
    scene_at: Callable[[], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    scene = scene_at()
    peers = len(scene.peers) + 2  # two epoll objects
    scene.talk(0, 20)
    scene.send(scene.peers[0])
    endpoint = scene.engine._endpoints[1, 1]

    def broken(*_: object) -> bool:
        raise RuntimeError("a sink of the user")

    with monkeypatch.context() as patched:
        patched.setattr(type(endpoint._receiver), "receive", broken)
        with pytest.raises(RuntimeError):
            endpoint.stand_alone(scene.world.now)
    assert not scene.engine._shared.beside
    assert len(os.listdir("/proc/self/fd")) == before + peers + 2
