"""What is to happen once does so although a process is replaced: start, `setup`, the plan of a load, a drain."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import AnswerConfig, Listener, LoadConfig, NodeConfig, RobotConfig
from sipswarm.actors.host.roll import PlanFigures
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.test_processes import ANY, agent, can_call, node, processes, run, target
from tests.e2e.waiting import until

ROBOT = """
import os

def setup(ua):
    with open({file!r}, "a") as file:
        print(os.getpid(), file=file)

async def robot(call):
    await call.answer()
    await call.over()
"""


async def replaced(supervisor: Supervisor, name: str) -> None:
    """Kill a process and wait until another one has taken its place and is linked."""
    pid, _ = processes(supervisor)[name]
    os.kill(pid, signal.SIGKILL)
    children = {child.name: child for child in supervisor._children.values()}
    await until(lambda: children[name].pid not in (None, pid) and children[name].ready)


@pytest.mark.parametrize("name", ["dispatcher", "media-0"])
def test_setup_runs_once_in_each_worker_although_another_process_is_replaced(tmp_path: Path, name: str) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "robot.py").write_text(ROBOT.format(file=str(ran)))
    robot = RobotConfig(str(tmp_path / "robot.py"))
    config = NodeConfig("", (ANY,), 0, call_workers=2, robot=robot, rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            await replaced(supervisor, name)
            await can_call(ua, supervisor)
            workers = {pid for each, (pid, _) in processes(supervisor).items() if each.startswith("call")}
            assert sorted(map(int, ran.read_text().split())) == sorted(workers)

    run(main)


@pytest.mark.parametrize("name", ["dispatcher", "media-0"])
def test_the_plan_of_a_load_goes_on_although_a_process_is_replaced(tmp_path: Path, name: str) -> None:
    answering = NodeConfig("", (ANY,), 0, answer=AnswerConfig(), rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "answering", answering) as answers:
            load = LoadConfig(target(answers), rate=20.0, duration=4.0, hold=0.1, media="none")
            placing = NodeConfig("", (Listener("udp", "127.0.0.1", 0),), 0, call_workers=2, load=load)
            async with node(tmp_path / "load", placing) as supervisor:
                rows: list[CallFinished] = []
                supervisor._on_call_finished = rows.append
                await asyncio.sleep(1.0)
                await replaced(supervisor, name)
                await supervisor.load_finished.wait()
                assert supervisor.plan_figures == PlanFigures(begun=2, arrivals=80, started=80)
                planned = sorted(row.planned - supervisor.plan_start for row in rows)
                assert planned == [pytest.approx(number / 20, abs=1e-6) for number in range(80)]

    run(main)


def test_a_drain_goes_on_although_the_dispatcher_is_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        config = NodeConfig("", (ANY,), 0, call_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 33998))
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="silence") for _ in range(4)))
            supervisor.drain(30.0)
            await replaced(supervisor, "dispatcher")
            await asyncio.sleep(1.0)
            assert all(call.is_up for call in calls)
            assert not supervisor.ended.is_set()
            await asyncio.gather(*(call.bye() for call in calls))
            await asyncio.wait_for(supervisor.wait(), 5.0)

    run(main)
