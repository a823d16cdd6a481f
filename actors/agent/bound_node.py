"""The node under a `UserAgent` inside a call worker: one that runs already, instead of an embedded one."""

from collections.abc import Callable

from ..call_worker.agent_parts import AgentParts
from ..config import NodeConfig
from ..counting.totals import Totals
from .placing import Placing


class BoundNode:
    """One call worker of a running node; the user agent neither starts nor closes it.

    Args:
        parts: of that call worker.
        placing: how calls are placed on it, by agents of no run.
        check: raises where the node does not run any more; None = it runs for as long as there is user code.
    """

    def __init__(self, parts: AgentParts, placing: Placing, check: Callable[[], object] | None = None) -> None:
        self._parts = parts
        self._check = check
        self.placing = placing

    @property
    def parts(self) -> AgentParts:
        """The parts of that call worker that a user agent uses.

        Raises:
            ConfigurationError: the node has ended.
        """
        if self._check is not None:
            self._check()
        return self._parts

    @property
    def config(self) -> NodeConfig:
        """The node's configuration."""
        return self._parts.config

    @property
    def totals(self) -> Totals:
        """The metrics of its process."""
        return self._parts.totals

    async def start(self) -> None:
        """Do nothing: the node runs already."""

    async def close(self) -> None:
        """Do nothing: the node outlives the user agent."""
