"""One open stream with its sockets: reading, the source lock, connecting, RTCP in and out, silence.

It joins the sans-IO `Stream`, `SourceLock` and `RtcpSession` to two UDP sockets. A datagram is checked for its source
first, then goes to the receiver, and to RTCP where the receiver finds one. Once the source is locked and is also the
address to send to, the RTP socket is connected, so that the kernel does the check and no address is read any more
(RELIABILITY S4). What others send comes to the socket beside it. A read must never block, and a stranger must never
reach the receiver. The tick and the poll set belong to the engine.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import add, sub

from . import totals
from .beside import Beside, Taker
from .lock import Address, AnnouncedAddresses, SourceLock
from .messages import ConfigureStream, StreamOpened, StreamSilent
from .presence import Presence
from .refusal import Refusal, Refused
from .rtp.packet import RtpError
from .rtp.reception import Reception
from .rtp.reports import RtcpSession
from .rtp.srtp import SrtpSession, SrtpUnavailable, check_keys
from .sender import Sender
from .sockets import canonical, disconnect, is_multicast, is_null, keep_errors, unreachable, waits
from .stream import Stream
from .totals import MediaTotals
from .unreachable import Destination, Destinations

BUFFER = 32768
"""Octets read of a datagram; RTP of that size or more is dropped as oversize. 200 ms of L16 at 48 kHz are 19,200 octets
(RFC 3551 4.2)."""
_RTCP_BUFFER = 2048
_DRAIN = 256
_READ_AT_ONCE = 128
_KEPT = 64
"""Packets kept of sources on probation, and of all while nothing describes the peer; the oldest goes."""
_KEPT_FOR = 0.5
"""Seconds for which what came before any description is kept."""
_LOOKS_EVERY = 1.0
"""Seconds between two looks at a stream at most, unless this process stood still: three of them and a little."""


def _sources_of(addresses: Iterable[Address]) -> Iterator[Address]:
    """The addresses as sources of packets are written; names are left out."""
    for host, port in addresses:
        with contextlib.suppress(ValueError):
            yield canonical(host), port


@dataclass(frozen=True, slots=True)
class Shared:
    """What the endpoints of one engine share."""

    counted: MediaTotals
    buffer: bytearray
    """For what is read, of BUFFER octets."""
    sources: list[Reception | None]
    """By descriptor, what the engine's loop reads (`reception.take_ready`)."""
    due_of: Callable[[Sender], float]
    """When a sender's next interval begins; 0.0 = unknown."""
    hear: Callable[[socket.socket, Taker, int], None]
    """Have a socket read by a taker, for events of epoll. Raises OSError."""
    forget: Callable[[socket.socket], None]
    """End that."""
    announced: AnnouncedAddresses = field(default_factory=AnnouncedAddresses)
    destinations: Destinations = field(default_factory=Destinations)
    beside: "set[StreamEndpoint]" = field(default_factory=set)
    """Those that have a socket beside their RTP socket."""


