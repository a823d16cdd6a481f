"""The main program of each process that the supervisor starts: one role in one uvloop event loop.

It is forked by the starter, or started as `python -P -m sipswarm.actors.process`, with a socket as its standard input,
which stays open. Its order, one JSON line, and its open files come through it. The process makes the event loop, the
role and the control line, and runs until the supervisor stops it. The end of standard input means that the supervisor
is gone; then call workers hang up and end with the last answer, and the other processes end after them. A process that
was not forked must import only what its role needs. Each must end soon after its supervisor.
"""

import asyncio
import dataclasses
import errno
import faulthandler
import logging
import math
import os
import signal
import socket
import sys
import time
from random import Random
from typing import Any, Protocol

from ..bus import link
from ..bus.messages import Drain, Drained, Ready, Start, Stop, WorkerDown
from ..bus.standstills import Pulse
from ..config import ProcessOrder
from ..counting.totals import Totals
from ..diagnosis.black_box import BlackBox, box_of
from ..host import handover, kernel, lasting, running_node
from ..host.event_loop import new_event_loop
from . import starter
from .control_line import Child
from .garbage import Collector
from .network_watch import NetworkWatch

ORPHAN_GRACE = 3.0
"""Seconds for hanging up after the supervisor has died, at most."""
SETTLE_WITHIN = 1.0
"""Seconds that the end of a process waits at most for what its role has to report; the supervisor waits longer."""
SETTLE_LOOK = 0.01
LAST_WORDS = 0.2
"""Seconds that the end of the process waits for the supervisor to read its last lines."""
_logger = logging.getLogger(__name__)


class Role(Protocol):
    """The work of a process: dispatcher, call worker or media worker behind the same few calls."""

    def start(self, at: float) -> None:
        """Begin: every process is linked."""

    def drain(self, within: float) -> None:
        """Take no new work."""

    def worker_down(self, role: str, slot: int, incarnation: int) -> None:
        """Take the loss of another process."""

    def update_gauges(self) -> int:
        """Update the gauges; return the number of live calls or streams."""

    @property
    def busy(self) -> int:
        """Number of calls, streams, requests and other pieces of work that a pause of this process would hold up."""

    def on_record(self, record: Any) -> None:
        """Take a record of the supervisor that only this role handles."""

    def settle(self) -> bool:
        """Count what only the end shows, and begin nothing new; return whether all is reported.

        The last snapshot leaves after it.
        """

    def close(self) -> None:
        """Close everything."""


class Process:
    """One role, its control line, and the way it ends.

    Args:
        order: the supervisor's order.
    """

    def __init__(self, order: ProcessOrder, loop: asyncio.AbstractEventLoop) -> None:
        self.config = order.config
        self.name = order.role
        self.closing = order.closing
        self.slot = order.slot
        self._title = order.name
        self.incarnation = order.incarnation
        self.loop = loop
        self._orphaned = self._started = self._drained = self._settled = False
        self.files = order.files
        kernel.name_process(f"{running_node.RUNS}{self._title}")
        self.collector: Collector | None = None
        """Made after everything else."""
        self.totals = Totals()
        self.totals.include(lasting.lost_rows)
        boxes = order.files.boxes
        box = BlackBox(boxes, box_of(self.name, self.slot)) if boxes >= 0 else None
        self._network = NetworkWatch(loop) if self.name == "call" else None
        outages = None if self._network is None else self._network.outages
        self.surroundings = link.Surroundings(
            self.incarnation, link.new_context(), self.totals, loop, box, Pulse(), outages
        )
        self.sockets = [socket.socket(fileno=descriptor) for descriptor in order.files.listeners]
        self._role = _make_role(self)
        if self._network is not None:
            self.totals.include(self._network.rows)
        self.child = Child(
            self.config,
            self.name,
            self.slot,
            surroundings=self.surroundings,
            before_snapshot=self._before_snapshot,
            on_record=self._on_record,
        )
        if self.name == "media":
            self.child.ready()

    def _before_snapshot(self) -> int:
        lasting.tick()
        live = self._role.update_gauges()
        if self.collector is not None:
            self.collector.heartbeat(self._role.busy, time.monotonic())
        return live

    def ready(self) -> None:
        """Report that the role is linked to all it needs; the control line may not exist yet."""
        self.loop.call_soon(lambda: self.child.ready())

    def report(self, record: Any) -> None:
        """Send the supervisor a record."""
        self.child.report(record)
        if record.__class__ is Drained:
            self._drained = True
            if self._orphaned:
                self.loop.call_soon(self.loop.stop)  # after what this turn has still to send

    def watch_parent(self) -> None:
        """End in order when the supervisor dies: standard input ends, and the kernel sends SIGTERM.

        The alarm ends the process even if its loop never turns again. A SIGTERM while the supervisor lives is one of a
        service manager to all processes of the service: the supervisor drains them.
        """
        self._parent = os.getppid()
        self.loop.add_reader(0, self._on_standard_input)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        kernel.die_with_parent(signal.SIGTERM)

    def close(self) -> None:
        """Send the last snapshot and close everything."""
        if not self._settled:
            self._role.settle()
        self.child.close()
        self._role.close()
        if self._network is not None:
            self._network.close()
        for each in self.sockets:
            each.close()
        self.surroundings.context.term()

    def _on_standard_input(self) -> None:
        if not os.read(0, 4096):
            self.loop.remove_reader(0)
            self._on_parent_gone()

    def _on_sigterm(self, number: int, frame: object) -> None:
        if os.getppid() == self._parent:
            return
        signal.alarm(math.ceil(ORPHAN_GRACE) + 2)
        self.loop.call_soon_threadsafe(self._on_parent_gone)

    def _on_parent_gone(self) -> None:
        if not self._orphaned:
            self._orphaned = True
            _logger.error("the supervisor is gone; closing")
            self.loop.call_later(ORPHAN_GRACE, self.loop.stop)
            self._drain(0.0)
            if self.name == "call":
                if self._drained:
                    self.loop.stop()
            elif self.files.last_call >= 0:  # they carry the last messages and packets of calls
                self.loop.add_reader(self.files.last_call, self.loop.stop)

    def _drain(self, within: float) -> None:
        """Begin to end; the name of the process shows that its ports will be free."""
        kernel.name_process(f"{running_node.ENDS}{self._title}")
        self._role.drain(within)

    def _stop(self, since: float) -> None:
        """End the process when the supervisor has everything that its role had to report, or the time for that is over.

        Args:
            since: loop time of the order.
        """
        self._settled = self._role.settle()
        if (self._settled and self.child.settle()) or self.loop.time() - since >= SETTLE_WITHIN:
            self.loop.stop()
        else:
            self.loop.call_later(SETTLE_LOOK, self._stop, since)

    def _start(self, at: float) -> None:
        """Start the role, once, however often the supervisor orders it."""
        if not self._started:
            self._started = True
            self._role.start(at)

    def _on_record(self, record: Any) -> None:
        kind = record.__class__
        if kind is Start:
            self._start(record.at)
        elif kind is Drain:
            self._drain(record.within)
        elif kind is Stop:
            self._stop(self.loop.time())
        elif kind is WorkerDown:
            self._role.worker_down(record.role, record.slot, record.incarnation)
        elif kind is not Ready:
            self._role.on_record(record)


