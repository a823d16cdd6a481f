"""`sipswarm proxy` with real processes: calls of our own user agents go through it, in each transport, and end."""

import asyncio
import re
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import invite

from .agents import Peer, agent, note, reply
from .servers import BOTH, USERS, Server, serving
from .test_registrar import ask
from .waiting import until

TRANSPORTS = ("udp", "tcp")


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def requests(server: Server, method: str, direction: str = "received") -> float:
    """How many requests of a method have passed the proxy's wire."""
    return server.metric("sipswarm_sip_requests_total", f'method="{method}"', f'direction="{direction}"')


def leg(transport: str) -> str:
    return f"{transport}:127.0.0.1:0"


def through(server: Server, transport: str, user: str = "bob") -> str:
    return f"sip:{user}@127.0.0.1:{server.ports[transport]};transport={transport}"


async def bound(server: Server, ua: UserAgent, transport: str) -> None:
    assert await ua.register(f"sip:127.0.0.1:{server.ports[transport]};transport={transport}", expires=300) == 300


@pytest.mark.parametrize(
    ("caller", "callee", "recorded"),
    [(caller, callee, recorded) for caller in TRANSPORTS for callee in TRANSPORTS for recorded in (True, False)],
)
def test_a_registered_user_is_called_through_the_proxy(caller: str, callee: str, recorded: bool) -> None:
    async def scenario(server: Server) -> None:
        async with (
            agent("sip:alice@127.0.0.1", *map(leg, TRANSPORTS)) as alice,
            agent("sip:bob@127.0.0.1", *map(leg, TRANSPORTS)) as bob,
        ):
            came: list[Call] = []
            bob.listen(cb_create=lambda call, request: note(came, call), media="none")
            await bob.register(
                f"sip:127.0.0.1:{server.ports[callee]};transport={callee}", expires=300, leg=TRANSPORTS.index(callee)
            )
            call = await alice.invite(through(server, caller), media="none")
            await call.hold()
            await call.resume()
            await call.bye()
            await until(lambda: came[0].closed)
            assert len(came) == 1
            forwarded = ("sipswarm_proxy_messages_total", 'kind="request"', 'result="forwarded"')
            await until(lambda: server.metric(*forwarded) >= (7 if recorded else 1))
            passed = requests(server, "BYE"), requests(server, "ACK")
            assert (passed[0] >= 1, passed[1] >= 3) == (recorded, recorded)

    more = ("--record-route",) if recorded else ()
    with serving("proxy", *BOTH, "--registrar", *more) as server:
        run(lambda: scenario(server))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refusals_cancels_and_unknown_users_come_back(transport: str) -> None:
    async def scenario(server: Server) -> None:
        async with (
            agent("sip:alice@127.0.0.1", leg(transport)) as alice,
            agent("sip:bob@127.0.0.1", leg(transport)) as bob,
        ):

            async def busy(call: Call) -> None:
                call.reject(486)

            bob.listen(busy)
            await bound(server, bob, transport)
            with pytest.raises(CallRejected) as refused:
                await alice.invite(through(server, transport))
            assert refused.value.status == 486
            with pytest.raises(CallRejected) as unknown:
                await alice.invite(through(server, transport, "nobody"))
            assert unknown.value.status == 404
            bob.stop_listening()
            ringing: list[Call] = []

            async def rings(call: Call) -> None:
                call.ring()
                ringing.append(call)
                await call.over()

            bob.listen(rings)
            with pytest.raises((CallRejected, CallTimeout)):
                await alice.invite(through(server, transport), ring_time=1.0)
            await until(lambda: ringing and ringing[0].closed)
            await until(lambda: requests(server, "CANCEL", "sent") >= 1)

    with serving("proxy", *BOTH, "--registrar") as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


MADE_UP = ((), ("Route: <sip:127.0.0.1:{port};lr>",), ("Route: <sip:127.0.0.1:{port};lr;dialog=00112233>",))
"""Header lines of requests of dialogs that never were."""


