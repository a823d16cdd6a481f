"""The node under a `UserAgent` inside a call worker: one that runs already, instead of an embedded one."""

from collections.abc import Callable
from typing import Final

from ..call_worker.agent_parts import AgentParts
from ..config import NodeConfig
from ..counting.totals import Totals
from ..errors import ConfigurationError
from .placing import Placing

ENDED: Final = "the user agent has ended; use it inside of its `async with`, or make another one"


class BoundNode:
    """One call worker of a running node; the user agent neither starts nor closes it.

    Args:
        parts: of that call worker.
        placing: how calls are placed on it, by agents of no run.
        has_ended: whether the node does not run any more; that of a call worker runs for as long as there is user code.
    """

    def __init__(self, parts: AgentParts, placing: Placing, has_ended: Callable[[], bool] = lambda: False) -> None:
        self._parts = parts
        self._has_ended = has_ended
        self.placing = placing

    @property
    def parts(self) -> AgentParts:
        """The parts of that call worker that a user agent uses.

        Raises:
            ConfigurationError: the node has ended.
        """
        if self._has_ended():
            raise ConfigurationError(ENDED)
        return self._parts

    @property
    def ended(self) -> bool:
        """Whether the node has ended."""
        return self._has_ended()

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
