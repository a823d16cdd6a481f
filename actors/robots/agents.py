"""What robots and scenarios are given on a call worker: user agents under the account of its node, and arrangements."""

from pathlib import Path

from ..agent.user_agent import UserAgent
from ..call_worker.worker import CallWorker
from .agent import RobotAgent
from .setup_run import Arrangement


def user_agent(worker: CallWorker) -> UserAgent:
    """A user agent on a worker, under the account of its node."""
    account = worker.arrivals.account
    return UserAgent(account.own_uri(worker.config), worker=worker, **account.agent_options)


def robot_agent(worker: CallWorker, holds: Arrangement) -> RobotAgent:
    """The user agent of a robot's `setup`, under the account of the node."""
    account = worker.arrivals.account
    options = account.agent_options
    return RobotAgent(account.own_uri(worker.config), worker=worker, arrangement=holds, **options)


def arrangement(worker: CallWorker, folder: Path, *, at_once: bool) -> Arrangement:
    """What one run of `setup` on a worker fills. folder, at_once: as for `Arrangement`."""
    return Arrangement(
        worker.actor_loop,
        worker.slots,
        worker.registrations,
        folder,
        at_once=at_once,
        is_draining=lambda: worker.draining.begun,
    )
