"""Ports and sockets: the pool, pairs, what a source looks like, and quarantine (RELIABILITY B9, S4)."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from itertools import count

import pytest

from sipswarm.media.ports import PortPool
from sipswarm.media.sockets import (
    NoDescriptor,
    NoPort,
    Quarantine,
    adopt,
    bind,
    bind_pair,
    canonical,
    disconnect,
    drain,
    is_multicast,
    is_null,
    waits,
)

HOME = "127.0.0.1"


@pytest.fixture
def free_base() -> int:
    """An even port with room above it that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOME, 0))
        return min(int(probe.getsockname()[1]) & ~1, 65000)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_pool_gives_each_even_port_once_in_random_order() -> None:
    pool = PortPool(2001, 2021, os.urandom)
    assert pool.size == pool.free == 10
    taken = [pool.take() for _ in range(10)]
    assert sorted(port for port in taken if port is not None) == list(range(2002, 2021, 2))
    assert pool.take() is None
    pool.give_back(2004)
    assert pool.take() == 2004


def test_the_pool_follows_the_random_source() -> None:
    numbers = count()
    pool = PortPool(2000, 2007, lambda size: next(numbers).to_bytes(size, "big"))
    assert [pool.take() for _ in range(4)] == [2000, 2002, 2006, 2004]


@pytest.mark.parametrize(("first", "last"), [(1023, 2000), (2000, 2000), (2000, 65536), (3000, 2000)])
def test_a_range_that_is_none_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="need a range within 1024 to 65535"):
        PortPool(first, last, os.urandom)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("2001:DB8:0::1", "2001:db8::1"), ("fe80::0:1", "fe80::1")],
)
def test_addresses_are_written_as_the_kernel_does(address: str, expected: str) -> None:
    assert canonical(address) == expected


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3", "1.2.3.4.5", ":::", "127.0.0.1:80", "\x00"])
def test_a_name_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="is no IP address"):
        canonical(address)


def test_null_and_multicast_addresses_are_known() -> None:
    assert [is_null(each) for each in ("", "0.0.0.0", "::", "127.0.0.1", "::1")] == [True, True, True, False, False]
    assert [is_multicast(each) for each in ("224.0.0.1", "255.255.255.255", "ff02::1", "10.0.0.1", "::1")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("address", [HOME, "::1"])
def test_a_pair_is_even_and_odd(address: str, free_base: int) -> None:
    pool = PortPool(free_base, free_base + 40, os.urandom)
    rtp, rtcp, port = bind_pair(address, pool)
    with rtp, rtcp:
        assert rtp.getsockname()[1] == port
        assert port % 2 == 0
        assert rtcp.getsockname()[1] == port + 1
        assert pool.free == pool.size - 1


def test_a_port_that_somebody_has_is_passed_over_and_given_back(free_base: int) -> None:
    pool = PortPool(free_base, free_base + 3, os.urandom)
    with bind(HOME, free_base + 1):
        rtp, rtcp, _ = bind_pair(HOME, pool)
        with rtp, rtcp:
            assert rtp.getsockname()[1] == free_base + 2
            with pytest.raises(NoPort):
                bind_pair(HOME, pool)
    assert pool.free == 1


def test_an_address_that_is_not_ours_is_no_matter_of_ports(free_base: int) -> None:
    pool = PortPool(free_base, free_base + 3, os.urandom)
    with pytest.raises(OSError, match="assign requested address"):
        bind_pair("192.0.2.1", pool)
    assert pool.free == 2


def test_without_descriptors_the_pair_is_refused_and_nothing_is_lost(free_base: int) -> None:
    pool = PortPool(free_base, free_base + 3, os.urandom)
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 1, hard))
        with pytest.raises(NoDescriptor):
            bind_pair(HOME, pool)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert pool.free == 2
    assert descriptors() == before


def test_a_callers_socket_is_duplicated() -> None:
    with bind(HOME, 0) as own, adopt(own.fileno()) as ours:
        assert ours.fileno() != own.fileno()
        assert ours.getsockname() == own.getsockname()


def test_a_descriptor_that_is_no_socket_is_refused_and_no_duplicate_stays() -> None:
    before = descriptors()
    with open(os.devnull) as file, pytest.raises(OSError, match="non-socket"):
        adopt(file.fileno())
    assert descriptors() == before


def test_only_udp_is_adopted() -> None:
    before = descriptors()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, pytest.raises(OSError) as raised:  # noqa: PT011
        adopt(tcp.fileno())
    assert raised.value.errno == errno.EPROTOTYPE
    assert descriptors() == before


