"""A stream of octets (TCP, TLS) into messages and keep-alives, whatever the pieces it arrives in.

RFC 3261 18.3 (Content-Length frames a stream), RFC 5626 3.5.1 and 4.4.1 (double CRLF ping, CRLF pong). Keeps the
limits and deadlines that a slow or lying peer must not exceed; does not read what it frames. After a fault nothing
more is read: the framing is lost, so the connection has to be closed.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple, final

from ..errors import ParseError
from . import peek


class KeepAlive(enum.Enum):
    """What a peer sent between messages to keep the flow alive."""

    PING = b"\r\n\r\n"
    """A double CRLF on a connection that the peer opened; a PONG answers it (RFC 5626 4.4.1)."""
    PONG = b"\r\n"
    """A CRLF on a connection that we opened: the answer to our PING."""


class FramingFault(NamedTuple):
    """The last thing a framer gives out: why the stream cannot be read on (RFC 3261 18.3)."""

    reason: str
    """What is wrong."""
    status_hint: int
    """The status code that answers it, if the head shows a request."""
    head: bytes
    """What arrived of the message, for the attempt of an answer."""


class Phase(enum.Enum):
    """What the framer waits for."""

    IDLE = "between messages"
    HEAD = "within start line and headers"
    BODY = "within a body"
    FAILED = "framing is lost"


@final
@dataclass(frozen=True, slots=True)
class FramingLimits:
    """What one connection may hold and how long it may take, octets and seconds."""

    head: int = 65535
    """Longest start line with headers."""
    body: int = 65535
    """Longest body."""
    head_time: float = 10.0
    """From the first octet of a message to its blank line."""
    body_time: float = 10.0
    """From the blank line to the end of the body."""
    idle_time: float = 120.0
    """Without any message or keep-alive."""


@final
class StreamFramer:
    """Cuts one connection's octets into messages.

    Args:
        initiated: whether we opened the connection, which decides what a CRLF between messages means.
        now: monotonic seconds.
    """

    __slots__ = ("_buffer", "_initiated", "_limits", "_need", "_scanned", "_since", "phase")

    def __init__(self, now: float, *, initiated: bool = False, limits: FramingLimits | None = None) -> None:
        self._buffer = bytearray()
        self._initiated = initiated
        self._limits = FramingLimits() if limits is None else limits
        self._need = 0
        self._scanned = 0
        self._since = now
        self.phase = Phase.IDLE

    @property
    def deadline(self) -> float | None:
        """When the peer has taken too long and the connection is to be closed; None after a fault."""
        limits = self._limits
        if self.phase is Phase.IDLE:
            return self._since + limits.idle_time
        if self.phase is Phase.HEAD:
            return self._since + limits.head_time
        return self._since + limits.body_time if self.phase is Phase.BODY else None

    @property
    def pending(self) -> int:
        """How many octets of an unfinished message are held."""
        return len(self._buffer)

    def feed(self, data: bytes, now: float) -> list[bytes | KeepAlive | FramingFault]:
        """Take what arrived; return the messages and keep-alives that are now whole, in order.

        A FramingFault, if any, is the last item; after it everything is ignored.

        Args:
            now: monotonic seconds.
        """
        items: list[bytes | KeepAlive | FramingFault] = []
        if self.phase is Phase.FAILED:
            return items
        buffer = self._buffer
        buffer += data
        position = 0
        while True:
            if self.phase is Phase.IDLE:
                position = self._skip_line_ends(position, items, now)
                if position >= len(buffer) or self._may_become_line_end(position):
                    break
                self.phase, self._since, self._scanned = Phase.HEAD, now, position
            if self.phase is Phase.HEAD:
                fault = self._find_head(position, now)
                if fault is not None:
                    return [*items, self._fail(fault, position)]
            if self.phase is not Phase.BODY or len(buffer) - position < self._need:
                break
            items.append(bytes(buffer[position : position + self._need]))
            position += self._need
            self.phase, self._since = Phase.IDLE, now
        if position:
            del buffer[:position]
            self._scanned = max(0, self._scanned - position)
        return items

    def _skip_line_ends(self, position: int, items: list[bytes | KeepAlive | FramingFault], now: float) -> int:
        buffer = self._buffer
        while buffer.startswith(b"\r\n", position):
            if self._initiated:
                items.append(KeepAlive.PONG)
                position += 2
            elif buffer.startswith(b"\r\n\r\n", position):
                items.append(KeepAlive.PING)
                position += 4
            elif len(buffer) - position >= 4 or bytes(buffer[position + 2 : position + 3]) not in (b"", b"\r"):
                position += 2
            else:
                break
            self._since = now
        return position

    def _may_become_line_end(self, position: int) -> bool:
        rest = bytes(self._buffer[position : position + 2])
        return rest in (b"\r", b"\r\n")

    def _find_head(self, position: int, now: float) -> ParseError | None:
        buffer = self._buffer
        limits = self._limits
        end = buffer.find(b"\r\n\r\n", self._scanned)
        length = (len(buffer) if end < 0 else end + 4) - position
        if length > limits.head:
            return ParseError("the headers are too long", 513)
        if end < 0:
            self._scanned = max(position, len(buffer) - 3)
            return None
        try:
            body = peek.content_length(bytes(buffer[position : end + 4]))
        except ParseError as error:
            return error
        if body is None:
            return ParseError("no Content-Length on a stream")
        if body > limits.body:
            return ParseError("the body is too long", 413)
        self._need = length + body
        self.phase, self._since = Phase.BODY, now
        return None

    def _fail(self, error: ParseError, position: int) -> FramingFault:
        head = bytes(self._buffer[position : position + self._limits.head])
        self._buffer.clear()
        self.phase = Phase.FAILED
        return FramingFault(error.reason, error.status_hint, head)
