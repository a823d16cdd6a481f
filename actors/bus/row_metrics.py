"""Counts calls by their rows: their end, their failure and its blame.

A worker counts the calls that it has; of a call whose worker died there is nothing but its row, which its supervisor
counts.
"""

from ..counting.labels import FAILURES, OTHER
from ..counting.labels import OUTCOMES as OUTCOME_LABELS
from ..counting.totals import Totals
from ..diagnosis.failure_reasons import blame_of, is_completed
from .messages import CallFinished


class RowMetrics:
    """The metrics that a row is enough for.

    Args:
        totals: where they are counted.
    """

    __slots__ = ("_totals",)

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def lost(self, row: CallFinished, *, attempted: bool) -> None:
        """Count a call of which no worker has anything but a row.

        Args:
            row: its row, judged.
            attempted: no attempt of it was counted.
        """
        if attempted:
            self._totals.cell("sipswarm_call_attempts_total", row.scenario, row.role).value += 1
        if row.outcome in OUTCOME_LABELS:
            self._totals.cell("sipswarm_calls_finished_total", row.scenario, row.role, row.outcome).value += 1
        self.failed(row)

    def ended(self, row: CallFinished) -> None:
        """Count the end of a call of which there is nothing but its row, judged; its attempt was counted."""
        totals, scenario, role = self._totals, row.scenario, row.role
        if row.outcome in OUTCOME_LABELS:
            totals.cell("sipswarm_calls_finished_total", scenario, role, row.outcome).value += 1
        if row.outcome == "answered":
            if is_completed(row.closed, row.cause, row.failure):
                totals.cell("sipswarm_calls_completed_total", scenario, role, row.ended_by).value += 1
            totals.distribution("sipswarm_call_duration_seconds", scenario, role).add(row.duration)
        if row.disconnect_delay >= 0:
            totals.distribution("sipswarm_disconnect_delay_seconds", scenario, "success").add(row.disconnect_delay)
        self.failed(row)

    def failed(self, row: CallFinished) -> None:
        """Count the failure in a row, by reason and by blame; a row without one counts nothing."""
        if row.failure:
            totals = self._totals
            reason = row.failure if row.failure in FAILURES else OTHER  # an assertion's text may differ by call
            totals.cell("sipswarm_call_failures_total", row.scenario, row.role, reason).value += 1
            totals.cell("sipswarm_calls_failed_total", row.scenario, row.role, blame_of(row.failure).value).value += 1
