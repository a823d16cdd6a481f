"""What a call worker sends for the calls of the process before it, whatever comes before it ends them.

Two workers in memory: the first one writes the ledger, the second one takes up what is in it. The peer writes SIP by
hand.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator

import pytest

from sipswarm.actors.call_worker.kept_calls import KeptCalls
from sipswarm.actors.call_worker.succession import CAUSE, REASON, Succession
from sipswarm.actors.call_worker.worker import CallWorker
from sipswarm.actors.handle.call import Call
from sipswarm.actors.host.shared_memory import new_memory
from sipswarm.actors.ledger.entries import pack, unpack
from sipswarm.actors.ledger.memory import Ledger, octets_for, prepare
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of
from tests.e2e.agents import SDP, Peer, agent, reply
from tests.e2e.waiting import until

ROOM = 8
DESCRIPTION = SDP.format(port=40000).encode()


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_memory("ledger-of-a-test", octets_for(ROOM))
    prepare(descriptor, ROOM, bytes(16))
    yield descriptor
    os.close(descriptor)


class Successor:
    """A worker that takes up the one call of another.

    Attributes:
        call: its handle in this worker.
        place: host and port where this worker listens.
    """

    def __init__(self, worker: CallWorker, succession: Succession) -> None:
        self._succession = succession
        self._worker = worker
        succession.take_up()
        (self.call,) = worker.actors.live.values()
        hop = worker.output.hops[0]
        self.place = (hop.host, hop.port)

    def end(self) -> None:
        """End what was taken up: every process is linked."""
        self._succession.begin()

    def count(self, how: str) -> float:
        """How many calls it has taken up with this outcome."""
        cells = self._worker.totals.snapshot()
        return sum(v[0] for name, labels, v in cells if (name, labels) == ("sipswarm_calls_taken_over_total", (how,)))


def move(memory: int, first: CallWorker, call: Call, second: CallWorker) -> Successor:
    """Let the second worker go on where the first one is, of which nothing is heard any more."""
    writer = Ledger(memory)
    writer.read()
    KeptCalls(writer, first.totals, whole=False).note([call.actor])
    writer.close()
    reader, hop = Ledger(memory), second.output.hops[0]
    (entry,) = reader.read()
    here = unpack(entry.data)._replace(bound=(hop.transport, hop.host, hop.port))
    reader.write(entry.place, entry.state, pack(here), entry.local_cseq, entry.remote_cseq)
    reader.close()
    ledger = Ledger(memory)
    kept = KeptCalls(ledger, second.totals, whole=False)
    return Successor(
        second,
        Succession(
            ledger, kept, second.actor_loop, second.totals, second.factory, second.arrivals, resume=lambda _: False
        ),
    )


Scenario = Callable[[Successor, Peer, Request], Awaitable[None]]


def after_an_invite(memory: int, scenario: Scenario, *statuses: int, media: str = "none") -> None:
    """Run a scenario when the worker of a call is gone whose INVITE got these responses, and no final one."""

    def answer(request: Request) -> list[Response]:
        if request.method == "INVITE":
            return [reply(request, status) for status in statuses]
        return [reply(request, 200)]

    async def main() -> None:
        async with agent() as alice, agent() as bob, Peer(answer) as peer:
            placed = asyncio.create_task(alice.invite(peer.uri(), media=media))
            first = worker_of(alice)
            await until(lambda: peer.requests)
            (call,) = first.actors.live.values()
            await until(lambda: not statuses or call.actor.times.first_response)
            invite = peer.requests[0]
            successor = move(memory, first, call, worker_of(bob))
            await scenario(successor, peer, invite)
            for place in (None, successor.place):  # so that neither worker has anything to wait for
                peer.send(reply(invite, 486), invite, place)
            await asyncio.gather(placed, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 30))


def ends(peer: Peer) -> list[tuple[str, str | None]]:
    """The messages that end a call, with their reasons."""
    return [(each.method, each.headers.get("Reason")) for each in peer.requests if each.method in ("BYE", "CANCEL")]


@pytest.mark.parametrize("statuses", [(), (100,), (180,)])
@pytest.mark.parametrize("media", ["none", "silence"])
def test_a_200_that_comes_before_the_end_gets_a_bye_with_the_reason(
    memory: int, statuses: tuple[int, ...], media: str
) -> None:
    async def scenario(successor: Successor, peer: Peer, invite: Request) -> None:
        peer.send(reply(invite, 200, peer=peer), invite, successor.place)
        await until(lambda: ends(peer))
        assert ends(peer) == [("BYE", REASON[1])]
        assert successor.call.cause == CAUSE
        successor.end()
        assert successor.count("ended") == 1

    after_an_invite(memory, scenario, *statuses, media=media)


def test_an_invite_whose_1xx_has_an_answer_is_cancelled_with_the_reason(memory: int) -> None:
    async def scenario(successor: Successor, peer: Peer, invite: Request) -> None:
        extra = (("Contact", f"<{peer.uri()}>"), ("Require", "100rel"), ("RSeq", "7"))
        ringing = Response.to_request(
            invite, 183, to_tag="peer", extra=extra, body=DESCRIPTION, content_type="application/sdp"
        )
        peer.send(ringing, invite, successor.place)
        await until(lambda: ends(peer))
        assert ends(peer) == [("CANCEL", REASON[1])]
        assert successor.call.cause == CAUSE

    after_an_invite(memory, scenario, 180)


def test_an_invite_that_still_waits_is_cancelled_with_the_reason(memory: int) -> None:
    async def scenario(successor: Successor, peer: Peer, invite: Request) -> None:
        successor.end()
        await until(lambda: ends(peer))
        assert ends(peer) == [("CANCEL", REASON[1])]
        assert successor.count("ended") == 1

    after_an_invite(memory, scenario, 180)


def test_a_refusal_that_comes_before_the_end_is_the_end(memory: int) -> None:
    async def scenario(successor: Successor, peer: Peer, invite: Request) -> None:
        peer.send(reply(invite, 486), invite, successor.place)
        await until(lambda: successor.call.actor.session.ended)
        successor.end()
        assert ends(peer) == []
        assert successor.count("ended") == 0

    after_an_invite(memory, scenario, 180)
