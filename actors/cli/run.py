"""Runs nodes from the command line: starts their supervisors, serves /metrics, obeys signals, ends in order.

The only file of the command line that uses the supervisor. `run` opens a loop, installs the signals and runs the body
of a verb; `NodeRun` starts and stops one node and adds up its figures. The decisions of the verbs are in their own
files. A third SIGINT or SIGTERM must end the program at once, whatever the body waits for.
"""

import asyncio
import math
import os
import platform
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

from ..bus.messages import CallFinished, CallSlice, CallTraced, ScenarioCounted, Snapshot
from ..bus.row_metrics import RowMetrics
from ..config import Listener, NodeConfig
from ..host import kernel, lasting, systemd
from ..host.event_loop import new_event_loop
from ..host.roll import OpenCall
from ..load.cdr import Cdr
from ..load.starter import name_of
from ..scripts import user_file
from ..supervisor.exposition import MetricsServer
from ..supervisor.node_totals import NodeTotals
from ..supervisor.supervisor import Supervisor
from .info import installed
from .options import RunOptions
from .signals import leave_at_once, show_stack_on_sigusr2
from .terminal import echo

OWN_THREADS: Final = 3
"""Threads that a supervisor begins with its first link, and the process that forks the others."""
THREADS_EACH: Final = 3
"""Threads of each other process."""
TICK: Final = 1.0
"""Seconds."""


class NodeRun:
    """One node: its supervisor and the counts of its processes.

    Args:
        config: of the node.
        run_dir: path of the run directory, empty = a fresh one.
        prefix: put before the names of its processes, when there is more than one node.
        on_call_finished, on_call_traced, on_call_slice, on_counted, on_calls_lost, watch: see `Supervisor` and
            `NodeTotals`.
        cdr: records of ended calls; this node counts those lost, and the judge of the calls adds them.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        run_dir: str = "",
        prefix: str = "",
        on_call_finished: Callable[[CallFinished], None] | None = None,
        on_call_traced: Callable[[CallTraced], None] | None = None,
        on_call_slice: Callable[[CallSlice], None] | None = None,
        on_counted: Callable[[ScenarioCounted], None] | None = None,
        on_calls_lost: Callable[[list[OpenCall], float], None] | None = None,
        watch: Callable[[str, int, Snapshot], None] | None = None,
        cdr: Cdr | None = None,
    ) -> None:
        self.prefix = prefix
        self.totals = NodeTotals(prefix=prefix, scenarios=_scenarios(config), watch=watch)
        self.totals.set_gauge(
            "sipswarm_build_info", installed("sipswarm"), platform.python_version(), "python", value=1.0
        )
        self.totals.set_gauge("sipswarm_run_info", run_id(), _scenario_file(config), value=1.0)
        self._supervisor = Supervisor(
            config,
            run_dir=run_dir,
            node_totals=self.totals,
            on_call_finished=on_call_finished,
            on_call_traced=on_call_traced,
            on_call_slice=on_call_slice,
            on_counted=on_counted,
            on_calls_lost=on_calls_lost,
            on_state=self.totals.set_state,
            notifier=systemd.from_environment() if not prefix else None,
        )
        if not prefix:
            self._supervisor.totals.include(lasting.lost_rows)
        if cdr is not None:
            self._supervisor.totals.include(cdr.rows)
        self._running = False
        self.drained_at = math.inf
        """Monotonic time at which a signal or a key first ended the taking of calls."""
        self.unclosed = 0
        """Calls whose end no peer confirmed, known after `close`."""
        self.lost_records = 0
        """Records of ended calls that call workers reported and that did not come, known after `close`."""

    async def start(self) -> None:
        """Start every process; calls may come from now on.

        Raises:
            ConfigurationError: a busy port, a run directory in use, a process that does not come up, or a limit of
                processes that is too low for all of them.
        """
        config = self._supervisor.config
        kernel.need_threads(OWN_THREADS + THREADS_EACH * (1 + config.call_workers + config.media_workers))
        try:
            await self._supervisor.start()
        except asyncio.CancelledError:
            await self._supervisor.close()
            raise
        self._running = True

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The bound addresses."""
        return self._supervisor.listeners

    @property
    def plan_start(self) -> float:
        """Monotonic time at which the plan of a load begins, known after `start`."""
        return self._supervisor.plan_start

    @property
    def live_calls(self) -> int:
        """Calls that are not over, as of the last heartbeats."""
        return self._supervisor.live_calls

    @property
    def failure(self) -> str:
        """Why the node cannot go on; empty = all is well."""
        return f"{self.prefix}{self._supervisor.failure}" if self._supervisor.failure else ""

    @property
    def deaths(self) -> tuple[str, ...]:
        """Processes that ended unasked, in words."""
        return tuple(f"{self.prefix}{each}" for each in self._supervisor.deaths)

    @property
    def attempted(self) -> int:
        """Calls that the workers report to have begun."""
        return int(self.counted("sipswarm_call_attempts_total", role="uac"))

    @property
    def begun(self) -> int:
        """Arrivals of the plan that started: calls, or runs of a scenario."""
        return self._supervisor.plan_figures.started

    @property
    def held_back(self) -> int:
        """Arrivals that only the limit of concurrent calls kept from starting."""
        return self._supervisor.plan_figures.held_back

    @property
    def overloaded(self) -> int:
        """Arrivals that the bound of the call workers kept from starting."""
        return self._supervisor.plan_figures.overloaded

    def count_lost(self, row: CallFinished, *, is_call: bool) -> None:
        """Count a call, or a request of a load, that its worker can count no more."""
        metrics = RowMetrics(self._supervisor.totals)
        if is_call:
            metrics.lost(row, attempted=False)
        else:
            metrics.failed(row)

    def counted(self, name: str, **labels: str) -> float:
        """Return the sum of a counter over all its series with these label values."""
        return self.totals.view().sum(name, **labels)

    async def wait(self) -> None:
        """Wait until the plan is done, a drain is over, or the node failed."""
        await self._supervisor.wait()

    def drain(self, within: float) -> None:
        """Take no new calls; live ones may go on for a while, then they are hung up.

        Args:
            within: seconds.
        """
        self.drained_at = min(self.drained_at, time.monotonic())
        self._supervisor.drain(within)

    def tick(self) -> None:
        """Called once a second."""
        lasting.tick()

    def set_rate(self, rate: float) -> float:
        """Command another rate of a running load; 0 pauses.

        Returns:
            Seconds from the start of the plan at which it holds; infinite when nothing runs any more.
        """
        return self._supervisor.set_rate(rate) if self._running else math.inf

    def reload(self) -> None:
        """Have the call workers read the user's file again."""
        if self._running:
            self._supervisor.reload()

    def roll(self) -> None:
        """Replace every process, one after the other."""
        if self._running:
            self._supervisor.roll()

    async def close(self) -> None:
        """Stop every process, once."""
        if self._running:
            self._running = False
            self.unclosed = await self._supervisor.close()
            self.lost_records = self._supervisor.lost_records


