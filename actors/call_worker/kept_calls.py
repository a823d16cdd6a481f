"""Keeps the ledger of a call worker: what the next process of its slot needs of each live call.

`note` is called with the calls of a batch before their messages leave, so that the ledger never knows less than a peer
does. It writes as little as the change allows: nothing, the CSeq numbers, the state, or the whole entry. An entry goes
with the end of its call: the end of its BYE, or the last of its INVITE. A call for which there is no place, or which is
too long, is counted, and goes with its process.
"""

from collections.abc import Iterable
from typing import Any, Final

from sipswarm.sipcore.session import session_record
from sipswarm.sipcore.session.invite_session import SessionState

from ..call.actor import CallActor
from ..call.media_move import Step
from ..counting.totals import Totals
from ..handle.call import Call
from ..ledger.entries import CallEntry, pack, state_of
from ..ledger.memory import Ledger
from ..runtime.actor import Actor

_OVER: Final = (SessionState.IDLE, SessionState.TERMINATED)


class _Kept:
    """What the ledger has of one call."""

    __slots__ = ("numbers", "place", "revision", "state", "waiting")

    def __init__(self, place: int) -> None:
        self.place = place
        self.state = 0
        self.numbers = [0, -1]
        self.revision: tuple[Any, ...] = ()
        self.waiting: tuple[str, ...] = ()


class KeptCalls:
    """The entries of one call worker.

    Args:
        ledger: None = nothing is kept, as in embedded mode.
        whole: the next process may go on with calls; else it can only end them, and needs less for that.
    """

    __slots__ = ("_kept", "_ledger", "_unkept", "whole")

    def __init__(self, ledger: Ledger | None, totals: Totals, *, whole: bool) -> None:
        self._ledger = ledger
        self.whole = whole
        self._kept: dict[Actor, _Kept] = {}
        self._unkept = totals.cell("sipswarm_calls_taken_over_total", "unkept")

    def __len__(self) -> int:
        return len(self._kept)

    def has(self, call: Call) -> bool:
        """Whether the ledger has what the next process needs of a call."""
        kept = self._kept.get(call.actor)
        return kept is not None and kept.place >= 0

    def has_all(self, call: Call) -> bool:
        """Whether nothing of a call is under way that the ledger does not have: no request, port or move of media."""
        actor = call.actor
        return session_record.has_all(actor.session.core, actor.session.parts) and (
            actor.media.ready and actor.move.step is Step.DONE
        )

    def took_over(self, actor: CallActor, place: int) -> None:
        """Note the place of a call of the process before; its entry is written again with the next change."""
        self._kept[actor] = _Kept(place)

    def note(self, changed: Iterable[Actor]) -> None:
        """Write what has changed of these calls."""
        ledger = self._ledger
        if ledger is None:
            return
        for actor in changed:
            if isinstance(actor, CallActor):
                self._note(actor, ledger)

    def forget(self, actor: Actor) -> None:
        """Remove the entry of a call that is over."""
        kept = self._kept.pop(actor, None)
        if kept is not None and self._ledger is not None and kept.place >= 0:
            self._ledger.free(kept.place)

    def _note(self, actor: CallActor, ledger: Ledger) -> None:
        session = actor.session
        state = session.state
        if state in _OVER or actor.ending.abandoned:
            self.forget(actor)
            return
        kept = self._kept.get(actor)
        if kept is None:
            kept = self._kept[actor] = _Kept(ledger.take())
            if kept.place < 0:
                self._unkept.value += 1
        if kept.place < 0:
            return
        revision, waiting, *numbers = session.marks
        media = actor.media
        exchange = media.exchange
        entered = state_of(state, waits=bool(waiting))
        revision = (
            *(*revision, exchange.local, exchange.remote, getattr(actor.user, "kept", ""), self._digits(actor)),
            *(media.demand.sink, media.recordings.marks),
        )
        if revision != kept.revision or (waiting and waiting != kept.waiting):
            if not self._write(actor, ledger, kept.place, entered, numbers):
                ledger.free(kept.place)
                kept.place = -1
                self._unkept.value += 1
        else:
            if entered != kept.state:
                ledger.move(kept.place, entered)
            if numbers != kept.numbers:
                ledger.number(kept.place, *numbers)
        kept.state, kept.revision, kept.numbers = entered, revision, numbers
        kept.waiting = waiting or kept.waiting

    def _digits(self, actor: CallActor) -> str:
        """Return the digits that a robot which goes on with the call is to get."""
        keypad = getattr(actor.user, "keypad", None) if self.whole else None
        return keypad.not_returned if keypad is not None else ""

    def _write(self, actor: CallActor, ledger: Ledger, place: int, state: int, numbers: list[int]) -> bool:
        record = actor.session.record()
        if record is None:
            return True
        config, user = actor.session.config, actor.user
        bound = config.leaves_from
        entry = CallEntry(
            tuple(record),
            actor.keep(media=self.whole),
            (bound.transport, bound.host, bound.port),
            tuple(config.outgoing_proxy or ()),
            getattr(user, "scenario", ""),
            getattr(user, "to", ""),
            getattr(user, "kept", ""),
            self._digits(actor),
        )
        return ledger.write(place, state, pack(entry), *numbers)
