"""The actor of one subscription (`sipcore.usage.subscription`): each event is passed to `on_event`.

The key of its messages changes when it subscribes anew after an end; `on_key` enters the new one. It must not decide
when it is refreshed or tried again.
"""

from collections.abc import Callable
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.transaction.timers import TimerSettings
from sipswarm.sipcore.usage.subscription import State, Subscription, SubscriptionEnded, SubscriptionEvent

from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..runtime.usage_actor import UsageActor
from .metrics import RequestMetrics

ABANDONED: Final = "node_ended"
"""Reason of a subscription that ended here without a message of the notifier."""
KEPT: Final = TimerSettings().timeout
"""Seconds for which an ended subscription answers repeated NOTIFYs (RFC 3261 section 17.2.2, timer J)."""
_ACCEPTED: Final = (State.PENDING, State.ACTIVE)


class SubscriptionActor(UsageActor):
    """One subscription.

    Args:
        peer: its notifier.
        on_event: called with each event.
        on_key: called after its key has changed.
    """

    __slots__ = (
        "_key",
        "_metrics",
        "_on_event",
        "_on_key",
        "_over_seen",
        "_peer",
        "_shown",
        "_until",
        "stopped",
        "subscription",
    )

    def __init__(
        self,
        subscription: Subscription,
        outbox: Outbox[Any],
        peer: Peer,
        metrics: RequestMetrics,
        on_event: Callable[[SubscriptionEvent], None],
        on_key: Callable[["SubscriptionActor"], None],
    ) -> None:
        super().__init__(subscription, outbox)
        self.subscription = subscription
        self.stopped = False
        """Its end has begun here."""
        self._peer = peer
        self._metrics = metrics
        self._on_event = on_event
        self._on_key = on_key
        self._key = subscription.key
        self._shown = self._over_seen = False
        self._until: float | None = None
        """When an ended subscription is forgotten."""

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"subscription {self.subscription.call_id}"

    @property
    def peer(self) -> Peer:
        """The notifier."""
        return self._peer

    @property
    def way(self) -> Way:
        """Where the present SUBSCRIBE goes."""
        return self.subscription.way

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and will not be tried again."""
        return self.subscription.state is State.TERMINATED

    @property
    def finished(self) -> bool:
        """Whether it has ended for good, and no repeated NOTIFY is expected any more."""
        return self.is_over and self._until is None

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return self._until if self.is_over else self.subscription.deadline

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        if self._until is not None and self._until <= now:
            self._until = None
        else:
            super().handle_timer(now)

    def subscribe(self, now: float) -> None:
        """Subscribe."""
        self.subscription.subscribe(now)
        self.pump(now)

    def end(self, now: float) -> None:
        """End the subscription."""
        self.stopped = True
        self.subscription.unsubscribe(now)
        self.pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a NOTIFY, or a response of the notifier."""
        self.subscription.receive(message, source, now, flow)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Send, count and report what the subscription produced."""
        if self.subscription.key != self._key:
            self._key = self.subscription.key
            self._on_key(self)
        self._count(self.subscription.state in _ACCEPTED)
        if self.is_over and not self._over_seen:
            self._over_seen = True
            self._until = now + KEPT
        super().pump(now)

    def take_event(self, event: SubscriptionEvent, now: float) -> None:
        """Report an event."""
        self._on_event(event)

    def count_repeated(self, times: int) -> None:
        """Count retransmissions of a SUBSCRIBE."""
        self._metrics.repeated("SUBSCRIBE", times)

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self.abandon()

    def abandon(self) -> None:
        """Stop without a message to the notifier."""
        if not self.is_over:
            self.stopped = True
            self.subscription.abandon()
            self._over_seen = True
            self._count(False)
            self._on_event(SubscriptionEnded(ABANDONED, 0, None))

    def _count(self, accepted: bool) -> None:
        if accepted != self._shown:
            self._shown = accepted
            self._metrics.subscribed(self.subscription.settings.event, 1 if accepted else -1)
