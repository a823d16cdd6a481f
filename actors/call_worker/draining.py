"""The end of a call worker: no new calls, time for live ones, then BYE for all, and no registration left.

A worker that is only replaced retires instead. It takes no new calls either, but hangs up nothing and stays registered.
It reports as soon as its replacement loses nothing: no call is left, or each is one that the next process goes on with.
Where calls are kept, those in set-up are waited for `KEPT_WAIT` seconds only, and established ones `WHOLE_WAIT` seconds
until nothing of them is under way: a request, or a move of their media. New INVITEs over UDP are left unanswered
meanwhile: their senders repeat them (RFC 3261 section 17.1.1.2), and the next process answers.
"""

from collections.abc import Callable
from typing import Any, Final

from ..bus.messages import Drained, Removing, Retired
from ..call.state import State
from ..handle.call import Call
from ..registration.keeper import Registrations
from ..requests.keeper import Requests
from ..runtime.actor_loop import ActorLoop
from .actor_table import ActorTable
from .application import Application

HANG_UP_WAIT: Final = 5.0
"""Seconds that a drain waits for the answers to its BYEs and to the removal of registrations."""
REMOVAL_WAIT: Final = 20.0
"""Seconds for which it goes on while each `LOOK` brings answers to the removal of registrations."""
LOOK: Final = 2.0
SETTLE_WAIT: Final = 3.0
"""Seconds that the end of a plan or of a node waits for late responses to INVITEs that were given up.

A late 1xx still gets its CANCEL, a late 200 its ACK and BYE (RFC 3261 section 9.1).
"""
SETTLE_CHECK: Final = 0.05
PACE: Final = 0.02
"""Seconds between two batches of BYEs."""
BATCHES: Final = 50
"""Batches in which all calls are hung up at most, so that it takes a second."""
LEAST: Final = 10
"""Calls in a batch at least."""
RETIRE_CHECK: Final = 0.1
"""Seconds between two looks at the calls of a worker that retires."""
KEPT_WAIT: Final = 3.0
"""Seconds that a worker whose calls are kept waits for those in set-up."""
WHOLE_WAIT: Final = 10.0
"""Seconds that it waits for what is under way in established calls: a peer that lives answers within them."""


