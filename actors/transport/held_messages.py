"""Messages of connections that wait for room at their slots, and the back-pressure that they cause.

A peer does not repeat what it sent over TCP or TLS. So a message that finds no room waits, in order; once many wait for
a slot, the connections that bring more are not read, and TCP makes their peers wait. When there is room again, what
waited goes first, and then the connections take turns, in the order in which they were stopped. A message that has
waited for `HOLD_TIME` is given up: its request gets 503. What waits is at most `HELD` for each slot and one for each
connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.message import peek

from ..bus.messages import SipReceived
from ..counting.totals import Totals
from .slot_batches import SlotBatches

HELD: Final = 256
"""Messages that wait for one slot before connections with more for it are not read."""
HOLD_TIME: Final = 10.0
"""Seconds that a message waits: longer than a call worker that hangs needs to be replaced."""
HOLD_TICK: Final = 0.05
"""Seconds between two tries, where no acknowledgement of a slot comes before."""
GIVEN_AGAIN: Final = 256
"""Messages that are remembered as given to a replacement."""
RESERVED: Final = 256
"""Room of a slot that messages of connections leave to datagrams."""


class HeldMessages:
    """What waits in one dispatcher.

    Args:
        batches: have the room, and take what goes on.
        pause: stops to read a connection, by the number of its flow.
        resume: begins to read it again.
        give_up: called with a slot and a message that has waited too long.
    """

    __slots__ = (
        *("_batches", "_give_up", "_given_again", "_loop", "_pause", "_paused", "_pauses", "_resume", "_timer"),
        "_waiting",
    )

    def __init__(
        self,
        slots: int,
        batches: SlotBatches,
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        *,
        pause: Callable[[int], None],
        resume: Callable[[int], None],
        give_up: Callable[[int, SipReceived], None],
    ) -> None:
        self._batches = batches
        self._loop = loop
        self._pause = pause
        self._resume = resume
        self._give_up = give_up
        self._waiting: list[deque[tuple[float, SipReceived]]] = [deque() for _ in range(slots)]
        self._paused: list[deque[int]] = [deque() for _ in range(slots)]
        self._given_again: deque[SipReceived] = deque(maxlen=GIVEN_AGAIN)
        """Messages that a call worker died with: given to its replacement, and to none after it."""
        self._timer: asyncio.TimerHandle | None = None
        self._pauses = totals.cell("sipswarm_transport_pauses_total")

    @property
    def count(self) -> int:
        """Messages that wait."""
        return sum(map(len, self._waiting))

    def add(self, slot: int, record: SipReceived) -> bool:
        """Pass a message on to the batch of its slot, or keep it; True when it was passed on."""
        waiting = self._waiting[slot]
        if not waiting and self._batches.room(slot) > RESERVED:
            self._batches.add(slot, record)
            return True
        waiting.append((self._loop.time(), record))
        if len(waiting) > HELD:
            self._pauses.value += 1
            self._paused[slot].append(record.flow)
            self._pause(record.flow)
        self._arm()
        return False

    def put_back(self, slot: int, records: Sequence[SipReceived]) -> None:
        """Keep messages that were passed on and found no room, or whose slot is gone, before those that wait."""
        now = self._loop.time()
        self._waiting[slot].extendleft((now, record) for record in reversed(records))
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
        for slot, waiting in enumerate(self._waiting):
            if waiting:
                self._release(slot, waiting)

    def close(self) -> None:
        """Try nothing again from now on."""
        if self._timer is not None:
            self._timer.cancel()

    def _release(self, slot: int, waiting: deque[tuple[float, SipReceived]]) -> None:
        room = self._batches.room(slot) - RESERVED
        if room > 0:
            for _ in range(min(room, len(waiting))):
                self._batches.add(slot, waiting.popleft()[1])
            self._batches.flush_slot(slot)
        self._read_again(slot)

    def _read_again(self, slot: int) -> None:
        waiting, paused = self._waiting[slot], self._paused[slot]
        while paused and len(waiting) <= HELD // 2:
            self._resume(paused.popleft())

    def _arm(self) -> None:
        if self._timer is None and any(self._waiting):
            self._timer = self._loop.call_later(HOLD_TICK, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.release()
        oldest = self._loop.time() - HOLD_TIME
        for slot, waiting in enumerate(self._waiting):
            while waiting and waiting[0][0] < oldest:
                self._give_up(slot, waiting.popleft()[1])
            self._read_again(slot)
        self._arm()
