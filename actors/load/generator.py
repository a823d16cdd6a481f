"""The load generator of one call worker: starts its share of the calls by the schedule and judges each one.

Open model: a call starts when the schedule says so, not when another one ended; how late it really started is booked
(no coordinated omission). Arrivals beyond `max_concurrent`, counted over all call workers of the node, are held back
and counted. Plain calls run on callbacks; a call that sends or expects digits has a task of its own.
"""

import asyncio
import contextlib
from functools import partial
from math import inf
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop

from ..bus.messages import LoadFinished, SetRate
from ..call_worker.application import Application
from ..call_worker.call_factory import CallOrder
from ..call_worker.worker import CallWorker
from ..config import LoadConfig
from ..errors import CallEnded, CallError, Overloaded
from ..handle.call import Call
from ..handle.demand import media_wishes
from ..handle.robot_runs import run
from ..host.permits import LiveBound
from .expectations import missed
from .scenario import Scenario, name_of
from .schedule import Plan, Share, Stream, random_digits

TICK: Final = 0.002
"""seconds between two looks at the schedule at least: a wake-up costs more than a call's start"""
AT_ONCE: Final = 64
"""calls begun before answers to others get their turn: a worker that is behind must not also let peers repeat"""
DIGIT_MS: Final = 100
"""milliseconds of each digit"""
DIGIT_MODES: Final = ("rfc4733", "inband")
DIGIT_GRACE: Final = 2.0
"""seconds beyond the digits' own length that the expected ones may take"""


