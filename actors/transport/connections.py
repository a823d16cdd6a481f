"""The TCP and TLS connections of the dispatcher: taken, opened, found again, and bounded in number.

RFC 3261 section 18.2.2 (answers on the connection of the request, else to the address in Via), RFC 5923 (reuse). A
message goes by the connection of its flow, else by one to the same target, else by a new one. Connections of strangers
(`gate`) are closed at once, before any handshake. Where all places (`places`) or all descriptors are taken, the oldest
connection that no whole message came by makes room, or the new one is closed. A connection must never wait for another
one. Nothing of them outlives the dispatcher; peers connect again.
"""

import asyncio
import contextlib
import errno
import logging
import select
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.fields import Via
from sipswarm.sipcore.message.framing import FramingFault
from sipswarm.sipcore.transaction import stateless

from ..bus.messages import SendFailed, SendSip
from ..config import Listener, TlsConfig, is_wildcard
from ..counting.totals import Totals
from ..diagnosis.request_loss import Loss, is_told
from . import tls
from .connection import READ_SIZE, Connection, Ended, Ends, Phase
from .gate import Gate
from .places import Places, StreamLimits
from .socket_errors import loss_of

__all__ = ("StreamLimits", "Streams")
ACCEPTS_PER_TURN: Final = 64
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the deadlines of all connections."""
_IP_BIND_ADDRESS_NO_PORT: Final = 24
_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)
"""The process, or the host, has no free descriptor."""
_logger = logging.getLogger(__name__)

Received = Callable[[int, int, str, int, bytes, str], None]
"""Takes a message: listener, flow, host, port, octets, local address (`SipReceived.local`)."""


class Streams:
    """See the module's text.

    Args:
        listeners, sockets: of the node, in the same order; those of UDP are not touched.
        first_flow: connections get the numbers after it.
        received: takes each message.
        failed: gets the slot and the request that was lost.
        gate: decides whose connections are taken; None = everybody's.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        sockets: Sequence[socket.socket],
        tls_config: TlsConfig,
        *,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        first_flow: int,
        received: Received,
        failed: Callable[[int, SendFailed], None],
        gate: Gate | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        self._listeners = tuple(listeners)
        self._sockets = {
            index: each for index, each in enumerate(sockets) if self._listeners[index].transport in ("tcp", "tls")
        }
        secure = any(each.transport == "tls" for each in self._listeners)
        self._server_context = tls.server_context(tls_config) if secure else None
        self._client_context = tls.client_context(tls_config) if secure else None
        self._loop = loop
        self._gate = gate or Gate(None, totals)
        self._received = received
        self._failed = failed
        self._last_flow = first_flow
        self._buffer = memoryview(bytearray(READ_SIZE))
        """Every connection reads through it: a buffer of its own for each read would leave the heap full of holes."""
        self._by_flow: dict[int, Connection] = {}
        self._places = Places(limits or StreamLimits(), self._by_flow, totals)
        self._by_target: dict[tuple[int, str, int, str], Connection] = {}
        self._written: set[Connection] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._watching = False
        self._closed = False
        self._framing_errors = totals.cell("sipswarm_sip_parse_errors_total", "framing")
        self._gauges = {
            (listener.transport, phase): totals.cell("sipswarm_transport_connections", listener.transport, phase.value)
            for listener in self._listeners
            for phase in Phase
            if listener.transport in ("tcp", "tls") and phase is not Phase.CLOSED
        }

    @property
    def count(self) -> int:
        """Connections of both directions."""
        return len(self._by_flow)

    def update_gauges(self) -> None:
        """Count the connections by transport and phase."""
        counts = Counter((self._listeners[each.ends.listener].transport, each.phase) for each in self._by_flow.values())
        for key, cell in self._gauges.items():
            cell.value = counts[key]

    def watch(self) -> None:
        """Begin to take connections."""
        if not self._watching and not self._closed:
            self._watching = True
            for index, each in self._sockets.items():
                if self._listeners[index].transport == "tcp" or self._server_context is not None:
                    self._loop.add_reader(each.fileno(), self._on_connection, index)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            for each in self._sockets.values():
                self._loop.remove_reader(each.fileno())

    def close(self) -> None:
        """Close every connection; the listen sockets stay open, for they belong to the supervisor."""
        self._closed = True
        self._unwatch()
        if self._looking is not None:
            self._looking.cancel()
        for each in list(self._by_flow.values()):
            each.close(Ended.NODE_ENDS)

    def _on_connection(self, index: int) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                opened, source = self._sockets[index].accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    if not _is_readable(self._sockets[index]):
                        return  # accept(2) needs a descriptor before it sees that no connection waits
                    if self._places.without_descriptor(str(error.strerror)):
                        continue
                if error.errno in (*_NO_DESCRIPTOR, errno.ENOBUFS, errno.ENOMEM):
                    self._unwatch()  # the kernel keeps them waiting; a retry at once would only burn time
                    self._loop.call_later(LOOK_EVERY, self.watch)
                    return
                continue  # the peer has given up meanwhile (accept(2))
            host, port = str(source[0]), int(source[1])
            secure = self._listeners[index].transport == "tls"
            if not self._gate.takes_connection(host) or not self._places.admits(host, shakes_hands=secure):
                opened.close()
                continue
            try:
                opened.setblocking(False)
                local = self._local_address(index, opened)
            except OSError:
                opened.close()
                continue
            self._places.take(host)
            self._add(index, opened, host, port, local=local, initiated=False)

    def _add(
        self, index: int, opened: socket.socket, host: str, port: int, *, local: str, initiated: bool, name: str = ""
    ) -> Connection:
        self._last_flow += 1
        now = self._loop.time()
        context = None
        if self._listeners[index].transport == "tls":
            context = self._client_context if initiated else self._server_context
        ends = Ends(self._last_flow, index, host, port, name, initiated, local)
        connection = Connection(ends, opened, tls=context, buffer=self._buffer, owner=self, loop=self._loop, now=now)
        self._by_flow[ends.flow] = connection
        if initiated or context is None:
            # The name of a TLS client was not checked against its address: it is found by its flow only.
            self._by_target.setdefault(ends.target, connection)
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_EVERY, self._on_look)
        connection.start(now)
        return connection

    def send(self, slot: int, record: SendSip) -> None:
        """Put a message of a slot on its connection, which is opened when there is none; `flush` follows."""
        listener, flow, host, port, name, data = record
        connection = self._by_flow.get(flow) if flow else None
        if connection is None or not connection.is_way_of(data):
            if data.startswith(b"SIP/2.0 "):
                host, port = _answer_target(data, host, port)
            connection = self._by_target.get((listener, host, port, name))
        if connection is None or connection.phase is Phase.LINGERING:
            opened = self._open(listener, host, port, name)
            if not isinstance(opened, Connection):
                self._tell(slot, listener, host, port, data, *opened)
                return
            connection = opened
        if connection.phase is Phase.CLOSED:
            self._tell(slot, listener, host, port, data, "the connection was refused at once", connection.loss)
            return
        connection.send(slot, data, self._loop.time())
        self._written.add(connection)

    def pause(self, flow: int) -> None:
        """Stop to read a connection."""
        if flow in self._by_flow:
            self._by_flow[flow].pause()

    def resume(self, flow: int) -> None:
        """Read a connection again."""
        if flow in self._by_flow:
            self._by_flow[flow].resume(self._loop.time())

    def flush(self) -> None:
        """Send the messages that were put onto connections since the last flush."""
        if self._written:
            now = self._loop.time()
            written, self._written = self._written, set()
            for connection in written:
                connection.flush(now)

    def _open(self, index: int, host: str, port: int, name: str) -> Connection | tuple[str, Loss]:
        """Return a new connection, or why there is none."""
        if index not in self._sockets:
            return "no listener for streams", Loss.NO_WAY
        if not self._places.has_room():
            return "too many connections", Loss.LOCAL
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            opened = self._new_socket(family)
        except OSError as error:
            return f"connecting failed: {error.strerror}", loss_of(error.errno)
        self._gate.called(host)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            opened.bind((self._listeners[index].host, 0))
            with contextlib.suppress(BlockingIOError):
                opened.connect((host, port))
            local = self._local_address(index, opened)
        except OSError as error:
            opened.close()
            return f"connecting failed: {error.strerror}", loss_of(error.errno)
        return self._add(index, opened, host, port, local=local, initiated=True, name=name)

    def _new_socket(self, family: socket.AddressFamily) -> socket.socket:
        """Return a new socket; where there is no descriptor for it, an older connection makes room."""
        try:
            return socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR or not self._places.without_descriptor(str(error.strerror)):
                raise
        return socket.socket(family, socket.SOCK_STREAM)

    def _local_address(self, index: int, opened: socket.socket) -> str:
        """The local address of a connection, where its listener has several."""
        return str(opened.getsockname()[0]) if is_wildcard(self._listeners[index].host) else ""

    def _tell(self, slot: int, listener: int, host: str, port: int, data: bytes, reason: str, loss: Loss) -> None:
        if is_told(data):
            self._failed(slot, SendFailed(listener, host, port, data, reason, loss.value))

    def received(self, connection: Connection, data: bytes) -> None:
        """A whole message came."""
        ends = connection.ends
        self._received(ends.listener, ends.flow, ends.host, ends.port, data, ends.local)

    def unframed(self, connection: Connection, fault: FramingFault) -> None:
        """Framing is lost: a 400 if what came can be answered, then the end (RFC 3261 section 18.3)."""
        self._framing_errors.value += 1
        reply = stateless.refuse(
            fault.head, status=fault.status_hint, source=(connection.ends.host, connection.ends.port)
        )
        connection.end(reply or b"", self._loop.time())

    def half_closed(self, connection: Connection, lost: list[tuple[int, bytes]]) -> None:
        """The peer has ended its side: no request finds it any more, and those without an answer are reported."""
        ends = connection.ends
        if self._by_target.get(ends.target) is connection:
            del self._by_target[ends.target]
        for slot, data in lost:
            self._tell(slot, ends.listener, ends.host, ends.port, data, Ended.BY_PEER.value, Loss.LOST)

    def gone(self, connection: Connection, cause: Ended, reason: str) -> None:
        """The connection is closed: forget it, and report to their slots the requests that may have been lost."""
        ends = connection.ends
        if self._by_flow.pop(ends.flow, None) is None:
            return
        if self._by_target.get(ends.target) is connection:
            del self._by_target[ends.target]
        self._written.discard(connection)
        if not ends.initiated:
            self._places.release(ends.host)
        if cause is Ended.TLS_FAILED:
            _logger.warning("%s:%d: %s", ends.host, ends.port, reason)
        for slot, data in connection.unanswered(self._loop.time()):
            self._tell(slot, ends.listener, ends.host, ends.port, data, reason, connection.loss)
        if cause in (Ended.SEND_FAILED, Ended.CLOSE_FAILED):
            for slot, data in connection.refused():
                self.send(slot, SendSip(ends.listener, 0, ends.host, ends.port, "", data))
            self.flush()

    def _on_look(self) -> None:
        now = self._loop.time()
        for each in list(self._by_flow.values()):
            each.look(now)
        self._looking = self._loop.call_later(LOOK_EVERY, self._on_look) if self._by_flow else None


def _is_readable(listening: socket.socket) -> bool:
    poller = select.poll()  # it needs no descriptor of its own
    poller.register(listening, select.POLLIN)
    return bool(poller.poll(0))


def _answer_target(data: bytes, host: str, port: int) -> tuple[str, int]:
    """Return the target of a response whose connection is gone (RFC 3261 section 18.2.2).

    It is `received`, and the port that its Via names.
    """
    try:
        via = Via.parse(peek.top_via(data).strip().decode("utf-8", "surrogateescape"))
    except ParseError:
        return host, port
    return host, via.port or (5061 if via.transport.upper() == "TLS" else 5060)
