"""Runs of a user's scenario: `async def NAME(ua, row)`, a run for each arrival of the schedule, each judged.

A run is passed when its function returns, and failed when an error leaves it. An AssertionError names the failure by
its text, an error of a call by the result of the call. Its calls are hung up when it ends. Their rows are reported when
both are over, because an assertion after a call is part of the judgement. A run without any call is a row of its own,
and passes like any other.

A run is admitted as one live call; while more calls of it are live, each further one must be admitted by the bound too.
Each run has `run_time` seconds: then it is cancelled, and it failed with `run_time`. A run that ignores its
cancellation is left behind, and must not stop the others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from sipswarm.sipcore.session.events import Cause

from ..agent.placing import Placing
from ..agent.user_agent import UserAgent
from ..config import LoadConfig
from ..diagnosis.crash_log import FAILURES
from ..diagnosis.user_code import USER_FAILURES, is_asked_for
from ..diagnosis.user_failure import user_error
from ..errors import CallEnded, CallError, ConfigurationError, Overloaded
from ..host.permits import LiveBound, Permits
from ..host.roll import Roll
from ..runtime.actor_loop import ActorLoop
from ..scripts import user_file
from ..scripts.data import Data, Row
from .run_ends import RunEnds
from .scenario_run import RUN_TIME, SCENARIO_ERROR, OtherCalls, Run, RunRoll
from .starter import DEFAULT_NAME, Ended, Starter

SETUP_TIME: Final = 60.0
"""Seconds that `setup(ua)` may take."""
CANCEL_TIME: Final = 2.0
"""Seconds that a cancelled run has for its own clean-up."""
_logger = logging.getLogger(__name__)


class Scenario(Starter):
    """The scenario of one worker.

    Args:
        path, file: the user's.
        data: rows for the runs, None without.
        agent: under which its calls are placed.
        bound: of live calls; a run that begins has been admitted already.
        ends: takes the rows of runs that are over.
        roll: of the slot.
    """

    runs = True

    def __init__(
        self,
        config: LoadConfig,
        path: str,
        file: user_file.UserFile,
        data: Data | None,
        agent: UserAgent,
        bound: LiveBound,
        ends: RunEnds,
        roll: Roll,
        actor_loop: ActorLoop,
    ) -> None:
        self.label = file.name
        self._roll = roll
        self._path = path
        self._file = file
        self._data = data
        self._bound = bound
        self._ends = ends
        self._actor_loop = actor_loop
        self._run_time = config.run_time
        self._runs: set[Run] = set()
        others = OtherCalls(bound)
        self._placing = Placing(
            file.name,
            config.target,
            config.media,
            config.ring_time,
            before_placed=others.admit,
            on_placed=others.place,
        )
        self._agent = agent.placing_as(self._placing)
        self._said: set[str] = set()

    @classmethod
    def of(
        cls,
        config: LoadConfig,
        agent: UserAgent,
        bound: LiveBound,
        ends: RunEnds,
        roll: Roll,
        actor_loop: ActorLoop,
        *,
        permits: Callable[[int], Permits],
    ) -> "Scenario":
        """Return the scenario that a load names.

        Args:
            permits: makes those for the rows of its data, see `Data.share`.

        Raises:
            ConfigurationError: the file or its data cannot be taken; with file and line.
        """
        path, name = user_file.split(config.scenario, DEFAULT_NAME)
        file = user_file.load(path, name, user_file.SCENARIO)
        data = Data.read(config.data, config.seed) if config.data else None
        if data is not None:
            data.share(config.shard, config.shards, permits)
        return cls(config, path, file, data, agent, bound, ends, roll, actor_loop)

    async def set_up(self) -> str:
        """Run the file's `setup(ua)`, once.

        Returns:
            Why no run can begin, empty = they can.
        """
        if self._file.setup is None:
            return ""
        limit = asyncio.timeout(None)
        try:
            result = self._file.setup(self._agent)
            if isinstance(result, Awaitable):  # what else a plain function returns means nothing
                async with limit:
                    limit.reschedule(self._actor_loop.loop.time() + SETUP_TIME)
                    await result
        except USER_FAILURES as error:
            if is_asked_for(error):
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                return f"setup() of {self._path} did not return within {SETUP_TIME:.0f} s"
            _logger.exception("setup() of %s failed", self._path)
            line = user_file.line_of(error, self._path)
            return f"setup() of {self._path} failed at line {line}: {type(error).__name__}: {error}"
        return ""

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Start a run; False = every row of the data serves a live one."""
        row = self._data.take(index) if self._data is not None else Row((), [])
        if row is None:
            return False
        enrolled = RunRoll(self._roll, index, planned, self._actor_loop.now)
        run = Run(enrolled, row, self._bound, check=self._check, ended=ended)
        self._runs.add(run)
        agent = self._agent.placing_as(replace(self._placing, before_placed=run.admit, on_placed=run.place))
        loop = self._actor_loop.loop
        run.begin(loop.create_task(self._execute(run, agent)), loop.call_later(self._run_time, self._on_overdue, run))
        return True

    def _on_overdue(self, run: Run) -> None:
        """The function did not return in time: cancel it, and go on without it when it does not end even then."""
        if run.done:
            return
        if run.overdue:
            _logger.error("a run of %s:%s ignores its cancellation", self._path, self._file.name)
            run.end(RUN_TIME)
            return
        if "run_time" not in self._said:
            self._said.add("run_time")
            _logger.warning(
                "a run of %s:%s took longer than --run-time %g s and was cancelled",
                *(self._path, self._file.name, self._run_time),
            )
        run.give_up(self._actor_loop.loop.call_later(CANCEL_TIME, self._on_overdue, run))

    async def _execute(self, run: Run, agent: UserAgent) -> None:
        failure, held_back = SCENARIO_ERROR, False
        run.enrolled.enter()
        try:
            failure, held_back = await self._outcome(run, agent)
        finally:  # whatever leaves the function, GeneratorExit too
            run.end(failure, held_back=held_back)

    async def _outcome(self, run: Run, agent: UserAgent) -> tuple[str, bool]:
        """Run the function.

        Returns:
            Its failure, empty = it passed; and whether a bound of this program kept it from placing any call.
        """
        try:
            work = self._file.function(agent, run.row)
            await self._actor_loop.steps(work, lambda: None, f"a run of {self.label}", self._file.function)
        except Overloaded as error:
            failure = user_file.failure_of(error, self._path)
            return failure, not run.calls and failure == "overload"
        except asyncio.CancelledError as error:
            if is_asked_for(error):
                return "drained", False
            self._log(run, error)  # a plain function that returns a coroutine may fail so too
            return SCENARIO_ERROR, False
        except FAILURES as error:
            if isinstance(error, AssertionError | CallError) and not self._is_own_mistake(run, error):
                return user_file.failure_of(error, self._path), False
            self._log(run, user_error(error))
            return SCENARIO_ERROR, False
        except BaseException as error:  # GeneratorExit and its like end the task
            self._log(run, error)
            raise
        return "", False

    def _log(self, run: Run, error: BaseException) -> None:
        """Log the failure of the scenario, once for each of its lines."""
        where = f"{self._path}:{user_file.line_of(error, self._path)}"
        if where not in self._said:
            self._said.add(where)
            data = f" (data line {run.row.line})" if run.row.line else ""
            _logger.error("the scenario failed at %s%s", where, data, exc_info=error)

    def _is_own_mistake(self, run: Run, error: AssertionError | CallError) -> bool:
        """Whether an error is no outcome: a request that can never be met, or a verb for a call that the run ended."""
        if isinstance(error, CallEnded) and error.cause == Cause.BYE.value:
            return all(call.by == "local" for call in run.calls if call.by)
        return isinstance(error, ConfigurationError)

    def _check(self, run: Run) -> None:
        if not run.is_over or run not in self._runs:
            return
        self._runs.discard(run)
        run.leave()
        if self._data is not None:
            self._data.give_back(run.row)
        self._ends.take(run, self.label)
        run.ended(run.held_back)

    @property
    def running(self) -> int:
        """Number of runs that are not over."""
        return len(self._runs)

    def cancel(self) -> None:
        """Cancel every run."""
        for run in tuple(self._runs):
            run.cancel()
