"""Media to a port where nobody listens: ICMP errors of a stream, their spans, and the packets that are sent besides."""

import errno
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any, cast

import pytest

from sipswarm.media.endpoint import StreamEndpoint
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import ConfigureStream, SetSource
from sipswarm.media.sockets import Address, bind, keep_errors, unreachable
from sipswarm.media.unreachable import BURST, PAUSE, Destination, Destinations

from .rtp_packet import RtpPacket
from .world import HOME, World, call

HOSTS = pytest.mark.parametrize("host", [HOME, "::1"])


@pytest.fixture
def closed() -> Iterator[Address]:
    """A port of 127.0.0.1 that refuses all but one sender, and is nobody else's meanwhile."""
    with bind(HOME, 0) as held, bind(HOME, 0) as other:
        held.connect(other.getsockname())
        yield held.getsockname()


def refusing(host: str) -> tuple[socket.socket, socket.socket, Address]:
    """A socket that takes from another socket alone, that socket, and its address."""
    held, other = bind(host, 0), bind(host, 0)
    held.connect(other.getsockname()[:2])
    return held, other, held.getsockname()[:2]


def sending_to(address: Address, **more: object) -> ConfigureStream:
    command = ConfigureStream(1, remote_address=address[0], remote_port=address[1], source=("silence",))
    return command._replace(**more)  # type: ignore[arg-type]  # any field


def is_readable(engine: MediaEngine) -> bool:
    return bool(select.select([engine.fileno()], [], [], 0)[0])


def endpoint_of(engine: MediaEngine, stream_id: int = 1) -> StreamEndpoint:
    return engine._endpoints[(1, stream_id)]


@HOSTS
@pytest.mark.parametrize("asymmetric", [False, True])
def test_what_is_sent_to_a_closed_port_is_unreachable(world: World, host: str, asymmetric: bool) -> None:
    held, other, address = refusing(host)
    with held, other:
        engine = world.engine()
        world.open(engine, address=host, asymmetric=asymmetric)
        world.do(engine, sending_to(address))
        world.run(2.0)
        world.do(engine, SetSource(1, ("none",)))
        world.run(0.1)
        assert not is_readable(engine), "an error that is not read wakes the engine for ever"
        final = world.close(engine)
    assert final.packets_sent == pytest.approx(100, abs=2)
    assert final.packets_unreachable == pytest.approx(final.packets_sent, abs=1)
    assert final.send_errors == 0


@HOSTS
def test_a_peer_that_sends_from_another_port_than_the_closed_one_it_names(world: World, host: str) -> None:
    held, other, address = refusing(host)
    with held, other, bind(host, 0) as peer:
        engine = world.engine()
        opened = world.open(engine, address=host)
        world.do(engine, sending_to(address))
        for number in range(100):
            packet = RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes()
            peer.sendto(packet, (host, opened.rtp_port))
            world.run(0.02)
        final = world.close(engine)
    assert final.packets_received == 100
    assert final.remote_port != address[1]
    assert final.packets_unreachable == pytest.approx(100, abs=3)


@HOSTS
def test_a_peer_whose_socket_closes_in_the_middle_of_the_call(world: World, host: str) -> None:
    """The media socket is connected by then, and the engine reads it in its own loop."""
    one, other = call(world, host)
    world.run(2.0)
    endpoint = endpoint_of(one)
    assert endpoint.sender.send == endpoint.rtp_socket.send, "nothing of ours is called for a packet"
    other.close()
    world.engines.remove(other)
    world.run(2.0)
    world.do(one, SetSource(1, ("none",)))
    world.run(0.1)
    assert not is_readable(one)
    final = world.close(one)
    assert final.packets_sent == pytest.approx(200, abs=2)
    assert final.packets_unreachable == pytest.approx(100, abs=3)
    assert final.send_errors == one.totals.send_errors == 0


@HOSTS
def test_a_socket_that_opens_late_and_every_packet_from_then_on(world: World, host: str) -> None:
    held, other, address = refusing(host)
    with held, other:
        engine = world.engine()
        world.open(engine, address=host)
        world.do(engine, sending_to(address))
        world.run(BURST - 0.1)
        held.close()
        with bind(*address) as late:
            before = endpoint_of(engine).sender.next_sequence_number
            world.run(2.0)
            final = world.close(engine)
            came = [late.recv(2048) for _ in range(final.packets_sent - 20)]
    numbers = [int.from_bytes(packet[2:4], "big") for packet in came]
    assert numbers == [(before + number) & 0xFFFF for number in range(len(numbers))]
    assert final.packets_unreachable == 0


