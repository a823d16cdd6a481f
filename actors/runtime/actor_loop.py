"""Runs the actors of one call worker: batches, one timer for all, and the crash boundary around each.

Inputs are handled first and their output is sent once. Code that changed an actor calls `touch`; when the running code
has returned to the event loop, `flush` sends the output. It then looks at the deadline of each touched actor, and
forgets those that are finished. A failure of one actor must end that actor only. After a standstill of the process its
inputs come first, then the timers that expired meanwhile, each once and at a random time: no burst leaves.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from random import random
from typing import Any, Final

from ..diagnosis.black_box import NOTHING, BlackBox, Mark
from ..diagnosis.crash_log import FAILURES, CrashLog
from ..diagnosis.user_code import where_failed
from ..diagnosis.user_failure import UserCodeFailed, user_error
from ..errors import CallError
from .actor import Actor, Guarded
from .callbacks import Callback, invoke
from .deadlines import Deadlines
from .steps import Steps
from .user_turns import UserTurns

TIMER_SLACK: Final = 0.001
STOOD_STILL: Final = 1.0
"""Seconds that the timer may be late; later, this process or its machine stood still."""
CATCH_UP: Final = 0.3
"""Seconds after that in which only inputs are handled: answers that came meanwhile wait in sockets and processes."""
SPREAD: Final = 0.7
"""Seconds after that over which the timers fire that expired meanwhile: all within one second of the standstill."""
HARMLESS_AFTER: Final = 1.0
"""Seconds after the end of a call in which a death of the process is one of its caller's."""


