"""docs/from-net-sip.md: its Perl compiles, its Python runs against a user agent or a registrar of the test."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.interop.peers import NET_SIP, require

from .agents import Peer, address_of, agent, gate, note, reply, run
from .servers import serving
from .waiting import again_after_a_stop, until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from-net-sip.md").read_text()
PERL = re.findall(r"^```perl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def functions() -> dict[str, Callable[..., Any]]:
    """What the Python of the page defines, all of it in one module."""
    found: dict[str, Any] = {"__name__": "page"}
    exec(compile("".join(PYTHON), "<docs/from-net-sip.md>", "exec"), found)
    return {name: each for name, each in found.items() if getattr(each, "__module__", "") == "page"}


PAGE_DEFINES = functions()
RUN = {
    "alice", "register", "play", "in_callbacks", "take_calls", "ask_for_a_pin", "known_callers_only", "digits", "hold",
    "redirect_strangers", "give_up", "frames", "requests", "ask", "every_minute", "wait_for_reinvite",
    "reinvite_when_up", "join", "bench",
}  # fmt: skip
"""what the tests below run"""


def test_every_function_of_the_page_is_run_here() -> None:
    assert set(PAGE_DEFINES) == RUN


def test_the_perl_of_the_page_compiles(tmp_path: Path) -> None:
    require(NET_SIP)
    agent_of_perl, *others = PERL
    script = tmp_path / "page.pl"
    blocks = "".join(f"{{\n{each}}}\n" for each in others)
    script.write_text(f"use strict;\nuse warnings;\nuse Net::SIP;\n{agent_of_perl}{blocks}")
    done = subprocess.run(["perl", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == f"{script} syntax OK\n"


def test_two_users_with_passwords_meet_at_a_proxy_and_one_sends_the_other_a_reinvite(tmp_path: Path) -> None:
    """The three samples with passwords, in ports of ours."""
    users = tmp_path / "users.csv"
    users.write_text("user,password\n101,secret\n102,secret\n")
    words = ("--listen", "udp:127.0.0.1:0", "--registrar", "--auth", "--users", str(users), "--realm", "example.org")

    async def main(proxy: str) -> None:
        def user(number: str) -> UserAgent:
            where = {"domain": "example.org", "outgoing_proxy": proxy, "registrar": proxy}
            return agent(f"sip:{number}@example.org", auth=(number, "secret"), **where)

        async with asyncio.timeout(30), user("101") as caller, user("102") as called:
            waits = asyncio.create_task(PAGE_DEFINES["reinvite_when_up"](called))
            await until(lambda: server.metric("sipswarm_registrar_bindings") == 1)
            await PAGE_DEFINES["wait_for_reinvite"](caller, "102")
            await waits
            assert server.metric("sipswarm_registrar_bindings") == 2

    with serving("proxy", *words, "--domain", "example.org") as server:
        asyncio.run(main(f"sip:127.0.0.1:{server.ports['udp']}"))


def test_the_bench_counts_what_comes_back_and_how_late() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="echo")
        received, lost, delays = await PAGE_DEFINES["bench"](alice, address_of(bob), 2, 0.5)
        assert received == len(delays) > 10
        assert lost >= 0
        assert 0 < min(delays) <= max(delays)

    run(scenario)


def test_two_phones_are_joined() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        for ua in (alice, bob):
            ua.listen(media="tone:440", cb_create=lambda call, request: note(calls, call))
        async with agent("sip:controller@127.0.0.1") as ua:
            both = await PAGE_DEFINES["join"](ua, address_of(alice), address_of(bob))
            await until(lambda: all(each.statistics.packets_received > 5 for each in calls))
            for call in both:
                await call.bye()
        assert len(calls) == 2

    run(scenario)


def test_a_registration_returns_what_is_granted_or_the_refusal() -> None:
    async def main() -> None:
        for password, result in (("secret", 120), ("other", "refused: 403 Forbidden")):
            judge = gate(user="alice", password="secret")

            def registrar(request: Request) -> Sequence[Response]:
                refused = judge(request) if password == "secret" else reply(request, 403)  # noqa: B023
                if refused is not None:
                    return [refused]
                return [reply(request, 200, ("Contact", f"{request.contacts[0]}"), ("Expires", "120"))]

            async with Peer(registrar) as peer:
                assert await PAGE_DEFINES["register"](f"sip:127.0.0.1:{peer.port}") == result

    asyncio.run(main())


@again_after_a_stop
def test_a_file_is_played_and_the_call_hung_up_by_the_caller(tmp_path: Path) -> None:
    file = tmp_path / "hello.ulaw"
    file.write_bytes(b"\xd5" * 160 * 25)

    async def scenario(alice: Any, bob: Any) -> None:
        bob.listen()
        statistics = await PAGE_DEFINES["play"](alice, address_of(bob), str(file))
        assert 12 <= statistics.packets_sent <= 26  # a machine that is busy leaves late frames out

    run(scenario)


def test_callbacks_tell_ringing_the_answer_and_the_end() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        async def robot(call: Call) -> None:
            call.ring()
            await call.answer()

        bob.listen(robot)
        codes, result, hung_up = await PAGE_DEFINES["in_callbacks"](alice, address_of(bob))
        assert 180 in codes
        assert result == "OK"
        assert hung_up

        bob.listen(cb_create=lambda call, request: False, refuse_status=486)
        assert (await PAGE_DEFINES["in_callbacks"](alice, address_of(bob)))[1:] == (486, False)

    run(scenario)


def test_calls_are_taken_and_those_of_spammers_declined() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        peers: list[str] = []
        PAGE_DEFINES["take_calls"](bob, peers)
        call = await alice.invite(address_of(bob), media="tone:440")
        await call.bye()
        assert peers == ["<sip:alice@127.0.0.1>"]
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with agent("sip:spam@127.0.0.1") as spammer:
            refused = await spammer.invite(address_of(bob), cb_final=lambda status, call, info: result.set_result(info))
            assert (await result)["code"] == 603
            await refused.over()

    run(scenario)


def test_alice_is_taken_and_others_are_redirected() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        PAGE_DEFINES["redirect_strangers"](bob, "<sip:other@192.0.2.1>")
        await (await alice.invite(address_of(bob), media="none")).bye()
        async with agent("sip:carol@127.0.0.1") as carol:
            with pytest.raises(CallRejected, match="302") as refused:
                await carol.invite(address_of(bob), media="none")
            assert refused.value.response is not None
            assert refused.value.response.headers.get("Contact") == "<sip:other@192.0.2.1>"

    run(scenario)


def test_callers_with_the_password_are_taken_and_others_are_not() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        PAGE_DEFINES["known_callers_only"](bob)
        for password in ("hush", "guess"):
            async with agent("sip:bob@127.0.0.1", auth=("bob", password)) as caller:
                if password == "hush":
                    await (await caller.invite(address_of(bob))).bye()
                else:
                    with pytest.raises(CallRejected):
                        await caller.invite(address_of(bob))

    run(scenario)


def test_digits_go_to_the_robot_and_its_answer_comes_back() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        pins: list[str] = []
        PAGE_DEFINES["ask_for_a_pin"](bob, pins)
        assert await PAGE_DEFINES["digits"](alice, address_of(bob)) == "#"
        assert pins == ["1234"]

    run(scenario)


def test_hold_resume_and_new_ports_are_three_more_invites() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        invites: list[Any] = []
        bob.listen(cb_invite=lambda call, request: note(invites, request.body) and None)
        await PAGE_DEFINES["hold"](alice, address_of(bob))
        first, held, resumed, renewed = [re.search(rb"c=IN IP4 (\S+).*m=audio (\d+)", body, re.S) for body in invites]
        assert first is not None
        assert held is not None
        assert resumed is not None
        assert renewed is not None
        assert held[1] == b"0.0.0.0"
        assert resumed.groups() == first.groups()
        assert renewed[2] != first[2]

    run(scenario)


def test_a_call_that_rings_for_ever_is_given_up_both_ways() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        ends: list[str] = []

        async def robot(call: Call) -> None:
            call.ring()
            await call.over()
            ends.append(call.cause)

        bob.listen(robot)
        await PAGE_DEFINES["give_up"](alice, address_of(bob))
        await until(lambda: len(ends) == 2)

    run(scenario)


@again_after_a_stop
def test_frames_of_ones_own_come_back_from_an_echo_and_their_end_ends_the_call() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        bob.listen()
        heard = await PAGE_DEFINES["frames"](alice, address_of(bob))
        assert 25 <= len(heard) <= 50  # as above
        assert set(heard) == {b"\xff" * 160}

    run(scenario)


def test_a_header_and_a_request_within_the_call_arrive() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        tickets: list[Any] = []
        bob.listen(cb_invite=lambda call, request: note(tickets, request.headers.get("X-Ticket")) and None)
        assert await PAGE_DEFINES["requests"](alice, address_of(bob)) == 200
        assert tickets == ["4711"]

    run(scenario)


def test_an_agent_is_asked_what_it_takes() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        bob.listen()
        assert "INVITE" in await PAGE_DEFINES["ask"](alice, address_of(bob))

    run(scenario)


def test_a_timer_ticks_after_its_first_second_and_can_be_cancelled() -> None:
    async def scenario(alice: Any, bob: Any) -> None:
        ticks: list[int] = []
        timer = PAGE_DEFINES["every_minute"](alice, lambda: ticks.append(1))
        await until(lambda: len(ticks) == 1)  # a second later
        assert timer.active
        timer.cancel()
        assert not timer.active

    run(scenario)