def test_errors_of_the_address_before_a_move_do_not_count(world: World, closed: Address) -> None:
    engine = world.engine()
    world.open(engine)
    with bind(HOME, 0) as peer:
        world.do(engine, sending_to(closed))
        for _ in range(4):
            world.run(BURST - 0.1)
            world.do(engine, sending_to(peer.getsockname()))
            world.run(0.1)
            world.do(engine, sending_to(closed))
        assert endpoint_of(engine).destination.packets == 0
        world.run(BURST + 0.1)
        before = endpoint_of(engine).destination.packets
        assert before == pytest.approx(30, abs=2)
        world.do(engine, sending_to(peer.getsockname()))
        world.run(1.0)
        assert world.close(engine).packets_unreachable == before


def test_a_stream_that_sends_through_the_socket_of_another(world: World, closed: Address) -> None:
    engine = world.engine()
    with bind(HOME, 0) as peer:
        world.open(engine, 1)
        world.open(engine, 2)
        world.do(engine, sending_to(peer.getsockname()))
        world.do(engine, sending_to(closed, stream_id=2, send_through=1))
        world.run(2.0)
        assert world.close(engine, 1).packets_unreachable == 0
        assert world.close(engine, 2).packets_unreachable == pytest.approx(100, abs=2)


def test_a_socket_that_was_given(world: World, closed: Address) -> None:
    engine = world.engine()
    with bind(HOME, 0) as given:
        world.open(engine, rtp_fd=given.fileno())
        world.do(engine, sending_to(closed))
        world.run(2.0)
        assert world.close(engine).packets_unreachable == pytest.approx(100, abs=2)


def test_an_error_that_comes_while_a_socket_is_connected_leaves_it_connected(
    world: World, closed: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.socket.connect

    def refused_meanwhile(own: socket.socket, address: Address) -> None:
        own.sendto(b"x", closed)
        connect(own, address)

    engine = world.engine()
    opened = world.open(engine)
    with bind(HOME, 0) as peer:
        world.do(engine, sending_to(peer.getsockname(), source=("none",)))
        endpoint = endpoint_of(engine)
        first, second = (RtpPacket(0, number, 160 * number, 5, bytes(160)).to_bytes() for number in (1, 2))
        peer.sendto(first, (HOME, opened.rtp_port))
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "connect", refused_meanwhile)
            world.poll(engine)
        assert endpoint.rtp_socket.getpeername() == peer.getsockname()
        assert endpoint.sender.send == endpoint.rtp_socket.send
        world.run(0.1)
        assert not is_readable(engine)
        peer.sendto(second, (HOME, opened.rtp_port))
        world.run(0.1)
        assert world.close(engine).packets_received == 2


