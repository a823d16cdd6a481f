"""How a call of the man page ends: BYE and CANCEL of either side, and what outlives it (C12, C13, C30 to C33, C43)."""

import asyncio
import errno
import gc
import logging
import weakref
from contextlib import suppress
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import until


async def ring_only(call: Call) -> None:
    """A robot that never answers."""
    call.ring()
    await call.over()


def test_a_cancel_is_told_in_order_on_both_sides() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        uac: list[Any] = []
        uas: list[Any] = []
        bob.listen(
            ring_only,
            init_media=lambda call, param: note(uas, "init_media"),
            recv_bye=lambda param: note(uas, ("recv_bye", param.colour)),
            cb_cleanup=lambda call: note(uas, "cb_cleanup"),
            param={"colour": "blue"},
        )
        call = await alice.invite(
            address_of(bob),
            cb_final=lambda status, call, info: note(uac, (status, info["code"])),
            send_cancel=lambda param: note(uac, ("send_cancel", param["why"])),
            send_bye=lambda param: note(uac, "send_bye"),
            recv_bye=lambda param: note(uac, "recv_bye"),
            cb_cleanup=lambda call: note(uac, "cb_cleanup"),
            init_media=lambda call, param: note(uac, "init_media"),
        )
        await until(lambda: call.times.alerted)
        assert call.cancel(why="enough")
        await call.over()
        await until(lambda: len(uas) == 2)
        assert sorted(map(str, uac[:2])) == ["('FAIL', 487)", "('send_cancel', 'enough')"]
        assert uac[2:] == ["cb_cleanup"]
        assert uas == ["cb_cleanup", ("recv_bye", "blue")]
        assert not call.cancel()

    run(scenario)


def test_a_cancel_before_the_invite_has_left_is_told_as_if_the_peer_had_agreed() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        asked: list[Request] = []
        told: list[Any] = []
        bob.listen(filter=lambda from_, request: note(asked, request))
        call = await alice.invite(
            address_of(bob),
            cb_final=lambda status, call, info: note(told, (status, info)),
            cb_cleanup=lambda call: note(told, "cb_cleanup"),
        )
        assert call.cancel(cb_final=lambda param: note(told, "cancelled"))
        await call.over()
        assert told == ["cancelled", ("FAIL", {"errno": errno.ECANCELED}), "cb_cleanup"]
        await asyncio.sleep(0.1)
        assert asked == []

    run(scenario)


def test_without_send_cancel_the_callback_send_bye_is_told_of_a_cancel() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[Any] = []
        bob.listen(ring_only)
        call = await alice.invite(
            address_of(bob), cb_final=StopVariable(), send_bye=lambda param: note(told, param["why"])
        )
        await until(lambda: call.times.alerted)
        call.cancel(why="enough")
        await until(lambda: told == ["enough"])

    run(scenario)


def test_a_cancel_before_any_response_waits_for_one_and_names_the_same_transaction() -> None:
    async def main() -> None:
        async with agent() as alice:
            invites: list[Request] = []

            def answer(request: Request) -> list[Response]:
                if request.method == "INVITE":
                    invites.append(request)
                    return []
                if request.method == "CANCEL":
                    return [Response.to_request(request, 200), reply(invites[0], 487)]
                return []

            async with Peer(answer) as peer:
                finals: list[Any] = []
                call = await alice.invite(peer.uri(), cb_final=lambda status, call, info: note(finals, info["code"]))
                await until(lambda: invites)
                assert call.cancel()
                await asyncio.sleep(0.3)
                assert "CANCEL" not in peer.methods()
                peer.send(reply(invites[0], 180), invites[0])
                await until(lambda: finals == [487])
                cancel = next(request for request in peer.requests if request.method == "CANCEL")
                assert cancel.via.branch == invites[0].via.branch
                assert cancel.cseq.number == invites[0].cseq.number
                assert cancel.uri == invites[0].uri
                assert cancel.to_tag is None

    asyncio.run(main())


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    async def main() -> None:
        invites: list[Request] = []

        def answer(request: Request) -> list[Response]:
            if request.method == "INVITE":
                invites.append(request)
                return [reply(request, 180)]
            if request.method == "CANCEL":
                return [Response.to_request(request, 200), reply(invites[0], 200, peer=peer)]
            return [reply(request, 200)] if request.method == "BYE" else []

        async with agent() as alice, Peer(answer) as peer:
            finals: list[str] = []
            call = await alice.invite(peer.uri(), cb_final=lambda status, call, info: note(finals, status))
            await until(lambda: call.times.alerted)
            assert call.cancel()
            await until(lambda: "BYE" in peer.methods())
            await call.over()
            assert [each.method for each in peer.requests].count("ACK") == 1
            assert not call.is_up

    asyncio.run(main())


