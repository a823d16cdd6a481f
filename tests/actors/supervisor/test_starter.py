"""The starter forks each process that is asked for; one that cannot is replaced, and exec takes its place."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.host import kernel, subreaper
from sipswarm.actors.supervisor import starter as module
from sipswarm.actors.supervisor.started_process import StartedProcess
from sipswarm.actors.supervisor.starter import ProcessStarter
from tests.e2e.test_supervision import no_descriptors
from tests.e2e.waiting import until


class Asked:
    """A starter, and what it was asked for."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.starter = ProcessStarter(asyncio.get_running_loop(), self.totals)
        self.came: dict[str, StartedProcess] = {}
        self.refused: list[str] = []

    def start(self, *names: str) -> None:
        for name in names:
            self.starter.start(name, partial(self._take, name), partial(self._refuse, name))

    def _take(self, name: str, process: StartedProcess) -> None:
        assert name not in self.came
        self.came[name] = process

    def _refuse(self, name: str, error: OSError) -> None:
        self.refused.append(name)

    async def ready(self) -> int:
        await until(lambda: self.starter.pid is not None, 30)
        assert self.starter.pid is not None
        return self.starter.pid

    async def process(self, name: str) -> StartedProcess:
        await until(lambda: name in self.came)
        return self.came[name]

    def ways(self) -> tuple[float, float]:
        """How many were started by fork and by exec."""
        fork, execs = (self.totals.cell("sipswarm_process_starts_total", way).value for way in ("fork", "exec"))
        return fork, execs


@asynccontextmanager
async def asked() -> AsyncIterator[Asked]:
    each = Asked()
    each.starter.open()
    try:
        yield each
    finally:
        for process in each.came.values():
            process.end()
        each.starter.close()
        assert (each.starter._timer, each.starter._process, list(each.starter._requests)) == (None, None, [])
        assert subreaper._waiting == set()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def children() -> set[int]:
    """Of this process."""
    return set(map(int, Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()))


def has_standard_streams_alone(pid: int | None) -> bool:
    return sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


@pytest.fixture
def looks_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that stops just after the look."""
    monkeypatch.setattr(kernel, "is_awake", lambda pid: True)


def test_what_is_asked_for_before_it_is_ready_comes_in_order_and_is_a_child_of_ours() -> None:
    async def main() -> None:
        async with asked() as node:
            node.start("a", "b", "c")
            assert node.came == {}
            await node.process("c")
            assert list(node.came) == ["a", "b", "c"]
            assert node.ways() == (3.0, 0.0)
            for each in node.came.values():
                assert subreaper.is_child(each.pid)
                await until(partial(has_standard_streams_alone, each.pid))  # it closes the others by itself
            assert os.listdir(f"/proc/{node.starter.pid}/task") == [str(node.starter.pid)]
            await until(lambda: has_standard_streams_alone(node.starter.pid))

    run(main)


def test_its_end_ends_no_child_and_another_one_comes() -> None:
    async def main() -> None:
        async with asked() as node:
            pid = await node.ready()
            node.start("a")
            child = await node.process("a")
            ended = asyncio.Event()
            child.on_end(ended.set)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: node.starter.pid is None)
            node.start("while there is none")
            assert node.ways() == (1.0, 1.0)
            assert await node.ready() != pid
            assert not ended.is_set()
            child.send(signal.SIGKILL)
            await ended.wait()
            assert node.came.pop("a").reap() == -signal.SIGKILL

    run(main)


def test_one_that_stands_still_is_not_asked() -> None:
    async def main() -> None:
        async with asked() as node:
            pid = await node.ready()
            stop(pid)
            node.start("a")
            assert node.ways() == (0.0, 1.0)
            assert await node.ready() != pid

    run(main)


@pytest.mark.usefixtures("looks_awake")
def test_one_that_is_late_is_killed_and_never_answers() -> None:
    async def main() -> None:
        async with asked() as node:
            pid = await node.ready()
            stop(pid)
            node.start("a", "b")
            assert node.came == {}
            await node.process("b")
            assert node.ways() == (0.0, 2.0)
            assert await node.ready() != pid

    run(main)


@pytest.mark.usefixtures("looks_awake")
def test_one_that_is_killed_with_requests_leaves_none_unanswered() -> None:
    async def main() -> None:
        async with asked() as node:
            pid = await node.ready()
            node.start("forked")
            await node.process("forked")
            stop(pid)
            node.start("a", "b")
            os.kill(pid, signal.SIGKILL)
            await node.process("b")
            assert node.ways() == (1.0, 2.0)

    run(main)


def test_a_child_that_has_another_parent_gets_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with asked() as node:
            await node.ready()
            monkeypatch.setattr(subreaper, "adopt", lambda part, wanted: None)
            node.start("a")
            await node.process("a")
            assert node.ways() == (0.0, 1.0)

    run(main)


def test_without_descriptors_a_start_is_refused_and_the_next_one_succeeds() -> None:
    async def main() -> None:
        async with asked() as node:
            await node.ready()
            with no_descriptors():
                node.start("a")
                assert node.refused == ["a"]
            node.start("b")
            await node.process("b")
            assert node.ways() == (1.0, 0.0)

    run(main)


def test_a_child_that_cannot_be_watched_is_refused_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(pid: int) -> int:
        raise OSError(24, "Too many open files")

    async def main() -> None:
        before = children()
        async with asked() as node:
            await node.ready()
            with monkeypatch.context() as patched:
                patched.setattr(os, "pidfd_open", no_more)
                node.start("a")
                await until(lambda: node.refused == ["a"])
            node.start("b")
            await node.process("b")
            assert children() - before == {node.starter.pid, node.came["b"].pid}

    run(main)


def test_what_waits_for_the_first_is_started_with_exec_when_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "READY_WITHIN", 0.0)

    async def main() -> None:
        async with asked() as node:
            node.start("a", "b")
            await node.process("b")
            assert node.ways() == (0.0, 2.0)

    run(main)


def test_one_that_cannot_be_started_comes_later() -> None:
    async def main() -> None:
        node = Asked()
        with no_descriptors():
            node.starter.open()
        assert node.starter.pid is None
        await node.ready()
        node.starter.close()

    run(main)


def test_one_that_dies_again_and_again_is_given_up_and_exec_remains() -> None:
    async def main() -> None:
        async with asked() as node:
            for _ in range(6):
                await until(lambda: node.starter._process is not None)
                assert node.starter._process is not None
                os.kill(node.starter._process.pid, signal.SIGKILL)
                await until(lambda: node.starter._process is None)
            assert node.starter._timer is None, "none is due"
            node.start("a")
            assert node.ways() == (0.0, 1.0)

    run(main)


@pytest.mark.usefixtures("looks_awake")
@pytest.mark.parametrize("sent", [False, True], ids=["before it is ready", "before it answers"])
def test_a_node_that_is_closed_meanwhile_starts_nothing(sent: bool) -> None:
    async def main() -> None:
        async with asked() as node:
            if sent:
                stop(await node.ready())
            node.start("a")
            node.starter.close()
            await asyncio.sleep(0)
            assert (node.came, node.refused) == ({}, [])

    run(main)
