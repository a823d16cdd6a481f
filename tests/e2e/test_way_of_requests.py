"""Requests whose next hop is on another transport, or another IP version, than the call's first INVITE.

Via, Contact, timers and socket agree with the way that each request takes (RFC 3261 8.1.2, 18.1.1), whoever named
its next hop; without a listener for it the request fails at once (8.1.3.1).
"""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pytest

from sipswarm.actors.errors import CallError, CallRejected
from sipswarm.sipcore.message.hop import bracketed
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.session.dialog import contact_uri
from tests.actors.workers import worker_of

from .agents import SDP, Peer, Repetitions, agent, reply
from .waiting import until


class Octets(asyncio.DatagramProtocol, asyncio.Protocol):
    """Gives what comes by datagrams or on a connection to an `Ear`, whole messages at a time."""

    def __init__(self, ear: "Ear") -> None:
        self._ear = ear
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ear.open.append(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ear.open.remove(self.transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        for octets in self._ear.answers(data):
            self.transport.sendto(octets, addr)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while b"\r\n\r\n" in self._rest:
            head = self._rest.partition(b"\r\n\r\n")[0]
            end = len(head) + 4 + int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            if len(self._rest) < end:
                return
            message, self._rest = self._rest[:end], self._rest[end:]
            self.transport.write(b"".join(self._ear.answers(message)))


class Ear:
    """A place to which the peer sends us: answers 200 to all, on one transport and address."""

    def __init__(self, transport: str, host: str = "127.0.0.1") -> None:
        self.transport, self.host = transport, host
        self.requests: list[Request] = []
        self.open: list[Any] = []
        self.port = 0
        self._repetitions = Repetitions()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self.transport == "udp":
            transport, _ = await loop.create_datagram_endpoint(lambda: Octets(self), local_addr=(self.host, 0))
            self.port = transport.get_extra_info("sockname")[1]
        else:
            self._server = await loop.create_server(lambda: Octets(self), self.host, 0)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.transport != "udp":
            self._server.close()
        for each in self.open:
            each.close()
        await until(lambda: not self.open)

    def answers(self, data: bytes) -> list[bytes]:
        """The response to a request, as octets."""
        message = parse(data)
        if not isinstance(message, Request):
            return []

        def fresh() -> list[bytes]:
            self.requests.append(message)
            return [] if message.method == "ACK" else [answer_of(message, self.uri).to_bytes()]

        return self._repetitions.answers(message, fresh)

    @property
    def uri(self) -> str:
        """Where it is, as a Contact says."""
        more = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:peer@{bracketed(self.host)}:{self.port}{more}"

    def methods(self) -> list[str]:
        """The methods that came, in order."""
        return [request.method for request in self.requests]


def answer_of(request: Request, contact: str, *extra: tuple[str, str]) -> Response:
    """A 200, with a description to an INVITE."""
    body = SDP.format(port=9).encode() if request.method == "INVITE" else b""
    kind = "application/sdp" if body else None
    pairs = (("Contact", f"<{contact}>"), *extra)
    return Response.to_request(request, 200, to_tag="peer", extra=pairs, body=body, content_type=kind)


LEGS = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0")


@pytest.mark.parametrize("named_by", ["contact", "route"])
@pytest.mark.parametrize("leg", range(len(LEGS)))
def test_requests_within_a_call_say_the_way_that_they_take(leg: int, named_by: str) -> None:
    transport, host = LEGS[leg].split(":", 1)[0], LEGS[leg].split(":", 1)[1].removesuffix(":0").strip("[]")

    async def main() -> None:
        async with asyncio.timeout(30), agent("sip:alice@127.0.0.1", *LEGS) as alice, Ear(transport, host) as ear:

            def answer(request: Request) -> Sequence[Response]:
                if request.method != "INVITE":
                    return []
                if named_by == "contact":
                    return [answer_of(request, ear.uri)]
                lr = ("Record-Route", f"<{ear.uri};lr>")
                return [answer_of(request, peer.uri(), lr)]

            async with Peer(answer) as peer:
                call = await alice.invite(peer.uri(), media="none")
                assert (await call.request("INFO", b"x", content_type="text/plain")).status == 200
                await call.reinvite()
                await call.bye()
                await until(lambda: ear.methods()[-1:] == ["BYE"])
                assert peer.methods() == ["INVITE"]
        assert ear.methods() == ["ACK", "INFO", "INVITE", "ACK", "BYE"]
        for request in ear.requests:
            own = alice.legs[leg]
            assert (request.via.transport.lower(), request.via.host, request.via.port) == (transport, host, own.port)
            if contact := contact_uri(request):
                where = Uri.parse(contact)
                assert (where.transport or "udp", where.host, where.port) == (transport, host, own.port)

    asyncio.run(main())


@pytest.mark.parametrize("leg", range(len(LEGS)))
def test_a_redirected_call_goes_on_by_the_way_of_its_new_target(leg: int) -> None:
    transport, host = LEGS[leg].split(":", 1)[0], LEGS[leg].split(":", 1)[1].removesuffix(":0").strip("[]")

    async def main() -> None:
        redirecting = agent("sip:alice@127.0.0.1", *LEGS, redirects=1)
        async with asyncio.timeout(30), redirecting as alice, Ear(transport, host) as ear:

            def answer(request: Request) -> Sequence[Response]:
                contacts = f"<sip:peer@127.0.0.1;transport=ws>;q=1, <{ear.uri}>;q=0.5"
                return [reply(request, 302, ("Contact", contacts))] if request.method == "INVITE" else []

            async with Peer(answer) as peer:
                call = await alice.invite(peer.uri(), media="none")
                await call.bye()
        assert ear.methods() == ["INVITE", "ACK", "BYE"]
        for request in ear.requests:
            own = alice.legs[leg]
            assert (request.via.transport.lower(), request.via.host, request.via.port) == (transport, host, own.port)
        where = Uri.parse(contact_uri(ear.requests[0]))
        assert (where.transport or "udp", where.host, where.port) == (transport, host, own.port)

    asyncio.run(main())


@pytest.mark.parametrize("way", ["transport=tcp", "transport=tls", "transport=ws", "transport=sctp", "sips", "v6"])
def test_without_a_listener_for_the_next_hop_the_call_fails_at_once(way: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent("sip:alice@127.0.0.1") as alice:

            def answer(request: Request) -> Sequence[Response]:
                place = f"sip:peer@127.0.0.1:{peer.port};{way}"
                place = {"sips": f"sips:peer@127.0.0.1:{peer.port}", "v6": "sip:peer@[::1]:9"}.get(way, place)
                return [answer_of(request, place)] if request.method == "INVITE" else [reply(request, 200)]

            async with Peer(answer) as peer:
                started = asyncio.get_running_loop().time()
                try:
                    call = await alice.invite(peer.uri(), media="none")
                    await call.over()
                    assert (call.cause, call.by) == ("no_way", "transport")
                except CallError:
                    pass
                assert asyncio.get_running_loop().time() - started < 5
                await asyncio.sleep(0.7)  # timer E: nothing of it may be repeated by UDP
                assert [each.method for each in peer.requests] == ["INVITE"]
                assert not worker_of(alice).actors.live

    asyncio.run(main())


@pytest.mark.parametrize("method", ["INFO", "OPTIONS", "INVITE", "BYE"])
def test_a_target_that_moves_out_of_reach_fails_each_request_at_once(method: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent("sip:alice@127.0.0.1") as alice:
            answered: list[str] = []

            def answer(request: Request) -> Sequence[Response]:
                answered.append(request.method)
                place = f"{peer.uri()};transport=tls" if "UPDATE" in answered else peer.uri()
                return [answer_of(request, place)] if request.method != "ACK" else []

            async with Peer(answer) as peer:
                call = await alice.invite(peer.uri(), media="none")
                await call.request("UPDATE")
                started = asyncio.get_running_loop().time()
                if method == "BYE":
                    await call.bye()
                elif method == "INVITE":
                    with pytest.raises(CallRejected, match="503"):
                        await call.reinvite()
                else:
                    with pytest.raises(CallRejected, match=f"503 {method} could not be sent"):
                        await call.request(method)
                assert asyncio.get_running_loop().time() - started < 5

    asyncio.run(main())


def test_all_legs_are_different_places() -> None:
    """The tests above prove nothing if two legs could be taken for each other."""
    assert all(one != other for one, other in itertools.combinations(LEGS, 2))
    assert socket.has_ipv6
