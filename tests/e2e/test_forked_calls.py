"""Forked calls, delayed offers and challenged transfers against a hand-written UDP peer, with real sockets."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import SDP, Peer, agent, gate, reply
from tests.e2e.waiting import until


class Ear(asyncio.DatagramProtocol):
    """A UDP socket that counts what comes."""

    def __init__(self) -> None:
        self.packets = 0

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        self.packets += 1

    async def open(self, stack: AsyncExitStack) -> "Ear":
        """Open it until the stack is left."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        stack.callback(self.transport.close)
        return self

    @property
    def sdp(self) -> bytes:
        """The description that names this port."""
        return SDP.format(port=self.transport.get_extra_info("sockname")[1]).encode()


def answered(request: Request, status: int, tag: str, port: int, body: bytes = b"", rseq: int = 0) -> Response:
    """A response of one phone behind the peer, reliable with an RSeq."""
    extra = [("Contact", f"<sip:{tag}@127.0.0.1:{port}>")]
    if rseq:
        extra += [("Require", "100rel"), ("RSeq", str(rseq))]
    kind = "application/sdp" if body else None
    return Response.to_request(request, status, to_tag=tag, extra=extra, body=body, content_type=kind)


# An unreliable 183 is a preview: the 200 has the answer in any case (RFC 3261 13.2.1).
@pytest.mark.parametrize(("reliable", "with_body"), [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("winner", ["a", "b"])
def test_audio_goes_to_the_phone_that_answers(winner: str, reliable: bool, with_body: bool) -> None:
    async def main() -> None:
        async with asyncio.timeout(40), AsyncExitStack() as stack:
            ears = {tag: await Ear().open(stack) for tag in "ab"}

            def phones(request: Request) -> list[Response]:
                port = peer.port
                final = ears[winner].sdp if with_body else b""
                if request.method == "INVITE":
                    first = answered(request, 183, "a", port, ears["a"].sdp, 700 if reliable else 0)
                    if reliable:
                        return [first]
                    second = answered(request, 183, "b", port, ears["b"].sdp)
                    return [first, second, answered(request, 200, winner, port, final)]
                if request.method == "PRACK":
                    invite = peer.requests[0]
                    if request.to_tag == "a":
                        after = answered(invite, 183, "b", port, ears["b"].sdp, 30)
                    else:
                        after = answered(invite, 200, winner, port, final)
                    return [answered(request, 200, "", port), after]
                return [reply(request, 200)] if request.method == "BYE" else []

            peer = await stack.enter_async_context(Peer(phones))
            alice = await stack.enter_async_context(agent())
            call = await alice.invite(peer.uri(), media="tone:440")
            won, lost = ears[winner], ears["b" if winner == "a" else "a"]
            await until(lambda: won.packets >= 3)
            before = lost.packets
            await until(lambda: won.packets >= 20)
            assert lost.packets == before
            await call.bye()
            tags = {each.method: each.to_tag for each in peer.requests}
            assert (tags["ACK"], tags["BYE"]) == (winner, winner)

    asyncio.run(main())


def test_an_offer_in_a_reliable_1xx_is_answered_in_its_prack_in_every_invite() -> None:
    async def main() -> None:
        async with asyncio.timeout(40), AsyncExitStack() as stack:
            ear = await Ear().open(stack)

            def callee(request: Request) -> list[Response]:
                port = peer.port
                if request.method == "INVITE":
                    assert not request.body
                    first = request.to_tag is None
                    return [answered(request, 183, "a", port, ear.sdp, 7001 if first else 42)]
                if request.method == "PRACK":
                    assert b"m=audio" in request.body
                    invite = [each for each in peer.requests if each.method == "INVITE"][-1]
                    assert request.rack is not None
                    assert request.rack.cseq == invite.cseq.number
                    return [answered(request, 200, "", port), answered(invite, 200, "a", port)]
                return [reply(request, 200)] if request.method == "BYE" else []

            peer = await stack.enter_async_context(Peer(callee))
            alice = await stack.enter_async_context(agent())
            call = await alice.invite(peer.uri(), media="tone:440", sdp_on_ack=True)
            await until(lambda: ear.packets >= 5)
            await call.reinvite(sdp_on_ack=True)
            assert peer.methods() == ["INVITE", "PRACK"] * 2
            before = ear.packets
            await until(lambda: ear.packets >= before + 5)
            await call.bye()

    asyncio.run(main())


def test_a_challenged_transfer_ends_when_the_peer_reports_its_end() -> None:
    async def main() -> None:
        judge = gate()

        def callee(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [reply(request, 200, peer=peer)]
            if request.method == "REFER":
                refusal = judge(request)
                if refusal is None:
                    asyncio.get_running_loop().call_soon(notify, request)
                return [refusal or reply(request, 202)]
            return [reply(request, 200)] if request.method == "BYE" else []

        def notify(refer: Request) -> None:
            for number, (state, line) in enumerate((("active", "100 Trying"), ("terminated", "200 OK")), 1):
                body = f"SIP/2.0 {line}\r\n"
                text = (
                    "NOTIFY sip:alice@127.0.0.1 SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bKn{number}\r\n"
                    f"From: {refer.headers.get('To')}\r\nTo: {refer.headers.get('From')}\r\n"
                    f"Call-ID: {refer.call_id}\r\n"
                    f"CSeq: {number} NOTIFY\r\nContact: <{peer.uri()}>\r\nEvent: refer;id={refer.cseq.number}\r\n"
                    f"Subscription-State: {state}\r\nContent-Type: message/sipfrag\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}"
                )
                peer.send_octets(text.encode(), refer)

        async with asyncio.timeout(40), Peer(callee) as peer, agent(auth=("alice", "secret")) as alice:
            call = await alice.invite(peer.uri())
            await asyncio.wait_for(call.transfer("sip:carol@127.0.0.1:9"), 20)
            refers = [each for each in peer.requests if each.method == "REFER"]
            assert [each.cseq.number for each in refers] == [refers[0].cseq.number, refers[0].cseq.number + 1]
            await call.bye()

    asyncio.run(main())


@pytest.mark.parametrize("body", ["", "nonsense"])
def test_a_reinvite_whose_200_has_no_answer_is_refused_to_its_user_and_the_call_goes_on(body: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(40), AsyncExitStack() as stack:
            ear = await Ear().open(stack)

            def callee(request: Request) -> list[Response]:
                if request.method == "INVITE":
                    description = ear.sdp if request.to_tag is None else body.encode()
                    return [answered(request, 200, "a", peer.port, description)]
                return [reply(request, 200)] if request.method == "BYE" else []

            peer = await stack.enter_async_context(Peer(callee))
            alice = await stack.enter_async_context(agent())
            call = await alice.invite(peer.uri(), media="tone:440")
            with pytest.raises(CallRejected) as refused:
                await call.reinvite()
            assert refused.value.status == 488
            assert call.is_up
            before = ear.packets
            await until(lambda: ear.packets >= before + 5)
            assert "BYE" not in peer.methods()
            await call.bye()

    asyncio.run(main())
