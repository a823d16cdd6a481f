"""The starter of a node: one process that has everything imported, and forks each process with a role.

Most of the time of a start is that of the interpreter and its imports; the starter has that behind it. It is started
with exec before all others, which wait for it then. A request goes to it with the standard streams of the new process,
and its answer is the process number, so that this event loop never waits. A starter that stands still, is gone, or is
late gets no request: the process is started with exec instead, and the starter is killed and started anew
(`restart_policy`). A process gets its order only when its number is known. So it never happens that two have one order,
whatever a late starter does. The starter counts in no state of the node.
"""

import asyncio
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from ..counting.totals import Totals
from ..host import kernel, running_node, subreaper
from ..host.forking import ANSWER, REQUEST
from .restart_policy import BUDGETS, RestartPolicy
from .started_process import StartedProcess, Streams, start_with_exec

READY_WITHIN: Final = 12.0
"""Seconds that it may take to import everything."""
LOOK: Final = 0.25
"""Seconds between two looks at a request without an answer."""
LOOKS: Final = 4
"""Such looks until the starter is late. Each takes a turn of the loop: a pause of the whole machine is one look."""
ARGUMENT: Final = running_node.STARTER.ljust(16)
"""Its name on the command line, with room for the name of any slot (`kernel.rename_last_argument`)."""
_logger = logging.getLogger(__name__)


class _Request:
    """A process that is to be started."""

    __slots__ = ("name", "refused", "streams", "take")

    def __init__(
        self, name: str, take: Callable[[StartedProcess], object], refused: Callable[[OSError], object]
    ) -> None:
        self.name = name
        self.take = take
        self.refused = refused
        self.streams: Streams | None = None
        """None = the starter has not got it yet."""


