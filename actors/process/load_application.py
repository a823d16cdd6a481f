"""The load generator of a call worker and what it starts; each gets the parts of the worker that it uses."""

from collections.abc import Callable
from typing import Any

from ..bus.messages import CallFinished
from ..call_worker.agent_parts import AgentParts
from ..call_worker.worker import CallWorker
from ..config import LoadConfig
from ..host.permits import LiveBound, Permits
from ..host.roll import Roll
from ..load.generator import LoadGenerator
from ..load.run_ends import RunEnds
from ..load.scenario import Scenario
from ..load.schedule import Plan, Share, Stream
from ..load.starter import Starter
from ..robots.agents import Agents
from .load_starters import names_file, plain


def load_generator(worker: CallWorker, config: LoadConfig, roll: Roll) -> LoadGenerator:
    """Return the load generator for a worker's share of the load.

    Args:
        roll: of the slot.
    """
    own = worker.slots.own
    share = Share.of(config, own, worker.config.call_workers)
    bound = LiveBound(share.bound(config.max_concurrent), worker.config.shared_file("live"), own)
    return LoadGenerator(
        Stream(Plan.of(config), share),
        share,
        _starter(worker, config, bound, roll),
        bound,
        roll,
        worker.actor_loop,
        worker.draining,
        worker.metrics,
        worker.totals,
        tell=worker.tell,
        finished=worker.plan_finished,
    )


def _starter(worker: CallWorker, config: LoadConfig, bound: LiveBound, roll: Roll) -> Starter:
    if config.scenario and not names_file(config):
        return _scenario(worker, config, bound, roll)
    return plain(worker, config, roll)


def with_places(roll: Roll, tell: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return what sends the supervisor records: those of placed calls with their places in the roll."""

    def send(record: Any) -> None:
        if record.__class__ is CallFinished and record.role == "uac" and record.call_id:
            place = roll.reported(record.call_id)
            if place >= 0:
                record = record._replace(place=place)
        tell(record)

    return send


def _scenario(worker: CallWorker, config: LoadConfig, bound: LiveBound, roll: Roll) -> Starter:
    ends = RunEnds(config, worker.metrics, worker.actor_loop, tell=worker.tell, trace=lambda: worker.trace)
    return Scenario.of(
        config,
        Agents(AgentParts.of(worker)).user_agent(),
        bound,
        ends,
        roll,
        worker.actor_loop,
        permits=lambda rows: Permits(rows, worker.config.shared_file("rows"), worker.slots.own),
    )
