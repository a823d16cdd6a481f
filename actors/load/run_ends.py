"""The rows of what has no ordinary end: runs of a scenario, calls whose worker died, arrivals that no worker started.

The rows of a run are judged and reported when it and all its calls are over.
"""

from collections.abc import Callable
from typing import Any, Final

from ..bus.messages import CallFinished
from ..call_worker.call_metrics import CallMetrics
from ..config import LoadConfig
from ..diagnosis.failure_reasons import OF_CHALLENGES
from ..host.roll import OpenCall
from ..runtime.actor_loop import ActorLoop
from ..trace.recorder import SipTrace
from .expectations import NO_CALL, missed
from .scenario_run import Run

WORKER_LOST: Final = "worker_lost"
"""The failure of calls whose worker died, and the cause of their end."""


class RunEnds:
    """Judges and reports the calls of the runs of one worker.

    Args:
        tell: takes records for the supervisor, None in embedded mode.
        trace: returns the recorder of SIP, None where there is none.
    """

    def __init__(
        self,
        config: LoadConfig,
        metrics: CallMetrics,
        actor_loop: ActorLoop,
        *,
        tell: Callable[[Any], None] | None,
        trace: Callable[[], SipTrace | None],
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._actor_loop = actor_loop
        self._tell = tell
        self._trace = trace

    def take(self, run: Run, scenario: str) -> None:
        """Report a run that is over.

        One that was held back and placed no call has no row.

        Args:
            run: the run.
            scenario: its label.
        """
        rows = run.rows or ([] if run.held_back else [self._row_without_call(run, scenario)])
        if not rows:
            run.enrolled.withdraw()
        if rows and run.failure and not rows[0].failure:
            rows[0] = rows[0]._replace(failure=_named(run.failure, rows))
        if self._tell is not None:
            for each in rows:
                row = each._replace(failure=missed(each, self._config))
                self._metrics.failed(row)
                self._tell_ladder(run, row, self._tell)
                self._tell(row)

    def _tell_ladder(self, run: Run, row: CallFinished, tell: Callable[[Any], None]) -> None:
        """Report the messages of a call of a failed run."""
        trace = self._trace()
        if trace is not None and row.failure:
            for call in run.calls:
                if call.call_id == row.call_id:
                    trace.tell(tell, row.call_id, call.sip_record)

    def _row_without_call(self, run: Run, scenario: str) -> CallFinished:
        """Return a row with an outcome of its own for a run that placed no call, as one that registers."""
        enrolled = run.enrolled
        self._metrics.started_late(scenario, enrolled.lateness)
        row = row_without_media(
            scenario, NO_CALL, enrolled.begun, self._actor_loop.now(), enrolled.lateness, enrolled.planned, cause=""
        )
        return row._replace(failure=run.failure, place=enrolled.over(), data_line=run.row.line)


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


def _named(failure: str, rows: list[CallFinished]) -> str:
    """Return the failure of a run; of a refusal by a challenge that stood, what was amiss with the credentials."""
    cause = rows[-1].cause
    return cause if failure == "code" and cause in OF_CHALLENGES else failure
