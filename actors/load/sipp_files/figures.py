"""The figures of a run of a scenario file as the columns of a row have them."""

from typing import Any, Final

from sipswarm.media.messages import StreamStatistics

from ...bus.messages import CallFinished
from ...call.state import CallTimes
from ...call_worker.call_metrics import media_of
from ...diagnosis.foreign_text import cut
from ...diagnosis.request_loss import Loss
from ...sipp.call.statistics import EndedBy, Failure, Figures
from ..arrival_figures import row_without_media
from ..expectations import NO_CALL
from ..requests.ends import Result, outcome_of

OUTCOMES: Final = {
    Failure.RECV_TIMEOUT: "timeout",
    Failure.MAX_RETRANS: "timeout",
    Failure.TRANSPORT: "transport_error",
    Failure.UNREACHABLE: "transport_error",
    Failure.CANNOT_SEND: "not_sent",
    Failure.TOO_LONG: "not_sent",
    Failure.FORBIDDEN: "not_sent",
}
"""The outcome of a run whose first request got no final response, by its failure."""
REASONS: Final = {Failure.TRANSPORT: "transport_error", Failure.CANNOT_SEND: "no_transport"}
"""Failures that have another name in rows."""


def note_times(times: CallTimes, figures: Figures, now: float) -> None:
    """Note the times of a run whose first request was sent.

    Args:
        times: of its row.
        now: monotonic seconds.
    """
    if figures.first_at:
        times.sent_invite(figures.first_at)
    if figures.provisional_at:
        times.responded(180, figures.provisional_at)
    if figures.answered_at:
        times.responded(figures.code, figures.answered_at)
        if figures.code < 300:
            times.accepted(figures.answered_at)
    if figures.bye_at and figures.ended_by is EndedBy.LOCAL:
        times.sent_bye(figures.bye_at)
        if figures.bye_answered_at:
            times.bye_over(200, figures.bye_answered_at, answered=True)
    elif figures.bye_at:
        times.got_bye(figures.bye_at)
    times.over(figures.bye_at or figures.ended_at or now)


def result_of(figures: Figures, *, cause: str) -> Result:
    """Return what became of the first request of a run.

    Args:
        cause: why the run was ended from outside; empty = it was not.
    """
    if figures.code:
        return Result(outcome_of(figures.code), figures.code, cause=cause)
    if cause:
        return Result("cancelled", cause=cause)
    if figures.failure is None:
        return Result(NO_CALL)
    unreachable = Loss.UNREACHABLE.value if figures.failure is Failure.UNREACHABLE else ""
    return Result(OUTCOMES.get(figures.failure, "cancelled"), cause=unreachable)


def reason_of(failure: Failure | None) -> str:
    """Return the name of a failure in rows; empty = there is none."""
    return "" if failure is None else REASONS.get(failure, failure.value)


def closed_of(figures: Figures) -> str:
    """Return how the end of an answered run was confirmed, as `CallFinished.closed`; empty = it was not."""
    return "confirmed" if figures.bye_answered_at or figures.ended_by is EndedBy.REMOTE else ""


def row_of_received(
    figures: Figures, label: str, call_id: str, *, cause: str, failure: str, began: float, now: float
) -> CallFinished:
    """Return the row of a run whose first message was received.

    The final response is the one that the file has sent to the first request.

    Args:
        label: of its calls.
        cause: as for `result_of`.
        failure: by its name in rows; empty = it has none.
        began, now: its begin and its end, in monotonic seconds.
    """
    result = result_of(figures, cause=cause)
    is_answered = result.outcome == "answered"
    started, answered = figures.started_at or began, figures.answered_at
    ended = figures.bye_at or figures.ended_at or now
    row = row_without_media(label, result.outcome, started, ended, -1.0, -1.0, cause)
    sent, confirmed = figures.bye_at, figures.bye_answered_at
    return row._replace(
        call_id=call_id,
        role="uas",
        code=result.code,
        answer_delay=max(0.0, answered - started) if is_answered and answered is not None else -1.0,
        disconnect_delay=confirmed - sent if sent is not None and confirmed is not None else -1.0,
        duration=max(0.0, ended - answered) if is_answered and answered is not None else 0.0,
        closed=closed_of(figures) if is_answered else "",
        ended_by=(figures.ended_by.value or EndedBy.LOCAL.value) if is_answered else "",
        failure=failure,
        detail=cut(figures.detail),
    )


def media_columns(figures: StreamStatistics | None) -> dict[str, Any]:
    """Return the columns of media of a row; none for a run without media."""
    if figures is None:
        return {}
    return {
        **media_of((figures,))._asdict(),
        "jitter": figures.jitter_ms / 1000 if figures.packets_received else -1.0,
        "mos": figures.mos or -1.0,
        "audible": figures.audible_ratio,
        "digits_sent": figures.digits_sent,
        "digits_received": figures.digits_received,
    }
