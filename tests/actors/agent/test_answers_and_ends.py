"""What robots and callbacks answer by themselves is the answer, and what they do as the peer ends the call is no fault.

RFC 3261 sections 9.2, 14.2 and 15.1.2; a worker in memory, in virtual time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.stranger import SDP, Stranger, finals, follow_up, statuses, within
from tests.actors.virtual_loop import run
from tests.actors.workers import worker_of
from tests.e2e.agents import agent, note

TWO_LINES = SDP + b"m=audio 11 RTP/AVP 0\r\n"


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.exc_info]


def failures(ua: UserAgent) -> list[tuple[str, ...]]:
    """The calls that failed, by scenario, role and reason."""
    rows = worker_of(ua).totals.snapshot()
    return [labels for name, labels, count in rows if name == "sipswarm_call_failures_total" and count[0]]


def with_stranger(scenario: Callable[[UserAgent, Stranger], Awaitable[None]]) -> None:
    async def main() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            with Stranger(ua) as stranger:
                await scenario(ua, stranger)

    run(main)


async def up(stranger: Stranger, number: int = 1) -> tuple[bytes, Response]:
    """A call of the stranger that is up: its INVITE and the 200."""
    first = stranger.invite(number)
    answer = finals(await stranger.exchange(first, seconds=0.5))[0]
    assert answer.status == 200
    await stranger.exchange(within("ACK", first, answer, 1))
    return first, answer


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()


async def rings_and_answers(call: Call) -> None:
    call.ring()
    await asyncio.sleep(0.01)
    await call.answer()


def creates_a_receiver(ua: UserAgent) -> None:
    ua.listen(cb_create=lambda call, request: call.receive)


LISTENERS: dict[str, Callable[[UserAgent], None]] = {
    "cb_invite": lambda ua: ua.listen(cb_invite=lambda call, request: None),
    "media": lambda ua: ua.listen(media="echo"),
    "robot": lambda ua: ua.listen(answers),
    "robot that rings": lambda ua: ua.listen(rings_and_answers),
    "accepts in cb_create": lambda ua: ua.listen(cb_create=lambda call, request: call.accept() or True),
    "accepts in cb_invite": lambda ua: ua.listen(cb_invite=lambda call, request: call.accept()),
    "accepts in filter and later": lambda ua: ua.listen(cb_create=lambda call, request: True),
    "receiver": creates_a_receiver,
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("later", ["CANCEL", "BYE too"])
def test_a_cancel_right_behind_its_invite_is_a_cancelled_call(
    listener: str, later: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        LISTENERS[listener](ua)
        for number in range(50):
            first = stranger.invite(number)
            got = await stranger.exchange(first, follow_up("CANCEL", first))
            assert (statuses(got)[-1], statuses(got, "CANCEL")) == (487, [200])
            answer = finals(got)[0]
            await stranger.exchange(follow_up("ACK", first, answer))
            if later == "BYE too":
                await stranger.exchange(within("BYE", first, answer, 2))
        await asyncio.sleep(1)
        assert failures(ua) == []

    with_stranger(scenario)
    assert tracebacks(caplog) == []


STATEMENTS: dict[str, Callable[[Call], Any]] = {
    "ring": lambda call: call.ring(),
    "early_media": lambda call: call.early_media(),
    "accept": lambda call: call.accept(),
    "answer": lambda call: call.answer(),
    "reject": lambda call: call.reject(),
    "hold": lambda call: call.hold(),
    "resume": lambda call: call.resume(),
    "reinvite": lambda call: call.reinvite(sdp_on_ack=True),
    "cancel": lambda call: call.cancel(),
    "bye": lambda call: call.bye(),
    "hang_up": lambda call: call.hang_up(),
    "request": lambda call: call.request("INFO", "x"),
    "transfer": lambda call: call.transfer("sip:carol@127.0.0.1"),
    "dtmf": lambda call: call.dtmf("1"),
    "dtmf by INFO": lambda call: call.dtmf("1", methods="info"),
    "digits": lambda call: call.digits(1, 1.0),
    "play": lambda call: call.play(("tone", 440.0)),
    "record": lambda call: call.record("/dev/null"),
    "start_media": lambda call: call.start_media(echo()),
    "init_media": lambda call: echo()(call, call.param),
    "rtp_cleanup": lambda call: call.rtp_cleanup(),
    "set_param": lambda call: call.set_param(rtp_param=(8, 160, 0.02)),
    "get_param": lambda call: call.get_param("media_lsocks", "media_raddr"),
    "respond": lambda call: call.actor.respond(1, 200, (), 0.0),
    "accept_transfer": lambda call: call.actor.accept_transfer(1, 0.0),
    "report_transfer": lambda call: call.actor.report_transfer(1, 200, "OK", 0.0),
    "cleanup": lambda call: call.cleanup(),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_of_a_robot_or_a_callback_fails_because_the_peer_has_just_ended_the_call(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def do(where: str, call: Call) -> Any:
        ran.append(where)
        return STATEMENTS[name](call)

    async def robot(call: Call) -> None:
        done = do("robot", call)
        if done is not None and hasattr(done, "__await__"):
            await done

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ended = lambda param: None  # noqa: E731 - a callback that is there
        ua.listen(
            media="echo",
            cb_established=lambda status, call: do("cb_established", call),
            cb_notify=lambda call, request: do("cb_notify", call),
            cb_cleanup=lambda call: do("cb_cleanup", call),
            recv_bye=ended,
        )
        first = stranger.invite(1)
        answer = finals(await stranger.exchange(first, seconds=0.5))[0]
        notify = within("NOTIFY", first, answer, 2)
        await stranger.exchange(within("ACK", first, answer, 1), notify, within("BYE", first, answer, 3), seconds=2)
        ua.listen(robot)
        first = stranger.invite(2)
        await stranger.exchange(first, follow_up("CANCEL", first), seconds=2)
        ua.listen(cb_create=lambda call, request: note(ran, "cb_create") and call.spawn(after_the_end(call)) and True)
        first = stranger.invite(3)
        await stranger.exchange(first, seconds=0.005)
        await stranger.exchange(follow_up("CANCEL", first), seconds=2)
        await asyncio.sleep(2)
        assert failures(ua) == []

    async def after_the_end(call: Call) -> None:
        await call.over()
        await robot(call)

    with_stranger(scenario)
    assert tracebacks(caplog) == []
    assert {"cb_established", "cb_notify", "cb_cleanup", "cb_create"} <= set(ran)


async def returns_later(call: Call, request: Request) -> Response:
    await asyncio.sleep(0.05)
    return Response.to_request(request, 488)


async def does_later(call: Call, request: Request) -> None:
    call.ring()
    await asyncio.sleep(0.05)
    call.reject(488)


def rings_now_and_rejects_later(call: Call, request: Request) -> None:
    call.ring()
    asyncio.get_running_loop().call_later(0.05, call.reject, 488)


def returns_180_and_rejects_later(call: Call, request: Request) -> Response:
    asyncio.get_running_loop().call_later(0.05, call.reject, 488)
    return Response.to_request(request, 180)


async def accepts_later(call: Call, request: Request) -> None:
    await asyncio.sleep(0.05)
    call.accept((("X-Own", "1"),))


OWN_ANSWERS: dict[str, tuple[Callable[[Call, Request], Any], list[int]]] = {
    "nothing": (lambda call, request: None, [200]),
    "reject": (lambda call, request: call.reject(488), [488]),
    "a Response": (lambda call, request: Response.to_request(request, 488), [488]),
    "accept": (lambda call, request: call.accept((("X-Own", "1"),)), [200]),
    "ring, later reject": (rings_now_and_rejects_later, [180, 488]),
    "180, later reject": (returns_180_and_rejects_later, [180, 488]),
    "a coroutine's Response": (returns_later, [488]),
    "a coroutine that rings and rejects": (does_later, [180, 488]),
    "a coroutine that accepts": (accepts_later, [200]),
}


@pytest.mark.parametrize("name", OWN_ANSWERS)
def test_the_own_answer_of_cb_invite_is_the_only_answer_to_first_and_later_invites(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    callback, expected = OWN_ANSWERS[name]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(cb_invite=callback, media="none")
        got = await stranger.exchange(stranger.invite(1), seconds=0.3)
        assert [each for each in statuses(got) if each > 100] == expected
        if "accept" in name:
            assert [each.headers.get("X-Own") for each in finals(got)] == ["1"]
        ua.listen(media="none")
        first, answer = await up(stranger, 2)
        (call,) = [each for each in stranger.worker.actors.live.values() if each.call_id.startswith("call-2")]
        call.set_param(cb_invite=callback)
        for cseq in (2, 4):  # also the one behind it
            again = within("INVITE", first, answer, cseq, SDP)
            got = await stranger.exchange(again, seconds=0.3)
            assert [each for each in statuses(got) if each > 100] == expected
            await stranger.exchange(
                follow_up("ACK", again) if expected[-1] > 299 else within("ACK", first, answer, cseq)
            )
            assert call.is_up, "RFC 3261 section 14.2: a refused re-INVITE changes nothing"
        got = await stranger.exchange(within("BYE", first, answer, 9))
        assert statuses(got, "BYE") == [200]
        assert failures(ua) == []

    with_stranger(scenario)
    assert tracebacks(caplog) == []


@pytest.mark.parametrize("body", [SDP, TWO_LINES, b""])
@pytest.mark.parametrize("robot", ["at once", "late", "by a callback"])
def test_a_later_invite_that_is_cancelled_leaves_the_call_as_it_was(
    body: bytes, robot: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="echo")
        first, answer = await up(stranger)
        (call,) = stranger.worker.actors.live.values()
        if robot == "late":
            call.set_param(cb_invite=accepts_later)
        elif robot == "by a callback":
            call.set_param(cb_invite=lambda call, request: call.accept())
        for cseq in (2, 3, 4):
            again = within("INVITE", first, answer, cseq, body)
            got = await stranger.exchange(again, follow_up("CANCEL", again), seconds=0.4)
            status = statuses(got)[-1]
            assert status in (200, 487)
            assert statuses(got, "CANCEL") == [200]
            if status == 487:
                await stranger.exchange(follow_up("ACK", again))
            else:
                await stranger.exchange(follow_up("ACK", again, branch="z9hG4bK-a", body=SDP if not body else b""))
            assert call.is_up
        call.set_param(cb_invite=None)
        again = within("INVITE", first, answer, 8, SDP if body == b"" else body)
        assert statuses(await stranger.exchange(again, seconds=0.4))[-1] == 200
        await stranger.exchange(within("ACK", first, answer, 8))
        assert call.is_up

    with_stranger(scenario)
    assert tracebacks(caplog) == []


def test_a_later_invite_may_overtake_the_ack(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="echo")
        first = stranger.invite(1)
        answer = finals(await stranger.exchange(first, seconds=0.2))[0]
        again = within("INVITE", first, answer, 2, SDP)
        assert statuses(await stranger.exchange(again, seconds=0.2))[-1] == 200
        await stranger.exchange(within("ACK", first, answer, 1), within("ACK", first, answer, 2))
        (call,) = stranger.worker.actors.live.values()
        assert call.is_up

    with_stranger(scenario)
    assert tracebacks(caplog) == []


def test_to_accept_a_call_that_is_over_says_so() -> None:
    seen: list[Exception] = []

    async def robot(call: Call) -> None:
        await call.over()
        try:
            call.accept()
        except CallEnded as error:
            seen.append(error)

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(robot)
        first = stranger.invite(1)
        await stranger.exchange(first)
        await stranger.exchange(follow_up("CANCEL", first), seconds=1)
        assert len(seen) == 1

    with_stranger(scenario)
