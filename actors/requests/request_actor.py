"""The actor of one request that was sent outside of a call (`sipcore.usage.standalone_request`).

The end of the request is counted and passed to `on_end`, once: a final response, silence, a failed transport, or None
when it ended here. It must not decide where the request goes.
"""

from collections.abc import Callable
from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.client_exchange import Finished, Way
from sipswarm.sipcore.usage.standalone_request import StandaloneRequest

from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..runtime.usage_actor import UsageActor
from .metrics import ENDED, RequestMetrics, code_of

OnEnd = Callable[["RequestActor", Finished | None], None]
"""Called with the actor and the end of its request; None = it ended here, without one."""


class RequestActor(UsageActor):
    """One request.

    Args:
        peer: its remote side.
        on_end: called with its end.
    """

    __slots__ = ("_metrics", "_on_end", "_peer", "_request", "is_pending")

    def __init__(
        self, request: StandaloneRequest, outbox: Outbox[Any], peer: Peer, metrics: RequestMetrics, on_end: OnEnd
    ) -> None:
        super().__init__(request, outbox)
        self._request = request
        self._peer = peer
        self._metrics = metrics
        self._on_end = on_end
        self.is_pending = False
        """It waits for its end."""

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"{self._request.settings.method} {self._request.call_id}"

    @property
    def peer(self) -> Peer:
        """The remote side."""
        return self._peer

    @property
    def way(self) -> Way:
        """The way of the present attempt."""
        return self._request.way

    @property
    def finished(self) -> bool:
        """Whether it has ended, and no repetition of its response is expected any more."""
        return not self.is_pending and self._request.deadline is None

    def send(self, now: float) -> None:
        """Send the request."""
        self.is_pending = True
        self._metrics.begun("sent", self._request.settings.method)
        self._request.send(now)
        self.pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a response."""
        if isinstance(message, Response):
            self._request.receive(message, now)
            self.pump(now)

    def take_event(self, event: Finished, now: float) -> None:
        """Report the end."""
        self._end(event, code_of(event), now)

    def count_repeated(self, times: int) -> None:
        """Count retransmissions."""
        self._metrics.repeated(self._request.settings.method, times)

    def abandon(self, now: float) -> None:
        """End it here: its answer no longer matters."""
        self._request.abandon()
        self._end(None, ENDED, now)

    def crashed(self, now: float, error: BaseException) -> None:
        """End it after a failure of the program on it."""
        self.abandon(now)

    def _end(self, finished: Finished | None, code: str, now: float) -> None:
        if not self.is_pending:
            return
        self.is_pending = False
        self._metrics.ended("sent", self._request.settings.method, code, now - self._request.sent_at)
        self._on_end(self, finished)
