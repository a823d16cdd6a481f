"""`/metrics` and `/healthz` of the user agents of a script: what `sipswarm robot` serves for a node.

Twice a second the loop of the script takes a snapshot of what each user agent has counted, its own metrics included.
The server runs on threads of its own and reads the snapshots; a slow client delays no call.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.given_text import checked_whole
from sipswarm.actors.supervisor.exposition import MetricsServer
from sipswarm.actors.supervisor.node_totals import NodeTotals

EVERY: Final = 0.5
"""Seconds from one snapshot to the next."""
PROCESS: Final = "call-0"
"""What the label `process` has: all roles of a script run in its process."""


class _Feeder:
    """Gives the totals of each user agent to what is served, as the processes of a node do."""

    def __init__(self, agents: Sequence[UserAgent]) -> None:
        self._agents = agents
        self._number = 0
        several = len(agents) > 1
        self.nodes = [NodeTotals(prefix=f"{index}-" if several else "") for index in range(len(agents))]
        self._loop = asyncio.get_running_loop()
        self._feed()

    def _feed(self) -> None:
        self._number += 1
        for agent, node in zip(self._agents, self.nodes, strict=True):
            live, rows, declared = agent.counted()
            node.update(PROCESS, 1, Snapshot(self._number, time.monotonic(), live, rows, declared))
        self._timer = self._loop.call_later(EVERY, self._feed)

    def close(self) -> None:
        """Take no further snapshot."""
        self._timer.cancel()


def serve_metrics(*agents: UserAgent, host: str = "127.0.0.1", port: int = 9464) -> AbstractAsyncContextManager[str]:
    """Serve `/metrics` and `/healthz` of user agents in a script, as long as the context lasts.

        async with UserAgent() as ua, serve_metrics(ua) as url:

    Args:
        agents: the user agents, which have been entered; metrics of one name are added up.
        host: IP address to listen on, IPv6 without brackets.
        port: TCP port, 0 = any free one.

    Returns:
        An asynchronous context manager, which yields the URL of the metrics.

    Raises:
        ConfigurationError: the address cannot be used, or a user agent does not run.
    """
    checked_whole("port", port, 0, 65535)
    if not agents or not all(isinstance(each, UserAgent) for each in agents):
        raise ConfigurationError("serve_metrics takes user agents: serve_metrics(ua)")
    return _served(agents, host, port)


@asynccontextmanager
async def _served(agents: Sequence[UserAgent], host: str, port: int) -> AsyncIterator[str]:
    feeder = _Feeder(agents)
    try:
        server = MetricsServer(host, port, feeder.nodes)
    except ConfigurationError as error:
        feeder.close()
        raise ConfigurationError(f"serve_metrics: {host} port {port} cannot be used: {error.__cause__}") from error
    try:
        yield server.url
    finally:
        feeder.close()
        await asyncio.to_thread(server.close)
