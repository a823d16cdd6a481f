"""The account of a node: the identity of its calls and of its registration, their proxy, and their password.

It makes identities from plain configuration. The proxy is looked up when the account is made; each look-up of a name
blocks. It must hold no call and write no message.
"""

from collections.abc import Sequence
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..bus.slots import SlotMap
from ..config import NodeConfig, format_host
from ..identity import Identity, Keyring
from ..registration.keeper import Binding, Registrations
from ..transport.local_addresses import LocalAddress, LocalAddresses
from ..transport.names.addresses import ip_version
from ..transport.output import SipOutput
from ..transport.targets import hop_of

REGISTRATION_TIME: Final = 900
"""Seconds that a registration requests."""


class Account:
    """The account of one call worker.

    Args:
        addresses: of the local listeners, which decide the place of a proxy that is a name; its DNS query is sent here.

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
        """Hop of every request without a route; None = the hop of its URI."""
        self._keyring = Keyring((own.user, own.password)) if own.user else None
        if self._keyring is not None:
            target = config.load.target if config.load is not None else ""
            for uri in filter(None, (own.proxy, own.registrar, target)):
                self._keyring.trust(Uri.parse(uri).host)
            if self.proxy is not None:
                self._keyring.trust(self.proxy.host)

    def hop_to(self, uri: str, legs: Sequence[Hop]) -> Hop:
        """Return the hop of a request to this URI: the proxy, or that of the URI. It blocks while a name is looked up.

        Raises:
            ConfigurationError: as `hop_of`.
        """
        return self.proxy or hop_of(uri, [(leg.transport, ip_version(leg.host)) for leg in legs])

    def name_of(self, uri: str) -> str:
        """Return the host whose certificate the hop of this URI must show."""
        return Uri.parse(self._own.proxy or uri).host

    def identity(self, host: str) -> Identity:
        """Return the local identity on a listener with this address."""
        own = self._own
        return Identity(
            own.from_ or f"sip:{self._user}@{format_host(host)}",
            outgoing_proxy=self.proxy,
            credentials=self._keyring,
            headers=own.headers,
        )

    def own_uri(self, config: NodeConfig) -> str:
        """Return the local URI for use without a remote side."""
        return self.identity(self._usual(config).seen.host).from_

    def _usual(self, config: NodeConfig) -> LocalAddress:
        """Return the local address toward proxy, registrar or target; without them, of the first listener."""
        uris = (self._own.proxy, self._own.registrar, config.load.target if config.load is not None else "")
        for uri in filter(None, uris):
            hop = self.hop_to(uri, self._addresses.hops)
            listener = self._addresses.listener_for(hop)
            if listener is not None:
                return self._addresses.toward(listener, hop.host)
        return self._addresses.usual(0)

    @property
    def credentials(self) -> tuple[str, str]:
        """User name and password; empty = there are none."""
        return self._own.user, self._own.password

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
        """Keep the local address bound at the registrar, on the call worker that owns it."""
        own = self._own
        if not slots.is_ours(own.address):
            return
        auth = (own.user, own.password) if own.user else None
        binding = Binding(own.address, own.registrar, auth=auth, expires=REGISTRATION_TIME, headers=own.headers)
        hop = self.hop_to(own.registrar, output.hops)
        output.name(hop, self.name_of(own.registrar))
        registrations.settle({binding.key: binding}, {}, {own.registrar: hop})
