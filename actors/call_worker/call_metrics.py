"""Counts calls: every attempt, its one outcome, its delays and its media, as counters and as one row for the report.

The outcomes are cut so that SER and SEER of RFC 6076 are exact. Order at the end of a call: count its outcome, make the
row, judge it, then count delays, failure and media. An attempt must be counted once, whatever retries its INVITE
needed.
"""

import logging
from collections.abc import Iterable
from typing import Final, NamedTuple

from sipswarm.media.messages import StreamStatistics
from sipswarm.media.totals import DUPLICATE
from sipswarm.sipcore.session.events import Cause

from ..bus.messages import PHRASE_LENGTH, CallFinished
from ..bus.row_metrics import RowMetrics
from ..bus.standstills import Standstills
from ..call.state import TRANSPORT_FAILED, CallTimes, State
from ..counting.totals import Totals
from ..diagnosis.failure_reasons import Blame, blame_of, is_completed, reason_of
from ..diagnosis.foreign_text import cut, shown
from ..diagnosis.request_loss import Loss
from ..handle.call import Call
from ..handle.call_reading import measured
from ..handle.digits import missed_and_wrong
from .call_slices import CallSlices
from .media_failures import MediaFailures

_logger = logging.getLogger(__name__)
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
_TIMEOUTS: Final = frozenset(each.value for each in (Cause.TIMEOUT, Cause.NO_ANSWER, Cause.NO_ACK))
T1: Final = 0.5
"""Seconds until an INVITE is sent again (RFC 3261 section 17.1.1.2)."""
_OWN_LOSSES: Final = frozenset((Loss.LOCAL.value, Loss.TOO_LONG.value, Loss.NO_WAY.value))
_LOSSES: Final = frozenset(each.value for each in Loss)


def outcome_of(call: Call) -> str:
    """Return the one outcome of a call's INVITE."""
    times, cause, status = call.times, call.cause_name, call.status
    if times.answered:
        return "answered"
    if not times.invited and cause != Cause.CANCELLED.value:
        return "not_sent"
    if cause in _OWN_LOSSES and not times.first_response and 0 <= times.between(times.invited, times.ended) < T1:
        return "not_sent"  # the first copy of the INVITE could not leave: it is never sent again within T1
    if cause == Cause.CANCELLED.value:
        return "cancelled"
    if cause in _TIMEOUTS:
        return "timeout"
    if cause in _LOSSES or not status:
        return "transport_error" if cause in _LOSSES else "cancelled"  # this side gave up before any final response
    if reason_of(cause):
        return "cancelled" if call.is_uac else "server_error"
    found = OUTCOMES.get(status)
    if found is not None:
        return found
    if status < 400:
        return "redirected"
    return "server_error" if 500 <= status < 600 else "refused"


def closed_of(times: CallTimes) -> str:
    """Return how the end of an answered call was confirmed, as in `CallFinished.closed` (RFC 3261 section 15.1)."""
    if not times.answered:
        return ""
    if times.peer_bye or 200 <= times.bye_status < 300:
        return "confirmed"
    if times.bye_answered:
        return "refused"
    return "lost" if not times.bye_sent or times.bye_status == TRANSPORT_FAILED else "unanswered"


class MediaSum(NamedTuple):
    """The media of a call over all its streams, as in `CallFinished`."""

    rtp_sent: int
    rtp_received: int
    rtp_lost: int
    media_due: float
    media_present: float
    media_gap: float
    rtp_due: int
    rtp_missed: int
    rtp_discards: tuple[int, ...]
    media_held: float
    media_removed: float
    remote_loss: float
    unreachable_share: float
    rtp_refused: int = 0


def media_of(streams: Iterable[StreamStatistics]) -> MediaSum:
    """Return the sums over the closed streams of a call."""
    figures = tuple(streams)
    due = sum(each.media_due for each in figures)
    return MediaSum(
        sum(each.packets_sent for each in figures),
        sum(each.packets_received for each in figures),
        sum(each.packets_lost for each in figures),
        due if due > 0 else -1.0,
        sum(each.media_present for each in figures) if due > 0 else -1.0,
        max(each.media_gap for each in figures) if due > 0 else -1.0,
        sum(each.packets_due for each in figures),
        sum(each.packets_missed for each in figures),
        _discards_of(figures),
        sum(each.media_held for each in figures),
        sum(each.media_removed for each in figures),
        max((each.remote_loss_ratio for each in figures), default=-1.0),
        max((each.packets_unreachable / each.packets_sent for each in figures if each.packets_sent), default=-1.0),
        sum(each.send_errors for each in figures),
    )


