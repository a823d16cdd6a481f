"""Relays: what comes to one stream leaves from the sockets of another one, octet for octet.

Two streams are the two sides of a relay. Nothing of a packet is read or changed, so SRTP, DTMF and every codec pass.
Each socket takes packets from one source only: the first at the announced address or at that of the signalling, until
another address is announced (RFC 4961; RELIABILITY S4). It sends to that source, and before there is one to the
announced address. A packet from a socket of another relay is dropped, so that none goes round for ever. A read must
never block. The poll set and the ports belong to the engine.
"""

import socket
from collections.abc import Iterable
from typing import Any, Final

from .endpoint import BUFFER, StreamEndpoint
from .messages import RelayStream, StreamSilent
from .refusal import Refusal, Refused
from .sockets import Address, canonical, is_multicast, is_null, unreachable
from .totals import RELAY_RESULTS

FORWARDED, BAD_SOURCE, NO_DESTINATION, OVERSIZE, SEND_ERROR = range(len(RELAY_RESULTS))
_AT_ONCE: Final = 64
"""Datagrams that are read from a socket before the next one has its turn."""
_LOOKS_EVERY: Final = 1.0
"""Seconds between two looks at streams at most, unless this process stood still."""


class _Port:
    """One socket of a side, and where its peer is."""

    __slots__ = ("_announced", "_counts", "_source", "opposite", "sock")

    def __init__(self, sock: socket.socket, counts: list[int]) -> None:
        self.sock = sock
        self.opposite: _Port | None = None
        """Sends what comes here; None = there is none."""
        self._counts = counts
        self._announced: Address | None = None
        self._source: tuple[Any, ...] | None = None
        """The source that is taken, as the kernel writes it."""

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        host, port = self.sock.getsockname()[:2]
        return host, port

    def announce(self, address: Address | None) -> None:
        """Set where the peer says that it is; another address than before lets another source in."""
        if address != self._announced:
            self._announced, self._source = address, None

    def take(self, buffer: bytearray, hosts: frozenset[str], own: set[Address]) -> bool:
        """Read what waits, and send it on; returns whether anything came from the peer.

        Args:
            buffer: for one datagram, of BUFFER octets.
            hosts: whose first packet decides the source.
            own: the sockets of all relays.
        """
        heard, counts, octets = False, self._counts, memoryview(buffer)
        for number in range(_AT_ONCE):
            try:
                size, source = self.sock.recvfrom_into(buffer)
            except BlockingIOError:
                if number:
                    return heard
                break  # what made it ready waits in the queue of errors
            except OSError:
                break
            if source != self._source:
                if self._source is not None or not self._is_from(source[:2], hosts, own):
                    counts[BAD_SOURCE] += 1
                    continue
                self._source = source
            heard = True
            if size >= BUFFER:
                counts[OVERSIZE] += 1
            else:
                self._pass_on(octets[:size])
        else:
            return heard
        for _ in unreachable(self.sock):
            pass  # a poll reports an error until it is read; none is of the next packet (RELIABILITY N8)
        return heard

    @staticmethod
    def _is_from(source: Address, hosts: frozenset[str], own: set[Address]) -> bool:
        return source[0].partition("%")[0] in hosts and source not in own

    def _pass_on(self, data: memoryview) -> None:
        self._counts[NO_DESTINATION if self.opposite is None else self.opposite.send(data)] += 1

    def take_kept(self, data: bytes, source: Address, hosts: frozenset[str], own: set[Address]) -> None:
        """Send on a datagram that came before the relay was; it decides no source."""
        if self._is_from(source, hosts, own):
            self._pass_on(memoryview(data))
        else:
            self._counts[BAD_SOURCE] += 1

    def send(self, data: memoryview) -> int:
        """Send a datagram to the peer; returns the index of what became of it in `RELAY_RESULTS`."""
        target = self._source or self._announced
        if target is None:
            return NO_DESTINATION
        for _ in range(2):  # the first error may be of an earlier packet
            try:
                self.sock.sendto(data, target)
            except OSError:
                continue
            return FORWARDED
        return SEND_ERROR


