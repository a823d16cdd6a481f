"""Names of proxies and registrars, and registrations at several places (CALL.md section 2; man page `register`)."""

import asyncio
import errno
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.errors import CallError, CallRejected, ConfigurationError, HostUnreachable
from sipswarm.actors.transport.names.dns_records import Answer, Srv
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, agent, gate, note, reply
from tests.e2e.test_man_page_registration import Registrar
from tests.e2e.waiting import until


class Names:
    """Answers for a few names; counts the questions."""

    def __init__(self, **rows: tuple[Srv | str, ...]) -> None:
        self._rows = {name.replace("__", "-").replace("_", "."): each for name, each in rows.items()}
        self.asked: list[str] = []

    async def __call__(self, kind: str, name: str) -> Answer:
        self.asked.append(f"{kind} {name}")
        await asyncio.sleep(0.01)
        rows = self._rows.get(name.removeprefix("_sip._udp."), ())
        wanted = Srv if kind == "SRV" else str
        named = name.startswith("_sip._udp.") == (kind == "SRV")
        return Answer(tuple(row for row in rows if isinstance(row, wanted)) if named and kind != "NAPTR" else (), 60.0)


def busy(request: Request) -> Sequence[Response]:
    return [reply(request, 486)] if request.method == "INVITE" else []


@pytest.mark.parametrize("by", ["outgoing_proxy", "domain2proxy"])
def test_a_proxy_that_is_a_name_is_looked_up_when_a_call_needs_it(by: str) -> None:
    async def main() -> None:
        names = Names(proxy_test=("127.0.0.1",))
        async with Peer(busy) as proxy:
            where = f"proxy.test:{proxy.port}"
            options: dict[str, Any] = {by: where if by == "outgoing_proxy" else {"far.test": where}}
            async with agent(dnsresolv=names, **options) as alice:
                assert names.asked == []
                with pytest.raises(CallError, match="486"):
                    await alice.invite("sip:bob@far.test")
                assert names.asked == ["A proxy.test"]
            assert proxy.requests[0].uri == "sip:bob@far.test"

    asyncio.run(main())


def test_a_proxy_that_is_a_name_is_shown_credentials_and_gets_what_follows() -> None:
    async def main() -> None:
        judge = gate()

        def answer(request: Request) -> Sequence[Response]:
            if request.method == "ACK":
                return []
            refusal = judge(request)
            return [refusal or reply(request, 200, peer=proxy)]

        async with Peer(answer) as proxy:
            names = Names(proxy_test=("127.0.0.1",))
            options: dict[str, Any] = {"outgoing_proxy": f"proxy.test:{proxy.port}", "auth": ("alice", "secret")}
            async with agent(dnsresolv=names, **options) as alice:
                call = await alice.invite("sip:bob@far.test")
                await call.bye()
            assert proxy.methods().count("BYE") >= 1

    asyncio.run(main())


def test_a_contact_that_is_a_name_is_looked_up_in_the_same_place() -> None:
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            if request.method == "ACK":
                return []
            response = reply(request, 200, peer=peer)
            if request.method == "INVITE":
                response.headers.set("Contact", f"<sip:peer@peer.test:{peer.port}>")
            return [response]

        names = Names(peer_test=("127.0.0.1",))
        async with Peer(answer) as peer, agent(dnsresolv=names) as alice:
            call = await alice.invite(peer.uri())
            await call.bye()
            assert peer.requests[-1].uri == f"sip:peer@peer.test:{peer.port}"
            assert names.asked == ["A peer.test"]

    asyncio.run(main())


def test_a_call_whose_proxy_has_no_address_goes_nowhere_else() -> None:
    async def main() -> None:
        told: list[Any] = []
        async with Peer(busy) as peer, agent(outgoing_proxy="gone.test", dnsresolv=Names()) as alice:
            call = await alice.invite(peer.uri(), cb_final=lambda status, call, info: note(told, (status, info)))
            await call.over()
            assert told == [("FAIL", {"errno": errno.EHOSTUNREACH})]
            with pytest.raises(HostUnreachable, match=r"gone\.test"):
                await alice.invite(peer.uri())
            assert peer.requests == []

    asyncio.run(main())


@pytest.mark.parametrize("proxy", ["sip:proxy.test;transport=carrier", "sip:pro xy"])
def test_a_proxy_that_cannot_be_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="target"):
        agent(outgoing_proxy=proxy)


