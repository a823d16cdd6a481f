"""Links between processes: plain ZeroMQ sockets in an event loop, never blocking, nothing lost in silence.

One side binds (`RouterLink`: dispatcher, media worker, supervisor), the other connects (`DealerLink`). `send` answers
True or False; a sender keeps at most `window` records unacknowledged and refuses beyond, so that a peer that stands
still costs a bounded number of records; every refusal is counted by its cause. High-water marks are only the second
fence. A record that cannot be sent, because of a value or of its size, is left out of its batch, counted and logged;
the others arrive. A ZeroMQ descriptor is edge-triggered and an own `send` may swallow the edge: the socket's events are
read again after every send and every frame. The only importer of zmq; it must not interpret any record but `Hello` and
`Welcome`, by which both ends find each other.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import zmq

from ..counting.totals import Totals
from . import wire
from .messages import Hello, Welcome

_logger = logging.getLogger(__name__)
OnUnsent = Callable[[Any], None]
"""Called with each record that was left out of a batch that was sent."""
_READABLE: Final = int(zmq.POLLIN)
"""As a plain number: an `&` with a flag of an enum takes as long as reading the socket's events."""
_LARGE = 1 << 40
"""A number that takes as many octets in a frame's head as any that comes to stand there."""
FRAMES_PER_TURN = 64
"""Frames handled before other callbacks of the loop get their turn."""
HIGH_WATER_MARK = 1000
MAX_AGE = 4.0
"""Seconds: an older frame is refused, its sender has long repeated or given up."""
HELLO_INTERVAL = 0.05
RETRY_INTERVAL = 0.05


def new_context() -> "zmq.Context[zmq.Socket[bytes]]":
    """The ZeroMQ context of a process; in embedded mode of all roles."""
    return zmq.Context(io_threads=1)


def versions() -> tuple[str, str]:
    """Versions of libzmq and pyzmq."""
    return zmq.zmq_version(), zmq.pyzmq_version()


class Surroundings(NamedTuple):
    """What every role and link of a process shares."""

    incarnation: int
    """1, 2, 3 … for each start of the slot."""
    context: "zmq.Context[zmq.Socket[bytes]]"
    totals: Totals
    loop: asyncio.AbstractEventLoop


class Channel:
    """The counts of one end: how many records went out, came back acknowledged, and came in."""

    __slots__ = ("acknowledged", "handled", "identity", "incarnation", "reported", "role", "sent", "slot", "window")

    def __init__(self, identity: bytes, window: int) -> None:
        self.identity = identity
        self.window = window
        self.role = ""
        self.slot = -1
        self.incarnation = -1
        self.sent = 0
        self.acknowledged = 0
        self.handled = 0
        self.reported = 0

    @property
    def room(self) -> int:
        """Records that `send` would take now."""
        return self.window - (self.sent - self.acknowledged)

    def restart(self, incarnation: int) -> None:
        """The other end is a new process: both directions count from zero."""
        self.incarnation = incarnation
        self.sent = self.acknowledged = self.handled = self.reported = 0


