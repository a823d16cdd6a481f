"""The actor of a usage outside of calls: a registration, a subscription, a single request (`sipcore.usage`).

It gives messages and time to the usage. After every input `pump` sends what the usage produced, counts repetitions, and
passes each event to `take_event`. The actor must not decide when something is sent again.
"""

from typing import Any, Protocol

from sipswarm.sipcore.message.hop import Transmit
from sipswarm.sipcore.transaction.client_exchange import Way

from ..diagnosis.request_loss import Loss
from .actor import Actor
from .outbox import Outbox
from .peer import Peer


class Usage(Protocol):
    """What an actor uses of its registration, subscription or request."""

    @property
    def key(self) -> tuple[str, str]: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def retransmissions(self) -> int: ...
    def drain(self) -> tuple[list[Transmit], list[Any]]: ...
    def handle_timer(self, now: float) -> None: ...
    def transport_failed(self, branch: str, now: float) -> None: ...
    def connections_lost(self, now: float) -> None: ...


class UsageActor(Actor):
    """One usage; subclasses name it, give it messages, and take its events.

    Args:
        usage: of this actor alone.
    """

    __slots__ = ("_again", "_outbox", "_usage", "loss")

    def __init__(self, usage: Usage, outbox: Outbox[Any]) -> None:
        self._usage = usage
        self._outbox = outbox
        self._again = 0
        self.loss: Loss | None = None
        """Why the last request could not be sent that was lost; None = none was."""

    @property
    def key(self) -> tuple[str, str]:
        """(Call-ID, local tag): messages with these belong to it."""
        return self._usage.key

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return self._usage.deadline

    @property
    def way(self) -> Way:
        """Where its requests go now."""
        raise NotImplementedError

    @property
    def peer(self) -> Peer:
        """The remote side, by which the hops of its requests are judged."""
        raise NotImplementedError

    def take_event(self, event: Any, now: float) -> None:
        """Take an event of the usage."""
        raise NotImplementedError

    def count_repeated(self, times: int) -> None:
        """Count retransmissions."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        self._usage.handle_timer(now)
        self.pump(now)

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of a request that was not sent."""
        self.loss = loss
        self._usage.transport_failed(branch, now)
        self.pump(now)

    def connections_lost(self, now: float) -> None:
        """Send a request again that waits for its first response over a connection."""
        self._usage.connections_lost(now)

    def pump(self, now: float) -> None:
        """Send, count and report what the usage produced."""
        usage = self._usage
        transmits, events = usage.drain()
        if transmits:
            way = self.way
            self._outbox.send(transmits, way.bound or way.local, self.peer.joined_by(way.hop.host))
        if usage.retransmissions != self._again:
            self.count_repeated(usage.retransmissions - self._again)
            self._again = usage.retransmissions
        for event in events:
            self.take_event(event, now)
