"""A registrar in a script: bob registers with his password, and whoever calls him is redirected to where he is.

    python examples/register_and_redirect.py udp:127.0.0.1:5060

It is `register_and_redirect.pl` of Net::SIP. As a service: `sipswarm registrar --redirect --users users.csv`.
"""

import asyncio
import os
import sys
import time

from sipswarm import Call, Request, Response, UserAgent
from sipswarm.sipcore.auth import DigestServer
from sipswarm.sipcore.message import Tokens
from sipswarm.sipcore.server import Authorize, LocationStore, Registrar, RegistrarSettings, address_key

USERS = {"bob": "secret"}


async def main(listen: str) -> None:
    store = LocationStore()
    registrar = Registrar(store, RegistrarSettings())
    server = DigestServer(os.urandom(16), "net-sip.example.com", Tokens(os.urandom), require_qop=False)
    authorize = Authorize(server, USERS.get)

    def register(request: Request) -> Response:
        now = time.monotonic()
        judged = authorize.judge(request, now)
        return judged if isinstance(judged, Response) else registrar.take(request, now, user=judged)

    async def redirect(call: Call) -> None:
        assert call.invite_request is not None
        found = store.bindings(address_key(call.invite_request.request_uri), time.monotonic())
        if found:
            call.reject(302, headers=[("Contact", str(each.contact)) for each in found])
        else:
            call.reject(404)

    async with UserAgent(legs=[listen]) as ua:
        ua.on_request("REGISTER", register)
        ua.listen(redirect)
        print("listening on", ua.legs[0], flush=True)
        await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
