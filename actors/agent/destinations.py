"""Where the requests of a user agent outside of calls go: identity, ways and remote side of each, as for a call.

Order: the texts are checked, the route is completed by that of the registrar (RFC 3608), the hops are looked up, and
each gets the local address and the Contact that it sees. Credentials are allowed for the target that the user chose.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.routed_exchange import Reach

from ..bus.slots import SlotMap
from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..handle.given_text import checked_leg
from ..identity import Identity, contact_at
from ..runtime.peer import Peer
from .own_identity import OwnIdentity, name_addr, resolved, uri_in
from .registering import ServiceRoute
from .routes import Routes

Target = str | Mapping[str, Any]
"""As the argument `to` of `UserAgent.invite`."""


class Destination(NamedTuple):
    """Where a request goes, and who sends it."""

    target: str
    """URI or name-addr."""
    identity: Identity
    ways: tuple[Way, ...]
    peer: Peer
    call_id: str
    """Of the context; empty = a new one."""
    reach: Reach
    """Finds the way to a hop that the remote side names."""


class Destinations:
    """The destinations of one user agent's requests.

    Args:
        service_route: as for `Caller`.
    """

    def __init__(self, who: OwnIdentity, routes: Routes, service_route: Callable[[str], ServiceRoute]) -> None:
        self._who = who
        self._routes = routes
        self._service_route = service_route

    def begin(self, slots: SlotMap) -> None:
        """Take what a running node provides.

        Args:
            slots: which call worker owns a Call-ID.
        """
        self._slots = slots

    def target(self, to: Target, context: Mapping[str, Any]) -> tuple[Identity, str, str]:
        """Return identity, target and Call-ID of a request."""
        given = {**to, **context} if isinstance(to, Mapping) else {"to": to, **context}
        identity = self._who.in_context(given)
        if given.get("callid") and not self._slots.is_ours(given["callid"]):
            raise ConfigurationError(
                f"callid {said(given['callid'])} belongs to another slot; take one of ua.new_call_id()"
            )
        return identity, self._who.complete(given["to"]), given.get("callid", "")

    async def find(
        self, identity: Identity, target: str, call_id: str, leg: int | str | None, *, with_contact: bool
    ) -> Destination:
        """Look up where a request goes, as for a call.

        Raises:
            HostUnreachable: its host has no address.
            ConfigurationError: no leg reaches it.
        """
        checked_leg("leg", leg)
        uri = NameAddr.parse(target).uri if "<" in target else Uri.parse(target)
        named_by: tuple[str, ...] = ()
        if not identity.route and identity.from_ == self._who.from_:
            service = self._service_route(name_addr(self._who.from_))
            identity = identity._replace(route=service.route)
            if service.route and self._routes.proxy is None:
                named_by = service.named_by
        hops = await self._routes.of(uri, identity.route)
        self._who.trust(target)
        identity = resolved(identity, hops[0])
        own, user = identity.contact, uri_in(identity.from_).user or ""

        def contact(local: Hop) -> str:
            return (own or contact_at(user, local)) if with_contact else ""

        ways = tuple(self._routes.ways(hops, leg, contact))
        reached = tuple(way.hop.host for way in ways)
        proxies = (identity.outgoing_proxy.host,) if identity.outgoing_proxy is not None else ()
        peer = Peer((*named_by, *reached), proxies if named_by else (*reached, *proxies))
        return Destination(target, identity, ways, peer, call_id, partial(self._routes.way, contact=contact))
