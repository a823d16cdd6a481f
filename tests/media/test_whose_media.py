"""Media that is not the peer's, with real sockets: a stream's own packets, those of another dialog, of another call."""

import pytest

from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import StreamOpened, StreamStatistics
from sipswarm.media.totals import DISCARD_REASONS

from .world import World, to


def discards(final: StreamStatistics) -> dict[str, int]:
    return {name: count for name, count in zip(DISCARD_REASONS, final.discards, strict=True) if count}


@pytest.mark.parametrize("source", [("silence",), ("tone", 440), ("echo", 0)])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_a_peer_that_describes_our_own_port_sends_nothing(
    world: World, source: tuple[str | int, ...], asymmetric: bool
) -> None:
    """RFC 3550 8.2: our own packets from our own address are a loop."""
    engine = world.engine()
    opened = world.open(engine, asymmetric=asymmetric)
    world.do(engine, to(opened, source=("silence",)))
    world.run(0.5)
    world.do(engine, to(opened, source=source))
    world.run(2.5)
    final = world.close(engine)
    assert final.packets_received == 0
    assert final.packets_sent >= 20
    assert discards(final) == {"loop": pytest.approx(final.packets_sent, abs=1)}
    assert (final.packets_due, final.packets_missed, final.media_present) == (150, 150, 0.0)
    assert final.one_way == ("peer" if final.packets_sent >= 25 else final.one_way)
    assert (final.rtcp_received, final.round_trip_ms) == (0, -1.0)


def pair(world: World) -> tuple[MediaEngine, StreamOpened, MediaEngine, StreamOpened]:
    """Two engines with an open stream each."""
    one, other = world.engine(), world.engine()
    return one, world.open(one), other, world.open(other)


def test_what_another_dialog_of_the_call_describes_is_not_the_answered_one(world: World) -> None:
    """RFC 3261 12.1: another To tag is another dialog, with a description and media of its own."""
    one, at_one, branch, at_branch = pair(world)
    answered = world.engine()
    at_answered = world.open(answered)
    world.do(branch, to(at_one, source=("tone", 440)))
    world.do(one, to(at_branch, source=("silence",), early=True))
    world.run(1.0)
    assert one.totals.packets_received[0] == pytest.approx(50, abs=2), "early media is taken"
    stranger = (at_branch.address, at_branch.rtp_port)
    world.do(one, to(at_answered, source=("silence",), strangers=(stranger,)))
    world.run(3.0)
    final = world.close(one)
    assert final.packets_received == pytest.approx(50, abs=2)
    assert discards(final) == {"bad_source": pytest.approx(150, abs=3)}
    assert (final.packets_due, final.packets_missed, final.media_present) == (150, 150, 0.0)


def test_a_port_that_no_dialog_describes_is_the_peers(world: World) -> None:
    """RFC 3264 5.1: the port in m= is where one receives."""
    one, at_one, sender, at_sender = pair(world)
    silent = world.engine()
    world.do(sender, to(at_one, source=("tone", 440)))
    world.do(one, to(world.open(silent), source=("silence",)))
    world.run(2.0)
    final = world.close(one)
    assert (final.remote_port, final.packets_missed) == (at_sender.rtp_port, 0)
    assert final.packets_received == pytest.approx(100, abs=2)


def test_media_of_another_call_is_not_this_ones(world: World) -> None:
    """Two calls of one process, each of whose peers sends to the other call."""
    node, peer = world.engine(), world.engine()
    ours = [world.open(node, stream_id) for stream_id in (1, 2)]
    theirs = [world.open(peer, stream_id) for stream_id in (1, 2)]
    for number in (0, 1):
        world.do(node, to(theirs[number], stream_id=number + 1, source=("silence",)))
        world.do(peer, to(ours[1 - number], stream_id=number + 1, source=("tone", 440)))
    world.run(2.0)
    for stream_id in (1, 2):
        final = world.close(node, stream_id)
        assert (final.packets_received, final.packets_missed) == (0, 100)
        assert discards(final) == {"bad_source": pytest.approx(100, abs=2)}


def test_calls_whose_peers_share_one_port_have_their_media(world: World) -> None:
    """A media server with one port for all of its calls, which tells them apart by their sources."""
    node, server = world.engine(), world.engine()
    first, second = world.open(node, 1), world.open(node, 2)
    shared = world.open(server)
    world.do(server, to(first, source=("tone", 440)))
    world.do(node, to(shared, stream_id=1), to(shared, stream_id=2))
    world.run(1.0)
    world.do(server, to(second))
    world.run(1.0)
    assert world.close(node, 1).packets_received == pytest.approx(50, abs=2)
    assert world.close(node, 2).packets_received == pytest.approx(50, abs=2)
