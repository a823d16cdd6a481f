"""The user agent that a robot's `setup(ua)` gets: it also reads lists, keeps their users registered, and has timers.

Each request belongs to one `Arrangement`: after a reload the list of the new run holds, and nothing else. An address is
registered by the one worker that owns it. An arrangement must not take effect before its `setup` has ended. The
exceptions are registrations that `setup` waits for, and the timers of the first one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Unpack

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..agent.agent_options import AgentOptions
from ..agent.bound_node import BoundNode
from ..agent.own_identity import registrar_uri
from ..agent.timer import Timer
from ..agent.user_agent import UserAgent
from ..errors import ConfigurationError
from ..handle.file_names import file_name
from ..handle.given_text import (
    MOST_SECONDS,
    check_headers,
    checked_contact,
    checked_number,
    checked_pairs,
    checked_text,
    checked_whole,
)
from ..identity import Auth, Keyring
from ..registration.keeper import Binding
from ..scripts.data import Data, Row
from .setup_run import Arrangement

RESOLVE_AGAIN: Final = 30.0
"""Seconds until the names of registrars that could not be found are looked up again."""
OF_KEEP_REGISTERED: Final = ("address", "registrar", "auth", "contact", "expires")
MOST_RATE: Final = 100_000
"""REGISTERs per second."""
_logger = logging.getLogger(__name__)


class RobotAgent(UserAgent):
    """A `UserAgent` on a call worker of a running node, for one run of `setup`."""

    def __init__(self, from_: str, *, node: BoundNode, arrangement: Arrangement, **options: Any) -> None:
        super().__init__(from_, node=node, **options)
        self._bound_node = node
        self._auth: Auth | None = options.get("auth")
        self._arrangement = arrangement

    def another(self, from_: str, *, same_legs: bool = True, **options: Unpack[AgentOptions]) -> "RobotAgent":
        """Return a further user agent on the same call worker.

        Args:
            from_, options: as for `UserAgent`.
            same_legs: on a node it always has them.
        """
        return RobotAgent(from_, node=self._bound_node, arrangement=self._arrangement, **options)

    def rows(self, path: str) -> tuple[Row, ...]:
        """Return the rows of a CSV file: a header of column names, or SIPp's form.

        Args:
            path: a relative one starts at the robot's file.

        Raises:
            ConfigurationError: with file and line: it cannot be read, has no rows, or a row has another number of
                fields.
        """
        return tuple(Data.read(str(self._arrangement.folder / file_name(path))).rows)

    def keep_registered(
        self,
        address: str,
        *,
        registrar: str = "",
        auth: Auth | None = None,
        contact: str = "",
        expires: int = 900,
        **headers: str,
    ) -> bool:
        """Keep an address registered from the end of `setup` on.

        REGISTERs leave at a bounded rate; one that fails is tried again (RFC 5626 section 4.5); all are removed at the
        end.

        Args:
            address: SIP URI, or a bare user with `domain`.
            registrar: SIP URI or HOST:PORT, default the user agent's.
            auth: (user, password), by realm, or a function of the realm.
            contact: default the user at the local listener.
            expires: seconds to request.
            headers: further ones, `_` for `-`.

        Returns:
            Whether this worker is the one that registers it.

        Raises:
            ConfigurationError: no registrar is known, an address cannot be, or it is there already.
        """
        check_headers("keep_registered", headers, OF_KEEP_REGISTERED)
        address = self._who.complete(address, "address")
        checked_contact("contact", contact)
        if auth is not None:
            Keyring(auth)
        binding = Binding(
            address,
            self._registrar_of(registrar),
            contact,
            auth if auth is not None else self._auth,
            checked_whole("expires", expires, 0, MOST_SECONDS),
            checked_pairs("headers", {name.replace("_", "-"): value for name, value in headers.items()}),
        )
        if not self._arrangement.owns(address):
            return False
        self._arrangement.want(binding)
        return True

    @property
    def register_rate(self) -> float:
        """REGISTERs per second of the whole node that begin a registration; 0 = 100."""
        return self._arrangement.rate

    @register_rate.setter
    def register_rate(self, rate: float) -> None:
        self._arrangement.register_at(checked_number("register_rate", rate, 0, MOST_RATE))

    def every(
        self,
        seconds: float,
        function: Callable[[], Any],
        *,
        first: float | None = None,
        every_worker: bool = False,
    ) -> Timer:
        """As `UserAgent.every`; ends with the next reload.

        Args:
            seconds, function, first, every_worker: as there.
        """
        return self._arrangement.every(Timer(seconds, function, first), every_worker=every_worker)

    async def register(
        self, registrar: str = "", *, contact: str = "", expires: int = 900, refresh: bool = False, **options: Any
    ) -> int:
        """As `UserAgent.register`; after a reload, a binding that is requested in the same way again stays.

        Args:
            registrar, contact, expires, refresh, options: as there.
        """
        arrangement = self._arrangement
        if not expires or not arrangement.owns(self.from_):
            return await super().register(registrar, contact=contact, expires=expires, refresh=refresh, **options)
        uri = self._registrar_of(registrar)
        checked_text("contact", contact)
        binding = Binding(self.from_, uri, contact, self._auth, expires, (("refresh", str(refresh)),))
        seconds = arrangement.keep(binding)
        if seconds is not None:
            return seconds
        before = self._registering.actors
        try:
            return await super().register(uri, contact=contact, expires=expires, refresh=refresh, **options)
        finally:
            for actor in self._registering.actors:
                if actor not in before:
                    arrangement.add(binding, actor)

    async def find(self, registrar: str) -> Sequence[Hop]:
        """Return the places of a registrar, the best one first; not for users.

        Raises:
            ConfigurationError: its name cannot be found.
        """
        return await self._routes.to_registrar(Uri.parse(registrar))

    async def hops_of(self, arrangement: Arrangement) -> dict[str, Hop]:
        """Return the hops of the registrars of an arrangement; not for users.

        It tries until all are found and reached by listeners of the node.
        """
        while True:
            try:
                return await self._hops_of(arrangement)
            except ConfigurationError as error:
                _logger.error("%s; trying again in %.0f s", error, RESOLVE_AGAIN)
                await asyncio.sleep(RESOLVE_AGAIN)

    async def _hops_of(self, arrangement: Arrangement) -> dict[str, Hop]:
        hops = {}
        for registrar in {binding.registrar for binding in arrangement.wanted.values()}:
            hop = (await self.find(registrar))[0]
            self._routes.leg(None, hop)
            hops[registrar] = hop
        return hops

    def _registrar_of(self, registrar: str) -> str:
        return registrar_uri(registrar if registrar != "" else self.registrar, "keep_registered")
