"""The dispatcher: SIP transports on one side, call workers on the other, and no call state between.

It never parses SIP: it reads the Call-ID in the octets, computes the slot and forwards the octets. The allow list is
asked before that (`transport.gate`). While it is quiet it forwards at once. Above some 200 datagrams a second it takes
the sockets out of the poll set. Then it reads them dry on a tick, and sends one link message per slot and tick. A
wake-up per datagram would cost more than all other work on it. Messages of connections (`transport.connections`) join
the same batches; those that find no room wait, and then their connections are not read (`transport.held_messages`). RFC
3261 section 18; the reply of an overloaded slot is that of `sipcore.transaction.stateless` (503 with Retry-After).
"""

import asyncio
import select
import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sipswarm.sipcore.message import peek
from sipswarm.sipcore.transaction import stateless

from .bus.link import Channel, RouterLink, Surroundings
from .bus.messages import Prepared, Quarantined, SendFailed, SendSip, SipReceived, StoodStill
from .bus.slots import slot_of
from .config import NodeConfig, is_wildcard
from .diagnosis.request_loss import Loss, is_told
from .host import kernel
from .transport import packet_info
from .transport.connections import StreamLimits, Streams
from .transport.gate import Gate
from .transport.held_messages import HeldMessages
from .transport.slot_batches import SlotBatches
from .transport.socket_errors import undelivered

WINDOW = 1024
"""Records a slot may leave unacknowledged."""
TICK = 0.002
"""Seconds between two reads of the sockets while it is busy."""
BUSY_RATE = 200
"""Datagrams a second above which sockets are read on the tick."""
WINDOW_TIME = 0.1
"""Seconds over which that rate is measured."""
QUIET_TICKS = 50
"""Empty ticks in a row after which a datagram wakes the loop again."""
READS_PER_TURN = 512
"""Datagrams read from one socket at once."""
SHORTEST_MESSAGE = 20
"""Octets; a shorter datagram is a keep-alive (RFC 5626 section 3.5.1) or noise."""
FLOWS_PER_INCARNATION = 1 << 32
"""Numbers of connections that one dispatcher may give."""
RETRY_AFTER = (5, 30)
"""Seconds, drawn at random so that refused callers do not come back together."""


class _Pace:
    """Decides whether datagrams come so fast that sockets are read on the tick. Pure: times are monotonic seconds.

    Args:
        look: called before a socket is read; see `Pulse.look`.
    """

    __slots__ = ("_count", "_empty_ticks", "_started", "look")

    def __init__(self, look: Callable[[float], None]) -> None:
        self.look = look
        self._started = 0.0
        self._count = 0
        self._empty_ticks = 0

    def begin(self, now: float) -> None:
        """Measure anew."""
        self._started, self._count = now, 0

    def is_busy(self, count: int, now: float) -> bool:
        """Whether the tick begins.

        Args:
            count: datagrams that one wake-up has brought.
        """
        self._count += count
        if now - self._started >= WINDOW_TIME:
            self.begin(now)
            return False
        self._empty_ticks = 0
        return self._count > BUSY_RATE * WINDOW_TIME

    def goes_on(self, count: int) -> bool:
        """Whether the tick goes on.

        Args:
            count: datagrams that it has brought.
        """
        self._empty_ticks = 0 if count else self._empty_ticks + 1
        return self._empty_ticks < QUIET_TICKS


