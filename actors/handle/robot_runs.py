"""Runs a robot, a coroutine function of a call, for its call.

Its end decides: return = hang up; `CallEnded` and the other call errors = outcomes of calls, not errors; any other
exception is logged once and counted, and ends that call only (`CallTasks`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isfunction
from typing import Any

from ..call.state import State
from ..diagnosis.failure_reasons import MEDIA_REFUSED
from ..diagnosis.foreign_text import said
from ..diagnosis.user_code import is_asked_for
from ..errors import CallError, ConfigurationError, MediaError
from ..runtime.callbacks import answers_later, takes
from .call import Call

Robot = Callable[[Call], Awaitable[None]]
"""A coroutine function of a call, or a function that returns a coroutine; its end ends the call."""


def checked_robot(what: str, given: Any) -> Robot:
    """Return a coroutine function of a call, or a function that returns a coroutine.

    Raises:
        ConfigurationError: it is none, and would fail at each call.
    """
    if not callable(given) or not takes(given, 1):
        raise ConfigurationError(f"{what} {said(given)} takes no call; write `async def robot(call):`")
    plain = isfunction(given) and not hasattr(given, "__wrapped__") and given.__name__ != "<lambda>"
    if plain and not answers_later(given) and given.__annotations__.get("return") is None:
        raise ConfigurationError(f"{what} {said(given)} is a plain function; write `async def` before it")
    found: Robot = given
    return found


def run(call: Call, robot: Robot) -> "asyncio.Task[None]":
    """Run a robot for a call inside the crash boundary."""
    return call.tasks.run(_run(call, robot), call.miss, call.grace, "the robot", robot)


async def _run(call: Call, robot: Robot) -> None:
    """Await a robot, and end its call. Other exceptions than outcomes of calls go to the call's crash boundary."""
    try:
        await robot(call)
    except MediaError:
        call.miss(MEDIA_REFUSED)  # it has been logged
    except CallError:
        pass  # an outcome, which the call metrics count
    except asyncio.CancelledError as error:
        if is_asked_for(error):  # what it awaited was cancelled otherwise, which is its failure
            call.hang_up()
        raise
    if call.state is State.INCOMING:
        call.reject(500 if call.failure else 480)
    else:
        call.hang_up()
