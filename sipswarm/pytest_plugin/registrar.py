"""The registrar of one test: phones and devices register at it, and who calls their address is redirected to them.

Every REGISTER is decided by `sipcore.server` (RFC 3261 section 10.3). All domains are one, because a device may write
the name or any address of this host. Nobody is challenged before the test names users with their passwords.
"""

import asyncio
import os
import time
from typing import Final

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.auth.digest_server import DigestServer
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.server.filters import Authorize
from sipswarm.sipcore.server.location import LocationStore, address_key
from sipswarm.sipcore.server.registrar import Registrar, RegistrarSettings

REALM: Final = "sipswarm"
_DOMAIN: Final = "registrar"
"""What every domain is in the table."""


class RegistrarOfTest:
    """A registrar and redirect server on a user agent.

    Args:
        ua: runs, and takes no calls yet.
    """

    def __init__(self, ua: UserAgent) -> None:
        self.ua = ua
        """Its user agent: `ua.legs` are the addresses, UDP first."""
        self.users: dict[str, str] = {}
        """Passwords by user; as soon as there is one, each REGISTER is challenged."""
        self._store = LocationStore()
        tag_key = os.urandom(16)
        settings = RegistrarSettings(least=1, domain_of=lambda host: _DOMAIN, tag_key=tag_key)
        self._registrar = Registrar(self._store, settings)
        server = DigestServer(os.urandom(16), REALM, Tokens(os.urandom), require_qop=False)
        self._authorize = Authorize(server, self.users.get, tag_key=tag_key)
        self._changed = asyncio.Event()
        ua.on_request("REGISTER", self._register)
        ua.listen(self._redirect)

    @property
    def uri(self) -> str:
        """Its SIP URI on loopback: what `UserAgent.register` takes."""
        return f"sip:127.0.0.1:{self.ua.legs[0].port}"

    def address_of(self, user: str) -> str:
        """Return the SIP URI of a user here; a call to it gets 302 with the contacts, 404 without any."""
        return f"sip:{user}@127.0.0.1:{self.ua.legs[0].port}"

    def contacts(self, user: str) -> tuple[str, ...]:
        """Return the contacts that a user has now, as SIP URIs, that of the highest q first."""
        return tuple(str(each.uri) for each in self._store.bindings(f"{user}@{_DOMAIN}", time.monotonic()))

    async def registered(self, user: str, timeout: float = 10.0) -> tuple[str, ...]:
        """Wait until a user has contacts, and return them.

        Args:
            user: as in the To of its REGISTER.
            timeout: seconds.

        Raises:
            CallTimeout: it did not register in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (found := self.contacts(user)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise CallTimeout(f"{user} did not register within {timeout:g} s") from None
        return found

    def _register(self, request: Request) -> Response:
        now = time.monotonic()
        user = self._authorize.judge(request, now) if self.users else ""
        if isinstance(user, Response):
            return user
        response = self._registrar.take(request, now, user=user)
        self._changed.set()
        return response

    async def _redirect(self, call: Call) -> None:
        request = call.invite_request
        assert request is not None
        found = self._store.bindings(address_key(request.request_uri, _DOMAIN), time.monotonic())
        if found:
            call.reject(302, headers=[("Contact", str(each.contact)) for each in found])
        else:
            call.reject(404)
