"""The network of a host goes away for some seconds, as with the renewal of an address: no call stays open."""

import asyncio
import errno

import pytest

from sipswarm.actors.transport import packet_info
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, agent, reply
from tests.e2e.waiting import until


def away(*arguments: object) -> None:
    """What the kernel says while the interface is down."""
    raise OSError(errno.ENETUNREACH, "Network is unreachable")


@pytest.mark.parametrize("rings", [False, True], ids=["BYE", "CANCEL"])
def test_a_call_that_is_ended_meanwhile_ends_at_its_peer_when_the_network_is_back(
    rings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        def answer(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [reply(request, 180 if rings else 200, peer=peer)]
            if request.method == "CANCEL":
                peer.send(reply(peer.requests[0], 487), request)
            return [] if request.method == "ACK" else [reply(request, 200)]

        async with agent() as alice, Peer(answer) as peer:
            if rings:
                placed = asyncio.create_task(alice.invite(peer.uri(), media="none"))
                await until(lambda: peer.requests)
                (call,) = worker_of(alice).actors.live.values()
                await until(lambda: call.actor.times.alerted)
            else:
                call = await alice.invite(peer.uri(), media="none")
            with monkeypatch.context() as patch:
                patch.setattr(packet_info, "send", away)
                ended = asyncio.ensure_future(call.bye())
                await asyncio.sleep(0.3)  # the first one is lost
                assert peer.methods() == ["INVITE"]
            await ended
            await until(lambda: peer.methods() == ["INVITE", "CANCEL" if rings else "BYE"])
            await until(lambda: call.actor.finished or call.actor.session.state.name == "TERMINATED")
            if rings:
                await asyncio.gather(placed, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 30))
