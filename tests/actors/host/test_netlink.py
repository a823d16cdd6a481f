"""What the kernel says of interfaces and addresses: messages as the kernel writes them, and its own."""

import select
import socket
import struct

import pytest

from sipswarm.actors.host.netlink import Address, Done, Link, NetworkChanges, changes

UP, LOOPBACK, RUNNING = 0x1, 0x8, 0x40


def message(kind: int, body: bytes) -> bytes:
    """A message of rtnetlink, padded as in a datagram (netlink(7))."""
    data = struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body
    return data + bytes(-len(data) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute (rtnetlink(7))."""
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def link(kind: int, index: int, name: str, flags: int, family: int = 0) -> bytes:
    """RTM_NEWLINK or RTM_DELLINK with an address of Ethernet before the name."""
    head = struct.pack("=BxHiII", family, 1, index, flags, 0xFFFFFFFF)
    return message(kind, head + attribute(1, bytes(6)) + attribute(3, name.encode() + b"\0"))


def address(kind: int, index: int, *attributes: bytes) -> bytes:
    """RTM_NEWADDR or RTM_DELADDR."""
    return message(kind, struct.pack("=BBBBI", 2, 24, 0, 0, index) + b"".join(attributes))


def test_links_and_addresses_are_read_in_order() -> None:
    first, second = socket.inet_aton("192.0.2.1"), socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    data = (
        link(16, 1, "lo", UP | RUNNING | LOOPBACK)
        + link(16, 2, "eth0", UP)
        + link(16, 3, "eth1", RUNNING)
        + link(17, 4, "veth9", 0)
        + address(20, 2, attribute(1, socket.inet_aton("192.0.2.2")), attribute(2, first))  # of a point-to-point link
        + address(21, 2, attribute(1, second))
        + message(3, bytes(4))
    )
    assert list(changes(data)) == [
        Link(1, "lo", is_there=True, carries=True, is_loopback=True),
        Link(2, "eth0", is_there=True, carries=False, is_loopback=False),
        Link(3, "eth1", is_there=True, carries=False, is_loopback=False),
        Link(4, "veth9", is_there=False, carries=False, is_loopback=False),
        Address(2, "192.0.2.1", is_there=True),
        Address(2, "2001:db8::1", is_there=False),
        Done(),
    ]


def test_what_is_of_another_kind_or_cut_off_is_left_out() -> None:
    whole = link(16, 2, "eth0", UP | RUNNING)
    assert list(changes(link(16, 2, "eth0", UP, family=socket.AF_INET6) + message(24, bytes(12)) + whole))
    for end in range(len(whole)):
        assert list(changes(whole[:end])) == []
    for size in range(16):
        list(changes(message(16, bytes(size)) + message(20, bytes(size))))  # shorter than their heads: nothing raised
    assert list(changes(struct.pack("=IHHII", 0, 16, 0, 0, 0) + whole)) == []
    assert list(changes(address(20, 2, attribute(1, b"abc")))) == []


class Seen:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.links: dict[int, tuple[str, bool, bool]] = {}
        self.addresses: dict[str, int] = {}

    def link(self, index: int, name: str, now: float, *, carries: bool, is_loopback: bool) -> None:
        """Keep an interface."""
        self.links[index] = name, carries, is_loopback

    def link_gone(self, index: int, now: float) -> None:
        """Forget an interface."""
        self.links.pop(index, None)

    def address(self, index: int, address: str, now: float) -> None:
        """Keep an address."""
        self.addresses[address] = index

    def address_gone(self, index: int, address: str, now: float) -> None:
        """Forget an address."""
        self.addresses.pop(address, None)


def test_the_kernel_tells_the_interfaces_and_addresses_that_are_there() -> None:
    seen = Seen()
    try:
        told = NetworkChanges(seen)
    except OSError as error:
        pytest.skip(f"no rtnetlink here: {error}")
    try:
        while "127.0.0.1" not in seen.addresses and select.select([told], [], [], 10)[0]:
            told.read(0.0)
        assert seen.links[seen.addresses["127.0.0.1"]] == ("lo", True, True)
    finally:
        told.close()
    assert told.fileno() == -1
