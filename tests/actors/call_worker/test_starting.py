"""A call worker whose application is not prepared refuses no call for good: the sender repeats it, or is told to."""

import asyncio
import socket
from collections.abc import Callable

from sipswarm.actors.agent.node import EmbeddedNode
from sipswarm.actors.call_worker.application import Application
from sipswarm.actors.config import Listener, NodeConfig
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse

PATIENCE = 20.0


class Slow(Application):
    """One that is prepared when the test says so."""

    def __init__(self) -> None:
        self.waiting: asyncio.Future[Callable[[], None]] = asyncio.get_running_loop().create_future()

    def prepare(self, ready: Callable[[], None]) -> None:
        self.waiting.set_result(ready)


def request(method: str, number: int, transport: str) -> bytes:
    return (
        f"{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: {number}@test\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:a@127.0.0.1:9>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def answer_of(peer: socket.socket) -> Response:
    async with asyncio.timeout(PATIENCE):
        found = parse(await asyncio.get_running_loop().sock_recv(peer, 65536))
    assert isinstance(found, Response)
    return found


def test_until_it_is_prepared_an_invite_over_udp_waits_for_its_repetition_and_one_over_tcp_gets_503() -> None:
    async def main() -> None:
        slow = Slow()
        listeners = (Listener("udp", "127.0.0.1", 0), Listener("tcp", "127.0.0.1", 0))
        node = EmbeddedNode(NodeConfig("", listeners, 0), install=lambda worker: worker.applications.add(slow))
        starting = asyncio.create_task(node.start())
        prepared = await asyncio.wait_for(slow.waiting, PATIENCE)
        node._dispatcher._on_prepared(0)  # one that reads already, as where the process before took calls
        refused = node.totals.cell("sipswarm_sip_refused_total", "starting")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            udp.connect(("127.0.0.1", node.config.listeners[0].port))
            tcp.connect(("127.0.0.1", node.config.listeners[1].port))
            for each in (udp, tcp):
                each.setblocking(False)
            udp.send(request("INVITE", 1, "UDP"))
            udp.send(request("OPTIONS", 2, "UDP"))
            answer = await answer_of(udp)
            assert (answer.cseq.method, answer.status) == ("OPTIONS", 200)
            assert refused.value == 0
            tcp.send(request("INVITE", 3, "TCP"))
            answer = await answer_of(tcp)
            assert answer.status == 503
            assert answer.headers.get("Retry-After")
            assert refused.value == 1
            prepared()
            await starting
            for peer, transport in ((udp, "UDP"), (tcp, "TCP")):
                peer.send(request("INVITE", 4, transport))
                answer = await answer_of(peer)
                assert answer.status == 480, "nothing takes calls, now for good"
        await node.close()

    asyncio.run(main())


def test_a_node_reads_nothing_before_its_application_is_prepared() -> None:
    async def main() -> None:
        slow = Slow()
        node = EmbeddedNode(
            NodeConfig("", (Listener("udp", "127.0.0.1", 0),), 0),
            install=lambda worker: worker.applications.add(slow),
        )
        starting = asyncio.create_task(node.start())
        prepared = await asyncio.wait_for(slow.waiting, PATIENCE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.connect(("127.0.0.1", node.config.listeners[0].port))
            udp.setblocking(False)
            udp.send(request("OPTIONS", 1, "UDP"))
            for _ in range(200):
                await asyncio.sleep(0)
            assert not node._dispatcher._ready
            assert not starting.done()
            prepared()
            await starting
            assert (await answer_of(udp)).status == 480, "nothing takes calls"
        await node.close()

    asyncio.run(main())
