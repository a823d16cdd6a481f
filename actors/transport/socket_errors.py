"""Meanings of socket errors for a request: whether to wait for its repetition, and which side is to blame.

Errors of UDP that come later, by ICMP, wait in the socket's error queue (ip(7), IP_RECVERR), each with octets of the
datagram that it is about. RFC 3261 section 18.4 lists those that are failures.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..diagnosis.request_loss import Loss

_LOCAL: Final = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EADDRNOTAVAIL, errno.EADDRINUSE),
        *(errno.ENETDOWN, errno.EBADF),
    }
)
_NO_WAY: Final = frozenset({errno.EACCES, errno.EINVAL, errno.EAFNOSUPPORT, errno.ENETUNREACH})
"""Errors of the destination: a broadcast address, one that no host has, of another network."""
TRANSIENT: Final = frozenset({errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM, errno.ECONNREFUSED})
"""Errors of a datagram that its repetition may not meet again; ECONNREFUSED is of an earlier datagram."""
AWAY: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
"""Errors of a network that is not there, for some seconds or for good: an interface is down, its address is renewed."""
_RECEIVE_ERRORS: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR, which Python does not name."""
_EXTENDED: Final = struct.Struct("IBBBBII")
"""Of sock_extended_err: errno, origin, type, code, pad, info, data."""
_FAILURES: Final = {2: (3, 12), 3: (1, 4)}
"""By origin (ICMP, ICMPv6): destination unreachable, parameter problem."""
_QUOTED: Final = 2048
"""Octets of the datagram that are read back; ICMP carries some 500, ICMPv6 some 1,200."""
ERRORS_PER_TURN: Final = 64
"""Errors that are read from a queue at once."""


def loss_of(number: int | None) -> Loss:
    """Return what an error of connecting or sending means.

    Args:
        number: errno, None = none was given.
    """
    if number == errno.EMSGSIZE:
        return Loss.TOO_LONG
    if number in _NO_WAY:
        return Loss.NO_WAY
    return Loss.LOCAL if number in _LOCAL else Loss.UNREACHABLE


class Undelivered(NamedTuple):
    """A datagram that was sent and did not arrive."""

    host: str
    port: int
    data: bytes
    """Its first octets."""
    reason: str
    """In words, for the log."""


def keep_errors(opened: socket.socket) -> None:
    """Have the kernel keep the ICMP errors of datagrams from a UDP socket.

    From then on any operation may fail with the error of an earlier datagram.
    """
    level, option = _RECEIVE_ERRORS[opened.family]
    opened.setsockopt(level, option, 1)


def undelivered(opened: socket.socket) -> Iterator[Undelivered]:
    """Empty the error queue of a socket, up to a bound, and yield the failures in it (RFC 3261 section 18.4)."""
    for _ in range(ERRORS_PER_TURN):
        try:
            data, ancillary, _, address = opened.recvmsg(_QUOTED, 512, socket.MSG_ERRQUEUE)
        except OSError:  # BlockingIOError: the queue is empty
            return
        for level, kind, octets in ancillary:
            if (level, kind) != _RECEIVE_ERRORS[opened.family] or len(octets) < _EXTENDED.size:
                continue
            number, origin, what, code, *_ = _EXTENDED.unpack_from(octets)
            too_long = number == errno.EMSGSIZE  # the kernel has learned the path MTU, and cuts the repetition
            if what in _FAILURES.get(origin, ()) and not too_long and address:
                yield Undelivered(
                    address[0], address[1], data, f"{os.strerror(number)} (ICMP type {what}, code {code})"
                )
