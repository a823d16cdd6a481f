"""The arrivals of a load that are registrations: an address is bound, kept bound for the hold, and removed.

RFC 3261 section 10. Each arrival has a Call-ID of its own. `sipcore.usage.registration` refreshes the binding; nothing
is tried again: a REGISTER that fails is the failure of the arrival.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import (
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationSettings,
    Unregistered,
)

from ...agent.own_identity import name_addr
from ...config import LoadConfig
from ...diagnosis.failure_reasons import LAPSED
from ...errors import Overloaded
from ...registration.actor import RegistrationActor
from ...registration.keeper import MAX_BINDINGS, Registrations
from ...runtime.actor_loop import ActorLoop
from ..starter import Ended
from .ends import RequestEnds, Result, Shown
from .lasting import Held, Lasting
from .parties import Party
from .route import Route

REGISTER: Final = "register"
_Held = Held[RegistrationActor]


def registration_of(
    config: LoadConfig, party: Party, way: Way, *, proxied: bool, credentials: Shown
) -> RegistrationSettings:
    """Return what is bound for an arrival, and where.

    Args:
        proxied: the way leads to an outgoing proxy.
    """
    return RegistrationSettings(
        config.target,
        name_addr(party.identity.from_),
        way.contacts,
        way.local,
        way.hop,
        config.expires,
        retry=False,
        credentials=credentials,
        headers=party.identity.headers,
        user_agent="sipswarm",
        bound=way.bound,
        proxied=proxied,
    )


class RegistrationArrivals(Lasting[RegistrationActor]):
    """The registrations of one call worker; arguments as for `Lasting`."""

    def __init__(
        self,
        config: LoadConfig,
        route: Route,
        registrations: Registrations,
        ends: RequestEnds,
        actor_loop: ActorLoop,
        *,
        is_draining: Callable[[], bool],
    ) -> None:
        super().__init__(config, ends, actor_loop, is_draining=is_draining)
        self._route = route
        self._parties = route.parties()
        self._registrations = registrations

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Bind an address."""
        if self._registrations.count >= MAX_BINDINGS:
            raise Overloaded(f"{MAX_BINDINGS} addresses are registered by this worker; raise --call-workers")
        party, route = self._parties.of(index), self._route
        held: _Held = Held(Shown(party.identity.credentials), ended)
        settings = registration_of(
            self._config,
            party,
            route.way(party.identity.from_),
            proxied=route.proxied,
            credentials=held.credentials,
        )
        actor = self._registrations.begin(
            settings, partial(self._happened, held), on_crash=partial(self._crashed, held)
        )
        self._enter(held, actor, actor.key[0], planned, index, party.line)
        return True

    def _send_removal(self, held: _Held) -> None:
        held.actor.unregister(self._actor_loop.now())
        self._actor_loop.touch(held.actor)

    def _happened(self, held: _Held, event: RegistrationEvent) -> None:
        if held not in self._held:
            return
        if isinstance(event, Registered):
            if held.result is None:
                self._answered(held, Result.of(event.response, held.credentials))
            else:
                self._ends.goes_on(held.begun)
        elif isinstance(event, Unregistered):
            self._removed(held, event)
        elif held.result is None:
            self._failed(held, event)
        else:
            self._stop(held)
            self._over(held, held.result, by="expired", failure=LAPSED)

    def _failed(self, held: _Held, event: RegistrationEvent) -> None:
        """Take the failure of the first REGISTER."""
        failure = ""
        if isinstance(event, RegistrationFailed) and event.response is not None:
            result = Result.of(event.response, held.credentials)
            if result.outcome == "answered":  # a 2xx that binds nothing
                result, failure = Result("refused", result.code, result.phrase), LAPSED
        else:
            status = event.status if isinstance(event, RegistrationFailed) else 408
            result = Result.without_response(status, held.actor.loss)
        self._stop(held)
        self._over(held, result, failure=failure)

    def _removed(self, held: _Held, event: Unregistered) -> None:
        """Take the end of a removal."""
        times, now = held.begun.times, self._actor_loop.now()
        times.sent_bye(held.actor.registration.asked_at)
        times.bye_over(event.status, now, answered=event.response is not None)
        if held.result is None:
            self._over(held, Result.given_up(drained=self._is_draining()))
            return
        times.over(max(times.answered, times.bye_sent))
        self._over(held, held.result, closed=closed_of(event.status, answered=event.response is not None))

    def _stop(self, held: _Held) -> None:
        """Have the worker forget a registration that has failed."""
        self._send_removal(held)

    def _crashed(self, held: _Held) -> None:
        if held in self._held:
            result = held.result
            closed = "lost" if result is not None else ""
            self._over(held, result or Result.given_up(drained=False), closed=closed, failure="internal_error")


def closed_of(status: int, *, answered: bool) -> str:
    """Return how an end was confirmed, as `CallFinished.closed`.

    Args:
        status: of the final response; 408 for silence and 503 for a failed transport.
        answered: there is a final response.
    """
    if answered:
        return "confirmed" if status < 300 else "refused"
    return "unanswered" if status == 408 else "lost"
