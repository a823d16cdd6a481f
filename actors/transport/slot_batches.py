"""SIP messages on their way from the sockets to the slots that own them: one link message per slot and flush.

A slot whose link has less room than messages wait takes those of its calls first; requests that would begin a call are
refused without being parsed. Messages of connections that find no room wait a moment, because their peers do not repeat
them; a datagram is dropped, and its peer repeats it. Everything that waits must be bounded and counted.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sipswarm.sipcore.message import peek

from ..bus.link import RECORDS_PER_FRAME, RouterLink
from ..bus.messages import SipReceived
from ..counting.totals import Totals

FLUSH_OCTETS: Final = 256 * 1024
"""Octets for one slot that are sent at once."""
HELD: Final = 256
"""Messages of connections per slot that wait for room on its link."""
HOLD_TIME: Final = 2.0
"""Seconds that they wait at most."""
HOLD_TICK: Final = 0.05
"""Seconds between two tries."""


class SlotBatches:
    """The batches of one dispatcher.

    Args:
        slots: their number.
        link: to the call workers.
        refuse: answers a request that would begin a call of a slot.
    """

    __slots__ = (
        *("_batch", "_dropped", "_held", "_held_until", "_holding", "_link", "_loop", "_octets", "_pending", "_refuse"),
        *("_scheduled", "_waiting"),
    )

    def __init__(
        self,
        slots: int,
        link: RouterLink,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        refuse: Callable[[int, SipReceived], None],
    ) -> None:
        self._link = link
        self._loop = loop
        self._refuse = refuse
        self._pending: list[list[SipReceived]] = [[] for _ in range(slots)]
        self._octets = [0] * slots
        self._held: list[list[SipReceived]] = [[] for _ in range(slots)]
        self._held_until = [0.0] * slots
        self._holding: asyncio.TimerHandle | None = None
        self._scheduled = False
        self._batch = totals.distribution("sipswarm_dispatch_batch_datagrams")
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_to_slot")
        self._waiting = totals.cell("sipswarm_bus_queue_messages", "sip_to_slot")

    def add(self, slot: int, record: SipReceived) -> None:
        """Put a message into the batch of its slot; `flush` or `flush_soon` follows."""
        self._pending[slot].append(record)
        self._octets[slot] += len(record.data)
        if self._octets[slot] > FLUSH_OCTETS:
            self._flush_slot(slot)

    def flush_soon(self) -> None:
        """Flush when the code that runs now has returned to the event loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send every batch."""
        self._scheduled = False
        for slot, records in enumerate(self._pending):
            if records:
                self._flush_slot(slot)

    def drop(self, slot: int) -> None:
        """Drop the batch of a slot, because its call worker is gone."""
        self._dropped.value += len(self._pending[slot])
        self._clear(slot)

    def update_gauges(self) -> None:
        """Count what waits."""
        self._waiting.value = sum(map(len, self._held)) + sum(map(len, self._pending))

    def close(self) -> None:
        """Try nothing again from now on."""
        if self._holding is not None:
            self._holding.cancel()

    def _flush_slot(self, slot: int) -> None:
        records = self._pending[slot]
        channel = self._link.channels.get(("call", slot))
        if channel is None or channel.room < len(records):
            records = self._admit(slot, records, channel.room if channel is not None else 0)
        if records and channel is not None and self._link.send(channel, records):
            frames, rest = divmod(len(records), RECORDS_PER_FRAME)
            self._batch.add(RECORDS_PER_FRAME, frames)
            self._batch.add(rest, bool(rest))
        else:
            self._dropped.value += len(records)
        self._clear(slot)

    def _clear(self, slot: int) -> None:
        self._pending[slot] = []
        self._octets[slot] = 0

    def _admit(self, slot: int, records: list[SipReceived], room: int) -> list[SipReceived]:
        """A slot has less room than records wait: calls that exist go first, new ones are refused."""
        kept: list[SipReceived] = []
        for record in records:
            if peek.starts_dialog(record.data):
                self._refuse(slot, record)
            else:
                kept.append(record)
        for record in kept[room:]:
            if record.flow and len(self._held[slot]) < HELD:
                if not self._held[slot]:
                    self._held_until[slot] = self._loop.time() + HOLD_TIME
                self._held[slot].append(record)
            else:
                self._dropped.value += 1  # the peer repeats
        self._hold_on()
        return kept[:room]

    def _hold_on(self) -> None:
        if self._holding is None and any(self._held):
            self._holding = self._loop.call_later(HOLD_TICK, self._on_hold)

    def _on_hold(self) -> None:
        """Try again to hand on what waits for room; what has waited too long is dropped."""
        self._holding = None
        now = self._loop.time()
        for slot, records in enumerate(self._held):
            if not records:
                continue
            if now > self._held_until[slot]:
                self._dropped.value += len(records)
                self._held[slot] = []
                continue
            channel = self._link.channels.get(("call", slot))
            if channel is not None and channel.room:
                self._held[slot] = []
                self._pending[slot][:0] = records
                self._flush_slot(slot)
        self._hold_on()
