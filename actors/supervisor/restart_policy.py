"""Decides when a process that died is started again, and when no more. Pure: times in, decision out.

A process that lived is replaced at once. One that dies soon after its start, or cannot be started, waits longer each
time. A process that has died too often within a time is given up; a start that the system refuses never counts for
that, because the system may recover. The slot of a call worker that is given up gets processes that only end its calls,
by a budget of their own.
"""

from enum import Enum
from typing import Final, NamedTuple

QUICK: Final = 3.0
"""Seconds after its start within which the end of a process is that of a start that failed."""
BACK_OFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Seconds until the next start after as many failed ones in a row; the last holds for all further ones."""


class Budget(NamedTuple):
    """How often a process of a role may be replaced."""

    deaths: int
    """Ends within `window` after which it is started again; one more, and it is given up."""
    window: float
    """Seconds."""
    quick_only: bool
    """Only ends within `QUICK` seconds of a start count."""


BUDGETS: Final = {
    "call": Budget(5, 30.0, quick_only=False),
    "media": Budget(5, 30.0, quick_only=False),
    "dispatcher": Budget(3, 60.0, quick_only=True),
    "starter": Budget(5, 60.0, quick_only=False),
    "closing": Budget(4, 60.0, quick_only=False),
}
"""By role, of the starter, and of a process that ends the calls of a slot. A dispatcher has no state that could kill it
again, and the node needs it: only failed starts count."""


class Phase(Enum):
    """The work of the processes of a slot."""

    SERVING = "serving"
    """All of it."""
    CLOSING = "closing"
    """They end the calls of those before, which died too often, and take none."""
    LEFT = "left"
    """There is none any more."""


GIVEN_UP: Final = {
    ("call", Phase.SERVING): Phase.CLOSING,
    ("call", Phase.CLOSING): Phase.LEFT,
    ("media", Phase.SERVING): Phase.LEFT,
}
"""The phase of a slot once its processes died too often in another, by role. The node ends with its dispatcher."""


class RestartPolicy:
    """The restarts of one slot of one role. All times are monotonic seconds."""

    __slots__ = ("_budget", "_deaths", "_failed", "_started", "phase")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deaths: list[float] = []
        self._failed = 0
        """Failed starts in a row."""
        self._started = 0.0
        self.phase = Phase.SERVING

    @property
    def is_closing(self) -> bool:
        """Whether a process is to be there that only ends calls."""
        return self.phase is Phase.CLOSING

    @property
    def is_left(self) -> bool:
        """Whether no process is to be there any more."""
        return self.phase is Phase.LEFT

    def give_up(self, role: str) -> None:
        """Note that the processes died too often: those that come now, if any, have other work and a new budget.

        Args:
            role: of the slot, as in `GIVEN_UP`.
        """
        self.phase = GIVEN_UP[role, self.phase]
        self._budget = BUDGETS["closing"]
        self._deaths.clear()
        self._failed = 0

    @property
    def words(self) -> str:
        """What is too often."""
        return f"died {self._budget.deaths + 1} times in {self._budget.window:.0f} s"

    def started(self, now: float) -> None:
        """Note a start."""
        self._started = now

    def died(self, now: float) -> float | None:
        """Return the seconds until the process is started again; None = it has died too often."""
        quick = now - self._started < QUICK
        self._deaths = [at for at in self._deaths if now - at < self._budget.window]
        if quick or not self._budget.quick_only:
            if len(self._deaths) >= self._budget.deaths:
                return None
            self._deaths.append(now)
        if not quick:
            self._failed = 0
            return 0.0
        return self._next_pause()

    def refused(self) -> float:
        """Return the seconds until the next attempt, because the system did not start the process."""
        return self._next_pause()

    def _next_pause(self) -> float:
        self._failed += 1
        return BACK_OFF[min(self._failed, len(BACK_OFF)) - 1]
