"""A node that says it listens serves its first call like all others."""

import asyncio
import socket
import statistics
import time
from pathlib import Path

from sipswarm.actors.config import Listener, NodeConfig, RobotConfig
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import follow_up, invite
from tests.e2e.test_processes import node, run
from tests.e2e.waiting import again_after_a_stop

ROBOT = """
async def setup(ua):
    import sipswarm.actors.agent.user_agent

async def robot(call):
    await call.answer()
    await call.over()
"""
CALLS = 40
EVERY = 0.01


async def delays_of_calls(port: int) -> list[float]:
    """Seconds from each INVITE to its 200, from now on; fails for any other answer."""
    loop = asyncio.get_running_loop()
    sent: dict[str, float] = {}
    delays: dict[str, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        host, own = peer.getsockname()

        async def listen() -> None:
            while len(delays) < CALLS:
                message = parse(await loop.sock_recv(peer, 65536))
                if isinstance(message, Response) and message.cseq.method == "INVITE" and message.status >= 200:
                    assert message.status == 200
                    if message.call_id not in delays:
                        delays[message.call_id] = time.monotonic() - sent[message.call_id]
                        number = int(message.call_id.partition("@")[0].removeprefix("call-"))
                        first = invite(number, host, own)
                        for cseq, method in ((1, "ACK"), (2, "BYE")):
                            after = follow_up(method, first, message, cseq=cseq, branch=f"z9hG4bK-{number}-{method}")
                            peer.sendto(after, ("127.0.0.1", port))

        listening = asyncio.create_task(listen())
        for number in range(CALLS):
            sent[f"call-{number}@{host}"] = time.monotonic()
            peer.sendto(invite(number, host, own), ("127.0.0.1", port))
            await asyncio.sleep(EVERY)
        async with asyncio.timeout(5):
            await listening
    return list(delays.values())


@again_after_a_stop
def test_the_first_calls_of_a_robot_are_served_like_the_others(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    config = NodeConfig(
        "",
        (Listener("udp", "127.0.0.1", 0),),
        0,
        robot=RobotConfig(str(tmp_path / "robot.py")),
        rtp_ports=(35000, 35998),
    )

    async def scenario() -> None:
        for start in range(3):
            async with node(tmp_path / f"run{start}", config) as supervisor:
                delays = await delays_of_calls(supervisor.listeners[0].port)
                first, later = statistics.median(delays[:8]), statistics.median(delays[-8:])
                assert first < 10 * later + 0.1, delays  # imports and setup took two or three times as long

    run(scenario)
