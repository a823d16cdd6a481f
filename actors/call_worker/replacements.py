"""Calls that replace another one, in whichever slot that is (RFC 3891).

An INVITE with Replaces is a call of its own slot. When another slot owns the named dialog, that slot first gets a
request, which the dispatcher relays. It hangs its call up when the new one is up. The session decides whether a dialog
may be replaced. The dialog itself must not cross a process.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.messages import Request

from ..bus.messages import DialogReplaced, ReplaceDialog, ReplaceJudged
from ..bus.slots import SlotMap
from ..call.actor import CallActor
from ..call.ended_call import EndedCall
from ..call.state import State
from ..handle.call import Call
from ..runtime.actor_loop import ActorLoop
from .actor_table import ActorTable

NO_DIALOG: Final = 481
NO_WORD: Final = 500
"""Status of the new call when the other slot cannot be reached, or does not answer."""
PATIENCE: Final = 2.0
"""Seconds to wait for the other slot; the remote side gets 100 meanwhile."""


class Replacements:
    """The replacements of one call worker; at most one waits for each live call.

    Args:
        send: puts records on the link to the dispatcher; False when it accepts none.
    """

    __slots__ = ("_actor_loop", "_actors", "_asking", "_send", "_slots")

    def __init__(
        self, actor_loop: ActorLoop, actors: ActorTable, slots: SlotMap, send: Callable[[Sequence[Any]], bool]
    ) -> None:
        self._actor_loop = actor_loop
        self._actors = actors
        self._slots = slots
        self._send = send
        self._asking: dict[str, tuple[Call, Replaces, asyncio.TimerHandle]] = {}

    def take_over(self, call: Call, request: Request) -> bool:
        """Answer an INVITE with Replaces: it takes over the call that it names, or is refused (RFC 3891 section 3).

        Returns:
            Whether the INVITE has been handled, or will be when the slot that owns the dialog has answered.
        """
        replaces = request.replaces
        if replaces is None:
            return False
        slot = self._slots.of(replaces.call_id)
        if slot != self._slots.own:
            self._ask(call, replaces, slot)
            return True
        old = self._named(replaces)
        status = self._status(old, replaces)
        if old is None or status != 200:
            call.reject(status)
            return True
        call.param.start_as(old.param)
        call.attend(on_up=lambda _: old.hang_up())
        call.accept()
        return True

    def on_record(self, record: Any) -> None:
        """Take a message of another slot."""
        if record.__class__ is ReplaceDialog:
            self._judge(record)
        elif record.__class__ is ReplaceJudged:
            self._decide(record.asked_for, record.status)
        elif record.__class__ is DialogReplaced:
            old = self._named(Replaces(record.call_id, record.to_tag, record.from_tag))
            if old is not None:
                old.hang_up()

    def close(self) -> None:
        """Cancel all waiting."""
        for _, _, timer in self._asking.values():
            timer.cancel()
        self._asking.clear()

    def _named(self, replaces: Replaces) -> Call | None:
        """Return the live call of this slot that a Replaces names, None without one; tags as this side has them."""
        for each in self._actors.live.values():
            if each.call_id == replaces.call_id and each.actor.session.local_tag == replaces.to_tag:
                return each
        return None

    def _status(self, live: Call | None, replaces: Replaces) -> int:
        """Return 200 when the call that a Replaces names may be taken over, or the refusal; an ended call gets 603."""
        known = live.actor if live is not None else self._actors.find((replaces.call_id, replaces.to_tag))
        return known.session.may_be_replaced(replaces) if isinstance(known, CallActor | EndedCall) else NO_DIALOG

    # ---- the slot of the new call

    def _ask(self, call: Call, replaces: Replaces, slot: int) -> None:
        tag = call.actor.session.local_tag
        question = ReplaceDialog(
            slot, self._slots.own, tag, replaces.call_id, replaces.to_tag, replaces.from_tag, replaces.early_only
        )
        if not self._send((question,)):
            call.reject(NO_WORD)
            return
        timer = self._actor_loop.loop.call_later(PATIENCE, self._decide, tag, NO_WORD)
        self._asking[tag] = (call, replaces, timer)

    def _decide(self, tag: str, status: int) -> None:
        """Take the other slot's status, or `NO_WORD` when it did not come in time."""
        asked = self._asking.pop(tag, None)
        if asked is None:
            return
        call, replaces, timer = asked
        timer.cancel()
        if call.state is not State.INCOMING:
            return  # the remote side has cancelled it meanwhile
        self._actor_loop.guarded(call.actor, self._carry_out, call, replaces, status)
        self._actor_loop.touch(call.actor)

    def _carry_out(self, call: Call, replaces: Replaces, status: int) -> None:
        if status != 200:
            call.reject(status)
            return
        call.attend(on_up=partial(self._tell_replaced, replaces))
        call.accept()

    def _tell_replaced(self, replaces: Replaces, call: Call) -> None:
        self._send(
            (DialogReplaced(self._slots.of(replaces.call_id), replaces.call_id, replaces.to_tag, replaces.from_tag),)
        )

    # ---- the slot of the call that is taken over

    def _judge(self, question: ReplaceDialog) -> None:
        replaces = Replaces(question.call_id, question.to_tag, question.from_tag, question.early_only)
        status = self._status(self._named(replaces), replaces)
        self._send((ReplaceJudged(question.asking, question.asked_for, status),))
