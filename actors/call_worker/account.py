"""The account that a node acts under: who its calls and its registration are from, by which way, with which password.

Makes identities from plain configuration. Knows no call and writes no message.
"""

from collections.abc import Sequence
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..bus.slots import SlotMap
from ..config import NodeConfig, format_host
from ..identity import Identity, Keyring
from ..registration.keeper import Binding, Registrations
from ..transport.addresses import ip_version
from ..transport.local_addresses import LocalAddress, LocalAddresses
from ..transport.output import SipOutput
from ..transport.targets import hop_of

REGISTRATION_TIME: Final = 900
"""seconds for which a registration is asked"""


class Account:
    """One per call worker.

    addresses: of our listeners, by which a proxy that is a name is chosen; that question to DNS is asked here.

    Raises:
        ConfigurationError: the proxy cannot be found.
    """

    def __init__(self, config: NodeConfig, addresses: LocalAddresses) -> None:
        self._addresses = addresses
        legs = addresses.hops
        own = self._own = config.account
        self._user = config.user
        reachable = [(leg.transport, ip_version(leg.host)) for leg in legs]
        self.proxy: Hop | None = hop_of(own.proxy, reachable) if own.proxy else None
        """where every request without a route goes; None = where its URI leads"""
        self._keyring = Keyring((own.user, own.password)) if own.user else None
        if self._keyring is not None:
            target = config.load.target if config.load is not None else ""
            for uri in filter(None, (own.proxy, own.registrar, target)):
                self._keyring.trust(Uri.parse(uri).host)
            if self.proxy is not None:
                self._keyring.trust(self.proxy.host)

    def hop_to(self, uri: str, legs: Sequence[Hop]) -> Hop:
        """Where a request to this URI goes: the proxy, else where the URI leads; blocks while a name is looked up.

        Raises:
            ConfigurationError: as `hop_of`.
        """
        return self.proxy or hop_of(uri, [(leg.transport, ip_version(leg.host)) for leg in legs])

    def name_of(self, uri: str) -> str:
        """The host whose certificate must be shown where a request to this URI goes."""
        return Uri.parse(self._own.proxy or uri).host

    def identity(self, host: str) -> Identity:
        """Who we are on a listener with this address."""
        own = self._own
        return Identity(
            own.from_ or f"sip:{self._user}@{format_host(host)}",
            outgoing_proxy=self.proxy,
            credentials=self._keyring,
            headers=own.headers,
        )

    def own_uri(self, config: NodeConfig) -> str:
        """Our URI where no peer is named."""
        return self.identity(self._usual(config).seen.host).from_

    def _usual(self, config: NodeConfig) -> LocalAddress:
        """Our address where no peer is named: toward proxy, registrar or target, else of the first listener."""
        uris = (self._own.proxy, self._own.registrar, config.load.target if config.load is not None else "")
        for uri in filter(None, uris):
            hop = self.hop_to(uri, self._addresses.hops)
            listener = self._addresses.listener_for(hop)
            if listener is not None:
                return self._addresses.toward(listener, hop.host)
        return self._addresses.usual(0)

    @property
    def agent_options(self) -> dict[str, Any]:
        """Arguments of a user agent that acts under this account."""
        own = self._own
        return {
            "outgoing_proxy": own.proxy,
            "registrar": own.registrar,
            "auth": (own.user, own.password) if own.user else None,
            "headers": own.headers,
        }

    def keep_registered(self, slots: SlotMap, output: SipOutput, registrations: Registrations) -> None:
        """Have our address bound at the registrar and kept bound, where this call worker is the one that owns it."""
        own = self._own
        if not slots.is_ours(own.address):
            return
        auth = (own.user, own.password) if own.user else None
        binding = Binding(own.address, own.registrar, auth=auth, expires=REGISTRATION_TIME, headers=own.headers)
        hop = self.hop_to(own.registrar, output.hops)
        output.name(hop, self.name_of(own.registrar))
        registrations.settle({binding.key: binding}, {}, {own.registrar: hop})
