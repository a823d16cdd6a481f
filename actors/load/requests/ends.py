"""The begin, the answer and the end of arrivals that are no calls: counted, judged and reported as those of calls are.

The columns of a row mean the same as for a call, with the final response of the request in the place of that of the
INVITE. Post-dial delay is the time to the final response of any status, answer delay that to a 2xx (RFC 6076 section
4.1 for REGISTER). Duration and disconnect delay exist for what lasts: registrations and subscriptions.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sipswarm.sipcore.auth.digest import CredentialsLookup
from sipswarm.sipcore.message.messages import Response

from ...bus.messages import PHRASE_LENGTH, CallFinished
from ...call.state import CallTimes, Planned
from ...call_worker.call_metrics import OUTCOMES, CallMetrics
from ...config import LoadConfig
from ...diagnosis.challenges import cause_of_challenge
from ...diagnosis.foreign_text import cut
from ...diagnosis.request_loss import Loss
from ...host.roll import Roll
from ...trace.recorder import CallRecord, SipTrace
from ..arrival_figures import row_without_media
from ..expectations import missed

_OWN_LOSSES: Final = (Loss.LOCAL, Loss.TOO_LONG, Loss.NO_WAY)
NO_MEDIA: Final[Mapping[str, Any]] = {}
"""The columns of an arrival without media."""


class Shown:
    """Credentials that remember whether they answered a challenge.

    Args:
        lookup: finds user and password for realm and host; None = there are none.
    """

    __slots__ = ("_lookup", "given")

    def __init__(self, lookup: CredentialsLookup | None) -> None:
        self._lookup = lookup
        self.given = False
        """User and password were found for a challenge."""

    def __call__(self, realm: str, host: str) -> tuple[str, str] | None:
        """Return user and password for a challenge; None = there are none for it."""
        found = self._lookup(realm, host) if self._lookup is not None else None
        self.given = self.given or found is not None
        return found


class Result:
    """What became of the request of an arrival."""

    __slots__ = ("cause", "code", "outcome", "phrase")

    def __init__(self, outcome: str, code: int = 0, phrase: str = "", cause: str = "") -> None:
        self.outcome = outcome
        """As in `CallFinished`, like the others."""
        self.code = code
        self.phrase = phrase
        self.cause = cause

    @classmethod
    def of(cls, response: Response, credentials: Shown) -> "Result":
        """Return the result by a final response."""
        cause = cause_of_challenge(response, were_sent=credentials.given)
        return cls(outcome_of(response.status), response.status, response.reason[:PHRASE_LENGTH], cause)

    @classmethod
    def without_response(cls, status: int, loss: Loss | None) -> "Result":
        """Return the result of a request without a final response.

        Args:
            status: 408 for silence, else it could not be sent.
            loss: why it could not; None = not known.
        """
        if status == 408:
            return cls("timeout", cause="timeout")
        cause = Loss.LOST if loss is None else loss
        return cls("not_sent" if cause in _OWN_LOSSES else "transport_error", cause=cause.value)

    @classmethod
    def given_up(cls, *, drained: bool) -> "Result":
        """Return the result of a request whose end was not waited for.

        Args:
            drained: the run ended; else a failure of the program has ended it.
        """
        return cls("cancelled", cause="drained" if drained else "internal_error")

    def drained(self) -> "Result":
        """Return the same for an arrival that the end of the run has ended."""
        return Result(self.outcome, self.code, self.phrase, "drained")


def outcome_of(status: int) -> str:
    """Return the outcome by a final status, as for a call."""
    if status < 300:
        return "answered"
    found = OUTCOMES.get(status)
    if found is not None:
        return found
    if status < 400:
        return "redirected"
    return "server_error" if 500 <= status < 600 else "refused"


class Begun:
    """An arrival whose request has left, and that is not over."""

    __slots__ = ("call_id", "planned", "record", "times")

    def __init__(self, call_id: str, planned: Planned, now: float, record: CallRecord | None) -> None:
        self.call_id = call_id
        self.planned = planned
        self.times = CallTimes()
        self.times.began(now)
        self.times.sent_invite(now)
        self.record = record


class RequestEnds:
    """Takes the arrivals of one worker that are no calls.

    Args:
        scenario: label of the arrivals.
        tell: takes records for the supervisor, None in embedded mode.
        trace: returns the recorder of SIP, None where there is none.
    """

    def __init__(
        self,
        config: LoadConfig,
        scenario: str,
        metrics: CallMetrics,
        roll: Roll,
        now: Callable[[], float],
        *,
        tell: Callable[[Any], None] | None,
        trace: Callable[[], SipTrace | None],
    ) -> None:
        self._config = config
        self._scenario = scenario
        self._metrics = metrics
        self._roll = roll
        self._now = now
        self._tell = tell
        self._trace = trace

    def began(self, call_id: str, planned: float, index: int, line: int = 0) -> Begun:
        """Note that the request of an arrival leaves with the next flush.

        Args:
            planned: monotonic time at which it was due.
            index: of the arrival.
            line: of its row in the file of `--data`; 0 = it has none.
        """
        now, trace = self._now(), self._trace()
        self._metrics.slices.began(now)
        self._roll.enter(call_id, now, max(0.0, now - planned), planned, index)
        record = trace.begin(call_id) if trace is not None else None
        return Begun(call_id, Planned(planned, line=line), now, record)

    def answered(self, begun: Begun) -> None:
        """Note the 2xx to the request of an arrival that lasts."""
        now = self._now()
        begun.times.responded(200, now)
        begun.times.accepted(now)
        self._settle(begun, now)
        self._roll.answered(begun.call_id, now)

    def goes_on(self, begun: Begun) -> None:
        """Note that all is well with an arrival that lasts: of its messages only later ones are kept for a ladder."""
        trace = self._trace()
        if trace is not None:
            trace.end(begun.call_id)
            begun.record = trace.begin(begun.call_id)

    def over(
        self,
        begun: Begun,
        result: Result,
        *,
        closed: str = "",
        by: str = "local",
        failure: str = "",
        media: Mapping[str, Any] = NO_MEDIA,
        detail: str = "",
    ) -> None:
        """Judge and report an arrival.

        Args:
            closed, by: as `closed` and `ended_by` in `CallFinished`, of an arrival that was answered.
            failure: what it missed by itself; empty = nothing.
            media: columns of `CallFinished` for its media.
            detail: what the failure does not say, for a person.
        """
        now, times = self._now(), begun.times
        if result.code and not times.first_response:
            times.responded(result.code, now)
        is_answered = result.outcome == "answered"
        if is_answered and not times.answered:
            times.accepted(now)
        if not times.ended:
            times.over(now)
        self._settle(begun, now)
        row = self._row(begun, result)._replace(
            closed=closed if is_answered else "",
            ended_by=by if is_answered else "",
            failure=failure,
            detail=cut(detail),
            **media,
            **self._metrics.standstills.columns(times.begun, now),
        )
        row = row._replace(failure=missed(row, self._config))
        self._metrics.failed(row)
        trace = self._trace()
        if trace is not None:
            trace.over(row, begun.record, self._tell)
        if self._tell is not None:
            self._tell(row)

    def _settle(self, begun: Begun, now: float) -> None:
        """Count once what the time of its request shows."""
        if self._metrics.slices.settled(begun.times, begun.planned, now):
            self._metrics.started_late(self._scenario, begun.planned.lateness(begun.times))

    def _row(self, begun: Begun, result: Result) -> CallFinished:
        times = begun.times
        row = row_without_media(
            self._scenario,
            result.outcome,
            times.begun,
            times.ended,
            begun.planned.lateness(times),
            begun.planned.at,
            result.cause,
        )
        return row._replace(
            call_id=begun.call_id,
            data_line=begun.planned.line,
            code=result.code,
            phrase=result.phrase,
            post_dial_delay=times.between(times.invited, times.alerted),
            answer_delay=times.between(times.invited, times.answered),
            disconnect_delay=times.between(times.bye_sent, times.bye_answered),
            duration=max(0.0, times.between(times.answered, times.ended)),
            failure="",
        )
