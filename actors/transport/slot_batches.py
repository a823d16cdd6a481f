"""SIP messages on their way from the sockets to the slots that own them: one link message per slot and flush.

A batch that its link has room for is sent as it is. Where the link has less room, or messages wait for the slot, the
batch goes to `held_messages`, where the sources take turns. A datagram that may not wait is turned away: a request
that would begin a call is refused without being parsed, anything else is dropped, because its peer repeats it.
Everything that waits must be bounded and counted.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sipswarm.sipcore.message import peek

from ..bus.link import RECORDS_PER_FRAME, RouterLink
from ..bus.messages import SipReceived
from ..counting.totals import Totals
from .fair_queue import FairQueue

FLUSH_OCTETS: Final = 256 * 1024
"""Octets for one slot that are sent at once."""


class SlotBatches:
    """The batches of one dispatcher.

    Args:
        slots: their number.
        link: to the call workers.
        refuse: answers a request that would begin a call of a slot.
        hold: gets a batch that finds no room, with its slot.
    """

    __slots__ = (
        *("_batch", "_dropped", "_hold", "_link", "_loop", "_octets", "_pending", "_refuse", "_scheduled"),
        *("_waiting", "queues"),
    )

    def __init__(
        self,
        slots: int,
        link: RouterLink,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        *,
        refuse: Callable[[int, SipReceived], bool],
        hold: Callable[[int, list[SipReceived]], None],
    ) -> None:
        self._link = link
        self._loop = loop
        self.queues = [FairQueue() for _ in range(slots)]
        """What waits for each slot; it goes before any batch."""
        self._refuse = refuse
        self._hold = hold
        self._pending: list[list[SipReceived]] = [[] for _ in range(slots)]
        self._octets = [0] * slots
        self._scheduled = False
        self._batch = totals.distribution("sipswarm_dispatch_batch_datagrams")
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_to_slot")
        self._waiting = totals.cell("sipswarm_bus_queue_messages", "sip_to_slot")

    def add(self, slot: int, record: SipReceived) -> None:
        """Put a message into the batch of its slot; `flush` or `flush_soon` follows."""
        self._pending[slot].append(record)
        self._octets[slot] += len(record.data)
        if self._octets[slot] > FLUSH_OCTETS:
            self.flush_slot(slot)

    def flush_soon(self) -> None:
        """Flush when the code that runs now has returned to the event loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send every batch."""
        self._scheduled = False
        for slot, records in enumerate(self._pending):
            if records:  # most are empty
                self.flush_slot(slot)

    def room(self, slot: int) -> int:
        """Return how many more messages the link of a slot would take now."""
        channel = self._link.channels.get(("call", slot))
        return 0 if channel is None else channel.room - len(self._pending[slot])

    def drop(self, slot: int) -> list[SipReceived]:
        """Drop the datagrams of a slot whose call worker is gone; return the messages of connections."""
        kept = [record for record in self._pending[slot] if record.flow]
        self._dropped.value += len(self._pending[slot]) - len(kept)
        self._clear(slot)
        return kept

    def update_gauges(self) -> None:
        """Count what waits."""
        self._waiting.value = sum(map(len, self._pending)) + sum(each.count for each in self.queues)

    def flush_slot(self, slot: int) -> None:
        """Send the batch of one slot, or have it wait."""
        records = self._pending[slot]
        if not records:
            return
        self._clear(slot)
        if self.queues[slot].count or not self.send(slot, records):
            self._hold(slot, records)

    def send(self, slot: int, records: list[SipReceived]) -> bool:
        """Send messages at once, past the batch; False when the link of the slot has no room for all of them."""
        channel = self._link.channels.get(("call", slot))
        if channel is None or channel.room < len(records) or not self._link.send(channel, records):
            return False
        frames, rest = divmod(len(records), RECORDS_PER_FRAME)
        self._batch.add(RECORDS_PER_FRAME, frames)
        self._batch.add(rest, bool(rest))
        return True

    def has_worker(self, slot: int) -> bool:
        """Whether a call worker of the slot is linked."""
        return ("call", slot) in self._link.channels

    def turn_away(self, slot: int, record: SipReceived) -> None:
        """A datagram finds no room: refuse a request that would begin a call, drop anything else."""
        if not peek.starts_dialog(record.data) or not self._refuse(slot, record):
            self._dropped.value += 1

    def _clear(self, slot: int) -> None:
        self._pending[slot] = []
        self._octets[slot] = 0
