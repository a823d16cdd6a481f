"""User agents and arrangements of robots and scenarios on a call worker, under the account of its node."""

from pathlib import Path

from ..agent.bound_node import BoundNode
from ..agent.placing import Placing
from ..agent.user_agent import UserAgent
from ..call_worker.worker import CallWorker
from .agent import RobotAgent
from .setup_run import Arrangement


class Agents:
    """Makes the user agents of one call worker.

    Args:
        scenario: label of the calls that they place.
    """

    def __init__(self, worker: CallWorker, scenario: str = "") -> None:
        self._worker = worker
        self._node = BoundNode(worker, Placing(scenario))

    def user_agent(self) -> UserAgent:
        """Return one under the account of the node."""
        account = self._worker.arrivals.account
        return UserAgent(account.own_uri(self._worker.config), node=self._node, **account.agent_options)

    def robot_agent(self, arrangement: Arrangement) -> RobotAgent:
        """Return the one of a robot's `setup`, under the account of the node.

        Args:
            arrangement: takes the requests of `setup`.
        """
        account = self._worker.arrivals.account
        options = account.agent_options
        return RobotAgent(account.own_uri(self._worker.config), node=self._node, arrangement=arrangement, **options)

    def arrangement(self, folder: Path, *, at_once: bool) -> Arrangement:
        """Return an arrangement for one run of `setup`.

        Args:
            folder, at_once: as for `Arrangement`.
        """
        worker = self._worker
        return Arrangement(
            worker.actor_loop,
            worker.slots,
            worker.registrations,
            folder,
            at_once=at_once,
            is_draining=lambda: worker.draining.begun,
        )
