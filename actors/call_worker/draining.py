"""How a call worker comes to its end: no new calls, time for live ones, then BYE for all, and no registration left."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..bus.messages import Drained

if TYPE_CHECKING:
    from .worker import CallWorker

HANG_UP_WAIT: Final = 5.0
"""seconds that a drain waits for the answers to our BYEs, and to what takes our registrations back"""
SETTLE_WAIT: Final = 3.0
"""seconds that the end of a plan or of a node waits for late responses to INVITEs that were given up: a late 1xx still
gets its CANCEL, a late 200 its ACK and BYE (RFC 3261 section 9.1)"""
SETTLE_CHECK: Final = 0.05


class Draining:
    """The drain of one worker; begun at most once, said to be over at most once."""

    def __init__(self, worker: "CallWorker") -> None:
        self._worker = worker
        self.begun = False
        self._unregistered = False
        self._said = False

    def begin(self, within: float) -> None:
        """Take no new calls; live ones may end by themselves for `within` seconds, then they are hung up."""
        self.begun = True
        if within > 0 and self._worker.actors.live:
            self._worker.actor_loop.loop.call_later(within, self._hang_up_all)
        else:
            self._hang_up_all()
        self.check()

    def settle(self, done: Callable[[], None], within: float = SETTLE_WAIT) -> None:
        """Call `done` when no INVITE that was given up waits for its final response, after `within` seconds at most."""
        if within > 0 and self._worker.has_open_ends():
            self._worker.actor_loop.loop.call_later(SETTLE_CHECK, self.settle, done, within - SETTLE_CHECK)
        else:
            done()

    def check(self) -> None:
        """Take registrations back when the last call is over; say so when they are."""
        worker = self._worker
        if not self.begun or worker.actors.live or worker.application.pending():
            return
        self._unregister()
        if not worker.registrations.removing:
            self.settle(self._say)

    def _hang_up_all(self) -> None:
        worker = self._worker
        self._unregister()
        worker.application.end_pending()
        for call in list(worker.actors.live.values()):
            worker.actor_loop.guarded(call.actor, call.actor.hang_up, worker.actor_loop.now(), "drained")
            worker.actor_loop.touch(call.actor)
        worker.actor_loop.flush()
        worker.actor_loop.loop.call_later(HANG_UP_WAIT, self._say)
        self.check()

    def _unregister(self) -> None:
        if not self._unregistered:
            self._unregistered = True
            self._worker.registrations.remove_all()
            self._worker.actor_loop.loop.call_later(HANG_UP_WAIT, self._say)

    def _say(self) -> None:
        worker = self._worker
        if not self._said and worker.tell is not None:
            self._said = True
            worker.actor_loop.flush()
            unclosed = list(worker.actors.live.values())
            for call in unclosed:
                worker.call_over(call)  # its figures are what they are; without its row nobody would know of it
            worker.tell(Drained(len(unclosed)))
