"""Commands of the shell that a scenario file asks for: beside the calls, a bounded number, for a bounded time."""

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.load.sipp_files.commands import MOST_RUNNING, MOST_WAITING, Commands
from sipswarm.actors.sipp.actions.results import RunCommand
from sipswarm.actors.sipp.actions.stop import Stop


class Tasks:
    """Runs coroutines, and waits for their end."""

    def __init__(self) -> None:
        self._all: list[asyncio.Task[Any]] = []

    def spawn(self, work: Awaitable[Any]) -> None:
        async def carried() -> None:
            await work

        self._all.append(asyncio.get_running_loop().create_task(carried()))

    async def over(self) -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*self._all)


def test_commands_run_by_the_shell_and_nobody_waits_for_them(tmp_path: Path) -> None:
    async def run() -> None:
        tasks = Tasks()
        commands = Commands(tasks.spawn, lambda: None)
        commands.take([Stop.GRACEFULLY, *(RunCommand(f"echo caf\xe9 $(({n}+1)) > {tmp_path}/{n}") for n in range(40))])
        assert list(tmp_path.iterdir()) == []
        await tasks.over()

    asyncio.run(run())
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert found == {str(n): b"caf\xe9 %d\n" % (n + 1) for n in range(40)}


def test_beyond_the_bounds_a_command_is_not_run_and_counted() -> None:
    left_out: list[None] = []
    spawned: list[Awaitable[Any]] = []
    commands = Commands(spawned.append, lambda: left_out.append(None))
    commands.take([RunCommand("true")] * (MOST_WAITING + 5))
    assert len(spawned) == MOST_RUNNING
    assert len(left_out) == 5
    for each in spawned:
        each.close()  # type: ignore[attr-defined]  # they are coroutines


def test_a_command_that_takes_too_long_is_killed_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        tasks = Tasks()
        commands = Commands(tasks.spawn, lambda: None, longest=0.2)
        commands.take([RunCommand("sleep 600 | sleep 600")])
        await tasks.over()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "took longer than 0.2 s and was killed: sleep 600 | sleep 600" in caplog.text


@pytest.mark.parametrize(("command", "said"), [("exit 3", "ended with 3: exit 3"), ("a\0b", "cannot be run: ")])
def test_a_command_that_fails_is_said_once(command: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        tasks = Tasks()
        Commands(tasks.spawn, lambda: None).take([RunCommand(command)] * 3)
        await tasks.over()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert caplog.text.count(said) == 1
