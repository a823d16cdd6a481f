"""The subscription that user code holds: its state, its NOTIFYs as an asynchronous iterator, and its end (RFC 6665).

`sipcore.usage.subscription` refreshes it and subscribes again where the notifier demands that or has lost it. It keeps
at most `MOST_UNREAD` NOTIFYs that nobody reads: the oldest is dropped for a newer one and counted. Each of its
awaits ends at the latest with timer N, 64*T1.
"""

import asyncio
from collections import deque
from typing import Final, Self

from sipswarm.sipcore.usage.subscription import (
    Notified,
    State,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionSettings,
)

from ..diagnosis.foreign_text import shown
from ..diagnosis.request_loss import told_loss
from ..errors import CallError, CallRejected, CallTimeout, RequestEnded
from ..requests.keeper import Requests
from ..requests.subscription_actor import ABANDONED, SubscriptionActor
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback
from ..runtime.peer import Peer

MOST_UNREAD: Final = 64
"""NOTIFYs that wait to be read."""
_WORDS: Final = {
    State.IDLE: "waiting",
    State.NOTIFY_WAIT: "waiting",
    State.WAITING: "waiting",
    State.PENDING: "pending",
    State.ACTIVE: "active",
    State.STOPPING: "terminated",
    State.CLOSING: "terminated",
    State.TERMINATED: "terminated",
}


class Subscription:
    """A subscription to an event; `UserAgent.subscribe` makes it.

    Iterate it with `async for`: each item is a `Notified` with `state`, `body` (octets), `content_type` and `request`.
    The iteration ends with the subscription; `reason` says why.

    Attributes:
        target: the URI or name-addr that it was made for.
        event: the event package, with its id if any.
        reason: of the last end: that of Subscription-State (RFC 6665 section 4.1.3), or "refused", "expired",
            "silence", "node_ended"; empty before.
        dropped: number of NOTIFYs that were dropped unread.
    """

    def __init__(
        self, target: str, event: str, actor_loop: ActorLoop, requests: Requests, cb_notify: Callback = None
    ) -> None:
        self.target = target
        self.event = event
        self.reason = ""
        self.dropped = 0
        self._actor_loop = actor_loop
        self._requests = requests
        self._cb_notify = cb_notify
        self._actor: SubscriptionActor | None = None
        self._unread: deque[Notified] = deque()
        self._over = False
        self._first: asyncio.Future[None] = actor_loop.loop.create_future()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def state(self) -> str:
        """The state: "pending", "active", "terminated", or "waiting" for the next try."""
        return "terminated" if self._over or self._actor is None else _WORDS[self._actor.subscription.state]

    @property
    def expires(self) -> float:
        """Seconds until the granted time runs out; 0.0 without one."""
        at = self._actor.subscription.expires_at if self._actor is not None else None
        return 0.0 if at is None else max(0.0, at - self._actor_loop.now())

    async def begin(self, settings: SubscriptionSettings, peer: Peer) -> None:
        """Subscribe, and wait for the first NOTIFY.

        Raises:
            CallRejected: the notifier refused, or the SUBSCRIBE could not be sent.
            CallTimeout: no final response or no NOTIFY came.
            RequestEnded: the node ended.
            Overloaded: the worker takes no more.
        """
        self._actor = self._requests.subscribe(settings, peer, self._happened)
        try:
            await self._first
        except asyncio.CancelledError:
            self._requests.end(self._actor)  # the caller never received the handle
            raise

    async def end(self) -> None:
        """End the subscription, and wait for the last NOTIFY, for 32 s at most; harmless twice.

        NOTIFYs that came before can still be read.
        """
        if self._actor is None or self._over:
            return
        self._requests.end(self._actor)
        if self._actor.is_over:
            self._over = True  # it waited for its next try: no NOTIFY ends it
            self._wake()
        while not self._over:
            await self._change()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notified:
        while not self._unread:
            if self._over:
                raise StopAsyncIteration
            await self._change()
        return self._unread.popleft()

    async def _change(self) -> None:
        """Wait for the next event."""
        waiter: asyncio.Future[None] = self._actor_loop.loop.create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def _happened(self, event: SubscriptionEvent) -> None:
        if isinstance(event, Notified):
            self._notified(event)
        else:
            self._ended(event)
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _notified(self, event: Notified) -> None:
        if not self._first.done():
            self._first.set_result(None)
        if self._cb_notify is not None:
            self._actor_loop.inform(
                f"the callback cb_notify of a subscription to {shown(self.event)}", self._cb_notify, event
            )
            return
        if len(self._unread) >= MOST_UNREAD:
            self._unread.popleft()
            self.dropped += 1
            self._requests.metrics.dropped(self.event)
        self._unread.append(event)

    def _ended(self, event: SubscriptionEnded) -> None:
        self.reason = event.reason
        never_began = not self._first.done()
        if never_began:
            self._first.set_exception(self._failure(event))
        if event.retry_at is None or never_began:
            self._over = True
            if self._actor is not None and not self._actor.is_over:
                self._actor_loop.loop.call_soon(self._requests.end, self._actor)  # no next try

    def _failure(self, event: SubscriptionEnded) -> CallError:
        response = self._actor.subscription.refusal if self._actor is not None else None
        what = f"SUBSCRIBE of {shown(self.event)} to {shown(self.target)}"
        if response is not None:
            return CallRejected(event.status, response.reason, response)
        if event.reason == ABANDONED:
            return RequestEnded(f"the {what} has no answer: its node ended")
        if event.status == 503:
            loss = self._actor.loss if self._actor is not None else None
            why = f" ({told_loss(loss)})" if loss is not None else ""
            return CallRejected(503, f"{what} could not be sent{why}")
        return CallTimeout(f"no answer to {what}, or no NOTIFY after it: look at address, port, transport and Contact")