def test_a_disconnected_socket_hears_everybody_again_on_its_port(free_base: int) -> None:
    with bind(HOME, free_base) as sock, bind(HOME, 0) as friend, bind(HOME, 0) as stranger:
        address = sock.getsockname()
        sock.connect(friend.getsockname())
        stranger.sendto(b"dropped by the kernel", address)
        disconnect(sock)
        assert sock.getsockname() == address
        stranger.sendto(b"heard", address)
        assert sock.recv(100) == b"heard"


def test_draining_counts_and_stops_at_its_bound() -> None:
    with bind(HOME, 0) as sock, bind(HOME, 0) as peer:
        assert drain(sock) == (0, 0)
        for _ in range(5):
            peer.sendto(b"x", sock.getsockname())
        assert drain(sock) == (5, 5)
        for _ in range(100):
            peer.sendto(b"x", sock.getsockname())
        assert drain(sock) == (64, 64)
        assert drain(sock) == (36, 36)


def test_draining_tells_rtcp_by_its_payload_type() -> None:
    """64 to 95 below the bit that is RTP's marker: RFC 5761 section 4."""
    with bind(HOME, 0) as sock, bind(HOME, 0) as peer:
        for second in (0, 8, 0x80, 64, 95, 191, 192, 200, 204, 223, 224, 255):
            peer.sendto(bytes((0x80, second)) + bytes(10), sock.getsockname())
        peer.sendto(b"", sock.getsockname())
        assert drain(sock) == (13, 9)


def test_what_waits_is_told_and_left() -> None:
    with bind(HOME, 0) as sock, bind(HOME, 0) as peer:
        assert not waits(sock)
        peer.sendto(b"", sock.getsockname())
        assert waits(sock)
        assert drain(sock) == (1, 1)
        assert not waits(sock)


def test_draining_swallows_what_icmp_said() -> None:
    with bind(HOME, 0) as sock:
        with bind(HOME, 0) as gone:
            sock.connect(gone.getsockname())
        sock.send(b"x")
        assert drain(sock)[0] <= 64


class TestQuarantine:
    """A pair rests until its peer was silent for five seconds; times are literals, sockets are real."""

    @pytest.fixture
    def peer(self) -> Iterator[socket.socket]:
        with bind(HOME, 0) as peer:
            yield peer

    def resting(self, free_base: int) -> tuple[PortPool, Quarantine, int]:
        pool = PortPool(free_base, free_base + 1, os.urandom)
        quarantine = Quarantine(pool)
        rtp, rtcp, port = bind_pair(HOME, pool)
        quarantine.add((rtp, rtcp), port, 100.0)
        return pool, quarantine, port

    def run(self, quarantine: Quarantine, until: float) -> None:
        while (deadline := quarantine.deadline()) is not None and deadline <= until:
            quarantine.expire(deadline)

    def test_a_silent_pair_is_free_after_five_seconds(self, free_base: int) -> None:
        before = descriptors()
        pool, quarantine, _ = self.resting(free_base)
        assert (len(quarantine), quarantine.sockets) == (1, 2)
        self.run(quarantine, 104.9)
        assert pool.free == 0
        self.run(quarantine, 105.0)
        assert pool.free == 1
        assert quarantine.deadline() is None
        assert descriptors() == before

    def test_a_peer_that_goes_on_keeps_the_port_and_it_follows_within_six_seconds(
        self, free_base: int, peer: socket.socket
    ) -> None:
        pool, quarantine, port = self.resting(free_base)
        now = 100.0
        while now < 120.0:
            peer.sendto(b"late", (HOME, port))
            now += 0.5
            self.run(quarantine, now)
        assert pool.free == 0
        self.run(quarantine, 124.0)
        assert pool.free == 0
        self.run(quarantine, 126.0)
        assert pool.free == 1

    def test_after_ten_minutes_the_port_is_free_whatever_comes(self, free_base: int, peer: socket.socket) -> None:
        pool, quarantine, port = self.resting(free_base)
        for now in range(101, 700):
            peer.sendto(b"late", (HOME, port))
            self.run(quarantine, now)
        assert pool.free == 0
        self.run(quarantine, 701.0)
        assert pool.free == 1

    def test_closing_releases_at_once(self, free_base: int) -> None:
        before = descriptors()
        pool, quarantine, _ = self.resting(free_base)
        quarantine.close()
        assert pool.free == 1
        assert descriptors() == before

    def test_what_is_not_of_the_pool_does_not_go_there(self) -> None:
        pool = PortPool(2000, 2001, os.urandom)
        quarantine = Quarantine(pool, 0.0)
        quarantine.add((bind(HOME, 0),), 0, 1.0)
        quarantine.expire(1.0)
        assert len(quarantine) == 1
        quarantine.expire(1.1)
        assert (len(quarantine), pool.free) == (0, 1)
