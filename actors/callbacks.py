"""Callbacks in every form of the man page's `invoke_callback` (CALL.md section 1): one function that invokes them.

A callable or coroutine function; an object with `run`; a tuple or list (callable, *own arguments) whose own arguments
come first; a `StopVariable`, `asyncio.Event` or future, which is set; a compiled regular expression; None.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from .crash_log import FAILURES
from .errors import CallError


class StopVariable:
    """A variable that a callback sets: to its first argument, or to True when there is none."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __bool__(self) -> bool:
        return bool(self.value)


Callback = Any
"""Anything that `invoke` takes."""


def is_callback(value: Any) -> bool:
    """Whether `invoke` takes it."""
    if isinstance(value, tuple | list):
        return not value or is_callback(value[0])
    if value is None or isinstance(value, StopVariable | asyncio.Event | asyncio.Future | re.Pattern):
        return True
    return callable(value) or callable(getattr(value, "run", None))


def invoke(callback: Callback, *arguments: Any, spawn: Callable[[Awaitable[Any]], object]) -> Any:
    """Call it; what it returns (for a regular expression: whether it matches any argument, as text).

    spawn: is given the awaitable of a coroutine function, to run it on the call.

    Raises:
        TypeError: it is none of the forms.
    """
    if callback is None:
        return None
    if isinstance(callback, tuple | list):
        if not callback:
            return None
        return invoke(callback[0], *callback[1:], *arguments, spawn=spawn)
    if isinstance(callback, StopVariable):
        callback.value = arguments[0] if arguments else True
        return None
    if isinstance(callback, asyncio.Event):
        callback.set()
        return None
    if isinstance(callback, asyncio.Future):
        if not callback.done():
            callback.set_result(arguments[0] if arguments else True)
        return None
    if isinstance(callback, re.Pattern):
        return any(callback.search(str(each)) for each in arguments)
    action = callback if callable(callback) else getattr(callback, "run", None)
    if action is None:
        raise TypeError(f"{type(callback).__name__} is no callback: give a callable, an object with run(), a tuple …")
    result = action(*arguments)
    if isinstance(result, Awaitable):
        spawn(result)
        return None
    return result


async def carry_through(awaitable: Awaitable[Any], tell: Callable[[str, BaseException], None]) -> None:
    """Await a callback's coroutine; its failure is told, as by `CrashLog.tell`, and ends nothing else."""
    try:
        await awaitable
    except CallError:
        pass  # the call ended first; its own callbacks say so
    except FAILURES as error:
        tell("a callback failed", error)
