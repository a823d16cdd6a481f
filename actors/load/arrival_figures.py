"""The arrivals of a run's plan: how many were planned, started, dropped or not due any more; rows of the lost. Pure.

An arrival is a call or request of a plain load, or a run of a scenario, which places no call, one or several. So
arrivals and calls are two figures: one must never be subtracted from the other, nor be a share of it. Each planned
arrival is in exactly one of the other figures. One whose worker died, or that no worker has started, has a row too.
"""

from collections import Counter
from typing import Any, Final, NamedTuple

from ..bus.messages import CallFinished
from ..host.roll import OpenCall
from .expectations import NO_CALL

WORKER_LOST: Final = "worker_lost"
"""The failure of calls whose worker died, and the cause of their end."""


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


def row_of_lost(call: OpenCall, scenario: str, at: float, *, runs: bool) -> CallFinished:
    """Return the row of a call whose worker died, of a run that had placed no call, or of an arrival that never began.

    Args:
        call: from the roll of its slot.
        scenario: label of the calls.
        at: monotonic time of the worker's end.
        runs: arrivals are runs of a scenario.
    """
    if not call.has_begun:
        return row_of_missed(scenario, call.planned, runs=runs)
    outcome = "answered" if call.answered else "cancelled" if call.call_id else NO_CALL
    return row_without_media(
        scenario, outcome, call.started, max(at, call.started), call.lateness, call.planned
    )._replace(
        call_id=call.call_id,
        code=200 if call.answered else 0,
        closed="lost" if call.answered else "",
        answer_delay=max(0.0, call.answered - call.started) if call.answered else -1.0,
        duration=max(0.0, at - call.answered) if call.answered else 0.0,
        ended_by="local" if call.answered else "",
    )


def row_of_missed(scenario: str, planned: float, *, runs: bool) -> CallFinished:
    """Return the row of an arrival that no worker has started.

    Args:
        scenario: label of the calls.
        planned: monotonic time at which it was due.
        runs: arrivals are runs of a scenario.
    """
    return row_without_media(scenario, NO_CALL if runs else "not_sent", planned, planned, -1.0, planned)


def row_without_media(
    scenario: str, outcome: str, started: float, ended: float, lateness: float, planned: float, cause: str = WORKER_LOST
) -> CallFinished:
    """Return the row of an arrival without media, delays and status, which the caller may put in.

    Args:
        started, ended, planned: monotonic times.
        lateness: seconds; -1.0 = it was never started.
        cause: of the end, and the failure.
    """
    return CallFinished(
        call_id="",
        scenario=scenario,
        role="uac",
        started=started,
        ended=ended,
        lateness=lateness,
        outcome=outcome,
        code=0,
        phrase="",
        cause=cause,
        closed="",
        post_dial_delay=-1.0,
        answer_delay=-1.0,
        disconnect_delay=-1.0,
        duration=0.0,
        ended_by="",
        rtp_sent=0,
        rtp_received=0,
        rtp_lost=0,
        jitter=-1.0,
        mos=-1.0,
        audible=-1.0,
        digits_sent=0,
        digits_received=0,
        digits_missed=0,
        digits_wrong=0,
        failure=cause,
        planned=planned,
    )
