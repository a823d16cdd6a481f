"""Callbacks in every form of the man page's `invoke_callback`, and the functions that invoke them.

A callback is one of these forms; `ask` tries them in this order:

- None, which is not called;
- a tuple or list (callable, *own arguments), whose own arguments come first;
- a `StopVariable`, `asyncio.Event` or future, which is set;
- a compiled regular expression, which is searched in the arguments that are text;
- a callable or coroutine function, or an object with `run`.

The functions must not run an event loop: the caller awaits a coroutine, or gives it to `spawn`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction, signature
from typing import Any

from ..diagnosis.user_code import called


class StopVariable:
    """A variable that a callback sets.

    Attributes:
        value: the first argument of the callback, or True without one; None before.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __bool__(self) -> bool:
        return bool(self.value)


Callback = Any
"""Anything that `invoke` takes."""


def is_callback(value: Any) -> bool:
    """Whether `invoke` accepts the value."""
    if isinstance(value, tuple | list):
        return not value or is_callback(value[0])
    if value is None or isinstance(value, StopVariable | asyncio.Event | asyncio.Future | re.Pattern):
        return True
    return callable(value) or callable(getattr(value, "run", None))


def ask(callback: Callback, *arguments: Any) -> Any:
    """Call a callback and return its result, of a coroutine function the awaitable, as Perl's `invoke_callback` does.

    A regular expression returns whether it matches an argument that is text; calls and messages are not searched. A
    variable, event or future returns the value that it was set to.

    Raises:
        TypeError: the callback has none of the forms.
    """
    if callback is None:
        return None
    if isinstance(callback, tuple | list):
        return ask(callback[0], *callback[1:], *arguments) if callback else None
    if isinstance(callback, StopVariable | asyncio.Event | asyncio.Future):
        return _set(callback, arguments[0] if arguments else True)
    if isinstance(callback, re.Pattern):
        return any(isinstance(each, str) and callback.search(each) is not None for each in arguments)
    action = callback if callable(callback) else getattr(callback, "run", None)
    if action is None:
        raise TypeError(f"{type(callback).__name__} is no callback: give a callable, an object with run(), a tuple …")
    return action(*arguments)


def invoke_callback(callback: Callback, *arguments: Any) -> Any:
    """Call a callback in any form, as the function of this name in Net::SIP::Util does; return its result.

    A coroutine function returns its coroutine, which is to be awaited.

    Args:
        callback: None, a callable, an object with `run()`, a tuple (callable, *own arguments), a `StopVariable`,
            `asyncio.Event` or future, which is set, or a pattern, which is searched in the texts.
        arguments: follow the own ones.

    Raises:
        TypeError: the callback has none of these forms.
    """
    return ask(callback, *arguments)


def _set(reference: "StopVariable | asyncio.Event | asyncio.Future[Any]", value: Any) -> Any:
    if isinstance(reference, StopVariable):
        reference.value = value
    elif isinstance(reference, asyncio.Event):
        reference.set()
    elif not reference.done():
        reference.set_result(value)
    return value


def invoke(
    callback: Callback, *arguments: Any, spawn: Callable[[Awaitable[Any]], object], what: str = "a callback"
) -> Any:
    """Call a callback whose result decides nothing; return as `ask`, of a coroutine function None.

    Where the result decides, see `Call.decide`.

    Args:
        spawn: called with the awaitable of a coroutine function, to run it on the call.
        what: the callback, for the log, such as "the callback cb_final".

    Raises:
        UserCodeFailed: the callback raised an exception, or has none of the forms.
    """
    result = called(what, ask, callback, *arguments, given=callback)
    if isinstance(result, Awaitable):
        spawn(result)
        return None
    return result


def takes(callback: Callback, count: int) -> bool:
    """Whether a callback accepts this number of arguments besides its own.

    A form without a function accepts any number, and so does a built-in function whose parameters cannot be read.
    """
    own = 0
    while isinstance(callback, tuple | list):
        if not callback:
            return True
        own += len(callback) - 1
        callback = callback[0]
    action = callback if callable(callback) else getattr(callback, "run", None)
    if action is None:
        return True
    try:
        parameters = signature(action)
    except (TypeError, ValueError):
        return True  # of a built-in function, which does not show them
    try:
        parameters.bind(*([None] * (own + count)))
    except TypeError:
        return False
    return True


def answers_later(callback: Callback) -> bool:
    """Whether a callback is a coroutine function in one of the forms, as far as that shows without calling it."""
    if isinstance(callback, tuple | list):
        return bool(callback) and answers_later(callback[0])
    action = callback if callable(callback) else getattr(callback, "run", None)
    while isinstance(action, partial):
        action = action.func
    return iscoroutinefunction(action) or iscoroutinefunction(getattr(type(action), "__call__", None))  # noqa: B004
