"""A node that is there already: what a `UserAgent` inside a call worker stands on in place of a node of its own."""

from ..call_worker.worker import CallWorker
from ..config import NodeConfig
from ..counting.totals import Totals
from .placing import Placing


class BoundNode:
    """One call worker of a running node; neither started nor closed by who uses it.

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
        """What its process counts."""
        return self.worker.totals

    async def start(self) -> None:
        """It runs."""

    async def close(self) -> None:
        """It stays."""