class _Link:
    """What both kinds of link share: reading dry, counting, acknowledging."""

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        *,
        name: str,
        window: int,
        on_records: Callable[[Channel, list[Any]], None],
        on_drained: Callable[[], None] | None,
        on_unsent: OnUnsent | None,
        checks: bool,
        surroundings: Surroundings,
    ) -> None:
        self._incarnation, _, totals, loop = surroundings
        self._socket = socket
        self._name = name
        self._window = window
        self._totals = totals
        self._on_records = on_records
        self._on_drained = on_drained
        self._on_unsent = on_unsent
        self._checks = checks
        self._said: set[type[Any]] = set()
        """Classes of records that could not be sent."""
        self._loop = loop
        self._drain_scheduled = False
        self._closed = False
        self._sent = totals.cell("sipswarm_bus_messages_total", "sent", name)
        self._received = totals.cell("sipswarm_bus_messages_total", "received", name)
        self._delay = totals.distribution("sipswarm_bus_delay_seconds")
        self._descriptor = int(socket.getsockopt(zmq.FD))
        loop.add_reader(self._descriptor, self._drain)
        self._schedule_drain_if_readable()

    def close(self) -> None:
        """Stop reading and close the socket; frames not yet sent get the socket's linger time."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)
            self._socket.close()

    def _count(self, reason: str) -> None:
        self._totals.cell("sipswarm_bus_dropped_total", reason).value += 1

    def _send_to(self, channel: Channel, parts: Sequence[bytes], records: Sequence[Any]) -> bool:
        """Encode and send; `parts` are the routing parts in front."""
        if self._closed:
            return False
        count = len(records)
        if channel.sent - channel.acknowledged + count > channel.window and count:
            self._totals.cell("sipswarm_bus_dropped_total", "window").value += count
            return False
        if self._checks and not all(map(wire.fits, records)):
            return self._send_what_can_be(channel, parts, records)
        try:
            payload = wire.encode(self._incarnation, channel.sent, channel.handled, time.monotonic(), records)
        except wire.UNSENDABLE:
            return self._send_what_can_be(channel, parts, records)
        if len(payload) > wire.MAX_FRAME:  # the other end would close the connection
            return self._send_what_can_be(channel, parts, records)
        return self._put(channel, parts, payload, count)

    def _put(self, channel: Channel, parts: Sequence[bytes], payload: bytes, count: int) -> bool:
        """Hand a frame of `count` records to ZeroMQ."""
        try:
            self._socket.send_multipart((*parts, payload), zmq.DONTWAIT)
        except zmq.Again:
            self._totals.cell("sipswarm_bus_dropped_total", "hwm").value += count
            return False
        except zmq.ZMQError:
            self._totals.cell("sipswarm_bus_dropped_total", "no_route").value += count
            return False
        finally:
            self._schedule_drain_if_readable()
        channel.sent += count
        channel.reported = channel.handled
        self._sent.value += count
        return True

    def _send_what_can_be(self, channel: Channel, parts: Sequence[bytes], records: Sequence[Any]) -> bool:
        """Send a batch that cannot be one frame: in several, without the records that cannot be sent at all.

        False when none of it went out because the other end takes nothing now: then it is the caller's as before.
        """
        frames: list[list[Any]] = []
        unsent: list[Any] = []
        room = 0
        for record in records:
            size = _size_alone(record)
            if size > wire.MAX_FRAME:
                unsent.append(record)
                self._say_unsent(record)
                continue
            if size > room:
                frames.append([])
                room = wire.MAX_FRAME
            room -= size  # a frame's head counts for each record: more than it takes
            frames[-1].append(record)
        for number, frame in enumerate(frames):
            payload = wire.encode(self._incarnation, channel.sent, channel.handled, time.monotonic(), frame)
            if not self._put(channel, parts, payload, len(frame)):
                if not number:
                    return False
                unsent += frame
        self._totals.cell("sipswarm_bus_dropped_total", "unsendable").value += len(records) - sum(map(len, frames))
        if self._on_unsent is not None:
            for record in unsent:
                self._on_unsent(record)
        return True

    def _say_unsent(self, record: Any) -> None:
        """Log once for each class of records what cannot be sent."""
        kind = record.__class__
        if kind not in self._said:
            self._said.add(kind)
            _logger.error(
                "a %s could not be sent on the %s link and is left out, because of %s; further ones are only counted",
                kind.__name__,
                self._name,
                _why_unsent(record),
            )

    def _schedule_drain_if_readable(self) -> None:
        if not self._drain_scheduled and self._readable():
            self._drain_scheduled = True
            self._loop.call_soon(self._drain)

    def _readable(self) -> bool:
        """Whether a frame waits; when none does, the next one makes the descriptor readable."""
        return not self._closed and int(self._socket.getsockopt(zmq.EVENTS)) & _READABLE != 0

    def _drain(self) -> None:
        self._drain_scheduled = False
        try:
            for _ in range(FRAMES_PER_TURN):
                if not self._readable():
                    break
                self._receive(self._socket.recv_multipart(zmq.DONTWAIT))
            else:
                self._schedule_drain_if_readable()
        except BaseException:  # later frames must not wait for an edge that may be swallowed already
            self._schedule_drain_if_readable()
            raise
        if self._on_drained is not None and not self._closed:
            self._on_drained()

    def _receive(self, parts: list[bytes]) -> None:
        raise NotImplementedError

    def _take(self, channel: Channel, frame: wire.Frame) -> None:
        """Count a frame of a known peer and pass its records on."""
        count = len(frame.records)
        if frame.sequence != channel.handled:
            self._count("gap" if frame.sequence > channel.handled else "repeated")
            if frame.sequence < channel.handled:
                return
        channel.handled = frame.sequence + count
        channel.acknowledged = max(channel.acknowledged, min(frame.acknowledged, channel.sent))
        if not count:
            return
        self._received.value += count
        age = time.monotonic() - frame.sent_at
        self._delay.add(age)
        if age > MAX_AGE:
            self._totals.cell("sipswarm_bus_dropped_total", "expired").value += count
        else:
            self._on_records(channel, frame.records)
        if channel.handled - channel.reported >= channel.window // 4:
            self._acknowledge(channel)

    def _acknowledge(self, channel: Channel) -> None:
        """Send the other end how many records were handled; again a little later when that could not be sent."""
        if not self._closed and channel.handled > channel.reported and not self._send_acknowledgement(channel):
            self._loop.call_later(RETRY_INTERVAL, self._acknowledge, channel)

    def _send_acknowledgement(self, channel: Channel) -> bool:
        raise NotImplementedError


class RouterLink(_Link):
    """The end that binds. Peers appear by `Hello`; a newer incarnation of a slot replaces the older one.

    Args:
        endpoint: ipc://… or inproc://….
        window: records a peer may leave unacknowledged.
        on_peer: called with the channel of each peer that sent `Hello`.
        on_unsent: called with each record that was left out.
        checks: look at the types of what is sent, where values may come from a user's code; one that the other end
            refuses costs its whole frame.
        linger_ms: how long `close` goes on sending.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        endpoint: str,
        *,
        role: str,
        slot: int = 0,
        name: str,
        window: int,
        on_records: Callable[[Channel, list[Any]], None],
        on_peer: Callable[[Channel], None] | None = None,
        on_drained: Callable[[], None] | None = None,
        on_unsent: OnUnsent | None = None,
        checks: bool = False,
        linger_ms: int = 0,
    ) -> None:
        socket = surroundings.context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        _set_bounds(socket, linger_ms)
        socket.bind(endpoint)
        self.channels: dict[tuple[str, int], Channel] = {}
        self._by_identity: dict[bytes, Channel] = {}
        self._role, self._slot = role, slot
        self._on_peer = on_peer
        super().__init__(
            socket,
            name=name,
            window=window,
            on_records=on_records,
            on_drained=on_drained,
            on_unsent=on_unsent,
            checks=checks,
            surroundings=surroundings,
        )

    def send(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records to one peer; False when its window is full or it is not there. Never blocks."""
        return self._send_to(channel, (channel.identity,), records)

    def broadcast(self, records: Sequence[Any]) -> None:
        """Send to every peer that is there."""
        for channel in list(self.channels.values()):
            self.send(channel, records)

    def forget(self, role: str, slot: int, incarnation: int) -> bool:
        """A peer is known to be gone; False when a newer incarnation has taken its place already, and stays."""
        channel = self.channels.get((role, slot))
        if channel is None:
            return True
        if channel.incarnation > incarnation:
            return False
        del self.channels[role, slot]
        self._by_identity.pop(channel.identity, None)
        return True

    def _receive(self, parts: list[bytes]) -> None:
        identity, data = parts[0], parts[-1]
        try:
            frame = wire.decode(data)
        except wire.WireError:
            self._count("decode_error")
            return
        if frame.records and frame.records[0].__class__ is Hello:
            self._greet(identity, frame)
            return
        channel = self._by_identity.get(identity)
        if channel is None or channel.incarnation != frame.incarnation:
            self._count("stale")
            if channel is None:  # a peer of our predecessor: our incarnation makes it send `Hello` again
                self._send_to(Channel(identity, 0), (identity,), ())
            return
        self._take(channel, frame)

    def _greet(self, identity: bytes, frame: wire.Frame) -> None:
        hello: Hello = frame.records[0]
        known = self.channels.get((hello.role, hello.slot))
        if known is not None and known.incarnation > frame.incarnation:
            self._count("stale")
            return
        if known is not None and known.identity == identity:
            return  # sent again before our welcome was read
        self.forget(hello.role, hello.slot, frame.incarnation)
        known = Channel(identity, self._window)
        known.role, known.slot = hello.role, hello.slot
        self.channels[hello.role, hello.slot] = self._by_identity[identity] = known
        known.restart(frame.incarnation)
        known.handled = frame.sequence + len(frame.records)
        if self.send(known, (Welcome(self._role, self._slot),)) and self._on_peer is not None:
            self._on_peer(known)

    def _send_acknowledgement(self, channel: Channel) -> bool:
        return self._send_to(channel, (channel.identity,), ())


class DealerLink(_Link):
    """The end that connects, to exactly one peer. Sends `Hello` until it receives `Welcome`, also after `reconnect`.

    Records before the welcome are refused like those beyond the window.

    Args:
        on_unsent, checks: as for `RouterLink`.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        endpoint: str,
        *,
        role: str,
        slot: int,
        name: str,
        window: int,
        on_records: Callable[[Channel, list[Any]], None],
        on_welcome: Callable[[], None] | None = None,
        on_drained: Callable[[], None] | None = None,
        on_unsent: OnUnsent | None = None,
        checks: bool = False,
        linger_ms: int = 0,
    ) -> None:
        socket = surroundings.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.IDENTITY, f"{role}-{slot}.{surroundings.incarnation}".encode())
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        _set_bounds(socket, linger_ms)
        socket.connect(endpoint)
        self.channel = Channel(b"", window)
        self.welcome = False
        self._hello = Hello(role, slot, os.getpid())
        self._on_welcome = on_welcome
        super().__init__(
            socket,
            name=name,
            window=window,
            on_records=on_records,
            on_drained=on_drained,
            on_unsent=on_unsent,
            checks=checks,
            surroundings=surroundings,
        )
        self._say_hello()

    def send(self, records: Sequence[Any]) -> bool:
        """Send records; False when the window is full or the peer is not there. Never blocks."""
        if not self.welcome:
            self._totals.cell("sipswarm_bus_dropped_total", "no_route").value += len(records)
            return False
        return self._send_to(self.channel, (), records)

    def reconnect(self) -> None:
        """The peer was replaced: introduce ourselves to the new one. What was unacknowledged is lost."""
        if self.welcome:
            self.welcome = False
            self._say_hello()

    def _say_hello(self) -> None:
        if self.welcome or self._closed:
            return
        self.channel.restart(-1)
        self.channel.sent = 0
        payload = wire.encode(self._incarnation, 0, 0, time.monotonic(), [self._hello])
        try:
            self._socket.send(payload, zmq.DONTWAIT)
            self.channel.sent = 1
        except zmq.Again:
            pass  # not connected yet: the next attempt will find it
        self._schedule_drain_if_readable()
        self._loop.call_later(HELLO_INTERVAL, self._say_hello)

    def _receive(self, parts: list[bytes]) -> None:
        try:
            frame = wire.decode(parts[-1])
        except wire.WireError:
            self._count("decode_error")
            return
        channel = self.channel
        if frame.records and frame.records[0].__class__ is Welcome:
            if self.welcome and frame.incarnation == channel.incarnation:
                return  # the answer to a hello that we repeated
            welcome: Welcome = frame.records[0]
            channel.role, channel.slot, channel.incarnation = welcome.role, welcome.slot, frame.incarnation
            channel.handled = frame.sequence + 1
            self.welcome = True
            if self._on_welcome is not None:
                self._on_welcome()
            return
        if not self.welcome or frame.incarnation != channel.incarnation:
            self._count("stale")
            if frame.incarnation > channel.incarnation:
                self.reconnect()
            return
        self._take(channel, frame)

    def _send_acknowledgement(self, channel: Channel) -> bool:
        return self._send_to(channel, (), ())


def _size_alone(record: Any) -> int:
    """Octets of a frame with this record only; beyond every bound when it cannot be sent."""
    if not wire.fits(record):
        return wire.MAX_FRAME + 1
    try:
        return len(wire.encode(_LARGE, _LARGE, _LARGE, 0.0, (record,)))
    except wire.UNSENDABLE:
        return wire.MAX_FRAME + 1


def _why_unsent(record: Any) -> str:
    if not wire.fits(record):
        return "the type of a field"
    try:
        size = len(wire.encode(_LARGE, _LARGE, _LARGE, 0.0, (record,)))
    except wire.UNSENDABLE as error:
        return f"{type(error).__name__}: {error}"
    return f"its {size:,} octets, of which {wire.MAX_FRAME:,} can be sent"


def _set_bounds(socket: "zmq.Socket[bytes]", linger_ms: int) -> None:
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME)
    socket.setsockopt(zmq.LINGER, linger_ms)
