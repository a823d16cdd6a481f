"""Where the requests of a load go, INVITEs too, and what the remote side sees of this one.

All of them go to one place: that of the target, or of the proxy.
"""

from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.client_exchange import Way

from ...agent.own_identity import uri_in
from ...call_worker.account import Account
from ...call_worker.call_factory import CallFactory
from ...config import LoadConfig
from ...errors import ConfigurationError
from ...identity import contact_at
from ...runtime.peer import Peer
from ...transport.local_addresses import LocalAddress
from ...transport.output import SipOutput
from ...transport.targets import hop_of
from .parties import Parties

SIP_PORT: Final = 5060
"""Port of a SIP URI without one (RFC 3261 section 19.1.2)."""


class Route:
    """The route of a load's requests from one call worker. It blocks while a name is looked up.

    Args:
        account: of the local side.

    Raises:
        ConfigurationError: the target cannot be found, or no listener reaches it.
    """

    def __init__(self, config: LoadConfig, account: Account, output: SipOutput, factory: CallFactory) -> None:
        self._config = config
        self._account = account
        self._addresses = output.addresses
        self.hop = account.hop_to(config.target, output.hops)
        """Where each request goes."""
        output.name(self.hop, account.name_of(config.target))
        self._listener = factory.listener_for(self.hop)
        self.peer = Peer((self.hop.host,), (self.hop.host,))
        """The remote side of each."""
        self.proxied = account.proxy is not None
        """Whether it is an outgoing proxy."""
        self.credentials = account.credentials
        """User name and password of the local side; empty = it has none."""

    def target(self) -> Hop:
        """Return the place of the target itself, also behind a proxy. It blocks while a name is looked up.

        A domain that only the proxy knows is its name.
        """
        if not self.proxied:
            return self.hop
        try:
            return hop_of(self._config.target)
        except ConfigurationError:
            uri = Uri.parse(self._config.target)
            return Hop(self.hop.transport, uri.host, uri.port or SIP_PORT)

    def parties(self) -> Parties:
        """Return the sides of the load's arrivals.

        Raises:
            ConfigurationError: the data of the load cannot be taken.
        """
        config = self._config
        servers = (self.hop.host, self._account.name_of(config.target), Uri.parse(config.target).host)
        return Parties(config, self._account.identity(self.local().seen.host), servers)

    def local(self) -> LocalAddress:
        """Return the local address toward the place."""
        return self._addresses.toward(self._listener, self.hop.host)

    def way(self, from_: str, *, with_contact: bool = True) -> Way:
        """Return the way of a request.

        Args:
            from_: the local side, whose user the Contact has.
        """
        local = self.local()
        contacts = (contact_at(uri_in(from_).user or "", local.seen),) if with_contact else ()
        return Way(self.hop, local.seen, contacts, local.bound)
