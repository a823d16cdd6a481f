"""The user agent of the man page around its calls: domains, proxies, ports, options (CALL.md section 2)."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError, ConfigurationError, Overloaded
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, agent, note, reply, rtp_ports, run


def busy(request: Request) -> Sequence[Response]:
    return [reply(request, 486)] if request.method == "INVITE" else []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.org", "exact"),
        ("EXAMPLE.org", "exact"),
        ("a.example.net", "below"),
        ("example.net", "rest"),
        ("x", "rest"),
    ],
)
def test_a_domain_decides_the_proxy(host: str, expected: str) -> None:
    async def main() -> None:
        async with Peer(busy) as exact, Peer(busy) as below, Peer(busy) as rest:
            proxies = {"exact": exact, "below": below, "rest": rest}
            table = {
                "example.org": f"127.0.0.1:{exact.port}",
                "*.example.net": f"sip:127.0.0.1:{below.port}",
                "*": f"127.0.0.1:{rest.port}",
            }
            async with agent(domain2proxy=table) as alice:
                with pytest.raises(CallError, match="486"):
                    await alice.invite(f"sip:bob@{host}")
            assert [name for name, peer in proxies.items() if "INVITE" in peer.methods()] == [expected]
            assert proxies[expected].requests[0].uri == f"sip:bob@{host}"

    asyncio.run(main())


def test_an_outgoing_proxy_gets_every_call_and_a_bare_name_the_domain() -> None:
    async def main() -> None:
        async with Peer(busy) as proxy:
            options: dict[str, Any] = {"outgoing_proxy": f"127.0.0.1:{proxy.port}", "domain": "home.invalid"}
            async with agent("alice", **options) as alice:
                for to in ("bob", "sip:carol@far.invalid", '"Dan" <sip:dan@far.invalid>'):
                    with pytest.raises(CallError, match="486"):
                        await alice.invite(to)
            invites = [request for request in proxy.requests if request.method == "INVITE"]
            targets = ["sip:bob@home.invalid", "sip:carol@far.invalid", "sip:dan@far.invalid"]
            assert [request.uri for request in invites] == targets
            assert str(invites[0].from_.uri) == "sip:alice@home.invalid"

    asyncio.run(main())


def test_a_bare_name_without_a_domain_is_refused_with_the_way_out() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError, match="give the user agent a domain"):
            await alice.invite("bob")

    run(scenario)


def test_reserved_ports_are_bounded() -> None:
    async def main() -> None:
        low, _ = rtp_ports()
        async with UserAgent(rtp_ports=(low, low + 2)) as alice:
            taken: list[int] = []
            # Fewer than two where another program has one of the ports.
            with suppress(Overloaded):
                taken += [lease.port for lease in await alice.reserve_media(1)]
                taken += [lease.port for lease in await alice.reserve_media(1)]
            with pytest.raises(Overloaded, match="rtp_ports"):
                await alice.reserve_media(1)
            assert set(taken) <= {low, low + 2}
            assert len(set(taken)) == len(taken)

    asyncio.run(main())


def test_a_failing_callback_that_is_no_coroutine_ends_its_own_call(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        finals: list[str] = []
        bob.listen(cb_invite=lambda call, request: 1 / 0 if call.get_peer() else None)
        call = await alice.invite(
            f"sip:bob@127.0.0.1:{bob.legs[0].port}", cb_final=lambda status, call, info: note(finals, status)
        )
        await call.over()
        assert finals == ["FAIL"]

    run(scenario)
    (text,) = [each for each in caplog.messages if "the callback cb_invite of call" in each]
    assert "test_man_page_agent.py:" in text
    assert not any("our own code" in text for text in caplog.messages)
