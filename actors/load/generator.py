"""The load generator of one call worker: starts its share of the arrivals by the schedule.

Open model: an arrival starts at the time of the schedule, not when another one ended; its lateness is counted (no
coordinated omission). Arrivals beyond `max_concurrent`, counted over all call workers of the node, are held back and
counted. When the plan is through and the last call is over, it reports its counts once. An arrival must never wait for
another. The starter decides what an arrival is: a plain call, a request, or a run of a scenario.

How far the plan is carried out stands in the roll of the slot. A worker that replaces one that died goes on at the
present moment: what was due before is not made up for, and each such arrival gets a row that blames the generator. A
worker that is replaced on purpose leaves its arrivals to the next one, which starts each of them late (`Gap`).
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, Final

from ..bus.messages import LoadFinished, SetRate
from ..call_worker.application import Application
from ..call_worker.call_metrics import CallMetrics
from ..call_worker.draining import Draining
from ..counting.totals import Totals
from ..errors import Overloaded
from ..handle.call import Call
from ..host.permits import LiveBound
from ..host.roll import Roll
from ..runtime.actor_loop import ActorLoop
from .arrival_figures import row_of_missed
from .schedule import Gap, Share, Stream
from .starter import Starter

TICK: Final = 0.002
"""Seconds between two looks at the schedule at least: a wake-up costs more than the start of a call."""
RETIRING: Final = 0.05
"""Seconds between two looks at the end of the node, while this worker starts no calls because it is replaced."""
AT_ONCE: Final = 64
"""Calls begun before answers to others get their turn: a worker that is behind must not make peers repeat."""


class LoadGenerator(Application):
    """One worker's share of a load test; starts with the worker.

    Args:
        stream: the arrivals of this share.
        share: which one, and of how many.
        starter: begins what an arrival is.
        bound: of live calls.
        roll: of the slot.
        tell: sends the row of an arrival that was due while no worker was there; None in embedded mode.
        finished: takes the counts when the last call is over.
    """

    def __init__(
        self,
        stream: Stream,
        share: Share,
        starter: Starter,
        bound: LiveBound,
        roll: Roll,
        actor_loop: ActorLoop,
        draining: Draining,
        metrics: CallMetrics,
        totals: Totals,
        *,
        tell: Callable[[Any], None] | None,
        finished: Callable[[LoadFinished], None],
    ) -> None:
        self._stream = stream
        self._share = share
        self._starter = starter
        self._bound = bound
        self._roll = roll
        self._tell = tell
        self._actor_loop = actor_loop
        self._draining = draining
        self._metrics = metrics
        self._finished = finished
        self._start = 0.0
        self._going = False
        """The preparation of the starter is done."""
        self._live = 0
        self._gap = Gap()
        """Before this worker."""
        self._through = self._said = False
        self._arrivals = totals.cell("sipswarm_arrivals_total", starter.label)
        self._target = totals.cell("sipswarm_target_call_rate", starter.label)
        self._waiting: asyncio.TimerHandle | None = None

    def start(self, at: float) -> None:
        """Begin the schedule, or go on with it in the place of another worker; only the first time."""
        if self._start:
            return
        self._start = at
        before = self._roll.figures
        self._roll.begin_plan()
        if before.begun:
            self._gap = Gap(until=self._actor_loop.now(), left=bool(before.left))
            self._stream.skip(before.arrivals)
        self._setting_up = self._actor_loop.loop.create_task(self._starter.set_up())
        self._setting_up.add_done_callback(self._on_set_up)

    def _on_set_up(self, done: "asyncio.Task[str]") -> None:
        """Begin after the preparation of the starter.

        Calls that were due by now start late, and are counted as late.
        """
        problem = "" if done.cancelled() else done.result()
        if not problem:
            self._going = True
            if self._gap.left and self._stream.next is not None:
                self._gap = Gap(self._start + self._stream.next[1], self._actor_loop.now(), left=True)
            self._on_time()
        elif not self._said:
            self._through = self._said = True
            self._finished(LoadFinished(0, 0, 0, problem))

    def on_record(self, record: Any) -> None:
        """Take another rate: the rest of the plan goes on with it."""
        if not isinstance(record, SetRate) or self._through or not self._start:
            return
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._stream.change(max(0.0, record.rate), max(0.0, record.at - self._start))
        if self._going:
            self._on_time()

    def retire(self) -> None:
        """Leave the arrivals that were not started to the next worker."""
        if self._start and not self._through:
            self._roll.leave_plan()
            self._starter.finish()

    def call_answered(self, call: Call) -> None:
        """Note in the roll that a call is up."""
        self._roll.answered(call.call_id, call.times.answered)

    def pending(self) -> int:
        """Number of runs of the scenario, or of requests, that are not over."""
        return self._starter.running

    def takes_time(self) -> bool:
        """Return whether registrations or subscriptions are kept, which go on as calls do."""
        return self._starter.takes_time

    def end_pending(self) -> None:
        """Cancel them."""
        self._starter.cancel()

    def update_gauges(self) -> None:
        """Set the commanded rate: this worker's share, so that the sum over all workers is the whole."""
        rate = 0.0
        if self._start and not self._through and not self._draining.refuses:
            at = max(0.0, self._actor_loop.now() - self._start)
            rate = self._stream.plan.rate_at(at)
        self._target.value = rate / self._share.step
        self._starter.update_gauges()

    def _on_time(self) -> None:
        """Start every call whose time has come and wait for the next, or for the end of the plan."""
        stream, now = self._stream, self._actor_loop.now
        self._waiting = None
        started = 0
        if self._draining.retiring and not self._draining.begun:  # the replacement goes on with the plan
            self._waiting = self._actor_loop.loop.call_later(RETIRING, self._on_time)
            return
        while stream.next is not None and not self._draining.begun:
            index, at = stream.next[0], self._start + stream.next[1]
            ahead = self._gap.start_of(at) - now()
            if ahead > 0 or started == AT_ONCE:
                wait = max(ahead, TICK) if ahead > 0 else 0.0
                self._waiting = self._actor_loop.loop.call_later(wait, self._on_time)
                return
            started += 1
            stream.advance()
            if self._gap.is_lost(at):
                self._miss(index, at)
            else:
                self._begin(index, at)
        rest = self._start + stream.closes - now()
        if rest > 0 and not self._draining.begun:  # another rate may still be commanded, and bring further calls
            if rest < inf:
                self._waiting = self._actor_loop.loop.call_later(rest, self._on_time)
            return
        self._through = True
        self._starter.finish()
        self._check_end()

    def _miss(self, index: int, planned: float) -> None:
        """Report an arrival that was due while no worker was there."""
        self._count_arrival(index, planned)
        row = row_of_missed(self._starter.label, planned, runs=self._starter.runs)
        if self._starter.places_calls:
            self._metrics.lost(row, attempted=not self._starter.runs)
        else:
            self._metrics.failed(row)
        if self._tell is not None:
            place = self._roll.enter("", planned, -1.0, planned, index)
            self._roll.place_reported(place)
            self._tell(row._replace(place=place))

    def _count_arrival(self, index: int, planned: float) -> None:
        self._arrivals.value += 1
        self._roll.came_due(index, planned)

    def _begin(self, index: int, planned: float) -> None:
        self._count_arrival(index, planned)
        if not self._bound.enter():
            self._hold_back("limit")
            return
        try:
            begun = self._starter.begin(index, planned, self._on_ended)
        except Overloaded as error:
            self._bound.leave()
            self._hold_back(error.reason)
            return
        if not begun:
            self._bound.leave()
            self._hold_back("limit")
            return
        self._live += 1

    def _hold_back(self, reason: str) -> None:
        """Count an arrival that is not started: a bound of the user's (limit) or of the worker's (overload)."""
        self._roll.held_back(overloaded=reason == "overload")
        self._metrics.dropped(self._starter.label, reason)

    def _on_ended(self, held_back: bool) -> None:
        """A call or a run that was begun is over."""
        if held_back:
            self._metrics.dropped(self._starter.label, "overload")
        self._bound.leave()
        self._live -= 1
        self._check_end()
        self._draining.check()

    def _check_end(self) -> None:
        if self._through and not self._live and not self._said:
            self._said = True
            self._draining.settle(self._say_finished)

    def _say_finished(self) -> None:
        done = self._roll.figures
        self._finished(LoadFinished(done.arrivals, done.started, done.held_back + done.overloaded))
