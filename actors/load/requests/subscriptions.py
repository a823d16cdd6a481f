"""The arrivals of a load that are subscriptions: accepted, notified, kept for the hold, and ended (RFC 6665).

An arrival is answered with its first NOTIFY, which says that the SUBSCRIBE was accepted, also where its 2xx comes later
(RFC 6665 section 4.1.2.4). With `--expires 0` the state is fetched once (section 4.4.3). Nothing is subscribed anew: a
subscription that the notifier ends before its time is the failure of the arrival.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.subscription import Notified, SubscriptionEnded, SubscriptionEvent, SubscriptionSettings

from ...agent.own_identity import name_addr
from ...config import LoadConfig
from ...diagnosis.failure_reasons import LAPSED
from ...requests.keeper import Requests
from ...requests.subscription_actor import ABANDONED, SubscriptionActor
from ...runtime.actor_loop import ActorLoop
from ..starter import Ended
from .ends import RequestEnds, Result, Shown
from .lasting import Held, Lasting
from .parties import Party
from .registrations import closed_of
from .route import Route

SUBSCRIBE: Final = "subscribe"
_SILENT: Final = ("silence", "expired")
"""Reasons of an end for which no message of the notifier came."""
_Held = Held[SubscriptionActor]


def subscription_of(
    config: LoadConfig, party: Party, way: Way, *, proxied: bool, credentials: Shown
) -> SubscriptionSettings:
    """Return what is subscribed for an arrival, and where.

    Args:
        proxied: the way leads to an outgoing proxy.
    """
    return SubscriptionSettings(
        party.target,
        name_addr(party.target),
        name_addr(party.identity.from_),
        way.contacts[0],
        config.event,
        way.local,
        way.hop,
        expires=config.expires,
        credentials=credentials,
        credentials_host=way.hop.host if proxied else "",
        headers=party.identity.headers,
        bound=way.bound,
        user_agent="sipswarm",
        proxied=proxied,
    )


class SubscriptionArrivals(Lasting[SubscriptionActor]):
    """The subscriptions of one call worker; arguments as for `Lasting`."""

    def __init__(
        self,
        config: LoadConfig,
        route: Route,
        requests: Requests,
        ends: RequestEnds,
        actor_loop: ActorLoop,
        *,
        is_draining: Callable[[], bool],
    ) -> None:
        super().__init__(config, ends, actor_loop, is_draining=is_draining)
        self._route = route
        self._parties = route.parties()
        self._requests = requests

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Subscribe."""
        party, route = self._parties.of(index), self._route
        held: _Held = Held(Shown(party.identity.credentials), ended)
        settings = subscription_of(
            self._config,
            party,
            route.way(party.identity.from_),
            proxied=route.proxied,
            credentials=held.credentials,
        )
        actor = self._requests.subscribe(settings, route.peer, partial(self._happened, held))
        self._enter(held, actor, actor.key[0], planned, index, party.line)
        return True

    def _send_removal(self, held: _Held) -> None:
        held.begun.times.sent_bye(self._actor_loop.now())
        self._requests.end(held.actor)

    def _happened(self, held: _Held, event: SubscriptionEvent) -> None:
        if held not in self._held:
            return
        if isinstance(event, Notified):
            if held.result is None:
                self._answered(held, Result("answered", 200, "OK"))
            elif not held.removing:
                self._ends.goes_on(held.begun)
        elif held.result is None:
            self._over(held, self._refused(held, event))
        elif held.removing or not self._config.expires:
            self._ended(held, held.result, event)
        else:
            self._over(held, held.result, closed="confirmed", by="remote", failure=LAPSED)
        if isinstance(event, SubscriptionEnded) and event.retry_at is not None:
            self._actor_loop.loop.call_soon(self._requests.end, held.actor)  # no next try

    def _refused(self, held: _Held, event: SubscriptionEnded) -> Result:
        """Return the result of a SUBSCRIBE that brought no NOTIFY."""
        response = held.actor.subscription.refusal
        if response is not None:
            return Result.of(response, held.credentials)
        if event.reason == ABANDONED or held.removing:
            return Result.given_up(drained=self._is_draining())
        return Result.without_response(503 if event.status == 503 else 408, held.actor.loss)

    def _ended(self, held: _Held, result: Result, event: SubscriptionEnded) -> None:
        """Take the end of a subscription that was to end."""
        times, now = held.begun.times, self._actor_loop.now()
        response = held.actor.subscription.refusal
        if event.reason in _SILENT or event.reason == ABANDONED:
            closed = "unanswered"
        elif event.status:
            closed = closed_of(event.status, answered=response is not None)
        else:
            closed = "confirmed"
        if times.bye_sent:
            times.bye_over(200 if closed == "confirmed" else 408, now, answered=closed in ("confirmed", "refused"))
            times.over(max(times.answered, times.bye_sent))
        self._over(held, result, closed=closed)
