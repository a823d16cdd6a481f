"""UDP sockets of media: binding a pair, canonical addresses, connecting and disconnecting, ICMP errors, quarantine.

A port that was closed rests with its socket open until its peer has been silent for some seconds, so that late RTP
never reaches the next stream on that port (RELIABILITY B9); it is counted.
"""

import ctypes
import errno
import os
import socket
from collections import deque
from collections.abc import Iterator
from struct import Struct

from .ports import PortPool
from .rtp.packet import is_rtcp

Address = tuple[str, int]
"""Canonical IP literal and port."""

_BIND_TRIES = 64
_LIBC = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = bytes(16)  # a sockaddr of family AF_UNSPEC dissolves a connection (connect(2))
_DRAIN_AT_ONCE = 64
_RECEIVE_ERRORS: dict[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
"""IP_RECVERR and IPV6_RECVERR, which Python does not name."""
_EXTENDED = Struct("IBBB")
"""The first of sock_extended_err (ip(7)): errno, origin, ICMP type, ICMP code."""
_UNREACHABLE = {2: 3, 3: 1}
"""By origin (ICMP, ICMPv6), the type of "destination unreachable" (RFC 792, RFC 4443 3.1)."""


class NoPort(Exception):
    """No pair of the pool could be bound."""


class NoDescriptor(Exception):
    """The process has no file descriptor left."""


def canonical(address: str) -> str:
    """An IP literal in the form that the kernel reports sources in.

    Raises:
        ValueError: anything else.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError) as error:
        raise ValueError(f"{address!r} is no IP address") from error


def is_null(address: str) -> bool:
    """Whether an address means "do not send": empty, 0.0.0.0 or :: (RFC 3264 8.4)."""
    return address in ("", "0.0.0.0", "::")


def is_multicast(address: str) -> bool:
    """Whether a canonical address is multicast or broadcast, which one stream never sends to (RELIABILITY S2)."""
    if ":" in address:
        return address.lower().startswith("ff")
    return int(address.split(".", 1)[0]) >= 224


def bind(address: str, port: int) -> socket.socket:
    """A non-blocking UDP socket bound to an IP literal and a port.

    Raises:
        OSError: the kernel refuses.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound


def bind_beside(sock: socket.socket) -> socket.socket:
    """Return a second socket at the address and port of a bound one, for what that one, once connected, does not take.

    The kernel hands a datagram to the socket that is connected to its source, else to the one that is not connected.
    Both allow the second binding (SO_REUSEADDR, socket(7)) for its moment only: after it the port is in use for
    everybody else.

    Raises:
        OSError: the kernel refuses.
    """
    beside = socket.socket(sock.family, socket.SOCK_DGRAM)
    try:
        beside.setblocking(False)
        if beside.family == socket.AF_INET6:
            beside.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        both = (sock, beside)
        for each in both:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            beside.bind(sock.getsockname())
        finally:
            for each in both:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        beside.close()
        raise
    return beside


def bind_pair(address: str, pool: PortPool) -> tuple[socket.socket, socket.socket, int]:
    """RTP on a random even port of the pool, and RTCP on the port above it.

    Returns:
        Both sockets, and the even port, which is taken from the pool.

    Raises:
        NoPort, NoDescriptor: none is free.
        OSError: the kernel refuses.
    """
    busy: list[int] = []
    try:
        for _ in range(_BIND_TRIES):
            port = pool.take()
            if port is None:
                raise NoPort
            rtp = None
            try:
                rtp = bind(address, port)
                return rtp, bind(address, port + 1), port
            except OSError as error:
                busy.append(port)
                if rtp is not None:
                    rtp.close()
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise NoDescriptor from error
                if error.errno != errno.EADDRINUSE:
                    raise
        raise NoPort
    finally:
        for port in busy:
            pool.give_back(port)


def adopt(descriptor: int) -> socket.socket:
    """A socket of our own for a bound UDP descriptor of the user, which is duplicated.

    Raises:
        OSError: the kernel refuses.
    """
    duplicate = os.dup(descriptor)
    try:
        adopted = socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise
    if adopted.type != socket.SOCK_DGRAM or adopted.family not in (socket.AF_INET, socket.AF_INET6):
        adopted.close()
        raise OSError(errno.EPROTOTYPE, "not a UDP socket")
    adopted.setblocking(False)
    return adopted


def disconnect(connected: socket.socket) -> None:
    """Dissolve a UDP connection; the socket module cannot express AF_UNSPEC.

    The binding stays if the port was named in `bind`; a port that the kernel chose would be lost.
    """
    _LIBC.connect(connected.fileno(), _UNSPECIFIED, len(_UNSPECIFIED))


def keep_errors(sock: socket.socket) -> None:
    """Have the kernel keep the ICMP errors about packets of a socket, connected or not (ip(7), IP_RECVERR).

    From then on any sending or receiving may fail once with the error of an earlier packet, and a poll reports an error
    until `unreachable` has read it.

    Raises:
        OSError: the kernel refuses.
    """
    level, option = _RECEIVE_ERRORS[sock.family]
    sock.setsockopt(level, option, 1)


def unreachable(sock: socket.socket) -> Iterator[Address]:
    """Empty the error queue of a socket, at most 64 errors, and yield the destinations that ICMP says are unreachable.

    A packet that is too long for the path does not count: the kernel cuts the next one. Errors of this machine are
    those of the call that met them.
    """
    for _ in range(_DRAIN_AT_ONCE):
        try:
            _, ancillary, _, address = sock.recvmsg(0, 256, socket.MSG_ERRQUEUE)
        except OSError:  # BlockingIOError: the queue is empty
            break
        for level, kind, octets in ancillary:
            if (level, kind) in _RECEIVE_ERRORS.values() and len(octets) >= _EXTENDED.size and address:
                number, origin, what, _ = _EXTENDED.unpack_from(octets)
                if what == _UNREACHABLE.get(origin) and number != errno.EMSGSIZE:
                    yield address[0], address[1]
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # an error that found no place in the queue: reading clears it


def waits(sock: socket.socket) -> bool:
    """Whether a datagram, or an error of an earlier one, is to be read."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def drain(sock: socket.socket) -> tuple[int, int]:
    """Throw away what waits, at most 64 datagrams; returns how many it was, and how many of them were no RTCP."""
    rtp = 0
    for count in range(_DRAIN_AT_ONCE):
        try:
            head = sock.recv(2)
        except BlockingIOError:
            return count, rtp
        except OSError:
            continue  # a pending ICMP error: reading it clears it
        rtp += len(head) < 2 or not is_rtcp(head)
    return _DRAIN_AT_ONCE, rtp


class _Resting:
    """One pair in quarantine."""

    __slots__ = ("check_at", "last_packet", "port", "since", "sockets")

    def __init__(self, sockets: tuple[socket.socket, ...], port: int, now: float) -> None:
        self.sockets = sockets
        self.port = port
        self.since = now
        self.last_packet = now
        self.check_at = now


class Quarantine:
    """Closed ports, each kept until its peer was quiet long enough."""

    __slots__ = ("_period", "_resting", "longest", "pool", "quiet", "rtp_packets")

    def __init__(self, pool: PortPool, quiet: float = 5.0, longest: float = 600.0) -> None:
        """Begin empty.

        Args:
            pool: where ports go back to.
            quiet: seconds without a packet.
            longest: seconds after which a port is given back even if its peer still sends.
        """
        self.pool = pool
        self.quiet = quiet
        self.longest = longest
        self._period = min(1.0, quiet / 4) or 0.05
        self._resting: deque[_Resting] = deque()
        self.rtp_packets = 0
        """RTP packets that came for streams that were over."""

    def __len__(self) -> int:
        """Pairs that rest."""
        return len(self._resting)

    @property
    def sockets(self) -> int:
        """Descriptors that rest."""
        return sum(len(pair.sockets) for pair in self._resting)

    def add(self, sockets: tuple[socket.socket, ...], port: int, now: float) -> None:
        """Take a pair's open sockets, that of RTP first.

        Args:
            port: the even port to give back, 0 = none of the pool.
        """
        pair = _Resting(sockets, port, now)
        self._drain(pair)
        pair.check_at = now + self._period
        self._resting.append(pair)

    def deadline(self) -> float | None:
        """When to call `expire` next; None when nothing rests."""
        return self._resting[0].check_at if self._resting else None

    def expire(self, now: float, most: int = 256) -> None:
        """Look at the pairs whose turn it is, at most a fixed number, and release those that were quiet."""
        resting = self._resting
        for _ in range(min(most, len(resting))):
            if resting[0].check_at > now:
                return
            pair = resting.popleft()
            if self._drain(pair):
                pair.last_packet = now
            if now - pair.last_packet >= self.quiet or now - pair.since >= self.longest:
                self._release(pair)
            else:
                pair.check_at = now + self._period
                resting.append(pair)

    def count(self) -> None:
        """Throw away what waits at every pair, counted."""
        for pair in self._resting:
            self._drain(pair)

    def close(self) -> None:
        """Release everything at once."""
        while self._resting:
            self._release(self._resting.popleft())

    def _drain(self, pair: _Resting) -> int:
        """Throw away what waits at a pair; returns how many datagrams it was."""
        total = 0
        for number, each in enumerate(pair.sockets):
            count, rtp = drain(each)
            total += count
            self.rtp_packets += rtp if number == 0 else 0
        return total

    def _release(self, pair: _Resting) -> None:
        self._drain(pair)
        for each in pair.sockets:
            each.close()
        if pair.port:
            self.pool.give_back(pair.port)
