"""The rows of runs of a scenario: judged and reported when a run and all its calls are over."""

from collections.abc import Callable
from typing import Any

from ..bus.messages import CallFinished
from ..call_worker.call_metrics import CallMetrics
from ..config import LoadConfig
from ..diagnosis.failure_reasons import OF_CHALLENGES
from ..runtime.actor_loop import ActorLoop
from ..trace.recorder import SipTrace
from .arrival_figures import row_without_media
from .expectations import NO_CALL, missed
from .scenario_run import Run


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


def _named(failure: str, rows: list[CallFinished]) -> str:
    """Return the failure of a run; of a refusal by a challenge that stood, what was amiss with the credentials."""
    cause = rows[-1].cause
    return cause if failure == "code" and cause in OF_CHALLENGES else failure
