"""The actor of one subscription that a handler has accepted (`sipcore.usage.notifier`).

Each event is passed to `on_event`. It must not decide when a NOTIFY is sent, or when the subscription ends.
"""

from collections.abc import Callable
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.transaction.timers import TimerSettings
from sipswarm.sipcore.usage.notifier import Notifier, NotifierEvent, State

from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..runtime.usage_actor import UsageActor
from .metrics import RequestMetrics

KEPT: Final = TimerSettings().timeout
"""Seconds for which an ended subscription answers repeated SUBSCRIBEs (RFC 3261 section 17.2.2, timer J)."""


class NotifierActor(UsageActor):
    """One subscription.

    Args:
        peer: its subscriber.
        on_event: called with each event.
    """

    __slots__ = ("_metrics", "_on_event", "_over_seen", "_peer", "_until", "notifier", "stopped")

    def __init__(
        self,
        notifier: Notifier,
        outbox: Outbox[Any],
        peer: Peer,
        metrics: RequestMetrics,
        on_event: Callable[[NotifierEvent], None],
    ) -> None:
        super().__init__(notifier, outbox)
        self.notifier = notifier
        self.stopped = False
        """Its end has begun here."""
        self._peer = peer
        self._over_seen = False
        self._metrics = metrics
        self._on_event = on_event
        self._until: float | None = None
        """When an ended subscription is forgotten; None while it goes on, and after that."""
        metrics.served(notifier.event, 1)

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"subscription {self.notifier.key[0]}"

    @property
    def peer(self) -> Peer:
        """The subscriber."""
        return self._peer

    @property
    def way(self) -> Way:
        """Where the next NOTIFY goes."""
        return self.notifier.way

    @property
    def is_over(self) -> bool:
        """Whether its last NOTIFY is answered, or the subscriber is gone."""
        return self.notifier.state is State.TERMINATED

    @property
    def finished(self) -> bool:
        """Whether it has ended, and no repeated SUBSCRIBE is expected any more."""
        return self.is_over and self._until is None

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return self._until if self.is_over else self.notifier.deadline

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        if self._until is not None and self._until <= now:
            self._until = None
        else:
            super().handle_timer(now)

    def notify(self, body: bytes, content_type: str, now: float, *, pending: bool) -> int:
        """Send the state, as `Notifier.notify` does."""
        number = self.notifier.notify(body, content_type, now, pending=pending)
        self.pump(now)
        return number

    def end(self, reason: str, now: float, body: bytes | None = None, content_type: str = "") -> None:
        """End the subscription, as `Notifier.end` does."""
        self.stopped = True
        self.notifier.end(reason, now, body, content_type)
        self.pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a SUBSCRIBE, or a response of the subscriber."""
        self.notifier.receive(message, source, now, flow)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Send, count and report what the subscription produced."""
        if self.is_over and not self._over_seen:
            self._over_seen = True
            self._until = now + KEPT
            self._metrics.served(self.notifier.event, -1)
        super().pump(now)

    def take_event(self, event: NotifierEvent, now: float) -> None:
        """Report an event."""
        self._on_event(event)

    def count_repeated(self, times: int) -> None:
        """Count retransmissions of a NOTIFY."""
        self._metrics.repeated("NOTIFY", times)

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self.abandon(now)

    def abandon(self, now: float) -> None:
        """Stop without a message to the subscriber."""
        self.stopped = True
        self.notifier.abandon()
        self.pump(now)
