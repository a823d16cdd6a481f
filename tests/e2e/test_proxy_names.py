"""The proxy in one loop with a made-up DNS: NAPTR and SRV choose the next hop (RFC 3263), each time the same one."""

import asyncio
from collections import Counter
from random import Random

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import ServerConfig
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.process.server_application import install_server
from sipswarm.actors.transport.names.dns_records import Answer, Naptr, Srv
from sipswarm.actors.transport.names.resolver import Resolver
from sipswarm.sipcore.message.messages import Request
from tests.actors.workers import worker_of

from .agents import Peer, address_of, agent, reply

Rows = dict[tuple[str, str], tuple[Naptr | Srv | str, ...]]


def be_the_proxy(ua: UserAgent, rows: Rows) -> Counter[tuple[str, str]]:
    """Make the node of a user agent a proxy that knows this DNS; returns how often each question was asked."""
    asked: Counter[tuple[str, str]] = Counter()

    async def lookup(kind: str, name: str) -> Answer:
        asked[kind, name] += 1
        await asyncio.sleep(0)
        return Answer(rows.get((kind, name), ()), 60.0)

    worker = worker_of(ua)
    worker.output.late.use(Resolver(lookup, random=Random(1)))
    install_server(worker, ServerConfig(proxy=True))
    return asked


def test_srv_spreads_requests_and_a_repetition_goes_the_same_way() -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(30),
            agent("sip:proxy@127.0.0.1") as proxy,
            Peer(lambda request: [reply(request, 202)], hears_all=True) as one,
            Peer(lambda request: [reply(request, 202)], hears_all=True) as two,
            Peer(lambda request: []) as client,
        ):
            rows: Rows = {
                ("SRV", "_sip._udp.far.test"): (Srv(1, 50, "a.test.", one.port), Srv(1, 50, "a.test.", two.port)),
                ("A", "a.test"): ("127.0.0.1",),
            }
            asked = be_the_proxy(proxy, rows)
            host, _, port = address_of(proxy).partition("@")[2].rpartition(":")
            for repetition in range(3):
                for number in range(30):
                    pairs = [
                        ("Via", f"SIP/2.0/UDP 127.0.0.1:{client.port};branch=z9hG4bK{number};rport"),
                        *[("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@far.test>"), ("Call-ID", f"call{number}")],
                        *[("CSeq", "1 MESSAGE"), ("Max-Forwards", "70")],
                    ]
                    octets = Request.build("MESSAGE", "sip:b@far.test", pairs).to_bytes()
                    client._transport.sendto(octets, (host, int(port)))
                while len(one.requests) + len(two.requests) < 30 * (repetition + 1):
                    await asyncio.sleep(0.01)
            calls = [{each.call_id for each in peer.requests} for peer in (one, two)]
            assert not calls[0] & calls[1]
            assert min(map(len, calls)) > 3
            assert (len(calls[0] | calls[1]), asked["SRV", "_sip._udp.far.test"]) == (30, 1)

    asyncio.run(main())


def test_naptr_chooses_the_transport_and_a_name_without_address_is_refused() -> None:
    came: list[Request] = []

    async def main() -> None:
        async with (
            asyncio.timeout(30),
            agent("sip:proxy@127.0.0.1", "udp:127.0.0.1:0", "tcp:127.0.0.1:0") as proxy,
            agent("sip:bob@127.0.0.1", "tcp:127.0.0.1:0") as bob,
        ):
            bob.on_request("MESSAGE", came.append)
            port = int(address_of(bob).rpartition(":")[2])
            rows: Rows = {
                ("NAPTR", "far.test"): (Naptr(1, 1, "SIP+D2T", "_sip._tcp.near.test."),),
                ("SRV", "_sip._tcp.near.test"): (Srv(1, 1, "a.test.", port),),
                ("A", "a.test"): ("127.0.0.1",),
            }
            be_the_proxy(proxy, rows)
            async with agent("sip:alice@127.0.0.1", outgoing_proxy=address_of(proxy, "proxy")) as alice:
                assert (await alice.request("MESSAGE", "sip:bob@far.test", "hello")).status == 200
                with pytest.raises(CallRejected) as refused:
                    await alice.request("MESSAGE", "sip:bob@nowhere.test", "hello")
                assert refused.value.status == 503
            (request,) = came
            assert [each.transport for each in request.vias] == ["TCP", "UDP"]

    asyncio.run(main())
