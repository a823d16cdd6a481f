"""Books calls: every attempt, its one outcome, its delays and its media, as counters and as one row for the report.

The outcome classes are those of METRICS (cut so that SER and SEER of RFC 6076 come out exactly). An attempt is booked
once, whatever retries its INVITE needed.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sipcore.events import Cause

from .call_state import State
from .messages import CallFinished
from .totals import Totals

if TYPE_CHECKING:
    from .call import Call

OUTCOMES: Final = {486: "busy", 600: "busy", 480: "unavailable", 603: "declined", 408: "timeout"}
STATE_LABELS: Final = {
    State.IDLE: "setup",
    State.CALLING: "setup",
    State.INCOMING: "setup",
    State.ANSWERING: "early",
    State.UP: "established",
    State.OVER: "terminating",
}
ENDED_BY: Final = {"local": "local", "remote": "remote", "expired": "expired", "transport": "expired"}


def outcome_of(call: "Call") -> str:
    """The one outcome of a call's INVITE."""
    if call.times.answered:
        return "answered"
    cause, status = call.cause, call.status
    if cause == Cause.CANCELLED.value:
        return "cancelled"
    if cause in (Cause.TIMEOUT.value, Cause.NO_ANSWER.value, Cause.NO_ACK.value):
        return "timeout"
    if cause == Cause.TRANSPORT.value or not status:
        return "transport_error"
    found = OUTCOMES.get(status)
    if found is not None:
        return found
    if status < 400:
        return "redirected"
    return "server_error" if 500 <= status < 600 else "refused"


class CallBook:
    """The call metrics of one process."""

    __slots__ = ("_totals",)

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def attempt(self, scenario: str, role: str) -> None:
        """A new call begins, ours or the peer's."""
        self._totals.cell("sipswarm_call_attempts_total", scenario, role).value += 1

    def dropped(self, scenario: str, reason: str) -> None:
        """A planned call could not be started."""
        self._totals.cell("sipswarm_calls_dropped_total", scenario, reason).value += 1

    def set_active(self, calls: "Iterable[Call]", registrations: int = 0) -> None:
        """The gauges of what lives: calls by state, what their users have not read, registrations."""
        counts: dict[tuple[str, str, str], int] = {}
        unread = deepest = 0
        for call in calls:
            key = (call.scenario, "uac" if call.is_uac else "uas", STATE_LABELS[call.state])
            counts[key] = counts.get(key, 0) + 1
            if call.unread:
                unread += len(call.unread)
                deepest = max(deepest, len(call.unread))
        cell = self._totals.cell
        cell("sipswarm_actors_active", "call").value = sum(counts.values())
        cell("sipswarm_actors_active", "registration").value = registrations
        cell("sipswarm_actor_mailbox_messages").value = unread
        cell("sipswarm_actor_mailbox_deepest_messages").value = deepest
        for row in self._totals.cells("sipswarm_calls_active"):
            row.value = 0
        for labels, count in counts.items():
            self._totals.cell("sipswarm_calls_active", *labels).value = count

    def unexpected(self, scenario: str, kind: str) -> None:
        """A message came that belongs to no call; kind: request or response."""
        self._totals.cell("sipswarm_sip_unexpected_messages_total", scenario, kind).value += 1

    def digit(self, direction: str, mode: str) -> None:
        """A digit went or came as a SIP message; the others are counted where the media is."""
        self._totals.cell("sipswarm_dtmf_events_total", direction, mode).value += 1

    def finished(self, call: "Call", now: float) -> CallFinished:
        """Book the end of a call; its row."""
        times, totals = call.times, self._totals
        scenario, role = call.scenario, "uac" if call.is_uac else "uas"
        outcome = outcome_of(call)
        totals.cell("sipswarm_calls_finished_total", scenario, role, outcome).value += 1
        post_dial = times.alerted - times.invited if times.alerted and call.is_uac else -1.0
        answer = times.answered - times.invited if times.answered and times.invited else -1.0
        disconnect = times.bye_answered - times.bye_sent if times.bye_answered else -1.0
        duration = (times.ended or now) - times.answered if times.answered else 0.0
        ended_by = ENDED_BY.get(call.by, "local") if times.answered else ""
        if call.is_uac:
            first = times.first_response - times.invited if times.first_response else -1.0
            self._observe_uac(scenario, outcome, first, post_dial, answer)
        if times.answered:
            if ended_by != "local" or times.bye_answered:  # a BYE of ours that nobody answers is no clean end
                totals.cell("sipswarm_calls_completed_total", scenario, role, ended_by).value += 1
            totals.distribution("sipswarm_call_duration_seconds", scenario, role).add(duration)
        if times.bye_status and times.bye_sent:
            result = "success" if 200 <= times.bye_status < 300 else "failure"
            ended = times.bye_done - times.bye_sent
            totals.distribution("sipswarm_disconnect_delay_seconds", scenario, result).add(ended)
        if call.failure:
            totals.cell("sipswarm_call_failures_total", scenario, role, call.failure).value += 1
        row = self._row(call, outcome, post_dial, answer, disconnect, duration, ended_by)
        self._observe_media(call, row)
        return row

    def _observe_media(self, call: "Call", row: CallFinished) -> None:
        figures = call.statistics
        if figures is not None and figures.one_way and row.outcome == "answered":
            side = "local" if figures.one_way == "local" else "remote"
            self._totals.cell("sipswarm_calls_one_way_media_total", call.scenario, side).value += 1
        swapped = min(row.digits_missed, row.digits_wrong)
        for kind, count in (
            ("wrong_digit", swapped),
            ("missed", row.digits_missed - swapped),
            ("spurious", row.digits_wrong - swapped),
        ):
            if count:
                self._totals.cell("sipswarm_dtmf_errors_total", call.digit_mode, kind).value += count

    def _observe_uac(self, scenario: str, outcome: str, first: float, post_dial: float, answer: float) -> None:
        totals = self._totals
        if first >= 0:
            name = "sipswarm_first_response_seconds"
            totals.distribution(name, scenario).add(first)
        if post_dial >= 0:
            name = "sipswarm_post_dial_delay_seconds"
            result = "success" if outcome == "answered" else "failure"
            totals.distribution(name, scenario, result).add(post_dial)
        if answer >= 0:
            totals.distribution("sipswarm_answer_delay_seconds", scenario).add(answer)

    def _row(
        self,
        call: "Call",
        outcome: str,
        post_dial: float,
        answer: float,
        disconnect: float,
        duration: float,
        ended_by: str,
    ) -> CallFinished:
        statistics, times = call.statistics, call.times
        missed, wrong = call.digits_missed_and_wrong()
        return CallFinished(
            call_id=call.call_id,
            scenario=call.scenario,
            role="uac" if call.is_uac else "uas",
            started=times.invited,
            lateness=max(0.0, times.invited - call.planned) if call.planned is not None and times.invited else 0.0,
            outcome=outcome,
            code=call.status,
            post_dial_delay=post_dial,
            answer_delay=answer,
            disconnect_delay=disconnect,
            duration=duration,
            ended_by=ended_by,
            rtp_sent=statistics.packets_sent if statistics else 0,
            rtp_received=statistics.packets_received if statistics else 0,
            rtp_lost=statistics.packets_lost if statistics else 0,
            jitter=statistics.jitter_ms / 1000 if statistics and statistics.packets_received else -1.0,
            mos=statistics.mos if statistics and statistics.packets_received and statistics.mos else -1.0,
            digits_sent=len(call.digits_sent),
            digits_received=len(call.digits_received),
            digits_missed=missed,
            digits_wrong=wrong,
            failure=call.failure,
        )
