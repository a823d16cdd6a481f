"""Where the requests of a user agent go, and from which of its legs (RFC 3263; man page C2).

A proxy of the user's, for all requests or for a domain, comes before the URI itself. Names are looked up here, before a
request is made, and the answers are given to the output, which needs them for what it sends later within the call.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..config import Listener
from ..errors import ConfigurationError
from ..identity import Keyring
from ..transport.addresses import ip_version, is_address
from ..transport.dns_records import Lookup
from ..transport.output import SipOutput
from ..transport.resolver import Resolver
from ..transport.targets import hop_of, uri_of
from .own_identity import uri_in


class Routes:
    """One per user agent.

    proxy: through which every request goes that has no way of its own. domain2proxy: proxies by domain, "*.example.org"
    or "*". lookup: answers questions to DNS, None = the system. keyring: is told of proxies that calls go through.
    """

    def __init__(
        self, proxy: Uri | None, domain2proxy: Mapping[str, str], lookup: Lookup | None, keyring: Keyring | None
    ) -> None:
        self.proxy = proxy
        self._domain2proxy = {name.lower(): uri_of(each) for name, each in domain2proxy.items()}
        self._lookup = lookup
        self._keyring = keyring
        self._resolver: Resolver | None = None
        self.legs: tuple[Listener, ...] = ()
        """the addresses we listen on, with their real ports, once the node runs"""

    def begin(
        self,
        legs: tuple[Listener, ...],
        output: SipOutput,
        listener_for: Callable[[Hop], int],
        *,
        is_own: bool,
    ) -> None:
        """The node runs. listener_for: the index of the leg that reaches a hop. is_own: it is ours alone."""
        self.legs = legs
        self._output = output
        self._listener_for = listener_for
        if is_own and self._lookup is not None:
            output.late.use(self._names())

    async def of(self, uri: Uri, route: Sequence[str] = ()) -> tuple[Hop, ...]:
        """Where a call to this URI goes: maddr, domain2proxy, outgoing proxy, first of the route, or the URI itself.

        Raises:
            HostUnreachable: a name has no address that a leg of ours reaches.
        """
        if uri.maddr and not route:
            return await self.resolve(uri)
        host = uri.host.lower()
        for pattern, proxy in self._domain2proxy.items():
            if pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return await self.resolve(proxy)
        if "*" in self._domain2proxy:
            return await self.resolve(self._domain2proxy["*"])
        proxy_or_route = uri_in(route[0]) if route and self.proxy is None else self.proxy
        hops = await self.resolve(proxy_or_route or uri)
        if self._keyring is not None and proxy_or_route is not None:
            for hop in hops:
                self._keyring.trust(hop.host)  # a call through a proxy shows its credentials to that
        return hops

    async def to_registrar(self, registrar: Uri) -> tuple[Hop, ...]:
        """Where REGISTER goes: the outgoing proxy, or the registrar itself."""
        return await self.resolve(self.proxy or registrar)

    async def resolve(self, uri: Uri) -> tuple[Hop, ...]:
        """The hops of a URI, a name by DNS (RFC 3263), in the order in which they are to be tried."""
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
        """The hop of a host without an address: what is sent there is lost at once, and told so."""
        late = self._output.late
        if late.resolver is None and self._resolver is not None:
            late.use(self._resolver)  # which knows already
        return Hop(self.legs[0].transport, host, 5060)

    def leg(self, leg: int | str | None, hop: Hop) -> int:
        """The index of the leg that a call uses (C2).

        Raises:
            ConfigurationError: there is no such leg, or none that reaches the hop.
        """
        if leg is None:
            return self._listener_for(hop)
        for index, listener in enumerate(self.legs):
            if leg == index or leg == str(listener):
                return index
        raise ConfigurationError(f"no leg is {leg!r}; there are {', '.join(map(str, self.legs))}")

    def _names(self) -> Resolver:
        if self._resolver is None:
            self._resolver = Resolver(self._lookup, random=Random())
        return self._resolver
