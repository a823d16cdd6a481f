"""One run of a user's scenario: its task, its calls and their rows, and its share of the bound of live calls.

A run is admitted as one live call; while more calls of it are live, each further one must be admitted by the bound too.
It begins with a task and a timer, collects the rows of its calls, and hangs the calls up when its function ends. It is
over when its function is and every call has its row. Its room must be free again when its last call is over.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ..bus.messages import CallFinished
from ..errors import Overloaded
from ..handle.call import Call
from ..host.permits import LiveBound
from ..host.roll import Roll
from ..scripts.data import Row
from .starter import Ended

LIMIT: Final = "limit"
"""The failure of a run that needed more live calls than `-l` leaves it."""
RUN_TIME: Final = "run_time"
"""The failure of a run that took longer than it may."""

SCENARIO_ERROR: Final = "scenario_error"
"""The failure of a run that an error has left which is no outcome of a call."""


class RunRoll:
    """The entries of one run; its first call takes the place of the run.

    Args:
        roll: of the slot.
        index: of the arrival.
        planned: monotonic time at which it was due.
        now: the monotonic clock.
    """

    __slots__ = ("_index", "_named", "_now", "_place", "_roll", "begun", "planned")

    def __init__(self, roll: Roll, index: int, planned: float, now: Callable[[], float]) -> None:
        self._roll = roll
        self._index = index
        self._now = now
        self._named = False
        self.planned = planned
        """Monotonic time at which it was due."""
        self.begun = now()
        """Monotonic time at which it was started, and then at which its function was."""
        self._place = roll.enter("", self.begun, self.lateness, planned, index)

    @property
    def lateness(self) -> float:
        """Seconds from the time at which it was due until it began."""
        return max(0.0, self.begun - self.planned)

    def enter(self) -> None:
        """Note that its function starts now: many that were started in one turn of the loop run one after the other."""
        self.begun = self._now()

    def place(self, call_id: str, begun: float) -> float:
        """Enter a call whose INVITE is about to leave.

        Args:
            call_id: of the call.
            begun: monotonic time at which the run placed it.

        Returns:
            Seconds that the function has run until then.
        """
        if self._named:
            self._roll.enter(call_id, begun, -1.0, -1.0, self._index)
        else:
            self._named = True
            self._roll.name(self._place, call_id, begun, self.lateness, self.planned, self._index)
        return begun - self.begun

    def over(self) -> int:
        """Note that the row of a run without a call leaves.

        Returns:
            The place for the row.
        """
        self._roll.place_reported(self._place)
        return self._place

    def withdraw(self) -> None:
        """Take back the entry of a run that was held back and has no row."""
        if not self._named:
            self._roll.withdraw(self._place)


class Run:
    """One execution of the function.

    Args:
        enrolled: its entries in the roll of the slot.
        row: its data.
        bound: of live calls.
        check: is called when it may be over.
        ended: takes its end.
    """

    __slots__ = (
        "_bound",
        "_check",
        "_further",
        "_task",
        "_timer",
        "calls",
        "done",
        "ended",
        "enrolled",
        "failure",
        "held_back",
        "overdue",
        "row",
        "rows",
    )

    def __init__(
        self,
        enrolled: RunRoll,
        row: Row,
        bound: LiveBound,
        *,
        check: "Callable[[Run], None]",
        ended: Ended,
    ) -> None:
        self.enrolled = enrolled
        self.row = row
        self.ended = ended
        self.calls: list[Call] = []
        self.rows: list[CallFinished] = []
        self.failure = ""
        self.held_back = False
        """By a local bound."""
        self.done = self.overdue = False
        self._bound = bound
        self._check = check
        self._further = 0
        """Live calls that the bound has admitted besides the run's first."""
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: "asyncio.Task[None]", timer: asyncio.TimerHandle) -> None:
        """Note that it runs.

        Args:
            task: its function.
            timer: fires when its time is over.
        """
        self._task, self._timer = task, timer

    def admit(self) -> None:
        """Admit a call: one at a time is admitted with the run, a further one needs room of its own.

        Raises:
            Overloaded: as many calls are live as `-l` allows.
        """
        if self._live > self._further:
            if not self._bound.enter():
                raise Overloaded(
                    "as many calls are live as -l allows; raise it, or end a call of the run before", LIMIT
                )
            self._further += 1

    def place(self, call: Call) -> None:
        """Take a call that leaves."""
        own = self.enrolled.place(call.call_id, call.times.begun)
        planned = None if self.calls else (self.enrolled.planned, own, self.row.line)
        call.attend(report=self._reported, planned=planned)
        self.calls.append(call)

    def cancel(self) -> None:
        """End its function."""
        if self._task is not None:
            self._task.cancel()

    def give_up(self, timer: asyncio.TimerHandle) -> None:
        """End its function, because its time is over.

        Args:
            timer: fires when that did not help.
        """
        self.overdue = True
        self._timer = timer
        self.cancel()

    def end(self, failure: str, *, held_back: bool = False) -> None:
        """Hang up its calls, because the function is over, or given up. Only the first end counts.

        Args:
            failure: by name; empty = none.
            held_back: a local bound kept it from placing its calls.
        """
        if self.done:
            return
        self.done = True
        self.failure = RUN_TIME if self.overdue else failure
        self.held_back = held_back
        if self._timer is not None:
            self._timer.cancel()
        for call in self.calls:
            call.hang_up()
        self._check(self)

    @property
    def is_over(self) -> bool:
        """Whether the function and every call are over."""
        return self.done and len(self.rows) >= len(self.calls)

    def leave(self, most: int = 0) -> None:
        """Make room again.

        Args:
            most: live calls that it has besides its first.
        """
        while self._further > max(0, most):
            self._further -= 1
            self._bound.leave()

    @property
    def _live(self) -> int:
        return sum(not call.closed for call in self.calls)

    def _reported(self, row: CallFinished) -> None:
        self.rows.append(row)
        self.leave(self._live - 1)
        self._check(self)


class OtherCalls:
    """Calls of agents that `setup` has made, which belong to no run; each needs room of its own."""

    def __init__(self, bound: LiveBound) -> None:
        self._bound = bound
        self._admitted = False
        """One was admitted and not placed yet."""

    def admit(self) -> None:
        """Admit a call that is about to be placed.

        Raises:
            Overloaded: as many calls are live as `-l` allows.
        """
        if not self._admitted and not self._bound.enter():
            raise Overloaded("as many calls are live as -l allows; raise it", LIMIT)
        self._admitted = True

    def place(self, call: Call) -> None:
        """Take the call that leaves."""
        self._admitted = False
        call.attend(on_over=lambda call: self._bound.leave())
