"""A process that the supervisor has started with exec: it waits for its order, then carries it out.

Between the two is a socket, the standard input of the process: the order and all open files come through it, and its
end shows the process that the supervisor is gone. The process inherits nothing else. A pidfd shows its end.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from ..host import handover
from .child_output import ChildOutput


class StartedProcess:
    """One process, from its start until its end is noted.

    Args:
        name: for ps, and for the lines that it writes.

    Raises:
        OSError: the system starts none now; nothing is left of it.
    """

    __slots__ = ("_line", "_loop", "_output", "_pidfd", "_popen")

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._output = ChildOutput(name.rstrip(), loop)
        with ExitStack() as undo:
            undo.callback(self._output.close)
            self._line, theirs = socket.socketpair()
            undo.callback(self._line.close)
            self._line.setblocking(False)
            with theirs, self._output.write_ends() as (output, errors):
                self._popen = subprocess.Popen(
                    # -P: no file of the folder that it is started in may replace a module. The name is for ps.
                    [sys.executable, "-P", "-m", "sipswarm.actors.process", name],
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=errors,
                    start_new_session=True,
                )
            undo.callback(self._popen.wait)
            undo.callback(self._popen.kill)
            self._pidfd = os.pidfd_open(self._popen.pid)
            undo.pop_all()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def on_end(self, callback: Callable[[], object]) -> None:
        """Have a callback called once it has ended, in the place of the one before."""
        self._loop.add_reader(self._pidfd, callback)

    def on_word(self, callback: Callable[[bytes], object]) -> None:
        """Have a callback called with the first octets that it sends."""

        def come() -> None:
            self._loop.remove_reader(self._line)
            with suppress(OSError):  # it ends: `on_end` follows
                callback(self._line.recv(16))

        self._loop.add_reader(self._line, come)

    def order(self, name: str, order: bytes, descriptors: Sequence[int]) -> None:
        """Give it its order.

        Args:
            name: of the process from now on.
            order: the line with its role, slot and configuration.
            descriptors: of the files that go with it.

        Raises:
            OSError: the system has no descriptor or memory left.
        """
        self._output.belongs_to(name)
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended already: as one that ends later
            handover.give(self._line, order, descriptors)

    def send(self, number: int) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def reap(self) -> int:
        """Take the status of a process that has ended, or is about to, and let go of it."""
        status = self._popen.wait()
        for each in (self._pidfd, self._line):
            self._loop.remove_reader(each)
        os.close(self._pidfd)
        self._line.close()
        self._output.close()
        return status

    def end(self) -> None:
        """Kill it, and let go of it."""
        self._popen.kill()
        self.reap()