def test_ring_time_counts_with_cb_final_too() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[Any] = []
        bob.listen(ring_only)
        call = await alice.invite(
            address_of(bob),
            ring_time=0.3,
            cb_final=lambda status, call, info: note(told, status),
            cb_noanswer=lambda status, call, info: note(told, (status, "errno" in info)),
        )
        await call.over()
        assert told == ["FAIL", ("NOANSWER", True)]
        assert isinstance(call.error, CallTimeout)

    run(scenario)


def test_the_bye_of_the_peer_is_told_once_also_after_requests_digits_and_reinvites() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        told: list[Any] = []
        bob.listen(cb_create=lambda call, request: note(calls, call))
        call = await alice.invite(
            address_of(bob),
            media="silence",
            recv_bye=lambda param: note(told, ("recv_bye", param)),
            send_bye=lambda param: note(told, "send_bye"),
            cb_cleanup=lambda call: note(told, "cb_cleanup"),
        )
        await call.request("INFO", "x", content_type="text/plain")
        await call.dtmf("1", duration=60)
        await call.reinvite()
        await calls[0].bye()
        await call.over()
        assert told == ["cb_cleanup", ("recv_bye", call.param)]
        assert (call.cause, call.by) == ("bye", "remote")
        with pytest.raises(CallEnded):
            call.request("INFO")

    run(scenario)


@pytest.mark.parametrize("status", [200, 481, 500])
def test_the_callback_of_each_bye_is_told_at_any_final_response_and_once(status: int) -> None:
    async def main() -> None:
        def answer(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [reply(request, 200, peer=peer)]
            return [reply(request, status)] if request.method == "BYE" else []

        async with agent() as alice, Peer(answer) as peer:
            told: list[Any] = []
            call = await alice.invite(peer.uri(), {"mine": 1}, send_bye=lambda param: note(told, "send_bye"))
            call.bye(lambda param: note(told, (param["mine"], param["foo"])), foo=2)
            assert not call.is_up
            await call.bye(lambda param: note(told, "second"))
            await until(lambda: len(told) == 2)
            assert told == [(1, 2), "second"]
            assert peer.methods() == ["INVITE", "BYE"]

    asyncio.run(main())


def test_a_replaced_receiver_sees_every_message_and_may_delegate() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[str] = []
        finals: list[int] = []

        def ring_and_watch(call: Call, request: Request) -> Any:
            def receive(message: Request | Response, source: Hop) -> None:
                seen.append(message.method if isinstance(message, Request) else str(message.status))
                call.receive(message, source)

            async def ring() -> None:
                while not finals:
                    call.ring()
                    await asyncio.sleep(0.1)

            call.spawn(ring())
            return receive

        bob.listen(cb_create=ring_and_watch)
        rings: list[int] = []
        call = await alice.invite(
            address_of(bob),
            cb_preliminary=lambda call, code, response: note(rings, code),
            cb_final=lambda status, call, info: note(finals, info["code"]),
        )
        await until(lambda: rings.count(180) >= 3)
        call.cancel()
        await until(lambda: finals == [487])
        await until(lambda: seen == ["CANCEL", "ACK"])

    run(scenario)


def test_coroutines_that_outlive_their_call_are_cancelled() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        outcome: list[str] = []

        async def stays(call: Call) -> None:
            call.grace = 0.2
            await call.answer()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                outcome.append("cancelled")
                raise

        async def finishes(call: Call) -> None:
            await call.answer()
            await call.over()
            await asyncio.sleep(0.1)
            outcome.append("cleaned up")

        for robot in (stays, finishes):
            bob.listen(robot)
            await (await alice.invite(address_of(bob))).bye()
        await until(lambda: sorted(outcome) == ["cancelled", "cleaned up"])

    run(scenario)


def test_a_callback_coroutine_that_fails_ends_its_own_call_only(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(event: str, duration: int) -> None:
        raise RuntimeError(event)

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        good = await alice.invite(address_of(bob), media="silence")
        bob.listen(media="silence", cb_dtmf=fails)
        bad = await alice.invite(address_of(bob), media="silence")
        with suppress(CallEnded):  # the other side may be gone before the last packet of the digit
            await bad.dtmf("5", duration=60)
        await bad.over()
        assert bad.by == "remote"
        assert good.is_up
        await good.bye()

    with caplog.at_level(logging.CRITICAL, "sipswarm.actors.handle.call"):
        run(scenario)


def test_a_call_whose_handle_is_dropped_goes_on() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        told: list[str] = []
        bob.listen()
        call = await alice.invite(
            address_of(bob),
            cb_final=lambda status, call, info: (note(told, status), call.bye()),
            send_bye=lambda param: note(told, "send_bye"),
        )
        handle = weakref.ref(call)
        del call
        gc.collect()
        await until(lambda: told == ["OK", "send_bye"])
        assert handle() is None or handle().closed  # type: ignore[union-attr]

    run(scenario)
