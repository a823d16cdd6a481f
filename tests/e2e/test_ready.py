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
from tests.interop.processes import free_port

ROBOT = """
async def setup(ua):
    import sipswarm.actors.agent.user_agent

async def robot(call):
    await call.answer()
    await call.over()
"""
CALLS = 40
EVERY = 0.01


def hang_up(peer: socket.socket, number: int, answer: Response, port: int) -> None:
    """Send the ACK to the answer of a call, and its BYE."""
    first = invite(number, *peer.getsockname())
    for cseq, method in ((1, "ACK"), (2, "BYE")):
        after = follow_up(method, first, answer, cseq=cseq, branch=f"z9hG4bK-{number}-{method}")
        peer.sendto(after, ("127.0.0.1", port))


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
                        hang_up(peer, number, message, port)

        listening = asyncio.create_task(listen())
        for number in range(CALLS):
            sent[f"call-{number}@{host}"] = time.monotonic()
            peer.sendto(invite(number, host, own), ("127.0.0.1", port))
            await asyncio.sleep(EVERY)
        async with asyncio.timeout(5):
            await listening
    return list(delays.values())


async def finals_from_the_start(port: int, up: asyncio.Event) -> dict[int, int]:
    """The first final response to each INVITE that is sent once, until the node listens; by its number."""
    loop = asyncio.get_running_loop()
    finals: dict[int, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        host, own = peer.getsockname()

        async def listen() -> None:
            while True:
                message = parse(await loop.sock_recv(peer, 65536))
                if not isinstance(message, Response) or message.cseq.method != "INVITE" or message.status < 200:
                    continue
                number = int(message.call_id.partition("@")[0].removeprefix("call-"))
                if finals.setdefault(number, message.status) == 200:
                    hang_up(peer, number, message, port)

        listening = asyncio.create_task(listen())
        last = 0
        while not up.is_set():
            last += 1
            peer.sendto(invite(last, host, own), ("127.0.0.1", port))
            await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            while last not in finals:
                await asyncio.sleep(0.02)
        listening.cancel()
    return finals


def test_a_robot_that_starts_refuses_no_call(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    port = free_port()
    config = NodeConfig(
        "",
        (Listener("udp", "127.0.0.1", port),),
        0,
        call_workers=2,
        robot=RobotConfig(str(tmp_path / "robot.py")),
        rtp_ports=(35000, 35998),
    )

    async def scenario() -> None:
        up = asyncio.Event()
        calling = asyncio.create_task(finals_from_the_start(port, up))
        async with node(tmp_path / "run", config):
            up.set()
            finals = await calling
        assert set(finals.values()) == {200}, finals
        assert len(finals) > 3, "some came before the node said that it listens"

    run(scenario)


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
