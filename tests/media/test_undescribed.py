"""What comes before the peer has described itself (RFC 3264 5.1), with real sockets."""

import socket
from collections.abc import Iterator

import pytest

from sipswarm.media.messages import ConfigureStream, RelayStream
from sipswarm.media.sockets import bind
from sipswarm.media.totals import DISCARD_REASONS, RELAY_RESULTS

from .rtp_packet import RtpPacket
from .world import HOME, World

Peer = socket.socket


@pytest.fixture
def peer() -> Iterator[Peer]:
    with bind(HOME, 0) as sock:
        yield sock


def describing(peer: Peer, **more: object) -> ConfigureStream:
    command = ConfigureStream(1, "sendrecv", HOME, peer.getsockname()[1])
    return command._replace(**more)  # type: ignore[arg-type]  # any field of the command


def talk(world: World, peer: Peer, port: int, packets: int, first: int = 0) -> None:
    """Send a packet of 20 ms in its time, and another one."""
    for number in range(first, first + packets):
        peer.sendto(RtpPacket(0, number & 0xFFFF, 160 * number, 5, bytes(160)).to_bytes(), (HOME, port))
        world.run(0.02)


@pytest.mark.parametrize("seconds", [0.2, 1, 15])
def test_it_is_no_media_of_the_answered_call(world: World, peer: Peer, seconds: float) -> None:
    engine = world.engine()
    at = world.open(engine)
    early = round(seconds * 50)
    talk(world, peer, at.rtp_port, early)
    world.do(engine, describing(peer))
    talk(world, peer, at.rtp_port, 100, early)
    final = world.close(engine)
    kept = min(early, 25)
    assert final.packets_received == pytest.approx(100 + kept, abs=1)
    assert final.packets_received + final.packets_discarded == early + 100
    assert final.discards[DISCARD_REASONS.index("undescribed")] == final.packets_discarded
    assert (final.packets_due, final.packets_missed, final.packets_lost) == (100, 0, 0)
    assert final.media_present == final.media_due == pytest.approx(2.0, abs=0.02)
    assert final.mos > 4.3


def test_all_of_it_is_counted_where_no_description_comes(world: World, peer: Peer) -> None:
    engine = world.engine()
    at = world.open(engine)
    for number in range(4):
        talk(world, peer, at.rtp_port, 100, 100 * number)
    peer.sendto(b"rubbish", (HOME, at.rtp_port))
    final = world.close(engine)
    assert final.packets_received == 0
    reasons = {name: count for name, count in zip(DISCARD_REASONS, final.discards, strict=True) if count}
    assert reasons == {"malformed": 1, "undescribed": 400}


def test_a_hold_describes_nobody(world: World, peer: Peer) -> None:
    engine = world.engine()
    at = world.open(engine)
    world.do(engine, ConfigureStream(1, "inactive", "0.0.0.0", 0))
    talk(world, peer, at.rtp_port, 100)
    world.do(engine, describing(peer))
    talk(world, peer, at.rtp_port, 50, 100)
    final = world.close(engine)
    assert final.packets_received == pytest.approx(75, abs=1)
    assert final.packets_received + final.discards[DISCARD_REASONS.index("undescribed")] == 150


def test_what_is_kept_of_it_is_judged_like_any_other(world: World, peer: Peer) -> None:
    engine = world.engine()
    at = world.open(engine)
    with bind("127.0.0.2", 0) as stranger:
        talk(world, stranger, at.rtp_port, 5)
        talk(world, peer, at.rtp_port, 5)
        world.do(engine, describing(peer, sink=("callback",)))
    final = world.close(engine)
    assert final.packets_received == 5
    assert final.discards[DISCARD_REASONS.index("bad_source")] == 5


def test_a_relay_passes_on_what_came_to_it_before(world: World, peer: Peer) -> None:
    engine = world.engine()
    one, two = world.open(engine, 1), world.open(engine, 2)
    with bind(HOME, 0) as other:
        talk(world, peer, one.rtp_port, 3)
        world.do(engine, RelayStream(2, 1, HOME, other.getsockname()[1]))
        world.do(engine, RelayStream(1, 2, HOME, peer.getsockname()[1]))
        came = [other.recvfrom(2000) for _ in range(3)]
    assert [RtpPacket.parse(data).sequence_number for data, _ in came] == [0, 1, 2]
    assert {source[1] for _, source in came} == {two.rtp_port}
    assert engine.totals.relayed[0][RELAY_RESULTS.index("forwarded")] == 3
