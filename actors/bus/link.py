"""Links between processes: plain ZeroMQ sockets in an event loop, never blocking, nothing lost in silence.

One side binds (`RouterLink`: dispatcher, media worker, supervisor), the other connects (`DealerLink`). `send` answers
True or False; a sender keeps at most `window` records unacknowledged (`channel`) and refuses beyond, so that a peer
that stands still costs a bounded number of records. `post` keeps what finds no room, up to as many again, and sends it
when there is room. High-water marks are only the second fence. A record that cannot be sent, because of a value or of
its size, is left out of its batch, counted and logged; the others arrive. Only what its sender repeats may expire
(`kinds.may_expire`), and what a peer that is gone did not acknowledge is given back. What a connection took with it is
sent again on the next one, and `watch` finds out that it is lost. `link_counts` has the sum.

A turn of a link is bounded in time, and a frame in records, so that other callbacks get theirs. A ZeroMQ descriptor is
edge-triggered and an own `send` may swallow the edge: the socket's events are read again after every send and every
frame. The only importer of zmq; it must not interpret any record but `Hello` and `Welcome`, by which both ends find
each other.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import zmq

from ..counting.totals import Totals
from ..diagnosis.black_box import BlackBox
from ..errors import ConfigurationError
from . import kinds, wire
from .bound_path import BoundPath
from .channel import Channel
from .link_counts import LinkCounts
from .messages import Hello, Probe, Probed, Welcome
from .outages import Outages
from .standstills import Pulse, Standstills
from .unsent import Unsendable
from .watch import Watch

_logger = logging.getLogger(__name__)
__all__ = ("Channel", "DealerLink", "RouterLink", "Surroundings", "new_context", "versions")
OnUnsent = Callable[[Any], None]
"""Called with each record that was left out of a batch that was sent."""
OnLost = Callable[[Channel, list[Any]], None]
"""Called with the records that a peer had not acknowledged when it was gone, in the order in which they were sent."""
_READABLE: Final = int(zmq.POLLIN)
"""As a plain number: an `&` with a flag of an enum takes as long as reading the socket's events."""
FRAMES_PER_TURN = 64
"""Frames handled before other callbacks of the loop get their turn."""
TURNS_AT_ONCE: Final = 16
"""Turns in which the frames of a peer that is gone are read: more than ZeroMQ holds of one peer."""
TURN_TIME = 0.02
"""Seconds after which they get it in any case."""
RECORDS_PER_FRAME = 128
"""Records of a frame; a turn ends between two frames only."""
HIGH_WATER_MARK = 1000
MAX_AGE = 8.0
"""Seconds: older SIP of a datagram expires. Its peer has repeated it meanwhile, at least every 4 s (RFC 3261, T2)."""
LEAST_LIBZMQ: Final = (4, 3, 4)
"""Older ones let a peer write beyond a buffer, or take memory without end (CVE-2020-15166, CVE-2021-20234 to 20237)."""
HELLO_INTERVAL = 0.05
RETRY_INTERVAL = 0.05
WELCOME_WITHIN = 1.0
"""Seconds in which a welcome is read and acknowledged; after that a repeated `Hello` begins a new link."""
ACKNOWLEDGE_WITHIN = 0.1
"""Seconds until records are acknowledged that no frame of this end has acknowledged meanwhile."""
HANDSHAKE_WITHIN = 2.0
"""Seconds for the first octets of a connection; after that there is another one."""
LINGER_MS: Final = 200
"""Milliseconds that the end of a process waits until its last frames have left: the next one cannot repeat them."""
ACKNOWLEDGE_SOON: Final = 0.005
"""The same for records that must not be handled twice; what they lead to leaves before, and acknowledges them too."""


