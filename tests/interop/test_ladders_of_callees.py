"""Calls of ours to SIPp where a rule is easily broken: forks, races, reliable 1xx, timers, glare, transfers.

Each ladder is what SIPp does and demands; its exit code is the verdict.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from tests.e2e.agents import agent, note
from tests.e2e.waiting import until

from .conftest import Start
from .ladder import TAG, Check, Ladder, description
from .sipp import Sipp, Verdict

Scenario = Callable[[UserAgent, str], Awaitable[None]]
UPDATES = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, NOTIFY"


def callee(name: str) -> Ladder:
    return Ladder(name, calls=False)


async def judged(peer: Sipp) -> Verdict:
    return await asyncio.get_running_loop().run_in_executor(None, peer.verdict)


def contented(verdict: Verdict) -> None:
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 1, verdict.account


# ---- our side of each call


async def is_hung_up_on(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to)
    await call.over()
    assert (call.cause, call.by) == ("bye", "remote")


async def cancels_when_it_rings(ua: UserAgent, to: str) -> None:
    finals: list[Any] = []
    call = await ua.invite(
        to,
        cb_preliminary=lambda call, code, response: code == 180 and call.cancel(),
        cb_final=lambda status, call, info: note(finals, status),
    )
    await call.over()
    assert finals == ["FAIL"]


async def has_a_call_that_nobody_refreshes(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to)
    await call.over()
    assert (call.cause, call.by) == ("session_expired", "expired")


async def reinvites(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to)
    await call.reinvite()
    await call.bye()


async def updates(ua: UserAgent, to: str) -> None:
    rang = asyncio.Event()
    call = await ua.invite(to, cb_preliminary=lambda *_: rang.set(), cb_final=lambda *_: None)
    await rang.wait()
    # SIPp takes no request beside the one that it is answering.
    await until(lambda: any(b"PRACK" in rung.data for rung in call.ladder.rungs if not rung.sent))
    assert (await call.update()).status == 200
    await until(lambda: call.is_up)
    assert (await call.update(call_on_hold=True)).status == 200
    await call.bye()


async def offers_late(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, sdp_on_ack=True)
    await call.reinvite()
    await call.bye()


async def refers(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to)
    await call.transfer("sip:carol@127.0.0.1:9")
    await call.bye()


class Flow(NamedTuple):
    """What SIPp does, what we do, and how our user agent is set."""

    ladder: Ladder
    ours: Scenario
    options: Mapping[str, Any] = MappingProxyType({})


FORKS = (
    callee("two-forks-answer")
    .recv("INVITE", Check("Via", ";rport"), routes=True)
    .accept()
    .recv("ACK", Check("To", "tag=[0-9]+callee"))
    .respond(200, body=description(), tag="other", to_invite=True, repeat=True)
    .recv("ACK", Check("To", "tag=other"))
    .recv("BYE", Check("To", "tag=other"))
    .respond(200)
    .hang_up()
)
CROSSING = (
    callee("answer-crosses-cancel")
    .recv("INVITE", routes=True)
    .respond(180, tag=TAG)
    .recv("CANCEL")
    .respond(200, tag=TAG)
    .respond(200, body=description(), tag=TAG, to_invite=True, repeat=True)
    .recv("ACK")
    .is_hung_up_on()
)
RELIABLE = (
    callee("reliable-ringing")
    .recv("INVITE", Check("Supported", "100rel"), routes=True)
    .respond(183, "Require: 100rel", "RSeq: 17", body=description(), tag=TAG)
    .recv("PRACK", Check("RAck", "17 1 INVITE"))
    .respond(200)
    .respond(180, "Require: 100rel", "RSeq: 18", tag=TAG, to_invite=True)
    .recv("PRACK", Check("RAck", "18 1 INVITE"))
    .respond(200)
    .respond(200, tag=TAG, to_invite=True, repeat=True)
    .recv("ACK")
    .hang_up()
)
MINIMUM = (
    callee("wants-longer-sessions")
    .recv("INVITE", Check("Session-Expires", "90"), Check("Supported", "timer"))
    .respond(422, "Min-SE: 120", tag=TAG, repeat=True)
    .recv("ACK")
    .recv("INVITE", Check("Session-Expires", "120"), Check("Min-SE", "120"), Check("CSeq", "2 INVITE"), routes=True)
    .accept("Session-Expires: 120;refresher=uac", "Require: timer")
    .recv("ACK")
    .hang_up()
)
# An interval below the 90 s of RFC 4028 section 5, so that the half of it can be waited for; it comes before its end.
REFRESHED_BY_UPDATE = (
    callee("refreshed-by-update")
    .set_up("Session-Expires: 4;refresher=uac", "Require: timer", UPDATES)
    .pause(1500)
    .recv("UPDATE", Check("Session-Expires", "refresher=uac"), Check("CSeq", "2 UPDATE"), within_ms=2400)
    .respond(200, "Session-Expires: 4;refresher=uac", "Require: timer")
    .hang_up()
)
REFRESHED_BY_REINVITE = (
    callee("refreshed-by-reinvite")
    .set_up("Session-Expires: 4;refresher=uac", "Require: timer", "Allow: INVITE, ACK, CANCEL, BYE")
    .pause(1500)
    .recv("INVITE", Check("Session-Expires", "refresher=uac"), Check("", "m=audio"), within_ms=2400)
    .accept("Session-Expires: 4;refresher=uac", "Require: timer", tag="")
    .recv("ACK")
    .hang_up()
)
NOT_REFRESHED = (
    callee("never-refreshes")
    .set_up("Session-Expires: 4;refresher=uas", "Require: timer", UPDATES)
    .pause(2200)
    .is_hung_up_on()
)
GLARE = (
    callee("reinvites-at-the-same-time")
    .set_up()
    .recv("INVITE", routes=True)
    .invite()
    .recv(491)
    .send("ACK", same_branch=True)
    .respond(491, to_invite=True, repeat=True)
    .recv("ACK")
    .pause(1900)  # we own the Call-ID: 2.1 to 4 s (RFC 3261 14.1)
    .recv("INVITE", Check("CSeq", "3 INVITE"), within_ms=2500)
    .accept(tag="")
    .recv("ACK")
    .is_hung_up_on()
)
UPDATE = (
    callee("holds-by-update")
    .set_up()
    .send("UPDATE", body=description(2, "a=sendonly"))
    .recv(200, Check("", "a=(recvonly|inactive)"))
    .send("UPDATE")
    .recv(200, Check("Content-Length", "^ *0"))
    .hang_up()
)
OUR_UPDATES = (
    callee("gets-updates")
    .recv("INVITE", Check("Supported", "100rel"), routes=True)
    .respond(183, "Require: 100rel", "RSeq: 17", body=description(), tag=TAG)
    .recv("PRACK", Check("RAck", "17 1 INVITE"))
    .respond(200)
    .recv("UPDATE", Check("CSeq", "3 UPDATE"), Check("Contact", "sip:"), Check("", "m=audio [1-9][0-9]* RTP/AVP 0"))
    .respond(200, body=description(2))
    .respond(200, tag=TAG, to_invite=True, repeat=True)
    .recv("ACK")
    .recv("UPDATE", Check("CSeq", "4 UPDATE"), Check("Allow", "UPDATE"), Check("", "a=sendonly"))
    .respond(200, body=description(3, "a=recvonly"))
    .is_hung_up_on()
)
LATE_OFFER = (
    callee("gets-no-offer")
    .recv("INVITE", Check("Content-Length", "^ *0"), routes=True)
    .accept()
    .recv("ACK", Check("", "m=audio [1-9][0-9]* RTP/AVP 0"))
    .recv("INVITE", Check("Content-Length", "^ *0"))
    .accept(tag="")
    .recv("ACK", Check("", "m=audio [1-9][0-9]* RTP/AVP 0"))
    .is_hung_up_on()
)
REPORT = ("Event: refer", "Subscription-State: active;expires=60")
LAST_REPORT = ("Event: refer", "Subscription-State: terminated;reason=noresource")
SIPFRAG = "message/sipfrag;version=2.0"


def referred(name: str, refer_to: str) -> Ladder:
    """It is asked to call somebody, says that it does and that it worked."""
    return (
        callee(name)
        .set_up()
        .recv("REFER", Check("Refer-To", refer_to), Check("Contact", "sip:"))
        .respond(202)
        .send("NOTIFY", *REPORT, body="SIP/2.0 100 Trying\n", content_type=SIPFRAG)
        .recv(200)
        .send("NOTIFY", *LAST_REPORT, body="SIP/2.0 200 OK\n", content_type=SIPFRAG)
        .recv(200)
    )


FLOWS = [
    Flow(FORKS, is_hung_up_on),
    Flow(CROSSING, cancels_when_it_rings),
    Flow(RELIABLE, is_hung_up_on),
    Flow(MINIMUM, is_hung_up_on, {"session_expires": 90}),
    Flow(REFRESHED_BY_UPDATE, is_hung_up_on),
    Flow(REFRESHED_BY_REINVITE, is_hung_up_on),
    Flow(NOT_REFRESHED, has_a_call_that_nobody_refreshes),
    Flow(GLARE, reinvites),
    Flow(UPDATE, is_hung_up_on),
    Flow(OUR_UPDATES, updates, {"trace": True}),
    Flow(LATE_OFFER, offers_late),
    Flow(referred("is-referred", "<sip:carol@127.0.0.1:9>").is_hung_up_on(), refers),
]


def call_sipp(folder: Path, start: Start, flow: Flow, *, transport: str = "udp") -> Verdict:
    """Place the call of a flow; SIPp's verdict."""
    scenario = flow.ladder.write(folder)
    peer = start(Sipp(folder, "peer", scenario=scenario, calls=1, seconds=20, transport=f"{transport[0]}1"))
    peer.ready()
    suffix = "" if transport == "udp" else f";transport={transport}"

    async def main() -> Verdict:
        async with asyncio.timeout(30), agent("sip:alice@127.0.0.1", f"{transport}:127.0.0.1:0", **flow.options) as ua:
            ours = asyncio.ensure_future(flow.ours(ua, f"sip:peer@{peer.address}{suffix}"))
            verdict = await judged(peer)
            contented(verdict)
            await ours
            return verdict

    return asyncio.run(main())


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.ladder.name)
def test_sipp_is_content_with_the_calls_that_we_place(tmp_path: Path, start: Start, flow: Flow) -> None:
    contented(call_sipp(tmp_path, start, flow))


QUICK = [flow for flow in FLOWS if flow.ladder in (FORKS, CROSSING, RELIABLE, MINIMUM, UPDATE, OUR_UPDATES, LATE_OFFER)]


@pytest.mark.parametrize("flow", QUICK, ids=lambda flow: flow.ladder.name)
def test_sipp_is_content_with_them_over_tcp_too(tmp_path: Path, start: Start, flow: Flow) -> None:
    contented(call_sipp(tmp_path, start, flow, transport="tcp"))