def _scenarios(config: NodeConfig) -> tuple[str, ...]:
    """Return the labels that this node's calls will have, so that their series exist from the start."""
    if config.load is not None:
        return (name_of(config.load),)
    if config.server is not None:
        return ("proxy" if config.server.proxy else "registrar",)
    return (config.robot.name if config.robot is not None else "answer",)


@cache
def run_id() -> str:
    """Return the identifier of this run of the command line; on /metrics only the label of sipswarm_run_info has it."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def _scenario_file(config: NodeConfig) -> str:
    """Return the name of the user's file that the node runs, without its folder; empty = none."""
    path = config.robot.scenario or config.robot.file if config.robot is not None else ""
    if config.load is not None and config.load.scenario:
        path = user_file.split(config.load.scenario, "")[0]
    return os.path.basename(path)


class Signals:
    """SIGINT and SIGTERM: first drain, then hang up, then exit at once. SIGUSR1 drains (as SIPp's does).

    SIGHUP without a meaning of its own drains once, however often it comes: a shell and the kernel both send it when a
    terminal goes. SIGQUIT exits at once, SIGUSR2 writes the stack to standard error, SIGRTMIN replaces all processes.

    Args:
        drain: called with the seconds that live calls may still go on.
        within: those seconds for the first signal.
        cancel: ends a start that is not over.
        reload: called on SIGHUP; None = it ends this verb as SIGTERM does.
        roll: called on SIGRTMIN; None = that is ignored.
    """

    def __init__(
        self,
        drain: Callable[[float], None],
        within: float,
        cancel: Callable[[], object],
        reload: Callable[[], None] | None = None,
        roll: Callable[[], None] | None = None,
    ) -> None:
        self._reload = reload
        self._roll = roll or (lambda: None)
        self._drain = drain
        self._within = within
        self._cancel = cancel
        self._count = 0
        self._started = False
        self.interrupted = False
        """A signal demanded the end."""
        self.ended_early = False
        """SIGUSR1 ended the plan, which is judged as if that had been planned."""
        self.ended_by = ""
        """The name of the first signal that demanded the end; empty = none. A key counts as its signal."""

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop, number)
        loop.add_signal_handler(signal.SIGUSR1, self.end_early)
        loop.add_signal_handler(signal.SIGQUIT, leave_at_once)
        loop.add_signal_handler(signal.SIGRTMIN, self._roll)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
            loop.add_signal_handler(signal.SIGHUP, self.terminal_gone)
        show_stack_on_sigusr2()

    def remove(self, loop: asyncio.AbstractEventLoop) -> None:
        """Restore the signals."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT, signal.SIGRTMIN):
            loop.remove_signal_handler(number)

    def started(self) -> None:
        """Note that calls can be drained now; before, the first signal ends the start."""
        self._started = True

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Take one more SIGINT or SIGTERM.

        Args:
            number: of it, for the text where it ends the start.
        """
        self._count += 1
        self.ended_by = self.ended_by or number.name
        self.interrupted = True
        if self._count > 2:
            leave_at_once()
        elif not self._started:
            self._cancel()
        else:
            self._drain(self._within if self._count == 1 else 0.0)

    def terminal_gone(self) -> None:
        """Take a SIGHUP."""
        if not self._count:
            self.stop(signal.SIGHUP)

    def stop_now(self) -> None:
        """Hang up now, as a second signal does."""
        self._count = max(self._count, 1)
        self.stop()

    def end_early(self) -> None:
        """Take a SIGUSR1."""
        self.ended_early = True
        self.ended_by = self.ended_by or signal.SIGUSR1.name
        if self._started:
            self._drain(self._within)
        else:
            self._cancel()


