"""One TCP or TLS connection: non-blocking, framed, bounded in what it holds and in how long it may take.

It connects or is accepted, shakes hands for TLS, then reads and writes until it ends. Octets that come are cut into
messages by `sipcore.message.framing` (RFC 3261 section 18.3), and pings are answered and sent (RFC 5626 sections 3.5.1
and 4.4.1). What goes out waits in one bounded buffer. Requests are remembered until they may no longer be answered, so
that the end of the connection can be reported to their slots. A peer that ends its side of the connection after a
request still reads: the connection stays until the final response has gone (RFC 9293 section 3.6). It must never block,
and must not depend on calls or on the reason for which it was opened.
"""

import asyncio
import contextlib
import math
import os
import socket
import ssl
from collections import deque
from enum import Enum
from typing import Final, NamedTuple, Protocol

from sipswarm.sipcore.message.framing import FramingFault, FramingLimits, KeepAlive, StreamFramer
from sipswarm.sipcore.message.framing import Phase as FramerPhase

from ..diagnosis.request_loss import Loss, is_told, may_have_arrived
from .open_requests import OpenRequests
from .socket_errors import loss_of

SEND_BUFFER: Final = 256 * 1024
"""Octets that may wait for a peer that reads slowly."""
CONNECT_TIME: Final = 10.0
"""Seconds for the connect, and again for the TLS handshake."""
STALL_TIME: Final = 32.0
"""Seconds without progress in sending: as long as a transaction lives (RFC 3261 timers B and F)."""
LINGER_TIME: Final = 1.0
"""Seconds that the last octets have to arrive before the connection is closed."""
PING_AFTER: Final = 90.0
"""Seconds of silence before a ping is sent, on connections that were opened here (RFC 5626 section 4.4.1)."""
PING_FOR: Final = 3600.0
"""Seconds since the last message to the peer for which a connection is kept alive."""
ANSWER_TIME: Final = 32.0
"""Seconds for which a request may still be answered (RFC 3261 timers B and F)."""
ASKED: Final = 512
"""Requests that are remembered, in case the connection closes before they are answered."""
READ_SIZE: Final = 65536
"""Octets of one read."""
LIMITS: Final = FramingLimits(head=24 * 1024, body=40 * 1024)
"""64 KB in all for a message that is not whole yet."""
_PING: Final = KeepAlive.PING.value
_PONG: Final = KeepAlive.PONG.value

Item = bytes | KeepAlive | FramingFault


class Phase(Enum):
    """Phases of a connection."""

    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    """TLS is being set up."""
    OPEN = "open"
    HALF_CLOSED = "half_closed"
    """The peer has ended its side; it still gets the responses to its requests."""
    LINGERING = "lingering"
    """The last octets are on their way; nothing is read any more."""
    CLOSED = "closed"


_CARRIES: Final = (Phase.OPEN, Phase.HALF_CLOSED)
"""Phases in which messages go out."""
_SENDS: Final = (Phase.OPEN, Phase.HALF_CLOSED, Phase.LINGERING)
"""Phases in which octets that wait go out."""


class Ended(Enum):
    """Why a connection was closed; the values are for logs."""

    DONE = "ended"
    """The last octets are out."""
    BY_PEER = "closed by the peer"
    NODE_ENDS = "the node ends"
    CONNECT_FAILED = "connecting failed"
    CONNECT_SLOW = "connecting took too long"
    TLS_FAILED = "TLS failed"
    NO_WATCH = "the kernel cannot watch it"
    SEND_FAILED = "sending failed"
    READ_FAILED = "reading failed"
    CLOSE_FAILED = "closing failed"
    SLOW_READER = "the peer reads too slowly"
    SLOW_MESSAGE = "a message took too long to come"
    IDLE = "idle"
    MADE_ROOM = "made room for another one"


class Ends(NamedTuple):
    """The two ends of a connection, and the one that opened it."""

    flow: int
    """Its number."""
    listener: int
    """Index of the listener that it belongs to."""
    host: str
    port: int
    """Of the peer."""
    name: str
    """Name that the certificate of the peer must show; empty for connections that were accepted."""
    initiated: bool
    """It was opened here."""
    local: str = ""
    """Its local address, where the listener has several."""

    @property
    def target(self) -> tuple[int, str, int, str]:
        """Key by which a message finds this connection: listener, host, port, certificate name."""
        return self.listener, self.host, self.port, self.name


