"""The supervisor: starts the processes of a node, watches their heartbeats, replaces the dead, gathers their counts.

It binds the listeners, starts the children by role, waits until all are linked, and starts the plan of a load. A child
that dies is replaced within a budget (`restart_policy`). Beyond it a worker is put into quarantine, and the calls of a
call worker are ended by a process that does only that; the dispatcher, or the last call worker, ends the node. A child
whose heartbeat is late by `hang_timeout` is made to dump its stack (SIGABRT), killed and replaced; of the time in which
the supervisor itself stood still none counts (`awake_clock`). However the node ends, it drains first, within a bound.

It must hold no protocol code and allocate nothing in proportion to traffic. It must not fork: ZeroMQ contexts and
threads do not survive that. One child, the starter, has neither, and forks the others (`starter`).
"""

import asyncio
import dataclasses
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from ..bus import link
from ..bus.link import Channel, RouterLink
from ..bus.messages import (
    CallFinished,
    CallSlice,
    CallTraced,
    Drain,
    Drained,
    LoadFinished,
    Quarantined,
    Ready,
    Reloaded,
    Removing,
    Retired,
    ScenarioCounted,
    SetRate,
    Snapshot,
    Start,
    Stop,
    WorkerDown,
)
from ..config import Listener, NodeConfig, ProcessOrder
from ..counting.slices import start_of_slice
from ..counting.totals import Totals
from ..errors import ConfigurationError, StartFailed
from ..host.roll import OpenCall, PlanFigures
from ..host.run_dir import RunDirectory
from ..host.systemd import Notifier
from ..trace import file as trace_file
from ..transport import tls
from .awake_clock import AwakeClock
from .binding import bind_all
from .child_process import Callbacks, ChildProcess, with_usage
from .node_descriptors import NodeDescriptors
from .recycling import Recycling
from .service_report import ServiceReport
from .starter import ProcessStarter

WINDOW = 4096
"""Records that a process may leave unacknowledged."""
START_TIMEOUT = 20.0
"""Seconds until all processes must be linked, and until a later one must send its first heartbeat."""
WATCH = 0.5
"""Seconds between two looks at the heartbeats."""
TURN = 0.02
"""Seconds between two looks at what has to end."""
START_LEAD = 0.2
"""Seconds between "all are ready" and the first planned call, so that every shard learns of it before."""
RATE_LEAD = 0.05
"""Seconds between a command and the moment from which its rate holds, so that every shard learns of it before."""
HANG_UP_GRACE = 6.0
"""Seconds after the drain for the answers to the BYEs."""
REMOVAL_GRACE = 18.0
"""Seconds more at most, while call workers report that registrars answer the removal of registrations."""
STOP_GRACE = 3.0
"""Seconds that a process has to stop before it is killed."""
STALE = 5.0
"""Seconds without a heartbeat after which the node is not well."""
MOST_DEATHS = 20
"""Ends of processes that are reported one by one."""
ROLES = ("media", "dispatcher", "call")
"""In the order of their start; the dispatcher is stopped last."""
_logger = logging.getLogger(__name__)


class Snapshots(Protocol):
    """Takes the snapshots: `node_totals.NodeTotals`."""

    def update(self, process: str, incarnation: int, snapshot: Snapshot) -> None: ...

    def started(self, process: str, incarnation: int) -> None: ...

    def linked(self, process: str, incarnation: int, now: float) -> None: ...

    def ended(self, process: str, incarnation: int) -> None: ...

    def given_up(self, process: str) -> None: ...


