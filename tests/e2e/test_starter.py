"""The process that forks the others: what it forks is as after an exec, and it is in nobody's way."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sipswarm.actors.config import NodeConfig, RobotConfig
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.test_orphans import name_of
from tests.e2e.test_processes import ANY, CONFIG, Totals, agent, can_call, is_alive, node, processes, run, target
from tests.e2e.waiting import until
from tests.interop.processes import descendants

FIELDS = ("Umask:", "SigQ:", "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:")


async def ready(supervisor: Supervisor) -> int:
    """Wait until the starter can fork; its pid."""
    await until(lambda: supervisor._starter.pid is not None)
    assert supervisor._starter.pid is not None
    return supervisor._starter.pid


def ways(supervisor: Supervisor) -> tuple[float, float]:
    """How many processes were started by fork and by exec."""
    fork, execs = (supervisor.totals.cell("sipswarm_process_starts_total", way).value for way in ("fork", "exec"))
    return fork, execs


async def replacement(supervisor: Supervisor, name: str) -> int:
    """Kill a process and wait until another one is linked in its place; its pid."""
    child = next(each for each in supervisor._children.values() if each.name == name)
    before = child.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await until(lambda: child.pid not in (None, before) and child.ready)
    assert child.pid is not None
    return child.pid


async def forked_replacement(supervisor: Supervisor, name: str) -> int:
    """As `replacement`, by fork; on a busy machine one may take too long, and the process is started with exec."""
    for _ in range(4):
        await ready(supervisor)
        before, _ = ways(supervisor)
        pid = await replacement(supervisor, name)
        if ways(supervisor)[0] == before + 1:
            return pid
    raise AssertionError(ways(supervisor))


def kinds_of_files(pid: int) -> set[str]:
    """Which kinds of files the descriptors of a process are."""
    return {os.readlink(f"/proc/{pid}/fd/{each}").partition("[")[0] for each in os.listdir(f"/proc/{pid}/fd")}


def surroundings(pid: int) -> dict[str, object]:
    """What a process has of its parent."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return {
        **{
            key: value
            for key, value, *_ in (line for line in lines if len(line) > 1)
            if key in FIELDS and key != "SigQ:"
        },
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "own session": os.getsid(pid) == pid == os.getpgid(pid),
        "argument": Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2],
        "name": name_of(pid),
        "limits": Path(f"/proc/{pid}/limits").read_text(),
        "environment": sorted(Path(f"/proc/{pid}/environ").read_text().split("\0")),
    }


@pytest.mark.parametrize("name", ["call-0", "media-0", "dispatcher"])
def test_a_process_that_was_forked_is_as_one_that_was_started_with_exec(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            assert ways(supervisor) == (4.0, 0.0)
            forked = await forked_replacement(supervisor, name)
            _, execs = ways(supervisor)
            await can_call(ua, supervisor)
            known, files = surroundings(forked), kinds_of_files(forked)
            assert known["argument"] == name
            assert known["name"] == f"sip-{name}"
            os.kill(await ready(supervisor), signal.SIGSTOP)
            execed = await replacement(supervisor, name)
            assert ways(supervisor) == (5.0, execs + 1)
            assert surroundings(execed) == known
            await until(lambda: kinds_of_files(execed) == files)
            await can_call(ua, supervisor)

    run(main)


def test_processes_that_die_at_the_same_time_are_all_forked(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            children = list(supervisor._children.values())
            for child in children:
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
            await until(lambda: all(child.incarnation == 2 and child.ready for child in children))
            assert ways(supervisor) == (8.0, 0.0)
            await can_call(ua, supervisor)

    run(main)


def test_a_starter_that_is_killed_is_replaced_and_nothing_else_notices(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor:
            before = processes(supervisor)
            first = await ready(supervisor)
            assert name_of(first) == "sip-starter"
            os.kill(first, signal.SIGKILL)
            await until(lambda: supervisor._starter.pid not in (None, first))
            assert not is_alive(first)
            assert (processes(supervisor), supervisor.deaths) == (before, [])
            assert all(map(is_alive, (pid for pid, _ in before.values())))
            assert "starter" not in {name for name, _ in supervisor._node_totals.ends}  # type: ignore[attr-defined]

    run(main)


def test_signals_to_a_whole_service_do_not_end_the_starter(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor:
            first = await ready(supervisor)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(first, number)
            await replacement(supervisor, "dispatcher")
            assert supervisor._starter.pid == first
            assert ways(supervisor) == (5.0, 0.0)

    run(main)


ROBOT = """
async def robot(call):
    call.reject({status})
"""


def test_the_starter_reads_no_file_of_a_user(tmp_path: Path) -> None:
    file = tmp_path / "robot.py"
    file.write_text(ROBOT.format(status=480))
    config = NodeConfig("", (ANY,), 0, robot=RobotConfig(str(file)), rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor:
            file.write_text(ROBOT.format(status=486))
            await replacement(supervisor, "call-0")
            assert ways(supervisor)[1] == 0.0
            async with agent() as ua:
                with pytest.raises(CallRejected, match="486"):
                    await ua.invite(target(supervisor), media="none")

    run(main)


LEAVES = """
import subprocess

async def robot(call):
    left = subprocess.Popen(["sleep", "600"])
    print("left", left.pid, flush=True)
    await call.answer()
    await call.over()
"""


def test_what_a_robot_leaves_behind_does_not_become_a_child_of_the_supervisor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "robot.py"
    file.write_text(LEAVES)
    config = NodeConfig("", (ANY,), 0, robot=RobotConfig(str(file)), rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            call = await ua.invite(target(supervisor), media="none")
            said: list[str] = []

            def left() -> bool:
                said.append(capfd.readouterr().out)
                return "\n" in "".join(said)

            await until(left)
            pid = int("".join(said).split()[1])
            try:
                await replacement(supervisor, "call-0")
                assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) != os.getpid()
            finally:
                os.kill(pid, signal.SIGKILL)
            call.cleanup()

    run(main)


def test_the_starter_ends_with_its_supervisor() -> None:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        running.line()

        def starters() -> list[int]:
            return [pid for pid in descendants(running.process.pid) if is_alive(pid) and name_of(pid) == "sip-starter"]

        async def main() -> None:
            await until(starters)
            (starter,) = starters()
            running.process.kill()
            running.process.wait()
            await until(lambda: not is_alive(starter))

        run(main)
    finally:
        running.close()


@pytest.mark.parametrize("asked", [False, True], ids=["before anything is asked", "while processes are awaited"])
def test_a_node_whose_start_is_given_up_leaves_nothing(tmp_path: Path, asked: bool) -> None:
    async def main() -> None:
        before = descendants(os.getpid())
        supervisor = Supervisor(CONFIG, run_dir=str(tmp_path / "run"), node_totals=Totals())
        starting = asyncio.ensure_future(supervisor.start())
        await until(lambda: hasattr(supervisor, "_starter") and supervisor._starter._process is not None)
        if asked:
            await until(lambda: supervisor._starter.pid is not None)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await supervisor.close()
        await until(lambda: not any(map(is_alive, descendants(os.getpid()) - before)))
        assert supervisor._starter._timer is None

    run(main)
