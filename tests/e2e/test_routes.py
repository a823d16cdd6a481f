"""Where calls go when a route is known beforehand: its first hop, whatever the address called says (RFC 3261 8.1.2)."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, agent, reply

FAR = "sip:far@192.0.2.1"
"""an address that nothing answers"""


def answers(request: Request) -> list[Response]:
    """A proxy that lets no call through, and a registrar that wants calls to come by way of itself."""
    if request.method == "REGISTER":
        port = request.request_uri.port
        route = ("Service-Route", f"<sip:127.0.0.1:{port};lr>, <sip:core.test;lr>")
        return [reply(request, 200, ("Contact", str(request.headers.get("Contact"))), ("Expires", "600"), route)]
    return [reply(request, 480)] if request.method == "INVITE" else []


def invites(peer: Peer) -> list[list[str]]:
    """The Route headers of each INVITE that came."""
    return [[str(each) for each in request.routes] for request in peer.requests if request.method == "INVITE"]


async def refused(alice: UserAgent, to: Any) -> None:
    with pytest.raises(CallRejected) as error:
        await alice.invite(to, media="none")
    assert error.value.status == 480


@pytest.mark.parametrize("where", ["user-agent", "context"])
def test_the_first_of_a_given_route_gets_the_call(where: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), Peer(answers) as peer:
            route = [f"<{peer.uri('edge')};lr>", "<sip:core.test;lr>"]
            async with agent(route=route if where == "user-agent" else ()) as alice:
                await refused(alice, FAR if where == "user-agent" else {"to": FAR, "route": route})
            assert invites(peer) == [route]

    asyncio.run(main())


@pytest.mark.parametrize("junk", ["@@", "<foo:bar>", "<tel:+1>", "<sip:[::bad>", "junk", "*"])
def test_an_element_of_the_service_route_that_is_no_route_costs_the_calls_nothing(junk: str) -> None:
    async def main() -> None:
        def spoilt(request: Request) -> list[Response]:
            found = answers(request)
            for each in found if request.method == "REGISTER" else ():
                each.headers.set("Service-Route", f"{junk}, {each.headers.get('Service-Route')}")
            return found

        async with asyncio.timeout(10), Peer(spoilt) as peer:
            async with agent(registrar=f"sip:127.0.0.1:{peer.port}") as alice:
                await alice.register()
                await refused(alice, FAR)
            assert invites(peer) == [[f"<sip:127.0.0.1:{peer.port};lr>", "<sip:core.test;lr>"]]

    asyncio.run(main())


@pytest.mark.parametrize("with_proxy", [True, False])
def test_calls_take_the_service_route_while_we_are_registered(with_proxy: bool) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), Peer(answers) as peer:
            registrar = f"sip:127.0.0.1:{peer.port}"
            async with agent(registrar=registrar, outgoing_proxy=registrar if with_proxy else "") as alice:
                await alice.register()
                await refused(alice, FAR)
                await alice.register(expires=0)
                await refused(alice, peer.uri())
            assert invites(peer) == [[f"<sip:127.0.0.1:{peer.port};lr>", "<sip:core.test;lr>"], []]

    asyncio.run(main())