def test_a_registrar_at_several_places_is_tried_at_each_of_them() -> None:
    async def main() -> None:
        registrar = Registrar(most=2)
        told: list[Any] = []

        def down(request: Request) -> Sequence[Response]:
            return [reply(request, 503)]

        async with Peer(down) as first, Peer(registrar) as second:
            places = (Srv(1, 1, "a.test", first.port), Srv(2, 1, "b.test", second.port))
            names = Names(registrar_test=places, a_test=("127.0.0.1",), b_test=("127.0.0.1",))
            async with agent(auth=("alice", "secret"), dnsresolv=names) as alice:
                await alice.register("sip:registrar.test", cb_final=lambda *arguments: note(told, arguments[:2]))
                await until(lambda: told == [("OK", 2)])
                assert first.methods() == ["REGISTER"]
                await until(lambda: len(registrar.granted) >= 2)  # the refresh stays where it was granted
                assert first.methods() == ["REGISTER"]
                await alice.register("sip:registrar.test", expires=0)
                assert registrar.granted[-1] == 0

    asyncio.run(main())


def test_a_registrar_that_is_down_everywhere_is_told_once() -> None:
    async def main() -> None:
        told: list[Any] = []

        def down(request: Request) -> Sequence[Response]:
            return [reply(request, 503)]

        async with Peer(down) as first, Peer(down) as second:
            places = (Srv(1, 1, "a.test", first.port), Srv(2, 1, "b.test", second.port))
            names = Names(registrar_test=places, a_test=("127.0.0.1",), b_test=("127.0.0.1",))
            async with agent(dnsresolv=names) as alice:
                await alice.register("sip:registrar.test", cb_final=lambda *arguments: note(told, arguments[:2]))
                await until(lambda: told == [("FAIL", {"code": 503})])
            assert len(told) == 1
            assert (first.methods(), second.methods()) == (["REGISTER"], ["REGISTER"])

    asyncio.run(main())


def test_a_register_with_resp40x_has_the_digest_at_once() -> None:
    async def main() -> None:
        async with agent() as alice, Peer(Registrar()) as peer:
            with pytest.raises(CallRejected) as refused:
                await alice.register(peer.uri())
            assert refused.value.status == 401
            asked: list[str] = []

            def auth(realm: str) -> tuple[str, str]:
                asked.append(realm)
                return "alice", "secret"

            assert asked == []
            assert await alice.register(peer.uri(), resp40x=refused.value.response, auth=auth) == 600
            assert asked == ["test"]
            assert len(peer.requests) == 2  # no further round trip
            with pytest.raises(ConfigurationError, match="resp40x"):
                await alice.register(peer.uri("other"), resp40x=refused.value.response)

    asyncio.run(main())


def test_an_address_and_credentials_may_be_of_one_registration() -> None:
    async def main() -> None:
        async with agent(auth=("nobody", "x"), domain="home.test") as alice, Peer(Registrar()) as peer:
            assert await alice.register(peer.uri(), from_="carol", auth=("alice", "secret"), expires=300) == 300
            request = peer.requests[-1]
            assert str(request.from_.uri) == str(request.to.uri) == "sip:carol@home.test"
            assert request.contacts[0].uri.user == "carol"

    asyncio.run(main())


def test_a_second_register_refreshes_the_one_binding_there_is() -> None:
    async def main() -> None:
        registrar = Registrar()
        async with agent(auth=("alice", "secret")) as alice, Peer(registrar) as peer:
            for expires in (300, 300, 200):
                assert await alice.register(peer.uri(), expires=expires) == expires
            calls = [request.call_id for request in peer.requests]
            assert len(set(calls)) == 2  # the same settings go on in the same registration
            assert registrar.granted == [300, 300, 200]
            assert worker_of(alice).registrations.count == 1

    asyncio.run(main())


def test_a_leg_that_does_not_reach_the_registrar_is_refused() -> None:
    async def main() -> None:
        async with agent("sip:alice@127.0.0.1", "tcp:127.0.0.1:0", "udp:127.0.0.1:0") as alice, Peer(busy) as peer:
            with pytest.raises(ConfigurationError, match="does not reach"):
                await alice.register(peer.uri(), leg=0)

    asyncio.run(main())
