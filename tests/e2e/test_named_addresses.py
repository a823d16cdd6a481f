"""Addresses that a peer names for requests and media: nothing goes to networks that are not sent to.

The peers are on 127.0.0.1. Without a list the address is 0.0.0.0, which Linux takes for this host: the ear behind it
would hear what leaves. With a list it is one of loopback.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.destinations import REFUSED
from sipswarm.actors.errors import CallError, CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import SDP, Peer, address_of, agent, note, reply

BAD: tuple[tuple[dict[str, Any], str], ...] = (({}, "0.0.0.0"), ({"send_to": "127.0.0.3/32"}, "127.0.0.4"))
"""Options of a user agent, and an address that it does not send to."""
NETWORKS = ("127.0.0.3/32", "10.0.0.0/8")


def refused(ua: UserAgent, what: str = "sip") -> float:
    return worker_of(ua).totals.cell(REFUSED, what).value


def with_ear(host: str, options: dict[str, Any], scenario: Callable[[UserAgent, Peer], Any]) -> list[str]:
    """Run a scenario; return the methods that came to a host."""

    async def main() -> list[str]:
        async with asyncio.timeout(30), agent(**options) as alice, Peer(lambda request: [], host) as ear:
            await scenario(alice, ear)
            await asyncio.sleep(0)
            return [request.method for request in ear.requests]

    return asyncio.run(main())


def answer_of(request: Request, contact: str, *extra: tuple[str, str], sdp: str = SDP) -> Response:
    pairs = (("Contact", f"<{contact}>"), *extra)
    body = sdp.format(port=9).encode()
    return Response.to_request(request, 200, to_tag="p", extra=pairs, body=body, content_type="application/sdp")


@pytest.mark.parametrize(("options", "host"), BAD)
@pytest.mark.parametrize("named_by", ["contact", "route", "maddr"])
def test_no_request_goes_to_such_a_contact_or_route(options: dict[str, Any], host: str, named_by: str) -> None:
    async def scenario(alice: UserAgent, ear: Peer) -> None:
        there = f"sip:{host}:{ear.port}"

        def answer(request: Request) -> Sequence[Response]:
            if request.method != "INVITE":
                return []
            if named_by == "route":
                return [answer_of(request, peer.uri(), ("Record-Route", f"<{there};lr>"))]
            return [answer_of(request, there if named_by == "contact" else f"sip:peer.test:{ear.port};maddr={host}")]

        async with Peer(answer) as peer:
            started = asyncio.get_running_loop().time()
            call = await alice.invite(peer.uri(), media="none", cb_final=lambda *_: None)
            await call.over()
            assert (call.cause, call.by) == ("forbidden", "transport")
            assert asyncio.get_running_loop().time() - started < 10
            assert refused(alice) >= 1
            assert not worker_of(alice).actors.live

    assert with_ear(host, options, scenario) == []


def test_a_network_of_the_list_is_sent_to() -> None:
    async def main() -> None:
        good = Peer(lambda request: [reply(request, 200)], "127.0.0.3")
        async with asyncio.timeout(30), agent(send_to=NETWORKS) as alice, good as ear:

            def answer(request: Request) -> Sequence[Response]:
                return [answer_of(request, ear.uri(), sdp=SDP.replace("127.0.0.1", "127.0.0.3"))]

            async with Peer(answer) as peer:
                call = await alice.invite(peer.uri())
                await call.bye()
                assert ear.methods() == ["BYE"]
                assert refused(alice) == refused(alice, "media") == 0

    asyncio.run(main())


@pytest.mark.parametrize(("options", "host"), BAD)
def test_the_next_contact_of_a_redirect_is_called(options: dict[str, Any], host: str) -> None:
    async def scenario(alice: UserAgent, ear: Peer) -> None:
        def answer(request: Request) -> Sequence[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            if request.request_uri.user == "next":
                return [reply(request, 200, peer=peer)]
            contacts = f"<sip:{host}:{ear.port}>;q=1, <{peer.uri('next')}>;q=0.5"
            return [reply(request, 302, ("Contact", contacts))]

        async with Peer(answer) as peer:
            call = await alice.invite(peer.uri(), media="none")
            await call.bye()
            assert [request.request_uri.user for request in peer.requests if request.method == "INVITE"] == [
                "peer",
                "next",
            ]
            assert refused(alice) == 1

    assert with_ear(host, {**options, "redirects": 3}, scenario) == []


@pytest.mark.parametrize(("options", "host"), BAD)
def test_no_call_goes_to_such_a_target_of_a_transfer(options: dict[str, Any], host: str) -> None:
    async def scenario(bob: UserAgent, ear: Peer) -> None:
        bob.listen()
        bob.take_transfers()
        async with agent() as alice:
            call = await alice.invite(address_of(bob), media="none")
            with pytest.raises(CallRejected) as failed:
                await call.transfer(f"sip:carol@{host}:{ear.port}")
            assert failed.value.status == 503
            assert refused(bob) == 1
            await call.bye()

    assert with_ear(host, options, scenario) == []


def test_a_transfer_goes_to_the_proxy_that_the_user_chose() -> None:
    async def main() -> None:
        async with asyncio.timeout(30), Peer(lambda request: [reply(request, 486)], "127.0.0.9") as proxy:
            domains = {"127.0.0.4": proxy.uri().replace("peer@", "")}
            async with agent(send_to="127.0.0.3/32", domain2proxy=domains) as bob, agent() as alice:
                bob.listen()
                bob.take_transfers()
                call = await alice.invite(address_of(bob), media="none")
                with pytest.raises(CallRejected) as failed:
                    await call.transfer("sip:carol@127.0.0.4")
                assert failed.value.status == 486
                await call.bye()
            assert proxy.requests[0].method == "INVITE"

    asyncio.run(main())


@pytest.mark.parametrize(("options", "host"), [({}, "224.0.0.5"), ({}, "169.254.169.254"), BAD[1]])
def test_an_offer_of_media_to_such_an_address_gets_488(options: dict[str, Any], host: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent(**options) as bob, agent() as alice:
            bob.listen()
            leases = await alice.reserve_media(1)
            sdp = SDP.format(port=leases[0].port).replace("c=IN IP4 127.0.0.1", f"c=IN IP4 {host}")
            with pytest.raises(CallRejected) as failed:
                await alice.invite(address_of(bob), sdp=sdp, media_lsocks=leases)
            assert failed.value.status == 488
            assert refused(bob, "media") == (host != "224.0.0.5")  # to groups no stream sends anyway

    asyncio.run(main())


@pytest.mark.parametrize(("options", "host"), [({}, "169.254.169.254"), BAD[1]])
def test_an_answer_with_media_to_such_an_address_ends_the_call(options: dict[str, Any], host: str) -> None:
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            return [answer_of(request, peer.uri(), sdp=SDP.replace("IN IP4 127.0.0.1", f"IN IP4 {host}"))]

        async with asyncio.timeout(30), agent(**options) as alice, Peer(answer) as peer:
            with pytest.raises(CallError):
                await alice.invite(peer.uri())
            assert refused(alice, "media") >= 1

    asyncio.run(main())


@pytest.mark.parametrize(("options", "host"), BAD)
def test_no_bye_of_an_incoming_call_goes_to_such_a_contact(options: dict[str, Any], host: str) -> None:
    """The caller hears the answer, at the source of its INVITE, and no request after it."""

    async def scenario(bob: UserAgent, ear: Peer) -> None:
        calls: list[Call] = []
        bob.listen(cb_create=lambda call, request: note(calls, call))
        async with agent(contact=f"sip:alice@{host}:{ear.port}") as alice:
            call = await alice.invite(address_of(bob), media="none")
            await calls[0].bye()
            await calls[0].over()
            assert refused(bob) == 1
            assert call.is_up
            await call.bye()

    assert with_ear(host, options, scenario) == []


def test_no_call_goes_to_a_service_route_in_such_a_network() -> None:
    """RFC 3608: the registrar names the route of calls."""

    async def scenario(alice: UserAgent, ear: Peer) -> None:
        def answer(request: Request) -> Sequence[Response]:
            contact = ("Contact", f"{request.headers.get('Contact')};expires=60")
            return [reply(request, 200, contact, ("Service-Route", f"<sip:{ear.host}:{ear.port};lr>"))]

        async with Peer(answer) as registrar:
            await alice.register(registrar.uri().replace("peer@", ""))
            with pytest.raises(CallError):
                await alice.invite("sip:bob@127.0.0.1:9", media="none")
            assert refused(alice) == 1

    assert with_ear(BAD[1][1], BAD[1][0], scenario) == []
