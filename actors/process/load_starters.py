"""What begins the arrivals of a load without a scenario in Python: composed of the parts of a call worker."""

from ..call_worker.worker import CallWorker
from ..config import CALL_METHOD, LoadConfig
from ..host.roll import Roll
from ..load.plain_calls import PlainCalls
from ..load.requests.ends import RequestEnds
from ..load.requests.registrations import REGISTER, RegistrationArrivals
from ..load.requests.route import Route
from ..load.requests.single import SingleRequests
from ..load.requests.subscriptions import SUBSCRIBE, SubscriptionArrivals
from ..load.schedule import Share
from ..load.sipp_files import message_files
from ..load.sipp_files.calls import FileCalls
from ..load.sipp_files.marks import Marks
from ..load.starter import Starter
from ..sipp.scenario_file import is_named, label_of


def plain(worker: CallWorker, config: LoadConfig, roll: Roll) -> Starter:
    """Return what begins the arrivals of a load without a scenario in Python: calls, requests, or runs of a file.

    Args:
        roll: of the slot.

    Raises:
        ConfigurationError: the target cannot be found, no listener reaches it, or the data cannot be taken.
    """
    route = Route(config, worker.arrivals.account, worker.output, worker.factory)
    if names_file(config):
        ends = _ends(worker, config, label_of(config.scenario), roll)
        says = config.sipp_traces.says
        marks = Marks(worker.totals, label_of(config.scenario), worker.tell, says=says)
        message_files.record(worker.trace, config.sipp_traces, worker.totals)
        share = Share.of(config, worker.slots.own, worker.config.call_workers)
        parts = (worker.factory, worker.actors, worker.actor_loop, worker.output)
        return FileCalls(config, route, *parts, ends, marks, share.first, share.step)
    if config.method == CALL_METHOD:
        return PlainCalls(config, route, worker.factory, roll, worker.actor_loop, rtp_timeout=worker.config.rtp_timeout)
    ends = _ends(worker, config, config.method, roll)
    if config.method == REGISTER:
        return RegistrationArrivals(
            config, route, worker.registrations, ends, worker.actor_loop, is_draining=lambda: worker.draining.begun
        )
    if config.method == SUBSCRIBE:
        return SubscriptionArrivals(
            config, route, worker.requests, ends, worker.actor_loop, is_draining=lambda: worker.draining.begun
        )
    return SingleRequests(config, route, worker.requests, ends, is_draining=lambda: worker.draining.begun)


def names_file(config: LoadConfig) -> bool:
    """Whether the scenario of a load is a file of SIPp."""
    return is_named(config.scenario)


def _ends(worker: CallWorker, config: LoadConfig, label: str, roll: Roll) -> RequestEnds:
    return RequestEnds(
        config, label, worker.metrics, roll, worker.actor_loop.now, tell=worker.tell, trace=lambda: worker.trace
    )