class Draining:
    """The drain of one worker; it begins at most once and reports its end at most once.

    Args:
        settle_call: called with a call whose metrics are final because the time is over.
        is_kept: whether the next process can go on with a call, or will know of it.
        is_whole: whether nothing of a call is under way that the next process would not know.
        tell: sends a record to the supervisor; None in embedded mode.
    """

    def __init__(
        self,
        actor_loop: ActorLoop,
        actors: ActorTable,
        registrations: Registrations,
        requests: Requests,
        application: Application,
        *,
        settle_call: Callable[[Call], None],
        is_kept: Callable[[Call], bool],
        is_whole: Callable[[Call], bool],
        tell: Callable[[Any], None] | None,
    ) -> None:
        self._actor_loop = actor_loop
        self._actors = actors
        self._registrations = registrations
        self._requests = requests
        self._application = application
        self._settle_call = settle_call
        self._is_kept = is_kept
        self._is_whole = is_whole
        self._tell = tell
        self.begun = False
        self.retiring = False
        self._unregistered = self._hanging_up = False
        self._said = False

    def begin(self, within: float) -> None:
        """Take no new calls; hang up the live ones after `within` seconds."""
        self.begun = True
        if within > 0 and (self._actors.live or self._requests.pending or self._application.takes_time()):
            self._actor_loop.loop.call_later(within, self._hang_up_all)
        else:
            self._hang_up_all()
        self.check()

    @property
    def refuses(self) -> bool:
        """Whether no new call is taken or placed."""
        return self.begun or self.retiring

    @property
    def defers(self) -> bool:
        """Whether a new INVITE that its sender will repeat is left to the next process."""
        return self.retiring and not self.begun and self._application.keeps_calls

    @property
    def is_settled(self) -> bool:
        """Whether the record of each call that is over has left, or is the next process's."""
        return all(call.state is not State.OVER or self._is_kept(call) for call in self._actors.live.values())

    def retire(self) -> None:
        """Take no new calls, hang up none, and report when the process can be replaced."""
        if not self.refuses:
            self.retiring = True
            self._application.retire()
            self._check_retired(self._actor_loop.now())

    def _check_retired(self, since: float) -> None:
        if self.begun or self._tell is None:
            return
        if self._application.keeps_calls:
            waited = self._actor_loop.now() - since
            is_through = all(self._may_leave(each, waited) for each in self._actors.live.values())
        else:
            is_idle = not self._actors.live and not self._requests.pending and not self._application.pending()
            is_through = is_idle and not self._actors.has_open_ends()
        if is_through:
            self._actor_loop.flush()
            self._tell(Retired())
        else:
            self._actor_loop.loop.call_later(RETIRE_CHECK, self._check_retired, since)

    def _may_leave(self, call: Call, waited: float) -> bool:
        """Whether a call can go to the next process now.

        Args:
            waited: seconds since the worker retires.
        """
        if not self._is_kept(call):
            return False
        is_up = call.state in (State.UP, State.ANSWERING)
        return waited >= (WHOLE_WAIT if is_up else KEPT_WAIT) or (is_up and self._is_whole(call))

    def settle(self, done: Callable[[], None], within: float = SETTLE_WAIT) -> None:
        """Call `done` when no INVITE that was given up waits for its final response, after `within` seconds at most."""
        if within > 0 and self._actors.has_open_ends():
            self._actor_loop.loop.call_later(SETTLE_CHECK, self.settle, done, within - SETTLE_CHECK)
        else:
            done()

    def check(self) -> None:
        """Remove registrations and subscriptions when the last call and request is over; report their removal."""
        if not self.begun or self._actors.live or self._requests.pending or self._application.pending():
            return
        self._unregister()
        if not self._registrations.removing and not self._requests.closing:
            self.settle(self._say)

    def _hang_up_all(self) -> None:
        self._unregister()
        self._application.end_pending()
        self._requests.end_pending()
        if not self._hanging_up:
            self._hanging_up = True
            calls = list(self._actors.live.values())
            self._hang_up(calls, max(LEAST, -(-len(calls) // BATCHES)))
            self._say_in_time()
        self.check()

    def _hang_up(self, calls: list[Call], batch: int) -> None:
        """Hang up calls in batches: a burst of BYEs would be lost in the buffers of peers."""
        for call in calls[:batch]:
            if call.actor.number in self._actors.live:
                self._actor_loop.guarded(call.actor, call.actor.hang_up, self._actor_loop.now(), "drained")
                self._actor_loop.touch(call.actor)
        self._actor_loop.flush()
        if len(calls) > batch:
            self._actor_loop.loop.call_later(PACE, self._hang_up, calls[batch:], batch)

    def _unregister(self) -> None:
        if not self._unregistered:
            self._unregistered = True
            self._registrations.remove_all()
            self._requests.end_subscriptions()
            self._say_in_time()

    def _say_in_time(self) -> None:
        """Report the end after `HANG_UP_WAIT` seconds, later only while a registrar answers removals.

        An embedded node reports to nobody, and a timer would keep its memory for that time.
        """
        if self._tell is not None:
            self._actor_loop.loop.call_later(HANG_UP_WAIT - LOOK, self._look, self._actor_loop.now())

    def _look(self, since: float, before: int | None = None) -> None:
        """Go on while removals are answered.

        Args:
            since: when the wait began.
            before: removals that were left at the look before; None = this is the first one.
        """
        left = self._registrations.removing
        if self._said or self._tell is None:
            return
        if before is not None:
            if not 0 < left < before or self._actor_loop.now() - since >= REMOVAL_WAIT:
                self._say()
                return
            self._tell(Removing(left))
        self._actor_loop.loop.call_later(LOOK, self._look, since, left)

    def _say(self) -> None:
        if not self._said and self._tell is not None:
            self._said = True
            self._actor_loop.flush()
            unclosed = list(self._actors.live.values())
            for call in unclosed:
                self._settle_call(call)  # its metrics are final now; the report would lack it without its row
            self._tell(Drained(len(unclosed)))
