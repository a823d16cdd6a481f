"""Runs a coroutine step by step, with the message at work noted in the black box during each step and never between.

A step is what runs from one `await` that waits to the next. The event loop runs steps of many coroutines in turn, and a
process that dies within one must not blame the message of another. A step waits for the next turn of the loop where
others have taken the present one (`user_turns`).

A coroutine that ends with a CancelledError which nobody asked for, because something that it awaited was cancelled, has
failed.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from ..diagnosis.black_box import BlackBox, Mark
from ..diagnosis.crash_log import FAILURES
from ..diagnosis.user_code import USER_FAILURES, is_asked_for, place_of, waits_at, where_failed
from ..diagnosis.user_failure import UserCodeFailed
from .user_turns import BLOCKS, UserTurns


class Steps(Generator[Any, Any, Any]):
    """An awaitable that runs another one.

    Args:
        work: it is awaited in the first step.
        mark: returns what the next step runs for; None = what is noted stays.
        turns: of the event loop.
        what: the coroutine, for the log.
        given: what the user gave for it.
    """

    __slots__ = ("_box", "_coroutine", "_given", "_mark", "_turns", "_waiting", "_what")

    def __init__(
        self,
        work: Awaitable[Any],
        box: BlackBox,
        mark: Callable[[], Mark | None],
        turns: UserTurns,
        what: str,
        given: object = None,
    ) -> None:
        self._coroutine = _through(work, what, given)
        self._waiting: Awaitable[Any] | None = work
        """It waits for its first step."""
        self._box = box
        self._mark = mark
        self._turns = turns
        self._what = what
        self._given = given

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run the next step, or have the task come again in the next turn of the loop."""
        turns = self._turns
        if turns.is_long():
            return None
        before = self._box.enter(self._mark())
        began = turns.now()
        self._waiting = None
        try:
            return self._coroutine.send(value)
        finally:
            self._box.leave(before)
            if turns.now() - began >= BLOCKS:
                where = waits_at(self._coroutine) or place_of(self._given)
                turns.blocked(self._what, where, turns.now() - began)

    def throw(self, *error: Any) -> Any:
        """Run the next step, which begins with an exception; what waited for its first step never begins."""
        if isinstance(self._waiting, Coroutine):
            self._waiting.close()
        before = self._box.enter(self._mark())
        try:
            return self._coroutine.throw(*error)
        finally:
            self._box.leave(before)

    def close(self) -> None:
        """End the coroutine."""
        self._coroutine.close()


async def _through(work: Awaitable[Any], what: str, given: object) -> Any:
    """Await a coroutine.

    Raises:
        UserCodeFailed: it ended with a CancelledError, though nobody has cancelled its task, or with an exception that
            is none of `FAILURES`.
    """
    try:
        return await work
    except FAILURES:
        raise
    except USER_FAILURES as error:  # pytest.fail() is of a kind of its own
        if is_asked_for(error):
            raise
        raise UserCodeFailed(what, where_failed(error, given)) from error
