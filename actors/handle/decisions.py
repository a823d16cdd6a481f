"""The decision of a user's callback about a call, in every form of a callback; a coroutine function decides later.

A decision that fails within a call that is up costs only its subject. The subject is refused, and the call goes on (RFC
3261 section 14.2). Any other failure goes to the crash boundary of the call, which ends it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ..call.actor import CallActor
from ..call.state import State
from ..diagnosis.crash_log import FAILURES
from ..diagnosis.failure_reasons import SCENARIO_ERROR
from ..diagnosis.foreign_text import shown
from ..errors import CallError
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, ask
from .tasks import Missed


class Decision:
    """One decision of a user.

    Args:
        missed: called with the reason by which the call failed.
        then: called with the result.
        refuse: refuses the subject of the decision; None = a failure is that of the call.
    """

    __slots__ = ("_actor", "_actor_loop", "_missed", "_refuse", "_then")

    def __init__(
        self,
        actor: CallActor,
        actor_loop: ActorLoop,
        missed: Missed,
        *,
        then: Callable[[Any], None],
        refuse: Callable[[], None] | None,
    ) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._missed = missed
        self._then = then
        self._refuse = refuse

    def ask(self, callback: Callback, *arguments: Any) -> Awaitable[None] | None:
        """Invoke a callback and act on its result.

        Returns:
            For a coroutine function an awaitable that does so, else None.
        """
        try:
            result = ask(callback, *arguments)
            if isinstance(result, Awaitable):
                return self._later(result)
            self._then(result)
        except FAILURES as error:
            if not self._goes_on(error):
                raise
        return None

    async def _later(self, result: Awaitable[Any]) -> None:
        try:
            try:
                decision = await result
            except CallError as error:
                if self._actor.ended_by(error):
                    return
                raise RuntimeError("a callback raised the error of another call instead of its decision") from error
            self._then(decision)
        except FAILURES as error:
            if not self._goes_on(error):
                raise

    def _goes_on(self, error: BaseException) -> bool:
        """Whether a failed decision cost only its subject."""
        actor = self._actor
        if self._refuse is None or not actor.times.answered or actor.state is State.OVER:
            return False
        text = f"a decision within call {shown(actor.session.call_id)} failed and is refused"
        self._actor_loop.crashes.tell(text, error)
        self._missed(SCENARIO_ERROR)
        self._refuse()
        return True
