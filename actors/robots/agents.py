"""User agents and arrangements of robots and scenarios on a call worker, under the account of its node."""

from pathlib import Path

from ..agent.bound_node import BoundNode
from ..agent.placing import Placing
from ..agent.user_agent import UserAgent
from ..call_worker.agent_parts import AgentParts
from .agent import RobotAgent
from .setup_run import Arrangement


class Agents:
    """Makes the user agents of one call worker.

    Args:
        parts: of that call worker.
        scenario: label of the calls that they place.
    """

    def __init__(self, parts: AgentParts, scenario: str = "") -> None:
        self._parts = parts
        self._node = BoundNode(parts, Placing(scenario))

    def user_agent(self) -> UserAgent:
        """Return one under the account of the node."""
        account = self._parts.arrivals.account
        return UserAgent(account.own_uri(self._parts.config), node=self._node, **account.agent_options)

    def robot_agent(self, arrangement: Arrangement) -> RobotAgent:
        """Return the one of a robot's `setup`, under the account of the node.

        Args:
            arrangement: takes the requests of `setup`.
        """
        account = self._parts.arrivals.account
        options = account.agent_options
        return RobotAgent(account.own_uri(self._parts.config), node=self._node, arrangement=arrangement, **options)

    def arrangement(self, folder: Path, *, at_once: bool) -> Arrangement:
        """Return an arrangement for one run of `setup`.

        Args:
            folder, at_once: as for `Arrangement`.
        """
        parts = self._parts
        return Arrangement(
            parts.actor_loop,
            parts.slots,
            parts.registrations,
            folder,
            at_once=at_once,
            is_draining=parts.is_draining,
        )
