"""The account that a node acts under: who its calls and its registration are from, by which way, with which password.

Makes identities, and user agents that share them, from plain configuration. Knows no call and writes no message.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sipcore.hop import Hop
from sipcore.message import Response
from sipcore.uri import Uri

from .config import NodeConfig, format_host
from .errors import CallRejected, CallTimeout
from .identity import Identity, Keyring
from .targets import hop_of

if TYPE_CHECKING:
    from .arrangement import Arrangement
    from .call_worker import CallWorker
    from .robot_agent import RobotAgent
    from .user_agent import UserAgent

REGISTRATION_TIME: Final = 900
"""seconds for which a registration is asked"""
_logger = logging.getLogger(__name__)


class Account:
    """One per call worker.

    legs: the hops of our listeners, by which a proxy that is a name is chosen; that question to DNS is asked here.

    Raises:
        ConfigurationError: the proxy cannot be found.
    """

    def __init__(self, config: NodeConfig, legs: Sequence[Hop]) -> None:
        own = self._own = config.account
        self._user = config.user
        reachable = [(leg.transport, 6 if ":" in leg.host else 4) for leg in legs]
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
        return self.proxy or hop_of(uri, [(leg.transport, 6 if ":" in leg.host else 4) for leg in legs])

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

    def agent(self, worker: "CallWorker", from_: str = "") -> "UserAgent":
        """A user agent on a worker that acts under this account; from_: its URI, that of the first listener's calls."""
        from .user_agent import UserAgent

        own = self._own
        return UserAgent(
            from_ or self.identity(worker.output.hops[0].host).from_,
            outgoing_proxy=own.proxy,
            registrar=own.registrar,
            auth=(own.user, own.password) if own.user else None,
            headers=own.headers,
            worker=worker,
        )

    def robot_agent(self, worker: "CallWorker", arrangement: "Arrangement") -> "RobotAgent":
        """The user agent of a robot's `setup`, under this account."""
        from .robot_agent import RobotAgent

        own = self._own
        return RobotAgent(
            self.identity(worker.output.hops[0].host).from_,
            outgoing_proxy=own.proxy,
            registrar=own.registrar,
            auth=(own.user, own.password) if own.user else None,
            headers=own.headers,
            worker=worker,
            arrangement=arrangement,
        )

    async def keep_registered(self, worker: "CallWorker") -> None:
        """Bind our address at the registrar and keep it bound, by the worker that owns it; failures are logged."""
        own = self._own

        def tell(result: str, info: Mapping[str, Any] | int, response: Response | None) -> None:
            if result != "OK":
                why = f"{response.status} {response.reason}" if response is not None else "no answer"
                _logger.warning("%s is not registered with %s: %s", own.address, own.registrar, why)

        legs = worker.output.hops
        leg = worker.listener_for(self.hop_to(own.registrar, legs))
        with suppress(CallRejected, CallTimeout):  # logged; the next try is planned
            await self.agent(worker, own.address).register(
                expires=REGISTRATION_TIME, refresh=True, leg=leg, cb_final=tell
            )
