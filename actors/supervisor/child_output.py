"""What the processes of a node write: read by their supervisor, and written to its own standard streams.

Each process has two pipes of its own that do not block: a process that logs, dumps its stack, prints, or runs a library
that writes to descriptor 2 never waits for a reader of ours. What does not fit into a pipe is lost in that process,
which counts it. A process that writes without end is read slowly, so that it costs the supervisor little.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from ..diagnosis import log_lines

READ: Final = 1 << 14
"""Octets that are read at a time."""
REST: Final = 0.01
"""Seconds until more is read of a pipe that was full."""
LONGEST: Final = 1 << 16
"""Octets of a line; a longer one is written in parts."""
LAST: Final = 1 << 18
"""Octets that are read of a pipe whose process has ended."""


class ChildOutput:
    """The output of one process.

    Args:
        name: of the process.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._name = name
        self._loop = loop
        self._pipes: tuple[_Pipe, ...] = ()

    def belongs_to(self, name: str) -> None:
        """Note the name of the process from now on."""
        self._name = name

    @contextlib.contextmanager
    def write_ends(self) -> Iterator[tuple[int, int]]:
        """Open the pipes; their write ends, for the process to inherit, are closed at the end.

        Yields:
            The descriptors of its standard output and standard error.

        Raises:
            OSError: no more files can be opened.
        """
        ends: list[int] = []
        pipes: list[_Pipe] = []
        try:
            for take in (_print, self._log):
                reads, writes = os.pipe()
                pipes.append(_Pipe(reads, self._loop, take))
                ends.append(writes)
                os.set_blocking(writes, False)
            yield ends[0], ends[1]
        except BaseException:
            for each in pipes:
                each.close()
            raise
        finally:
            for end in ends:
                os.close(end)
        self._pipes = tuple(pipes)

    def close(self) -> None:
        """Write what the process has left, and close the pipes."""
        for each in self._pipes:
            each.close()
        self._pipes = ()

    def _log(self, lines: list[bytes]) -> None:
        now = time.time()
        events = (log_lines.from_process(line, self._name, now) for line in lines)
        sys.stderr.write("".join(map(log_lines.FORM.of, events)))


class _Pipe:
    """The reading end of one pipe."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop, take: Callable[[list[bytes]], object]) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._take = take
        self._rest = b""
        self._later: asyncio.TimerHandle | None = None
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, self._on_readable)

    def close(self) -> None:
        """Read what is there, and no more."""
        if self._descriptor < 0:
            return
        left = LAST
        while left > 0 and (octets := self._read()):
            left -= len(octets)
        if self._rest:
            self._take([self._rest])
        self._end()

    def _on_readable(self) -> None:
        octets = self._read()
        if octets is None:
            return
        if not octets:  # the process is about to end; `close` follows
            self._loop.remove_reader(self._descriptor)
        elif len(octets) == READ:
            self._loop.remove_reader(self._descriptor)
            self._later = self._loop.call_later(REST, self._go_on)

    def _go_on(self) -> None:
        self._later = None
        self._loop.add_reader(self._descriptor, self._on_readable)

    def _read(self) -> bytes | None:
        """Read once and hand on whole lines; None = nothing is there now."""
        try:
            octets = os.read(self._descriptor, READ)
        except BlockingIOError:
            return None
        whole, end, self._rest = (self._rest + octets).rpartition(b"\n")
        if len(self._rest) > LONGEST:
            whole, end, self._rest = whole + end + self._rest, b"\n", b""
        if end:
            self._take(whole.split(b"\n"))
        return octets

    def _end(self) -> None:
        if self._later is not None:
            self._later.cancel()
        else:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1


def _print(lines: list[bytes]) -> None:
    sys.stdout.write(b"".join(line + b"\n" for line in lines).decode("utf-8", "backslashreplace"))
    sys.stdout.flush()
