"""The `register` of a user agent: one binding at each place of its registrar in turn, reported, and removed again.

It checks the texts, looks up the registrar's hops, chooses the leg, then binds the contact, refreshes or removes it. A
place that does not answer, or answers 503, is followed by the next one (RFC 3263 section 4.3), by another leg where
that reaches it. One actor at most may
keep a contact bound at a registrar; a `register` with other settings abandons the earlier actor (RFC 3261 section
10.2). `sipcore.usage.registration` decides when a binding is refreshed; `registration.keeper` holds those of the whole
worker.
"""

import errno
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import (
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationSettings,
    RegistrationState,
    Unregistered,
)

from ..bus.slots import SlotMap
from ..errors import CallRejected, CallTimeout, ConfigurationError, HostUnreachable
from ..handle.given_text import (
    MOST_SECONDS,
    check_headers,
    checked_address,
    checked_callback,
    checked_flag,
    checked_leg,
    checked_pairs,
    checked_text,
    checked_whole,
)
from ..identity import Auth, Keyring, contact_at
from ..registration.actor import RegistrationActor
from ..registration.keeper import Registrations
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback
from ..transport.names.addresses import is_address
from .own_identity import OwnIdentity, name_addr, registrar_uri, uri_in
from .routes import Routes

OF_REGISTER: Final = ("registrar", "contact", "expires", "refresh", "leg", "from_", "auth", "resp40x", "cb_final")
_CB_FINAL: Final = "the callback cb_final of a registration"
_IDLE: Final = (RegistrationState.REGISTERED, RegistrationState.WAITING, RegistrationState.ENDED)
"""States in which a REGISTER can be sent."""


class ServiceRoute(NamedTuple):
    """The route that a registrar gave for calls (RFC 3608)."""

    route: tuple[str, ...] = ()
    """Name-addrs."""
    named_by: tuple[str, ...] = ()
    """The host of the registrar."""


