"""User agents of ours at home with kamailio: registered with a password, called and calling through its proxy.

What kamailio lets through is the verdict: it challenges each REGISTER and INVITE, and within a call takes only what
comes by the route that it recorded, which it counts.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import agent, note
from tests.e2e.waiting import until

from .conftest import Start
from .kamailio import Home
from .sipp import Sipp
from .test_ladders_of_callees import contented, judged


class Way(NamedTuple):
    """How two users reach their proxy."""

    caller: str
    called: str
    host: str = "127.0.0.1"


WAYS = [Way("udp", "udp"), Way("tcp", "tcp"), Way("udp", "tcp"), Way("tcp", "udp"), Way("udp", "udp", "[::1]")]


def user(home: Home, name: str, transport: str, host: str, password: str = "") -> UserAgent:
    proxy = f"sip:{host}:{home.port}" + (f";transport={transport}" if transport != "udp" else "")
    return agent(
        f"sip:{name}@home.test",
        f"{transport}:{host}:0",
        outgoing_proxy=proxy,
        registrar=proxy,
        auth=(name, password or f"PASSWORD-{name}"),
    )


@pytest.mark.parametrize("hangs_up", ["caller", "called"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way))
def test_both_sides_renegotiate_and_hang_up_along_the_recorded_route(
    tmp_path: Path, start: Start, way: Way, hangs_up: str
) -> None:
    home = start(Home(tmp_path))
    home.ready()

    async def main() -> None:
        taken: list[Call] = []
        alice = user(home, "alice", way.caller, way.host)
        bob = user(home, "bob", way.called, way.host)
        async with asyncio.timeout(30), alice, bob:
            bob.listen(cb_established=lambda status, call: note(taken, call))
            assert await bob.register() > 0
            assert await alice.register() > 0
            call = await alice.invite("sip:bob@home.test")
            await until(lambda: len(taken) == 1)
            await call.reinvite()
            await until(lambda: len(taken) == 2)
            await taken[0].reinvite()
            one, other = (call, taken[0]) if hangs_up == "caller" else (taken[0], call)
            await one.bye()
            await other.over()
            assert (call.cause, taken[0].cause) == ("bye", "bye")
            assert {call.by, taken[0].by} == {"local", "remote"}
            await bob.register(expires=0)
            with pytest.raises(CallRejected) as gone:
                await alice.invite("sip:bob@home.test")
            assert gone.value.status == 404

    asyncio.run(main())
    assert home.by_route() == {"ACK": 3, "INVITE": 2, "BYE": 1}, home.program.account()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_wrong_password_registers_nobody_and_places_no_call(tmp_path: Path, start: Start, transport: str) -> None:
    home = start(Home(tmp_path))
    home.ready()

    async def main() -> None:
        async with asyncio.timeout(20), user(home, "alice", transport, "127.0.0.1", "wrong") as alice:
            with pytest.raises(CallRejected) as register:
                await alice.register()
            with pytest.raises(CallRejected) as invite:
                await alice.invite("sip:bob@home.test")
            assert (register.value.status, invite.value.status) == (401, 407)

    asyncio.run(main())


@pytest.mark.slow
def test_the_branching_caller_of_sipp_registers_and_calls_us_through_a_proxy(tmp_path: Path, start: Start) -> None:
    home = start(Home(tmp_path, open_=True))
    home.ready()

    async def main() -> None:
        async with asyncio.timeout(60), user(home, "ua2", "udp", "127.0.0.1") as called:
            called.listen(media="none")
            assert await called.register() > 0
            sipp = start(Sipp(tmp_path, "branch", remote=home.address, scenario="branchc", calls=1, seconds=40))
            contented(await judged(sipp))

    asyncio.run(main())
