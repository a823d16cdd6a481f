"""Calls over TCP and TLS between two user agents: set up, renegotiated, broken off in the middle, hung up."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from actors.call import Call
from actors.errors import CallRejected
from actors.user_agent import UserAgent

PORTS = count(32000, 200)
"""a range of RTP ports for each user agent, because ports rest after use"""


def agent(*legs: str) -> UserAgent:
    low = 32000 + (next(PORTS) - 32000) % 20000
    return UserAgent("sip:alice@127.0.0.1", legs=legs, rtp_ports=(low, low + 198))


def address(ua: UserAgent, leg: int = 0) -> str:
    listener = ua.legs[leg]
    return f"sip:bob@{str(listener).partition(':')[2]};transport={listener.transport}"


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await main()

    asyncio.run(bounded())


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()


@pytest.mark.parametrize("leg", ["tcp:127.0.0.1:0", "tcp:[::1]:0"])
def test_a_call_over_tcp_is_set_up_renegotiated_and_hung_up(leg: str) -> None:
    async def main() -> None:
        async with agent(leg) as alice, agent(leg) as bob:
            bob.listen(answers)
            call = await alice.invite(address(bob), media="tone:440")
            await call.reinvite()
            await asyncio.sleep(0.3)
            await call.bye()
            assert (call.cause, call.by) == ("bye", "local")
            assert call.statistics is not None
            assert call.statistics.packets_received

    run(main)


def test_a_refused_connection_ends_the_call_at_once() -> None:
    async def main() -> None:
        async with agent("tcp:127.0.0.1:0") as alice:
            async with agent("tcp:127.0.0.1:0") as bob:
                nobody = address(bob)
            started = asyncio.get_running_loop().time()
            with pytest.raises(CallRejected) as caught:
                await alice.invite(nobody)
            assert caught.value.status == 503
            assert asyncio.get_running_loop().time() - started < 2

    run(main)
