"""The place of an error in the code of the user: file and line.

It is the innermost line of the traceback that stands neither in this package nor in a library. Where there is none,
such as for a wrong number of arguments, it is the place of the function itself.
"""

import asyncio
import sysconfig
import traceback
from collections.abc import Callable
from typing import Any, Final, TypeVar

from .user_failure import UserCodeFailed

_OURS: Final = f"{__file__.rpartition('/actors/')[0]}/"
_LIBRARIES: Final = (f"{sysconfig.get_path('stdlib')}/", "<frozen ")
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
USER_FAILURES: Final = (BaseException,)
"""What a function of a user fails by: `pytest.fail` too, and a cancellation that this program did not ask for."""
Result = TypeVar("Result")


def called(what: str, function: Callable[..., Result], *arguments: Any, given: object = None) -> Result:
    """Call a function of the user.

    Args:
        what: the function, for the log.
        given: what the user gave, where `function` is not that itself.

    Raises:
        UserCodeFailed: it raised an exception, CancelledError too.
    """
    try:
        return function(*arguments)
    except USER_FAILURES as error:
        raise UserCodeFailed(what, where_failed(error, function if given is None else given)) from error


def is_asked_for(error: BaseException) -> bool:
    """Whether an exception is the cancellation of the running task by whoever holds it.

    Another CancelledError comes out of the code that the task runs: it awaited something else that was cancelled.
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def where_failed(error: BaseException, given: object = None) -> str:
    """Return file and line of the user's code that an error came through, as "FILE:LINE"; empty without any.

    Args:
        given: the callback, whose own place is returned where the traceback has no line of the user's.
    """
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _is_users(frame.f_code.co_filename):
            found = f"{frame.f_code.co_filename}:{line}"
    return found or place_of(given)


def waits_at(work: object) -> str:
    """Return file and line of the user's code at which a coroutine waits, as "FILE:LINE"; empty without any.

    Args:
        work: a coroutine that awaits others; one that is over waits nowhere.
    """
    found = ""
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        if frame is not None and _is_users(frame.f_code.co_filename):
            found = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return found


def _is_users(file: str) -> bool:
    """Whether code stands in a file of the user."""
    return not file.startswith((_OURS, *_LIBRARIES)) and not any(part in file for part in _INSTALLED)


def place_of(given: object) -> str:
    """Return file and line of a function, or of the function in a callback of another form; empty without one."""
    while isinstance(given, tuple | list) and given:
        given = given[0]
    while hasattr(given, "func"):  # functools.partial
        given = given.func
    for each in (given, getattr(given, "run", None), getattr(type(given), "__call__", None)):  # noqa: B004
        code = getattr(each, "__code__", None)
        if code is not None:
            return f"{code.co_filename}:{code.co_firstlineno}"
    return ""
