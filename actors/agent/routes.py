"""Where the requests of a user agent go, and from which of its legs (RFC 3263).

Order: a `maddr` of the URI, a proxy of the URI's domain, the outgoing proxy, the first of the route, then the URI
itself. Names are looked up here before a request is made. The output gets the answers, because it needs them for what
it sends later within the call. Credentials are shown to a proxy only when a call goes through it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.client_exchange import Way

from ..config import Listener
from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..handle.given_text import checked_leg
from ..identity import Keyring
from ..runtime.callbacks import takes
from ..transport.names.addresses import ip_version, is_address
from ..transport.names.dns_records import Answer, Lookup
from ..transport.names.resolver import Resolver
from ..transport.output import SipOutput
from ..transport.targets import hop_of, uri_of
from .own_identity import uri_in

AnyLookup = Lookup | Callable[[str, str], Answer]
"""The lookup of a user: a coroutine function, or one that answers at once."""


def _awaited(lookup: AnyLookup) -> Lookup:
    """Return the lookup of a user as a coroutine function."""

    async def answer(kind: str, name: str) -> Answer:
        found = lookup(kind, name)
        return await found if isinstance(found, Awaitable) else found

    return answer


class Routes:
    """The ways of one user agent's requests.

    Args:
        proxy: where every request goes that has no other way.
        domain2proxy: proxies by domain, "*.example.org" or "*".
        lookup: answers DNS queries; None = the system's resolver.
        keyring: the credentials that a call's proxy may be shown.
    """

    def __init__(
        self, proxy: Uri | None, domain2proxy: Mapping[str, str], lookup: AnyLookup | None, keyring: Keyring | None
    ) -> None:
        self.proxy = proxy
        if not isinstance(domain2proxy, Mapping) or not all(isinstance(name, str) and name for name in domain2proxy):
            raise ConfigurationError(f"domain2proxy {said(domain2proxy)} is no mapping of domains to SIP URIs")
        if lookup is not None and not (callable(lookup) and takes(lookup, 2)):
            raise ConfigurationError(f"dnsresolv {said(lookup)}: give a function of (kind, name), coroutine or plain")
        self._domain2proxy = {name.lower(): uri_of(each, "domain2proxy") for name, each in domain2proxy.items()}
        self._lookup = None if lookup is None else _awaited(lookup)
        self._keyring = keyring
        self._resolver: Resolver | None = None
        self.legs: tuple[Listener, ...] = ()
        """The local addresses with their real ports, once the node runs."""

    def begin(
        self,
        legs: tuple[Listener, ...],
        output: SipOutput,
        listener_for: Callable[[Hop], int],
        *,
        is_own: bool,
    ) -> None:
        """Take what a running node provides.

        Args:
            listener_for: returns the index of the leg that reaches a hop.
            is_own: the node belongs to this user agent alone.
        """
        self.legs = legs
        self._output = output
        self._listener_for = listener_for
        if is_own and self._lookup is not None:
            output.late.use(self._names())

    def server_of(self, uri: Uri, route: Sequence[str] = ()) -> Uri | None:
        """Return the proxy, or the first of the route, that a call to this URI goes to; None = the URI itself."""
        if uri.maddr and not route:
            return None
        host = uri.host.lower()
        for pattern, proxy in self._domain2proxy.items():
            if pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return proxy
        if "*" in self._domain2proxy:
            return self._domain2proxy["*"]
        return uri_in(route[0]) if route and self.proxy is None else self.proxy

    async def of(self, uri: Uri, route: Sequence[str] = ()) -> tuple[Hop, ...]:
        """Return the hops of a call to this URI, in the order in which they are tried.

        Raises:
            HostUnreachable: a name has no address that a local leg reaches.
        """
        server = self.server_of(uri, route)
        hops = await self.resolve(server or uri)
        by_domain = any(server is each for each in self._domain2proxy.values())
        if self._keyring is not None and server is not None and not by_domain:
            for hop in hops:
                self._keyring.trust(hop.host)  # a proxy may challenge a call that goes through it
        return hops

    async def to_registrar(self, registrar: Uri) -> tuple[Hop, ...]:
        """Return the hops of a REGISTER: those of the outgoing proxy, or of the registrar itself."""
        return await self.resolve(self.proxy or registrar)

    async def resolve(self, uri: Uri) -> tuple[Hop, ...]:
        """Return the hops of a URI in the order in which they are tried; DNS resolves a name (RFC 3263)."""
        host = uri.maddr or uri.host
        if is_address(host):
            return (hop_of(str(uri)),)
        reachable = tuple((leg.transport, ip_version(leg.host)) for leg in self.legs)
        hops = await self._names().hops(uri, reachable)
        self._output.late.learn(host, hops)
        for hop in hops:
            self._output.name(hop, host)
        return hops

    def nowhere(self, host: str) -> Hop:
        """Return the hop of a host without an address: the output reports each request to it as lost at once."""
        late = self._output.late
        if late.resolver is None and self._resolver is not None:
            late.use(self._resolver)  # it has the negative answer already
        return Hop(self.legs[0].transport, host, 5060)

    def leg(self, leg: int | str | None, hop: Hop) -> int:
        """Return the index of the leg that a call uses.

        Args:
            leg: index or name; None = the one that reaches the hop.

        Raises:
            ConfigurationError: there is no such leg, or none that reaches the hop.
        """
        return self._listener_for(hop) if leg is None else self.index_of(leg)

    def ways(self, hops: Sequence[Hop], leg: int | str | None, contact: Callable[[Hop], str]) -> list[Way]:
        """Return the ways of requests outside of calls, one for each hop that a leg reaches.

        Args:
            leg: that of the user; None = for each hop the leg that reaches it.
            contact: returns the Contact at a local address, as the hop sees it; empty = none.

        Raises:
            ConfigurationError: no leg reaches the first hop, or that of the user reaches none.
        """
        listener = self.leg(leg, hops[0])
        addresses = self._output.addresses
        ways = []
        for hop in hops:
            if leg is None or addresses.reaches(addresses.hops[listener], hop):
                way = self.way(hop, contact, None if leg is None else listener)
                if way is not None:
                    ways.append(way)
        if not ways:
            raise ConfigurationError(f"the leg {self.legs[listener]} does not reach {hops[0]}; choose another")
        return ways

    def way(self, hop: Hop, contact: Callable[[Hop], str], listener: int | None = None) -> Way | None:
        """Return the way to a hop; None when no leg reaches it.

        Args:
            contact: as for `ways`.
            listener: the index of the leg; None = the one that reaches the hop.
        """
        addresses = self._output.addresses
        found = addresses.for_hop(hop) if listener is None else listener
        if found is None:
            return None
        here = addresses.toward(found, hop.host)
        own = contact(here.seen)
        return Way(hop, here.seen, (own,) if own else (), here.bound)

    def index_of(self, leg: int | str) -> int:
        """Return the index of a leg.

        Args:
            leg: index or name.

        Raises:
            ConfigurationError: there is no such leg.
        """
        checked_leg("leg", leg)
        for index, listener in enumerate(self.legs):
            if leg == index or leg == str(listener):
                return index
        raise ConfigurationError(f"no leg is {said(leg)}; there are {', '.join(map(str, self.legs))}")

    def _names(self) -> Resolver:
        if self._resolver is None:
            self._resolver = Resolver(self._lookup, random=Random())
        return self._resolver
