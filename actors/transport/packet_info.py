"""Datagrams of a socket on 0.0.0.0 or ::, with the address of this host that each came to or is to leave from.

ip(7) IP_PKTINFO, ipv6(7) IPV6_RECVPKTINFO (RFC 3542 section 6). A response leaves from the address that its request
came to, or NATs and peers with connected sockets drop it (RFC 3581 section 4).
"""

import errno
import socket
import struct
from typing import Final

_IP_PKTINFO: Final = 8
_IN: Final = struct.Struct("=I4s4s")
"""Of in_pktinfo: interface, the address of this host, the destination in the header."""
_IN6: Final = struct.Struct("=16sI")
"""Of in6_pktinfo: address, interface."""
_ROOM: Final = 64
_UNFIT: Final = frozenset({errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH})
"""Errors of a source address that is gone meanwhile, or of loopback where the destination is not."""


def ask(opened: socket.socket) -> None:
    """Have the kernel report with each datagram the address that it came to."""
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def receive(opened: socket.socket, buffer: memoryview) -> tuple[int, tuple[str, int], str]:
    """Read a datagram into a buffer.

    Returns:
        Its octets, where it came from, and the address that it came to; empty when the kernel does not report that.

    Raises:
        OSError: as `recvmsg`.
    """
    size, ancillary, _, source = opened.recvmsg_into((buffer,), _ROOM)
    return size, (source[0], source[1]), _local(ancillary)


def _local(ancillary: list[tuple[int, int, bytes]]) -> str:
    for level, kind, octets in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(octets) >= _IN.size:
            return socket.inet_ntop(socket.AF_INET, _IN.unpack_from(octets)[1])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(octets) >= _IN6.size:
            packed: bytes = _IN6.unpack_from(octets)[0]
            multicast = packed[0] == 0xFF
            return "" if multicast else socket.inet_ntop(socket.AF_INET6, packed)
    return ""


def send(opened: socket.socket, data: bytes, address: tuple[str, int], local: str) -> None:
    """Send a datagram from one of the addresses of this host.

    Args:
        local: that address; empty, or unfit = as the kernel chooses.

    Raises:
        OSError: as `sendto`.
    """
    if local:
        try:
            opened.sendmsg((data,), (_control(opened.family, local),), 0, address)
        except OSError as error:
            if error.errno not in _UNFIT:
                raise
        else:
            return
    opened.sendto(data, address)


def _control(family: int, local: str) -> tuple[int, int, bytes]:
    if family == socket.AF_INET6:
        packed = socket.inet_pton(socket.AF_INET6, local.partition("%")[0])
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6.pack(packed, 0)
    return socket.IPPROTO_IP, _IP_PKTINFO, _IN.pack(0, socket.inet_aton(local), bytes(4))
