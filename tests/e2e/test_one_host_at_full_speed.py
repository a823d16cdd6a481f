"""One allowed host that sends OPTIONS over UDP as fast as it can: calls of others are set up as ever."""

import asyncio
import subprocess
import sys
from pathlib import Path

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from tests.e2e.test_processes import node, processes, run

ROUNDS, AT_ONCE = 4, 5
"""Calls of another host: one round after the other."""
FLOOD = """
import os, socket, sys
os.nice(19)
host, port = "127.0.0.2", int(sys.argv[1])
flooding = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flooding.bind((host, 0))
own = flooding.getsockname()[1]
number = 0
while True:
    number += 1
    text = (
        f"OPTIONS sip:a@127.0.0.1 SIP/2.0\\r\\nVia: SIP/2.0/UDP {host}:{own};branch=z9hG4bK{number}\\r\\n"
        f"From: <sip:f@{host}>;tag=a\\r\\nTo: <sip:a@127.0.0.1>\\r\\nCall-ID: {number}@flood\\r\\n"
        "CSeq: 1 OPTIONS\\r\\nMax-Forwards: 70\\r\\nContent-Length: 0\\r\\n\\r\\n"
    )
    flooding.sendto(text.encode(), ("127.0.0.1", port))
"""
"""It never waits, and reads no answer. Another host takes no processor time from ours, so it has what others leave."""


def test_calls_of_another_host_are_all_set_up(tmp_path: Path) -> None:
    async def main() -> None:
        legs = (Listener("udp", "127.0.0.1", 0),)
        config = NodeConfig("", legs, 0, call_workers=1, answer=AnswerConfig(), rtp_ports=(35000, 35398))
        async with node(tmp_path, config) as supervisor:
            port = supervisor.listeners[0].port
            flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(port)])
            try:
                async with UserAgent(legs=("udp:127.0.0.1:0",), rtp_ports=(35400, 35798)) as ua:

                    async def call() -> str | None:
                        placed = await ua.invite(f"sip:bob@127.0.0.1:{port}", media="none")
                        await placed.bye()
                        return placed.cause

                    for _ in range(ROUNDS):
                        assert await asyncio.gather(*(call() for _ in range(AT_ONCE))) == ["bye"] * AT_ONCE
                assert flood.poll() is None
            finally:
                flood.kill()
                flood.wait()
            assert [restarts for _, restarts in processes(supervisor).values()] == [0] * len(processes(supervisor))

    run(main)
