"""SIP messages that wait for room at their slots, and the back-pressure that they cause.

A message that finds no room waits in the `fair_queue` of its slot. When there is room again the sources take turns. So
a source that sends more than a slot can take loses its own messages, not those of others. A datagram is refused or
dropped at once where its source has its share, and later when it has waited for `DATAGRAM_TIME`, after which its peer
repeats it. A peer does not repeat what it sent over TCP or TLS. So a connection is not read while the connections of
its source have their share, and TCP makes its peer wait. They are read again in the order in which they were stopped.
A message of a connection that has waited for `HOLD_TIME` is given up: its request gets 503. At most the bounds of
`fair_queue` wait for each slot, and one message for each connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.message import peek

from ..bus.messages import SipReceived
from ..counting.totals import Totals
from .networks import source_of
from .slot_batches import SlotBatches

DATAGRAM_TIME: Final = 0.4
"""Seconds that a datagram waits: less than T1, after which its peer repeats it (RFC 3261 section 17.1.1.1)."""
HOLD_TIME: Final = 10.0
"""Seconds that a message of a connection waits: longer than a call worker that hangs needs to be replaced."""
HOLD_TICK: Final = 0.05
"""Seconds between two tries, where no acknowledgement of a slot comes before."""
GIVEN_AGAIN: Final = 256
"""Messages that are remembered as given to a replacement."""


class HeldMessages:
    """What waits in one dispatcher.

    Args:
        batches: have the queues and the room, and take what goes on.
        pause: stops to read a connection, by the number of its flow.
        resume: begins to read it again.
        give_up: called with a slot and a message of a connection that has waited too long.
    """

    __slots__ = (
        *("_batches", "_give_up", "_given_again", "_loop", "_pause", "_paused", "_pauses", "_queues", "_resume"),
        "_timer",
    )

    def __init__(
        self,
        batches: SlotBatches,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        *,
        pause: Callable[[int], None],
        resume: Callable[[int], None],
        give_up: Callable[[int, SipReceived], None],
    ) -> None:
        self._queues = batches.queues
        self._batches = batches
        self._loop = loop
        self._pause = pause
        self._resume = resume
        self._give_up = give_up
        self._paused: list[dict[str, deque[int]]] = [{} for _ in batches.queues]
        """Flows of connections that are not read, by slot and source; no line is empty."""
        self._given_again: deque[SipReceived] = deque(maxlen=GIVEN_AGAIN)
        """Messages that a call worker died with: given to its replacement, and to none after it."""
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = totals.cell("sipswarm_transport_pauses_total")

    @property
    def count(self) -> int:
        """Messages that wait."""
        return sum(each.count for each in self._queues)

    def add(self, slot: int, record: SipReceived) -> bool:
        """Pass a message of a connection on to the batch of its slot, or keep it; True when it was passed on."""
        if not self._queues[slot].count:
            if self._batches.room(slot) > 0:
                self._batches.add(slot, record)
                return True
            self._batches.flush_slot(slot)  # what came before on the same connection goes, or waits, before it
        self._line_up(slot, record)
        self._arm()
        return False

    def hold(self, slot: int, records: Sequence[SipReceived]) -> None:
        """Take a batch that finds no room, and pass on what there is room for."""
        has_worker = self._batches.has_worker(slot)
        for record in records:
            if has_worker or record.flow:
                self._line_up(slot, record)
            else:
                self._batches.turn_away(slot, record)
        self._release(slot)
        self._arm()

    def put_back(self, slot: int, records: Sequence[SipReceived]) -> None:
        """Keep messages that were passed on, or whose slot is gone, before those that wait."""
        self._queues[slot].add_first(records, self._loop.time())
        self._arm()

    def take_back(self, slot: int, records: Sequence[SipReceived]) -> None:
        """Take messages that a call worker had not acknowledged when it died.

        Requests within calls go to its replacement, once: one of them may have been the cause. A request for a new call
        is given up, because its call may have begun and died.
        """
        again: list[SipReceived] = []
        for record in records:
            if peek.starts_dialog(record.data) or any(each is record for each in self._given_again):
                self._give_up(slot, record)
            else:
                again.append(record)
        self._given_again.extend(again)
        self.put_back(slot, again)

    def release(self) -> None:
        """Pass on what there is room for, and read connections again."""
        for slot, queue in enumerate(self._queues):
            if queue.count:
                self._release(slot)

    def close(self) -> None:
        """Try nothing again from now on."""
        if self._timer is not None:
            self._timer.cancel()

    def _line_up(self, slot: int, record: SipReceived) -> None:
        queue = self._queues[slot]
        if not queue.add(record, self._loop.time()):
            self._batches.turn_away(slot, record)
        elif record.flow and queue.is_full_for(source := source_of(record.host)):
            self._pauses.value += 1
            self._paused[slot].setdefault(source, deque()).append(record.flow)
            self._pause(record.flow)

    def _release(self, slot: int) -> None:
        queue = self._queues[slot]
        records = queue.take(max(0, self._batches.room(slot)))
        if records and not self._batches.send(slot, records):
            queue.add_first(records, self._loop.time())
        self._read_again(slot)

    def _read_again(self, slot: int) -> None:
        """Read connections again whose source has room, one of each source in turn."""
        queue, paused = self._queues[slot], self._paused[slot]
        for source in list(paused):
            flows = paused[source]
            while flows and queue.is_short_for(source):
                self._resume(flows.popleft())
            if not flows:
                del paused[source]

    def _arm(self) -> None:
        if self._timer is None and any(each.count for each in self._queues):
            self._timer = self._loop.call_later(HOLD_TICK, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.release()
        now = self._loop.time()
        for slot, queue in enumerate(self._queues):
            for record in queue.expire(now - DATAGRAM_TIME, now - HOLD_TIME):
                if record.flow:
                    self._give_up(slot, record)
                else:
                    self._batches.turn_away(slot, record)
            self._read_again(slot)
        self._arm()