class StreamEndpoint:
    """One stream on the network: its sockets, and who may send to them."""

    __slots__ = (
        "_beside",
        "_buffer",
        "_configured",
        "_connected",
        "_folded",
        "_kept",
        "_lock",
        "_own",
        "_receiver",
        "_rtcp_destination",
        "_send_from",
        "_shared",
        "_silence_from",
        "_silence_told",
        "_sources",
        "_srtp",
        "_srtp_session",
        "_watched_at",
        "chore",
        "destination",
        "heard",
        "owner",
        "pool_port",
        "presence",
        "report_due",
        "rtcp",
        "rtcp_socket",
        "rtp_socket",
        "send_socket",
        "sender",
        "settings",
        "stream",
        "visits",
    )

    def __init__(
        self,
        stream: Stream,
        rtp_socket: socket.socket,
        rtcp_socket: socket.socket | None,
        send_socket: socket.socket | None,
        pool_port: int,
        rtcp: RtcpSession,
        shared: Shared,
    ) -> None:
        """Take the sockets.

        Args:
            send_socket: one of its own for asymmetric RTP.

        Raises:
            OSError: the kernel refuses to keep the errors of a socket.
        """
        for each in (rtp_socket, send_socket):
            if each is not None:
                keep_errors(each)
        self._shared, self._buffer, self._sources = shared, shared.buffer, shared.sources
        self.stream = stream
        self.owner = stream.owner
        self.rtp_socket = rtp_socket
        self.rtcp_socket = rtcp_socket
        self.send_socket = send_socket
        self.pool_port = pool_port
        self.rtcp = rtcp
        self.settings = ConfigureStream(stream.stream_id)
        """The newest configuration."""
        self.chore = -1
        """In which bucket of its chores the engine holds the endpoint."""
        self.visits = 0
        """How often the engine looked after it."""
        self.heard = False
        """Its RTCP is read too, and what comes is media or relayed: from the first configuration on. The RTP socket is
        read from the start."""
        self.report_due = 0.0
        self._folded = (0, 0, 0, 0, 0, 0, 0), [0] * len(totals.DISCARD_REASONS)
        """What was added to the totals already: see `fold`."""
        self._lock = SourceLock(self._shared.announced.__contains__)
        self._kept: deque[tuple[bytes, Address, float]] = deque(maxlen=_KEPT)
        # One that was given is never connected: it might lose its port in `disconnect`.
        self._beside = Beside(rtp_socket, shared.hear, shared.forget, is_possible=bool(pool_port))
        self._connected: Address | None = None  # to whom the RTP socket is
        self._configured = False
        self._send_from = send_socket or rtp_socket
        self._own: frozenset[Address] = frozenset()
        """Of the sockets that the stream uses: what comes from them is a loop (RFC 3550 8.2)."""
        self._rtcp_destination: Address | None = None
        self._silence_from = stream.opened_at
        self._silence_told = 0
        self._watched_at = stream.opened_at
        self._srtp: SrtpSession | None = None
        self._srtp_session: SrtpSession | None = None  # also while the stream is plain: no index of a key comes twice
        self.sender = stream.sender
        self._receiver = stream.receiver
        self.presence = Presence(stream.receiver)
        """How long media was due and came."""
        sender = stream.sender
        self.destination = Destination(lambda: sender.packets_sent)
        """Where RTP goes, and what of it ICMP reported as not delivered."""
        self.sender.send = self._send_to
        self._receiver.remote = self.remote

    def opened(self) -> StreamOpened:
        """The event with the ports."""
        address, port = self.rtp_socket.getsockname()[:2]
        rtcp_port = self.rtcp_socket.getsockname()[1] if self.rtcp_socket is not None else 0
        return StreamOpened(self.stream.stream_id, address, port, rtcp_port, self._send_from.getsockname()[1])

    def remote(self) -> Address:
        """The source that is taken, or the announced one."""
        return self._lock.locked or self._lock.announced or ("", 0)

    # signalling

    def configure(self, command: ConfigureStream, sender: socket.socket | None, now: float) -> bool:
        """Take what signalling decided; `expect` is to follow when source and sink are set.

        Args:
            sender: another stream's socket to send from.

        Returns:
            whether it is the first that describes the peer.

        Raises:
            ValueError: a value that no stream can have.
        """
        null = is_null(command.remote_address) or command.remote_port == 0
        remote: Address | None = None
        if not null:
            if not 0 < command.remote_port < 65536 or not 0 <= command.remote_rtcp_port < 65536:
                raise Refused(Refusal.BAD_VALUE, f"port {command.remote_port} or {command.remote_rtcp_port}")
            remote = (canonical(command.remote_address), command.remote_port)
            own = self.rtp_socket.family == socket.AF_INET6
            if (":" in remote[0]) != own or is_multicast(remote[0]):
                raise Refused(Refusal.BAD_VALUE, f"this stream cannot send to {remote[0]}")
        latch = canonical(command.latch_address) if command.latching and command.latch_address else ""
        keys = (command.srtp_suite, command.srtp_send_key, command.srtp_receive_key)
        session = self._srtp_session
        if command.srtp_suite and session is None:
            try:
                session = SrtpSession(*keys)
            except SrtpUnavailable as error:
                raise Refused(Refusal.NO_SRTP, f"{error}") from error
        elif command.srtp_suite:
            check_keys(*keys)
        self.rest()
        self.stream.configure(command, remote is not None)
        self._srtp = None
        if session is not None and command.srtp_suite:
            session.rekey(*keys)
            self._srtp_session = self._srtp = session
        self.stream.secure(self._srtp)
        new_sender = sender or self.send_socket or self.rtp_socket
        sockets = (self.rtp_socket, self.rtcp_socket, new_sender)
        self._own = frozenset([each.getsockname()[:2] for each in sockets if each is not None])
        self._lock.forbid(self._own.union(_sources_of(command.strangers)))
        before = self._lock.announced
        moved = remote is not None and self._lock.announce(remote, latch, now)
        self._shared.announced.replace(before, self._lock.announced)
        if remote is not None and (moved or new_sender is not self._send_from):
            self._disconnect()
            self._send_from = new_sender
            self._shared.destinations.move(self.destination, remote)
        if remote is not None:
            port = command.remote_rtcp_port or (remote[1] if command.rtcp_mux else min(remote[1] + 1, 65535))
            self._rtcp_destination = (self._rtcp_host(command) or remote[0], port)
            self.rtcp.start(now)
        if self._lock.locked is None:
            self._disconnect()
        if command.direction == "sendonly":
            self._connect_to_send()
        self.settings = command
        self._silence_from = now
        self._silence_told = 0
        self._configured = True
        return before is None and remote is not None

    def _rtcp_host(self, command: ConfigureStream) -> str:
        """Where the peer has its RTCP if that is not where its RTP is; empty = nowhere that we can send to."""
        host = command.remote_rtcp_address
        if not host or command.rtcp_mux or is_null(host):
            return ""
        try:
            host = canonical(host)
        except ValueError:  # a name: RFC 3605 allows one, we look none up
            return ""
        fits = (":" in host) == (self.rtp_socket.family == socket.AF_INET6)
        return host if fits and not is_multicast(host) else ""

    def rest(self) -> None:
        """What the stream sends may end now: note when that was."""
        self.sender.rest(self._receiver.last_at)

    def _rtp_time(self, now: float) -> int:
        """The RTP time of now (RFC 3550 6.4.1), whether or not anything is sent.

        Args:
            now: seconds, monotonic.
        """
        sender = self.sender
        due = self._shared.due_of(sender)
        if not due:
            if self._receiver.last_at < 0:
                return sender.timestamp
            due = self._receiver.last_at + sender.packet_interval
        return (sender.timestamp + sender.step + round((now - due) * sender.clock_rate)) & 0xFFFFFFFF

    def expect(self, is_first: bool, now: float) -> None:
        """Have media due from now on by what was configured.

        Args:
            is_first: the peer was described for the first time. The newest of what came before is judged now: a
                response, and then our own message, may take longer than the RTP that goes with it (RFC 3264 5.1).
                Nobody can say whose media the rest was.
            now: seconds, monotonic.
        """
        for data, source, at in self.take_kept() if is_first else ():
            if now - at > _KEPT_FOR:
                self._receiver.discards[totals.UNDESCRIBED] += 1
            else:
                self._take(data, len(data), source, at)
        self._receiver.renegotiated(now)
        self._expect_by(self.settings, now)

    def answered(self, now: float) -> None:
        """The call is answered: what was early media is due from now on."""
        self.settings = self.settings._replace(early=False)
        if self._configured:
            self._expect_by(self.settings, now)

    def _expect_by(self, settings: ConfigureStream, now: float) -> None:
        reachable = bool(settings.remote_port) and not is_null(settings.remote_address)
        self.presence.expect(settings, reachable, now)

    # sending

    def _send_to(self, data: bytes | bytearray | memoryview) -> object:
        """Send RTP while the socket is not connected. May raise OSError."""
        destination = self.destination.address
        return None if destination is None else self._send_from.sendto(data, destination)

    def _connect(self, now: float) -> None:
        """Let the kernel do the source check from now on, where sending allows it."""
        locked = self._lock.locked
        if locked is None or (self._send_from is self.rtp_socket and self.destination.address != locked):
            return
        if not self._has_beside():
            return
        with contextlib.suppress(OSError):
            self.rtp_socket.connect(locked)
            # What strangers sent before is still queued: it is checked by address until the queue is dry.
            for _ in range(_DRAIN):
                try:
                    size, source = self.rtp_socket.recvfrom_into(self._buffer)
                except BlockingIOError:
                    self._connected = locked
                    if self._send_from is self.rtp_socket:
                        self.sender.send = self.rtp_socket.send
                    return
                except OSError:  # of an earlier packet: it waits in the error queue too
                    continue
                self._take(self._buffer, size, source[:2], now)
            disconnect(self.rtp_socket)  # a flood: try again with the next packet

    def _connect_to_send(self) -> None:
        """Who takes nothing has no source to learn: the kernel may do the check from the start."""
        destination = self.destination.address
        if self._connected or destination is None:
            return
        if self._send_from is self.rtp_socket and self._has_beside():
            with contextlib.suppress(OSError):
                self.rtp_socket.connect(destination)
                self._connected = destination
                self.sender.send = self.rtp_socket.send

    def _has_beside(self) -> bool:
        """Have a socket beside the RTP socket; whether there is one."""
        if not self._beside.open(self.take_beside):
            return False
        self._shared.beside.add(self)
        return True

    def _disconnect(self) -> None:
        if self._connected:
            disconnect(self.rtp_socket)
            self._connected = None
            self._expose()
        self.sender.send = self._send_to

    # receiving

    def take_rtp(self, size: int, now: float) -> None:
        """Take a datagram from the RTP socket; several while strangers may be among them.

        Args:
            size: octets that were read into the buffer; -1 = none, and the socket may have an error; -2 = nothing was
                read yet.
        """
        if not self._connected:
            self._read_unconnected(self.rtp_socket, now)
            return
        receiver = self._receiver
        buffer = self._buffer
        if size == -2:
            try:
                size = self.rtp_socket.recv_into(buffer)
            except OSError:
                size = -1
        if size < 0:
            self._take_errors(self.rtp_socket, now)
        elif size >= BUFFER:
            receiver.discards[totals.OVERSIZE] += 1
        else:
            self._lock.hear(now)
            if not receiver.receive(buffer, size, now):
                self._receive_rtcp(bytes(buffer[:size]), now)
        self._expose()

    def take_beside(self, size: int, now: float) -> None:
        """Take what came from others than the peer.

        Args:
            size: has no meaning here.
        """
        sock = self._beside.sock
        if sock is None:
            return
        self._read_peer(now)
        self._read_unconnected(sock, now)
        if self._lock.locked is not None and self._lock.locked != self._connected:
            self._disconnect()
            self._connect(now)
            self._expose()

    def _read_peer(self, now: float) -> None:
        """Read what the peer has sent until now: whether it is silent depends on it."""
        if self._connected:
            for _ in range(_DRAIN):
                if not waits(self.rtp_socket):
                    break
                self.take_rtp(-2, now)
            self._lock.hear(self._receiver.last_at)

    def stand_alone(self, now: float) -> None:
        """Take everything by the RTP socket again, for good, and what has come beside it."""
        self._shared.beside.discard(self)
        try:
            self._read_peer(now)
        finally:
            self._disconnect()
            self._end_beside(now)

    def _end_beside(self, now: float) -> None:
        sock = self._beside.end()
        if sock is None:
            return
        with sock:
            for _ in range(_DRAIN // _READ_AT_ONCE):
                self._read_unconnected(sock, now)

    def _expose(self) -> None:
        """Have the engine read in its own loop as long as the kernel checks the source."""
        descriptor = self.rtp_socket.fileno()
        reception = self._receiver.reception if self._connected else None
        if self._sources[descriptor] is not reception:
            self._sources[descriptor] = reception
            if reception is not None:
                reception.read_by(self.rtp_socket.recv_into)

    def _take_errors(self, sock: socket.socket, now: float) -> None:
        """Read what ICMP has brought of earlier packets of a socket, also those of streams that send through it.

        A poll reports an error until it is read. None of it is an error of the next packet (RELIABILITY N8).
        """
        for address in unreachable(sock):
            self._shared.destinations.report(address, now)

    def take_send_error(self, size: int, now: float) -> None:
        """Read the errors of the socket that the stream has for sending only.

        Args:
            size: has no meaning here.
        """
        if self.send_socket is not None:
            self._take_errors(self.send_socket, now)

    def _read_unconnected(self, sock: socket.socket, now: float) -> None:
        """Read until nothing waits, so that a flood of strangers does not crowd out the peer; a bounded number."""
        for number in range(_READ_AT_ONCE):
            try:
                size, source = sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                if not number and sock is self.rtp_socket:  # what made it ready waits in the error queue
                    self._take_errors(sock, now)
                return
            except OSError:
                self._take_errors(sock, now)
                continue
            self._take(self._buffer, size, source[:2], now)
            if sock is self.rtp_socket and self._lock.locked is not None:
                self._connect(now)
                if self._connected:
                    self._expose()
                    return

    def _take(self, buffer: bytes | bytearray, size: int, source: Address, now: float) -> None:
        """A datagram whose source is still to be checked."""
        discards = self._receiver.discards
        if size >= BUFFER:
            discards[totals.OVERSIZE] += 1
        elif self._lock.locked != source and (size < 12 or buffer[0] >> 6 != 2):
            discards[totals.MALFORMED] += 1  # it must not decide the lock
        elif self._lock.announced is None:
            self._keep(bytes(buffer[:size]), source, now)
        elif not self._lock.admit(source, buffer[2] << 8 | buffer[3], now):
            if source in self._own:
                discards[totals.LOOP] += 1
            elif self._lock.watches(source):
                self._keep(bytes(buffer[:size]), source, now)
            else:
                discards[totals.BAD_SOURCE] += 1
        else:
            if self._kept:
                self._release()
            if self.destination.address is not None and self.settings.latching and source != self.destination.address:
                self._shared.destinations.move(self.destination, source)
            if not self._receiver.receive(buffer, size, now):
                self._receive_rtcp(bytes(buffer[:size]), now)

    @property
    def _unkept(self) -> int:
        """Why a packet is thrown away that was kept until now."""
        return totals.UNDESCRIBED if self._lock.announced is None else totals.BAD_SOURCE

    def _keep(self, data: bytes, source: Address, now: float) -> None:
        if len(self._kept) == _KEPT:
            self._receiver.discards[self._unkept] += 1
        self._kept.append((data, source, now))

    def take_kept(self) -> tuple[tuple[bytes, Address, float], ...]:
        """Return what was kept, from where, and when it came; it is another one's from now on."""
        kept = tuple(self._kept)
        self._kept.clear()
        return kept

    def _release(self) -> None:
        """Hand on what came of the source that is locked now while it was on probation."""
        for data, source, at in self.take_kept():
            if source != self._lock.locked:
                self._receiver.discards[totals.BAD_SOURCE] += 1
            elif not self._receiver.receive(data, len(data), at):
                self._receive_rtcp(data, at)

    def take_rtcp(self, size: int, now: float) -> None:
        """Take one datagram from the RTCP socket.

        Args:
            size: has no meaning here.
        """
        assert self.rtcp_socket is not None
        try:
            data, source = self.rtcp_socket.recvfrom(_RTCP_BUFFER)
        except OSError:
            return
        agreed = self._rtcp_destination
        if source[:2] in self._own:
            self._shared.counted.rtcp_discards[totals.RTCP_BAD_SOURCE] += 1
            return
        if source[0] != self.remote()[0] and (agreed is None or source[0] != agreed[0]):
            self._shared.counted.rtcp_discards[totals.RTCP_BAD_SOURCE] += 1
            return
        self._receive_rtcp(data, now)

    def _receive_rtcp(self, data: bytes, now: float) -> None:
        counted = self._shared.counted
        before = self.rtcp.round_trips
        if self._srtp is not None:
            plain = self._srtp.unprotect_rtcp(data)
            if plain is None:
                counted.rtcp_discards[totals.RTCP_SRTP_AUTH] += 1
                return
            data = plain
        try:
            belongs = self.rtcp.receive(data, self._receiver.reception, now)
        except RtpError:
            counted.rtcp_discards[totals.RTCP_MALFORMED] += 1
            return
        if not belongs:
            counted.rtcp_discards[totals.RTCP_BAD_SSRC] += 1
            return
        counted.rtcp_received += 1
        self._silence_from = now
        reception = self._receiver.reception
        if reception is not None and reception.last_sr and reception.last_sr_at == now:
            self.presence.report(reception.ssrc, reception.packets_sent, now)
        if self.rtcp.round_trips != before:
            counted.round_trip.add(self.rtcp.round_trip)

    # RTCP out, and what is due by time

    def _send_rtcp(self, data: bytes) -> None:
        destination = self._rtcp_destination
        if destination is None:
            return
        self._shared.counted.rtcp_sent += 1
        if self._srtp is not None:
            data = self._srtp.protect_rtcp(data)
        beside = self.settings.rtcp_mux or self.rtcp_socket is None
        for left in (1, 0):  # the first error may be of an earlier packet, as in `send_again`
            try:
                if self.rtcp_socket is not None and not beside:
                    self.rtcp_socket.sendto(data, destination)
                elif self._connected and self._send_from is self.rtp_socket:
                    self.rtp_socket.send(data)
                else:
                    self._send_from.sendto(data, destination)
                return
            except OSError:
                if not left:
                    self.sender.send_errors += 1

    def report(self, now: float) -> None:
        """Send an RTCP report if one is due."""
        if now < self.rtcp.due:
            return
        sender = self.sender
        report = self.rtcp.compound(
            now, sender.packets_sent, sender.bytes_sent, self._rtp_time(now), self._receiver.reception
        )
        if report is not None:
            self._send_rtcp(report)

    def watch(self, now: float) -> StreamSilent | None:
        """Whether the peer has been silent for too long (direction- and RTCP-aware; B4, W21)."""
        stream = self.stream
        settings = self.settings
        receiver = self._receiver
        receiver.settle(now)
        stood_still, self._watched_at = now - self._watched_at - _LOOKS_EVERY, now
        if stood_still > 0:  # nothing was read meanwhile: it is no silence of the peer
            self._silence_from = min(now, max(self._silence_from, receiver.last_at) + stood_still)
        if not (self._configured and receiver.can_receive) or self.presence.held:
            self._silence_from = now
            return None
        silent = now - max(self._silence_from, receiver.last_at)
        limit, warning = settings.inactivity_limit, settings.silence_warning
        level = 2 if limit and silent >= limit else 1 if warning and silent >= warning else 0
        told, self._silence_told = self._silence_told, level
        if level <= told:
            return None
        return StreamSilent(stream.stream_id, ("", "warning", "limit")[level], silent)

    def fold(self) -> None:
        """Add what the stream counted since the last time to the totals of the process."""
        sender, receiver, counted = self.sender, self._receiver, self._shared.counted
        before, discards = self._folded
        received, _, _, octets = receiver.counts()
        events, event_octets, errors = receiver.event_packets, receiver.event_octets, sender.send_errors
        now = (sender.packets_sent, sender.bytes_sent, received, octets, events, event_octets, errors)
        if now != before:
            self._folded = now, discards
            counted.packets_sent[sender.codec_index] += now[0] - before[0]
            counted.bytes_sent[sender.codec_index] += now[1] - before[1]
            events -= before[4]
            event_octets -= before[5]
            counted.packets_received[receiver.codec_index] += received - before[2] - events
            counted.bytes_received[receiver.codec_index] += octets - before[3] - event_octets
            counted.packets_received[totals.TELEPHONE_EVENT] += events
            counted.bytes_received[totals.TELEPHONE_EVENT] += event_octets
            counted.send_errors += errors - before[6]
        if receiver.discards != discards:
            counted.discards[:] = map(add, counted.discards, map(sub, receiver.discards, discards))
            discards[:] = receiver.discards

    def close(self, now: float) -> tuple[socket.socket, ...]:
        """Send the last report and stop; returns the sockets, which go into quarantine."""
        stream = self.stream
        sender = self.sender
        goodbye = self.rtcp.goodbye(
            now, sender.packets_sent, sender.bytes_sent, self._rtp_time(now), self._receiver.reception
        )
        if goodbye is not None:
            self._send_rtcp(goodbye)
        self._receiver.discards[self._unkept] += len(self._kept)
        self._shared.announced.replace(self._lock.announced, None)
        self._shared.destinations.move(self.destination, None)
        stream.close()
        if self.send_socket is not None:
            self.send_socket.close()
        return tuple(each for each in (self.rtp_socket, self.rtcp_socket) if each is not None)