class Dispatcher:
    """One per node.

    Args:
        sockets: the bound listen sockets, in the order of `config.listeners`; they stay with their owner.
        on_ready: called once, when every call worker is prepared; only then is anything read. The dispatcher after one
            that died reads when all are linked, because calls wait for it.
    """

    def __init__(
        self,
        config: NodeConfig,
        sockets: Sequence[socket.socket],
        *,
        surroundings: Surroundings,
        on_ready: Callable[[], None],
        random: Random,
    ) -> None:
        totals = surroundings.totals
        self._sockets = list(sockets)
        self._loop = surroundings.loop
        self._random = random
        self._on_ready = on_ready
        self._config = config
        self._ready = False
        pulse = surroundings.pulse_of_process()
        pulse.attend(self._tell_standstill)
        self._ticking: asyncio.TimerHandle | None = None
        self._pace = _Pace(pulse.look)
        self._wildcard = [is_wildcard(each.host) for each in config.listeners]
        self._pollers = {
            index: select.epoll() for index, each in enumerate(self._sockets) if each.type == socket.SOCK_DGRAM
        }
        """One around each UDP socket: libuv stops to watch a descriptor with an error, and an error queue is one."""
        for index, poller in self._pollers.items():
            poller.register(self._sockets[index], select.EPOLLIN)
        self._kernel_drops = totals.cell("sipswarm_udp_socket_drops_total")
        self._refused = {
            reason: totals.cell("sipswarm_sip_refused_total", reason) for reason in ("overload", "quarantined")
        }
        self._quarantined: set[int] = set()
        """Slots whose worker died too often: their new calls get 503. One may be there that ends the calls before."""
        self._prepared: set[int] = set()
        """Slots whose worker has reported that it takes calls."""
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_to_slot")
        self._gate = Gate(config.networks, totals, surroundings.box)
        self._link = RouterLink(
            surroundings,
            config.endpoint("sip"),
            role="dispatcher",
            name="sip",
            window=WINDOW,
            on_records=self._on_records,
            on_peer=self._on_peer if surroundings.incarnation > 1 else None,
            on_drained=lambda: self._held.release(),
            on_lost=self._on_lost,
        )
        self._batches = SlotBatches(
            config.call_workers,
            self._link,
            self._loop,
            totals,
            refuse=self._refuse,
            hold=lambda slot, records: self._held.hold(slot, records),
        )
        self._streams = Streams(
            config.listeners,
            self._sockets,
            config.tls,
            loop=self._loop,
            totals=totals,
            first_flow=surroundings.incarnation * FLOWS_PER_INCARNATION,
            received=self._on_message,
            failed=self._on_failed,
            gate=self._gate,
            limits=StreamLimits.of(config.source_connections, kernel.free_descriptors()),
        )
        self._held = HeldMessages(
            self._batches,
            self._loop,
            totals,
            pause=self._streams.pause,
            resume=self._streams.resume,
            give_up=self._give_up,
        )

    def close(self) -> None:
        """Send what call workers have handed over, and close every connection; the listen sockets stay open."""
        self._link.read_waiting()
        self._streams.close()
        self._held.close()
        if self._ticking is not None:
            self._ticking.cancel()
        elif self._ready:
            self._unwatch()
        for poller in self._pollers.values():
            poller.close()
        self._link.close()

    def start(self, at: float) -> None:
        """Do nothing: reading began when the last call worker was prepared."""

    def settle(self) -> bool:
        """Return True: every number is up to date."""
        return True

    def drain(self, within: float) -> None:
        """Do nothing: the call workers refuse new calls."""

    def on_record(self, record: Any) -> None:
        """Note a slot whose worker died too often."""
        if isinstance(record, Quarantined) and record.role == "call":
            self._quarantined.add(record.slot)
            self._check_ready()

    @property
    def busy(self) -> int:
        """0: a dispatcher has no calls of its own."""
        return 0

    def update_gauges(self) -> int:
        """Count connections, waiting messages and the kernel's drops at the sockets.

        Returns:
            The number of calls: a dispatcher has none.
        """
        self._streams.update_gauges()
        self._batches.update_gauges()
        self._kernel_drops.value = kernel.udp_drops(self._sockets[index] for index in self._pollers)
        return 0

    def worker_down(self, role: str, slot: int, incarnation: int) -> None:
        """A call worker died: drop datagrams that wait for it; messages of connections wait for its replacement."""
        if role == "call" and self._link.forget("call", slot, incarnation):
            self._prepared.discard(slot)
            self._held.put_back(slot, self._batches.drop(slot))

    def _on_lost(self, channel: Channel, records: list[Any]) -> None:
        """Take back what a call worker that died had not acknowledged.

        Datagrams are repeated by their peers.
        """
        self._held.put_back(channel.slot, self._batches.drop(channel.slot))
        self._held.take_back(channel.slot, [each for each in records if each.__class__ is SipReceived and each.flow])

    def _give_up(self, slot: int, record: SipReceived) -> None:
        """A message of a connection cannot be handled: refuse a request, count anything else."""
        if not self._refuse(slot, record):
            self._dropped.value += 1

    def _on_peer(self, channel: Channel) -> None:
        self._on_prepared(channel.slot)

    def _on_prepared(self, slot: int) -> None:
        self._prepared.add(slot)
        self._check_ready()

    def _check_ready(self) -> None:
        if not self._ready and len(self._quarantined | self._prepared) == self._config.call_workers:
            self._ready = True
            self._pace.begin(self._loop.time())
            self._watch()
            self._streams.watch()
            self._on_ready()

    def _on_records(self, channel: Channel, records: list[Any]) -> None:
        """A call worker sends over connections, or has a record for another call worker."""
        for record in records:
            if record.__class__ is SendSip:
                self._streams.send(channel.slot, record)
            elif record.__class__ is Prepared:
                self._on_prepared(record.slot)
            else:
                self._relay(record)
        self._streams.flush()

    def _relay(self, record: Any) -> None:
        """Relay a request or an answer between slots about a call that takes over another (RFC 3891)."""
        channel = self._link.channels.get(("call", record.slot))
        if channel is None or not self._link.post(channel, (record,)):
            self._dropped.value += 1

    def _watch(self) -> None:
        for index, poller in self._pollers.items():
            self._loop.add_reader(poller.fileno(), self._on_readable, index)

    def _unwatch(self) -> None:
        for poller in self._pollers.values():
            self._loop.remove_reader(poller.fileno())

    def _tell_standstill(self, stood: StoodStill) -> None:
        """Tell every call worker, before what is read now."""
        self._link.broadcast((stood,))

    def _on_readable(self, index: int) -> None:
        self._pace.look(self._loop.time())
        count = self._read(index)
        self._batches.flush()
        if self._pace.is_busy(count, self._loop.time()):
            self._unwatch()
            self._ticking = self._loop.call_later(TICK, self._on_tick)

    def _on_tick(self) -> None:
        self._pace.look(self._loop.time())
        count = 0
        for index in self._pollers:
            count += self._read(index)
        self._batches.flush()
        if self._pace.goes_on(count):
            self._ticking = self._loop.call_later(TICK, self._on_tick)
        else:
            self._ticking = None
            self._pace.begin(self._loop.time())
            self._watch()

    def _read(self, index: int) -> int:
        """Read one socket dry within the turn's budget; return the number of datagrams."""
        opened, wildcard, local = self._sockets[index], self._wildcard[index], ""
        # Every datagram is read into one buffer: a buffer for each would leave the heap full of holes.
        receive, buffer, holds = opened.recvfrom_into, self._gate.poison.box.buffer, self._gate.poison.box.holds
        add, slots, key = self._batches.add, self._config.call_workers, self._config.call_id_key
        refusals, now = self._gate.refusals, self._loop.time()
        passes, stops = None if self._gate.is_open else self._gate.lets_pass, self._gate.poison.stops
        for count in range(READS_PER_TURN):
            try:
                if wildcard:
                    size, source, local = packet_info.receive(opened, buffer)
                else:
                    size, source = receive(buffer)
            except BlockingIOError:
                if not count:
                    self._read_errors(index)
                return count
            except OSError:
                self._read_errors(index)  # ICMP has brought the error of an earlier datagram
                continue
            if size < SHORTEST_MESSAGE:
                continue
            holds(size)
            data = bytes(buffer[:size])
            if passes is None or passes(source[0], data):
                record = SipReceived(index, 0, source[0], source[1], data, local)
                slot = slot_of(peek.call_id(data), key, slots) if slots > 1 else 0
                if stops(data, source[0], source[1]):
                    self._refuse_poison(record)
                elif refusals and refusals.status_of(data, now):
                    self._refuse(slot, record)
                else:
                    add(slot, record)
            holds(0)
        return READS_PER_TURN

    def _slot_of(self, data: bytes) -> int:
        slots = self._config.call_workers
        return slot_of(peek.call_id(data), self._config.call_id_key, slots) if slots > 1 else 0

    def _read_errors(self, index: int) -> None:
        """Report requests that are lost by an ICMP error to their slots (RFC 3261 section 18.4)."""
        for lost in undelivered(self._sockets[index]):
            if not is_told(lost.data):
                continue
            slot = self._slot_of(lost.data)
            loss = Loss.REFUSED.value
            self._on_failed(slot, SendFailed(index, lost.host, lost.port, lost.data, lost.reason, loss))

    def _on_message(self, listener: int, flow: int, host: str, port: int, data: bytes, local: str) -> None:
        """A message came on a connection: it joins the batch of this turn of the loop or of the tick."""
        self._pace.look(self._loop.time())
        poison = self._gate.poison
        poison.box.begin(data)
        record = SipReceived(listener, flow, host, port, data, local)
        try:
            if poison.stops(data, host, port):
                self._refuse_poison(record)
                return
            slot = self._slot_of(data)
            if slot in self._quarantined and not self._batches.has_worker(slot):
                self._give_up(slot, record)
            elif self._held.add(slot, record) and self._ticking is None:
                self._batches.flush_soon()
        finally:
            poison.box.end()

    def _on_failed(self, slot: int, failed: SendFailed) -> None:
        """A request of a slot was lost with its connection: report it to its transaction (RFC 3261 section 17.1.4)."""
        channel = self._link.channels.get(("call", slot))
        if channel is None or not self._link.post(channel, (failed,)):
            self._dropped.value += 1

    def _refuse(self, slot: int, record: SipReceived) -> bool:
        """Answer a request of a slot without room: 503, without state and unparsed; False when it takes no answer."""
        reply = stateless.overload_reply(record.data, self._random.randint(*RETRY_AFTER))
        if reply is None:
            return False
        refusals, now = self._gate.refusals, self._loop.time()
        if not record.flow and self._batches.has_worker(slot) and not refusals.status_of(record.data, now):
            refusals.note(record.data, 503, now)  # while no worker is there nothing has begun
        self._refused["quarantined" if slot in self._quarantined else "overload"].value += 1
        self._answer(slot, record, reply)
        return True

    def _refuse_poison(self, record: SipReceived) -> None:
        """Answer a message that has ended processes, as far as it takes an answer."""
        reply = self._gate.poison.answer(record)
        if reply is not None:
            self._answer(0, record, reply)

    def _answer(self, slot: int, record: SipReceived, reply: bytes) -> None:
        """Send an answer without state to the source of its request."""
        if record.flow:
            self._streams.send(slot, SendSip(record.listener, record.flow, record.host, record.port, "", reply))
            self._streams.flush()
            return
        try:
            packet_info.send(self._sockets[record.listener], reply, (record.host, record.port), record.local)
        except OSError:
            self._dropped.value += 1  # the UAC repeats
