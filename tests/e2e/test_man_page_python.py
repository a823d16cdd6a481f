"""How the man page becomes Python, row by row: callback kinds, builders, awaiting, what the end does (CALL.md 0)."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sipswarm
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, ConfigurationError
from sipswarm.actors.handle.call import GRACE, Call
from sipswarm.actors.handle.media_handlers import MediaHandler
from sipswarm.actors.handle.parameters import CallParameters
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import until


def test_a_result_is_told_to_a_callback_of_any_kind() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        class Runner:
            def run(self, status: str, call: Call, info: object) -> None:
                seen.append(("run", status))

        async def coroutine(status: str, call: Call, info: object) -> None:
            await asyncio.sleep(0)
            seen.append(("coroutine", status))

        seen: list[Any] = []
        variable, event = StopVariable(), asyncio.Event()
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        kinds: list[tuple[Any, Callable[[], Any]]] = [
            (lambda status, call, info: seen.append(("plain", status)), lambda: ("plain", "OK") in seen),
            (coroutine, lambda: ("coroutine", "OK") in seen),
            (Runner(), lambda: ("run", "OK") in seen),
            (
                (lambda mine, more, status, call, info: seen.append((mine, more, status)), "own", 1),
                lambda: ("own", 1, "OK") in seen,
            ),
            ([lambda mine, status, call, info: seen.append((mine, status)), "list"], lambda: ("list", "OK") in seen),
            (variable, lambda: variable.value == "OK"),
            (event, event.is_set),
            (future, lambda: future.done() and future.result() == "OK"),
            (re.compile("OK"), lambda: True),
        ]
        bob.listen()
        for callback, told in kinds:
            call = await alice.invite(address_of(bob), cb_final=callback)
            await until(lambda call=call, told=told: call.is_up and told())  # type: ignore[misc]  # bound at once
            await call.bye()
        await (await alice.invite(address_of(bob), cb_final=None)).bye()  # nothing to call: awaited instead

    run(scenario)


def test_every_media_handler_is_built_by_the_user_agent_too(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        raw = tmp_path / "in.raw"
        raw.write_bytes(b"\x55" * 1600)
        built: list[tuple[str, MediaHandler, MediaHandler]] = [
            ("recv_echo", alice.rtp("media_recv_echo", None, 2), sipswarm.echo(delay=2)),
            ("send_recv", alice.rtp("media_send_recv", raw, 3), sipswarm.send_recv(raw, 3)),
            ("echo", alice.rtp("echo"), sipswarm.echo()),
            ("play", alice.rtp("play", raw), sipswarm.play(raw)),
            ("record", alice.rtp("record", tmp_path / "a.wav"), sipswarm.record(tmp_path / "a.wav")),
            ("silence", alice.rtp("silence"), sipswarm.silence()),
            ("tone", alice.rtp("tone", 300), sipswarm.tone(300)),
        ]
        bob.listen(media="echo")
        for name, handler, same in built:
            assert handler == same
            assert (
                alice.rtp(name) == alice.rtp(f"media_{name}") if name not in ("play", "send_recv", "record") else True
            )
            call = await alice.invite(address_of(bob), init_media=handler, cb_rtp_done=[])
            assert call.handler is handler
            await call.bye()

    run(scenario)


def test_digits_are_awaited_by_number_and_time_or_one_by_one() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        heard: list[Any] = []

        async def robot(call: Call) -> None:
            await call.answer()
            heard.append(await call.digits(2))
            heard.append(await call.digits(5, timeout=0.2))
            heard.extend([digit async for digit in call.received_digits()])
            heard.append("the end")

        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence")
        await call.dtmf("12", duration=60)
        await asyncio.sleep(0.5)
        await call.dtmf("3#", duration=60)
        await call.bye()
        await until(lambda: heard[-1:] == ["the end"])
        assert heard == ["12", "", "3", "#", "the end"]

    run(scenario)


def test_the_ack_has_left_before_cb_final_and_init_media_comes_after_it() -> None:
    async def main() -> None:
        order: list[str] = []

        def final(status: str, call: Call, info: object) -> None:
            order.extend(rung.start_line.partition(" ")[0] for rung in call.ladder.rungs if rung.sent)
            order.append("cb_final")

        async with agent(trace=True) as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen()
            call = await alice.invite(
                address_of(bob), cb_final=final, init_media=lambda call, param: note(order, "init_media")
            )
            await until(lambda: "init_media" in order)
            assert order == ["INVITE", "ACK", "cb_final", "init_media"]
            await call.bye()

    asyncio.run(main())


async def _drive(call: Call, which: str) -> None:
    waits: dict[str, Callable[[], Awaitable[Any]]] = {
        "established": call.established,
        "answer": call.answer,
        "reinvite": call.reinvite,
        "hold": call.hold,
        "resume": call.resume,
        "request": lambda: call.request("INFO"),
        "transfer": lambda: call.transfer("sip:x@127.0.0.1"),
        "dtmf": lambda: call.dtmf("1"),
        "digits": lambda: call.digits(1),
    }
    await waits[which]()


@pytest.mark.parametrize(
    "which", ["established", "answer", "reinvite", "hold", "resume", "request", "transfer", "dtmf", "digits"]
)
def test_awaiting_after_the_end_raises_call_ended(which: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        call = await alice.invite(address_of(bob))
        await call.bye()
        with pytest.raises(CallEnded) as ended:
            await _drive(call, which)
        assert ended.value.cause == "bye"
        await call.over()  # this one never raises

    run(scenario)


@pytest.mark.parametrize("which", ["reinvite", "request", "dtmf", "digits"])
def test_what_waits_when_the_call_ends_raises_call_ended(which: str) -> None:
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            first = request.method == "INVITE" and request.cseq.number == 1
            return [reply(request, 200, peer=peer)] if first or request.method == "BYE" else []

        async with agent() as alice, Peer(answer) as peer:
            call = await alice.invite(peer.uri(), media="silence")
            task = asyncio.ensure_future(
                call.dtmf("1234567890", duration=500, methods="audio") if which == "dtmf" else _drive(call, which)
            )
            await asyncio.sleep(0.1)
            call.hang_up()
            with pytest.raises(CallEnded):
                await task
            if which != "reinvite":  # of which the answer is waited for
                await until(lambda: "BYE" in peer.methods())

    asyncio.run(main())


def test_coroutines_have_half_a_minute_for_their_own_clean_up() -> None:
    assert GRACE == Call.grace == 30.0


def test_a_format_that_only_the_peer_names_is_answered_as_it_was_offered() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        shapes: list[Any] = []
        bob.listen(
            init_media=lambda call, param: note(shapes, (param.rtp_param[0], param.sdp_peer.media[0].formats)),
        )
        call = await alice.invite(address_of(bob), rtp_param=[8, 160, 0.02])
        await until(lambda: shapes)
        assert shapes == [(8, ["8", "101"])] or shapes == [(8, ("8", "101"))]
        assert call.param.sdp_peer is not None
        assert list(call.param.sdp_peer.media[0].formats) == ["8", "101"]
        await call.bye()

    run(scenario)


def test_an_option_that_is_not_known_is_refused_and_a_parameter_is_kept() -> None:
    with pytest.raises(ConfigurationError, match="no argument colour"):
        UserAgent(colour="red")  # type: ignore[call-arg]  # that is what is tested
    param = CallParameters(colour="red", asymmetric_rtp=True)
    assert (param.get("colour"), param.get("asymetric_rtp"), param.get("size")) == ("red", True, None)


NODE = """
import socket
from sipswarm import ConfigurationError

