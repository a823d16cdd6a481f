"""Calls of a node outlive its media workers: processes that are killed or stopped while real calls are up."""

import asyncio
import dataclasses
import os
import signal
import wave
from pathlib import Path

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import AnswerConfig, NodeConfig, RobotConfig
from sipswarm.actors.handle.call import Call
from tests.e2e.test_processes import ANY, agent, node, processes, run, target
from tests.e2e.waiting import until

DIGITS = "13579*0#"
LONG = "1234567890*#ABCD98765432"
ROBOT = f"""
async def robot(call):
    await call.answer()
    await call.dtmf("{LONG}", duration=60, methods="rfc2833")
    await call.bye()
"""
RECORDER = """
async def robot(call):
    moved = []
    call.set_param(cb_media_moved=lambda call, seconds: moved.append(seconds))
    await call.answer()
    await call.record("{path}")
    await call.digits(1)
    with open("{names}", "w") as file:
        print(*call.recordings, *("moved" for each in moved if each > 0), file=file)
    await call.bye()
"""

RESUMED_RECORDER = """
async def robot(call):
    await call.answer()
    await call.record("{path}")
    call.keep("records")
    await call.over()

async def resume(call):
    await call.dtmf("7", methods="rfc2833")
    with open("{names}", "w") as file:
        print(*call.recordings, file=file)
    await call.digits(1)
    with open("{names}", "a") as file:
        print(*call.recordings, file=file)
    await call.bye()
"""


def config(media_workers: int, hang_timeout: float = 5.0) -> NodeConfig:
    return NodeConfig(
        *("", (ANY,), 0),
        call_workers=1,
        media_workers=media_workers,
        answer=AnswerConfig(media="echo"),
        rtp_ports=(33000, 33998),
        hang_timeout=hang_timeout,
    )


async def hears_itself(call: Call) -> bool:
    """Whether what the caller sends comes back, as the other side's echo does it."""
    before = call.statistics.packets_received if call.statistics is not None else 0
    await until(lambda: call.statistics is not None and call.statistics.packets_received > before)
    return True


async def place(ua: UserAgent, to: str, count: int) -> list[Call]:
    return list(await asyncio.gather(*(ua.invite(to, media="tone:440") for _ in range(count))))


def test_calls_go_on_when_one_of_two_media_workers_is_killed(tmp_path: Path) -> None:
    """Each keeps its dialog, hears its echo again, and gets every digit that is sent after the move."""

    async def main() -> None:
        async with node(tmp_path / "run", config(2)) as supervisor, agent() as ua:
            calls = await place(ua, target(supervisor), 20)
            await until(lambda: all(call.remote_media for call in calls))
            ports = [call.remote_media for call in calls]
            os.kill(processes(supervisor)["media-1"][0], signal.SIGKILL)
            await until(lambda: sum(a != b.remote_media for a, b in zip(ports, calls, strict=True)) >= 10)
            assert all(call.is_up for call in calls)
            await asyncio.gather(*map(hears_itself, calls))
            await asyncio.gather(*(call.dtmf(DIGITS, duration=60, methods="rfc2833") for call in calls))
            await until(lambda: all(call.digits_received == DIGITS for call in calls))
            await asyncio.gather(*(call.bye() for call in calls))
            assert {call.by for call in calls} == {"local"}

    run(main)


def test_calls_go_on_when_the_only_media_worker_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", config(1)) as supervisor, agent() as ua:
            calls = await place(ua, target(supervisor), 4)
            await asyncio.gather(*map(hears_itself, calls))
            pid = processes(supervisor)["media-0"][0]
            os.kill(pid, signal.SIGKILL)
            calls += await place(ua, target(supervisor), 4)  # these wait for the new one
            await until(lambda: processes(supervisor).get("media-0", (pid, 0))[0] != pid)
            await asyncio.gather(*map(hears_itself, calls))
            assert all(call.is_up for call in calls)
            await asyncio.gather(*(call.bye() for call in calls))

    run(main)


