"""Media that begins after a pause, when nothing else is sent: announcements are whole, and no load is called late."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.cli import main
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request
from tests.e2e.agents import address_of, agent
from tests.e2e.test_command_line import WORKERS, Running, was
from tests.e2e.waiting import again_after_a_stop, until

FRAMES = 50


def numbered(folder: Path) -> Path:
    """A file of so many frames of 20 ms, each of one octet of its own."""
    file = folder / "numbered.pcmu"
    file.write_bytes(b"".join(bytes((number,)) * 160 for number in range(FRAMES)))
    return file


@pytest.mark.parametrize("calls", [4, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@again_after_a_stop
def test_a_file_is_heard_whole_by_a_peer_that_rings_first(tmp_path: Path, calls: int) -> None:
    file = numbered(tmp_path)
    chance = random.Random(calls)
    heard: list[list[int]] = []

    def write(payload: bytes, number: int, timestamp: int, channel: int, payload_type: int) -> None:
        if payload[0] < FRAMES:
            heard[-1].append(payload[0])

    async def ringing(call: Call, request: Request) -> None:
        call.ring()
        await asyncio.sleep(chance.uniform(0.3, 0.9))
        await call.answer()

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(cb_invite=ringing, init_media=bob.rtp("recv_echo", write, -1))
        for _ in range(calls):
            heard.append([])
            call = await alice.invite(address_of(bob), init_media=alice.rtp("send_recv", str(file)))
            await until(lambda: max(heard[-1], default=0) >= FRAMES - (1 if calls > 10 else 5))
            await call.bye()

    async def whole() -> None:
        alice, bob = agent("sip:alice@127.0.0.1"), agent("sip:bob@127.0.0.1")
        async with asyncio.timeout(5 * calls + 20), alice, bob:
            await scenario(alice, bob)

    asyncio.run(whole())
    if calls > 10:
        assert heard == [list(range(FRAMES))] * calls
    else:  # a machine that stops for a while may skip within a file, never at its beginning
        assert [frames[:3] for frames in heard] == [[0, 1, 2]] * calls
        assert sum(map(len, heard)) >= calls * FRAMES * 0.7


@pytest.mark.parametrize("runs", [1, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_slow_load_to_a_peer_that_rings_is_not_called_late(tmp_path: Path, runs: int) -> None:
    answering = Running(
        "answer", "--listen", "udp:127.0.0.1:0", "--ring-time", "0.5s", "--media", "silence", "--metrics", "0", *WORKERS
    )
    try:
        address = answering.line().removeprefix("listening on udp:")
        for number in range(runs):
            wanted: list[Any] = ["-r", "0.7", "-m", "4" if runs == 1 else "8", "-d", "800ms", "--media", "tone:440"]
            out = tmp_path / str(number)
            code = main(
                [
                    "load",
                    f"sip:x@{address}",
                    *wanted,
                    "--expect-media",
                    "--quiet",
                    *WORKERS,
                    "--metrics",
                    "0",
                    "--out",
                    str(out),
                ]
            )
            assert was(code, 0)
    finally:
        answering.close()
