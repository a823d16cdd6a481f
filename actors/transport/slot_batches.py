"""SIP messages on their way from the sockets to the slots that own them: one link message per slot and flush.

A slot whose link has less room than messages wait takes those of its calls first; requests of datagrams that would
begin a call are refused without being parsed, and other datagrams are dropped, because their peers repeat them.
Messages of connections are given back: they wait in `held_messages`. Everything that waits must be bounded and counted.
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


class SlotBatches:
    """The batches of one dispatcher.

    Args:
        slots: their number.
        link: to the call workers.
        refuse: answers a request that would begin a call of a slot.
        hold: gets the messages of connections that found no room, with their slot.
    """

    __slots__ = (
        *("_batch", "_dropped", "_hold", "_link", "_loop", "_octets", "_pending", "_refuse", "_scheduled", "_waiting"),
    )

    def __init__(
        self,
        slots: int,
        link: RouterLink,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        refuse: Callable[[int, SipReceived], bool],
        hold: Callable[[int, list[SipReceived]], None],
    ) -> None:
        self._link = link
        self._loop = loop
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
            if records:
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

    def update_gauges(self, held: int) -> None:
        """Count what waits, with `held` more messages."""
        self._waiting.value = held + sum(map(len, self._pending))

    def flush_slot(self, slot: int) -> None:
        """Send the batch of one slot."""
        records = self._pending[slot]
        channel = self._link.channels.get(("call", slot))
        if channel is None or channel.room < len(records):
            records = self._admit(slot, records, channel.room if channel is not None else 0)
        if records and channel is not None and self._link.send(channel, records):
            frames, rest = divmod(len(records), RECORDS_PER_FRAME)
            self._batch.add(RECORDS_PER_FRAME, frames)
            self._batch.add(rest, bool(rest))
        elif records:
            self._put_aside(slot, records)
        self._clear(slot)

    def _clear(self, slot: int) -> None:
        self._pending[slot] = []
        self._octets[slot] = 0

    def _admit(self, slot: int, records: list[SipReceived], room: int) -> list[SipReceived]:
        """A slot has less room than records wait: calls that exist go first, new ones are refused."""
        kept: list[SipReceived] = []
        for record in records:
            if not record.flow and peek.starts_dialog(record.data):
                self._refuse(slot, record)
            else:
                kept.append(record)
        room = max(0, room)
        self._put_aside(slot, kept[room:])
        return kept[:room]

    def _put_aside(self, slot: int, records: list[SipReceived]) -> None:
        """Hold the messages of connections; drop the datagrams, which their peers repeat."""
        held = [record for record in records if record.flow]
        self._dropped.value += len(records) - len(held)
        if held:
            self._hold(slot, held)