class LoadGenerator(Application):
    """One worker's share of a load test; starts with the worker, says `plan_finished` when its last call is over."""

    def __init__(self, worker: CallWorker, config: LoadConfig) -> None:
        self._worker = worker
        self._config = config
        share = self._share = Share.of(config, worker.slots.own, worker.config.call_workers)
        self._bound = LiveBound(share.bound(config.max_concurrent), worker.config.shared_file("live"), worker.slots.own)
        self._stream = Stream(Plan.of(config), share)
        self._start = 0.0
        self._going = False
        """the scenario's file is set up, if there is one"""
        self._planned = self._attempted = self._held_back = self._live = 0
        self._through = self._said = False
        legs = worker.output.hops
        account = worker.arrivals.account
        self._hop: Hop = account.hop_to(config.target, legs)
        worker.output.name(self._hop, account.name_of(config.target))
        local = worker.addresses.toward(worker.factory.listener_for(self._hop), self._hop.host)
        self._identity = account.identity(local.seen.host)
        self._wishes = media_wishes(config.media, worker.config.rtp_timeout)
        worker.factory.check_media(self._wishes)
        self._wishes["tones"] = bool(config.expect_dtmf)  # nobody else reads digits: listening costs time
        self._label = name_of(config)
        self._judge = partial(missed, load=config)
        self._lateness = worker.totals.distribution("sipswarm_schedule_lateness_seconds", self._label)
        self._target = worker.totals.cell("sipswarm_target_call_rate", self._label)
        self._scenario = Scenario(worker, config, self._bound, self._on_run_done) if config.scenario else None
        self._waiting: asyncio.TimerHandle | None = None

    def start(self, at: float) -> None:
        """Begin the schedule."""
        self._start = at
        if self._scenario is not None:
            self._worker.actor_loop.spawn(self._set_up(self._scenario))
        else:
            self._go()

    async def _set_up(self, scenario: Scenario) -> None:
        """What the file prepares comes first; calls that were due by then start late, and are booked as late."""
        problem = await scenario.set_up()
        if not problem:
            self._go()
        elif not self._said:
            self._through = self._said = True
            self._worker.plan_finished(LoadFinished(0, 0, 0, problem))

    def _go(self) -> None:
        self._going = True
        self._on_time()

    def on_record(self, record: Any) -> None:
        """Another rate is commanded: the rest of the plan goes on with it."""
        if not isinstance(record, SetRate) or self._through or not self._start:
            return
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._stream.change(max(0.0, record.rate), max(0.0, record.at - self._start))
        if self._going:
            self._on_time()

    def pending(self) -> int:
        """Runs of the scenario that are not over."""
        return self._scenario.running if self._scenario is not None else 0

    def end_pending(self) -> None:
        """Cancel them."""
        if self._scenario is not None:
            self._scenario.cancel()

    def update_gauges(self) -> None:
        """The rate that is commanded now: this worker's share, so that the sum over all of them is the whole."""
        rate = 0.0
        if self._start and not self._through and not self._worker.draining.begun:
            at = max(0.0, self._worker.actor_loop.now() - self._start)
            rate = self._stream.plan.rate_at(at)
        self._target.value = rate / self._share.step

    def _on_time(self) -> None:
        """Start every call whose time has come and wait for the next, or for the end of the plan."""
        worker, stream = self._worker, self._stream
        self._waiting = None
        started = 0
        while stream.next is not None and not worker.draining.begun:
            index, at = stream.next[0], self._start + stream.next[1]
            ahead = at - worker.actor_loop.now()
            if ahead > 0 or started == AT_ONCE:
                wait = max(ahead, TICK) if ahead > 0 else 0.0
                self._waiting = worker.actor_loop.loop.call_later(wait, self._on_time)
                return
            started += 1
            stream.advance()
            self._begin(index, at)
        rest = self._start + stream.closes - worker.actor_loop.now()
        if rest > 0 and not worker.draining.begun:  # another rate may still be commanded, and bring further calls
            if rest < inf:
                self._waiting = worker.actor_loop.loop.call_later(rest, self._on_time)
            return
        self._through = True
        self._check_end()

    def _begin(self, index: int, planned: float) -> None:
        worker, config = self._worker, self._config
        self._planned += 1
        if not self._bound.enter():
            self._hold_back("limit")
            return
        if self._scenario is not None and not self._scenario.begin(index, planned):
            self._bound.leave()
            self._hold_back("limit")
            return
        if self._scenario is not None:
            self._attempted += 1
            self._live += 1
            self._lateness.add(max(0.0, worker.actor_loop.now() - planned))
            return
        try:
            local = worker.addresses.toward(worker.factory.listener_for(self._hop), self._hop.host)
            order = CallOrder(
                config.target,
                self._hop,
                self._identity,
                worker.factory.demand_for(local, **self._wishes),
                scenario=self._label,
                ring_time=config.ring_time,
                planned=planned,
            )
            call = worker.factory.outgoing(order)
        except Overloaded:
            self._bound.leave()
            self._hold_back("overload")
            return
        self._attempted += 1
        self._live += 1
        self._lateness.add(max(0.0, worker.actor_loop.now() - planned))
        call.judge = self._judge
        call.on_over = self._on_over
        call.expected_digits = config.expect_dtmf
        if config.dtmf or config.expect_dtmf:
            run(call, partial(self._with_digits, random_digits(config.dtmf, config.seed, index)))
        else:
            call.on_up = self._on_up

    def _hold_back(self, reason: str) -> None:
        """An arrival of the plan is not started: a bound of the user's (limit) or of the worker's (overload)."""
        self._held_back += 1
        self._worker.book.dropped(self._label, reason)

    def _on_up(self, call: Call) -> None:
        if self._config.hold > 0:
            self._worker.actor_loop.loop.call_later(self._config.hold, call.hang_up)
        else:
            call.hang_up()

    async def _with_digits(self, digits: str, call: Call) -> None:
        config = self._config
        await call.established()
        hold_until = self._worker.actor_loop.now() + config.hold
        if config.expect_dtmf == "=":
            call.expected_digits = digits
        sent = not digits or await self._send_digits(call, digits, hold_until)
        if call.expected_digits and (sent or config.expect_dtmf != "="):
            await call.digits(len(call.expected_digits), DIGIT_GRACE + 0.3 * len(call.expected_digits))
        remaining = max(0.0, hold_until - self._worker.actor_loop.now())
        if call.expected_digits:
            await call.digits(1, remaining or 0.05)  # one more would be one too many
            remaining = hold_until - self._worker.actor_loop.now()
        if remaining > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(call.over(), remaining)

    async def _send_digits(self, call: Call, digits: str, hold_until: float) -> bool:
        """Send digits, as soon as the peer lets us; False = not all of them left by the end of the hold."""
        now = self._worker.actor_loop.now()
        if not await call.keypad.may_send(hold_until - now):
            return False
        bounds = call.keypad.bounds(digits, DIGIT_MS, hold_until)
        try:
            await call.keypad.send(digits, DIGIT_MS, DIGIT_MODES, call.request, bounds)
        except CallEnded:
            raise
        except CallError:  # no method for digits was negotiated, or the peer stopped us: the call is held as planned
            return False
        return True

    def _on_over(self, call: Call) -> None:
        self._bound.leave()
        self._live -= 1
        self._check_end()

    def _on_run_done(self, held_back: bool) -> None:
        if held_back:
            self._attempted -= 1
            self._hold_back("overload")
        self._bound.leave()
        self._live -= 1
        self._check_end()

    def _check_end(self) -> None:
        if self._through and not self._live and not self._said:
            self._said = True
            self._worker.draining.settle(self._say_finished)

    def _say_finished(self) -> None:
        self._worker.plan_finished(LoadFinished(self._planned, self._attempted, self._held_back))