def _make_role(process: Process) -> Role:
    """Import and build only what this process needs: a dispatcher never loads numpy, a media worker no SIP."""
    if process.name == "dispatcher":
        from ..dispatcher import Dispatcher

        return Dispatcher(
            process.config,
            process.sockets,
            surroundings=process.surroundings,
            on_ready=process.ready,
            random=Random(),
        )
    if process.name == "media":
        from ..media_worker import MediaWorker

        return MediaWorker(process.config, process.slot, surroundings=process.surroundings)
    from .applications import make_call_worker

    return make_call_worker(
        process.config,
        process.slot,
        process.sockets,
        surroundings=process.surroundings,
        on_ready=process.ready,
        tell=process.report,
        roll=process.files.roll,
        ledger=process.files.ledger,
        closing=process.closing,
    )


def _begun(order: ProcessOrder, loop: asyncio.AbstractEventLoop) -> Process | None:
    """Return the process; None = it gets no memory, which is said."""
    try:
        return Process(order, loop)
    except (MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOMEM:
            raise
        _logger.error("there is no memory for this process (%s); raise ulimit -v, or MemoryMax of the service", error)
        return None


def main() -> int:
    """Run the role that the first line of standard input orders; return the exit status."""
    is_starter = sys.argv[1].rstrip() == running_node.STARTER
    del sys.argv[1:]  # the name is for ps; a user's file must read no arguments
    os.umask(0o077)
    kernel.forbid_core_dumps()
    kernel.raise_descriptor_limit()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the supervisor handles the terminal's Ctrl-C
    signal.signal(signal.SIGRTMIN, signal.SIG_IGN)  # it is the supervisor's, and may come to all of a service
    faulthandler.enable()
    if is_starter and not starter.serve(socket.socket(fileno=0)):
        return 0
    streams = lasting.pipe_streams()
    faulthandler.register(signal.SIGUSR2, all_threads=False)
    line = socket.socket(fileno=0)
    given = handover.take(line)
    line.detach()  # standard input stays open
    if given is None:
        return 1
    text, files = given
    order = ProcessOrder.from_line(text)
    order = dataclasses.replace(order, files=order.files.renumbered(files))
    if is_starter:
        kernel.rename_last_argument(order.name)
    streams.log_to_supervisor(f"{order.role}-{order.slot}")
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    process = _begun(order, loop)
    if process is None:
        streams.finish(LAST_WORDS)
        return 1
    process.watch_parent()
    process.collector = Collector(time.monotonic())
    try:
        loop.run_forever()
    finally:
        process.close()
        loop.close()
        streams.finish(LAST_WORDS)
    return 0
