"""Calls over TCP and TLS between two user agents: set up, renegotiated, broken off in the middle, hung up."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import TlsConfig
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.transport.names.dns_records import Answer, Lookup, Naptr, Srv
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.certificates import Authority
from tests.e2e.waiting import pass_time

PORTS = count(32000, 200)
"""a range of RTP ports for each user agent, because ports rest after use"""


def agent(*legs: str, tls: TlsConfig | None = None, dnsresolv: Lookup | None = None) -> UserAgent:
    low = 32000 + (next(PORTS) - 32000) % 20000
    return UserAgent("sip:alice@127.0.0.1", legs=legs, rtp_ports=(low, low + 198), tls=tls, dnsresolv=dnsresolv)


def address(ua: UserAgent, leg: int = 0) -> str:
    listener = ua.legs[leg]
    return f"sip:bob@{str(listener).partition(':')[2]};transport={listener.transport}"


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await main()

    asyncio.run(bounded())


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()


@pytest.mark.parametrize("leg", ["tcp:127.0.0.1:0", "tcp:[::1]:0"])
def test_a_call_over_tcp_is_set_up_renegotiated_and_hung_up(leg: str) -> None:
    async def main() -> None:
        async with agent(leg) as alice, agent(leg) as bob:
            bob.listen(answers)
            call = await alice.invite(address(bob), media="tone:440")
            await call.reinvite()
            await pass_time(0.3)
            await call.bye()
            assert (call.cause, call.by) == ("bye", "local")
            assert call.statistics is not None
            assert call.statistics.packets_received

    run(main)


def test_a_refused_connection_ends_the_call_at_once() -> None:
    async def main() -> None:
        async with agent("tcp:127.0.0.1:0") as alice:
            async with agent("tcp:127.0.0.1:0") as bob:
                nobody = address(bob)
            started = asyncio.get_running_loop().time()
            with pytest.raises(CallRejected) as caught:
                await alice.invite(nobody)
            assert caught.value.status == 503
            assert asyncio.get_running_loop().time() - started < 2

    run(main)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def certified(authority: Authority, name: str, *alternatives: str, client_certificates: bool = False) -> TlsConfig:
    certificate, key = authority.issue(name, *alternatives)
    return TlsConfig(authority.ca, certificate, key, client_certificates)


@pytest.mark.parametrize("leg", ["tls:127.0.0.1:0", "tls:[::1]:0"])
@pytest.mark.parametrize("mutual", [False, True])
def test_a_call_over_tls_is_set_up_renegotiated_and_hung_up(authority: Authority, leg: str, mutual: bool) -> None:
    async def main() -> None:
        names = ("IP:127.0.0.1", "IP:::1")
        theirs = certified(authority, "bob", *names, client_certificates=mutual)
        ours = certified(authority, "alice", *names) if mutual else TlsConfig(authority.ca)
        async with agent(leg, tls=ours) as alice, agent(leg, tls=theirs) as bob:
            bob.listen(answers)
            call = await alice.invite(address(bob), media="silence")
            await call.reinvite()
            await call.bye()
            assert (call.cause, call.by) == ("bye", "local")

    run(main)


@pytest.mark.parametrize("fault", ["another CA", "another name", "no client certificate"])
def test_whoever_cannot_show_who_he_is_gets_no_call_and_none_goes_over_udp(
    authority: Authority, tmp_path: Path, fault: str
) -> None:
    async def main() -> None:
        name = "IP:127.0.0.2" if fault == "another name" else "IP:127.0.0.1"
        theirs = certified(authority, "bob", name, client_certificates=fault == "no client certificate")
        trusted = Authority(tmp_path / "other").ca if fault == "another CA" else authority.ca
        legs = ("tls:127.0.0.1:0", "udp:127.0.0.1:0")
        async with agent(*legs, tls=TlsConfig(trusted)) as alice, agent(*legs, tls=theirs) as bob:
            bob.listen(answers)
            with pytest.raises(CallRejected) as caught:
                await alice.invite(address(bob))
            assert caught.value.status == 503

    run(main)


def test_a_tls_leg_without_a_certificate_is_refused_by_name() -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError, match="needs a certificate"):
            async with agent("tls:127.0.0.1:5061"):
                raise AssertionError

    run(main)


class ForgetfulPeer:
    """A callee over TCP that answers each request and closes the connection right after."""

    def __init__(self) -> None:
        self.methods: list[list[str]] = []
        self.port = 0

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen: list[str] = []
        self.methods.append(seen)
        while not seen or seen[-1] == "INVITE":
            head = await reader.readuntil(b"\r\n\r\n")
            request = parse(head.replace(b"Content-Length: ", b"X-Length: "))
            assert isinstance(request, Request)
            body = await reader.readexactly(int(request.headers.get("X-Length") or 0))
            seen.append(request.method)
            if request.method == "ACK":
                continue
            contact = [("Contact", f"<sip:bob@127.0.0.1:{self.port};transport=tcp>")]
            invite = request.method == "INVITE"
            answer = body if invite else b""
            kind = "application/sdp" if invite else None
            reply = Response.to_request(request, 200, to_tag="bob", extra=contact, body=answer, content_type=kind)
            writer.write(reply.to_bytes())
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def test_a_peer_that_closes_the_connection_gets_the_next_request_on_a_new_one() -> None:
    async def main() -> None:
        peer = ForgetfulPeer()
        async with await peer.serve(), agent("tcp:127.0.0.1:0") as alice:
            call = await alice.invite(f"sip:bob@127.0.0.1:{peer.port};transport=tcp", media="silence")
            while peer.methods != [["INVITE", "ACK"]]:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            await call.bye()
            assert (call.cause, call.by) == ("bye", "local")
            assert peer.methods == [["INVITE", "ACK"], ["BYE"]]

    run(main)


LONG: dict[str, Any] = {"sip_header": {"X-Long": "x" * 1400}}


def test_a_request_too_long_for_udp_goes_over_tcp_and_the_call_goes_on_over_udp() -> None:
    async def main() -> None:
        legs = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
        async with agent(*legs) as alice:
            port = 0
            for _ in range(20):  # the same number for UDP and TCP, as a real peer has it
                bob = agent("udp:127.0.0.1:0")
                async with bob:
                    port = bob.legs[0].port
                bob = agent(f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}")
                try:
                    await bob.__aenter__()
                except ConfigurationError:
                    continue
                break
            try:
                vias: list[str] = []

                async def robot(call: Call) -> None:
                    assert call.invite_request is not None
                    vias.append(call.invite_request.via.transport)
                    await answers(call)

                bob.listen(robot)
                call = await alice.invite(f"sip:bob@127.0.0.1:{port}", media="silence", **LONG)
                await call.bye()
                assert (call.cause, call.by) == ("bye", "local")
                assert vias == ["TCP"]
            finally:
                await bob.__aexit__(None, None, None)

    run(main)


def test_a_long_request_to_a_peer_without_tcp_goes_over_udp_after_all() -> None:
    async def main() -> None:
        async with agent("udp:127.0.0.1:0", "tcp:127.0.0.1:0") as alice, agent("udp:127.0.0.1:0") as bob:
            vias: list[str] = []

            async def robot(call: Call) -> None:
                assert call.invite_request is not None
                vias.append(call.invite_request.via.transport)
                await answers(call)

            bob.listen(robot)
            for _ in range(2):
                call = await alice.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="silence", **LONG)
                await call.bye()
                assert (call.cause, call.by) == ("bye", "local")
            assert vias == ["UDP", "UDP"]

    run(main)


def dns(table: dict[tuple[str, str], tuple[Naptr | Srv | str, ...]]) -> Lookup:
    async def lookup(kind: str, name: str) -> Answer:
        return Answer(table.get((kind, name), ()), 60.0)

    return lookup


def test_a_name_leads_by_naptr_and_srv_past_a_dead_host_and_a_busy_one_to_one_that_answers() -> None:
    async def main() -> None:
        leg = "tcp:127.0.0.1:0"
        async with agent(leg) as gone:
            dead = gone.legs[0].port
        async with agent(leg) as busy, agent(leg) as bob:
            busy.listen(answers, filter=lambda sender, request: False, refuse_status=503)
            bob.listen(answers)
            table: dict[tuple[str, str], tuple[Naptr | Srv | str, ...]] = {
                ("NAPTR", "bob.test"): (Naptr(1, 1, "SIP+D2T", "_sip._tcp.bob.test."),),
                ("SRV", "_sip._tcp.bob.test"): tuple(
                    Srv(priority, 0, "host.test.", port)
                    for priority, port in enumerate((dead, busy.legs[0].port, bob.legs[0].port))
                ),
                ("A", "host.test"): ("127.0.0.1",),
            }
            async with agent(leg, dnsresolv=dns(table)) as alice:
                call = await alice.invite("sip:bob@bob.test", media="silence")
                await call.bye()
                assert (call.cause, call.by) == ("bye", "local")
                with pytest.raises(ConfigurationError, match="no address"):
                    await alice.invite("sip:bob@nobody.test")

    run(main)


@pytest.mark.parametrize("certified_name", ["bob.test", "other.test"])
def test_over_tls_the_name_that_was_called_must_be_certified(authority: Authority, certified_name: str) -> None:
    async def main() -> None:
        theirs = certified(authority, "bob", f"DNS:{certified_name}", "IP:127.0.0.1")
        ours = TlsConfig(authority.ca)
        async with agent("tls:127.0.0.1:0", tls=theirs) as bob:
            bob.listen(answers)
            lookup = dns({("A", "bob.test"): ("127.0.0.1",)})
            async with agent("tls:127.0.0.1:0", tls=ours, dnsresolv=lookup) as alice:
                target = f"sips:bob@bob.test:{bob.legs[0].port}"
                if certified_name != "bob.test":
                    with pytest.raises(CallRejected):
                        await alice.invite(target)
                    return
                call = await alice.invite(target, media="silence")
                await call.bye()
                assert (call.cause, call.by) == ("bye", "local")

    run(main)


OPTIONS = (
    "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKhalf\r\n"
    "From: <sip:alice@127.0.0.1>;tag=a\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: half\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


async def read_after_close_notify(port: int, ca: str, data: bytes) -> tuple[bytes, bool]:
    """Send data over TLS, end that side by close_notify, and read: the octets, and whether close_notify came."""
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = ssl.create_default_context(cafile=ca).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setblocking(False)

        async def done(action: Callable[[], object]) -> object:
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    await loop.sock_sendall(peer, outgoing.read())
                    incoming.write(await loop.sock_recv(peer, 65536))

        await done(secure.do_handshake)
        secure.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            secure.unwrap()
        await loop.sock_sendall(peer, outgoing.read())
        came = b""
        while more := await loop.sock_recv(peer, 65536):
            incoming.write(more)
            try:
                while True:
                    came += secure.read(65536)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLZeroReturnError:
                return came, True
        return came, False


def test_a_peer_that_ends_its_side_after_its_request_reads_the_response(authority: Authority) -> None:
    async def main() -> None:
        legs = ("tcp:127.0.0.1:0", "tls:127.0.0.1:0")
        async with agent(*legs, tls=certified(authority, "bob", "IP:127.0.0.1")) as bob:
            bob.listen(answers)
            reader, writer = await asyncio.open_connection("127.0.0.1", bob.legs[0].port)
            writer.write(OPTIONS.encode())
            writer.write_eof()
            assert (await reader.read()).startswith(b"SIP/2.0 200 ")
            writer.close()
            secure = OPTIONS.replace("/TCP", "/TLS").encode()
            came, ended = await read_after_close_notify(bob.legs[1].port, authority.ca, secure)
            assert came.startswith(b"SIP/2.0 200 ")
            assert ended

    run(main)
