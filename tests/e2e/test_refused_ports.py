"""Datagrams that kernel or ICMP report as not arrived: each request fails at once, not after 32 s (RFC 3261 18.4)."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import Peer, agent, reply
from .test_command_line import SECONDS, Running, was


def refused_port(host: str) -> int:
    """A UDP port that nobody listens on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((host, 0))
        return int(opened.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_call_to_a_port_that_nobody_listens_on_fails_at_once(host: str) -> None:
    place = f"[{host}]" if ":" in host else host

    async def main() -> None:
        async with asyncio.timeout(20), agent(f"sip:alice@{place}", f"udp:{place}:0") as alice:
            loop = asyncio.get_running_loop()
            for _ in range(5):
                started = loop.time()
                with pytest.raises(CallRejected, match="503"):
                    await alice.invite(f"sip:nobody@{place}:{refused_port(host)}", media="none")
                assert loop.time() - started < 3
            assert not worker_of(alice).actors.live

    asyncio.run(main())


def test_calls_to_others_go_on_beside_refused_ones() -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence")
            nobody = refused_port("127.0.0.1")

            async def fails() -> None:
                with pytest.raises(CallRejected, match="503"):
                    await alice.invite(f"sip:nobody@127.0.0.1:{nobody}", media="none")

            async def goes_well() -> None:
                call = await alice.invite(f"sip:bob@127.0.0.1:{bob.legs[0].port}", media="none")
                await call.bye()

            await asyncio.gather(*(each() for _ in range(100) for each in (fails, goes_well)))

    asyncio.run(main())


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "CANCEL"])
def test_a_peer_that_is_gone_fails_each_request_at_once(method: str) -> None:
    peer: Peer

    def answer(request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        return [reply(request, 180 if method == "CANCEL" else 200, peer=peer)]

    peer = Peer(answer)

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice:
            loop = asyncio.get_running_loop()
            ringing = asyncio.Event()
            async with peer:
                if method == "CANCEL":
                    call = await alice.invite(peer.uri(), cb_final=(), cb_preliminary=lambda *_: ringing.set())
                    await ringing.wait()
                else:
                    call = await alice.invite(peer.uri(), media="none")
            await asyncio.sleep(0)
            started = loop.time()
            if method == "BYE":
                await call.bye()
            elif method == "CANCEL":
                call.hang_up()
                await call.over()
            else:
                with pytest.raises(CallRejected, match="503"):
                    await (call.reinvite() if method == "INVITE" else call.request(method))
            assert loop.time() - started < 3

    asyncio.run(main())


@pytest.mark.parametrize("to", ["127.255.255.255:5060", "255.255.255.255:5060", "127.0.0.1:0"])
def test_what_sendto_refuses_fails_at_once(to: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), agent("sip:alice@127.0.0.1") as alice:
            with pytest.raises(Exception, match=r"503|port"):
                await alice.invite(f"sip:x@{to}", media="none")

    asyncio.run(main())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("octets", [1, 70_000])
def test_neither_a_closed_port_nor_a_message_too_long_is_waited_for(transport: str, octets: int) -> None:
    """70,000 octets are more than a datagram has room for (EMSGSIZE)."""

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", f"{transport}:127.0.0.1:0") as alice:
            to = f"sip:nobody@127.0.0.1:{refused_port('127.0.0.1')};transport={transport}"
            started = asyncio.get_running_loop().time()
            with pytest.raises(CallRejected, match="503"):
                await alice.invite(to, media="none", sip_header={"X-Long": "x" * octets})
            assert asyncio.get_running_loop().time() - started < 3
            assert not worker_of(alice).actors.live

    asyncio.run(main())


def test_a_node_is_told_of_refused_ports_too(tmp_path: Path) -> None:
    port = refused_port("127.0.0.1")
    load = ("-r", "20", "-m", "20", "--call-workers", "2", "--media-workers", "1", "--out", str(tmp_path / "out"))
    running = Running("load", f"sip:nobody@127.0.0.1:{port}", *load)
    try:
        assert was(running.process.wait(SECONDS), 1)
    finally:
        running.close()
    rows = (tmp_path / "out" / "calls.csv").read_text()
    assert rows.count("unreachable") >= 20
