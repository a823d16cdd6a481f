"""User agents that act under the account of a node, made for its robots and scenarios."""

from ..agent.user_agent import UserAgent
from ..call_worker.worker import CallWorker
from .agent import RobotAgent
from .setup_run import Arrangement


def user_agent(worker: CallWorker) -> UserAgent:
    """A user agent on a worker, under the account of its node."""
    account = worker.arrivals.account
    return UserAgent(account.own_uri(worker.config), worker=worker, **account.agent_options)


def robot_agent(worker: CallWorker, arrangement: Arrangement) -> RobotAgent:
    """The user agent of a robot's `setup`, under the account of the node."""
    account = worker.arrivals.account
    options = account.agent_options
    return RobotAgent(account.own_uri(worker.config), worker=worker, arrangement=arrangement, **options)
