"""Runs of a user's scenario: `async def NAME(ua, row)`, a run for each arrival of the schedule, each judged.

A run is passed when its function returns, and failed when anything leaves it: an AssertionError by its text, an error
of a call by what became of the call. Its calls are hung up when it ends, and their rows are told when both are over,
because what a scenario asserts after a call is part of the judgement. A run without any call is a row of its own, and
passes like any other. A run is let in as one live call; while more calls of it are live, each further one is let in by
the bound too. Each run has `run_time` seconds: then it is cancelled, and it failed with `run_time`.
"""

import asyncio
import copy
import logging
from collections.abc import Callable
from typing import Final

from ..agent.user_agent import UserAgent
from ..bus.messages import CallFinished
from ..call_worker.worker import CallWorker
from ..config import LoadConfig
from ..diagnosis.foreign_text import cut
from ..errors import CallEnded, CallError, CallRejected, CallTimeout, Overloaded
from ..handle.call import Call
from ..host.permits import LiveBound, Permits
from ..robots.agents import user_agent
from ..scripts import user_file
from ..scripts.data import Data, Row
from .expectations import missed

DEFAULT_NAME: Final = "scenario"
NO_CALL: Final = "no_call"
"""the outcome of a run that placed no call"""
LIMIT: Final = "limit"
"""the failure of a run that wanted more live calls than `-l` leaves it"""
RUN_TIME: Final = "run_time"
"""the failure of a run that took longer than it may"""
SETUP_TIME: Final = 60.0
"""seconds that `setup(ua)` may take"""
CANCEL_TIME: Final = 2.0
"""seconds that a cancelled run has for its own clean-up"""
_logger = logging.getLogger(__name__)


def name_of(config: LoadConfig) -> str:
    """The scenario label of a load's calls."""
    return user_file.split(config.scenario, DEFAULT_NAME)[1] if config.scenario else "call"


