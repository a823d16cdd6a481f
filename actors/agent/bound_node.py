"""The node under a `UserAgent` inside a call worker: one that runs already, instead of an embedded one."""

from ..call_worker.worker import CallWorker
from ..config import NodeConfig
from ..counting.totals import Totals
from .placing import Placing


class BoundNode:
    """One call worker of a running node; the user agent neither starts nor closes it.

    Args:
        placing: how calls are placed on it, by agents of no run.
    """

    def __init__(self, worker: CallWorker, placing: Placing) -> None:
        self.worker = worker
        self.placing = placing

    @property
    def config(self) -> NodeConfig:
        """The node's configuration."""
        return self.worker.config

    @property
    def totals(self) -> Totals:
        """The metrics of its process."""
        return self.worker.totals

    async def start(self) -> None:
        """Do nothing: the node runs already."""

    async def close(self) -> None:
        """Do nothing: the node outlives the user agent."""
