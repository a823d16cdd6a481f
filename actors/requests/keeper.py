"""The requests outside of calls of one call worker: sent, received and answered by a user, and the subscriptions.

The worker owns each of them like a call: a request gets a Call-ID of this slot, so that its responses and the NOTIFYs
of a subscription come here, and an incoming one belongs to the slot of its Call-ID. A request that waits for its answer
and a subscription take a place among the calls of the worker (`--max-calls`). What waits in a process that dies is lost
with the coroutines that wait for it there; at a drain each request ends by name, and the subscriptions are ended.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sipswarm.sipcore.errors import SipError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.dialog import session_key
from sipswarm.sipcore.transaction.client_exchange import Finished
from sipswarm.sipcore.usage.notifier import Notifier, NotifierEvent, NotifierSettings
from sipswarm.sipcore.usage.standalone_request import RequestSettings, StandaloneRequest
from sipswarm.sipcore.usage.subscription import Subscription, SubscriptionEvent, SubscriptionSettings

from ..counting.totals import Totals
from ..errors import ConfigurationError, Overloaded, WrongState
from ..runtime.actor import Actor
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from .incoming_request import Arrival, IncomingRequest
from .metrics import RequestMetrics
from .notifier_actor import NotifierActor
from .request_actor import OnEnd, RequestActor
from .subscription_actor import SubscriptionActor

__all__ = ["Arrival", "Requests"]
Enter = Callable[..., None]
"""Routes messages with keys to an actor, instead of its earlier ones: (actor, *keys)."""


class Requests:
    """The requests of one call worker.

    Args:
        new_call_id: makes a Call-ID of this slot.
        enter: see `Enter`.
        is_full: whether the worker takes no more calls and requests.
        reserve: adds to the places that are taken beside the calls.
        settled: called when a request or subscription has ended.
        toward: returns the local address toward a hop, as its host sees it, and that of the socket.
    """

    def __init__(
        self,
        actor_loop: ActorLoop,
        outbox: Outbox[Any],
        totals: Totals,
        tokens: Tokens,
        *,
        new_call_id: Callable[[], str],
        enter: Enter,
        is_full: Callable[[], bool],
        reserve: Callable[[int], None],
        settled: Callable[[], None],
        toward: Callable[[Hop], tuple[Hop, Hop]],
    ) -> None:
        self.metrics = RequestMetrics(totals)
        self._actor_loop = actor_loop
        self._outbox = outbox
        self._tokens = tokens
        self._new_call_id = new_call_id
        self._enter = enter
        self._is_full = is_full
        self._reserve = reserve
        self._settled = settled
        self._toward = toward
        self._open: dict[RequestActor | IncomingRequest, None] = {}
        """Those without a final response."""
        self._subscriptions: dict[SubscriptionActor, None] = {}
        self._served: dict[NotifierActor, None] = {}
        """Those of others, whose handlers have accepted them."""

    @property
    def pending(self) -> int:
        """Number of requests that wait for their final response."""
        return len(self._open)

    @property
    def closing(self) -> int:
        """Number of subscriptions, own and served ones, whose end has begun here."""
        own = sum(actor.stopped for actor in self._subscriptions)
        return own + sum(actor.stopped for actor in self._served)

    @property
    def unsent(self) -> int:
        """Number of NOTIFYs that are to be sent before served subscriptions end."""
        return sum(actor.notifier.waiting for actor in self._served if actor.stopped)

    def _check_room(self) -> None:
        if self._is_full():
            raise Overloaded(
                f"{len(self._open)} requests and {len(self._subscriptions)} subscriptions are open beside the calls of "
                "this worker; raise --max-calls or --call-workers"
            )

    def send(self, settings: RequestSettings, peer: Peer, on_end: OnEnd, call_id: str = "") -> RequestActor:
        """Send a request outside of a call.

        Args:
            peer: its remote side.
            on_end: called with its end, once.
            call_id: must belong to this slot; empty = a new one.

        Raises:
            Overloaded: the worker takes no more.
            ConfigurationError: the target is no SIP address.
        """
        self._check_room()
        try:
            request = StandaloneRequest(settings, self._tokens, call_id=call_id or self._new_call_id())
        except SipError as error:
            raise ConfigurationError(f"{settings.method} cannot be sent to {settings.target!r}: {error}") from error
        actor = RequestActor(request, self._outbox, peer, self.metrics, partial(self._ended, on_end))
        self._enter(actor, actor.key)
        self._begun(actor)
        actor.send(self._actor_loop.now())
        self._actor_loop.touch(actor)
        return actor

    def _begun(self, actor: RequestActor | IncomingRequest) -> None:
        self._open[actor] = None
        self._reserve(1)
        self._actor_loop.note_cause(actor)

    def _over(self, actor: RequestActor | IncomingRequest) -> None:
        if self._open.pop(actor, actor) is None:
            self._reserve(-1)
            self._settled()

    def _ended(self, on_end: OnEnd, actor: RequestActor, end: Finished | None) -> None:
        self._over(actor)
        on_end(actor, end)

    def give_up(self, actor: RequestActor) -> None:
        """End a request whose answer is not wanted any more."""
        actor.abandon(self._actor_loop.now())
        self._actor_loop.touch(actor)

    def take(self, request: Request, arrival: Arrival, handler: Callback) -> None:
        """Give a request that came to the user's handler.

        Raises:
            SipError: its header fields cannot be copied into a response.
        """
        actor = IncomingRequest(
            request,
            arrival,
            handler,
            self._outbox,
            self._actor_loop,
            self.metrics,
            lambda: self._over(actor),
        )
        self._enter(actor, session_key(request))
        self._begun(actor)
        self._actor_loop.guarded(actor, actor.begin)
        self._actor_loop.look_at(actor)

    def subscribe(
        self, settings: SubscriptionSettings, peer: Peer, on_event: Callable[[SubscriptionEvent], None]
    ) -> SubscriptionActor:
        """Subscribe to an event.

        Args:
            peer: the notifier.
            on_event: called with each event.

        Raises:
            Overloaded: the worker takes no more.
            ConfigurationError: an address or the event is malformed.
        """
        self._check_room()
        try:
            subscription = Subscription(
                settings, self._tokens, call_id=self._new_call_id(), new_call_id=self._new_call_id
            )
        except SipError as error:
            raise ConfigurationError(f"no subscription to {settings.target!r} is possible: {error}") from error

        def happened(event: SubscriptionEvent) -> None:
            self._look_at(actor)
            on_event(event)

        actor = SubscriptionActor(
            subscription, self._outbox, peer, self.metrics, happened, lambda it: self._enter(it, it.key)
        )
        self._enter(actor, actor.key)
        self._subscriptions[actor] = None
        self._reserve(1)
        self._actor_loop.note_cause(actor)
        actor.subscribe(self._actor_loop.now())
        self._actor_loop.touch(actor)
        return actor

    def end(self, actor: SubscriptionActor) -> None:
        """End a subscription."""
        if not actor.is_over:
            self._actor_loop.guarded(actor, actor.end, self._actor_loop.now())
        self._look_at(actor)
        self._actor_loop.touch(actor)

    def _look_at(self, actor: SubscriptionActor) -> None:
        """Give the place of a subscription back that is over."""
        if actor.is_over and self._subscriptions.pop(actor, actor) is None:
            self._reserve(-1)
            self._settled()

    def accept(
        self,
        request: Request,
        most: int,
        on_event: Callable[[NotifierEvent], None],
        *,
        pending: bool = False,
    ) -> NotifierActor:
        """Answer a SUBSCRIBE of a handler by 200, and be its notifier; the first NOTIFY is the caller's to send.

        Args:
            request: as the handler got it.
            most: seconds that are granted at most.
            on_event: called with each event.
            pending: the subscriber has to wait for a decision.

        Raises:
            WrongState: it is no SUBSCRIBE that waits for its answer.
            Overloaded: the worker takes no more.
            ConfigurationError: its dialog cannot be made.
        """
        of_user = (each for each in self._open if isinstance(each, IncomingRequest) and each.request is request)
        asked = next(of_user, None)
        if asked is None or request.method != "SUBSCRIBE":
            raise WrongState("a subscription is accepted while the handler of its SUBSCRIBE runs, once")
        self._check_room()
        arrival, now = asked.arrival, self._actor_loop.now()

        def toward(hop: Hop) -> tuple[Hop, Hop]:
            try:
                return self._toward(hop)
            except ConfigurationError:
                return arrival.seen, arrival.local

        settings = NotifierSettings(
            arrival.seen,
            asked.contact,
            arrival.local,
            toward,
            most,
            pending,
            user_agent="sipswarm",
        )
        try:
            notifier = Notifier(request, settings, self._tokens, arrival.tag, now)
        except SipError as error:
            raise ConfigurationError(f"the subscription of {asked.name} cannot be accepted: {error}") from error

        def happened(event: NotifierEvent) -> None:
            self._look_at_served(actor)
            on_event(event)

        actor = NotifierActor(notifier, self._outbox, Peer((arrival.source.host,)), self.metrics, happened)
        asked.accept(notifier.granted)
        self._enter(actor, actor.key)
        self._served[actor] = None
        self._reserve(1)
        self._actor_loop.note_cause(actor)
        self._actor_loop.touch(actor)
        return actor

    def _look_at_served(self, actor: NotifierActor) -> None:
        """Give the place of a subscription back whose subscriber has got the last NOTIFY, or is gone."""
        if actor.is_over and self._served.pop(actor, actor) is None:
            self._reserve(-1)
            self._settled()

    def forget(self, actor: Actor) -> None:
        """Release what is finished."""
        if isinstance(actor, RequestActor | IncomingRequest):
            self._over(actor)

    def end_pending(self) -> None:
        """End every request without a final response: the time of a drain is over."""
        for actor in list(self._open):
            if isinstance(actor, RequestActor):
                self.give_up(actor)
            else:
                actor.abandon()

    def end_subscriptions(self) -> None:
        """End every subscription, at a drain."""
        for actor in list(self._subscriptions):
            if not actor.stopped:
                self.end(actor)
        for served in list(self._served):
            if not served.stopped:
                self._actor_loop.guarded(served, served.end, "probation", self._actor_loop.now())
                self._actor_loop.touch(served)

    def close(self) -> None:
        """End everything: the node is closed."""
        self.end_pending()
        for actor in list(self._subscriptions):
            actor.abandon()
        for served in list(self._served):
            served.abandon(self._actor_loop.now())