def new_context() -> "zmq.Context[zmq.Socket[bytes]]":
    """The ZeroMQ context of a process; in embedded mode of all roles.

    Raises:
        ConfigurationError: the library is one with known holes.
    """
    if zmq.zmq_version_info() < LEAST_LIBZMQ:
        least = ".".join(map(str, LEAST_LIBZMQ))
        raise ConfigurationError(f"libzmq {zmq.zmq_version()} has known holes; {least} or newer: pip install -U pyzmq")
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
    box: BlackBox | None = None
    """The black box of the process; None = each role makes one, which nothing reads."""
    pulse: Pulse | None = None
    """Shows when the process stood still; None = nothing does, because the process is a user's."""
    outages: Outages | None = None
    """Of this host's network; None = nothing tells them."""

    def pulse_of_process(self) -> Pulse:
        """Return the pulse, or one that never beats."""
        return self.pulse or Pulse()

    def standstills(self) -> Standstills:
        """Return what notes the standstills and outages of the process for its calls."""
        return Standstills(self.pulse, self.outages)


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
        on_lost: OnLost | None,
        checks: bool,
        surroundings: Surroundings,
        renew: Callable[[], None] | None = None,
        also: Callable[[], None] | None = None,
    ) -> None:
        self._incarnation, _, totals, loop = surroundings[:4]
        self._socket = socket
        self._window = window
        self._counts = LinkCounts(totals, name)
        self._on_records = on_records
        self._on_drained = on_drained
        self._on_unsent = on_unsent
        self._on_lost = on_lost
        self._unsendable = Unsendable(name, checks)
        self._loop = loop
        self._waiting: dict[Channel, deque[Any]] = {}
        """Records that were posted and found no room."""
        self._retry: asyncio.TimerHandle | None = None
        self._unreported: set[Channel] = set()
        """Channels with records that were handled and not acknowledged."""
        self._reporting: asyncio.TimerHandle | None = None
        self._drain_scheduled = False
        self._closed = False
        self._descriptor = int(socket.getsockopt(zmq.FD))
        loop.add_reader(self._descriptor, self._drain)
        self._watch = Watch(loop, channels=self._linked, ask=self._ask, renew=renew, also=also)
        self._schedule_drain_if_readable()

    def close(self) -> None:
        """Acknowledge what was handled, and close the socket; frames not yet sent get the socket's linger time."""
        if not self._closed:
            self._on_report()
            self._closed = True
            for timer in (self._retry, self._reporting):
                if timer is not None:
                    timer.cancel()
            self._watch.close()
            self._loop.remove_reader(self._descriptor)
            self._socket.close()

    # ---- out

    def _offer(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records now, all or none."""
        self._counts.offered(records)
        if not self._waiting.get(channel) and self._deliver(channel, records):
            return True
        self._counts.refused(records)
        return False

    def _post(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records now, or when there is room; False when too many wait."""
        self._counts.offered(records)
        waiting = self._waiting.get(channel)
        room = channel.room if self._is_there(channel) else 0
        if not waiting and room >= len(records) and self._deliver(channel, records):
            return True
        if len(waiting or ()) + len(records) > self._window + max(0, room) or self._closed:
            self._counts.dropped("window", len(records))
            self._counts.refused(records)
            return False
        self._waiting.setdefault(channel, deque()).extend(records)
        self._send_waiting(channel)
        return True

    def _retry_later(self) -> None:
        if self._retry is None and not self._closed:
            self._retry = self._loop.call_later(RETRY_INTERVAL, self._on_retry)

    def _on_retry(self) -> None:
        self._retry = None
        for channel in list(self._waiting):
            self._send_waiting(channel)

    def _send_waiting(self, channel: Channel) -> None:
        """Send what was posted, as far as there is room; the rest waits."""
        waiting = self._waiting[channel]
        while waiting and self._is_there(channel):
            batch = [waiting[number] for number in range(min(channel.room, RECORDS_PER_FRAME, len(waiting)))]
            if not batch or not self._deliver(channel, batch):
                break
            for _ in batch:
                waiting.popleft()
        if waiting:
            self._retry_later()
        else:
            del self._waiting[channel]

    def _is_there(self, channel: Channel) -> bool:
        raise NotImplementedError

    def _linked(self) -> Iterable[Channel]:
        """The other ends that are there."""
        raise NotImplementedError

    def _routing(self, channel: Channel) -> tuple[bytes, ...]:
        """The parts in front of a frame."""
        raise NotImplementedError

    def _deliver(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records in frames; False when none of them went out."""
        if self._closed:
            return False
        count = len(records)
        if channel.room < count and count:
            self._counts.dropped("window", count)
            return False
        if count <= RECORDS_PER_FRAME:
            return self._deliver_frame(channel, records)
        for start in range(0, count, RECORDS_PER_FRAME):
            if not self._deliver_frame(channel, records[start : start + RECORDS_PER_FRAME]):
                if not start:
                    return False
                self._waiting.setdefault(channel, deque()).extend(records[start:])
                self._retry_later()
                break
        return True

    def _deliver_frame(self, channel: Channel, records: Sequence[Any]) -> bool:
        if self._unsendable.checks and not all(map(wire.fits, records)):
            return self._deliver_what_can_be(channel, records)
        try:
            payload = self._encode(channel, records)
        except wire.UNSENDABLE:
            return self._deliver_what_can_be(channel, records)
        if len(payload) > wire.MAX_FRAME:  # the other end would close the connection
            return self._deliver_what_can_be(channel, records)
        return self._put(channel, payload, records)

    def _encode(self, channel: Channel, records: Sequence[Any]) -> bytes:
        now = time.monotonic()
        return wire.encode(self._incarnation, channel.sent, channel.handled, now, records, channel.late)

    def _put(self, channel: Channel, payload: bytes, records: Sequence[Any]) -> bool:
        """Hand a frame to ZeroMQ."""
        count = len(records)
        try:
            self._socket.send_multipart((*self._routing(channel), payload), zmq.DONTWAIT)
        except zmq.Again:
            self._counts.dropped("hwm", count)
            return False
        except zmq.ZMQError:
            self._counts.dropped("no_route", count)
            return False
        finally:
            self._schedule_drain_if_readable()
        channel.add(records, time.monotonic())
        self._counts.sent.value += count
        return True

    def _deliver_what_can_be(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send a batch that cannot be one frame: in several, without the records that cannot be sent at all.

        False when none of it went out because the other end takes nothing now: then it is the caller's as before.
        """
        frames, unsent = self._unsendable.divide(records)
        lost = len(unsent)
        for number, frame in enumerate(frames):
            if not self._put(channel, self._encode(channel, frame), frame):
                if not number:
                    return False
                unsent += frame
        self._counts.dropped("unsendable", lost)
        self._counts.refused(unsent)
        if self._on_unsent is not None:
            for record in unsent:
                self._on_unsent(record)
        return True

    def _give_back(self, channel: Channel, *, waiting: bool) -> None:
        """The other end is gone: what it did not acknowledge goes back to its sender.

        Args:
            waiting: also what still waits for room; else that waits for a new process.
        """
        lost = channel.give_back()
        if waiting:
            lost += self._waiting.pop(channel, ())
        self._unreported.discard(channel)
        if lost:
            self._counts.refused(lost)
            lost = [record for record in lost if record.__class__ is not Welcome]  # which the link itself had sent
            if lost and self._on_lost is not None and not self._closed:
                self._on_lost(channel, lost)

    # ---- in

    def _schedule_drain_if_readable(self) -> None:
        if not self._drain_scheduled and self._readable():
            self._drain_scheduled = True
            self._loop.call_soon(self._drain)

    def _readable(self) -> bool:
        """Whether a frame waits; when none does, the next one makes the descriptor readable."""
        return not self._closed and int(self._socket.getsockopt(zmq.EVENTS)) & _READABLE != 0

    def read_waiting(self) -> None:
        """Handle the frames that have come already, such as the last ones of a peer that is gone; in a bounded time."""
        for _ in range(TURNS_AT_ONCE):
            self._drain()
            if not self._readable():
                break

    def _drain(self) -> None:
        self._drain_scheduled = False
        until = time.monotonic() + TURN_TIME
        try:
            for _ in range(FRAMES_PER_TURN):
                if not self._readable():
                    break
                self._receive(self._socket.recv_multipart(zmq.DONTWAIT))
                if time.monotonic() > until:
                    self._schedule_drain_if_readable()
                    break
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
        """Count a frame of a known peer and pass its records on; it is acknowledged when they are handled."""
        count = len(frame.records)
        channel.hear()
        self._take_acknowledgement(channel, frame)
        if frame.sequence != channel.handled and not self._takes_out_of_order(channel, frame):
            return
        try:
            if count:
                self._pass_on(channel, frame)
        finally:
            channel.take(frame.sequence, count)
        if channel.handled - channel.reported >= channel.window // 4:
            self._acknowledge(channel)
        elif channel.handled > channel.reported:
            self._acknowledge_later(channel)

    def _takes_out_of_order(self, channel: Channel, frame: wire.Frame) -> bool:
        """Whether a frame has to be taken that is not the next one."""
        if frame.sequence == wire.UNNUMBERED:
            for record in frame.records:
                self._take_probe(channel, record)
            return False
        if frame.sequence < channel.handled:
            self._counts.dropped("repeated")
            return False
        self._counts.dropped("gap")
        if channel.unread:
            channel.leave_out(frame.sequence - channel.handled)
            return True
        if channel.miss():
            self._signal(channel, Probed(frame.sequence))
        return False

    def _take_probe(self, channel: Channel, record: Any) -> None:
        """Answer a `Probe`; after a `Probed`, send again what is lost."""
        if record.__class__ is Probe:
            channel.answer(record.sent)
            self._signal(channel, Probed(record.sent))
        elif record.__class__ is Probed and not channel.is_answered(record.sent):
            self._send_again(channel)

    def _ask(self, channel: Channel) -> None:
        self._signal(channel, Probe(channel.sent))

    def _signal(self, channel: Channel, record: Probe | Probed) -> None:
        """Send a record without a number; who asks does so again when it does not go out."""
        self._put_again(channel, wire.UNNUMBERED, time.monotonic(), (record,))

    def _send_again(self, channel: Channel) -> None:
        """Send what is under way once more, as far as ZeroMQ takes it; the other end misses the rest."""
        frames = channel.frames_under_way()
        count = sum(len(frame.records) for frame in frames)
        _logger.warning("%d records on the %s link are sent again: a connection is lost", count, self._counts.name)
        for frame in frames:
            if not self._put_again(channel, frame.sequence, frame.at, frame.records):
                break

    def _put_again(self, channel: Channel, sequence: int, at: float, records: Sequence[Any]) -> bool:
        """Hand ZeroMQ a frame that is no new one."""
        payload = wire.encode(self._incarnation, sequence, channel.handled, at, records, channel.late)
        try:
            self._socket.send_multipart((*self._routing(channel), payload), zmq.DONTWAIT)
        except zmq.ZMQError:
            return False
        finally:
            self._schedule_drain_if_readable()
        return True

    def _acknowledge_later(self, channel: Channel) -> None:
        self._unreported.add(channel)
        if self._reporting is None and not self._closed:
            self._reporting = self._loop.call_later(ACKNOWLEDGE_WITHIN, self._on_report)

    def _take_acknowledgement(self, channel: Channel, frame: wire.Frame) -> None:
        if frame.acknowledged > channel.acknowledged:
            self._counts.settled(*channel.settle(frame.acknowledged, frame.late))
            if channel in self._waiting:
                self._send_waiting(channel)

    def _pass_on(self, channel: Channel, frame: wire.Frame) -> None:
        records = frame.records
        self._counts.received.value += len(records)
        age = time.monotonic() - frame.sent_at
        self._counts.delay.add(age)
        if age > MAX_AGE:
            records = [record for record in records if not kinds.may_expire(record)]
            expired = len(frame.records) - len(records)
            channel.leave_out(expired)
            self._counts.dropped("expired", expired)
        if records:
            self._on_records(channel, records)

    def _on_report(self) -> None:
        self._reporting = None
        unreported, self._unreported = self._unreported, set()
        for channel in unreported:
            self._acknowledge(channel)

    def _acknowledge(self, channel: Channel) -> None:
        """Send the other end how many records were handled; again a little later when that could not be sent."""
        if (
            not self._closed
            and channel.handled > channel.reported
            and self._is_there(channel)
            and not self._deliver(channel, ())
        ):
            self._loop.call_later(RETRY_INTERVAL, self._acknowledge, channel)


class RouterLink(_Link):
    """The end that binds. Peers appear by `Hello`; a newer incarnation of a slot replaces the older one.

    Args:
        endpoint: ipc://… or inproc://….
        window: records a peer may leave unacknowledged.
        on_peer: called with the channel of each peer that sent `Hello`.
        on_unsent: called with each record that was left out.
        on_lost: called with what a peer that is gone has not acknowledged.
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
        on_lost: OnLost | None = None,
        checks: bool = False,
        linger_ms: int = LINGER_MS,
    ) -> None:
        socket = surroundings.context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a peer's new connection may come before its old one is closed
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
            on_lost=on_lost,
            checks=checks,
            surroundings=surroundings,
            also=BoundPath(endpoint, partial(_bind_again, socket, endpoint)).look,
        )

    def send(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records to one peer; False when its window is full or it is not there. Never blocks."""
        return self._offer(channel, records)

    def post(self, channel: Channel, records: Sequence[Any]) -> bool:
        """Send records to one peer, now or when it has room; False when as many as its window wait, or it is gone."""
        return self._post(channel, records) if self._is_there(channel) else self._offer(channel, records)

    def broadcast(self, records: Sequence[Any]) -> None:
        """Post to every peer that is there."""
        for channel in list(self.channels.values()):
            self.post(channel, records)

    @property
    def is_all_handled(self) -> bool:
        """Whether each peer that is there has handled what was sent to it."""
        return all(channel.acknowledged >= channel.sent for channel in self.channels.values())

    def _is_there(self, channel: Channel) -> bool:
        return self._by_identity.get(channel.identity) is channel

    def _linked(self) -> Iterable[Channel]:
        return self.channels.values()

    def _routing(self, channel: Channel) -> tuple[bytes, ...]:
        return (channel.identity,)

    def forget(self, role: str, slot: int, incarnation: int) -> bool:
        """A peer is known to be gone; False when a newer incarnation has taken its place already, and stays."""
        channel = self.channels.get((role, slot))
        if channel is None:
            return True
        if channel.incarnation > incarnation:
            return False
        del self.channels[role, slot]
        self._by_identity.pop(channel.identity, None)
        self._give_back(channel, waiting=True)
        return True

    def _receive(self, parts: list[bytes]) -> None:
        identity, data = parts[0], parts[-1]
        try:
            frame = wire.decode(data)
        except wire.WireError:
            self._counts.dropped("decode_error")
            if identity in self._by_identity:
                self._by_identity[identity].spoil()
            return
        if frame.records and frame.records[0].__class__ is Hello:
            self._greet(identity, frame)
            return
        channel = self._by_identity.get(identity)
        if channel is None or channel.incarnation != frame.incarnation:
            self._counts.dropped("stale")
            if channel is None:  # a peer of our predecessor: our incarnation makes it send `Hello` again
                self._deliver(Channel(identity, 0), ())
            return
        self._take(channel, frame)

    def _greet(self, identity: bytes, frame: wire.Frame) -> None:
        hello: Hello = frame.records[0]
        known = self.channels.get((hello.role, hello.slot))
        if known is not None and known.incarnation > frame.incarnation:
            self._counts.dropped("stale")
            return
        if known is not None and known.identity == identity and self._may_be_read_yet(known):
            return  # sent again before our welcome was read
        self.forget(hello.role, hello.slot, frame.incarnation)
        known = Channel(identity, self._window)
        known.meet(hello.role, hello.slot, frame.incarnation, frame.sequence + len(frame.records))
        self.channels[hello.role, hello.slot] = self._by_identity[identity] = known
        if self.send(known, (Welcome(self._role, self._slot),)) and self._on_peer is not None:
            self._on_peer(known)

    @staticmethod
    def _may_be_read_yet(known: Channel) -> bool:
        """Whether the welcome of a peer is on its way. A peer that read it sends `Hello` only to begin anew."""
        return not known.acknowledged and known.silent_for(time.monotonic()) < WELCOME_WITHIN


class DealerLink(_Link):
    """The end that connects, to exactly one peer. Sends `Hello` until it receives `Welcome`, also after `reconnect`.

    Records before the welcome are refused like those beyond the window.

    Args:
        on_unsent, on_lost, checks: as for `RouterLink`.
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
        on_lost: OnLost | None = None,
        checks: bool = False,
        linger_ms: int = LINGER_MS,
    ) -> None:
        socket = surroundings.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.IDENTITY, f"{role}-{slot}.{surroundings.incarnation}".encode())
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        _set_bounds(socket, linger_ms)
        socket.connect(endpoint)
        self.channel = Channel(b"", window)
        self.welcome = False
        self._reads = True
        self._hello = Hello(role, slot, os.getpid())
        self._on_welcome = on_welcome
        super().__init__(
            socket,
            name=name,
            window=window,
            on_records=on_records,
            on_drained=on_drained,
            on_unsent=on_unsent,
            on_lost=on_lost,
            checks=checks,
            surroundings=surroundings,
            renew=partial(self._renew, endpoint),
        )
        self._say_hello()

    def send(self, records: Sequence[Any]) -> bool:
        """Send records; False when the window is full or the peer is not there. Never blocks."""
        if not self.welcome:
            self._counts.dropped("no_route", len(records))
            self._counts.offered(records)
            self._counts.refused(records)
            return False
        return self._offer(self.channel, records)

    def post(self, records: Sequence[Any]) -> bool:
        """Send records now, or when the peer is there and has room; False when as many as its window wait already.

        What waits goes to the next process when the peer is replaced.
        """
        return self._post(self.channel, records)

    def stop_reading(self) -> None:
        """Leave what comes from now on to the next process of this slot: the peer keeps what is not acknowledged."""
        self._reads = False

    def _readable(self) -> bool:
        return super()._readable() and self._reads

    def acknowledge_soon(self) -> None:
        """Acknowledge records that would be handled twice, if this process died before it has acknowledged them."""
        self._loop.call_later(ACKNOWLEDGE_SOON, self._acknowledge, self.channel)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds the peer has not acknowledged the oldest record under way; 0.0 = none is.

        A peer that runs acknowledges within `ACKNOWLEDGE_WITHIN`. Read it where this process itself stood still only
        after it has read the link again.

        Args:
            now: monotonic seconds.
        """
        return self.channel.silent_for(now)

    def gone(self, incarnation: int) -> None:
        """Take the death of the peer: look for the next one, unless that was linked before the death was known.

        What the peer has sent before is handled first.

        Args:
            incarnation: of the peer that died.
        """
        self.read_waiting()
        if not self.welcome or self.channel.incarnation <= incarnation:
            self.reconnect()

    def reconnect(self) -> None:
        """The peer was replaced: introduce ourselves to the new one. What was unacknowledged is given back."""
        if self.welcome:
            self.welcome = False
            self._give_back(self.channel, waiting=False)
            self._say_hello()

    def _renew(self, endpoint: str) -> None:
        """Make a new connection; the peer takes what is sent again on it, and nothing twice."""
        _logger.warning(
            "the %s link to slot %d gives no answer: a new connection", self._counts.name, self.channel.slot
        )
        socket = self._socket
        linger = socket.getsockopt(zmq.LINGER)
        socket.setsockopt(zmq.LINGER, 0)
        with suppress(zmq.ZMQError):
            socket.disconnect(endpoint)
        socket.setsockopt(zmq.LINGER, linger)
        socket.connect(endpoint)
        self._schedule_drain_if_readable()

    def _is_there(self, channel: Channel) -> bool:
        return self.welcome

    def _linked(self) -> Iterable[Channel]:
        return (self.channel,) if self.welcome else ()

    def _routing(self, channel: Channel) -> tuple[bytes, ...]:
        return ()

    def _say_hello(self) -> None:
        if self.welcome or self._closed:
            return
        self.channel.restart(-1)
        payload = wire.encode(self._incarnation, 0, 0, time.monotonic(), [self._hello])
        try:
            self._socket.send(payload, zmq.DONTWAIT)
            self.channel.greet()
        except zmq.Again:
            pass  # not connected yet: the next attempt will find it
        self._schedule_drain_if_readable()
        self._loop.call_later(HELLO_INTERVAL, self._say_hello)

    def _receive(self, parts: list[bytes]) -> None:
        try:
            frame = wire.decode(parts[-1])
        except wire.WireError:
            self._counts.dropped("decode_error")
            self.channel.spoil()
            return
        channel = self.channel
        if frame.records and frame.records[0].__class__ is Welcome:
            if self.welcome and frame.incarnation == channel.incarnation:
                return  # the answer to a hello that we repeated
            welcome: Welcome = frame.records[0]
            channel.meet(welcome.role, welcome.slot, frame.incarnation, frame.sequence + 1)
            self.welcome = True
            self._acknowledge_later(channel)
            if self._on_welcome is not None:
                self._on_welcome()
            if channel in self._waiting:
                self._send_waiting(channel)
            return
        if not self.welcome or frame.incarnation != channel.incarnation:
            self._counts.dropped("stale")
            if frame.incarnation > channel.incarnation:
                self.reconnect()
            return
        self._take(channel, frame)


def _bind_again(socket: "zmq.Socket[bytes]", endpoint: str) -> str:
    """Bind a socket once more; return what is wrong, empty where nothing is."""
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        return str(error)
    return ""


def _set_bounds(socket: "zmq.Socket[bytes]", linger_ms: int) -> None:
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME)
    socket.setsockopt(zmq.LINGER, linger_ms)
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(1000 * HANDSHAKE_WITHIN))
