"""Robots: what answers the calls that come in. The built-in answering robot, and a user's own.

A robot is a coroutine function of a call (`handle.robot_runs`). The plain answering robot has no coroutine at all,
because a task per call costs more than the rest of it.
"""

import asyncio
import ipaddress
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request

from ..bus.messages import Reloaded
from ..call.state import State
from ..call_worker.application import Application
from ..call_worker.worker import CallWorker
from ..config import AnswerConfig, RobotConfig
from ..errors import CallEnded, CallError, ConfigurationError
from ..handle.call import Call
from ..handle.demand import STATISTICS_INTERVAL, media_wishes
from ..handle.robot_runs import run
from ..scripts import user_file
from . import agents
from .agent import RobotAgent
from .setup_run import Arrangement

IVR_DIGITS: Final = 4
IVR_TIMEOUT: Final = 15.0
"""seconds in which all digits must have come"""
RESOLVE_AGAIN: Final = 30.0
"""seconds until the names of registrars that could not be found are looked up again"""
_logger = logging.getLogger(__name__)


def welcome(networks: Sequence[str]) -> Callable[[str], bool]:
    """Whether an address is in one of the networks; remembers what it said."""
    allowed = tuple(ipaddress.ip_network(each, strict=False) for each in networks)

    @lru_cache(4096)
    def is_welcome(host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        return any(address in network for network in allowed)

    return is_welcome


class FileRobot(Application):
    """Runs the coroutine function of a user's file for every call; SIGHUP reads the file again.

    Raises:
        ConfigurationError: the file cannot be taken; with file and line.
    """

    def __init__(self, worker: CallWorker, config: RobotConfig) -> None:
        self._worker = worker
        self._config = config
        self._file = user_file.load(config.file, config.name)
        wishes = media_wishes(config.media, worker.config.rtp_timeout)
        worker.factory.check_media(wishes)
        wishes["statistics_interval"] = STATISTICS_INTERVAL
        worker.arrivals.serve(replace(worker.arrivals.policy, wishes=wishes))
        worker.admission.let_in(welcome(config.allow))
        self.scenario = config.name
        self._arrangement: Arrangement | None = None
        """what the last `setup` that came to its end asked for"""
        self._setting_up: asyncio.Task[None] | None = None
        # Before anybody may know that we are there.
        worker.actor_loop.loop.add_signal_handler(signal.SIGHUP, self.reload)

    def prepare(self, ready: Callable[[], None]) -> None:
        """Take calls, then say so; what the first `setup` imports and does up to its first await comes before."""
        self._set_up_soon(self._file, reloads=False)
        self._worker.actor_loop.loop.call_soon(ready)  # behind `_open`

    def _set_up_soon(self, file: user_file.UserFile, *, reloads: bool) -> None:
        """Run `setup` of a file; a run that is not over yet is given up for it."""
        if self._setting_up is not None:
            self._setting_up.cancel()
        loop = self._worker.actor_loop.loop
        self._setting_up = loop.create_task(self._set_up(file, reloads))
        loop.call_soon(self._open)  # when `setup` has come to its first await: it may have said who is let in

    def _open(self) -> None:
        """Take calls from now on, where `setup` has not said with `listen` how."""
        arrivals = self._worker.arrivals
        if arrivals.policy.on_call is None:
            arrivals.serve(replace(arrivals.policy, on_call=self._on_call))

    async def _set_up(self, file: user_file.UserFile, reloads: bool) -> None:
        first = self._arrangement is None
        arrangement = agents.arrangement(self._worker, Path(self._config.file).parent, at_once=first)
        agent = agents.robot_agent(self._worker, arrangement)
        agent.scenario = self._config.name
        try:
            result = file.setup(agent) if file.setup is not None else None
            if result is not None:
                await result
        except asyncio.CancelledError:
            arrangement.give_up()
            raise
        except CallError as error:  # an outcome and no fault of the file: what it asked for until then holds
            _logger.error("setup() of %s: %s", self._config.file, error)
        except Exception as error:
            if not first:
                arrangement.give_up()
                _logger.error("setup() of %s failed; the old robot stays: %s", self._config.file, _short(error, file))
                self._say_reloaded(f"setup() of {self._config.file} failed")
                return
            # There is nothing older to go back to: what it had asked for until then holds.
            _logger.exception("setup() of %s failed; calls are taken nevertheless", self._config.file)
        hops = await self._find_registrars(agent, arrangement)
        if self._arrangement is not None:
            self._arrangement.end()
        self._arrangement, self._file = arrangement, file
        arrangement.settle(hops, agent.find)
        if reloads:
            self._say_reloaded("")

    async def _find_registrars(self, agent: RobotAgent, arrangement: Arrangement) -> dict[str, Hop]:
        """Where the registrars of an arrangement are; tries until they are found."""
        while True:
            try:
                return await agent.hops_of(arrangement)
            except ConfigurationError as error:
                _logger.error("%s; trying again in %.0f s", error, RESOLVE_AGAIN)
                await asyncio.sleep(RESOLVE_AGAIN)

    def reload(self) -> None:
        """Read the file again and run its `setup`; further calls run the new function. A bad one keeps the old."""
        try:
            file = user_file.load(self._config.file, self._config.name)
        except ConfigurationError as error:
            _logger.error("%s; the old robot stays", error)
            self._say_reloaded(str(error))
        else:
            self._set_up_soon(file, reloads=True)

    def _say_reloaded(self, problem: str) -> None:
        if self._worker.tell is not None:
            self._worker.tell(Reloaded(problem))

    def _on_call(self, call: Call, request: Request) -> None:
        run(call, self._file.function)


def _short(error: Exception, file: user_file.UserFile) -> str:
    """What happened in a user's `setup`, in one line."""
    where = file.setup.__code__.co_filename if file.setup is not None and hasattr(file.setup, "__code__") else ""
    return f"{where}:{user_file.line_of(error, where)}: {type(error).__name__}: {error}"


class AnsweringRobot(Application):
    """Answers every call that comes from an allowed network, by one `AnswerConfig`."""

    scenario = "answer"

    def __init__(self, worker: CallWorker, config: AnswerConfig) -> None:
        self._worker = worker
        self._config = config
        takes_digits = config.media == "ivr" or config.dtmf_echo
        self._needs_task = config.ring_time > 0 or takes_digits
        wishes = media_wishes(config.media, worker.config.rtp_timeout)
        worker.factory.check_media(wishes)
        wishes["tones"] = takes_digits  # nobody else reads digits: listening costs time
        worker.arrivals.serve(replace(worker.arrivals.policy, on_call=self._on_call, wishes=wishes))
        worker.admission.let_in(welcome(config.allow))

    def start(self, at: float) -> None:
        """Keep the node's account registered from now on, where it has a registrar."""
        worker = self._worker
        if worker.config.account.registrar:
            worker.arrivals.account.keep_registered(worker.slots, worker.output, worker.registrations)

    def _on_call(self, call: Call, request: Request) -> None:
        config = self._config
        if config.status >= 300:
            call.reject(config.status)
        elif self._needs_task:
            run(call, self._robot)
        else:
            call.ring()
            if call.state is State.INCOMING:  # not refused for its offer
                call.on_up = self._on_up
                call.accept()

    def _on_up(self, call: Call) -> None:
        if self._config.hangup_after > 0:
            self._worker.actor_loop.loop.call_later(self._config.hangup_after, call.hang_up)

    async def _robot(self, call: Call) -> None:
        config = self._config
        call.ring()
        if config.ring_time > 0:
            await asyncio.sleep(config.ring_time)
        await call.answer()
        self._on_up(call)
        if config.media == "ivr":
            digits = await call.digits(IVR_DIGITS, IVR_TIMEOUT)
            if digits:
                await _send_back(call, digits)
        elif config.dtmf_echo:
            async for digit in call.received_digits():
                await _send_back(call, digit)
        await call.over()


async def _send_back(call: Call, digits: str) -> None:
    """Send digits; a caller who lets us send nothing now, or has no way for digits, goes without them."""
    try:
        await call.dtmf(digits)
    except CallEnded:
        raise
    except CallError as error:
        _logger.warning("call %s: %s", call.call_id, error)
