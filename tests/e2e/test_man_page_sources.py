"""Who may speak within a call: hosts of its peer set, from any port, and strangers by choice only (RELIABILITY S3)."""

import asyncio
import socket

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.dialog import Dialog
from sipswarm.sipcore.session.peer_set import admits
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, agent, reply

DIALOG = Dialog(
    "call",
    "<sip:a@h>;tag=1",
    "1",
    "<sip:b@h>;tag=2",
    "2",
    "sip:b@[2001:db8:0::1]:5070",
    ("<sip:192.0.2.7;lr>", "<sip:proxy.test;lr>"),
)
KNOWN = {"proxy.test": ("192.0.2.8", "192.0.2.9")}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", True),  # where the INVITE went
        ("2001:db8::1", True),  # the target, in its one form
        ("192.0.2.7", True),  # a route
        ("192.0.2.9", True),  # an address of a route that is a name
        ("192.0.2.10", False),
    ],
)
def test_the_peer_set_is_first_hop_target_and_routes(host: str, expected: bool) -> None:
    assert admits(DIALOG, host, "192.0.2.1", lambda name: KNOWN.get(name, ())) is expected


def test_a_name_of_which_nothing_is_known_lets_a_request_pass() -> None:
    assert admits(DIALOG, "192.0.2.10", "192.0.2.1", lambda name: ())
    assert admits(DIALOG, "192.0.2.10", "192.0.2.1", None)


async def ask(source: socket.socket, request: bytes, alice: UserAgent) -> int:
    """Send a request from a socket; the status of its answer: a refusal of an INVITE comes again meanwhile."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(source, request, (alice.legs[0].host, alice.legs[0].port))
    sent = parse(request)
    assert isinstance(sent, Request)
    async with asyncio.timeout(10):
        while True:
            answer = parse(await loop.sock_recv(source, 65535))
            assert isinstance(answer, Response)
            if answer.via.branch == sent.via.branch:
                return answer.status


def within(request: Request, method: str, number: int, source: socket.socket, body: str = "") -> bytes:
    """A request of the peer within the call that an INVITE of ours set up."""
    host, port = source.getsockname()
    return (
        f"{method} sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}{port}\r\n"
        f"Max-Forwards: 70\r\nFrom: {request.to};tag=peer\r\nTo: {request.headers.get('From')}\r\n"
        f"Call-ID: {request.call_id}\r\nCSeq: {number} {method}\r\nContact: <sip:x@{host}:{port}>\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@pytest.mark.parametrize("strict", [True, False])
def test_a_bye_of_a_stranger_who_knows_the_tags_is_481_unless_sources_are_free(strict: bool) -> None:
    async def main() -> None:
        async with (
            agent(strict_source=strict) as alice,
            Peer(lambda request: [] if request.method == "ACK" else [reply(request, 200, peer=peer)]) as peer,
        ):
            call = await alice.invite(peer.uri())
            invite = peer.requests[0]
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rebound,
            ):
                for source, host in ((stranger, "127.0.0.2"), (rebound, "127.0.0.1")):
                    source.setblocking(False)
                    source.bind((host, 0))
                for number, method in enumerate(("INFO", "INVITE", "BYE"), 1):
                    if strict:
                        assert await ask(stranger, within(invite, method, number, stranger), alice) == 481
                        assert call.is_up
                # The same host behind another port is a NAT that has forgotten it (N10): nothing was taken before.
                assert await ask(rebound, within(invite, "INFO", 1, rebound), alice) == 200
                source = rebound if strict else stranger
                assert await ask(source, within(invite, "BYE", 2, source), alice) == 200
                await call.over()
                assert call.by == "remote"
                refused = ("sipswarm_sip_refused_total", ("strict_source",), (3,))
                assert (refused in list(worker_of(alice).factory.configs.rows())) is strict

    asyncio.run(main())
