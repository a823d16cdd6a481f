"""Calls of SIPp to us where a rule is easily broken: wrong tags, session timers, reliable 1xx, glare, transfers.

Each ladder is what SIPp does and demands; its exit code is the verdict.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.worker import CallWorker
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import address_of, agent
from tests.e2e.waiting import until

from .conftest import Start
from .ladder import Check, Ladder, description
from .sipp import Sipp, Verdict
from .test_ladders_of_callees import contented, judged

Robot = Callable[[Call], Awaitable[None]]


def caller(name: str) -> Ladder:
    return Ladder(name, calls=True)


# ---- our side of each call


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()
    assert call.cause == "bye", call.cause


async def rings_and_answers(call: Call) -> None:
    call.ring()
    await asyncio.sleep(2.0)
    await answers(call)


async def speaks_before_it_answers(call: Call) -> None:
    call.early_media()
    await asyncio.sleep(0.5)
    await answers(call)


async def hangs_up_after_a_wrong_bye(call: Call) -> None:
    await call.answer()
    worker = call.owner
    assert isinstance(worker, CallWorker)
    refused = worker.totals.cell("sipswarm_sip_responses_total", "sent", "BYE", "481")
    await until(lambda: refused.value)
    assert call.is_up, call.cause
    await call.bye()


async def answers_and_reinvites(call: Call) -> None:
    await call.answer()
    await call.reinvite()
    await call.bye()


class Flow(NamedTuple):
    """What SIPp does, what we do, and how our user agent is set."""

    ladder: Ladder
    ours: Robot = answers
    options: Mapping[str, Any] = MappingProxyType({})


WRONG_TAG = (
    caller("has-the-wrong-tag")
    .set_up()
    .send("INFO", cseq=0)
    .recv(500)
    .send("BYE", to_tag="nobody")
    .recv(481)
    .is_hung_up_on()
)
LATE_CANCEL = caller("cancels-too-late").set_up().send("CANCEL", same_branch=True).recv(200).pause(300).hang_up()
UNKNOWN = caller("uses-an-unknown-method").set_up().send("JUMP").recv(501, Check("Allow", "INVITE.*BYE")).hang_up()
WRONG_BODY = (
    caller("offers-no-sdp")
    .send("INVITE", body="hello\n", content_type="text/plain")
    .recv(100, optional=True)
    .recv(415, Check("Accept", "application/sdp"), Check("To", "tag="))
    .send("ACK", same_branch=True)
)
STRANGER = (
    caller("invites-into-no-call")
    .send("INVITE", "X-Nothing: here", body=description(), into="nobody")
    .recv(100, optional=True)
    .recv(481)
    .send("ACK", same_branch=True)
)
SHORT_SESSION = (
    caller("wants-a-short-session")
    .invite("Session-Expires: 60", "Supported: timer")
    .recv(100, optional=True)
    .recv(422, Check("Min-SE", "^ *90"), Check("To", "tag="))
    .send("ACK", same_branch=True)
    .invite("Session-Expires: 90;refresher=uac", "Min-SE: 90", "Supported: timer", anew=True)
    .provisionals()
    .recv(200, Check("Session-Expires", "^ *90;refresher=uac"), Check("Require", "timer"), routes=True)
    .send("ACK")
    .send("UPDATE", "Session-Expires: 90;refresher=uac", "Min-SE: 90", "Supported: timer")
    .recv(200, Check("Session-Expires", "^ *90;refresher=uac"))
    .hang_up()
)
NO_TIMER = (
    caller("knows-no-session-timer")
    .invite()
    .provisionals()
    .recv(200, Check("Session-Expires", ".", absent=True), routes=True)
    .send("ACK")
    .hang_up()
)
RELIABLE = (
    caller("requires-100rel")
    .invite("Require: 100rel")
    .recv(100, optional=True)
    .recv(180, Check("Require", "100rel"), routes=True, keep="RSeq")
    .pause(1000)
    .send("PRACK", "RAck:[$rseq] 1 INVITE")
    .recv(200, Check("CSeq", "2 PRACK"))
    .recv(200, Check("CSeq", "1 INVITE"), routes=True)
    .send("ACK", cseq=1)
    .hang_up()
)
GLARE = (
    caller("reinvites-at-the-same-time")
    .set_up()
    .recv("INVITE", routes=True)
    .invite()
    .recv(491)
    .send("ACK", same_branch=True)
    .respond(491, to_invite=True, repeat=True)
    .recv("ACK")
    .recv("INVITE", Check("CSeq", "2 INVITE"), within_ms=2600)  # SIPp owns the Call-ID: 0 to 2 s (RFC 3261 14.1)
    .accept(tag="")
    .recv("ACK")
    .is_hung_up_on()
)
UPDATE = (
    caller("holds-by-update")
    .set_up()
    .send("UPDATE", body=description(2, "a=sendonly"))
    .recv(200, Check("", "a=(recvonly|inactive)"))
    .send("UPDATE")
    .recv(200, Check("Content-Length", "^ *0"))
    .hang_up()
)
LATE_OFFER = (
    caller("sends-no-offer")
    .invite(offer=False)
    .provisionals()
    .recv(200, Check("", "m=audio [1-9][0-9]* RTP/AVP 0 8 101"), routes=True)
    .send("ACK", body=description())
    .hang_up()
)

EARLY_MEDIA = (
    caller("hears-us-before-the-answer")
    .invite()
    .recv(100, optional=True)
    .recv(183, Check("", "m=audio [1-9][0-9]* RTP/AVP 0"), Check("Require", "100rel", absent=True))
    .recv(200, Check("", "m=audio [1-9][0-9]* RTP/AVP 0"), routes=True)
    .send("ACK")
    .hang_up()
)
RELIABLE_EARLY_MEDIA = (
    caller("hears-us-reliably-before-the-answer")
    .invite("Require: 100rel")
    .recv(100, optional=True)
    .recv(183, Check("", "m=audio [1-9][0-9]* RTP/AVP 0"), routes=True, keep="RSeq")
    .send("PRACK", "RAck: 4294967 1 INVITE")
    .recv(481)
    .send("PRACK", "RAck:[$rseq] 1 INVITE")
    .recv(200, Check("CSeq", "3 PRACK"))
    .recv(200, Check("CSeq", "1 INVITE"), Check("Content-Length", "^ *0"), routes=True)  # all was said in the 183
    .send("ACK", cseq=1)
    .hang_up()
)
NOTHING_FITS = (
    caller("reinvites-with-a-codec-that-nobody-has")
    .set_up()
    .send("INVITE", body=description(2).replace("RTP/AVP 0 101", "RTP/AVP 96").replace("rtpmap:0 PCMU", "rtpmap:96 X"))
    .recv(100, optional=True)
    .recv(488)
    .send("ACK", same_branch=True)
    .send("INFO")
    .recv(200)
    .hang_up()
)
UNWANTED_REFER = (
    caller("refers-somebody-who-does-not-want")
    .set_up()
    .send("REFER", "Refer-To: <sip:carol@[local_ip]>")
    .recv(603)
    .hang_up()
)

FLOWS = [
    Flow(WRONG_TAG, hangs_up_after_a_wrong_bye),
    Flow(LATE_CANCEL),
    Flow(UNKNOWN),
    Flow(WRONG_BODY),
    Flow(STRANGER),
    Flow(SHORT_SESSION),
    Flow(NO_TIMER, options={"session_expires": 1800}),
    Flow(EARLY_MEDIA, speaks_before_it_answers),
    Flow(RELIABLE_EARLY_MEDIA, speaks_before_it_answers),
    Flow(NOTHING_FITS),
    Flow(UNWANTED_REFER),
    Flow(GLARE, answers_and_reinvites),
    Flow(UPDATE),
    Flow(LATE_OFFER),
]


def called_by_sipp(
    folder: Path,
    start: Start,
    flow: Flow,
    *,
    transport: str = "udp",
    seconds: float = 20,
    media: str = "silence",
    prepare: Callable[[UserAgent], object] = lambda ua: None,
    options: Sequence[str] = (),
) -> Verdict:
    """Take the call of a flow; SIPp's verdict. What our robot found wrong is an error of this function.

    media: as for `listen`; "none" for calls of more than 30 s, because SIPp sends no RTP.
    """

    async def main() -> Verdict:
        wrong: list[BaseException] = []

        async def robot(call: Call) -> None:
            try:
                await flow.ours(call)
            except AssertionError as error:
                wrong.append(error)

        async with (
            asyncio.timeout(seconds + 10),
            agent("sip:robot@127.0.0.1", f"{transport}:127.0.0.1:0", **flow.options) as ua,
        ):
            ua.listen(robot, media=media)
            prepare(ua)
            peer = start(
                Sipp(
                    folder,
                    "peer",
                    remote=address_of(ua).partition("@")[2],
                    scenario=flow.ladder.write(folder),
                    calls=1,
                    seconds=seconds,
                    options=options,
                    transport=f"{transport[0]}1",
                )
            )
            verdict = await judged(peer)
            if wrong:
                raise wrong[0]
            return verdict

    return asyncio.run(main())


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.ladder.name)
def test_sipp_is_content_with_how_we_take_its_calls(tmp_path: Path, start: Start, flow: Flow) -> None:
    contented(called_by_sipp(tmp_path, start, flow))


QUICK = [
    flow
    for flow in FLOWS
    if flow.ladder in (WRONG_TAG, LATE_CANCEL, UNKNOWN, SHORT_SESSION, RELIABLE_EARLY_MEDIA, NOTHING_FITS, LATE_OFFER)
]


@pytest.mark.parametrize("flow", QUICK, ids=lambda flow: flow.ladder.name)
def test_sipp_is_content_with_us_over_tcp_too(tmp_path: Path, start: Start, flow: Flow) -> None:
    contented(called_by_sipp(tmp_path, start, flow, transport="tcp"))


def test_a_reliable_180_is_repeated_until_its_prack(tmp_path: Path, start: Start) -> None:
    verdict = called_by_sipp(tmp_path, start, Flow(RELIABLE, rings_and_answers))
    contented(verdict)
    # Half a second and 1.5 s after the first; the PRACK comes between them (RFC 3262 section 3).
    assert verdict.messages["2_180_Retrans"] == 1, verdict.messages


REFERRING = (
    caller("refers-us")
    .set_up()
    .send("REFER", "Refer-To: <sip:[target]>", "Referred-By: <sip:peer@[local_ip]>")
    .recv(202)
    .recv("NOTIFY", Check("Event", "refer"), Check("Subscription-State", "active"), Check("", "SIP/2.0 100"))
    .respond(200)
    .recv("NOTIFY", Check("Subscription-State", "terminated"), Check("", "SIP/2.0 200 OK"))
    .respond(200)
    .hang_up()
)


def test_a_transfer_that_sipp_asks_for_leads_to_a_call_and_two_reports(tmp_path: Path, start: Start) -> None:
    scenario = Ladder("is-called", calls=False).set_up().is_hung_up_on().write(tmp_path)
    target = start(Sipp(tmp_path, "target", scenario=scenario, calls=1, seconds=20))
    target.ready()

    async def hangs_up_both(call: Call) -> None:
        await answers(call)
        worker = call.owner
        assert isinstance(worker, CallWorker)
        await until(lambda: len(worker.actors.live) == 1)
        for each in list(worker.actors.live.values()):
            each.hang_up()

    contented(
        called_by_sipp(
            tmp_path,
            start,
            Flow(REFERRING, hangs_up_both),
            prepare=lambda ua: ua.take_transfers(),
            options=["-key", "target", f"carol@{target.address}"],
        )
    )
    contented(target.verdict())


HELD = caller("is-replaced").set_up().is_hung_up_on()
REPLACING = caller("takes-over").set_up("Replaces: [replaces]").hang_up()


def test_a_call_of_sipp_takes_another_one_over(tmp_path: Path, start: Start) -> None:
    async def main() -> tuple[Verdict, Verdict]:
        taken: list[Call] = []
        async with asyncio.timeout(40), agent("sip:robot@127.0.0.1") as ua:
            ua.listen(cb_established=lambda status, call: taken.append(call))

            def sipp(ladder: Ladder, *options: str) -> Sipp:
                remote = address_of(ua).partition("@")[2]
                scenario = ladder.write(tmp_path)
                run = Sipp(
                    tmp_path, ladder.name, remote=remote, scenario=scenario, calls=1, seconds=20, options=options
                )
                return start(run)

            first = sipp(HELD)
            await until(lambda: taken)
            call = taken[0]
            assert call.invite_request is not None
            ours, theirs = call.actor.session.local_tag, call.invite_request.from_tag
            second = sipp(REPLACING, "-key", "replaces", f"{call.call_id};to-tag={ours};from-tag={theirs}")
            return await judged(first), await judged(second)

    for verdict in asyncio.run(main()):
        contented(verdict)


NEVER_ACKS = caller("never-acknowledges").invite().provisionals().recv(200, routes=True).recv("BYE").respond(200)


@pytest.mark.slow
def test_an_answer_that_is_never_acknowledged_is_repeated_ten_times_and_hung_up_after_32_seconds(
    tmp_path: Path, start: Start
) -> None:
    causes: list[str] = []

    async def waits(call: Call) -> None:
        call.accept()
        await call.over()
        causes.append(call.cause)

    verdict = called_by_sipp(tmp_path, start, Flow(NEVER_ACKS, waits), seconds=45, media="none")
    contented(verdict)
    assert verdict.messages["4_200_Retrans"] == 10, verdict.messages
    assert causes == ["no_ack"]


WANTS_REFRESHES = (
    caller("is-refreshed-by-the-called-side")
    .set_up("Session-Expires: 90;refresher=uas", "Supported: timer", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE")
    .pause(43000)
    .recv("UPDATE", Check("Session-Expires", "^ *90;refresher=uac"), within_ms=4000)
    .respond(200, "Session-Expires: 90;refresher=uac", "Require: timer")
    .hang_up()
)
DOES_NOT_REFRESH = (
    caller("promises-to-refresh-and-does-not")
    .set_up("Session-Expires: 90;refresher=uac", "Supported: timer")
    .pause(58000)
    .is_hung_up_on()
)


@pytest.mark.slow
@pytest.mark.parametrize("ladder", [WANTS_REFRESHES, DOES_NOT_REFRESH], ids=lambda ladder: ladder.name)
def test_sessions_of_90_seconds_are_refreshed_at_45_or_hung_up_at_60(
    tmp_path: Path, start: Start, ladder: Ladder
) -> None:
    async def waits(call: Call) -> None:
        await call.answer()
        await call.over()

    contented(called_by_sipp(tmp_path, start, Flow(ladder, waits), seconds=75, media="none"))
