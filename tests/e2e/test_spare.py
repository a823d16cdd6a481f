"""The process that waits: it takes the place of one that dies, comes again, and is in nobody's way."""

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
from tests.e2e.test_supervision import no_descriptors
from tests.e2e.waiting import until
from tests.interop.processes import descendants

NEVER_USED = {"dispatcher": 0.0, "call": 0.0, "media": 0.0}


async def waiting(supervisor: Supervisor) -> int:
    """Wait until a spare can take a role; its pid."""
    await until(lambda: supervisor._spare.pid is not None)
    assert supervisor._spare.pid is not None
    return supervisor._spare.pid


def used(supervisor: Supervisor) -> dict[str, float]:
    """How many took a role."""
    return {role: supervisor.totals.cell("sipswarm_process_spares_used_total", role).value for role in NEVER_USED}


async def replacement(supervisor: Supervisor, name: str) -> int:
    """Kill a process and wait until another one is linked in its place; its pid."""
    child = next(each for each in supervisor._children.values() if each.name == name)
    before = child.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await until(lambda: child.pid not in (None, before) and child.ready)
    assert child.pid is not None
    return child.pid


def files_of(pid: int) -> list[str]:
    """What the descriptors of a process are, without its standard streams."""
    return [os.readlink(f"/proc/{pid}/fd/{each}") for each in os.listdir(f"/proc/{pid}/fd") if int(each) > 2]


def ignored_signals(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)


@pytest.mark.parametrize("name", ["call-0", "media-0", "dispatcher"])
def test_the_spare_takes_the_place_of_a_process_that_dies_and_another_one_comes(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            listeners = [f"socket:[{os.fstat(each.fileno()).st_ino}]" for each in supervisor._descriptors._sockets]
            first = await waiting(supervisor)
            assert name_of(first) == "sip-spare"
            assert not set(listeners) & set(files_of(first)), "it holds no port"
            ignored = ignored_signals(processes(supervisor)[name][0])
            assert await replacement(supervisor, name) == first
            assert name_of(first) == f"sip-{name}"
            assert Path(f"/proc/{first}/cmdline").read_text().split("\0")[-2] == name
            assert ignored_signals(first) == ignored
            there = files_of(first)
            assert set(listeners) <= set(there) or name == "media-0"
            assert any("ledger-0" in each for each in there) == (name == "call-0")
            await can_call(ua, supervisor)
            assert await waiting(supervisor) != first
            assert used(supervisor) == NEVER_USED | {name.partition("-")[0]: 1.0}
            assert supervisor.failure == ""

    run(main)


def test_a_second_death_is_served_by_a_start_when_no_spare_waits(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            first = await waiting(supervisor)
            for name in ("dispatcher", "call-0"):
                os.kill(processes(supervisor)[name][0], signal.SIGKILL)
            names = ("dispatcher", "call-0")
            children = [child for child in supervisor._children.values() if child.name in names]
            await until(lambda: all(child.incarnation == 2 and child.ready for child in children))
            assert [child.pid for child in children].count(first) == 1
            assert sum(used(supervisor).values()) == 1.0
            await can_call(ua, supervisor)

    run(main)


def test_a_spare_that_is_killed_is_replaced_and_nothing_else_notices(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor:
            before = processes(supervisor)
            first = await waiting(supervisor)
            os.kill(first, signal.SIGKILL)
            await until(lambda: supervisor._spare.pid not in (None, first))
            assert not is_alive(first)
            assert (processes(supervisor), supervisor.deaths, used(supervisor)) == (before, [], NEVER_USED)
            assert "spare" not in {name for name, _ in supervisor._node_totals.ends}  # type: ignore[attr-defined]

    run(main)


def test_a_spare_that_stands_still_gets_no_role(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            first = await waiting(supervisor)
            os.kill(first, signal.SIGSTOP)
            await until(lambda: Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] == "T")
            assert await replacement(supervisor, "dispatcher") != first
            await can_call(ua, supervisor)
            await until(lambda: not is_alive(first))
            assert await waiting(supervisor) != first
            assert used(supervisor) == NEVER_USED

    run(main)


def test_signals_to_a_whole_service_do_not_end_the_spare(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor:
            first = await waiting(supervisor)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(first, number)
            assert await replacement(supervisor, "dispatcher") == first, "they are gone when it gets its role"

    run(main)


def test_spares_that_die_again_and_again_are_given_up_and_the_node_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            spare = supervisor._spare
            for _ in range(6):
                await until(lambda: spare._process is not None)
                assert spare._process is not None
                os.kill(spare._process.pid, signal.SIGKILL)
                await until(lambda: spare._process is None)
            assert spare._timer is None, "none is due"
            await replacement(supervisor, "call-0")
            await can_call(ua, supervisor)
            assert used(supervisor) == NEVER_USED

    run(main)


def test_a_spare_that_cannot_be_started_comes_later(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor:
            spare = supervisor._spare
            with no_descriptors():
                await until(lambda: spare._restarts._failed >= 3)
                assert supervisor.failure == ""
            await waiting(supervisor)

    run(main)


ROBOT = """
async def robot(call):
    call.reject({status})
"""


def test_the_spare_reads_the_file_of_a_user_only_when_it_has_its_role(tmp_path: Path) -> None:
    file = tmp_path / "robot.py"
    file.write_text(ROBOT.format(status=480))
    config = NodeConfig("", (ANY,), 0, robot=RobotConfig(str(file)), rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor:
            first = await waiting(supervisor)
            file.write_text(ROBOT.format(status=486))
            assert await replacement(supervisor, "call-0") == first
            async with agent() as ua:
                with pytest.raises(CallRejected, match="486"):
                    await ua.invite(target(supervisor), media="none")

    run(main)


def test_the_spare_ends_with_its_supervisor() -> None:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        running.line()

        def spares() -> list[int]:
            return [pid for pid in descendants(running.process.pid) if is_alive(pid) and name_of(pid) == "sip-spare"]

        async def main() -> None:
            await until(spares)
            (spare,) = spares()
            running.process.kill()
            running.process.wait()
            await until(lambda: not is_alive(spare))

        run(main)
    finally:
        running.close()


def test_a_node_that_is_closed_while_a_spare_begins_leaves_none(tmp_path: Path) -> None:
    async def main() -> None:
        supervisor = Supervisor(CONFIG, run_dir=str(tmp_path / "run"), node_totals=Totals())
        await supervisor.start()
        spare = supervisor._spare
        await until(lambda: spare._process is not None)
        assert spare._process is not None
        pid = spare._process.pid
        await supervisor.close()
        assert not is_alive(pid)
        assert list(filter(None, (spare._process, spare._timer))) == []

    run(main)