class Registering:
    """The registrations of one user agent that `register` began."""

    def __init__(self, who: OwnIdentity, routes: Routes) -> None:
        self._who = who
        self._routes = routes
        self._bound: dict[tuple[str, str], tuple[RegistrationActor, list[Callable[[RegistrationEvent], None]]]] = {}
        """By registrar and contact: the actor that keeps the contact bound, and the callbacks for its events."""

    def begin(self, actor_loop: ActorLoop, registrations: Registrations, slots: SlotMap) -> None:
        """Take what a running node provides.

        Args:
            slots: which call worker owns an address.
        """
        self._actor_loop = actor_loop
        self._registrations = registrations
        self._slots = slots

    @property
    def actors(self) -> list[RegistrationActor]:
        """The actors that keep a contact bound."""
        return [actor for actor, _ in self._bound.values()]

    async def register(
        self,
        registrar: str,
        *,
        contact: str,
        expires: int,
        refresh: bool,
        leg: int | str | None,
        from_: str,
        auth: Auth | None,
        challenge: Response | None,
        cb_final: Callback,
        headers: Mapping[str, str],
    ) -> int:
        """Register, as `UserAgent.register` does.

        Args:
            challenge: the argument `resp40x` there.
        """
        check_headers("register", headers, OF_REGISTER)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = checked_pairs("headers", named, contacts=True)
        checked_whole("expires", expires, 0, MOST_SECONDS)
        if checked_text("contact", contact) and (contact != "*" or expires):
            checked_address("contact", contact)  # * removes every binding (RFC 3261 section 10.2.2)
        checked_flag("refresh", refresh)
        checked_leg("leg", leg)
        checked_callback("cb_final", cb_final, ("status", "result", "response"))
        if challenge is not None and not isinstance(challenge, Response):
            raise ConfigurationError(f"resp40x is {type(challenge).__name__}; give the 401 or 407 itself")
        uri = registrar_uri(registrar, "register")
        address = self._who.complete(from_, "from_") if checked_text("from_", from_) else self._who.from_
        if not self._slots.is_ours(address):
            return 0
        keyring = Keyring(auth) if auth is not None else self._who.keyring
        if keyring is not None:
            keyring.trust(uri_in(uri).host)
        where = Uri.parse(uri)

        async def bind() -> int:
            try:
                hops = await self._routes.to_registrar(where)
            except HostUnreachable:
                if cb_final is None:
                    raise
                self._actor_loop.inform(_CB_FINAL, cb_final, "FAIL", {"errno": errno.EHOSTUNREACH}, None)
                return 0
            own = contact or self._who.usual.contact
            ways = self._routes.ways(hops, leg, lambda local: own or contact_at(uri_in(address).user or "", local))
            hop, local, contacts, bound = ways[0]
            settings = RegistrationSettings(
                uri,
                name_addr(address),
                contacts,
                local,
                hop,
                expires or 900,
                retry=refresh,
                credentials=keyring,
                headers=self._who.usual.headers + more,
                user_agent="sipswarm",
                bound=bound,
                redirects=self._who.usual.redirects,
                proxied=self._routes.proxy is not None,
            )
            return await self._bind(settings, ways, cb_final, challenge, removes=not expires)

        host = (self._routes.proxy or where).host
        if cb_final is None or is_address(host):
            return await bind()
        self._actor_loop.spawn(bind())  # DNS may take its time
        return 0

    def service_route(self, address: str) -> ServiceRoute:
        """Return the route that the registrar gave for an address's calls; an empty one without it (RFC 3608)."""
        for actor in self.actors:
            registration = actor.registration
            if registration.settings.address == address and registration.service_route:
                return ServiceRoute(registration.service_route, (registration.way.hop.host,))
        return ServiceRoute()

    async def _bind(
        self,
        settings: RegistrationSettings,
        given: Sequence[Way],
        cb_final: Callback,
        challenge: Response | None,
        *,
        removes: bool,
    ) -> int:
        """Bind, refresh or remove a contact.

        Args:
            given: ways to the registrar, in the order in which they are tried.
            cb_final: see `report`.
            challenge: a 401 or 407 to be answered at once.

        Returns:
            The seconds granted; with `cb_final` 0, at once.

        Raises:
            CallRejected: the registrar refused.
            CallTimeout: it did not answer.
            ConfigurationError: there are no credentials for the challenge.
        """
        done = self._actor_loop.loop.create_future()
        places = deque(given)
        further = len(places) - 1
        key = (settings.registrar, settings.contacts[0])

        def on_event(event: RegistrationEvent) -> None:
            nonlocal further
            unserved = isinstance(event, RegistrationFailed) and (event.response is None or event.status == 503)
            if unserved and further:
                further -= 1
                places.rotate(-1)
                actor = self._bound[key][0]
                actor.registration.register(self._actor_loop.now(), way=places[0])
                actor.pump(self._actor_loop.now())
                self._actor_loop.touch(actor)
                return
            further = len(places) - 1
            if cb_final is not None:
                report(cb_final, event, self._actor_loop)
            if not done.done() and isinstance(event, Registered | RegistrationFailed | Unregistered):
                done.set_result(event)

        known = self._bound.pop(key, None)
        if known is not None and (removes or _continues(known[0], settings, challenge)):
            actor, listeners = known
            listeners[:] = [on_event]
            if not removes:
                actor.register(self._actor_loop.now())
                self._actor_loop.touch(actor)
        else:
            if known is not None:
                known[0].abandon()  # the new one binds the same contact
                self._actor_loop.touch(known[0])
            listeners = [on_event]
            actor = self._registrations.begin(settings, lambda event: listeners[0](event), challenge)
        if not removes:
            self._bound[key] = actor, listeners
        else:
            actor.unregister(self._actor_loop.now())
            self._actor_loop.touch(actor)
        if cb_final is not None:
            return 0  # the callback gets the result
        event = await done
        if isinstance(event, RegistrationFailed):
            if event.response is None:
                raise CallTimeout(f"the registrar {settings.registrar} did not answer")
            raise CallRejected(event.status, event.response.reason, event.response)
        return event.expires if isinstance(event, Registered) else 0


def _continues(actor: RegistrationActor, settings: RegistrationSettings, challenge: Response | None) -> bool:
    """Whether an existing registration can go on under these settings."""
    registration = actor.registration
    return challenge is None and registration.settings == settings and registration.state in _IDLE


def report(callback: Callback, event: RegistrationEvent, actor_loop: ActorLoop) -> None:
    """Call back with ("OK", seconds, response) or ("FAIL", {code or errno}, response)."""
    if isinstance(event, Registered):
        actor_loop.inform(_CB_FINAL, callback, "OK", event.expires, event.response)
    elif isinstance(event, Unregistered):
        actor_loop.inform(_CB_FINAL, callback, "OK", 0, event.response)
    elif isinstance(event, RegistrationFailed):
        number = errno.ETIMEDOUT if event.status == 408 else errno.EHOSTUNREACH
        info = {"code": event.status} if event.response is not None else {"errno": number}
        actor_loop.inform(_CB_FINAL, callback, "FAIL", info, event.response)
