"""Coroutines that run for one call: robots, callbacks, sending with a callback at its end. The crash boundary of each.

An exception of a coroutine ends its call and nothing else. An error of a call is an outcome; any other is logged once
and answered with 500 or a BYE. The end of the call bounds them: after a grace they are cancelled. Must hold no handle:
each coroutine brings a method of it, which goes with the coroutine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..call.actor import CallActor
from ..call.state import State
from ..diagnosis.black_box import Mark
from ..diagnosis.crash_log import FAILURES
from ..diagnosis.failure_reasons import MEDIA_REFUSED, SCENARIO_ERROR
from ..diagnosis.foreign_text import shown
from ..diagnosis.user_code import where_failed
from ..diagnosis.user_failure import UserCodeFailed, user_error
from ..errors import CallError, MediaError, MediaHeld
from ..runtime.actor_loop import ActorLoop

Missed = Callable[[str], None]
"""Called with the reason by which a call failed, of `failure_reasons`."""


class CallTasks:
    """The coroutines of one call."""

    __slots__ = ("_actor", "_actor_loop", "_running", "_timer")

    def __init__(self, actor: CallActor, actor_loop: ActorLoop) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._running: dict[asyncio.Task[None], None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def serve(self, actor: CallActor) -> None:
        """Use another actor from now on: the call is placed."""
        self._actor = actor

    def run(
        self, work: Awaitable[Any], missed: Missed, grace: float, what: str, given: object = None
    ) -> "asyncio.Task[None]":
        """Run a coroutine for the call.

        Args:
            missed: of its handle.
            grace: seconds that it has after the end.
            what: the coroutine, for the log.
            given: what the user gave for it.
        """
        task = self._actor_loop.loop.create_task(self._carry_through(work, missed, what, given))
        self._running[task] = None
        task.add_done_callback(self._done)
        if self._actor.state is State.OVER:
            self.bound(grace)
        return task

    def bound(self, grace: float) -> None:
        """Cancel the coroutines after the grace: the call is over.

        Args:
            grace: in seconds.
        """
        if self._running and self._timer is None:
            self._timer = self._actor_loop.loop.call_later(grace, self._cancel)

    def unbound(self) -> None:
        """Keep the coroutines: the call begins again, or none is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _carry_through(self, work: Awaitable[Any], missed: Missed, what: str, given: object) -> None:
        try:
            await self._actor_loop.steps(work, self._mark, what, given)
        except CallError as error:  # an outcome of a call
            if isinstance(error, MediaError) and not isinstance(error, MediaHeld):
                missed(MEDIA_REFUSED)  # it has been logged
        except FAILURES as error:
            self._failed(error, missed, what, given)

    def _failed(self, error: BaseException, missed: Missed, what: str, given: object) -> None:
        """End the call for an error. A function of its own: a traceback holds the variables of its frames."""
        actor, cause = self._actor, user_error(error)
        if actor.ended_by(cause):
            return
        failed = error if isinstance(error, UserCodeFailed) else UserCodeFailed(what, where_failed(error, given))
        text = f"{failed.within(f'call {shown(actor.session.call_id)}')}, and the call is ended"
        self._actor_loop.crashes.tell(text, cause, failed.where)
        missed(SCENARIO_ERROR)
        now = self._actor_loop.now()
        if actor.state in (State.INCOMING, State.ANSWERING) and not actor.times.answered:
            actor.reject(500, "", (), now)  # as for the error of a function (RFC 3261 section 21.5.1)
        else:
            actor.hang_up(now)
        self._actor_loop.touch(actor)

    def _mark(self) -> Mark | None:
        return self._actor_loop.mark_of(self._actor)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.pop(task, None)
        if not self._running:
            self.unbound()  # its timer would hold the call until then

    def _cancel(self) -> None:
        for task in list(self._running):
            task.cancel()