class ActorLoop:
    """The loop of one call worker.

    Args:
        loop: the event loop.
        empty: sends everything that was produced; returns whether notices of it wait for the next turn of the loop.
        forget: releases an actor that is finished.
        rest_of: returns a smaller actor that has taken the place of one, None = it stays.
        box: shows for which message code runs; None = nothing reads it.
        fraction: returns a random number from 0 to 1.

    Attributes:
        now: the monotonic clock, in seconds.
        crashes: the log of errors that ended something.
        attempt: runs code of no actor, as `CrashLog.attempt` does.
        turns: the share of users' code in the turns of the loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        empty: Callable[[], bool | None],
        forget: Callable[[Actor], None],
        rest_of: Callable[[Actor], Actor | None] = lambda actor: None,
        box: BlackBox | None = None,
        fraction: Callable[[], float] = random,
    ) -> None:
        self.loop = loop
        self.box = box or BlackBox()
        self._marks: dict[Guarded, Mark] = {}
        """The message that each actor got last, and the caller of the call."""
        self.now = time.monotonic
        self.crashes = CrashLog(lambda: self.now())
        self.attempt = self.crashes.attempt
        self.turns = UserTurns(loop.call_soon, lambda: self.now(), self.crashes)
        self._empty = empty
        self._forget = forget
        self._rest_of = rest_of
        self._fraction = fraction
        self._touched: dict[Actor, None] = {}
        """Actors whose deadline and end the next flush looks at."""
        self._deadlines: Deadlines[Actor] = Deadlines()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._caught_up = True
        self._flush_scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Number of actors that wait for a timer."""
        return len(self._deadlines)

    def touch(self, actor: Actor) -> None:
        """Note that an actor had an input: flush soon and look at its deadline."""
        self._touched[actor] = None
        self.flush_soon()

    def look_at(self, actor: Actor) -> None:
        """Note an input of a batch, as `touch` does, where the end of the batch flushes anyway."""
        self._touched[actor] = None

    def flush_soon(self) -> None:
        """Flush when the code that runs now has returned to the event loop."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send everything the last inputs produced, look at deadlines, forget finished actors."""
        self._flush_scheduled = False
        if self._empty():  # an actor is forgotten only after its last notice
            self.flush_soon()
            return
        touched, self._touched = self._touched, {}
        for each in touched:
            self.guarded(each, self._settle, each)
        self._arm()

    def guarded(self, actor: Guarded, action: Callable[..., None], *arguments: Any) -> None:
        """Run one actor's code; an exception ends that actor only. One of a user's callback is logged as that."""
        before = self.box.enter(self._marks.get(actor))
        try:
            action(*arguments)
        except FAILURES as error:
            self._failed(actor, error)
        finally:
            self.box.leave(before)

    def _failed(self, actor: Guarded, error: BaseException) -> None:
        """End an actor for an error. A function of its own: a traceback holds the variables of its frames."""
        cause = user_error(error)
        if actor.ended_by(cause):
            return
        if isinstance(error, UserCodeFailed):
            self.crashes.tell(f"{error.within(actor.name)}, and it is ended", cause, error.where)
        else:
            self.crashes.tell(f"{actor.name} failed in our own code and is ended", error)
        self.attempt(f"{actor.name} could not even be ended", actor.crashed, self.now(), error)

    def note_cause(self, actor: Guarded, cause: bytes = b"") -> None:
        """Note the message because of which an actor acts from now on, until it gets another one.

        Args:
            cause: its octets; empty = what is at work now.
        """
        mark = (cause, self._marks.get(actor, NOTHING)[1]) if cause else self.box.at_work
        if mark is not NOTHING:
            self._marks[actor] = mark

    def mark_of(self, actor: Guarded) -> Mark | None:
        """Return the message that an actor got last, and its caller; None = it got none."""
        return self._marks.get(actor)

    def ended_well(self, actor: Guarded) -> None:
        """Note the end of a call: its caller is cleared of suspicion, unless code that runs after it does harm."""
        mark = self._marks.get(actor)
        if mark is not None:
            self._marks[actor] = (b"", mark[1])  # the octets take room
            if self.box.suspects(mark[1]):
                self.loop.call_later(HARMLESS_AFTER, self.box.clear, mark[1])

    def inform(self, what: str, callback: Callback, *arguments: Any) -> None:
        """Invoke a callback of no call, in any form; its failure is logged with its place and ends nothing.

        Args:
            what: the callback, for the log.
        """
        try:
            spawn = partial(self.spawn, what=what, given=callback)
            self.turns.call(what, callback, partial(invoke, callback, *arguments, spawn=spawn, what=what))
        except UserCodeFailed as error:
            self.crashes.tell(str(error), user_error(error), error.where)

    def spawn(self, awaitable: Awaitable[Any], *, what: str = "a callback", given: object = None) -> None:
        """Run a callback's coroutine; its failure is logged and ends nothing else.

        Args:
            what: the callback, for the log.
            given: what the user gave, whose place a failure has that came through no line of the user's.
        """
        mark = self.box.at_work
        work = self.steps(awaitable, lambda: mark, what, given)
        task = self.loop.create_task(self._carry_through(work, what, given))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def steps(self, work: Awaitable[Any], mark: Callable[[], Mark | None], what: str, given: object = None) -> Steps:
        """Return an awaitable that runs a coroutine of a user in steps; arguments as for `Steps`."""
        return Steps(work, self.box, mark, self.turns, what, given)

    async def _carry_through(self, awaitable: Awaitable[Any], what: str, given: object) -> None:
        try:
            await awaitable
        except CallError:
            pass  # the call ended first, which its own callbacks report
        except FAILURES as error:
            failed = error if isinstance(error, UserCodeFailed) else UserCodeFailed(what, where_failed(error, given))
            self.crashes.tell(str(failed), user_error(error), failed.where)

    def later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        """Call a function after `delay` seconds; one of many that a standstill made late waits for `extra_wait` too."""
        loop = self.loop
        return loop.call_later(delay, self._on_later, loop.time() + delay, callback, *arguments)

    def extra_wait(self, late: float) -> float:
        """Return the seconds by which work is put off that is this late, in seconds: 0 without a standstill."""
        return CATCH_UP + SPREAD * self._fraction() if late > STOOD_STILL else 0.0

    def _on_later(self, at: float, callback: Callable[..., object], *arguments: Any) -> None:
        wait = self.extra_wait(self.loop.time() - at)
        if wait:
            self.loop.call_later(wait, callback, *arguments)
        else:
            callback(*arguments)

    def close(self) -> None:
        """Stop the timer: no actor is woken any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _settle(self, actor: Actor) -> None:
        if actor.finished:
            self.drop(actor)
            return
        rest = self._rest_of(actor)
        if rest is not None:
            self._release(actor)
            actor = rest
        self._deadlines.watch(actor)

    def drop(self, actor: Actor) -> None:
        """Forget an actor at once."""
        self._release(actor)
        self._forget(actor)

    def _release(self, actor: Actor) -> None:
        self._marks.pop(actor, None)
        self._deadlines.forget(actor)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.now()
        if self._caught_up and now - self._timer_at > STOOD_STILL:
            self._caught_up = False
            self._timer = self.loop.call_later(CATCH_UP, self._on_timer)
            return
        if not self._caught_up:
            self._caught_up = True
            self._deadlines.spread(now, SPREAD, self._fraction)
        for due in self._deadlines.due(now):
            self._touched[due] = None
            self.guarded(due, due.handle_timer, now)
        self.flush()

    def _arm(self) -> None:
        at = self._deadlines.next()
        if at is None:
            return
        if self._timer is not None and at >= self._timer_at - TIMER_SLACK:
            return
        now = self.now()
        at = max(at, now)  # a deadline that was over when it was set is no standstill
        if self._timer is not None:
            if at >= self._timer_at - TIMER_SLACK:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.loop.call_later(at - now + TIMER_SLACK, self._on_timer)
