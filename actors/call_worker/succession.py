"""Takes up the calls of the process that had the slot before, and died: goes on with them, or ends them.

In order: each entry of the ledger becomes a call again in the turn in which the worker is made, before any message is
read. When every process is linked, the application gets each established call, and may go on with it; its media never
stopped. The others are ended, as fast as `WITHIN` demands and not faster than `PACE` otherwise: BYE, the final response
of a ringing INVITE, or CANCEL, with the reason. What comes of the peer before that may end a call earlier, as the 200
of an INVITE whose offer nobody knows any more: such a BYE has the reason too. An entry that cannot be read must cost
itself only. A call is ended when processes died again and again at going on with it.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from sipswarm.sipcore.session.invite_session import SessionState
from sipswarm.sipcore.session.session_record import SessionRecord

from ..bus.messages import CallFinished
from ..call.kept import KeptCall
from ..call.state import State
from ..counting.totals import Totals
from ..diagnosis.black_box import digest
from ..handle.call import Call
from ..ledger.entries import read_state, unpack
from ..ledger.memory import Entry, Ledger
from ..runtime.actor_loop import ActorLoop
from .call_factory import CallFactory
from .kept_calls import KeptCalls
from .out_of_dialog import Arrivals

PACE: Final = 200.0
"""Calls a second that are ended, unless that is too slow."""
WITHIN: Final = 2.0
"""Seconds in which the last one is ended."""
STEP: Final = 0.02
CAUSE: Final = "worker_lost"
"""Why such a call ended."""
REASON: Final = ("Reason", 'SIP;cause=500;text="worker restarted"')
"""For its peer (RFC 3326)."""
RETRY_AFTER: Final = ("Retry-After", "1")
_logger = logging.getLogger(__name__)


class Succession:
    """The calls that one call worker takes up.

    Args:
        ledger: None = there are none.
        factory: makes each of them again.
        arrivals: has the identity and the media of the calls now.
        resume: gives an established call to the application; returns whether that goes on with it.
    """

    def __init__(
        self,
        ledger: Ledger | None,
        kept: KeptCalls,
        actor_loop: ActorLoop,
        totals: Totals,
        factory: CallFactory,
        arrivals: Arrivals,
        *,
        resume: Callable[[Call], bool],
    ) -> None:
        self._ledger = ledger
        self._kept = kept
        self._actor_loop = actor_loop
        self._factory = factory
        self._arrivals = arrivals
        self._resume = resume
        self._calls: list[tuple[Call, bool]] = []
        """With whether its end had begun."""
        self._count = {how: totals.cell("sipswarm_calls_taken_over_total", how) for how in ("adopted", "ended", "lost")}

    def take_up(self) -> None:
        """Make the calls of the process before again, so that their messages find them."""
        ledger = self._ledger
        if ledger is None:
            return
        box = self._actor_loop.box
        for entry in ledger.read():
            box.begin(entry.data)
            taken = not (box.poison and digest(entry.data) in box.poison) and self._actor_loop.attempt(
                "a call of the process before cannot be taken up", self._take_up, entry
            )
            box.end()
            if not taken:
                self._lose(entry, ledger)
        self._count["lost"].value += ledger.torn

    def _lose(self, entry: Entry, ledger: Ledger) -> None:
        ledger.free(entry.place)
        self._count["lost"].value += 1

    def _take_up(self, entry: Entry) -> None:
        kept = unpack(entry.data)
        state, waits = read_state(entry.state)
        record = SessionRecord(*kept.session)._replace(
            state=state, local_cseq=entry.local_cseq, remote_cseq=entry.remote_cseq
        )
        policy = self._arrivals.policy
        identity = policy.identity or self._arrivals.account.identity(kept.bound[0])
        record = record if waits else record._replace(waiting=())
        call = self._factory.again(record, KeptCall(*kept.actor), kept, identity, policy.wishes)
        call.actor.session.core.explain_end((REASON,))
        if record.sent:
            call.actor.ending.failed(CAUSE, by="")  # it cannot go on, whatever comes
        if call.is_uac and not self._kept.whole:
            call.attend(report=_unreported)
        self._kept.took_over(call.actor, entry.place)
        self._calls.append((call, state == SessionState.TERMINATING))

    def begin(self) -> None:
        """Give the established calls to the application, and end the others; every process is linked."""
        waiting, self._calls = self._calls, []
        ending: deque[Call] = deque()
        for call, was_ending in waiting:
            if call.state is State.OVER:
                self._count["ended"].value += call.by == "local"
                continue
            call.actor.media.claim()
            goes_on = call.state in (State.UP, State.ANSWERING) and not was_ending
            if goes_on and self._resumes(call):
                self._count["adopted"].value += 1
                self._actor_loop.touch(call.actor)
            else:
                ending.append(call)
        if ending:
            self._end_some(ending, max(1, round(max(PACE, len(ending) / WITHIN) * STEP)))

    def _resumes(self, call: Call) -> bool:
        """Give a call to the application, unless processes died at that again and again; whether it goes on."""
        box, actor = self._actor_loop.box, call.actor
        cause = f"resume {actor.session.call_id} {actor.session.local_tag}".encode("utf-8", "surrogateescape")
        if box.poison and digest(cause) in box.poison:
            _logger.error("%s has ended processes when it was resumed, and is ended", actor.name)
            return False
        self._actor_loop.note_cause(actor, cause)
        actor.session.core.explain_end(())
        before = box.enter(self._actor_loop.mark_of(actor))
        try:
            return self._resume(call)
        finally:
            box.leave(before)

    def _end_some(self, waiting: deque[Call], count: int) -> None:
        for _ in range(min(count, len(waiting))):
            call = waiting.popleft()
            self._count["ended"].value += 1
            self._actor_loop.guarded(call.actor, self._end, call)
            self._actor_loop.touch(call.actor)
        if waiting:
            self._actor_loop.loop.call_later(STEP, self._end_some, waiting, count)

    def _end(self, call: Call) -> None:
        actor = call.actor
        headers = (REASON, RETRY_AFTER) if call.state is State.INCOMING else (REASON,)
        actor.hang_up(self._actor_loop.now(), CAUSE, headers=headers, status=503)


def _unreported(row: CallFinished) -> None:
    """Drop the row of a call of a load: the supervisor has made it at the death of its worker."""
