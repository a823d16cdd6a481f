"""A process that the supervisor has started, with exec or by its starter: it waits for its order, then carries it out.

Between the two is a socket, the standard input of the process: the order and all open files come through it, and its
end shows the process that the supervisor is gone. The process inherits nothing else. A pidfd shows its end.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from ..host import handover
from .child_output import ChildOutput


class Streams:
    """The standard streams of one process, as its supervisor has them.

    Args:
        name: of the process, for the lines that it writes.

    Attributes:
        line: the other end of its standard input.
        output: what it writes.

    Raises:
        OSError: no more files can be opened.
    """

    __slots__ = ("_theirs", "line", "output")

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.line, self._theirs = socket.socketpair()
        self.line.setblocking(False)
        self.output = ChildOutput(name.rstrip(), loop)

    @contextmanager
    def ends(self) -> Iterator[tuple[int, int, int]]:
        """Open the pipes. The ends of the process are closed at the end; after an error everything is.

        Yields:
            The descriptors of its standard input, output and error.

        Raises:
            OSError: no more files can be opened.
        """
        with ExitStack() as undo:
            undo.callback(self.line.close)
            with self._theirs, self.output.write_ends() as (output, errors):
                yield self._theirs.fileno(), output, errors
            undo.pop_all()

    def close(self) -> None:
        """Write what the process has left, and close them."""
        self.line.close()
        self.output.close()


class StartedProcess:
    """One process, from its start until its end is noted.

    Args:
        pid: of a child of this process.
        streams: of the process; they are closed with it.
        popen: what has started it, if that was `subprocess`.

    Raises:
        OSError: no descriptor is free.
    """

    __slots__ = ("_loop", "_pidfd", "_popen", "_streams", "pid")

    def __init__(
        self, pid: int, streams: Streams, loop: asyncio.AbstractEventLoop, popen: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.pid = pid
        """Its number."""
        self._streams = streams
        self._loop = loop
        self._popen = popen
        self._pidfd = os.pidfd_open(pid)

    def on_end(self, callback: Callable[[], object]) -> None:
        """Have a callback called once it has ended, in the place of the one before."""
        self._loop.add_reader(self._pidfd, callback)

    def on_words(self, callback: Callable[[], object]) -> None:
        """Have a callback called when `read` returns something: what it has sent, or that it sends no more."""
        self._loop.add_reader(self._streams.line, callback)

    def read(self, octets: int) -> bytes | None:
        """Read what the process has sent; None = nothing is there now, empty = it sends no more.

        Args:
            octets: most of them.
        """
        try:
            sent = self._streams.line.recv(octets)
        except BlockingIOError:
            return None
        except OSError:
            sent = b""
        if not sent:
            self._loop.remove_reader(self._streams.line)
        return sent

    def give(self, octets: bytes, descriptors: Sequence[int]) -> None:
        """Send a few octets with open files.

        Raises:
            OSError: it takes nothing now, or has ended.
        """
        socket.send_fds(self._streams.line, [octets], descriptors)

    def order(self, name: str, order: bytes, descriptors: Sequence[int]) -> None:
        """Give it its order.

        Args:
            name: of the process from now on.
            order: the line with its role, slot and configuration.
            descriptors: of the files that go with it.

        Raises:
            OSError: the system has no descriptor or memory left.
        """
        self._streams.output.belongs_to(name)
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended already: as one that ends later
            handover.give(self._streams.line, order, descriptors)

    def send(self, number: int) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def reap(self) -> int:
        """Take the status of a process that has ended, or is about to, and let go of it."""
        status = self._status()
        for each in (self._pidfd, self._streams.line):
            self._loop.remove_reader(each)
        os.close(self._pidfd)
        self._streams.close()
        return status

    def end(self) -> None:
        """Kill it, and let go of it."""
        self.send(signal.SIGKILL)
        self.reap()

    def _status(self) -> int:
        if self._popen is not None:
            return self._popen.wait()
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # SIGCHLD is ignored: as `subprocess` has it
            return 0


def start_with_exec(name: str, loop: asyncio.AbstractEventLoop) -> StartedProcess:
    """Start a process that imports for itself what its role needs.

    Args:
        name: for ps, and for the lines that it writes.

    Raises:
        OSError: the system starts none now; nothing is left of it.
    """
    streams = Streams(name, loop)
    with streams.ends() as (line, output, errors):
        popen = subprocess.Popen(
            # -P: no file of the folder that it is started in may replace a module. The name is for ps.
            [sys.executable, "-P", "-m", "sipswarm.actors.process", name],
            stdin=line,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
    with ExitStack() as undo:
        undo.callback(streams.close)
        undo.callback(popen.wait)
        undo.callback(popen.kill)
        process = StartedProcess(popen.pid, streams, loop, popen)
        undo.pop_all()
    return process