async def statuses_of_made_up_dialogs(port: int) -> list[int]:
    """Send INVITEs whose To has a tag; the statuses that come back."""
    statuses: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.setblocking(False)
        host, own = stranger.getsockname()
        for number, lines in enumerate(MADE_UP):
            data = invite(number, host, own, *(line.replace("{port}", str(port)) for line in lines))
            data = data.replace(b"To: <sip:bob@127.0.0.1>", b"To: <sip:bob@127.0.0.1>;tag=made-up")
            stranger.sendto(data.replace(b" sip:bob@127.0.0.1 ", b" sip:bob@127.0.0.1:%d " % port), ("127.0.0.1", port))

        def heard() -> bool:
            with suppress(BlockingIOError):
                statuses.append(int(stranger.recv(65536)[8:11]))
            return len(statuses) == len(MADE_UP)

        await until(heard)
    return statuses


@pytest.mark.parametrize("record", [[], ["--record-route"]], ids=lambda each: "".join(each))
def test_with_auth_a_user_calls_and_a_stranger_does_not_and_the_password_goes_no_further(
    tmp_path: Path, record: list[str]
) -> None:
    users = tmp_path / "users.csv"
    users.write_text(USERS)

    def answers(request: Request) -> list[Response]:
        return [reply(request, 200, peer=peers[0])] if request.method in ("INVITE", "BYE") else []

    peers: list[Peer] = []

    async def scenario(server: Server) -> None:
        async with (
            Peer(answers) as peer,
            agent("sip:alice@127.0.0.1", auth=("alice", "secret")) as alice,
            agent("sip:bob@127.0.0.1", auth=("bob", "other")) as bob,
        ):
            peers.append(peer)
            port = server.ports["udp"]
            assert await bob.register(f"sip:127.0.0.1:{port}", contact=peer.uri("bob"), expires=300) == 300
            call = await alice.invite(through(server, "udp"), media="none")
            await call.bye()
            invites = [each for each in peer.requests if each.method == "INVITE"]
            assert [each.headers.get("Proxy-Authorization") for each in invites] == [None]
            assert [each.host for each in invites[0].vias] == ["127.0.0.1", "127.0.0.1"]
            async with agent("sip:mallory@127.0.0.1", auth=("alice", "wrong")) as mallory:
                with pytest.raises(CallRejected) as refused:
                    await mallory.invite(through(server, "udp"), media="none")
                assert refused.value.status == 407
            assert peer.methods().count("INVITE") == 1
            assert await statuses_of_made_up_dialogs(port) == [407] * len(MADE_UP)
            assert peer.methods().count("INVITE") == 1, "a tag that was made up lets nobody through"

    with serving("proxy", *BOTH, "--registrar", "--users", str(users), "--auth", *record) as server:
        run(lambda: scenario(server))


def test_the_next_hop_gets_what_is_for_other_domains_and_its_responses_come_back() -> None:
    async def main() -> None:
        async with Peer(lambda request: [reply(request, 202)]) as peer:
            with serving("proxy", "--listen", "udp:127.0.0.1:0", "--next-hop", f"127.0.0.1:{peer.port}") as server:
                by = f"sip:127.0.0.1:{server.ports['udp']}"
                async with agent("sip:alice@127.0.0.1", outgoing_proxy=by) as alice:
                    response = await alice.request("MESSAGE", "sip:bob@elsewhere.invalid", "hello")
                assert response.status == 202
                (came,) = peer.requests
                assert (came.uri, came.max_forwards, came.body) == ("sip:bob@elsewhere.invalid", 69, b"hello")
                assert came.headers.values("route") == [f"<sip:127.0.0.1:{peer.port};lr>"]
                assert re.fullmatch(r"z9hG4bK[0-9a-f]{24}\.[0-9a-f]{12}", came.branch)

    run(main)


