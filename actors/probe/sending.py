"""What a probe sends: one OPTIONS request, or one call that is answered, held, checked and hung up.

Each step notes what it waits for, so that the end of the time has a name. A call is judged as one of a load
(`load.expectations`). An expectation that was not checked must be a failure, and never a pass. Where this process
stood still, missing media or digits are no failure of the target.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from ..agent.placing import Placing
from ..agent.user_agent import UserAgent
from ..bus.messages import CallFinished
from ..config import LoadConfig
from ..diagnosis.failure_reasons import CREDENTIALS_REFUSED, reason_of, words_of
from ..errors import CallEnded, CallError, CallRejected, CallTimeout
from ..handle.call import Call
from ..load.expectations import missed
from .module import ProbeChecks
from .report import Failure, MediaFigures, ProbeFailed, ProbeReport, failure_of
from .standstill import Standstill

DIGIT_WAIT = 2.0
"""Seconds for the expected digits beyond 0.3 s for each."""


class FirstResponse:
    """When the first response to a request came: a challenge, before which no other is seen here.

    Args:
        credentials: user and password.
    """

    def __init__(self, credentials: tuple[str, str], report: ProbeReport) -> None:
        self._credentials = credentials
        self._report = report
        self.at = 0.0
        """Seconds from the start of the probe; 0 = no challenge came."""

    def __call__(self, realm: str) -> tuple[str, str]:
        """Return user and password for a realm."""
        if not self.at:
            self.at = self._report.elapsed
            self._report.note(f"challenged for the realm {realm}")
        return self._credentials


def judge_status(
    status: int, reason: str, expected: Sequence[int], report: ProbeReport, *, credentials_given: bool = False
) -> None:
    """Note a final response.

    Args:
        expected: statuses of which it must be one; empty = any 2xx.
        credentials_given: the request carried user and password.

    Raises:
        ProbeFailed: it is another one.
    """
    report.got(status, reason)
    if (status in expected) if expected else (200 <= status < 300):
        return
    if credentials_given and status in (401, 407):
        raise ProbeFailed(Failure.CREDENTIALS, f"{status} {reason}: user and password were sent, and challenged again")
    wanted = " or ".join(map(str, expected)) or "2xx"
    raise ProbeFailed(Failure.CODE, f"{status} {reason} instead of {wanted}")


async def send_options(
    agent: UserAgent, uri: str, checks: ProbeChecks, first: FirstResponse | None, report: ProbeReport
) -> None:
    """Send OPTIONS and judge the final response (RFC 3261 section 11).

    Args:
        first: when a challenge came; None without credentials.

    Raises:
        ProbeFailed: no final response came, or another than expected.
    """
    report.waits(f"a final response to OPTIONS {uri}", Failure.TIMEOUT)
    report.note(f"OPTIONS {uri}")
    before = report.elapsed
    try:
        response = await agent.request("OPTIONS", uri)
        status, reason = response.status, response.reason
    except CallRejected as error:
        if error.response is None:
            raise ProbeFailed(Failure.CONNECT, error.reason) from error
        status, reason = error.status, error.reason
    except CallTimeout as error:
        raise ProbeFailed(Failure.TIMEOUT, str(error)) from error
    came = report.elapsed
    challenged = first.at if first is not None and first.at else came
    report.took("first_response", challenged - before)
    report.took("answer", came - challenged)
    given = first is not None and bool(first.at)
    judge_status(status, reason, checks.expect_code, report, credentials_given=given)


class ProbeCall:
    """The call of a probe.

    Args:
        agent: a running user agent.
        uri: SIP URI that is called.
    """

    def __init__(self, agent: UserAgent, uri: str, checks: ProbeChecks, report: ProbeReport) -> None:
        self._uri = uri
        self._checks = checks
        self._report = report
        self._call: Call | None = None
        self._row: asyncio.Future[CallFinished] = asyncio.get_running_loop().create_future()
        self._agent = agent.placing_as(Placing(on_placed=self._placed))
        self._expected = checks.dtmf if checks.expect_dtmf == "=" else checks.expect_dtmf

    async def run(self) -> None:
        """Place the call, hold it, hang up and judge it.

        Raises:
            ProbeFailed: it was not as expected.
        """
        report = self._report
        try:
            call = await self._place()
            if call is not None:
                with Standstill(time.monotonic) as standstill:
                    await self._hold(call)
                    await self._end(call, standstill)
        finally:
            if self._call is not None:
                self._note_phases(self._call)
                report.received(self._call.digits_received)
                report.drawn(self._call.ladder.full())

    def _placed(self, call: Call) -> None:
        checks = self._checks
        plan = LoadConfig(
            self._uri,
            hold=checks.hold,
            media=checks.media,
            dtmf=checks.dtmf,
            expect_dtmf=checks.expect_dtmf,
            expect_media=checks.expect_media,
            expect_audio=checks.expect_audio,
            expect_mos=checks.expect_mos,
        )
        self._call = call
        call.attend(judge=partial(missed, load=plan), report=self._judged, expected_digits=self._expected)

    def _judged(self, row: CallFinished) -> None:
        if not self._row.done():
            self._row.set_result(row)

    async def _place(self) -> Call | None:
        """Return the established call; None = it was refused as expected."""
        report, expected = self._report, self._checks.expect_code
        report.waits(f"a final response to INVITE {self._uri}", Failure.TIMEOUT)
        report.note(f"INVITE {self._uri}")
        try:
            call = await self._agent.invite(
                self._uri,
                media=self._checks.media,
                cb_preliminary=lambda call, code, response: report.note(f"{code} {response.reason}"),
                cb_dtmf=lambda digit, duration: report.note(f"digit {digit}"),
            )
        except CallRejected as error:
            if error.response is None:
                raise ProbeFailed(Failure.CONNECT, error.reason) from error
            given = self._call is not None and self._call.actor.ending.challenge == CREDENTIALS_REFUSED
            judge_status(error.status, error.reason, expected, report, credentials_given=given)
            return None
        except CallTimeout as error:
            raise ProbeFailed(Failure.TIMEOUT, str(error)) from error
        except CallEnded as error:
            raise ProbeFailed.by_reason(reason_of(error.cause) or "transport_error", str(error)) from error
        judge_status(call.status, "OK", expected, report)
        return call

    async def _hold(self, call: Call) -> None:
        checks, report = self._checks, self._report
        until = report.elapsed + checks.hold
        answered = report.elapsed
        try:
            if checks.dtmf:
                report.waits("the end of the digits that are sent", Failure.DIGITS)
                await call.dtmf(checks.dtmf)
                report.note(f"sent {checks.dtmf}")
            if self._expected:
                report.waits(f"the digits {self._expected}", Failure.DIGITS)
                wait = max(until - report.elapsed, DIGIT_WAIT + 0.3 * len(self._expected))
                if len(await call.digits(len(self._expected), timeout=wait)) == len(self._expected):
                    report.took("digits", report.elapsed - answered)
        except CallError as error:  # the judgement of the call has its name
            report.note(str(error))
        over = asyncio.ensure_future(call.over())
        try:
            report.waits("the end of the hold", Failure.LOCAL)
            await asyncio.wait((over,), timeout=max(0.0, until - report.elapsed))
        finally:
            over.cancel()

    async def _end(self, call: Call, standstill: Standstill) -> None:
        """Hang up and judge the call.

        Args:
            standstill: of this process while the call was up.
        """
        report = self._report
        report.waits("the response to BYE", Failure.END)
        await call.bye()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._row), 1.0)
        report.note(f"ended by {call.by}")
        self._count_media(call)
        if not self._row.done():
            raise ProbeFailed(Failure.LOCAL, "the call was not judged")
        reason = self._row.result().failure
        if reason and standstill.spoils and failure_of(reason) in (Failure.MEDIA, Failure.DIGITS):
            why = f"this process stood still for {standstill.longest:.2f} s, which may be why"
            raise ProbeFailed(Failure.LOCAL, f"{why} {words_of(reason)} ({reason})")
        if reason:
            raise ProbeFailed.by_reason(reason, call.media_error)
        if call.media_error:
            raise ProbeFailed(Failure.LOCAL, f"media failed: {call.media_error}")

    def _count_media(self, call: Call) -> None:
        if not call.all_statistics:
            return
        figures = call.statistics
        sums = self._row.result() if self._row.done() else None
        jitter = figures.jitter_ms / 1000 if figures.packets_received else 0.0
        self._report.counted(
            MediaFigures(
                sums.rtp_sent if sums is not None else figures.packets_sent,
                sums.rtp_received if sums is not None else figures.packets_received,
                sums.rtp_lost if sums is not None else figures.packets_lost,
                jitter,
                figures.mos,
            )
        )

    def _note_phases(self, call: Call) -> None:
        times, report = call.times, self._report
        report.took("first_response", times.between(times.begun, times.first_response))
        final = times.answered or (times.ended if report.status else 0.0)
        report.took("answer", times.between(times.first_response, final))
        report.took("end", times.between(times.bye_sent, times.bye_answered))
        figures = call.statistics
        if figures is not None and figures.received_first >= 0 and times.answered:
            opened = times.begun  # the media port is opened before the INVITE leaves
            report.took("media", opened + figures.received_first - times.answered)
