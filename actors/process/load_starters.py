"""What begins the arrivals of a load without a scenario: composed of the parts of a call worker, by the method."""

from ..call_worker.worker import CallWorker
from ..config import CALL_METHOD, LoadConfig
from ..host.roll import Roll
from ..load.plain_calls import PlainCalls
from ..load.requests.ends import RequestEnds
from ..load.requests.registrations import REGISTER, RegistrationArrivals
from ..load.requests.route import Route
from ..load.requests.single import SingleRequests
from ..load.requests.subscriptions import SUBSCRIBE, SubscriptionArrivals
from ..load.sipp_files.calls import FileCalls
from ..load.starter import Starter
from ..sipp.scenario_file import label_of


def plain(worker: CallWorker, config: LoadConfig, roll: Roll) -> Starter:
    """Return what begins the arrivals of a load without a scenario: calls, or requests.

    Args:
        roll: of the slot.

    Raises:
        ConfigurationError: the target cannot be found, no listener reaches it, or the data cannot be taken.
    """
    route = Route(config, worker.arrivals.account, worker.output, worker.factory)
    if config.method == CALL_METHOD:
        return PlainCalls(config, route, worker.factory, roll, worker.actor_loop, rtp_timeout=worker.config.rtp_timeout)
    ends = RequestEnds(
        config,
        config.method,
        worker.metrics,
        roll,
        worker.actor_loop.now,
        tell=worker.tell,
        trace=lambda: worker.trace,
    )
    if config.method == REGISTER:
        return RegistrationArrivals(
            config, route, worker.registrations, ends, worker.actor_loop, is_draining=lambda: worker.draining.begun
        )
    if config.method == SUBSCRIBE:
        return SubscriptionArrivals(
            config, route, worker.requests, ends, worker.actor_loop, is_draining=lambda: worker.draining.begun
        )
    return SingleRequests(config, route, worker.requests, ends, is_draining=lambda: worker.draining.begun)


def file_calls(worker: CallWorker, config: LoadConfig, roll: Roll) -> Starter:
    """Return what begins the calls of a scenario file of SIPp.

    Args:
        roll: of the slot.

    Raises:
        ConfigurationError: the target cannot be found, no listener reaches it, or the file cannot be taken.
    """
    ends = RequestEnds(
        config,
        label_of(config.scenario),
        worker.metrics,
        roll,
        worker.actor_loop.now,
        tell=worker.tell,
        trace=lambda: worker.trace,
    )
    route = Route(config, worker.arrivals.account, worker.output, worker.factory)
    return FileCalls(config, route, worker.factory, worker.actors, worker.actor_loop, worker.output, ends)
