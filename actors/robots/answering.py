"""The built-in answering robot: answers every call by one configuration.

A call from an allowed network is refused by its status, or rung and answered. It has a coroutine only when it rings for
a time or takes digits. The plain robot must have none, because a task per call costs more than the rest of it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sipswarm.sipcore.message.messages import Request

from ..call.state import State
from ..call_worker.application import Application
from ..call_worker.out_of_dialog import Arrivals
from ..config import AnswerConfig
from ..errors import CallEnded, CallError
from ..handle.call import Call
from ..handle.demand import media_wishes
from ..handle.robot_runs import run
from ..runtime.actor_loop import ActorLoop

IVR_DIGITS: Final = 4
"""Number of digits that the IVR collects."""
IVR_TIMEOUT: Final = 15.0
"""Seconds in which all digits must have come."""
_logger = logging.getLogger(__name__)


class AnsweringRobot(Application):
    """Answers every call that comes from an allowed network, by one `AnswerConfig`.

    Args:
        arrivals: of incoming calls.
        rtp_timeout: as in the node's configuration.
        keep_registered: has the node's account bound at its registrar, None without one.
    """

    scenario = "answer"

    def __init__(
        self,
        config: AnswerConfig,
        arrivals: Arrivals,
        actor_loop: ActorLoop,
        *,
        rtp_timeout: float,
        keep_registered: Callable[[], None] | None,
    ) -> None:
        self._config = config
        self._call_later = actor_loop.later
        self._now = actor_loop.now
        self._keep_registered = keep_registered
        takes_digits = config.media == "ivr" or config.dtmf_echo
        self._takes_digits = takes_digits
        self._needs_task = config.ring_time > 0 or takes_digits
        wishes = media_wishes(config.media, rtp_timeout)
        arrivals.check_media(wishes)
        wishes["tones"] = takes_digits  # only a robot with digits reads them: listening costs time
        arrivals.serve(
            replace(
                arrivals.policy,
                on_call=self._on_call,
                wishes=wishes,
                options_status=config.status if config.status >= 300 else 0,
            )
        )

    def start(self, at: float) -> None:
        """Keep the node's account registered from now on, where it has a registrar."""
        if self._keep_registered is not None:
            self._keep_registered()

    def _on_call(self, call: Call, request: Request) -> None:
        config = self._config
        if config.status >= 300:
            call.reject(config.status)
        elif self._needs_task:
            run(call, self._robot)
        else:
            call.ring()
            if call.state is State.INCOMING:  # not refused for its offer
                call.attend(on_up=self._on_up)
                call.accept()

    @property
    def keeps_calls(self) -> bool:
        """It goes on with every call that it has answered."""
        return self._config.status < 300

    def resume(self, call: Call) -> bool:
        """Go on with a call of the process before: hang it up when its time has come, send its digits back."""
        if self._config.status >= 300:
            return False
        if not call.is_up:
            call.attend(on_up=self._go_on)
        else:
            self._go_on(call)
        return True

    def _go_on(self, call: Call) -> None:
        self._on_up(call)
        if self._takes_digits:
            run(call, self._with_digits)

    def _on_up(self, call: Call) -> None:
        if self._config.hangup_after > 0:
            passed = self._now() - call.times.answered if call.adopted else 0.0
            self._call_later(max(0.0, self._config.hangup_after - passed), call.hang_up)

    async def _robot(self, call: Call) -> None:
        config = self._config
        call.ring()
        if config.ring_time > 0:
            await asyncio.sleep(config.ring_time)
        await call.answer()
        self._on_up(call)
        await self._with_digits(call)

    async def _with_digits(self, call: Call) -> None:
        config = self._config
        if config.media == "ivr":
            digits = await call.digits(IVR_DIGITS, IVR_TIMEOUT)
            if digits:
                await _send_back(call, digits)
        elif config.dtmf_echo:
            async for digit in call.received_digits():
                # An echo of the media sends events and tones back itself: once more would be two digits.
                if config.media != "echo" or call.keypad.mode == "info":
                    await _send_back(call, digit)
        await call.over()


async def _send_back(call: Call, digits: str) -> None:
    """Send digits; a UAC that permits none now, or has no method for digits, goes without them."""
    try:
        await call.dtmf(digits)
    except CallEnded:
        raise
    except CallError as error:
        _logger.warning("call %s: %s", call.call_id, error)