@pytest.mark.parametrize(("more", "of_bob"), [((), 403), (("--any-from",), 202)], ids=["", "any-from"])
def test_a_user_writes_no_other_user_of_the_domain_into_from(
    tmp_path: Path, more: tuple[str, ...], of_bob: int
) -> None:
    users = tmp_path / "users.csv"
    users.write_text(USERS)

    async def status(server: Server, from_: str) -> int:
        by = f"sip:127.0.0.1:{server.ports['udp']}"
        async with agent(from_, outgoing_proxy=by, auth=("alice", "secret")) as ua:
            try:
                return (await ua.request("MESSAGE", "sip:carol@elsewhere.invalid", "hello")).status
            except CallRejected as refused:
                return refused.status

    async def scenario(server: Server, peer: Peer) -> None:
        found = [await status(server, each) for each in ("sip:alice@127.0.0.1", "sip:x@far.test", "sip:bob@127.0.0.1")]
        assert found == [202, 202, of_bob]
        assert peer.methods() == ["MESSAGE"] * found.count(202)

    async def main() -> None:
        async with Peer(lambda request: [reply(request, 202)]) as peer:
            words = ("--users", str(users), "--auth", "--next-hop", f"127.0.0.1:{peer.port}", *more)
            with serving("proxy", "--listen", "udp:127.0.0.1:0", *words) as server:
                await scenario(server, peer)

    run(main)


@pytest.mark.parametrize("contact", ["sip:alice@127.0.0.1:{dead};transport=tcp", "sip:alice@169.254.1.1"])
def test_a_next_hop_that_refuses_or_is_not_permitted_is_503(contact: str) -> None:
    with socket.socket() as dead, serving("proxy", *BOTH, "--registrar") as server:
        dead.bind(("127.0.0.1", 0))  # and does not listen
        port = server.ports["udp"]
        assert ask(port, f"Contact: <{contact.format(dead=dead.getsockname()[1])}>").status == 200
        for number, method in enumerate(("OPTIONS", "INVITE"), 2):
            assert ask(port, method=method, number=number, uri=f"sip:alice@127.0.0.1:{port}").status == 503
        asyncio.run(until(lambda: server.metric("sipswarm_proxy_messages_total", 'result="unsent"') >= 2))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


def phone() -> socket.socket:
    """A UDP socket that waits a second for what comes."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.settimeout(1.0)
    return opened


def contact_of(opened: socket.socket) -> str:
    return f"<sip:alice@127.0.0.1:{opened.getsockname()[1]}>"


def sent(caller: socket.socket, port: int, method: str, to: socket.socket) -> Request:
    """Send a request of one transaction to alice until a phone has it; as it came there."""
    tag = ";tag=callee" if method == "ACK" else ""
    lines = (
        f"{method} sip:alice@127.0.0.1:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{caller.getsockname()[1]};branch=z9hG4bK-one-call",
        *("Max-Forwards: 70", "From: <sip:carol@127.0.0.1>;tag=1", f"To: <sip:alice@127.0.0.1>{tag}"),
        *("Call-ID: one-call", f"CSeq: 1 {method}", "Content-Length: 0"),
    )
    for _ in range(20):
        caller.sendto("\r\n".join((*lines, "", "")).encode(), ("127.0.0.1", port))
        with suppress(TimeoutError):
            while True:
                message = parse(to.recv(65536))
                if isinstance(message, Request) and message.method == method:
                    return message
    raise AssertionError(f"no {method} came")


def test_cancel_repetition_and_ack_go_to_the_phone_that_rings_whoever_has_registered_meanwhile() -> None:
    with serving("proxy", *BOTH, "--registrar") as server, phone() as first, phone() as second, phone() as caller:
        port = server.ports["udp"]
        ask(port, f"Contact: {contact_of(first)};q=0.5")
        branch = sent(caller, port, "INVITE", first).branch
        ask(port, f"Contact: {contact_of(second)};q=0.9")
        for method in ("INVITE", "CANCEL"):
            assert sent(caller, port, method, first).branch == branch
        ask(port, "Contact: *", "Expires: 0")
        assert sent(caller, port, "ACK", first).branch == branch
        second.setblocking(False)
        with pytest.raises(BlockingIOError):
            second.recv(65536)
