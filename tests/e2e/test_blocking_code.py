"""Code of a user that blocks in each call for a while: its process lives, callers get answers, the log names it."""

import asyncio
import signal
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError, CallRejected
from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.test_lost_workers import results
from tests.e2e.test_processes import agent

CALLS = 7
"""At once, and as many again: more than the seconds after which a process without a heartbeat is replaced (3)."""
LIMITS = ("--hang-timeout", "3s", "--drain", "1s")
ROBOT = """
import time

async def robot(call):
    time.sleep(0.6)
    await call.answer()
    await call.over()
"""
CALLBACK = """
import time

def slow(call, request):
    time.sleep(0.6)
    return True

def setup(ua):
    ua.listen(cb_create=slow)
"""
SCENARIO = """
import time

async def scenario(ua, row):
    time.sleep(0.6)
    call = await ua.invite(ua.target, media="none")
    await call.bye()
"""


async def answers(ua: UserAgent, to: str) -> list[int]:
    """Place calls, at once and then five a second; the final response of each, 0 = none."""

    async def place() -> int:
        try:
            call = await ua.invite(to, media="none", ring_time=30)
        except CallRejected as error:
            return error.status
        except CallError:
            return 0
        await call.bye()
        return 200

    tasks = [asyncio.create_task(place()) for _ in range(CALLS)]
    for _ in range(CALLS):
        await asyncio.sleep(0.2)
        tasks.append(asyncio.create_task(place()))
    return list(await asyncio.gather(*tasks))


@pytest.mark.parametrize(
    ("text", "name"), [(ROBOT, "the robot"), (CALLBACK, "the callback cb_create")], ids=["robot", "callback"]
)
def test_a_robot_that_blocks_in_each_call_is_no_process_that_hangs(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / "slow.py"
    file.write_text(text)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS, *LIMITS)
    try:
        to = f"sip:bob@{running.line().removeprefix('listening on udp:')}"

        async def main() -> list[int]:
            async with agent() as ua:
                return await answers(ua, to)

        final = asyncio.run(main())
        code, log = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert "ended with status" not in log, log
    assert set(final) <= {200, 503}, (final, log)
    assert final.count(200) >= CALLS / 2, (final, log)
    assert f"{name} ({file}:" in log, log
    assert code == 0


def test_runs_of_a_scenario_that_block_are_no_process_that_hangs(tmp_path: Path) -> None:
    file, out = tmp_path / "slow.py", tmp_path / "out"
    file.write_text(SCENARIO)
    with CountingUas() as uas:
        options = ("-r", "20", "-m", "10", "--scenario", str(file), "--out", str(out), "--metrics", "off", "--quiet")
        running = Running("load", f"bob@{uas.address}", *options, *WORKERS, *LIMITS)
        try:
            code, log = running.end()
        finally:
            running.close()
    _, rows = results(out)
    assert "ended with status" not in log, log
    assert [row["failure"] for row in rows] == [""] * 10
    assert f"a run of scenario ({file}:" in log, log
    assert code == 98, "the plan was late"
