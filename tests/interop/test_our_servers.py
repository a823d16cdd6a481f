"""Net::SIP and baresip at our servers: they register with a password, call and are called through our proxy.

The scenarios of Net::SIP are 08 and 14 of its own suite, with ours in the place of registrar and proxy. All go over one
proxy, which stays in the way of the dialog.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import format_host
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from tests.e2e.agents import note, rtp_ports
from tests.e2e.servers import Server, serving
from tests.e2e.waiting import until

from .baresip import Phone
from .conftest import Start
from .net_sip import HEARD, WIRES, NetSip, Wire, over_every_wire
from .speech import speech

DOMAIN = "example.invalid"
USERS = "user,password\nalice,secret\nbob,open\n"
FRAME = b"\xfe" * 160
relayed_or_not = pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])


@contextmanager
def proxy(folder: Path, wire: Wire, relay: bool = False) -> Iterator[tuple[Server, str]]:
    """Our registrar and proxy for the domain, and its URI; users are challenged. relay: media goes through it."""
    users = folder / "users.csv"
    users.write_text(USERS)
    certified: list[str] = []
    if wire.authority is not None:
        certificate, key = wire.authority.issue("proxy", "IP:127.0.0.1", "IP:::1")
        certified = ["--tls-cert", certificate, "--tls-key", key, "--tls-ca", wire.authority.ca]
    through = ("--relay-media", "--rtp-ports", "40000-40998") if relay else ("--record-route",)
    words = ["--realm", DOMAIN, "--users", str(users), "--registrar", *through, "--auth", *certified]
    with serving("proxy", "--listen", f"{wire.transport}:{format_host(wire.host)}:0", *words) as server:
        yield server, wire.server(server.ports[wire.transport])


def alice(wire: Wire, uri: str) -> UserAgent:
    return UserAgent(
        f"sip:alice@{DOMAIN}",
        legs=(wire.leg,),
        rtp_ports=rtp_ports(),
        tls=wire.tls,
        auth=("alice", "secret"),
        outgoing_proxy=uri,
    )


def passed(server: Server, method: str) -> float:
    """How many requests of a method have passed the wire of the proxy, both ways."""
    return server.metric("sipswarm_sip_requests_total", f'method="{method}"')


async def has_relayed(server: Server, relay: bool) -> None:
    """Wait until media has gone through the proxy, and no call has ports there any more; nothing without a relay."""
    if relay:
        await until(lambda: server.metric("sipswarm_rtp_relayed_packets_total", 'result="forwarded"') > 0)
        await until(lambda: server.metric("sipswarm_relayed_calls_active") == 0)


def frames(got: list[int]) -> Any:
    return send_recv(lambda number, channel: FRAME, output=lambda *frame: note(got, frame[3]))


async def reported(perl: NetSip) -> dict[str, Any]:
    return await asyncio.get_running_loop().run_in_executor(None, perl.report)


@relayed_or_not
@over_every_wire("udp", "tls")
def test_perl_registers_is_called_reinvites_and_hangs_up_through_our_proxy(
    tmp_path: Path, start: Start, wire: Wire, relay: bool
) -> None:
    aor = f"sip:bob@{DOMAIN}"

    async def main(server: Server, uri: str) -> dict[str, Any]:
        words = {"mode": "again", "hang_up": 1, "proxy": uri, "registrar": f"sip:{DOMAIN}", "aor": aor}
        perl = start(NetSip(tmp_path, "talk.pl", 40, user="bob", password="open", **words, **wire.of_perl()))
        await asyncio.get_running_loop().run_in_executor(None, perl.ready)
        await until(lambda: server.metric("sipswarm_registrar_bindings") == 1)
        async with asyncio.timeout(40), alice(wire, uri) as ua:
            got: list[int] = []
            established: list[str] = []
            ended = StopVariable()
            await ua.invite(
                aor,
                init_media=frames(got),
                cb_established=lambda status, call: note(established, status),
                recv_bye=ended,
            )
            await until(lambda: ended, 20)
            assert established == ["OK"]
            return await reported(perl)

    with proxy(tmp_path, wire, relay) as (server, uri):
        said = asyncio.run(main(server, uri))
        asyncio.run(has_relayed(server, relay))
        # With the challenge, in and out, and the re-INVITE in and out; the BYE in and out.
        asyncio.run(until(lambda: passed(server, "INVITE") >= 5 and passed(server, "BYE") >= 2))
        assert server.running.end(signal.SIGTERM)[0] == 0
    assert (said["outcomes"], said["bye"]) == (["OK"], 1)
    assert said["received"]["second"] >= HEARD
    assert f"bob@{DOMAIN}" in said["context"]["to"]


@relayed_or_not
@over_every_wire("udp", "tls")
def test_perl_calls_us_through_our_proxy_with_its_password(
    tmp_path: Path, start: Start, wire: Wire, relay: bool
) -> None:
    callers: list[str] = []

    async def main(server: Server, uri: str) -> dict[str, Any]:
        async with asyncio.timeout(40), alice(wire, uri) as ua:
            got: list[int] = []

            async def robot(call: Call) -> None:
                callers.append(call.get_peer())
                await call.answer()
                call.start_media(frames(got))
                await until(lambda: len(got) > 25)
                await call.reinvite(init_media=frames(got))
                before = len(got)
                await until(lambda: len(got) > before + 25)
                await call.bye()

            ua.listen(robot)
            assert await ua.register(uri, expires=300) == 300
            words = {
                "to": f"<sip:alice@{DOMAIN}>",
                "from": f"sip:bob@{DOMAIN}",
                "proxy": uri,
                "remote": 1,
                "hang_up": 0,
            }
            perl = start(NetSip(tmp_path, "talk.pl", 40, user="bob", password="open", **words, **wire.of_perl()))
            return await reported(perl)

    with proxy(tmp_path, wire, relay) as (server, uri):
        said = asyncio.run(main(server, uri))
        asyncio.run(has_relayed(server, relay))
        assert server.running.end(signal.SIGTERM)[0] == 0
    assert (said["final"], said["established"], said["ended"]) == ("OK", 1, 1)
    assert said["received"]["second"] >= HEARD
    assert len(callers) == 1


@relayed_or_not
@pytest.mark.parametrize("wire", WIRES[:3], ids=str, indirect=True)
def test_baresip_registers_calls_and_is_called_through_our_proxy(
    tmp_path: Path, start: Start, wire: Wire, relay: bool
) -> None:
    async def main(server: Server, uri: str) -> None:
        at = f"127.0.0.1:{server.ports[wire.transport]};transport={wire.transport}"
        account = f"<sip:bob@{at}>;auth_user=bob;auth_pass=open;regint=60"
        phone = start(Phone(tmp_path, speech(4, seed=3), account=account, authority=wire.authority))
        async with asyncio.timeout(40), phone, alice(wire, uri) as ua:
            await until(lambda: server.metric("sipswarm_registrar_bindings") == 1)
            placing = asyncio.ensure_future(ua.invite(f"sip:bob@{DOMAIN}"))
            await phone.event("CALL_INCOMING")
            await phone.command("accept")
            call = await placing
            await phone.event("CALL_ESTABLISHED")
            await phone.command("hangup")
            await call.over()
            assert (call.cause, call.by) == ("bye", "remote")
            calls: list[Call] = []
            ua.listen(cb_create=lambda call, request: note(calls, call))
            assert await ua.register(uri, expires=300) == 300
            await phone.command("dial", f"sip:alice@{at}")
            await until(lambda: calls and calls[0].is_up)
            await calls[0].bye()
            await phone.event("CALL_CLOSED")
        await until(lambda: passed(server, "BYE") >= 4)

    with proxy(tmp_path, wire, relay) as (server, uri):
        asyncio.run(main(server, uri))
        asyncio.run(has_relayed(server, relay))
        assert server.running.end(signal.SIGTERM)[0] == 0
