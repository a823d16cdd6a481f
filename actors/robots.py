"""Robots: what answers the calls that come in. The built-in answering robot, a user's own, and how robots are run.

A robot is a coroutine function of a call. What leaves it decides: return = hang up; `CallEnded` and the other call
errors = outcomes of calls, not errors; anything else is logged once and counted, and ends that call only. The plain
answering robot has no coroutine at all, because a task per call costs more than the rest of it.
"""

import asyncio
import ipaddress
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sipcore.message import Request

from .call import Call
from .call_state import State
from .config import AnswerConfig, RobotConfig
from .errors import CallError, ConfigurationError
from .load import user_file

if TYPE_CHECKING:
    from .call_worker import CallWorker

Robot = Callable[[Call], Awaitable[None]]
IVR_DIGITS: Final = 4
IVR_TIMEOUT: Final = 15.0
"""seconds in which all digits must have come"""
_logger = logging.getLogger(__name__)


def install(worker: "CallWorker") -> None:
    """Give a call worker of a node its application: the answering robot, the load generator, or both."""
    config = worker.config
    if config.answer is not None:
        AnsweringRobot(worker, config.answer)
    if config.robot is not None:
        FileRobot(worker, config.robot)
    if config.load is not None:
        from .load.generator import LoadGenerator

        LoadGenerator(worker, config.load)


def media_wishes(text: str, inactivity_limit: float) -> dict[str, Any]:
    """The media of a call by its name on the command line: echo, silence, play:FILE, tone:HZ, ivr or none.

    Raises:
        ConfigurationError: another name, or a tone without a number.
    """
    kind, _, argument = text.partition(":")
    source: tuple[Any, ...]
    if kind == "none":
        return {"wanted": False}
    if kind == "echo":
        source = ("echo", 0)
    elif kind == "silence":
        source = ("silence",)
    elif kind == "ivr":
        source = ("tone", 440.0)
    elif kind == "tone" and (not argument or (argument.isascii() and argument.isdigit())):
        source = ("tone", float(argument or 440))
    elif kind == "play" and argument:
        source = ("file", argument, -1)
    else:
        raise ConfigurationError(f"media {text!r} is not known; write echo, silence, play:FILE, tone:HZ, ivr or none")
    return {"source": source, "inactivity_limit": inactivity_limit}


def run(worker: "CallWorker", call: Call, robot: Robot) -> "asyncio.Task[None]":
    """Run a robot for a call inside the crash boundary."""
    return call.spawn(_run(worker, call, robot))


async def _run(worker: "CallWorker", call: Call, robot: Robot) -> None:
    try:
        await robot(call)
    except CallError:
        pass  # an outcome; the books have it
    except asyncio.CancelledError:
        call.hang_up()
        raise
    except Exception:
        _logger.exception("the robot of call %s failed", call.call_id)
        call.failure = "scenario_error"
    if call.state is State.INCOMING:
        call.reject(500 if call.failure else 480)
    else:
        call.hang_up()


def welcome(networks: Sequence[str]) -> Callable[[str], bool]:
    """Whether an address is in one of the networks; remembers what it said."""
    allowed = tuple(ipaddress.ip_network(each, strict=False) for each in networks)

    @lru_cache(4096)
    def is_welcome(host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        return any(address in network for network in allowed)

    return is_welcome


class FileRobot:
    """Runs the coroutine function of a user's file for every call; SIGHUP reads the file again.

    Raises:
        ConfigurationError: the file cannot be taken; with file and line.
    """

    def __init__(self, worker: "CallWorker", config: RobotConfig) -> None:
        self._worker = worker
        self._config = config
        self._file = user_file.load(config.file, config.name)
        worker.arrivals.wishes = media_wishes(config.media, worker.config.rtp_timeout)
        worker.admission.is_welcome = welcome(config.allow)
        worker.application.scenario = config.name
        worker.arrivals.on_call = self._on_call
        worker.on_start(self._on_start)
        worker.loop.add_signal_handler(signal.SIGHUP, self.reload)  # before anybody may know that we are there

    def _on_start(self, at: float) -> None:
        if self._file.setup is not None:
            self._worker.spawn(self._set_up(self._file.setup))

    async def _set_up(self, setup: Callable[[Any], Any]) -> None:
        agent = self._worker.arrivals.account.agent(self._worker)
        agent.scenario = self._config.name
        try:
            result = setup(agent)
            if result is not None:
                await result
        except Exception:
            _logger.exception("setup() of %s failed; calls are taken nevertheless", self._config.file)

    def reload(self) -> None:
        """Read the file again: further calls run the new function; a bad file keeps the old one."""
        try:
            self._file = user_file.load(self._config.file, self._config.name)
        except ConfigurationError as error:
            _logger.error("%s; the old robot stays", error)

    def _on_call(self, call: Call, request: Request) -> None:
        run(self._worker, call, self._file.function)


class AnsweringRobot:
    """Answers every call that comes from an allowed network, by one `AnswerConfig`."""

    def __init__(self, worker: "CallWorker", config: AnswerConfig) -> None:
        self._worker = worker
        self._config = config
        self._needs_task = config.ring_time > 0 or config.media == "ivr" or config.dtmf_echo
        worker.arrivals.wishes = media_wishes(config.media, worker.config.rtp_timeout)
        worker.admission.is_welcome = welcome(config.allow)
        worker.application.scenario = "answer"
        worker.arrivals.on_call = self._on_call
        if worker.config.account.registrar:
            worker.on_start(lambda at: worker.spawn(worker.arrivals.account.keep_registered(worker)))

    def _on_call(self, call: Call, request: Request) -> None:
        config = self._config
        if config.status >= 300:
            call.reject(config.status)
        elif self._needs_task:
            run(self._worker, call, self._robot)
        else:
            call.ring()
            call.on_up = self._on_up
            call.accept()

    def _on_up(self, call: Call) -> None:
        if self._config.hangup_after > 0:
            self._worker.loop.call_later(self._config.hangup_after, call.hang_up)

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
                await call.dtmf(digits)
        elif config.dtmf_echo:
            async for digit in call.received_digits():
                await call.dtmf(digit)
        await call.over()
