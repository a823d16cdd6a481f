"""Listeners on 0.0.0.0 and ::, and advertised addresses: what peers see, and that calls, media and REGISTER work.

Each listener is of a wildcard, so that every address of loopback reaches it; no wildcard may stand in a message.
"""

import asyncio
import re
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import Peer, agent, reply

WILDCARD = re.compile(rb"0\.0\.0\.0|\[::\]|IP6 ::\r")


def texts(call: Call) -> list[bytes]:
    """The messages of a call; none of them names a wildcard."""
    messages = [rung.data for rung in call.ladder.rungs]
    assert not [message for message in messages if WILDCARD.search(message)]
    return messages


def first(messages: list[bytes], start: bytes, name: bytes) -> bytes:
    """A header of the first message that starts so; `c=` for the address in its description."""
    message = next(each for each in messages if each.startswith(start))
    mark = b"\r\n" + name + (b"" if name == b"c=" else b": ")
    return message.partition(mark)[2].partition(b"\r\n")[0]


async def talk(caller: UserAgent, callee: UserAgent, to: str) -> tuple[list[bytes], list[bytes]]:
    """A call with digits both ways that the callee ends; what each side saw of it."""
    came: list[Call] = []
    heard: list[str] = []

    async def robot(call: Call) -> None:
        came.append(call)
        await call.answer()
        heard.append(await call.digits(1, 10))
        await call.dtmf("5")

    callee.listen(robot, media="silence")
    placed = await caller.invite(to, media="silence")
    await placed.dtmf("1")
    assert await placed.digits(1, 10) == "5"
    await asyncio.wait_for(placed.over(), 10)
    await asyncio.wait_for(came[0].over(), 10)
    assert heard == ["1"]
    return texts(placed), texts(came[0])


@pytest.mark.parametrize(
    ("leg", "to", "seen"),
    [
        ("udp:0.0.0.0:0", "127.0.0.3", "127.0.0.3"),
        ("tcp:0.0.0.0:0", "127.0.0.3", "127.0.0.3"),
        ("udp:[::]:0", "[::1]", "[::1]"),
        ("tcp:[::]:0", "[::1]", "[::1]"),
    ],
)
@pytest.mark.parametrize("advertise", [False, True])
def test_a_wildcard_is_called_and_calls(leg: str, to: str, seen: str, advertise: bool) -> None:
    shown = "[::1]" if "[" in to else "127.0.0.2"
    given: dict[str, Any] = {"advertise": shown} if advertise else {}

    async def main() -> None:
        bob, alice = (
            agent("sip:bob@example.org", leg, trace=True, **given),
            agent("sip:alice@example.org", leg, trace=True, **given),
        )
        transport = leg.partition(":")[0]
        async with asyncio.timeout(50), bob, alice:
            placed, came = await talk(alice, bob, f"sip:bob@{to}:{bob.legs[0].port};transport={transport}")
            ours = shown if advertise else seen
            contact = first(came, b"SIP/2.0 200", b"Contact").decode()
            assert contact.startswith(f"<sip:bob@{ours}:{bob.legs[0].port}")
            assert first(came, b"SIP/2.0 200", b"c=").decode().endswith(f" {ours.strip('[]')}")
            assert f" {ours}:{bob.legs[0].port};" in first(came, b"BYE", b"Via").decode()
            theirs = shown if advertise else "[::1]" if "[" in to else "127.0.0.1"
            assert f" {theirs}:{alice.legs[0].port};" in first(placed, b"INVITE", b"Via").decode()
            assert first(placed, b"INVITE", b"Contact").decode().startswith(f"<sip:alice@{theirs}:")
            assert first(placed, b"INVITE", b"c=").decode().endswith(f" {theirs.strip('[]')}")

    asyncio.run(main())


@pytest.mark.parametrize(("advertise", "seen"), [((), "127.0.0.1"), ("127.0.0.2", "127.0.0.2")])
def test_register_binds_an_address_that_can_be_called(advertise: Any, seen: str) -> None:
    async def main() -> None:
        def answer(request: Request) -> list[Response]:
            bound = ("Contact", f"{request.headers.get('Contact')};expires=60")
            return [reply(request, 200, bound)]

        async with (
            asyncio.timeout(50),
            Peer(answer) as peer,
            agent("sip:a@b", "udp:0.0.0.0:0", advertise=advertise) as ua,
        ):
            await ua.register(f"sip:127.0.0.1:{peer.port}")
            (got,) = peer.requests
            assert str(got.contacts[0].uri) == f"sip:a@{seen}:{ua.legs[0].port}"
            assert got.via.host == seen

    asyncio.run(main())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("to", "seen"), [("127.0.0.3", "127.0.0.1"), ("[::1]", "[::1]")])
def test_a_user_agent_that_names_no_leg_calls_from_the_address_that_the_kernel_chooses(
    transport: str, to: str, seen: str
) -> None:
    async def main() -> None:
        leg = f"{transport}:{to}:0"
        async with (
            asyncio.timeout(20),
            UserAgent("sip:alice@example.org", trace=True) as alice,
            agent("sip:bob@example.org", leg) as bob,
        ):
            port = bob.legs[0].port
            mine, _ = await talk(alice, bob, f"sip:bob@{to}:{port};transport={transport}")
            invite = first(mine, b"INVITE", b"Via"), first(mine, b"INVITE", b"Contact"), first(mine, b"INVITE", b"c=")
            assert all(seen.strip("[]").encode() in each for each in invite), invite

    asyncio.run(main())


def test_what_cannot_be_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match="it is IPv6, and no listener is"):
        agent("sip:a@b", "udp:0.0.0.0:0", advertise="2001:db8::1")

    async def main() -> None:
        async with asyncio.timeout(10), agent("sip:a@b", "udp:0.0.0.0:0") as ua:
            with pytest.raises(ConfigurationError, match="no udp listener with an IPv6 address for ::1; add one"):
                await ua.invite("sip:b@[::1]:9")
            with pytest.raises(ConfigurationError, match="no tcp listener"):
                await ua.invite("sip:b@127.0.0.1:9;transport=tcp")

    asyncio.run(main())


def test_the_wildcard_in_a_user_agents_lease_and_own_uri_is_no_address() -> None:
    async def main() -> None:
        async with asyncio.timeout(10), agent("sip:a@b", "udp:0.0.0.0:0") as ua:
            (lease,) = await ua.reserve_media()
            assert lease.address != "0.0.0.0"
            assert worker_of(ua).arrivals.account._usual(ua._node.config).seen.host != "0.0.0.0"

    asyncio.run(main())