class RelaySide:
    """One stream of a relay: the peer's address, and the sockets that it sends to."""

    __slots__ = ("_buffer", "_hosts", "_limit", "_own", "_rtcp", "_rtp", "_since", "_stream_id", "_told")

    def __init__(
        self, endpoint: StreamEndpoint, buffer: bytearray, own: set[Address], counts: list[list[int]], now: float
    ) -> None:
        """Take the sockets of an endpoint.

        Args:
            buffer: of BUFFER octets, which all sides share.
            own: the sockets of all relays; these are added.
            counts: of RTP and of RTCP, by `RELAY_RESULTS`.
        """
        self._stream_id = endpoint.stream.stream_id
        self._rtp = _Port(endpoint.rtp_socket, counts[0])
        self._rtcp = None if endpoint.rtcp_socket is None else _Port(endpoint.rtcp_socket, counts[1])
        self._buffer = buffer
        self._own = own
        own.update(self.addresses)
        self._hosts: frozenset[str] = frozenset()
        self._limit = 0.0
        self._since = now
        self._told = False

    @property
    def addresses(self) -> list[Address]:
        """Where its sockets are bound."""
        return [each.address for each in (self._rtp, self._rtcp) if each is not None]

    @property
    def since(self) -> float:
        """When the newest packet of the peer came, before the first when the side was made."""
        return self._since

    def describe(self, rtp: Address | None, rtcp: Address | None, latch: str, limit: float) -> None:
        """Take what signalling says of the peer.

        Args:
            rtp, rtcp: where it announces to receive; None = unknown.
            latch: the signalling source, empty = unknown.
            limit: seconds of silence that are reported, 0 = none.
        """
        hosts = {address[0] for address in (rtp, rtcp) if address is not None}
        self._hosts = frozenset(hosts | {latch} if latch else hosts)
        self._limit = limit
        self._rtp.announce(rtp)
        if self._rtcp is not None:
            self._rtcp.announce(rtcp)

    def face(self, other: "RelaySide | None") -> None:
        """Send from the sockets of another side what comes here; None = nowhere."""
        self._rtp.opposite = None if other is None else other._rtp
        if self._rtcp is not None:
            self._rtcp.opposite = None if other is None else other._rtcp

    def take_rtp(self, size: int, now: float) -> None:
        """Send on what came to the RTP socket.

        Args:
            size: has no meaning here: nothing was read yet.
        """
        self._take(self._rtp, now)

    def take_kept(self, kept: Iterable[tuple[bytes, Address, float]]) -> None:
        """Send on what came to the RTP socket before the relay was.

        Args:
            kept: datagrams, where each is from, and when it came.
        """
        for data, source, _ in kept:
            self._rtp.take_kept(data, source, self._hosts, self._own)

    def take_rtcp(self, size: int, now: float) -> None:
        """Send on what came to the RTCP socket.

        Args:
            size: has no meaning here.
        """
        if self._rtcp is not None:
            self._take(self._rtcp, now)

    def _take(self, port: _Port, now: float) -> None:
        if port.take(self._buffer, self._hosts, self._own):
            self._since, self._told = now, False

    def stood_still(self, seconds: float, now: float) -> None:
        """Leave a time in which nothing was read out of the silence."""
        self._since = min(now, self._since + seconds)

    def silent(self, other: "RelaySide | None", now: float) -> StreamSilent | None:
        """Whether no packet has come in both directions for too long; each silence is told once."""
        seconds = now - (self._since if other is None else max(self._since, other.since))
        if not self._limit or seconds < self._limit:
            self._told = False
        elif not self._told:
            self._told = True
            return StreamSilent(self._stream_id, "limit", seconds)
        return None


