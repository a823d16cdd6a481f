"""Calls that are sent elsewhere by a 3xx: refused unless the user agent follows, and then bounded (CALL.md W11)."""

import asyncio
from collections.abc import Sequence

import pytest

from actors.errors import CallRejected
from sipcore.message import Request, Response

from .agents import Peer, agent, reply


@pytest.mark.parametrize(
    ("redirects", "called", "status"),
    [
        pytest.param(0, ["peer"], 302, id="off"),
        pytest.param(1, ["peer", "best"], 302, id="one-is-not-enough"),
        pytest.param(5, ["peer", "best", "last"], 200, id="followed-by-q-and-never-twice"),
    ],
)
def test_a_redirect_is_followed_as_often_as_the_user_agent_may(redirects: int, called: list[str], status: int) -> None:
    peer: Peer

    def answer(request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        user = request.request_uri.user
        if user == "last":
            return [reply(request, 200, peer=peer)]
        # Back to itself first, then the better of two; a caller that chases them all never comes to "last".
        targets = f"<{peer.uri('peer')}>, <{peer.uri('worse')}>;q=0.2, <{peer.uri('best')}>;q=0.9"
        return [reply(request, 302, ("Contact", targets if user == "peer" else f"<{peer.uri('last')}>"))]

    async def main() -> None:
        nonlocal peer
        async with asyncio.timeout(20), agent(redirects=redirects) as alice, Peer(answer) as peer:
            if status == 200:
                call = await alice.invite(peer.uri(), media="none")
                await call.bye()
            else:
                with pytest.raises(CallRejected) as refused:
                    await alice.invite(peer.uri(), media="none")
                assert refused.value.status == status
            users = [request.request_uri.user for request in peer.requests if request.method == "INVITE"]
            assert users == called

    asyncio.run(main())
