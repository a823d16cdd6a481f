"""The decision of a user's callback about a call, in every form of a callback; a coroutine function decides later.

A decision that fails within a call that is up costs only its subject. The subject is refused, and the call goes on (RFC
3261 section 14.2). Any other failure goes to the crash boundary of the call, which ends it.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from sipswarm.sipcore.errors import LocalProtocolError

from ..call.actor import CallActor
from ..call.state import State
from ..diagnosis.crash_log import FAILURES
from ..diagnosis.failure_reasons import SCENARIO_ERROR
from ..diagnosis.foreign_text import shown
from ..diagnosis.user_code import USER_FAILURES, called, is_asked_for, where_failed
from ..diagnosis.user_failure import UserCodeFailed, user_error
from ..errors import CallError, SwarmError
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, ask
from .tasks import Missed


class Decision:
    """One decision of a user.

    Args:
        missed: called with the reason by which the call failed.
        what: the callback, for the log, such as "the callback filter".
        then: called with the result.
        refuse: refuses the subject of the decision; None = a failure is that of the call.
    """

    __slots__ = ("_actor", "_actor_loop", "_missed", "_refuse", "_then", "_what")

    def __init__(
        self,
        actor: CallActor,
        actor_loop: ActorLoop,
        missed: Missed,
        what: str,
        *,
        then: Callable[[Any], None],
        refuse: Callable[[], None] | None,
    ) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._missed = missed
        self._what = what
        self._then = then
        self._refuse = refuse

    def ask(self, callback: Callback, *arguments: Any) -> Awaitable[None] | None:
        """Invoke a callback and act on its result.

        Returns:
            For a coroutine function an awaitable that does so, else None.
        """
        try:
            ask_user = partial(called, self._what, ask, callback, *arguments, given=callback)
            result = self._actor_loop.turns.call(self._what, callback, ask_user)
            if isinstance(result, Awaitable):
                return self._later(result, callback)
            self._act_on(result, callback)
        except FAILURES as error:
            if not self._goes_on(error, callback):
                raise
        return None

    def _act_on(self, result: Any, callback: Callback) -> None:
        """Act on a result; where that is refused, the fault is the callback's."""
        try:
            self._then(result)
        except (SwarmError, LocalProtocolError) as error:
            raise UserCodeFailed(f"what {self._what} returned", where_failed(error, callback)) from error

    async def _later(self, result: Awaitable[Any], callback: Callback) -> None:
        try:
            try:
                decision = await result
            except CallError as error:
                if self._actor.ended_by(error):
                    return
                raise UserCodeFailed(self._what, where_failed(error, callback)) from error  # of another call
            except FAILURES:
                raise
            except USER_FAILURES as error:
                if is_asked_for(error):
                    raise
                raise UserCodeFailed(self._what, where_failed(error, callback)) from error
            self._act_on(decision, callback)
        except FAILURES as error:
            if not self._goes_on(error, callback):
                raise

    def _goes_on(self, error: BaseException, callback: Callback) -> bool:
        """Whether a failed decision cost only its subject."""
        actor = self._actor
        if self._refuse is None or not actor.times.answered or actor.state is State.OVER:
            return False
        failed = (
            error if isinstance(error, UserCodeFailed) else UserCodeFailed(self._what, where_failed(error, callback))
        )
        text = f"{failed.within(f'call {shown(actor.session.call_id)}')}, and its subject is refused"
        self._actor_loop.crashes.tell(text, user_error(error), failed.where)
        self._missed(SCENARIO_ERROR)
        self._refuse()
        return True
