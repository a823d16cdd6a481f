"""A robot's file with a `setup` and no robot: `listen` in it takes the calls, by callbacks as in Perl."""

import asyncio
import signal
from pathlib import Path

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import agent
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.waiting import until

LISTENS = """
def setup(ua):
    ua.listen(media="silence", cb_dtmf=print, cb_established=lambda status, call: call.dtmf("5", cb_final=print))
"""
DOES_NOT = """
def setup(ua):
    return ua.every(60, print)  # no coroutine: it means nothing
"""
PLACES = """
from sipswarm import Call

async def robot(call):
    await call.answer()
    other = Call(call, "sip:{user}@127.0.0.1:{port}", media="none")
    await other.reinvite()
    await other.over()
"""


def test_calls_are_taken_by_the_callbacks_of_setup(tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    file.write_text(LISTENS)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix("listening on udp:")
        async with asyncio.timeout(30), agent() as alice:
            call = await alice.invite(f"sip:phone@{address}", media="silence")
            assert await call.digits(1, timeout=20) == "5"
            await call.bye()

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
    assert "takes no call" not in errors


def test_a_file_that_takes_no_call_says_so_and_refuses_each(tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    file.write_text(DOES_NOT)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix("listening on udp:")
        async with asyncio.timeout(30), agent() as alice:
            with pytest.raises(CallRejected, match="480"):
                await alice.invite(f"sip:phone@{address}", media="none")

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
    assert "phone.py takes no call: write `async def robot(call):`, or ua.listen(…) in its setup(ua)" in errors


def test_a_robot_places_a_call_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "phone.py"

    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice:
            came: list[Call] = []

            async def robot(call: Call) -> None:
                await call.answer()
                came.append(call)
                await call.over()

            alice.listen(robot)
            file.write_text(PLACES.format(user="alice", port=alice.legs[0].port))
            running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
            try:
                address = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
                call = await alice.invite(f"sip:phone@{address}", media="silence")
                await until(lambda: bool(came), 20)
                await came[0].bye()
                await call.over()
            finally:
                await asyncio.to_thread(running.close)

    asyncio.run(main())
