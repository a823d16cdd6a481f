"""Datagrams that are lost: whatever a user commands is sent again until it is answered, also in a call without media.

The peer is made of sipcore; what it does not answer counts as lost.
"""

import asyncio
from collections.abc import Sequence

import pytest

from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, address_of, agent, note, reply
from .waiting import again_after_a_stop, until


@again_after_a_stop
def test_a_bye_that_is_lost_is_sent_again_after_half_a_second() -> None:
    peer: Peer
    byes: list[float] = []

    def answer(request: Request) -> Sequence[Response]:
        if request.method == "BYE":
            byes.append(asyncio.get_running_loop().time())
            return [reply(request, 200)] if len(byes) == 2 else []
        return [reply(request, 200, peer=peer)] if request.method == "INVITE" else []

    async def main() -> float:
        nonlocal peer
        async with asyncio.timeout(20), agent() as alice, Peer(answer, hears_all=True) as peer:
            call = await alice.invite(peer.uri(), media="none")
            begun = asyncio.get_running_loop().time()
            await call.bye()
            assert call.cause == "bye"
        return begun

    begun = asyncio.run(main())
    assert len(byes) == 2
    assert 0.5 <= byes[1] - begun < 0.7  # timer E (RFC 3261 17.1.2.2)


@pytest.mark.parametrize("status", [486, 180])
def test_a_refusal_and_a_reliable_180_are_sent_again_until_they_are_acknowledged(status: int) -> None:
    responses: list[int] = []

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob:

            async def robot(call: Call) -> None:
                if status == 180:
                    call.ring()
                    await call.over()
                else:
                    call.reject(status)

            bob.listen(robot)
            loop = asyncio.get_running_loop()

            class Caller(asyncio.DatagramProtocol):
                def datagram_received(self, data: bytes, addr: object) -> None:
                    note(responses, int(data.split(b" ")[1]))

            transport, _ = await loop.create_datagram_endpoint(Caller, remote_addr=("127.0.0.1", bob.legs[0].port))
            port = transport.get_extra_info("sockname")[1]
            request = (
                f"INVITE {address_of(bob)} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKlost\r\n"
                f"From: <sip:alice@127.0.0.1>;tag=a\r\nTo: <{address_of(bob)}>\r\nCall-ID: lost\r\nCSeq: 1 INVITE\r\n"
                f"Contact: <sip:alice@127.0.0.1:{port}>\r\nRequire: 100rel\r\nMax-Forwards: 70\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            transport.sendto(request.encode())
            await until(lambda: responses.count(status) >= 2)
            transport.close()

    asyncio.run(main())