def _discards_of(figures: tuple[StreamStatistics, ...]) -> tuple[int, ...]:
    """Return the discarded packets of all streams by reason; copies count as received packets and are left out here."""
    if not any(each.packets_discarded for each in figures):
        return ()
    sums = [sum(column) for column in zip(*(each.discards for each in figures if each.packets_discarded), strict=True)]
    sums[DUPLICATE] = 0
    return tuple(sums)


class CallMetrics(RowMetrics):
    """The call metrics of one process.

    Args:
        slices: count the calls that this process places while they live.
        standstills: of this process and of its network; None = nothing tells them.
    """

    __slots__ = ("_unread_dropped", "media", "slices", "standstills")

    def __init__(
        self, totals: Totals, slices: CallSlices | None = None, standstills: Standstills | None = None
    ) -> None:
        super().__init__(totals)
        self.media = MediaFailures(totals)
        """Counts refusals of the media workers."""
        self.slices = slices or CallSlices(None)
        self.standstills = standstills or Standstills()
        """Of this process, and of those that its calls need."""
        self._unread_dropped = totals.cell("sipswarm_queue_dropped_total", "call_events")

    def attempt(self, scenario: str, role: str, now: float) -> None:
        """Count the begin of a call.

        Args:
            role: uac or uas.
        """
        if role == "uac":
            self.slices.began(now)
        self._totals.cell("sipswarm_call_attempts_total", scenario, role).value += 1

    def answered(self, call: Call) -> None:
        """Count the answer to an outgoing call; its other metrics are counted at its end."""
        self._settled(call, call.times.answered)

    def _settled(self, call: Call, now: float) -> None:
        """Count once what the time of its INVITE shows."""
        times, planned = call.times, call.planned
        if self.slices.settled(times, planned, now) and planned is not None:
            self.started_late(call.scenario, planned.lateness(times))

    def started_late(self, scenario: str, seconds: float) -> None:
        """Count the lateness of an arrival of a load, also when it was in time.

        Args:
            seconds: from its planned start until its INVITE left; of a run that placed no call, until that began.
        """
        self._totals.distribution("sipswarm_schedule_lateness_seconds", scenario).add(seconds)

    def dropped(self, scenario: str, reason: str) -> None:
        """Count a planned call that could not be started."""
        self._totals.cell("sipswarm_calls_dropped_total", scenario, reason).value += 1

    def set_active(self, calls: Iterable[Call], registrations: int = 0) -> None:
        """Set the gauges: live calls by state, digits that their users have not read, registrations."""
        counts: dict[tuple[str, str, str], int] = {}
        unread = deepest = 0
        for call in calls:
            key = (call.scenario, "uac" if call.is_uac else "uas", STATE_LABELS[call.state])
            counts[key] = counts.get(key, 0) + 1
            if call.keypad.unread:
                unread += len(call.keypad.unread)
                deepest = max(deepest, len(call.keypad.unread))
        cell = self._totals.cell
        cell("sipswarm_actors_active", "call").value = sum(counts.values())
        cell("sipswarm_actors_active", "registration").value = registrations
        cell("sipswarm_actor_mailbox_messages").value = unread
        cell("sipswarm_actor_mailbox_deepest_messages").value = deepest
        for row in self._totals.cells("sipswarm_calls_active"):
            row.value = 0
        for labels, count in counts.items():
            self._totals.cell("sipswarm_calls_active", *labels).value = count

    def set_received(self, scenario: str, setup: int, established: int) -> None:
        """Set the gauges of received calls that have no handle; called after `set_active`.

        Args:
            setup: calls without a 2xx to their first request.
            established: all others.
        """
        cell = self._totals.cell
        cell("sipswarm_calls_active", scenario, "uas", "setup").value = setup
        cell("sipswarm_calls_active", scenario, "uas", "established").value = established

    def unexpected(self, scenario: str, kind: str) -> None:
        """Count a message that belongs to no call.

        Args:
            kind: request or response.
        """
        self._totals.cell("sipswarm_sip_unexpected_messages_total", scenario, kind).value += 1

    def moved(self, call: Call, seconds: float) -> None:
        """Count a move of media to another media worker.

        Args:
            seconds: of the gap.
        """
        self._totals.cell("sipswarm_calls_moved_media_total", call.scenario).value += 1
        _logger.info("call %s: its media moved to another media worker in %.2f s", shown(call.call_id), seconds)

    def digit(self, direction: str, mode: str) -> None:
        """Count a digit that was sent or received as a SIP message; the media worker counts the others."""
        self._totals.cell("sipswarm_dtmf_events_total", direction, mode).value += 1

    def digit_dropped(self) -> None:
        """Count a digit that was dropped for a newer one, because the call's user reads none."""
        self._unread_dropped.value += 1

    def finished(self, call: Call, now: float) -> CallFinished:
        """Count the end of a call; return its row with the judgement of the code that placed it."""
        times, totals = call.times, self._totals
        scenario, role = call.scenario, "uac" if call.is_uac else "uas"
        outcome = outcome_of(call)
        totals.cell("sipswarm_calls_finished_total", scenario, role, outcome).value += 1
        row = self._row(call, outcome, now)
        row = row._replace(failure=cut(str(call.judged(row, _own_fault))))
        if call.is_uac:
            self._settled(call, now)
            self._observe_uac(row, times.between(times.invited, times.first_response))
        if times.answered:
            if is_completed(row.closed, row.cause, row.failure):
                totals.cell("sipswarm_calls_completed_total", scenario, role, row.ended_by).value += 1
            totals.distribution("sipswarm_call_duration_seconds", scenario, role).add(row.duration)
        if times.bye_done:
            result = "success" if 200 <= times.bye_status < 300 else "failure"
            ended = times.between(times.bye_sent, times.bye_done)
            totals.distribution("sipswarm_disconnect_delay_seconds", scenario, result).add(max(0.0, ended))
        self.failed(row)
        self._observe_media(call, row)
        return row

    def _observe_media(self, call: Call, row: CallFinished) -> None:
        figures = measured(call.actor.media)
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
                self._totals.cell("sipswarm_dtmf_errors_total", call.keypad.mode, kind).value += count

    def _observe_uac(self, row: CallFinished, first: float) -> None:
        totals, scenario = self._totals, row.scenario
        if first >= 0:
            totals.distribution("sipswarm_first_response_seconds", scenario).add(first)
        if row.post_dial_delay >= 0:
            result = "success" if row.outcome == "answered" else "failure"
            totals.distribution("sipswarm_post_dial_delay_seconds", scenario, result).add(row.post_dial_delay)
        if row.answer_delay >= 0:
            totals.distribution("sipswarm_answer_delay_seconds", scenario).add(row.answer_delay)

    def _row(self, call: Call, outcome: str, now: float) -> CallFinished:
        statistics, times, planned = measured(call.actor.media), call.times, call.planned
        missed, wrong = missed_and_wrong(call.expected_digits, call.digits_received)
        ended = times.ended or now
        return CallFinished(
            call_id=call.call_id,
            scenario=call.scenario,
            role="uac" if call.is_uac else "uas",
            started=times.begun,
            ended=ended,
            lateness=-1.0 if planned is None else planned.lateness(times),
            outcome=outcome,
            code=call.status,
            phrase=call.actor.answer_phrase[:PHRASE_LENGTH],
            cause=_cause_of(call),
            closed=closed_of(times),
            post_dial_delay=times.between(times.invited, times.alerted) if call.is_uac else -1.0,
            answer_delay=times.between(times.invited, times.answered),
            disconnect_delay=times.between(times.bye_sent, times.bye_answered),
            duration=max(0.0, times.between(times.answered, ended)),
            ended_by=ENDED_BY.get(call.by, "local") if times.answered else "",
            jitter=statistics.jitter_ms / 1000 if statistics and statistics.packets_received else -1.0,
            mos=statistics.mos if statistics and statistics.mos else -1.0,
            audible=statistics.audible_ratio if statistics else -1.0,
            digits_sent=len(call.digits_sent),
            digits_received=len(call.digits_received),
            digits_missed=missed,
            digits_wrong=wrong,
            failure=cut(str(call.failure)),
            detail=call.actor.ending.detail or ("adopted" if call.adopted else ""),
            media_moved=call.actor.move.seconds_until(ended),
            media_lost=call.actor.move.is_lost,
            planned=-1.0 if planned is None else planned.at,
            data_line=0 if planned is None else planned.line,
            **media_of(call.all_statistics)._asdict(),
            **self.standstills.columns(times.begun, now, _media_workers(call), (_local_host(call),)),
        )


def _media_workers(call: Call) -> set[int]:
    """Return the media workers that have the streams of a call, or would have had them."""
    media = call.actor.media
    return {media.demand.worker, *(line.worker for line in media.lines)}


def _local_host(call: Call) -> str:
    """Return the address of this host that the messages and media of a call leave from."""
    return call.actor.session.config.leaves_from.host.partition("%")[0]


def _own_fault(row: CallFinished) -> str:
    """Return the failure of a call that no code judges: only a failure of this side."""
    reason = reason_of(row.cause, answered=row.outcome == "answered")
    return reason if reason and blame_of(reason) is Blame.GENERATOR else ""


def _cause_of(call: Call) -> str:
    """Return why a call ended, by name; of a challenge that stood, what was amiss with the credentials."""
    cause = call.cause_name
    return (call.actor.ending.challenge or cause) if cause == Cause.UNAUTHORIZED.value else cause
