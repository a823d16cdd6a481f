"""The calls that a running node keeps for their last timers: a bounded number, and sane answers for the others."""

import asyncio
import socket

from sipswarm.actors.call_worker.worker import CallWorker
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import invite, within
from tests.actors.workers import worker_of
from tests.e2e.agents import address_of, agent
from tests.e2e.waiting import until

KEPT = 4
CALLS = 12


async def final(peer: socket.socket, data: bytes, method: str) -> Response:
    """The final response to a request; others that come meanwhile are passed over."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(peer, data)
    while True:
        message = parse(await loop.sock_recv(peer, 65536))
        if isinstance(message, Response) and message.status >= 200 and message.cseq.method == method:
            return message


async def settled(worker: CallWorker) -> None:
    """Wait until no call is live, and only the kept number of ended ones is left."""
    await until(lambda: not worker.actors.live and len(worker.actors.ended) == len(worker.actors) == KEPT)


def test_calls_that_are_over_are_kept_up_to_a_number_at_both_sides() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="echo")
            workers = [worker_of(alice), worker_of(bob)]
            for worker in workers:
                worker.actors.most_ended = KEPT
            calls = await asyncio.gather(*(alice.invite(address_of(bob), media="silence") for _ in range(CALLS)))
            await asyncio.gather(*(call.bye() for call in calls))
            assert {call.cause for call in calls} == {"bye"}
            for worker in workers:
                await settled(worker)
                assert worker.totals.cell("sipswarm_queue_dropped_total", "ended_calls").value == CALLS - KEPT

    asyncio.run(main())


def test_a_bye_that_comes_again_is_answered_again_and_is_unknown_once_its_call_is_forgotten() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="none")
            worker_of(bob).actors.most_ended = KEPT
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.setblocking(False)
                peer.bind(("127.0.0.1", 0))
                peer.connect((bob.legs[0].host, bob.legs[0].port))
                host, port = peer.getsockname()
                byes = []
                for number in range(CALLS):
                    first = invite(number, host, port)
                    answer = await final(peer, first, "INVITE")
                    await asyncio.get_running_loop().sock_sendall(peer, within("ACK", first, answer, 1))
                    byes.append(within("BYE", first, answer, 2).replace(b"z9hG4bK-BYE", b"z9hG4bK-%d" % number))
                    assert (await final(peer, byes[-1], "BYE")).status == 200
                await until(lambda: len(worker_of(bob).actors.ended) == KEPT)
                again = [(await final(peer, bye, "BYE")).status for bye in byes]
                assert again == [481] * (CALLS - KEPT) + [200] * KEPT

    asyncio.run(main())