async def sockets(ua, row):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        try:
            await ua.invite(ua.target, media_lsocks=[own])
        except ConfigurationError as error:
            assert "reserve_media" in str(error), str(error)
        else:
            assert False, "another process cannot use the socket"
    heard, sending = await ua.reserve_media(2)
    call = await ua.invite(ua.target, media="silence", media_lsocks=[heard], media_ssocks=[sending])
    assert call.get_param("media_lsocks")[0].port == heard.port
    await call.bye()
"""


def test_in_a_node_a_socket_is_refused_with_the_way_out_and_leases_work(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(NODE)

    async def main() -> None:
        async with agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence")
            options = ["-r", "10", "-m", "2", "--out", str(tmp_path / "out"), "--quiet"]
            scenario = ["--scenario", f"{tmp_path / 'own.py'}:sockets", "--call-workers", "1", "--media-workers", "2"]
            arguments = ["load", f"127.0.0.1:{bob.legs[0].port}", *options, *scenario]
            load = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sipswarm", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            async with asyncio.timeout(60):
                printed, _ = await load.communicate()
            assert load.returncode in (0, 98), printed.decode()

    asyncio.run(main())


def test_a_reserved_port_that_nobody_wants_is_no_port_of_a_call() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError, match="media_lsocks"):
            await alice.invite(address_of(bob), media_lsocks=["5004"])

    run(scenario)
