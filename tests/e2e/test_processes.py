"""A node of real processes: calls are answered, processes that die or hang are replaced, nothing is left at the end."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.bus.messages import CallFinished, Snapshot
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.errors import CallError, ConfigurationError
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.waiting import until

ANY = Listener("udp", "127.0.0.1", 0)
CONFIG = NodeConfig("", (ANY,), 0, call_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 33998))


class Totals:
    """Keeps the newest snapshot of each process, and who ended."""

    def __init__(self) -> None:
        self.snapshots: dict[str, Snapshot] = {}
        self.ends: list[tuple[str, int]] = []

    def update(self, process: str, incarnation: int, snapshot: Snapshot) -> None:
        self.snapshots[process] = snapshot

    def started(self, process: str, incarnation: int) -> None:
        pass

    def linked(self, process: str, incarnation: int, now: float) -> None:
        pass

    def ended(self, process: str, incarnation: int) -> None:
        self.ends.append((process, incarnation))

    def given_up(self, process: str) -> None:
        pass


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@asynccontextmanager
async def node(
    folder: Path, config: NodeConfig = CONFIG, on_call_finished: Callable[[CallFinished], None] | None = None
) -> AsyncIterator[Supervisor]:
    """A running node, and the proof that nothing of it is left afterwards."""
    supervisor = Supervisor(config, run_dir=str(folder), node_totals=Totals(), on_call_finished=on_call_finished)
    await supervisor.start()
    pids = [pid for _, pid, _ in supervisor.processes]
    try:
        yield supervisor
    finally:
        pids += [pid for _, pid, _ in supervisor.processes]
        await supervisor.close()
    assert [pid for pid in pids if is_alive(pid)] == []
    assert [each.name for each in folder.iterdir()] == ["lock"], "no socket file is left"


def agent() -> UserAgent:
    return UserAgent(legs=("udp:127.0.0.1:0",), rtp_ports=(34000, 34998))


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def target(supervisor: Supervisor) -> str:
    return f"sip:bob@127.0.0.1:{supervisor.listeners[0].port}"


def processes(supervisor: Supervisor) -> dict[str, tuple[int, int]]:
    """Pid and restarts by name."""
    return {name: (pid, restarts) for name, pid, restarts in supervisor.processes}


async def can_call(ua: UserAgent, supervisor: Supervisor, calls: int = 8, within: float = 15.0) -> None:
    """Wait until that many calls in a row, which fall into either slot, are answered."""
    in_a_row = 0

    async def attempt() -> bool:
        try:
            async with asyncio.timeout(1.0):
                call = await ua.invite(target(supervisor), media="silence")
        except (CallError, TimeoutError):
            return False
        await call.bye()
        return call.cause == "bye"

    async with asyncio.timeout(within):
        while in_a_row < calls:
            in_a_row = in_a_row + 1 if await attempt() else 0


def test_calls_are_answered_by_both_slots_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            assert set(processes(supervisor)) == {"media-0", "dispatcher", "call-0", "call-1"}
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="tone:440") for _ in range(20)))
            await until(lambda: supervisor.live_calls == 20)
            await until(lambda: all(call.statistics and call.statistics.packets_received for call in calls))
            await asyncio.gather(*(call.bye() for call in calls))
            assert all(call.statistics and call.statistics.packets_received > 0 for call in calls)
            await until(lambda: supervisor.live_calls == 0)
            totals = supervisor._node_totals
            assert isinstance(totals, Totals)
            answered = {
                name: sum(
                    row[2][0] for row in totals.snapshots[name].series if row[0] == "sipswarm_call_attempts_total"
                )
                for name in ("call-0", "call-1")
            }
            assert sum(answered.values()) == 20
            assert min(answered.values()) > 0

    run(main)


@pytest.mark.parametrize("name", ["call-0", "media-0", "dispatcher"])
def test_a_process_that_is_killed_is_replaced_and_new_calls_succeed(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="silence") for _ in range(8)))
            pid, restarts = processes(supervisor)[name]
            assert restarts == 0
            os.kill(pid, signal.SIGKILL)
            await until(lambda: processes(supervisor).get(name, (pid, 0))[0] != pid)
            await can_call(ua, supervisor)
            assert processes(supervisor)[name][1] == 1
            if name == "media-0":  # their media go on at the new one
                assert all(call.is_up for call in calls)
            for call in calls:
                call.cleanup()
            assert supervisor.failure == ""

    run(main)


@pytest.mark.parametrize("name", ["call-1", "dispatcher"])
def test_a_process_that_stands_still_is_replaced_once(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        config = NodeConfig(
            "", (ANY,), 0, call_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 33998), hang_timeout=2.0
        )
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            pid, _ = processes(supervisor)[name]
            os.kill(pid, signal.SIGSTOP)
            await until(lambda: processes(supervisor).get(name, (pid, 0))[0] != pid)
            await can_call(ua, supervisor)
            assert processes(supervisor)[name][1] == 1
            assert not is_alive(pid)

    run(main)


def test_a_second_node_on_the_same_run_directory_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            second = Supervisor(CONFIG, run_dir=str(tmp_path / "run"), node_totals=Totals())
            with pytest.raises(ConfigurationError, match=f"pid {os.getpid()}"):
                await second.start()
            await can_call(ua, supervisor, calls=2)

    run(main)


def test_a_busy_port_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            busy.bind(("127.0.0.1", 0))
            listener = Listener("udp", "127.0.0.1", busy.getsockname()[1])
            supervisor = Supervisor(NodeConfig("", (listener,), 0), run_dir=str(tmp_path / "run"), node_totals=Totals())
            with pytest.raises(ConfigurationError, match="is busy"):
                await supervisor.start()
            assert [each.name for each in (tmp_path / "run").iterdir()] == ["lock"]

    run(main)


OTHER_PROCESS = """
    import asyncio, sys
    from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
    from sipswarm.actors.supervisor.supervisor import Supervisor

    class Totals:
        def update(self, process, incarnation, snapshot): pass
        def started(self, process, incarnation): pass
        def linked(self, process, incarnation, now): pass
        def ended(self, process, incarnation): pass
        def given_up(self, process): pass

    async def main():
        config = NodeConfig("", (Listener("udp", "127.0.0.1", 0),), 0, call_workers=2, answer=AnswerConfig())
        supervisor = Supervisor(config, run_dir=sys.argv[1], node_totals=Totals())
        await supervisor.start()
        print(*(pid for _, pid, _ in supervisor.processes), flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
"""


def test_a_supervisor_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OTHER_PROCESS), str(tmp_path / "run")], stdout=subprocess.PIPE
    )
    try:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        assert len(pids) == 4
        assert all(map(is_alive, pids))
    finally:
        supervisor.kill()
        supervisor.wait()
        if supervisor.stdout is not None:
            supervisor.stdout.close()
    asyncio.run(until(lambda: not any(map(is_alive, pids)), 6.0, 0.1))  # a busy machine; `test_orphans` has the time
    asyncio.run(take_over(tmp_path / "run"))


async def take_over(folder: Path) -> None:
    """What the killed one left behind does not keep the next one from starting."""
    async with node(folder) as supervisor, agent() as ua:
        await can_call(ua, supervisor, calls=2)


def test_processes_are_replaced_although_the_run_directory_was_removed(tmp_path: Path) -> None:
    """As programs do that clean temporary folders."""

    async def main() -> None:
        folder = tmp_path / "run"
        async with node(folder) as supervisor, agent() as ua:
            shutil.rmtree(folder)
            await until(
                lambda: {each.name for each in folder.glob("*.sock")} == {"control.sock", "sip.sock", "media-0.sock"}
            )
            before = processes(supervisor)
            for name in ("call-0", "media-0", "dispatcher"):
                os.kill(before[name][0], signal.SIGKILL)
            await until(lambda: [restarts for _, restarts in processes(supervisor).values()].count(1) == 3)
            await can_call(ua, supervisor)

    run(main)
