"""The arrivals of a run's plan: how many were planned, started, dropped or not due any more. Pure.

An arrival is a call or request of a plain load, or a run of a scenario, which places no call, one or several. So
arrivals and calls are two figures: one must never be subtracted from the other, nor be a share of it. Each planned
arrival is in exactly one of the other figures.
"""

from collections import Counter
from typing import Any, Final, NamedTuple


class Carried(NamedTuple):
    """How far a plan was carried out."""

    begun: int | None = None
    """Arrivals that started; None = each of them is a call that was attempted."""
    due: int | None = None
    """Arrivals that were due when a signal or a key ended the plan; None = nothing is known of such an end."""


ALL: Final = Carried()
"""An arrival is a call, and the plan came to its end."""


class ArrivalFigures(NamedTuple):
    """The arrivals of one shard, by what became of them."""

    planned: int
    started: int
    held_back: int
    """The user's own limit, or the rows of the data, kept them from starting."""
    overloaded: int
    """The bound of the call workers kept them from starting."""
    not_started: int
    """They were due, and no call worker has started or dropped them."""
    not_due: int
    """Their time had not come when the plan was ended; while the run goes on, it has not come yet."""

    @classmethod
    def of(
        cls, planned: int | None, started: int, held_back: int, overloaded: int, *, due: int | None, over: bool
    ) -> "ArrivalFigures":
        """Return the figures.

        Args:
            planned: arrivals of the plan; None = it had no end, or the end that it got counts as planned.
            started, held_back, overloaded: as the call workers counted.
            due: those due when the plan was ended; None = all that are planned.
            over: False = the run goes on, and more may start.
        """
        known = started + held_back + overloaded  # more than were due, where some started while the end was told
        if not over:
            due = known
        elif due is None:
            due = planned
        due = max(due or 0, known)
        planned = max(planned or 0, due)
        return cls(planned, started, held_back, overloaded, due - known, planned - due)

    @property
    def dropped(self) -> int:
        """Arrivals that a bound kept from starting."""
        return self.held_back + self.overloaded

    @property
    def lost(self) -> int:
        """Arrivals that were due and failed through the generator: it did not start them."""
        return self.overloaded + self.not_started

    @property
    def dropped_ratio(self) -> float | None:
        """The share of those dropped in those that were due; None = none was."""
        due = self.planned - self.not_due
        return self.dropped / due if due else None

    def without_row(self, unreported: int) -> Counter[str]:
        """Return what has no row, by reason: arrivals that did not start, and calls whose end is unknown.

        Args:
            unreported: the number of those calls.
        """
        return +Counter(overload=self.overloaded, not_started=self.not_started, unreported=unreported)

    def digest(self, of: str) -> dict[str, Any]:
        """Return them as they stand in summary.json.

        Args:
            of: what they are, as `description.arrivals_of`.
        """
        return {"of": of, **self._asdict(), "dropped": self.dropped}
