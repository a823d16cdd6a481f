"""An ACK that cannot be sent ends its call by name within seconds, whatever keeps it back (RFC 3261 13.3.1.4, 18.4).

Otherwise the peer repeats its 2xx for 32 s, takes it for lost, and the call looks up meanwhile.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

import pytest

from sipswarm.actors.diagnosis.request_loss import Loss, is_told
from sipswarm.actors.errors import CallError
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import SDP, Peer, agent, reply
from .test_lost_answers import closed_port
from .test_way_of_requests import answer_of

LEGS = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
UNREACHABLE: dict[str, tuple[Callable[[], str], Loss]] = {
    "name without address": (lambda: "sip:b@nosuch.invalid", Loss.UNREACHABLE),
    "name without address, with a port": (lambda: "sip:b@nosuch.invalid:5060", Loss.UNREACHABLE),
    "name without address, by TCP": (lambda: "sip:b@nosuch.invalid;transport=tcp", Loss.UNREACHABLE),
    "refused port": (lambda: f"sip:b@127.0.0.1:{closed_port(socket.SOCK_DGRAM)}", Loss.REFUSED),
    "refused connection": (
        lambda: f"sip:b@127.0.0.1:{closed_port(socket.SOCK_STREAM)};transport=tcp",
        Loss.UNREACHABLE,
    ),
    "refused by the kernel": (lambda: "sip:b@255.255.255.255", Loss.NO_WAY),
    "network that is not sent to": (lambda: "sip:b@169.254.169.254", Loss.FORBIDDEN),
    "no listener of the transport": (lambda: "sip:b@127.0.0.1;transport=tls", Loss.NO_WAY),
    "no listener of the version": (lambda: "sip:b@[::1]:9", Loss.NO_WAY),
}


@pytest.mark.parametrize("delayed", [False, True], ids=["offer", "delayed offer"])
@pytest.mark.parametrize("at", ["first", "re-INVITE", "after a fork"])
@pytest.mark.parametrize("way", UNREACHABLE)
def test_an_ack_that_cannot_be_sent_ends_its_call(way: str, at: str, delayed: bool) -> None:
    target, loss = UNREACHABLE[way][0](), UNREACHABLE[way][1]
    networks = "0.0.0.0/0" if way == "refused by the kernel" else ()

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", *LEGS, send_to=networks) as alice:
            invites: list[Request] = []

            def answer(request: Request) -> Sequence[Response]:
                if request.method != "INVITE":
                    return [] if request.method == "ACK" else [reply(request, 200)]
                invites.append(request)
                if at == "re-INVITE" and len(invites) == 1:
                    return [answer_of(request, peer.uri())]
                final = answer_of(request, target)
                if at == "after a fork":
                    return [Response.to_request(request, 180, to_tag="other"), final]
                return [final]

            async with Peer(answer) as peer:
                started = asyncio.get_running_loop().time()
                call: Call | None = None
                told: list[str] = []
                try:
                    call = await alice.invite(peer.uri(), media="none", sdp_on_ack=delayed)
                    if at == "re-INVITE":
                        await call.reinvite(sdp_on_ack=delayed)
                    await call.over()
                except CallError as error:
                    told.append(str(error))
                assert all(loss.value in each for each in told)
                if call is not None:
                    await call.over()
                    assert call.cause in (loss.value, Loss.REFUSED.value)
                    assert call.by == "transport"
                assert asyncio.get_running_loop().time() - started < 10
                while worker_of(alice).actors.live:
                    await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize("way", UNREACHABLE)
def test_an_ack_to_a_fork_that_lost_ends_no_call(way: str) -> None:
    target = UNREACHABLE[way][0]()

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", *LEGS) as alice:

            def answer(request: Request) -> Sequence[Response]:
                if request.method != "INVITE":
                    return [] if request.method == "ACK" else [reply(request, 200)]
                contact = ("Contact", f"<{target}>")
                late = Response.to_request(
                    request, 200, to_tag="late", extra=(contact,), body=SDP.format(port=9).encode(),
                    content_type="application/sdp",
                )  # fmt: skip
                return [answer_of(request, peer.uri()), late]

            async with Peer(answer) as peer:
                call = await alice.invite(peer.uri(), media="none")
                await asyncio.sleep(1)
                assert call.cause == ""
                await call.bye()
                assert call.cause == "bye"

    asyncio.run(main())


def test_what_is_told_of_lost_messages() -> None:
    request = b" sip:b@h SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"
    assert all(is_told(method + request) for method in (b"ACK", b"INVITE", b"BYE"))
    assert is_told(b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n")
    assert not any(is_told(b"SIP/2.0 " + each) for each in (b"180 R\r\nCSeq: 1 INVITE", b"200 OK\r\nCSeq: 1 BYE"))
