"""Writes files beside the event loop: one job at a time in a thread of its own, and a bounded wait for it.

A disk that hangs stops neither the loop nor the end of the program: the thread is a daemon, and is never joined.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


class FileWriter:
    """One job at a time; `problem` is why the last one that ended could not write, empty = it could."""

    def __init__(self) -> None:
        self.problem = ""
        self._done: asyncio.Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""
        return self._done is not None and not self._done.done()

    def start(self, job: Callable[[], str]) -> bool:
        """Start a job, which returns why it could not write; False = it is not run, the one before is not done."""
        if self.busy:
            return False
        loop = asyncio.get_running_loop()
        done = self._done = loop.create_future()

        def work() -> None:
            problem = "the writer of the files failed in our own code"
            try:
                problem = job()
            finally:
                with suppress(RuntimeError):  # no code waits any more: the loop is closed
                    loop.call_soon_threadsafe(self._end, done, problem)

        threading.Thread(target=work, name="file-writer", daemon=True).start()
        return True

    async def idle(self, within: float) -> bool:
        """Wait for the job that is running.

        Args:
            within: seconds.

        Returns:
            whether none is running any more.
        """
        if self._done is not None:
            await asyncio.wait((self._done,), timeout=within)
        return not self.busy

    def _end(self, done: "asyncio.Future[None]", problem: str) -> None:
        self.problem = problem
        if not done.done():
            done.set_result(None)
