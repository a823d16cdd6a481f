"""Runs the commands of the shell that a scenario file asks for (`exec command`), where `--allow-exec` permits it.

A command runs beside the calls, as SIPp has it: no call waits for it, and what it prints is discarded. `MOST_RUNNING`
run at a time in a call worker and `MOST_WAITING` wait; a further one is not run, and counted. One that takes longer
than `LONGEST` seconds is killed with its children. As with SIPp the end of a load ends no command.
"""

import asyncio
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, final

from ...sipp.actions.results import Result, RunCommand
from ...sipp.markup import excerpt

MOST_RUNNING: Final = 16
"""Commands of a call worker that run at the same time."""
MOST_WAITING: Final = 1000
"""Commands that wait for one of those to end."""
LONGEST: Final = 60.0
"""Seconds that a command may take."""
_logger = logging.getLogger(__name__)


@final
class Commands:
    """The commands of one call worker.

    Args:
        spawn: runs a coroutine.
        left_out: called for each command that is not run, because too many wait.
        longest: seconds that one may take.
    """

    __slots__ = ("_left_out", "_longest", "_running", "_said", "_spawn", "_waiting")

    def __init__(
        self, spawn: Callable[[Awaitable[Any]], None], left_out: Callable[[], None], longest: float = LONGEST
    ) -> None:
        self._spawn = spawn
        self._left_out = left_out
        self._longest = longest
        self._waiting: deque[str] = deque()
        self._running = 0
        self._said: set[str] = set()

    def take(self, wishes: Iterable[Result]) -> None:
        """Run the commands among what actions want.

        Args:
            wishes: in their order; two commands may run at the same time.
        """
        for wish in wishes:
            if not isinstance(wish, RunCommand):
                continue
            if len(self._waiting) >= MOST_WAITING:
                self._left_out()
                self._say("more than %d commands of exec wait; this one is not run: %s", MOST_WAITING, wish.command)
                continue
            self._waiting.append(wish.command)
            if self._running < MOST_RUNNING:
                self._running += 1
                self._spawn(self._work())

    async def _work(self) -> None:
        """Run commands until none waits."""
        try:
            while self._waiting:
                await self._run(self._waiting.popleft())
        finally:
            self._running -= 1

    async def _run(self, command: str) -> None:
        octets = command.encode("latin-1", "replace")
        try:
            process = await asyncio.create_subprocess_shell(
                octets, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
            )
        except (OSError, ValueError) as error:  # no descriptor, no process, or an octet 0 in it
            self._say("exec command cannot be run: %s: %s", error, command)
            return
        try:
            async with asyncio.timeout(self._longest):
                code = await process.wait()
        except TimeoutError:
            self._say("exec command took longer than %g s and was killed: %s", self._longest, command)
            await _killed(process)
        else:
            if code:
                self._say("exec command ended with %d: %s", code, command)

    def _say(self, text: str, value: object, command: str) -> None:
        """Log what is wrong with commands, once for each kind."""
        if text not in self._said:
            self._said.add(text)
            _logger.warning(text, value, excerpt(command))


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