class Relays:
    """The relays of one engine.

    Args:
        counts: of RTP and of RTCP, by `RELAY_RESULTS`.
        buffer: for what is read, of BUFFER octets.
    """

    __slots__ = ("_buffer", "_counts", "_looked_at", "_others", "_own", "_sides")

    def __init__(self, counts: list[list[int]], buffer: bytearray) -> None:
        self._counts = counts
        self._buffer = buffer
        self._own: set[Address] = set()
        self._sides: dict[StreamEndpoint, RelaySide] = {}
        self._others: dict[StreamEndpoint, StreamEndpoint] = {}
        self._looked_at = 0.0

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._sides

    def join(self, endpoint: StreamEndpoint, other: StreamEndpoint, command: RelayStream, now: float) -> RelaySide:
        """Carry a command out; returns the side of its stream, whose sockets are to be read.

        Raises:
            Refused: a stream has media of its own, or a value is none that a side can have.
        """
        if endpoint is other or any(each.heard and each not in self._sides for each in (endpoint, other)):
            raise Refused(Refusal.BAD_VALUE, "a relay needs two streams without media of their own")
        six = endpoint.rtp_socket.family == socket.AF_INET6
        rtp = self._address(command.remote_address, command.remote_port, six)
        rtcp = rtp
        if rtp is not None:
            host = command.remote_rtcp_address
            host = rtp[0] if is_null(host) or (":" in host) != six else host
            rtcp = self._address(host, command.remote_rtcp_port or min(rtp[1] + 1, 65535), six)
        latch = canonical(command.latch_address) if command.latch_address else ""
        side, there = self._side(endpoint, now), self._side(other, now)
        side.describe(rtp, rtcp, latch, command.inactivity_limit)
        for one, two in ((endpoint, other), (other, endpoint)):
            before = self._others.get(one)
            if before is not None and before is not two:
                self._part(one)
            self._others[one] = two
        side.face(there)
        there.face(side)
        return side

    def silent(self, endpoint: StreamEndpoint, now: float) -> StreamSilent | None:
        """Whether a relayed stream, and the one it is relayed to, were silent for too long; None for any other."""
        side = self._sides.get(endpoint)
        if side is None:
            return None
        stood_still, self._looked_at = now - self._looked_at - _LOOKS_EVERY, now
        if stood_still > 0:  # nothing was read meanwhile: it is no silence of the peers
            for each in self._sides.values():
                each.stood_still(stood_still, now)
        other = self._others.get(endpoint)
        return side.silent(None if other is None else self._sides.get(other), now)

    def leave(self, endpoint: StreamEndpoint) -> None:
        """Forget a stream that is closed; nothing is sent from its sockets any more."""
        side = self._sides.pop(endpoint, None)
        if side is not None:
            self._own.difference_update(side.addresses)
            self._part(endpoint)

    def _part(self, endpoint: StreamEndpoint) -> None:
        other = self._others.pop(endpoint, None)
        if other is not None and self._others.get(other) is endpoint:
            del self._others[other]
            there = self._sides.get(other)
            if there is not None:
                there.face(None)

    def _side(self, endpoint: StreamEndpoint, now: float) -> RelaySide:
        side = self._sides.get(endpoint)
        if side is None:
            if not self._sides:
                self._looked_at = now
            side = self._sides[endpoint] = RelaySide(endpoint, self._buffer, self._own, self._counts, now)
        return side

    def _address(self, host: str, port: int, six: bool) -> Address | None:
        """Return an announced address that can be sent to; None for one that means "unknown".

        Raises:
            Refused: it is of the other IP version, of a group, or a socket of a relay.
        """
        if is_null(host) or not port:
            return None
        address = canonical(host), port
        if not 0 < port < 65536 or (":" in host) != six or is_multicast(address[0]) or address in self._own:
            raise Refused(Refusal.BAD_VALUE, f"this stream cannot send to {host}, port {port}")
        return address
