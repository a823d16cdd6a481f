"""The node under a `UserAgent` inside a call worker: one that runs already, instead of an embedded one."""

from ..call_worker.agent_parts import AgentParts
from ..config import NodeConfig
from ..counting.totals import Totals
from .placing import Placing


class BoundNode:
    """One call worker of a running node; the user agent neither starts nor closes it.

    Args:
        parts: of that call worker.
        placing: how calls are placed on it, by agents of no run.
    """

    def __init__(self, parts: AgentParts, placing: Placing) -> None:
        self.parts = parts
        self.placing = placing

    @property
    def config(self) -> NodeConfig:
        """The node's configuration."""
        return self.parts.config

    @property
    def totals(self) -> Totals:
        """The metrics of its process."""
        return self.parts.totals

    async def start(self) -> None:
        """Do nothing: the node runs already."""

    async def close(self) -> None:
        """Do nothing: the node outlives the user agent."""
