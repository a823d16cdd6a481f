"""The robot of a user's file: a coroutine function that is run for each call (`handle.robot_runs`), and its `setup`.

The file is loaded first, then `setup` runs up to its first await, and then calls are taken. What `setup` arranged holds
when it has ended. SIGHUP does the same with the file as it is now. A file or a `setup` that fails must leave the old
robot as it was; only the first one has no older to go back to.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sipswarm.sipcore.message.messages import Request

from ..call_worker.application import Application
from ..call_worker.out_of_dialog import Arrivals
from ..config import RobotConfig
from ..diagnosis.user_code import USER_FAILURES, is_asked_for
from ..errors import CallError, ConfigurationError
from ..handle.call import Call
from ..handle.demand import STATISTICS_INTERVAL, media_wishes
from ..handle.robot_runs import Robot, run
from ..scripts import user_file
from .agent import RobotAgent
from .agents import Agents
from .setup_run import Arrangement

_logger = logging.getLogger(__name__)


class FileRobot(Application):
    """Runs the coroutine function of a user's file for every call; SIGHUP reads the file again.

    Args:
        agents: makes the agent that `setup` gets.
        arrivals: of incoming calls.
        rtp_timeout: as in the node's configuration.
        reloaded: gets the fault at the end of each reload, empty = none.

    Raises:
        ConfigurationError: the file cannot be taken; with file and line.
    """

    def __init__(
        self,
        config: RobotConfig,
        agents: Agents,
        arrivals: Arrivals,
        loop: asyncio.AbstractEventLoop,
        *,
        rtp_timeout: float,
        reloaded: Callable[[str], None],
    ) -> None:
        self.scenario = config.name
        self._config = config
        self._agents = agents
        self._arrivals = arrivals
        self._loop = loop
        self._say_reloaded = reloaded
        self._file = user_file.load(config.file, config.name, user_file.ROBOT)
        wishes = media_wishes(config.media, rtp_timeout)
        arrivals.check_media(wishes)
        wishes["statistics_interval"] = STATISTICS_INTERVAL
        arrivals.serve(replace(arrivals.policy, wishes=wishes))
        self._arrangement: Arrangement | None = None
        """Of the last `setup` that came to its end."""
        self._setting_up: asyncio.Task[None] | None = None
        self._placer: RobotAgent | None = None
        """Places calls that a robot makes of its own."""
        # Before the worker reports that it is ready: a SIGHUP may come at once.
        self._loop.add_signal_handler(signal.SIGHUP, self.reload)

    def prepare(self, ready: Callable[[], None]) -> None:
        """Take calls, then report it; the first `setup` runs up to its first await before that."""
        self._set_up_soon(self._file, reloads=False)
        self._loop.call_soon(ready)  # after `_open`

    def _set_up_soon(self, file: user_file.UserFile, *, reloads: bool) -> None:
        """Run `setup` of a file; a run that is not over yet is given up for it."""
        if self._setting_up is not None:
            self._setting_up.cancel()
        self._setting_up = self._loop.create_task(self._set_up(file, reloads))
        self._loop.call_soon(self._open)  # at the first await of `setup`, which may have set who is admitted

    def _open(self) -> None:
        """Take calls from now on, unless `setup` has set with `listen` how."""
        arrivals = self._arrivals
        if arrivals.policy.on_call is None:
            arrivals.serve(replace(arrivals.policy, on_call=self._on_call))

    async def _set_up(self, file: user_file.UserFile, reloads: bool) -> None:
        first = self._arrangement is None
        arrangement = self._agents.arrangement(Path(self._config.file).parent, at_once=first)
        agent = self._agents.robot_agent(arrangement)
        self._placer = self._placer or agent
        try:
            result = file.setup(agent) if file.setup is not None else None
            if isinstance(result, Awaitable):  # what else a plain function returns means nothing
                await result
        except CallError as error:  # an outcome and no fault of the file: its arrangement so far holds
            _logger.error("setup() of %s: %s", self._config.file, error)
        except USER_FAILURES as error:
            if is_asked_for(error):
                arrangement.give_up()
                raise
            if not first:
                arrangement.give_up()
                _logger.error("setup() of %s failed; the old robot stays: %s", self._config.file, _short(error, file))
                self._say_reloaded(f"setup() of {self._config.file} failed")
                return
            # There is nothing older to go back to: its arrangement so far holds.
            _logger.exception("setup() of %s failed; calls are taken nevertheless", self._config.file)
        hops = await agent.hops_of(arrangement)
        if self._arrangement is not None:
            self._arrangement.end()
        self._arrangement, self._file = arrangement, file
        arrangement.settle(hops, agent.find)
        taken_by = self._arrivals.policy.on_call  # None: it has not come to `_open` yet
        if file.function is user_file.left_to_setup and taken_by in (None, self._on_call):
            _logger.error(
                "%s takes no call: write `async def robot(call):`, or ua.listen(…) in its setup(ua)", self._config.file
            )
        if reloads:
            self._say_reloaded("")

    def reload(self) -> None:
        """Read the file again and run its `setup`; further calls run the new function. After an error the
        robot before goes on."""
        try:
            file = user_file.load(self._config.file, self._config.name, user_file.ROBOT)
        except ConfigurationError as error:
            _logger.error("%s; the old robot stays", error)
            self._say_reloaded(str(error))
        else:
            self._set_up_soon(file, reloads=True)

    @property
    def keeps_calls(self) -> bool:
        """Whether the file has a `resume`."""
        return self._file.resume is not None

    def resume(self, call: Call) -> bool:
        """Run `resume` of the file for a call of the process before, as soon as it is up; False without one."""
        resume = self._file.resume
        if resume is None:
            return False
        if call.is_up:
            run(call, resume)
        else:
            call.attend(on_up=partial(_run, robot=resume))
        return True

    def _on_call(self, call: Call, request: Request) -> None:
        if self._placer is not None:
            call.belongs_to(self._placer)
        run(call, self._file.function)


def _run(call: Call, robot: Robot) -> None:
    run(call, robot)


def _short(error: BaseException, file: user_file.UserFile) -> str:
    """Return the error of a user's `setup`, in one line."""
    where = file.setup.__code__.co_filename if file.setup is not None and hasattr(file.setup, "__code__") else ""
    return f"{where}:{user_file.line_of(error, where)}: {type(error).__name__}: {error}"
