"""A slot of a node as its supervisor sees it: the process that fills it now is started, watched, ended by signals.

The starter makes the process, some milliseconds after it was asked for, and the process gets its order then. A late
heartbeat first makes it dump its stack, then ends it. The decisions are the supervisor's; this file carries them out.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from ..bus.messages import LoadFinished, Snapshot
from ..config import ProcessOrder, name_of
from ..host import kernel
from ..host.roll import OpenCall, PlanFigures, RollReader, make_roll
from .restart_policy import BUDGETS, Phase, RestartPolicy
from .started_process import StartedProcess
from .starter import ProcessStarter

WARN_AFTER: Final = 1.5
"""Seconds without a heartbeat until the process has to dump its stack."""
RECORDS: Final = "sipswarm_call_records_total"
KILL_AFTER: Final = 0.3
"""Seconds that a process has to dump its stack before it is killed."""


class Callbacks(NamedTuple):
    """What the supervisor does when a process was started, could not be, or has ended."""

    started: "Callable[[ChildProcess], object]"
    refused: "Callable[[ChildProcess, OSError], object]"
    """The system starts none now; nothing is left of it."""
    ended: "Callable[[ChildProcess], object]"


class ChildProcess:
    """One slot of one role: the process that fills it now, and its history.

    Attributes:
        incarnation: number of its starts.
        ready: it is linked to all others.
        started: it has been told that calls may come; that is done once for each process.
        drained: it has reported that no calls are left.
        abort_sent: it hung, and was made to end.
        live_calls, unclosed: as of its last report.
        records, reported: records of ended calls that came of this process, and that it had sent by its last report.
        load: its share of a load is done.
        roll: descriptor of the memory of its roll; -1 = it has none.
        restarts: decides when it is started again, and for which work.
    """

    __slots__ = (
        *(
            "_last_heartbeat",
            "_loop",
            "_is_starting",
            "_process",
            "_warned",
            "abort_sent",
            "drained",
            "incarnation",
            "live_calls",
        ),
        *("_roll", "load", "ready", "records", "reported", "restarts", "role", "roll", "slot"),
        *("started", "unclosed"),
    )

    def __init__(self, role: str, slot: int, loop: asyncio.AbstractEventLoop) -> None:
        self.role = role
        self.slot = slot
        self.incarnation = 0
        self.ready = self.started = self.drained = self.abort_sent = False
        self.live_calls = self.unclosed = self.records = self.reported = 0
        self.load: LoadFinished | None = None
        self.restarts = RestartPolicy(BUDGETS[role])
        self.roll = -1
        self._roll: RollReader | None = None
        self._loop = loop
        self._process: StartedProcess | None = None
        self._is_starting = False
        self._last_heartbeat = 0.0
        self._warned = False

    @property
    def name(self) -> str:
        """The slot's name in logs and metrics."""
        return name_of(self.role, self.slot)

    @property
    def pid(self) -> int | None:
        """Of the process that runs now; None = none does."""
        return None if self._process is None else self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process, or one is being started."""
        return self._is_starting or self._process is not None

    @property
    def quarantined(self) -> bool:
        """Whether its processes died too often, and it takes no work any more."""
        return self.restarts.phase is not Phase.SERVING

    def keep_roll(self) -> None:
        """Make the memory in which its calls are kept while they are not reported (`host.roll`).

        Raises:
            OSError: there is none.
        """
        self.roll = make_roll()
        self._roll = RollReader(self.roll)

    def record_came(self, place: int) -> None:
        """Note that the record of a call has come.

        Args:
            place: of the call in the roll; -1 = it has none.
        """
        self.records += 1
        if self._roll is not None:
            self._roll.release(place)

    def lost_calls(self) -> list[OpenCall]:
        """Return the calls that the process, which has ended, has taken with it; each once."""
        return [] if self._roll is None else self._roll.take_open()

    @property
    def plan(self) -> PlanFigures:
        """How far its share of a plan is carried out."""
        return PlanFigures() if self._roll is None else self._roll.figures

    def close_roll(self) -> None:
        """Close the descriptor of its roll, whose figures stay."""
        if self.roll >= 0:
            os.close(self.roll)
            self.roll = -1

    # The times of heartbeats are those of the supervisor's `AwakeClock`, in seconds.

    def next_incarnation(self) -> int:
        """Count the process that is about to be started; return its number."""
        self.incarnation += 1
        self.ready = self.started = self.drained = self._warned = self.abort_sent = False
        self.records = self.reported = 0
        return self.incarnation

    def start(self, order: ProcessOrder, starter: ProcessStarter, now: float, on: Callbacks) -> None:
        """Have a process carry out an order.

        Args:
            order: its role is that of this slot.
            starter: starts the process.
            now: the time.
            on: what follows.
        """
        self._is_starting = True
        self._last_heartbeat = now
        starter.start(self.name, partial(self._take, order, on), partial(self._refused, on))

    def _take(self, order: ProcessOrder, on: Callbacks, process: StartedProcess) -> None:
        if not self._is_starting:
            process.end()
            return
        try:
            process.order(self.name, order.to_line(), order.files.numbers)
        except OSError as error:
            process.end()
            self._refused(on, error)
            return
        self._is_starting = False
        self._process = process
        process.on_end(partial(on.ended, self))
        on.started(self)

    def _refused(self, on: Callbacks, error: OSError) -> None:
        if self._is_starting:
            self._is_starting = False
            on.refused(self, error)

    def reap(self) -> int:
        """Take the status of a process that has ended, or is about to, and let go of it."""
        assert self._process is not None
        status = self._process.reap()
        self._process = None
        self.live_calls = 0
        return status

    def send(self, number: int) -> None:
        """Send a signal, if there is a process; SIGKILL gives up the start of one."""
        if self._process is not None:
            self._process.send(number)
        elif number == signal.SIGKILL:
            self._is_starting = False

    def linked(self, now: float) -> None:
        """The process has linked to all others."""
        self.ready = True
        self._last_heartbeat = now

    def is_started(self) -> None:
        """Note that it has been told that calls may come."""
        self.started = True

    def heartbeat(self, snapshot: Snapshot, now: float) -> None:
        """A heartbeat came."""
        self._last_heartbeat = now
        self.live_calls = snapshot.live_calls
        self.reported = next((int(values[0]) for name, _, values in snapshot.series if name == RECORDS), 0)

    def is_drained(self, unclosed: int) -> None:
        """Its last call is over.

        Args:
            unclosed: calls whose end it has not seen.
        """
        self.drained, self.unclosed = True, unclosed

    def finished(self, load: LoadFinished) -> None:
        """Its share of a load is done."""
        self.load = load

    def silence(self, now: float) -> float:
        """Seconds since its last heartbeat."""
        return now - self._last_heartbeat

    def needs_warning(self, now: float) -> bool:
        """Whether it has just become late; true once until its next heartbeat."""
        if self.silence(now) < WARN_AFTER:
            self._warned = False
        elif not self._warned:
            self._warned = True
            return True
        return False

    def abort(self) -> None:
        """Make a process that hangs dump its stack, then kill it, unless its replacement has started already."""
        self.abort_sent = True
        self.send(signal.SIGABRT)
        self.send(signal.SIGCONT)
        self._loop.call_later(KILL_AFTER, self._kill, self.incarnation)

    def _kill(self, incarnation: int) -> None:
        if self.incarnation == incarnation:
            self.send(signal.SIGKILL)


def with_usage(pid: int, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot of a process with its processor time and memory by the kernel added."""
    usage = kernel.process_usage(pid)
    if usage is None:
        return snapshot
    rows = (
        ("sipswarm_process_cpu_seconds_total", (), (usage[0],)),
        ("sipswarm_process_resident_memory_bytes", (), (float(usage[1]),)),
    )
    return snapshot._replace(series=(*snapshot.series, *rows))
