"""Runs a robot, a coroutine function of a call, for its call.

Its end decides: return = hang up; `CallEnded` and the other call errors = outcomes of calls, not errors; any other
exception is logged once and counted, and ends that call only (`CallTasks`).
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..call.state import State
from ..diagnosis.failure_reasons import MEDIA_REFUSED
from ..errors import CallError, MediaError
from .call import Call

Robot = Callable[[Call], Awaitable[None]]


def run(call: Call, robot: Robot) -> "asyncio.Task[None]":
    """Run a robot for a call inside the crash boundary."""
    return call.spawn(_run(call, robot))


async def _run(call: Call, robot: Robot) -> None:
    """Await a robot, and end its call. Other exceptions than outcomes of calls go to the call's crash boundary."""
    try:
        await robot(call)
    except MediaError:
        call.miss(MEDIA_REFUSED)  # it has been logged
    except CallError:
        pass  # an outcome, which the call metrics count
    except asyncio.CancelledError:
        call.hang_up()
        raise
    if call.state is State.INCOMING:
        call.reject(500 if call.failure else 480)
    else:
        call.hang_up()
