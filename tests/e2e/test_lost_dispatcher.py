"""A dispatcher that is killed while requests over TCP wait for their first response, and a peer that writes by hand."""

import asyncio
import os
import signal
from pathlib import Path

from sipswarm.actors.config import Listener, LoadConfig, NodeConfig
from tests.e2e.test_processes import node, processes, run
from tests.e2e.waiting import until

REPLY = (
    "SIP/2.0 {status}\r\n{vias}\r\n{others}To: <sip:bob@127.0.0.1>;tag=peer\r\nContact: <sip:bob@127.0.0.1:{port};"
    "transport=tcp>\r\nContent-Length: 0\r\n\r\n"
)


class Peer:
    """Takes TCP connections and keeps the requests that come; it answers BYE, and INVITE when it is to."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, bytes]] = []
        """Each with the number of its connection."""
        self.connections = 0
        self.answering = False
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(length)
                self.requests.append((number, head))
                if not head.startswith(b"ACK") and (self.answering or not head.startswith(b"INVITE")):
                    writer.write(self.reply(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def reply(self, head: bytes) -> bytes:
        lines = head.decode().split("\r\n")
        vias = "\r\n".join(line for line in lines if line.startswith("Via:"))
        others = "".join(f"{line}\r\n" for line in lines if line.startswith(("From:", "Call-ID:", "CSeq:")))
        status = "486 Busy Here" if head.startswith(b"INVITE") else "200 OK"
        return REPLY.format(status=status, vias=vias, others=others, port=self.port).encode()

    def invites(self, connection: int) -> list[bytes]:
        return sorted(head for number, head in self.requests if number == connection and head.startswith(b"INVITE"))


def test_requests_over_tcp_that_wait_for_an_answer_go_over_a_new_connection_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        peer = Peer()
        server = await peer.start()
        load = LoadConfig(f"sip:bob@127.0.0.1:{peer.port};transport=tcp", calls=4, rate=100.0, media="none")
        config = NodeConfig("", (Listener("tcp", "127.0.0.1", 0),), 0, call_workers=2, load=load)
        async with node(tmp_path, config) as supervisor:
            await until(lambda: len(peer.invites(1)) == 4)
            peer.answering = True
            os.kill(processes(supervisor)["dispatcher"][0], signal.SIGKILL)
            async with asyncio.timeout(15):  # not the 32 s of timer B
                await supervisor.wait()
            assert peer.invites(2) == peer.invites(1)  # the same transactions, to the octet
            assert peer.connections == 2
            assert supervisor.plan_figures[1:3] == (4, 4)
        server.close()

    run(main)