def test_a_media_worker_that_stands_still_gets_no_new_calls(tmp_path: Path) -> None:
    """Calls that wait for its answer go on at the other one, and none fails."""

    async def main() -> None:
        async with node(tmp_path / "run", config(2, hang_timeout=0.0)) as supervisor, agent() as ua:
            stopped = processes(supervisor)["media-1"][0]
            os.kill(stopped, signal.SIGSTOP)
            try:
                calls = await place(ua, target(supervisor), 6)
                assert all(call.is_up for call in calls)
                waited = [call.times.answered - call.times.invited for call in calls]
                assert sum(each < 0.9 for each in waited) == 3
                later = await place(ua, target(supervisor), 6)
                assert all(call.times.answered - call.times.invited < 0.9 for call in later)
                await asyncio.gather(*map(hears_itself, calls + later))
            finally:
                os.kill(stopped, signal.SIGCONT)
            await asyncio.gather(*(call.bye() for call in calls + later))

    run(main)


def test_digits_of_a_call_whose_media_worker_is_killed_are_neither_lost_nor_doubled(tmp_path: Path) -> None:
    """The robot's `dtmf` that runs at that moment returns, and its caller hears each digit once and in order."""
    file = tmp_path / "robot.py"
    file.write_text(ROBOT)

    async def main() -> None:
        settings = dataclasses.replace(config(2), answer=None, robot=RobotConfig(str(file)))
        async with node(tmp_path / "run", settings) as supervisor, agent() as ua:
            calls = await place(ua, target(supervisor), 8)
            await until(lambda: all(len(call.digits_received) >= 4 for call in calls))
            os.kill(processes(supervisor)["media-0"][0], signal.SIGKILL)
            await until(lambda: not any(call.is_up for call in calls))
            assert {call.by for call in calls} == {"remote"}
            assert [call.digits_received for call in calls] == [LONG] * 8

    run(main)


def test_a_recording_goes_on_in_a_second_file_and_the_first_can_be_read(tmp_path: Path) -> None:
    file, first, second = tmp_path / "robot.py", tmp_path / "in.wav", tmp_path / "in-2.wav"
    file.write_text(RECORDER.format(path=str(first), names=str(tmp_path / "names")))

    async def main() -> None:
        settings = dataclasses.replace(config(2), answer=None, robot=RobotConfig(str(file)))
        async with node(tmp_path / "run", settings) as supervisor, agent() as ua:
            (call,) = await place(ua, target(supervisor), 1)
            await until(lambda: first.exists() and first.stat().st_size > 8000)
            os.kill(processes(supervisor)["media-0"][0], signal.SIGKILL)
            await until(lambda: second.exists() and second.stat().st_size > 8000)
            await call.dtmf("1", methods="rfc2833")
            await until(lambda: not call.is_up)

    run(main)
    assert (tmp_path / "names").read_text().split() == [str(first), str(second), "moved"]
    for each in (first, second):
        with wave.open(str(each)) as opened:
            assert max(opened.readframes(opened.getnframes())) > 0
            assert opened.getnframes() > 3000


def test_a_recording_goes_on_when_its_call_worker_and_then_its_media_worker_are_killed(tmp_path: Path) -> None:
    file, first, second = tmp_path / "robot.py", tmp_path / "in.wav", tmp_path / "in-2.wav"
    names = tmp_path / "names"
    file.write_text(RESUMED_RECORDER.format(path=str(first), names=str(names)))

    async def main() -> None:
        settings = dataclasses.replace(config(2), answer=None, robot=RobotConfig(str(file)))
        async with node(tmp_path / "run", settings) as supervisor, agent() as ua:
            (call,) = await place(ua, target(supervisor), 1)
            await until(lambda: first.exists() and first.stat().st_size > 8000)
            os.kill(processes(supervisor)["call-0"][0], signal.SIGKILL)
            await until(lambda: call.digits_received == "7")
            before = first.stat().st_size
            await until(lambda: first.stat().st_size > before)
            os.kill(processes(supervisor)["media-0"][0], signal.SIGKILL)
            await until(lambda: second.exists() and second.stat().st_size > 8000)
            await call.dtmf("1", methods="rfc2833")
            await until(lambda: not call.is_up)

    run(main)
    assert names.read_text().splitlines() == [str(first), f"{first} {second}"]
    for each in (first, second):
        with wave.open(str(each)) as opened:
            assert max(opened.readframes(opened.getnframes())) > 0