def test_a_call_without_errors_reads_no_queue(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[socket.socket] = []
    monkeypatch.setattr(socket.socket, "recvmsg", lambda own, *_: read.append(own))
    one, other = call(world)
    world.run(2.0)
    assert endpoint_of(one).sender.packets_sent == pytest.approx(100, abs=2)
    for engine in (one, other):
        world.close(engine)
    assert read == []


class Reported:
    """A socket whose error queue has these errors."""

    def __init__(self, *errors: tuple[int, int, int, int], family: int = socket.AF_INET) -> None:
        self._errors = list(errors)
        self._kind = (socket.IPPROTO_IP, 11) if family == socket.AF_INET else (socket.IPPROTO_IPV6, 25)
        self.cleared = 0

    def recvmsg(self, size: int, ancillary: int, flags: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        assert flags == socket.MSG_ERRQUEUE
        if not self._errors:
            raise BlockingIOError
        number, origin, what, code = self._errors.pop()
        extended = struct.pack("IBBBBII", number, origin, what, code, 0, 0, 0)
        return b"", [(*self._kind, extended)], flags, ("192.0.2.9", 4000, 0, 0)

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        self.cleared += 1
        return 0


@pytest.mark.parametrize(
    ("family", "number", "origin", "what", "code", "counts"),
    [
        (socket.AF_INET, errno.ECONNREFUSED, 2, 3, 3, True),  # port
        (socket.AF_INET, errno.EHOSTUNREACH, 2, 3, 1, True),  # host
        (socket.AF_INET, errno.ENETUNREACH, 2, 3, 0, True),  # net
        (socket.AF_INET, errno.EHOSTUNREACH, 2, 3, 13, True),  # administratively prohibited
        (socket.AF_INET6, errno.ECONNREFUSED, 3, 1, 4, True),  # port
        (socket.AF_INET6, errno.EACCES, 3, 1, 1, True),  # administratively prohibited
        (socket.AF_INET6, errno.EHOSTUNREACH, 3, 1, 3, True),  # address
        (socket.AF_INET, errno.EMSGSIZE, 2, 3, 4, False),  # fragmentation needed
        (socket.AF_INET6, errno.EMSGSIZE, 3, 2, 0, False),  # packet too big
        (socket.AF_INET, errno.EHOSTUNREACH, 2, 11, 0, False),  # time exceeded
        (socket.AF_INET, errno.EMSGSIZE, 1, 0, 0, False),  # of this machine
        (socket.AF_INET, 0, 4, 3, 3, False),  # a time stamp
    ],
)
def test_what_counts_as_unreachable(
    family: int, number: int, origin: int, what: int, code: int, *, counts: bool
) -> None:
    """RFC 792, RFC 4443 3.1."""
    reported = Reported((number, origin, what, code), family=family)
    assert list(unreachable(cast("socket.socket", reported))) == ([("192.0.2.9", 4000)] if counts else [])
    assert reported.cleared == 1


def test_an_error_queue_is_read_in_parts() -> None:
    reported = Reported(*[(errno.ECONNREFUSED, 2, 3, 3)] * 100)
    lengths = [len(list(unreachable(cast("socket.socket", reported)))) for _ in range(3)]
    assert lengths == [64, 36, 0]


@HOSTS
def test_the_kernel_reports_the_destination_of_what_was_sent(host: str) -> None:
    held, other, address = refusing(host)
    with held, other, bind(host, 0) as sock:
        keep_errors(sock)
        sock.sendto(b"x", address)
        assert list(unreachable(sock)) == [address]
        assert list(unreachable(sock)) == []
        sock.sendto(b"x", address)  # the error of the first is read, and fails nothing


class Stream:
    """What one stream has sent."""

    def __init__(self) -> None:
        self.sent = 0
        self.destination = Destination(lambda: self.sent)

    def report(self, *times: float) -> int:
        """Errors at these times, at 50 packets a second; returns what counts."""
        for now in times:
            self.sent = 1 + round(now * 50)
            self.destination.report(now)
        return self.destination.packets


@pytest.mark.parametrize(
    ("times", "packets"),
    [
        ((0.0,), 0),
        ((0.0, 0.02, 0.04, 0.06, 0.08, 0.1), 0),  # the burst that Linux allows, and then a socket
        ((0.0, BURST), 26),
        ((0.0, 0.02, 0.12, 1.02, 2.03, 3.02, 4.04), 203),  # then one a second
        ((0.0, PAUSE), 251),
        ((0.0, PAUSE + 0.1), 0),  # two errors that have nothing to do with each other
        ((0.0, 1.0, 9.0, 10.0), 102),
        ((0.0, 1.0, 9.0), 51),
    ],
)
def test_errors_make_spans(times: tuple[float, ...], packets: int) -> None:
    assert Stream().report(*times) == packets


def test_what_is_not_sent_in_a_span_does_not_count() -> None:
    stream = Stream()
    stream.report(0.0, 1.0)
    stream.destination.report(4.0)  # on hold since then
    assert stream.destination.packets == 51


def test_errors_count_for_the_streams_that_send_to_their_address() -> None:
    destinations, here, there = Destinations(), ("192.0.2.1", 4000), ("192.0.2.1", 4002)
    streams = [Stream() for _ in range(3)]

    def report(address: Address, at: float = 0.0) -> list[int]:
        for now in (at, at + 1.0):
            for each in streams:
                each.sent = 1 + round(now * 50)
            destinations.report(address, now)
        return [each.destination.packets for each in streams]

    for stream, address in zip(streams, (here, there, here), strict=True):
        destinations.move(stream.destination, address)
    assert report(("192.0.2.2", 4000)) == [0, 0, 0]
    assert report(here) == [51, 0, 51]
    destinations.move(streams[0].destination, there)
    destinations.move(streams[2].destination, None)
    assert report(here, 2.0) == [51, 0, 51]
    assert report(there, 4.0) == [102, 51, 51]