class Run:
    """One execution of the function, with the calls that it placed."""

    __slots__ = (
        "begun",
        "calls",
        "done",
        "failure",
        "further",
        "overdue",
        "planned",
        "row",
        "rows",
        "task",
        "timer",
    )

    def __init__(self, planned: float, begun: float, row: Row) -> None:
        self.planned = planned
        self.begun = begun
        self.row = row
        self.calls: list[Call] = []
        self.further = 0
        """live calls that the bound has let in besides the run's first"""
        self.rows: list[CallFinished] = []
        self.failure = ""
        self.done = self.overdue = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Scenario:
    """The scenario of one worker.

    bound: of live calls; a run that begins has been let in already.
    on_done: called when a run and all its calls are over; True = it was held back by a bound of ours.
    """

    def __init__(
        self,
        worker: CallWorker,
        config: LoadConfig,
        bound: LiveBound,
        on_done: Callable[[bool], None],
    ) -> None:
        self._worker = worker
        self._config = config
        self._bound = bound
        self._on_done = on_done
        self._path, name = user_file.split(config.scenario, DEFAULT_NAME)
        self._file = user_file.load(self._path, name)
        self._data = Data.read(config.data, config.seed) if config.data else None
        if self._data is not None:
            self._data.share(
                config.shard,
                config.shards,
                lambda rows: Permits(rows, worker.config.shared_file("rows"), worker.slots.own),
            )
        self._runs: set[Run] = set()
        self._agent: UserAgent = user_agent(worker)
        self._agent.target = config.target
        self._agent.scenario = name
        self._agent.media = config.media
        self._agent.ring_time = config.ring_time
        self._agent.before_placed, self._agent.on_placed = self._admit_other, self._placed_other
        self._admitted = False
        """a call of no run was let in and not placed yet"""
        self._said: set[str] = set()

    async def set_up(self) -> str:
        """Run the file's `setup(ua)`, once; why no run can begin, empty = they can."""
        if self._file.setup is None:
            return ""
        try:
            result = self._file.setup(self._agent)
            if result is not None:
                async with asyncio.timeout(SETUP_TIME) as limit:
                    await result
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                return f"setup() of {self._path} did not return within {SETUP_TIME:.0f} s"
            _logger.exception("setup() of %s failed", self._path)
            line = user_file.line_of(error, self._path)
            return f"setup() of {self._path} failed at line {line}: {type(error).__name__}: {error}"
        return ""

    def begin(self, index: int, planned: float) -> bool:
        """Start a run; False = every row of the data serves a live one.

        index: number of the arrival over all shards. planned: monotonic time at which it should start.
        """
        row = self._data.take(index) if self._data is not None else Row((), [])
        if row is None:
            return False
        run = Run(planned, self._worker.actor_loop.now(), row)
        self._runs.add(run)
        agent = copy.copy(self._agent)
        agent.before_placed = lambda: self._admit(run)
        agent.on_placed = lambda call: self._placed(run, call)
        run.task = self._worker.actor_loop.loop.create_task(self._execute(run, agent))
        run.timer = self._worker.actor_loop.loop.call_later(self._config.run_time, self._on_overdue, run)
        return True

    def _admit(self, run: Run) -> None:
        """A run places a call: one at a time is let in with the run, a further one needs room of its own.

        Raises:
            Overloaded: as many calls are live as `-l` allows.
        """
        if sum(not call.closed for call in run.calls) > run.further:
            if not self._bound.enter():
                raise Overloaded(
                    "as many calls are live as -l allows; raise it, or end a call of the run before", LIMIT
                )
            run.further += 1

    def _admit_other(self) -> None:
        """An agent that `setup` made places a call, which belongs to no run.

        Raises:
            Overloaded: as many calls are live as `-l` allows.
        """
        if not self._admitted and not self._bound.enter():
            raise Overloaded("as many calls are live as -l allows; raise it", LIMIT)
        self._admitted = True

    def _placed_other(self, call: Call) -> None:
        self._admitted = False
        call.on_over = lambda call: self._bound.leave()

    def _leave(self, run: Run, most: int) -> None:
        """Make room again: a run has so many live calls besides its first."""
        while run.further > max(0, most):
            run.further -= 1
            self._bound.leave()

    def _on_overdue(self, run: Run) -> None:
        """The function did not return in time: cancel it, and go on without it when it does not end even then."""
        if run.done or run.task is None:
            return
        if run.overdue:
            _logger.error("a run of %s:%s ignores its cancellation", self._path, self._file.name)
            self._end(run, RUN_TIME, held_back=False)
            return
        run.overdue = True
        if "run_time" not in self._said:
            self._said.add("run_time")
            _logger.warning(
                "a run of %s:%s took longer than --run-time %g s and was cancelled",
                *(self._path, self._file.name, self._config.run_time),
            )
        run.task.cancel()
        run.timer = self._worker.actor_loop.loop.call_later(CANCEL_TIME, self._on_overdue, run)

    def _placed(self, run: Run, call: Call) -> None:
        if not run.calls:
            call.planned = run.planned
        run.calls.append(call)
        call.report = lambda row: self._reported(run, row)

    async def _execute(self, run: Run, agent: UserAgent) -> None:
        held_back = False
        failure = ""
        try:
            await self._file.function(agent, run.row)
        except Overloaded as error:
            failure = error.reason
            held_back = not run.calls and failure == "overload"
        except (AssertionError, CallError) as error:
            failure = self._name(error)
        except asyncio.CancelledError:
            own = run.task is not None and not run.task.cancelling()  # the user's code raised it
            failure = "scenario_error" if own else "drained"
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            failure = "scenario_error"
            where = f"{self._path}:{user_file.line_of(error, self._path)}"
            if where not in self._said:
                self._said.add(where)
                data = f" (data line {run.row.line})" if run.row.line else ""
                _logger.exception("the scenario failed at %s%s", where, data)
        self._end(run, RUN_TIME if run.overdue else failure, held_back)

    def _end(self, run: Run, failure: str, held_back: bool) -> None:
        """The function is over, or given up: its calls are hung up."""
        if run.done:
            return
        run.done = True
        run.failure = failure
        if run.timer is not None:
            run.timer.cancel()
        for call in run.calls:
            call.hang_up()
        self._check(run, held_back)

    def _name(self, error: AssertionError | CallError) -> str:
        """The expectation that was missed, by name."""
        if isinstance(error, AssertionError):
            return user_file.expectation(error, self._path)
        if isinstance(error, CallTimeout):
            return "timeout"
        if isinstance(error, CallRejected):
            return "code"
        return (
            "ended_early"
            if isinstance(error, CallEnded)
            else cut(" ".join(str(error).split()), user_file.LONGEST_EXPECTATION)
        )

    def _reported(self, run: Run, row: CallFinished) -> None:
        run.rows.append(row)
        self._leave(run, sum(not call.closed for call in run.calls) - 1)
        self._check(run, held_back=False)

    def _check(self, run: Run, held_back: bool) -> None:
        if not run.done or len(run.rows) < len(run.calls) or run not in self._runs:
            return
        self._runs.discard(run)
        self._leave(run, 0)
        if self._data is not None:
            self._data.give_back(run.row)
        rows = run.rows or ([] if held_back else [self._row_without_call(run)])
        if rows and run.failure and not rows[0].failure:
            rows[0] = rows[0]._replace(failure=run.failure)
        if self._worker.tell is not None:
            for each in rows:
                row = each._replace(failure=missed(each, self._config))
                self._worker.book.failed(row)
                self._tell_ladder(run, row)
                self._worker.tell(row)
        self._on_done(held_back)
        self._worker.draining.check()

    def _tell_ladder(self, run: Run, row: CallFinished) -> None:
        """What was sent and received in a call of a failed run."""
        worker = self._worker
        if worker.trace is not None and row.failure:
            for call in run.calls:
                if call.call_id == row.call_id:
                    worker.trace.tell(worker.tell, row.call_id, call.sip_record)

    def _row_without_call(self, run: Run) -> CallFinished:
        """A run that did something else than call, as one that registers: a row with an outcome of its own."""
        return CallFinished(
            call_id="",
            scenario=self._file.name,
            role="uac",
            started=run.begun,
            ended=self._worker.actor_loop.now(),
            lateness=max(0.0, run.begun - run.planned),
            outcome=NO_CALL,
            code=0,
            phrase="",
            cause="",
            closed="",
            post_dial_delay=-1.0,
            answer_delay=-1.0,
            disconnect_delay=-1.0,
            duration=0.0,
            ended_by="",
            rtp_sent=0,
            rtp_received=0,
            rtp_lost=0,
            jitter=-1.0,
            mos=-1.0,
            audible=-1.0,
            digits_sent=0,
            digits_received=0,
            digits_missed=0,
            digits_wrong=0,
            failure=run.failure,
        )

    @property
    def running(self) -> int:
        """Number of runs that are not over."""
        return len(self._runs)

    def cancel(self) -> None:
        """Cancel every run."""
        for run in tuple(self._runs):
            if run.task is not None:
                run.task.cancel()
