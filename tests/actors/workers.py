"""The call worker under a user agent of a test: what the user agent itself is not given."""

from sipswarm.actors.agent.node import EmbeddedNode
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.worker import CallWorker


def worker_of(ua: UserAgent) -> CallWorker:
    """The call worker of its embedded node, which has started."""
    assert isinstance(ua._node, EmbeddedNode)
    return ua._node.worker