class ProcessStarter:
    """Starts the processes of one node.

    Args:
        totals: counts the starts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, totals: Totals) -> None:
        self._loop = loop
        self._totals = totals
        self._ready = totals.cell("sipswarm_process_starter_ready")
        self._process: StartedProcess | None = None
        self._requests: deque[_Request] = deque()
        """Those without an answer, one for each slot at most."""
        self._is_first = True
        """The first starter is not ready yet: requests wait for it."""
        self._restarts = RestartPolicy(BUDGETS[running_node.STARTER])
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0
        self._groups: list[int] = []
        """Process groups of starters that have ended, with children that may have got no order."""

    @property
    def pid(self) -> int | None:
        """Of the process that can fork now; None = there is none."""
        return self._process.pid if self._process is not None and self._ready.value else None

    def open(self) -> None:
        """Start it, now and whenever it has ended."""
        self._start()

    def start(self, name: str, take: Callable[[StartedProcess], object], refused: Callable[[OSError], object]) -> None:
        """Start a process. One of the two callbacks follows, or none after `close`.

        Args:
            name: of the process.
            take: called with the process, which waits for its order.
            refused: called when the system starts none now.
        """
        request = _Request(name, take, refused)
        if self._process is not None and self._is_first:
            self._requests.append(request)
        elif self._process is None or not self._ready.value:
            self._start_with_exec(request)
        else:
            self._ask(request)

    def close(self) -> None:
        """End it, and start nothing any more."""
        self._stop_timer()
        for each in self._take_requests():
            if each.streams is not None:
                each.streams.close()
        if self._process is not None:
            self._process.end()
            self._gone(self._process.pid)
        self._reap_groups()

    def _start(self) -> None:
        self._timer = None
        self._reap_groups()
        try:
            self._process = start_with_exec(ARGUMENT, self._loop)
        except OSError as error:
            delay = self._restarts.refused()
            _logger.warning("the process that starts the others cannot be started now, again in %g s: %s", delay, error)
            self._is_first = False
            self._timer = self._loop.call_later(delay, self._start)
            return
        self._restarts.started(time.monotonic())
        self._process.on_end(self._on_end)
        self._process.on_words(self._read)
        self._timer = self._loop.call_later(READY_WITHIN, self._give_up_this_one)

    def _ask(self, request: _Request) -> None:
        assert self._process is not None
        try:
            is_awake = kernel.is_awake(self._process.pid)
        except OSError as error:
            request.refused(error)
            return
        if is_awake:
            self._requests.append(request)
            self._send(request)
        else:
            self._give_up_this_one()
            self._start_with_exec(request)

    def _send(self, request: _Request) -> None:
        assert self._process is not None
        try:
            streams = Streams(request.name, self._loop)
            with streams.ends() as ends:
                self._process.give(REQUEST, ends)
        except OSError:
            self._requests.remove(request)
            self._start_with_exec(request)
            return
        request.streams = streams
        subreaper.adopt(self, True)
        if self._timer is None:
            self._await_answer()

    def _await_answer(self) -> None:
        """Begin to wait for the answer to the oldest request, if there is one."""
        self._stop_timer()
        self._looks = 0
        if self._requests:
            self._timer = self._loop.call_later(LOOK, self._look)
        else:
            subreaper.adopt(self, False)

    def _look(self) -> None:
        self._looks += 1
        self._timer = self._loop.call_later(LOOK, self._look)
        self._read()
        if self._requests and self._looks >= LOOKS:
            self._give_up_this_one()

    def _read(self) -> None:
        while self._process is not None and (answer := self._process.read(ANSWER.size)):
            (pid,) = ANSWER.unpack(answer)
            if self._ready.value:
                self._take_answer(pid)
            elif self._timer is not None:  # else it was killed because it was late
                self._on_ready()

    def _on_ready(self) -> None:
        self._stop_timer()
        self._ready.value = 1.0
        self._is_first = False
        for each in tuple(self._requests):
            self._send(each)

    def _take_answer(self, pid: int) -> None:
        if not self._requests:
            return
        request = self._requests.popleft()
        self._await_answer()
        assert request.streams is not None
        if not pid or not subreaper.is_child(pid):
            request.streams.close()
            self._start_with_exec(request)
            return
        try:
            process = StartedProcess(pid, request.streams, self._loop)
        except OSError as error:
            request.streams.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            request.refused(error)
            return
        self._count("fork")
        request.take(process)

    def _start_with_exec(self, request: _Request) -> None:
        if request.streams is not None:
            request.streams.close()
        try:
            process = start_with_exec(request.name, self._loop)
        except OSError as error:
            request.refused(error)
        else:
            self._count("exec")
            request.take(process)

    def _count(self, way: str) -> None:
        self._totals.cell("sipswarm_process_starts_total", way).value += 1

    def _give_up_this_one(self) -> None:
        """Kill it, and start with exec what waits for it; `_on_end` follows."""
        assert self._process is not None
        self._stop_timer()
        self._process.send(signal.SIGKILL)
        self._ready.value = 0.0
        self._is_first = False
        for each in self._take_requests():
            self._start_with_exec(each)

    def _on_end(self) -> None:
        assert self._process is not None
        self._read()  # the children that it had forked before
        pid, status = self._process.pid, self._process.reap()
        self._stop_timer()
        self._gone(pid)
        delay = self._restarts.died(time.monotonic())
        if delay is None:
            _logger.warning(
                "the process that starts the others %s, the last time with status %d; none is started any more, and "
                "what dies is replaced more slowly",
                self._restarts.words,
                status,
            )
        else:
            self._timer = self._loop.call_later(delay, self._start)
        for each in self._take_requests():
            self._start_with_exec(each)

    def _gone(self, pid: int) -> None:
        self._process, self._ready.value, self._is_first = None, 0.0, False
        self._groups.append(pid)

    def _take_requests(self) -> list[_Request]:
        requests = list(self._requests)
        self._requests.clear()
        subreaper.adopt(self, False)
        return requests

    def _reap_groups(self) -> None:
        self._groups = [each for each in self._groups if not subreaper.reap_group(each)]

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