class Supervisor:
    """A node of real processes.

    Args:
        config: with the listeners as requested; ports 0 and the run directory are filled in by `start`.
        run_dir: path of the run directory, empty = a fresh one.
        node_totals: takes the snapshots.
        on_call_finished, on_call_traced, on_call_slice, on_counted: take each `CallFinished`, `CallTraced`,
            `CallSlice` and `ScenarioCounted`.
        on_calls_lost: takes the calls of a load that a worker has taken with it, and the monotonic time.
        on_state: gets starting, running and draining.
        notifier: reports to the service manager that the node is ready, reloads, stops, and lives.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        run_dir: str = "",
        node_totals: Snapshots,
        on_call_finished: Callable[[CallFinished], None] | None = None,
        on_call_traced: Callable[[CallTraced], None] | None = None,
        on_call_slice: Callable[[CallSlice], None] | None = None,
        on_counted: Callable[[ScenarioCounted], None] | None = None,
        on_calls_lost: Callable[[list[OpenCall], float], None] | None = None,
        on_state: Callable[[str], None] = lambda state: None,
        notifier: Notifier | None = None,
    ) -> None:
        self.config = config
        """With the listeners that are bound, once `start` has come so far."""
        self._run_dir_path = run_dir
        self._node_totals = node_totals
        self._on_call_finished = on_call_finished
        self._on_call_traced = on_call_traced
        self._on_call_slice = on_call_slice
        self._on_counted = on_counted
        self._on_calls_lost = on_calls_lost
        self._rates: list[SetRate] = []
        """The rates that were commanded: a worker that is replaced goes on with them."""
        self._totals = Totals()
        self._children: dict[tuple[str, int], ChildProcess] = {}
        self._snapshot_number = 0
        self._on_state = on_state
        self._report = ServiceReport(notifier)
        self.lost_records = 0
        """Records of ended calls that call workers reported and that did not come."""
        self._quarantine = ""
        """Why a process is in quarantine; empty = none is."""
        self.deaths: list[str] = []
        """Processes that ended unasked, the first `MOST_DEATHS` of them, in words."""
        self._drained_by = inf
        """Monotonic time at which a drain hangs up what is left; infinite = the node does not drain."""
        self._given_up_at = inf
        """Time of the awake clock at which a drain is over whatever is left."""
        self._removed_by = inf
        """The same while registrars answer the removal of registrations."""
        self._awake = AwakeClock(time.monotonic(), WATCH)
        self._closing = False
        self.failure = ""
        """Why the node cannot go on; empty = all is well."""
        self.plan_start = 0.0
        """Monotonic time at which the plan of a load begins, known after `start`."""
        self.load_finished = asyncio.Event()
        self.ended = asyncio.Event()
        """The plan is done, the drain is over, or the node failed."""
        self._all_ready = asyncio.Event()

    @property
    def _draining(self) -> bool:
        return self._drained_by < inf

    @property
    def totals(self) -> Totals:
        """Counts of this process itself."""
        return self._totals

    async def start(self) -> None:
        """Bind, start every process and wait until all are linked; then calls may come and go.

        Raises:
            ConfigurationError: a busy port, or a run directory in use.
            StartFailed: a process that does not come up.
        """
        self._loop = asyncio.get_running_loop()
        self._on_state("starting")
        self._run_dir = RunDirectory(self._run_dir_path)
        try:
            expiry = tls.check(self.config.tls, self.config.listeners, time.time())
            self._totals.cell("sipswarm_tls_certificate_not_after_seconds").value = expiry
            if self.config.sip_trace:
                trace_file.create(self.config.sip_trace)
            sockets, bound = await bind_all(self.config.listeners)
        except (ConfigurationError, asyncio.CancelledError):
            self._run_dir.close()
            raise
        self.config = dataclasses.replace(
            self.config,
            run_dir=self._run_dir.path,
            listeners=bound,
            call_id_key=self.config.call_id_key or secrets.randbits(32),
        )
        self._descriptors = NodeDescriptors(sockets, self.config)
        self._starter = ProcessStarter(self._loop, self._totals)
        self._starter.open()
        self._context = link.new_context()
        self._link = RouterLink(
            link.Surroundings(1, self._context, self._totals, self._loop),
            self.config.endpoint("control"),
            role="supervisor",
            name="control",
            window=WINDOW,
            on_records=self._on_records,
            on_peer=self._on_peer,
            checks=True,
            linger_ms=200,
        )
        self._recycling = Recycling(
            self.config.memory_limit,
            self._children,
            send=self._send_to,
            broadcast=self._link.broadcast,
            kill=lambda child: child.send(signal.SIGKILL),
        )
        counts = {"media": self.config.media_workers, "dispatcher": 1, "call": self.config.call_workers}
        for role in ROLES:
            for slot in range(counts[role]):
                child = self._children[role, slot] = ChildProcess(role, slot, self._loop)
                if role == "call" and self.config.load is not None:
                    child.keep_roll()
                self._spawn(child)
        self._awake = AwakeClock(time.monotonic(), WATCH)
        self._watch = self._loop.call_later(WATCH, self._on_watch)
        await self._all_ready.wait()
        if self.failure:
            await self.close()
            raise StartFailed(f"the node did not start: {self.failure}; the lines above say why")
        self.plan_start = start_of_slice(time.monotonic() + START_LEAD)
        for child in self._children.values():
            self._start(child, self.plan_start)
        self._on_state("running")
        self._report.ready()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The addresses bound, with their real ports."""
        return self.config.listeners

    @property
    def live_calls(self) -> int:
        """Calls that are not over, as of the last heartbeats."""
        return sum(child.live_calls for child in self._children.values() if child.role == "call")

    @property
    def processes(self) -> list[tuple[str, int, int]]:
        """Name, pid and number of restarts of each process that runs."""
        return [
            (child.name, child.pid, child.incarnation - 1) for child in self._children.values() if child.pid is not None
        ]

    @property
    def plan_figures(self) -> PlanFigures:
        """How far the plan is carried out, over all call workers and those that they replaced."""
        figures = [child.plan for child in self._children.values() if child.role == "call"]
        return PlanFigures(*map(sum, zip(*figures, strict=True))) if figures else PlanFigures()

    async def wait(self) -> None:
        """Wait until the load is done, a drain is over, or the node failed."""
        await self.ended.wait()

    def drain(self, within: float) -> None:
        """Take no new calls; live ones may end by themselves for a while, then they are hung up.

        Args:
            within: seconds.
        """
        by = time.monotonic() + within
        self._drained_by = min(self._drained_by, by)
        self._recycling.close()
        self._on_state("draining")
        self._report.stopping()
        self._link.broadcast((Drain(within),))
        self._given_up_at = min(self._given_up_at, self._now() + within + HANG_UP_GRACE)
        self._removed_by = min(self._removed_by, self._now() + within + HANG_UP_GRACE + REMOVAL_GRACE)

    def set_rate(self, rate: float) -> float:
        """Command another rate of a running load.

        Args:
            rate: calls per second over all shards; 0 pauses.

        Returns:
            Seconds from the start of the plan at which it holds.
        """
        at = max(self.plan_start, time.monotonic() + RATE_LEAD)
        self._rates.append(SetRate(rate, at))
        self._link.broadcast(self._rates[-1:])
        return at - self.plan_start

    def reload(self) -> None:
        """Have every call worker read its user's file again."""
        reloading = [
            each for each in self._children.values() if each.role == "call" and each.ready and not each.quarantined
        ]
        self._report.reloading(reloading, time.monotonic())
        for child in reloading:
            child.send(signal.SIGHUP)

    def roll(self) -> None:
        """Replace every process, one after the other, the dispatcher last; nothing while the node drains."""
        if not self._draining:
            self._recycling.roll()

    async def close(self) -> int:
        """Hang up what is live, then stop every process, the dispatcher last.

        Returns:
            Number of calls that were left unclosed.
        """
        if self.plan_start:
            await self._hang_up()
        self._closing = True
        self._starter.close()
        for roles in (("call",), ("media", "dispatcher")):
            await self._stop_roles(roles)
        self._watch.cancel()
        self._link.close()
        self._context.term()
        self._descriptors.close()
        self._run_dir.close()
        for child in self._children.values():
            child.close_roll()
        if self.config.load is None:
            self.failure = self.failure or self._quarantine
        return sum(child.unclosed for child in self._children.values())

    async def _hang_up(self) -> None:
        """Have every call worker hang up what it has left, as at the end of a drain, and wait for it within a bound."""
        if not self._all_drained() and (not self._draining or self._drained_by > time.monotonic()):
            self.drain(0.0)
        while not self._all_drained() and self._now() < self._given_up_at:
            await asyncio.sleep(TURN)

    async def _stop_roles(self, roles: tuple[str, ...]) -> None:
        running = [child for child in self._children.values() if child.role in roles and child.runs]
        for child in running:
            if not self._send_to(child, (Stop(),)):
                child.send(signal.SIGKILL)
        deadline = self._now() + STOP_GRACE
        while any(child.runs for child in running) and self._now() < deadline:
            await asyncio.sleep(TURN)
        for child in running:
            if child.runs:
                _logger.warning("%s did not stop in %.0f s; killed", child.name, STOP_GRACE)
                child.send(signal.SIGKILL)
                self._reap(child)

    def _send_to(self, child: ChildProcess, records: tuple[Any, ...]) -> bool:
        """Send records to a process; False = it is not linked, or does not take them."""
        channel = self._link.channels.get((child.role, child.slot))
        return channel is not None and bool(self._link.send(channel, records))

    def _spawn(self, child: ChildProcess) -> None:
        child.next_incarnation()
        order = ProcessOrder(child.role, child.slot, child.incarnation, self.config, self._descriptors.of(child))
        order = dataclasses.replace(order, closing=child.restarts.is_closing)
        child.start(order, self._starter, self._now(), Callbacks(self._on_started, self._on_refused, self._on_exit))

    def _on_started(self, child: ChildProcess) -> None:
        child.restarts.started(time.monotonic())
        self._node_totals.started(child.name, child.incarnation)

    def _on_refused(self, child: ChildProcess, error: OSError) -> None:
        self._totals.cell("sipswarm_process_start_failures_total", child.role).value += 1
        delay = child.restarts.refused()
        _logger.error("%s cannot be started now, again in %g s: %s", child.name, delay, error)
        self._loop.call_later(delay, self._respawn, child)

    def _now(self) -> float:
        """Seconds in which this process itself ran."""
        return self._awake.time(time.monotonic())

    def _reap(self, child: ChildProcess) -> int:
        """Let go of a process that has ended; return its status."""
        status = child.reap()
        self._report.reloaded(child, "")
        if child.role == "call":
            self._link.read_waiting()
            lost = child.lost_calls()
            self.lost_records += max(0, child.reported - child.records - len(lost))
            if lost and self._on_calls_lost is not None:
                self._on_calls_lost(lost, time.monotonic())
        self._link.forget(child.role, child.slot, child.incarnation)
        self._node_totals.ended(child.name, child.incarnation)
        return status

    def _on_exit(self, child: ChildProcess) -> None:
        status = self._reap(child)
        if self._closing:
            return
        now = time.monotonic()
        self._descriptors.black_boxes.ended(child, status, now)  # before its messages go to the next process
        self._tell(self._now())  # a fast replacement may be there before the next look at the heartbeats
        asked = self._recycling.ended(child, now)
        reason = asked or self._descriptors.black_boxes.reason(child, status)
        self._totals.cell("sipswarm_process_restarts_total", child.role, reason).value += 1
        self._link.broadcast((WorkerDown(child.role, child.slot, child.incarnation),))
        if asked:
            _logger.warning("%s has ended and is started anew (%s)", child.name, reason)
            self._respawn(child)
            return
        _logger.error("%s ended with status %d (%s)", child.name, status, reason)
        if len(self.deaths) < MOST_DEATHS:
            self.deaths.append(f"{child.name} ended with status {status} ({reason}); what it carried was lost")
        delay = child.restarts.died(now)
        if delay is None:
            self._give_up(child)
        elif not self._all_ready.is_set() and status > 0:  # its own decision: it would be the same again
            self._fail(f"{child.name} ended with status {status} while starting")
        else:
            self._loop.call_later(delay, self._respawn, child)

    def _give_up(self, child: ChildProcess) -> None:
        """Give up a process that cannot be kept alive.

        A worker is put into quarantine; the calls of a call worker are ended by processes that do only that. The node
        ends with its dispatcher, and with its last call worker.
        """
        reason = f"{child.name} {child.restarts.words}"
        if child.quarantined:
            child.restarts.give_up(child.role)
            _logger.error("%s while it ended its calls; those that are left get no BYE", reason)
            self._check_drained()
            return
        others = any(
            each.role == "call" and each is not child and not each.quarantined for each in self._children.values()
        )
        if child.role == "dispatcher" or not self._all_ready.is_set():
            self._fail(reason)
            return
        child.restarts.give_up(child.role)
        self._node_totals.given_up(child.name)
        if child.role == "media":
            _logger.error("%s and is not started again", reason)
        else:
            _logger.error("%s and is not started again; its calls are ended, new ones of its slot get 503", reason)
            self._loop.call_soon(self._respawn, child)
            if not others:
                self._fail(reason)
                return
        self._quarantine = self._quarantine or reason
        if self.config.load is not None:
            self.deaths.append(f"{reason} and was not started again")
        self._link.broadcast((Quarantined(child.slot, child.role),))
        self._check_drained()
        self._check_plan()

    def _respawn(self, child: ChildProcess) -> None:
        if not self._closing and not child.runs and not child.restarts.is_left:
            self._spawn(child)

    def _fail(self, reason: str) -> None:
        """End the node: by a drain, once calls could come, so that no peer is left with one."""
        self.failure = self.failure or reason
        if self.plan_start:
            self.drain(0.0)
            self._check_drained()
        else:
            self._all_ready.set()
            self.ended.set()

    def _on_watch(self) -> None:
        """Look at every heartbeat, and at what has to be over by now."""
        self._watch = self._loop.call_later(WATCH, self._on_watch)
        monotonic = time.monotonic()
        late = self._awake.tick(monotonic)
        if late >= STALE:
            _logger.warning("this process stood still for %.1f s; what the others did meanwhile is not judged", late)
        now = self._now()
        for child in self._children.values():
            self._judge(child, now)
        if now >= START_TIMEOUT and not self._all_ready.is_set():
            missing = ", ".join(child.name for child in self._children.values() if not child.ready)
            self._fail(f"did not come up within {START_TIMEOUT:.0f} s: {missing}")
        if now >= self._given_up_at:
            self.ended.set()
        self._descriptors.black_boxes.look(monotonic)
        self._run_dir.look(monotonic)
        if self.plan_start and not self._draining:
            self._recycling.look(monotonic, calm=self._is_calm(), starter=self._starter.pid is not None)
        self._tell(now)
        self._snapshot_number += 1
        snapshot = Snapshot(self._snapshot_number, monotonic, 0, self._totals.snapshot())
        self._node_totals.update("supervisor", 1, with_usage(os.getpid(), snapshot))

    def _judge(self, child: ChildProcess, now: float) -> None:
        """Warn about a process that is late, then have it dumped and killed."""
        if not child.runs or self._closing:  # a process that has to end has a bound of its own
            return
        late = child.silence(now)
        if child.ready and child.needs_warning(now):
            _logger.warning("%s: no heartbeat for %.1f s; its stack follows", child.name, late)
            child.send(signal.SIGUSR2)
        limit = self.config.hang_timeout and (self.config.hang_timeout if child.ready else START_TIMEOUT)
        if limit and late > limit and not child.abort_sent:
            child.abort()

    def _is_calm(self) -> bool:
        """Whether every process that is to be there is linked."""
        return all(child.quarantined or (child.runs and child.ready) for child in self._children.values())

    def _troubled(self, now: float) -> list[str]:
        """Names of the processes that are not there, not linked, or send no heartbeats."""
        return [
            child.name
            for child in self._children.values()
            if not child.quarantined and (not child.runs or not child.ready or child.silence(now) > STALE)
        ]

    def _tell(self, now: float) -> None:
        """Report to the service manager how the node is, and that it lives: only while every process does."""
        if not self._all_ready.is_set():
            return
        troubled = self._troubled(now)
        doing = "draining" if self._draining else f"restarting {', '.join(troubled)}" if troubled else "taking calls"
        well = not troubled and not self.failure
        self._report.tell(now, doing, self.live_calls, self._quarantine, well=well)

    def _on_records(self, channel: Channel, records: list[Any]) -> None:
        child = self._children[channel.role, channel.slot]
        for record in records:
            kind = record.__class__
            if kind is CallFinished:
                child.record_came(record.place)
                if self._on_call_finished is not None:
                    self._on_call_finished(record)
            elif kind is CallSlice:
                if self._on_call_slice is not None:
                    self._on_call_slice(record)
            elif kind is ScenarioCounted:
                if self._on_counted is not None:
                    self._on_counted(record)
            elif kind is CallTraced:
                if self._on_call_traced is not None:
                    self._on_call_traced(record)
            elif kind is Snapshot:
                child.heartbeat(record, self._now())
                if child.pid is not None:
                    record = with_usage(child.pid, record)
                    self._recycling.weigh(child, record, time.monotonic())
                self._node_totals.update(child.name, channel.incarnation, record)
            elif kind is Ready:
                self._on_ready(child)
            elif kind is Reloaded:
                self._report.reloaded(child, record.problem)
            elif kind is LoadFinished:
                child.finished(record)
                if record.problem:
                    self._fail(record.problem)
                self._check_plan()
            elif kind is Retired:
                self._recycling.retired(child, time.monotonic())
            elif kind is Removing:
                self._given_up_at = min(self._removed_by, max(self._given_up_at, self._now() + HANG_UP_GRACE))
            elif kind is Drained:
                child.is_drained(record.unclosed)
                self._check_drained()

    def _on_peer(self, channel: Channel) -> None:
        """Report what is in quarantine: a new process must not wait for workers that never come."""
        given_up = [Quarantined(each.slot, each.role) for each in self._children.values() if each.quarantined]
        if given_up:
            self._link.send(channel, given_up)

    def _all_drained(self) -> bool:
        """Whether no call worker has a call left."""
        calls = [each for each in self._children.values() if each.role == "call"]
        return all(each.drained or not (each.runs or each.restarts.is_closing) for each in calls)

    def _check_drained(self) -> None:
        if self._draining and self._all_drained():
            self.ended.set()

    def _start(self, child: ChildProcess, at: float) -> None:
        """Tell a process that calls may come, once: one whose link to another has come back goes on as it was.

        A process that comes while the node drains has as long as the others.
        """
        channel = self._link.channels.get((child.role, child.slot))
        if not child.ready or child.started or channel is None:
            return
        child.is_started()
        self._link.send(channel, (Start(at), *self._rates))
        if self._draining:
            self._link.send(channel, (Drain(max(0.0, self._drained_by - time.monotonic())),))

    def _on_ready(self, child: ChildProcess) -> None:
        child.linked(self._now())
        self._node_totals.linked(child.name, child.incarnation, time.monotonic())
        if self._all_ready.is_set() and self.plan_start:
            planned = child.role == "call" and self.config.load is not None
            self._start(child, self.plan_start if planned else time.monotonic())
        elif all(each.ready for each in self._children.values()):
            self._all_ready.set()

    def _check_plan(self) -> None:
        shares = [each for each in self._children.values() if each.role == "call"]
        if self.config.load is not None and all(each.load is not None or each.quarantined for each in shares):
            self.load_finished.set()
            self.ended.set()