Body = Callable[[Signals], Coroutine[Any, Any, int]]


def run(
    body: Body,
    *,
    drain: Callable[[float], None],
    within: float,
    cancelled: int,
    reload: Callable[[], None] | None = None,
    roll: Callable[[], None] | None = None,
) -> int:
    """Run a verb in an event loop with its signals.

    Args:
        body: the verb; it calls `Signals.started` when calls can come.
        drain: drains what the verb started.
        within: seconds that live calls may go on after the first signal.
        cancelled: the exit code when a signal comes before anything started.
        reload: called on SIGHUP.
        roll: called on SIGRTMIN.

    Returns:
        The exit code.
    """
    kernel.forbid_core_dumps()
    mask = os.umask(0o077)  # what a run writes names who called whom
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    cancels: list[Callable[[], object]] = []
    signals = Signals(drain, within, lambda: [cancel() for cancel in cancels], reload, roll)
    task = loop.create_task(body(signals))
    cancels.append(task.cancel)
    signals.install(loop)
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        echo(
            f"sipswarm: {signals.ended_by} came while the processes were starting: nothing was sent, and there are no "
            "results",
            err=True,
        )
        return cancelled
    finally:
        os.umask(mask)
        signals.remove(loop)
        asyncio.set_event_loop(None)
        loop.close()


async def tick_until_done(node: NodeRun, tick: Callable[[], None], every: float = TICK) -> None:
    """Call `tick` again and again until the node is done."""
    done = asyncio.ensure_future(node.wait())
    while not done.done():
        await asyncio.wait((done,), timeout=every)
        node.tick()
        tick()


def metrics_server(options: RunOptions, nodes: Sequence[NodeRun]) -> AbstractContextManager[MetricsServer | None]:
    """Return a server of the nodes' figures at the address that the user gave; its value is None = off.

    Raises:
        ConfigurationError: the address that the user gave cannot be bound.
    """
    address = options.metrics
    if address.port < 0:
        return nullcontext()
    totals = [node.totals for node in nodes]
    return MetricsServer(address.host, address.port, totals, moves=not address.given)


def say_ready(listeners: Sequence[Listener], server: MetricsServer | None, advertised: Sequence[str] = ()) -> None:
    """Print the lines on stdout by which a person or a script sees that calls may come."""
    for each in listeners:
        echo(f"listening on {each}")
    for address in advertised:
        echo(f"advertised as {address}")
    if server is not None:
        echo(f"metrics on {server.url}")
