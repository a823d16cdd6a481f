"""Processes whose supervisor is gone: they hang up, end with the last answer, and the next node takes their port."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.test_processes import agent, is_alive, run
from tests.e2e.waiting import until
from tests.interop.processes import workers


def node_on(address: str) -> Running:
    return Running("answer", "--listen", f"udp:{address}", "--metrics", "off", "--drain", "0s", *WORKERS)


def name_of(pid: int) -> str:
    """As ps and top show it; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize("calls", [0, 30])
def test_orphans_hang_up_and_the_next_node_waits_for_their_port(calls: int) -> None:
    first = node_on("127.0.0.1:0")
    second: list[Running] = []
    try:
        address = first.line().removeprefix("listening on udp:")
        children = workers(first.process.pid)
        assert sorted(map(name_of, children))[0] == "sip-call-0"

        async def main() -> None:
            async with agent() as ua:
                up = await asyncio.gather(*(ua.invite(f"sip:bob@{address}", media="none") for _ in range(calls)))
                await asyncio.sleep(0.3)  # the last ACK is read
                first.process.kill()
                first.process.wait()
                died = time.monotonic()
                second.append(node_on(address))
                await until(lambda: not any(map(is_alive, children)))
                assert time.monotonic() - died < 3.0, "they wait for no more than the last answer"
                assert [call.by for call in up] == ["remote"] * calls

        run(main)
        assert second[0].line() == f"listening on udp:{address}"
        assert second[0].end(signal.SIGTERM)[0] == 0
    finally:
        for each in (first, *second):
            each.close()


def test_a_signal_to_the_whole_service_leaves_the_drain_to_the_supervisor() -> None:
    """As a service manager sends it with KillMode=control-group."""
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--drain", "20s", *WORKERS)
    try:
        address = running.line().removeprefix("listening on udp:")

        async def main() -> None:
            async with agent() as ua:
                call = await ua.invite(f"sip:bob@{address}", media="none")
                children = workers(running.process.pid)
                for pid in (*children, running.process.pid):
                    os.kill(pid, signal.SIGTERM)
                await until(lambda: all(name_of(pid).startswith("end-") for pid in children))
                assert call.is_up, "a drain gives calls their time"
                await call.bye()
                assert call.cause == "bye"

        run(main)
        assert running.end()[0] == 0
    finally:
        running.close()


def test_the_next_node_removes_the_run_directory_of_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    nodes = [node_on("127.0.0.1:0")]
    try:
        nodes[0].line()
        (left,) = tmp_path.iterdir()
        children = workers(nodes[0].process.pid)
        nodes[0].process.kill()
        nodes[0].process.wait()
        run(lambda: until(lambda: not any(map(is_alive, children))))
        assert {each.suffix for each in left.iterdir()} >= {".sock"}
        nodes.append(node_on("127.0.0.1:0"))
        nodes[1].line()
        (own,) = tmp_path.iterdir()
        assert own != left
        assert nodes[1].end(signal.SIGTERM)[0] == 0
        assert not any(tmp_path.iterdir())
    finally:
        for each in nodes:
            each.close()
