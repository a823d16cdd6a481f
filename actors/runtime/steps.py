"""Runs a coroutine step by step, with the message at work noted in the black box during each step and never between.

A step is what runs from one `await` that waits to the next. The event loop runs steps of many coroutines in turn, and a
process that dies within one must not blame the message of another.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

from ..diagnosis.black_box import BlackBox, Mark


class Steps(Generator[Any, Any, Any]):
    """An awaitable that runs another one.

    Args:
        work: it is awaited in the first step.
        mark: returns what the next step runs for; None = what is noted stays.
    """

    __slots__ = ("_box", "_coroutine", "_mark")

    def __init__(self, work: Awaitable[Any], box: BlackBox, mark: Callable[[], Mark | None]) -> None:
        self._coroutine = _through(work)
        self._box = box
        self._mark = mark

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run the next step."""
        before = self._box.enter(self._mark())
        try:
            return self._coroutine.send(value)
        finally:
            self._box.leave(before)

    def throw(self, *error: Any) -> Any:
        """Run the next step, which begins with an exception."""
        before = self._box.enter(self._mark())
        try:
            return self._coroutine.throw(*error)
        finally:
            self._box.leave(before)

    def close(self) -> None:
        """End the coroutine."""
        self._coroutine.close()


async def _through(work: Awaitable[Any]) -> Any:
    return await work
