"""What the kernel says of this host's interfaces and addresses: rtnetlink (rtnetlink(7), linux/rtnetlink.h).

The kernel tells each change at once, so that nothing is asked for or read while nothing changes. `/sys/class/net` would
not do: a container may have none, or that of another network namespace.
"""

import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

NETLINK_ROUTE: Final = 0
_GROUPS: Final = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS: Final = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr: length, type
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DONE: Final = 3
_NEW_LINK, _DEL_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DEL_ADDRESS, _GET_ADDRESS = 20, 21, 22
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40  # netdevice(7)
_NAME: Final = 3  # IFLA_IFNAME
_REMOTE, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL
_LARGEST: Final = 65536
"""Octets; a message of a dump is at most 32 KiB."""
_AT_ONCE: Final = 64
"""Messages of the kernel that are read at once."""


class Link(NamedTuple):
    """An interface and its state."""

    number: int
    """Its index (ifi_index)."""
    name: str
    is_there: bool
    carries: bool
    """It is up and has its carrier (IFF_RUNNING)."""
    is_loopback: bool


class Address(NamedTuple):
    """An address of an interface."""

    number: int
    """The index of the interface."""
    address: str
    is_there: bool


class Done(NamedTuple):
    """A dump is over."""


class Watcher(Protocol):
    """What takes the changes; times are monotonic seconds."""

    def link(self, index: int, name: str, now: float, *, carries: bool, is_loopback: bool) -> None:
        """Take the state of an interface."""

    def link_gone(self, index: int, now: float) -> None:
        """Take that an interface was removed."""

    def address(self, index: int, address: str, now: float) -> None:
        """Take that an interface has an address."""

    def address_gone(self, index: int, address: str, now: float) -> None:
        """Take that an address was taken from an interface."""


class NetworkChanges:
    """A socket of the kernel that tells a watcher every interface and address, and then each change.

    Args:
        watcher: takes them.

    Raises:
        OSError: the kernel gives no such socket: a sandbox forbids it.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, NETLINK_ROUTE)
        self._asks = [_GET_ADDRESS]
        """Dumps to come, the last one first; the kernel makes one at a time."""
        try:
            self._socket.bind((0, _GROUPS))
            self._ask(_GET_LINK)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to read."""
        return self._socket.fileno()

    def read(self, now: float) -> None:
        """Read what the kernel says.

        Args:
            now: monotonic seconds.
        """
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: changes were lost; all that is there is told again
                self._asks = [_GET_ADDRESS]
                self._ask(_GET_LINK)
                return
            for change in changes(data):
                self._tell(change, now)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _tell(self, change: Link | Address | Done, now: float) -> None:
        if isinstance(change, Done):
            if self._asks:
                self._ask(self._asks.pop())
        elif isinstance(change, Link):
            if change.is_there:
                self._watcher.link(
                    change.number, change.name, now, carries=change.carries, is_loopback=change.is_loopback
                )
            else:
                self._watcher.link_gone(change.number, now)
        elif change.is_there:
            self._watcher.address(change.number, change.address, now)
        else:
            self._watcher.address_gone(change.number, change.address, now)

    def _ask(self, what: int) -> None:
        family = struct.pack("=B3x", socket.AF_UNSPEC)
        self._socket.send(_HEADER.pack(_HEADER.size + len(family), what, _DUMP, 0, 0) + family)


def changes(data: bytes) -> Iterator[Link | Address | Done]:
    """Read the messages of one datagram of the kernel; what is of another kind, or cut off, is left out."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, at)[:2]
        if not _HEADER.size <= length <= len(data) - at:
            return
        body = data[at + _HEADER.size : at + length]
        at += length + 3 & ~3
        if kind == _DONE:
            yield Done()
        elif kind in (_NEW_LINK, _DEL_LINK) and len(body) >= _LINK.size:
            family, _, index, flags, _ = _LINK.unpack_from(body)
            if family == socket.AF_UNSPEC:  # those of a bridge are about its ports
                name = _attributes(body[_LINK.size :]).get(_NAME, b"").rstrip(b"\0").decode("ascii", "replace")
                carries = flags & _UP and flags & _RUNNING
                yield Link(index, name, kind == _NEW_LINK, bool(carries), bool(flags & _LOOPBACK))
        elif kind in (_NEW_ADDRESS, _DEL_ADDRESS) and len(body) >= _ADDRESS.size:
            index = _ADDRESS.unpack_from(body)[4]
            found = _attributes(body[_ADDRESS.size :])
            packed = found.get(_LOCAL) or found.get(_REMOTE) or b""
            if len(packed) in (4, 16):
                yield Address(index, str(ipaddress.ip_address(packed)), kind == _NEW_ADDRESS)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            break
        found[kind & 0x3FFF] = data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    return found
