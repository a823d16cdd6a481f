"""One allowed peer that sends over one TCP connection as fast as it is read: calls of others are set up as ever."""

import asyncio
import contextlib
from pathlib import Path

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from tests.e2e.test_processes import node, processes, run

CALLS = 12
"""Of others, over each transport."""


async def _flood(port: int) -> int:
    """Send OPTIONS without a pause, and read the answers; return their number."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = 0

    async def read() -> None:
        nonlocal answers
        while data := await reader.read(1 << 16):
            answers += data.count(b"SIP/2.0 200")

    reading = asyncio.create_task(read())
    number = 0
    try:
        while True:
            lines = []
            for _ in range(200):
                number += 1
                lines.append(
                    f"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5;branch=z9hG4bK{number}\r\n"
                    f"From: <sip:f@127.0.0.1>;tag=a\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: {number}@flood\r\n"
                    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
                )
            writer.write("".join(lines).encode())
            await writer.drain()
    except asyncio.CancelledError:
        return answers
    finally:
        reading.cancel()
        with contextlib.suppress(OSError):
            writer.close()


def test_calls_of_others_over_tcp_and_udp_are_all_set_up(tmp_path: Path) -> None:
    async def main() -> None:
        legs = (Listener("udp", "127.0.0.1", 0), Listener("tcp", "127.0.0.1", 0))
        config = NodeConfig("", legs, 0, call_workers=1, answer=AnswerConfig(), rtp_ports=(35000, 35398))
        async with node(tmp_path, config) as supervisor:
            ports = [each.port for each in supervisor.listeners]
            flood = asyncio.create_task(_flood(ports[1]))
            ua = UserAgent(legs=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"), rtp_ports=(35400, 35798))
            async with ua:

                async def call(transport: str, port: int) -> str | None:
                    placed = await ua.invite(f"sip:bob@127.0.0.1:{port};transport={transport}", media="none")
                    await placed.bye()
                    return placed.cause

                for _ in range(CALLS):
                    ends = await asyncio.gather(call("udp", ports[0]), call("tcp", ports[1]))
                    assert list(ends) == ["bye", "bye"]
            assert not flood.done()
            flood.cancel()
            assert await flood > 1000
            assert [restarts for _, restarts in processes(supervisor).values()] == [0] * len(processes(supervisor))

    run(main)
