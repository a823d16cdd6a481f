"""Endings, requests and registrations by scripts: each is told once, and returns when the documents say."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, agent, note, reply
from .waiting import until

Answer = Callable[[Request, Peer], Sequence[Response]]


def with_peer(scenario: Callable[[UserAgent, Peer], Any], answer: Answer) -> None:
    """Run a scenario with alice and a peer."""

    async def main() -> None:
        peer = Peer(lambda request: answer(request, peer))
        async with asyncio.timeout(30), agent("sip:alice@127.0.0.1") as alice, peer:
            await scenario(alice, peer)

    asyncio.run(main())


def usual(request: Request, peer: Peer) -> Sequence[Response]:
    """Answers everything with 200, REFER with 202."""
    status = 202 if request.method == "REFER" else 200
    return [] if request.method == "ACK" else [reply(request, status, peer=peer)]


def rings(request: Request, peer: Peer) -> Sequence[Response]:
    """Rings until it is cancelled."""
    if request.method == "CANCEL":
        invite = next(each for each in peer.requests if each.method == "INVITE")
        return [reply(request, 200), reply(invite, 487)]
    return [reply(request, 180)] if request.method == "INVITE" else []


def test_request_returns_at_the_response_whatever_the_method() -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        call = await alice.invite(peer.uri(), media="none")
        for method in ("REFER", "INFO", "OPTIONS", "MESSAGE", "NOTIFY", "SUBSCRIBE"):
            started = time.monotonic()
            response = await call.request(method, Refer_To="<sip:carol@127.0.0.1>", Event="refer")
            assert response.status == (202 if method == "REFER" else 200)
            told: list[Any] = []
            call.request(method, Refer_To="<sip:carol@127.0.0.1>", cb_final=lambda *info, told=told: note(told, info))
            await until(lambda told=told: bool(told))  # type: ignore[misc]
            assert told[0][0] == "OK"
            assert time.monotonic() - started < 5
        await call.bye()

    with_peer(scenario, usual)


def test_each_cancel_is_told() -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        told: list[str] = []
        rung = StopVariable()
        call = await alice.invite(peer.uri(), cb_final=lambda *_: None, cb_preliminary=rung, send_cancel=StopVariable())
        await until(lambda: rung)
        assert call.cancel(cb_final=lambda param: note(told, "first"))
        assert call.cancel()
        assert call.cancel(cb_final=lambda param: note(told, param["why"]), why="third")
        call.hang_up()
        await call.bye()
        await until(lambda: told == ["first", "third"])
        assert not call.cancel(cb_final=lambda param: note(told, "late"))
        assert call.get_param("send_cancel")  # of the second
        assert peer.methods() == ["INVITE", "CANCEL"]

    with_peer(scenario, rings)


@pytest.mark.parametrize("first", ["bye", "bye with callback", "hang_up"])
def test_a_repeated_end_takes_no_callback_away(first: str) -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        told: list[str] = []
        call = await alice.invite(peer.uri(), media="none", send_bye=lambda param: note(told, "default"))
        if first == "hang_up":
            call.hang_up()
        elif first == "bye":
            call.bye()
        else:
            call.bye(cb_final=lambda param: note(told, "first"))
        call.bye()
        call.bye(cb_final=lambda param: note(told, param["why"]), why="second")
        call.hang_up()
        await call.bye()
        await until(lambda: len(told) == 2)
        assert told == ["first" if "callback" in first else "default", "second"]
        assert peer.methods() == ["INVITE", "BYE"]

    with_peer(scenario, usual)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("outcome", ["granted", "refused", "nowhere"])
def test_register_with_a_callback_returns_at_once_and_tells_once(outcome: str, named: bool) -> None:
    answered: list[Request] = []

    def answer(request: Request, peer: Peer) -> Sequence[Response]:
        asyncio.get_running_loop().call_later(0.5, send, request, peer)
        return []

    def send(request: Request, peer: Peer) -> None:
        answered.append(request)
        peer.send(reply(request, *of(request)), request)

    def of(request: Request) -> tuple[Any, ...]:
        if outcome == "refused":
            return (403,)
        return 200, ("Contact", f"{request.headers.get('Contact')};expires=60")

    async def scenario(alice: UserAgent, peer: Peer) -> None:
        told: list[Any] = []
        host = ("nowhere.invalid" if outcome == "nowhere" else "localhost") if named else "127.0.0.1"
        port = 1 if outcome == "nowhere" and not named else peer.port
        registrar = f"sip:{host}:{port}"
        granted = await alice.register(registrar, cb_final=lambda *info: note(told, info))
        assert granted == 0
        assert not answered, "it returned before the answer"
        await until(lambda: bool(told))
        await asyncio.sleep(0.1)
        (report,) = told
        if outcome == "granted":
            assert report[:2] == ("OK", 60)
        elif outcome == "refused":
            assert report[:2] == ("FAIL", {"code": 403})
        else:
            assert (report[0], list(report[1])) == ("FAIL", ["errno"])

    with_peer(scenario, answer)


@pytest.mark.parametrize("given_at", ["reinvite", "invite"])
def test_the_ring_time_of_a_reinvite_holds(given_at: str) -> None:
    invites: list[Request] = []

    def answer(request: Request, peer: Peer) -> Sequence[Response]:
        if request.method == "INVITE":
            invites.append(request)
            return [reply(request, 180 if len(invites) == 2 else 200, peer=peer)]
        if request.method == "CANCEL":
            return [reply(request, 200), reply(invites[-1], 487)]
        return usual(request, peer)

    async def scenario(alice: UserAgent, peer: Peer) -> None:
        told: list[Any] = []
        param: dict[str, Any] = {"ring_time": 1.5, "cb_noanswer": lambda *info: note(told, info[0])}
        call = await alice.invite(peer.uri(), media="none", **(param if given_at == "invite" else {}))
        await call.reinvite(cb_final=lambda *info: note(told, info[0]), **(param if given_at == "reinvite" else {}))
        await until(lambda: told == ["FAIL", "NOANSWER"])
        assert call.is_up
        await call.reinvite(cb_final=None)
        await call.bye()
        assert peer.methods() == ["INVITE", "INVITE", "CANCEL", "INVITE", "BYE"]

    with_peer(scenario, answer)
