"""Replaces processes on purpose, one slot after the other: because of their memory, or all of them in turn.

The slot is asked to drain (`Retire`) while the others go on. A call worker reports when nothing is lost by its
replacement: its calls are over, or the next process goes on with them. A media worker gets no further streams where
there is another one, and is waited for while it has some. The dispatcher is not waited for. Then, or when its time is
over, the process is stopped, and its slot filled as after a death, with the ledger and the sockets. The
next turn begins when all are linked again. Such an end is no death: it counts in no budget.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..bus.messages import Retire, Snapshot, Stop
from .child_process import ChildProcess
from .recycle_policy import RecyclePolicy, Slot

MEMORY: Final = "sipswarm_process_resident_memory_bytes"
SEEN_AFTER: Final = 1.5
"""Seconds from the order to retire until the heartbeats of a media worker show the streams that are left."""
STOP_GRACE: Final = 3.0
"""Seconds that the process has to stop before it is killed."""
STARTER_WAIT: Final = 60.0
"""Seconds that a turn waits for the starter after all processes are linked. Without it a process of a busy machine is
away for seconds; a call worker that has grown does not wait. Calls wait for their only media worker as long as its
start can take (`runtime.media_workers.PLANNED_WAIT`)."""
ORDER: Final = ("media", "call", "dispatcher")
"""Of the roles when all are replaced."""
_logger = logging.getLogger(__name__)


class Recycling:
    """The replacements of one node. All times are monotonic seconds.

    Args:
        limit: octets of resident memory of one process; 0 = none.
        children: the slots of the node.
        send: sends records to a process; returns False when it cannot.
        broadcast: sends records to every process.
        kill: kills the process of a slot.
    """

    def __init__(
        self,
        limit: int,
        children: dict[Slot, ChildProcess],
        *,
        send: Callable[[ChildProcess, tuple[Any, ...]], bool],
        broadcast: Callable[[tuple[Any, ...]], object],
        kill: Callable[[ChildProcess], None],
    ) -> None:
        self._policy = RecyclePolicy(limit)
        self._children = children
        self._send = send
        self._broadcast = broadcast
        self._kill = kill
        self._began = 0.0
        """When the present turn began."""
        self._stopped = 0.0
        """When its process was told to stop; 0.0 = it was not yet."""
        self._calm_since = 0.0
        """Since when all processes are linked; 0.0 = they are not."""

    def weigh(self, child: ChildProcess, snapshot: Snapshot, now: float) -> None:
        """Look at the resident memory of a process."""
        octets = next((int(values[0]) for name, _, values in snapshot.series if name == MEMORY), 0)
        if self._policy.weighed((child.role, child.slot), octets, now):
            _logger.warning("%s has grown to %d MiB and will be replaced", child.name, octets >> 20)

    def roll(self) -> None:
        """Replace every process in turn, the dispatcher last."""
        self._policy.roll(sorted(self._children, key=lambda each: (ORDER.index(each[0]), each[1])))

    def look(self, now: float, *, calm: bool, starter: bool) -> None:
        """Begin the next turn, or end the present one when its time has come.

        Args:
            calm: every process is linked.
            starter: the starter can fork a process.
        """
        turn = self._policy.turn
        if turn is not None:
            self._go_on(self._children[turn.slot], now)
            return
        self._calm_since = (self._calm_since or now) if calm else 0.0
        turn = self._policy.begin(now, hurry=not starter and now - self._calm_since < STARTER_WAIT) if calm else None
        if turn is None:
            return
        child = self._children[turn.slot]
        if child.quarantined or child.load is not None:
            self._policy.ended(turn.slot, now)
            return
        self._began, self._stopped = now, 0.0
        _logger.warning("%s takes no new work and is replaced (%s)", child.name, turn.reason)
        if child.role != "dispatcher":
            self._broadcast((Retire(child.role, child.slot),))
        self._go_on(child, now)

    def retired(self, child: ChildProcess, now: float) -> None:
        """Take the report of a call worker that nothing is lost by its replacement."""
        turn = self._policy.turn
        if turn is not None and turn.slot == (child.role, child.slot) and not self._stopped:
            self._stop(child, now)

    def ended(self, child: ChildProcess, now: float) -> str:
        """Note that a process has ended; return the reason when that was asked for, else an empty text."""
        turn, slot = self._policy.turn, (child.role, child.slot)
        asked = turn.reason if turn is not None and turn.slot == slot and self._stopped else ""
        self._policy.ended(slot, now)
        return asked

    def close(self) -> None:
        """Replace nothing any more: the node ends."""
        self._policy.forget()

    def _go_on(self, child: ChildProcess, now: float) -> None:
        if self._stopped:
            if now - self._stopped >= STOP_GRACE:
                self._kill(child)
        elif self._policy.is_over(now) or (child.role != "call" and self._is_empty(child, now)):
            self._stop(child, now)

    def _is_empty(self, child: ChildProcess, now: float) -> bool:
        """Whether a media worker or the dispatcher has nothing that would be worth waiting for."""
        if child.role == "dispatcher" or not _others(child, self._children.values()):
            return True
        return now - self._began >= SEEN_AFTER and not child.live_calls

    def _stop(self, child: ChildProcess, now: float) -> None:
        self._stopped = now
        if not self._send(child, (Stop(),)):
            self._kill(child)


def _others(child: ChildProcess, children: Iterable[ChildProcess]) -> bool:
    """Whether another process of the same role can take new work."""
    return any(each.role == child.role and each is not child and not each.quarantined for each in children)
