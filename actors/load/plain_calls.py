"""The calls of a load without a scenario: placed, led to their end and judged, each by itself.

Plain calls run on callbacks: the answer starts a timer, which hangs up. A call that sends or expects digits has a task
of its own. It must not count or report calls: that is done where they end.
"""

import asyncio
import contextlib
from functools import partial
from typing import Final

from ..call_worker.call_factory import CallFactory, CallOrder
from ..config import LoadConfig
from ..errors import CallEnded, CallError
from ..handle.call import Call
from ..handle.demand import media_wishes
from ..handle.robot_runs import run
from ..host.roll import Roll
from ..runtime.actor_loop import ActorLoop
from .expectations import missed
from .requests.route import Route
from .schedule import random_digits
from .starter import PLAIN, Ended, Starter

DIGIT_MS: Final = 100
"""Milliseconds of each digit."""
DIGIT_MODES: Final = ("rfc4733", "inband")
"""Methods of sending digits, the preferred one first."""
DIGIT_GRACE: Final = 2.0
"""Seconds beyond the digits' own length that the expected ones may take."""


class PlainCalls(Starter):
    """The plain calls of one call worker.

    Args:
        route: of its INVITEs.
        roll: of the slot.
        rtp_timeout: as in the node's configuration.
    """

    label = PLAIN

    def __init__(
        self,
        config: LoadConfig,
        route: Route,
        factory: CallFactory,
        roll: Roll,
        actor_loop: ActorLoop,
        *,
        rtp_timeout: float,
    ) -> None:
        self._config = config
        self._factory = factory
        self._roll = roll
        self._actor_loop = actor_loop
        self._route = route
        self._parties = route.parties()
        self._wishes = media_wishes(config.media, rtp_timeout)
        factory.check_media(self._wishes)
        self._wishes["tones"] = bool(config.expect_dtmf)  # only expected digits are read: listening costs time
        self._judge = partial(missed, load=config)

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Place a call."""
        config, factory = self._config, self._factory
        party = self._parties.of(index)
        order = CallOrder(
            party.target,
            self._route.hop,
            party.identity,
            factory.demand_for(self._route.local(), **self._wishes),
            scenario=self.label,
            ring_time=config.ring_time,
            planned=planned,
        )
        call = factory.outgoing(order)
        now = self._actor_loop.now()
        self._roll.enter(
            call.call_id, now, max(0.0, now - planned), planned, index
        )  # its INVITE leaves with the next flush
        with_digits = bool(config.dtmf or config.expect_dtmf)
        call.attend(
            judge=self._judge,
            on_over=lambda call: ended(False),
            on_up=None if with_digits else self._on_up,
            planned=(planned, 0.0, party.line),
            expected_digits=config.expect_dtmf,
        )
        if with_digits:
            run(call, partial(self._with_digits, random_digits(config.dtmf, config.seed, index)))
        return True

    def _on_up(self, call: Call) -> None:
        if self._config.hold > 0:
            self._actor_loop.later(self._config.hold, call.hang_up)
        else:
            call.hang_up()

    async def _with_digits(self, digits: str, call: Call) -> None:
        config = self._config
        await call.established()
        hold_until = self._actor_loop.now() + config.hold
        if config.expect_dtmf == "=":
            call.attend(expected_digits=digits)
        sent = not digits or await self._send_digits(call, digits, hold_until)
        if call.expected_digits and (sent or config.expect_dtmf != "="):
            await call.digits(len(call.expected_digits), DIGIT_GRACE + 0.3 * len(call.expected_digits))
        remaining = max(0.0, hold_until - self._actor_loop.now())
        if call.expected_digits:
            await call.digits(1, remaining or 0.05)  # a further digit would be one too many
            remaining = hold_until - self._actor_loop.now()
        if remaining > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(call.over(), remaining)
            wait = self._actor_loop.extra_wait(self._actor_loop.now() - hold_until)
            if wait:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(call.over(), wait)

    async def _send_digits(self, call: Call, digits: str, hold_until: float) -> bool:
        """Send digits, as soon as the peer permits it; False = not all of them left by the end of the hold."""
        now = self._actor_loop.now()
        if not await call.keypad.may_send(hold_until - now):
            return False
        bounds = call.keypad.bounds(digits, DIGIT_MS, hold_until)
        try:
            await call.keypad.send(digits, DIGIT_MS, DIGIT_MODES, call.request, bounds)
        except CallEnded:
            raise
        except CallError:  # without a method for digits, or stopped by the peer, the call is held as planned
            return False
        return True
