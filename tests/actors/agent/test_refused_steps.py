"""A step of a call that is refused at once changes nothing: whatever is awaited later still ends.

An answer to a later INVITE waits for the ACK, or until the INVITE is withdrawn or refused (RFC 3261 9.2, 14.2).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError, CallRejected, ConfigurationError, WrongState
from sipswarm.actors.handle.call import Call
from tests.actors.agent.test_answers_and_ends import TWO_LINES, tracebacks, up, with_stranger
from tests.actors.stranger import SDP, Stranger, finals, follow_up, statuses, within
from tests.e2e.agents import address_of, run
from tests.e2e.waiting import until


async def refused(step: Awaitable[Any]) -> None:
    with pytest.raises(WrongState):
        await asyncio.wait_for(step, 5)


async def sync(function: Callable[..., Any], *arguments: Any) -> None:
    function(*arguments)


REFUSED: dict[str, Callable[[Call], Awaitable[Any]]] = {
    "answer": lambda call: call.answer(),
    "accept": lambda call: sync(call.accept),
    "reject": lambda call: sync(call.reject, 486),
    "ring": lambda call: sync(call.ring, 200),
    "early media": lambda call: sync(call.early_media, 200),
}


@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize("step", REFUSED)
def test_after_a_refused_step_the_call_renegotiates_as_before(step: str, side: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        came: asyncio.Queue[Call] = asyncio.Queue()

        async def answers(call: Call) -> None:
            await call.answer()
            came.put_nowait(call)
            await call.over()

        bob.listen(answers)
        call = await alice.invite(address_of(bob))
        other = await came.get()
        mine = call if side == "caller" else other
        for _ in range(2):
            await refused(REFUSED[step](mine))
        await asyncio.wait_for(mine.hold(), 5)
        assert (await asyncio.wait_for(mine.update(), 5)).status == 200
        await asyncio.wait_for(mine.resume(), 5)
        await asyncio.wait_for((other if mine is call else call).reinvite(), 5)
        await call.bye()

    run(scenario)


def test_parameters_of_a_refused_invite_are_forgotten_and_its_callback_is_not_called() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[str] = []
        bob.listen()
        call = await alice.invite(address_of(bob))
        holding = asyncio.ensure_future(call.hold())
        await asyncio.sleep(0)
        before = call.param.values()
        for more in ({}, {"clear_sdp": True}, {"sdp": "v=0", "media_lsocks": ()}, {"rtp_param": (8, 160, 0.02)}):
            given: dict[str, Any] = {"cb_final": lambda *args: told.append(args[0]), "x_mine": 1, **more}
            with pytest.raises((WrongState, ConfigurationError)):
                await call.reinvite(**given)  # in this turn of the loop, before the answer to the hold
            assert call.param.values() == before
        await asyncio.wait_for(holding, 5)
        await asyncio.wait_for(call.resume(), 5)
        assert [line.direction.value for line in call.actor.media.agreed()] == ["sendrecv"]
        assert not told
        await call.bye()

    run(scenario)


def test_an_awaited_invite_returns_though_another_one_with_a_callback_queues_behind_it() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[str] = []
        bob.listen()
        call = await alice.invite(address_of(bob))
        first = asyncio.ensure_future(call.reinvite(sdp_on_ack=True))
        await asyncio.sleep(0)
        await asyncio.wait_for(call.reinvite(cb_final=lambda *args: told.append(args[0])), 5)
        await asyncio.wait_for(first, 5)
        await until(lambda: "OK" in told)
        await call.bye()

    run(scenario)


EARLY: dict[str, Callable[[Call], Awaitable[Any]]] = {
    "re-INVITE": lambda call: call.reinvite(call_on_hold=True),
    "hold": lambda call: call.hold(),
    "update": lambda call: call.update(call_on_hold=True),
    "transfer": lambda call: call.transfer("sip:carol@127.0.0.1"),
    "request": lambda call: call.request("INFO", "hello"),
    "ring": lambda call: sync(call.ring, 200),
    "early media": lambda call: sync(call.early_media, 300),
    "dtmf": lambda call: call.dtmf("1"),
}


@pytest.mark.parametrize("early_media", [False, True])
def test_a_step_that_comes_too_early_does_not_keep_the_call_from_being_answered_and_held(early_media: bool) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        held: list[str] = []

        async def answers(call: Call) -> None:
            if early_media:
                call.early_media()
            else:
                call.ring()
            for step in EARLY.values():
                with suppress(WrongState, CallError):
                    await asyncio.wait_for(step(call), 0.5)
            await asyncio.wait_for(call.answer(), 5)
            held.append(call.actor.media.agreed()[0].direction.value)
            await asyncio.wait_for(call.hold(), 5)
            held.append(call.actor.media.agreed()[0].direction.value)
            await call.bye()

        bob.listen(answers)
        call = await alice.invite(address_of(bob))
        await asyncio.wait_for(call.over(), 10)
        assert (call.cause, held[:1]) == ("bye", ["sendrecv"])
        assert held[1] != "sendrecv"

    run(scenario)


def test_an_invite_and_an_update_that_are_refused_before_they_leave_keep_nothing_waiting_and_no_hold() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        call = await alice.invite(address_of(bob))
        open_update = asyncio.ensure_future(call.update())
        await asyncio.sleep(0)
        await refused(call.reinvite(call_on_hold=True))
        await refused(call.update(call_on_hold=True))
        assert (await open_update).status == 200
        for _ in range(2):
            await asyncio.wait_for(call.reinvite(), 5)
            assert call.actor.media.agreed()[0].direction.value == "sendrecv"
        await call.bye()

    run(scenario)


@pytest.mark.parametrize("status", [99, 100, 200, 486])
def test_a_callee_is_rung_by_provisional_responses_only_and_the_call_goes_on(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def answers(call: Call) -> None:
            for method in (call.ring, call.early_media):
                with pytest.raises(WrongState):
                    method(status)
            await call.answer()
            await call.over()

        bob.listen(answers)
        call = await alice.invite(address_of(bob))
        assert call.is_up
        await call.bye()

    run(scenario)
    assert not tracebacks(caplog)


def test_an_answer_to_a_later_invite_returns_at_its_ack() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        log: list[str] = []

        async def again(call: Call, request: object) -> None:
            if call.is_up:
                log.append("asked")
                await call.answer()
                log.append("up")

        ua.listen(cb_invite=again)
        first, answer = await up(stranger)
        later = within("INVITE", first, answer, 2, SDP)
        got = await stranger.exchange(later, seconds=0.5)
        assert (statuses(got)[-1], log) == (200, ["asked"])
        await stranger.exchange(within("ACK", first, answer, 2))
        assert log == ["asked", "up"]

    with_stranger(scenario)


def test_an_answer_to_a_later_invite_that_is_withdrawn_or_unfit_ends_its_wait() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        log: list[str] = []
        calls: list[Call] = []

        async def again(call: Call, request: object) -> None:
            calls.append(call)
            if call.is_up:
                await asyncio.sleep(0.2)
                try:
                    await call.answer()
                except CallRejected as error:
                    log.append(str(error.status))
                else:
                    log.append("over")

        ua.listen(cb_invite=again)
        first, answer = await up(stranger)
        later = within("INVITE", first, answer, 2, SDP)
        cancel = follow_up("CANCEL", later).replace(b"\r\nContact", b"\r\nX-Contact")
        got = await stranger.exchange(later, cancel, seconds=0.5)
        assert (statuses(got)[-1], statuses(got, "CANCEL"), log) == (487, [200], ["over"])
        await stranger.exchange(within("ACK", first, answer, 2))
        unfit = within("INVITE", first, answer, 3, SDP.replace(b"RTP/AVP 0", b"RTP/AVP 100"))
        got = await stranger.exchange(unfit, seconds=0.5)
        assert (statuses(got)[-1], log) == (488, ["over", "488"])
        more = within("INVITE", first, answer, 4, TWO_LINES)
        assert finals(await stranger.exchange(more, seconds=0.5))[0].status == 200
        assert calls[0].is_up

    with_stranger(scenario)
