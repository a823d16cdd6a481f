"""Callbacks that fail: the log names the callback with the user's file and line, and the failure is the user's."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import send_recv
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, address_of, agent, note, reply, run
from .waiting import until

HERE = Path(__file__).name


def fails(*arguments: Any) -> Any:
    raise OSError("no such number")


async def fails_later(*arguments: Any) -> Any:
    await asyncio.sleep(0)
    raise OSError("no such number")


def awaits_what_was_cancelled(*arguments: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    return future.result()


async def awaits_it_later(*arguments: Any) -> Any:
    waiting = asyncio.ensure_future(asyncio.sleep(10))
    waiting.cancel()
    return await waiting


FAILING = [fails, fails_later, awaits_what_was_cancelled, awaits_it_later]


async def rings(call: Call) -> None:
    call.ring()
    await call.answer()
    await call.over()


def logged(caplog: pytest.LogCaptureFixture, what: str) -> bool:
    """Whether the log has the failure with its place, and blames nothing else."""
    assert not [text for text in caplog.messages if "our own code" in text]
    line = rf"{re.escape(what)} of call \S+ failed at \S*{re.escape(HERE)}:\d+, and .*"
    return any(re.fullmatch(line, text) for text in caplog.messages)


@pytest.mark.parametrize("callback", FAILING)
@pytest.mark.parametrize("name", ["cb_final", "cb_preliminary", "init_media"])
def test_a_callback_of_the_caller_ends_its_call_as_the_users_fault(
    name: str, callback: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(rings)
        given: dict[str, Any] = {"cb_final": lambda *result: None, name: callback}
        call = await alice.invite(address_of(bob), **given)
        await asyncio.wait_for(call.over(), 10)
        await until(lambda: logged(caplog, f"the callback {name}"))
        assert "internal_error" not in (call.failure, call.cause_name)
        assert "scenario_error" in (call.failure, call.cause_name)

    run(scenario)


@pytest.mark.parametrize("callback", FAILING)
@pytest.mark.parametrize("name", ["cb_established", "init_media", "cb_dtmf"])
def test_a_callback_of_the_callee_ends_its_call_as_the_users_fault(
    name: str, callback: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        given: dict[str, Any] = {name: callback}
        bob.listen(cb_create=lambda call, request: note(calls, call), **given)
        call = await alice.invite(address_of(bob), media="silence")
        if name == "cb_dtmf":
            call.dtmf("1", cb_final=lambda *result: None)
        await asyncio.wait_for(call.over(), 10)
        assert call.by == "remote"
        await until(lambda: logged(caplog, f"the callback {name}"))
        assert "scenario_error" in (calls[0].failure, calls[0].cause_name)

    run(scenario)


@pytest.mark.parametrize("callback", FAILING)
@pytest.mark.parametrize("name", ["filter", "cb_create", "cb_invite"])
def test_a_decision_that_fails_is_named_with_its_line(
    name: str, callback: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        given: dict[str, Any] = {name: callback}
        bob.listen(media="silence", **given)
        with pytest.raises(CallRejected, match="500"):
            await alice.invite(address_of(bob), media="none")
        await until(lambda: logged(caplog, f"the callback {name}"))

    run(scenario)


def test_a_result_that_cannot_be_sent_is_the_fault_of_its_callback(caplog: pytest.LogCaptureFixture) -> None:
    def answers(call: Call, request: Request) -> Response:
        return Response.to_request(request, 200, extra=[("Contact", "no address")])

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence", cb_invite=answers)
        with pytest.raises(CallRejected, match="500"):
            await alice.invite(address_of(bob), media="none")
        await until(lambda: logged(caplog, "what the callback cb_invite returned"))

    run(scenario)


@pytest.mark.parametrize("side", ["source", "output"])
def test_a_function_of_frames_that_fails_is_named_with_its_line(side: str, caplog: pytest.LogCaptureFixture) -> None:
    def reads(number: int, channel: int) -> bytes:
        return fails() if side == "source" else b"\xff" * 160

    def writes(payload: bytes) -> None:
        if side == "output":
            fails()

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="echo")
        call = await alice.invite(address_of(bob), init_media=send_recv(reads, 1, writes))
        await asyncio.wait_for(call.over(), 10)
        what = "the function that gives frames" if side == "source" else "the function that takes frames"
        await until(lambda: logged(caplog, what))
        assert call.cause_name == "scenario_error"

    run(scenario)


@pytest.mark.parametrize("callback", FAILING)
@pytest.mark.parametrize("name", ["recv_bye", "send_bye", "cb_cleanup"])
def test_a_callback_of_the_end_is_named_with_its_line(
    name: str, callback: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        given: dict[str, Any] = {name: callback}
        bob.listen(media="silence", **(given if name == "recv_bye" else {}))
        call = await alice.invite(address_of(bob), media="none", **({} if name == "recv_bye" else given))
        await call.bye()
        await until(lambda: logged(caplog, f"the callback {name}"))

    run(scenario)


@pytest.mark.parametrize("failing", [fails_later, awaits_it_later])
def test_an_error_of_a_robot_has_its_line(failing: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def robot(call: Call) -> None:
        await call.answer()
        await failing()

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="none")
        await asyncio.wait_for(call.over(), 10)
        await until(lambda: logged(caplog, "the robot"))

    run(scenario)


def test_whoever_waits_for_the_call_gets_the_users_exception_as_the_cause() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        with pytest.raises(CallEnded) as ended:
            await asyncio.wait_for(alice.invite(address_of(bob), init_media=fails), 10)
        assert ended.value.cause == "scenario_error"
        assert isinstance(ended.value.__cause__, OSError)

    run(scenario)


@pytest.mark.parametrize("callback", FAILING)
def test_a_registration_outlives_its_callback(callback: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def registrar(request: Request) -> list[Response]:
            contact = [("Contact", f"{request.contacts[0]};expires=60")] if request.contacts else []
            return [reply(request, 200, *contact)]

        async with agent() as alice, Peer(registrar) as peer:
            await alice.register(peer.uri(), cb_final=callback)
            what = "the callback cb_final of a registration failed at "
            await until(lambda: any(text.startswith(what) and HERE in text for text in caplog.messages))
            assert await alice.register(peer.uri()) == 60
            assert not [text for text in caplog.messages if "our own code" in text]

    asyncio.run(main())