class Owner(Protocol):
    """The holder of connections, which gets their events."""

    def received(self, connection: "Connection", data: bytes) -> None:
        """A whole message came."""

    def unframed(self, connection: "Connection", fault: FramingFault) -> None:
        """The octets that came cannot be cut into messages; the connection is to be ended."""

    def half_closed(self, connection: "Connection", lost: list[tuple[int, bytes]]) -> None:
        """The peer has ended its side: it gets responses, and requests go by other connections.

        Args:
            lost: (slot, request) of each request that it can no longer answer here.
        """

    def gone(self, connection: "Connection", cause: Ended, reason: str) -> None:
        """It is closed.

        Args:
            reason: the cause in words, with details.
        """


class Connection:
    """See the module's text.

    Args:
        opened: a non-blocking socket, connected or connecting.
        tls: the context, None for plain TCP.
        buffer: every read goes through it; one for all connections.
        owner: gets the messages and the end.
        now: monotonic seconds, as everywhere here.
    """

    __slots__ = (
        "_asked",
        "_buffer",
        "_framer",
        "_heard_at",
        "_loop",
        "_open_requests",
        "_out",
        "_owner",
        "_pinged_at",
        "_progress_at",
        "_resumed_at",
        "_sent_at",
        "_socket",
        "_tls",
        "_unread",
        "_was_used",
        "_watching_write",
        "ends",
        "loss",
        "phase",
    )

    def __init__(
        self,
        ends: Ends,
        opened: socket.socket,
        *,
        tls: ssl.SSLContext | None,
        buffer: memoryview,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        now: float,
    ) -> None:
        self.ends = ends
        self.phase = Phase.CONNECTING if ends.initiated else Phase.OPEN
        self.loss = Loss.LOST
        """Its meaning for requests without an answer, once it has ended."""
        self._socket = opened
        self._tls = tls
        self._buffer = buffer
        self._owner = owner
        self._loop = loop
        self._resumed_at = -math.inf
        """When it was read again after a pause; infinity during one."""
        self._unread: deque[Item] = deque()
        """Messages that came with the one at which it was paused."""
        self._framer = StreamFramer(now, initiated=ends.initiated, limits=LIMITS)
        self._out = bytearray()
        self._asked: deque[tuple[float, int, bytes]] = deque(maxlen=ASKED)
        self._open_requests = OpenRequests()
        self._heard_at = self._sent_at = self._pinged_at = self._progress_at = now
        self._watching_write = self._was_used = False

    @property
    def is_of_use(self) -> bool:
        """Whether a whole message came or went by it, or it was opened here: it does not make room for others."""
        return self._was_used or self.ends.initiated

    @property
    def is_shaking_hands(self) -> bool:
        """Whether it came in, and its TLS handshake is not over."""
        return self.phase is Phase.HANDSHAKE and not self.ends.initiated

    def is_way_of(self, data: bytes) -> bool:
        """Whether a message may go by it: none by one that lingers, only responses after the end of the peer's side."""
        return self.phase is not Phase.LINGERING and (
            self.phase is not Phase.HALF_CLOSED or data.startswith(b"SIP/2.0 ")
        )

    def start(self, now: float) -> None:
        """Begin: wait for the connect, shake hands, or read; it may be closed afterwards."""
        if self.phase is Phase.CONNECTING:
            self._watch_write(True)
        else:
            self._connected(now)

    def send(self, slot: int, data: bytes, now: float) -> None:
        """Take a message; `flush` sends it.

        Args:
            slot: gets the report when a request is lost.
        """
        if self.phase is Phase.LINGERING or self.phase is Phase.CLOSED:
            return
        if is_told(data) and not (self.phase in _CARRIES and may_have_arrived(data)):
            self._asked.append((now, slot, data))
        self._open_requests.went(slot, data)
        self._sent_at = now
        self._put(data, now)

    def unanswered(self, now: float) -> list[tuple[int, bytes]]:
        """Return the messages whose loss matters: (slot, message) each.

        They are requests that may still have waited for an answer, and a 2xx or ACK that never left. Where one that
        left is lost, the peer's repetition brings the other by another connection.
        """
        return [(slot, data) for at, slot, data in self._asked if now - at < ANSWER_TIME]

    def refused(self) -> list[tuple[int, bytes]]:
        """Return the final responses that the peer refused, because it had closed its socket: (slot, response) each."""
        return self._open_requests.refused

    def end(self, last: bytes, now: float) -> None:
        """Send the last octets, give them time to arrive, and close."""
        if self.phase not in _CARRIES:
            self.close(Ended.DONE)
            return
        self._out += last
        if self._out:
            self.flush(now)
        if self.phase in _CARRIES:
            self.phase = Phase.LINGERING
            self._progress_at = now
            if not self._out:
                self._shut_down()

    def flush(self, now: float) -> None:
        """Send what waits as far as the kernel takes it."""
        if not self._out or self._watching_write or self.phase not in _SENDS:
            return
        try:
            sent = self._socket.send(self._out)
        except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError):
            sent = 0
        except ssl.SSLWantReadError:  # TLS has to read first; `_on_readable` comes back here
            return
        except OSError as error:
            self.close(Ended.SEND_FAILED, detail=_reason(error))
            return
        if sent:
            del self._out[:sent]
            self._progress_at = now
        if self._out:
            self._watch_write(True)
        elif self.phase is Phase.LINGERING:
            self._shut_down()
        elif self.phase is Phase.HALF_CLOSED and not self._open_requests:
            self.end(b"", now)

    def _put(self, data: bytes, now: float) -> None:
        if len(self._out) + len(data) > SEND_BUFFER:
            self.close(Ended.SLOW_READER)
            return
        if not self._out:
            self._progress_at = now
        self._out += data

    def _shut_down(self) -> None:
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                self._close_notify(self._socket)
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.close(Ended.CLOSE_FAILED, detail=_reason(error))

    def _close_notify(self, secure: ssl.SSLSocket) -> None:
        """Send the alert that ends this side of TLS (RFC 8446 section 6.1); that of the peer is not waited for."""
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._socket = secure.unwrap()

    def _on_writable(self) -> None:
        now = self._loop.time()
        self._watch_write(False)
        if self.phase is Phase.CONNECTING:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self.close(Ended.CONNECT_FAILED, loss_of(number), _reason(OSError(number, None)))
            else:
                self._connected(now)
        elif self.phase is Phase.HANDSHAKE:
            self._shake_hands(now)
        else:
            self.flush(now)

    def _connected(self, now: float) -> None:
        with contextlib.suppress(OSError):  # without it messages leave later, and whole
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard_at = self._progress_at = now
        if self._tls is None:
            self._opened(now)
            return
        try:
            self._socket = self._tls.wrap_socket(
                self._socket,
                server_side=not self.ends.initiated,
                do_handshake_on_connect=False,
                server_hostname=(self.ends.name or self.ends.host) if self.ends.initiated else None,
            )
        except (OSError, ValueError) as error:
            self.close(Ended.TLS_FAILED, Loss.UNREACHABLE, str(error))
            return
        self.phase = Phase.HANDSHAKE
        if self._watch_read():
            self._shake_hands(now)

    def _shake_hands(self, now: float) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self._watch_write(True)
            return
        except OSError as error:
            self.close(Ended.TLS_FAILED, Loss.UNREACHABLE, _reason(error))
            return
        self._opened(now)

    def _opened(self, now: float) -> None:
        self.phase = Phase.OPEN
        requests = [each for each in self._asked if not may_have_arrived(each[2])]
        self._asked = deque(requests, maxlen=ASKED)
        self._heard_at = self._pinged_at = self._progress_at = now
        self._framer = StreamFramer(now, initiated=self.ends.initiated, limits=LIMITS)
        if self._tls is not None or self._watch_read():
            self.flush(now)

    def _on_readable(self) -> None:
        now = self._loop.time()
        if self.phase is Phase.HANDSHAKE:
            self._shake_hands(now)
            return
        try:
            size = self._socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return
        except ssl.SSLWantWriteError:
            self._watch_write(True)
            return
        except OSError as error:
            self.close(Ended.READ_FAILED, detail=_reason(error))
            return
        if not size:
            self._end_of_peer(now)
        elif self.phase is Phase.OPEN:
            self._heard_at = now
            self._take(bytes(self._buffer[:size]), now)

    def _end_of_peer(self, now: float) -> None:
        """The peer sends nothing more; whether it still reads is not known before it gets something."""
        if self.phase is not Phase.OPEN or not self._open_requests:
            self.close(Ended.BY_PEER)
            return
        self.phase = Phase.HALF_CLOSED
        self._open_requests.peer_ended(now)
        self._loop.remove_reader(self._socket.fileno())  # the end stays readable
        lost, self._asked = self.unanswered(now), deque(maxlen=ASKED)
        self._owner.half_closed(self, lost)

    def _is_paused(self) -> bool:
        return self._resumed_at == math.inf

    def pause(self) -> None:
        """Stop to read: the peer has to wait, as TCP has it. What was read already is kept."""
        if not self._is_paused() and self.phase is Phase.OPEN:
            self._resumed_at = math.inf
            self._loop.remove_reader(self._socket.fileno())

    def resume(self, now: float) -> None:
        """Read again, what is kept first."""
        if not self._is_paused() or self.phase is not Phase.OPEN:
            return
        self._resumed_at = self._heard_at = now
        self._pass_on(now)
        if self.phase is Phase.OPEN and not self._is_paused():
            self._watch_read()

    def _take(self, data: bytes, now: float) -> None:
        self._unread.extend(self._framer.feed(data, now))
        self._pass_on(now)

    def _pass_on(self, now: float) -> None:
        unread = self._unread
        while unread and not self._is_paused():
            item = unread.popleft()
            if isinstance(item, bytes):
                self._was_used = True
                self._open_requests.came(item)
                self._owner.received(self, item)
            elif isinstance(item, FramingFault):
                self._owner.unframed(self, item)
            elif item is KeepAlive.PING:
                self._put(_PONG, now)
            if self.phase is not Phase.OPEN:
                return
        self.flush(now)

    def _watch_read(self) -> bool:
        """Read what comes from now on; False when the kernel cannot watch it (epoll_ctl(2)), and it is closed."""
        try:
            self._loop.add_reader(self._socket.fileno(), self._on_readable)
        except OSError as error:
            self.close(Ended.NO_WATCH, Loss.LOCAL, _reason(error))
            return False
        return True

    def _watch_write(self, wanted: bool) -> None:
        if wanted and not self._watching_write:
            try:
                self._loop.add_writer(self._socket.fileno(), self._on_writable)
            except OSError as error:
                self.close(Ended.NO_WATCH, Loss.LOCAL, _reason(error))
                return
        elif self._watching_write and not wanted:
            self._loop.remove_writer(self._socket.fileno())
        self._watching_write = wanted

    def deadline(self) -> float:
        """Return when the peer will have taken too long."""
        if self.phase is Phase.LINGERING:
            return self._progress_at + LINGER_TIME
        if self.phase is Phase.HALF_CLOSED:
            due = self._open_requests.waits_until(self._sent_at, ANSWER_TIME)
            return min(due, self._progress_at + STALL_TIME) if self._out else due
        if self.phase is not Phase.OPEN:
            return self._progress_at + CONNECT_TIME
        due = self._framer.deadline or self._heard_at
        if self._framer.phase is FramerPhase.IDLE:
            due = max(due, self._sent_at + LIMITS.idle_time)
        # a peer that has to wait may take any time, and the time of a whole message after that
        due = max(due, self._resumed_at + LIMITS.head_time)
        return min(due, self._progress_at + STALL_TIME) if self._out else due

    def look(self, now: float) -> None:
        """Close when something has taken too long; ping a peer that has been silent."""
        if self._open_requests.refused and (number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self.close(Ended.SEND_FAILED, detail=_reason(OSError(number, None)))
        elif now >= self.deadline():
            connected = self.phase in _SENDS
            self.close(self._overdue(), Loss.LOST if connected else Loss.UNREACHABLE)
        elif (
            self.ends.initiated
            and self.phase is Phase.OPEN
            and now - max(self._heard_at, self._pinged_at) >= PING_AFTER
            and now - self._sent_at < PING_FOR
        ):
            self._pinged_at = now
            self._put(_PING, now)
            self.flush(now)

    def _overdue(self) -> Ended:
        if self.phase is Phase.LINGERING:
            return Ended.DONE
        if self.phase not in _CARRIES:
            return Ended.CONNECT_SLOW
        if self._out:
            return Ended.SLOW_READER
        if self.phase is Phase.HALF_CLOSED:
            return Ended.BY_PEER
        return Ended.IDLE if self._framer.phase is FramerPhase.IDLE else Ended.SLOW_MESSAGE

    def close(self, cause: Ended, loss: Loss = Loss.LOST, detail: str = "") -> None:
        """Let go of it at once; the owner gets one report.

        Args:
            loss: what it means for requests without an answer.
            detail: added to the cause in the report.
        """
        if self.phase is Phase.CLOSED:
            return
        self.loss = loss
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._watch_write(False)
        self.phase = Phase.CLOSED
        self._socket.close()
        self._owner.gone(self, cause, f"{cause.value}: {detail}" if detail else cause.value)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "protocol error").lower().replace("_", " ")
    return os.strerror(error.errno) if error.errno is not None else type(error).__name__
