"""Places the calls of a user agent: identity, way and media of each (man page `invite`).

It checks the texts and headers first, then looks up the target's hops and completes the identity. It checks the media,
lets the run refuse the call, makes the actor, and waits for the final response unless there is a `cb_final`. An
impossible call must be refused before a media port is taken and before anything is sent.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.uri import Uri

from ..call_worker.call_factory import CallFactory, CallOrder
from ..errors import ConfigurationError, HostUnreachable
from ..handle import media_handlers
from ..handle.call import Call
from ..handle.demand import demand_wishes, given_description, media_wishes
from ..handle.media_ports import convert
from ..handle.parameters import CallParameters
from ..transport.local_addresses import LocalAddresses
from .own_identity import OwnIdentity, keyring_for, name_addr, resolved
from .placing import Placing
from .registering import ServiceRoute
from .routes import Routes


class Caller:
    """Places the calls of one user agent.

    Args:
        service_route: returns the route that the registrar of an address gave for its calls (RFC 3608).
    """

    def __init__(self, who: OwnIdentity, routes: Routes, service_route: Callable[[str], ServiceRoute]) -> None:
        self._who = who
        self._routes = routes
        self._service_route = service_route

    def begin(self, factory: CallFactory, addresses: LocalAddresses, rtp_timeout: float) -> None:
        """Take what a running node provides.

        Args:
            rtp_timeout: seconds, as in the node's configuration.
        """
        self._factory = factory
        self._addresses = addresses
        self._rtp_timeout = rtp_timeout

    async def place(
        self,
        to: str | Mapping[str, Any],
        parameters: CallParameters,
        placing: Placing,
        call: Call | None = None,
        *,
        note: Callable[[Call], None],
        named_by: tuple[str, ...] = (),
    ) -> Call:
        """Place a call, as `UserAgent.invite` does.

        Args:
            call: the handle that `Call(ua, to, …)` made; this is its first INVITE.
            note: called with the call before its INVITE leaves.
            named_by: the hosts of the peer that named `to`; empty = the user did.
        """
        who, routes, factory = self._who, self._routes, self._factory
        identity, context_id = who.usual, ""
        if isinstance(to, Mapping):
            identity, context_id = who.in_context(to), to.get("callid", "")
        target = who.complete(to["to"] if isinstance(to, Mapping) else to)
        if parameters.get("media") is not None and parameters.init_media is not None:
            raise ConfigurationError("media and init_media both say what is sent; give one of them")
        headers = parameters.header_pairs()
        given_id = parameters.take("call_id", context_id)
        call_id = given_id if call is None else call.call_id
        uri = NameAddr.parse(target).uri if "<" in target else Uri.parse(target)
        if routes.server_of(uri, identity.route) is not None:
            named_by = ()  # the user has chosen where it goes
        if not identity.route and identity.from_ == who.from_:
            service = self._service_route(name_addr(who.from_))
            identity = identity._replace(route=service.route)
            if service.route and routes.proxy is None:
                named_by = (*named_by, *service.named_by)
        auth = parameters.take("auth")
        if auth is not None:
            identity = identity._replace(credentials=keyring_for(auth, uri))
        try:
            hop, *spare = await routes.of(uri, identity.route)
        except HostUnreachable as error:
            if parameters.cb_final is None:
                raise
            hop, spare = routes.nowhere(error.host), []
            parameters.update({"leg": parameters.leg or 0})
        who.trust(target)
        identity = resolved(identity, hop)
        media = parameters.take("media", None if parameters.has("init_media") else placing.media)
        convert(factory.media_leases, parameters)
        parameters.update({"ring_time": parameters.ring_time or placing.ring_time})
        if media is None and parameters.init_media is None:
            parameters.update({"init_media": media_handlers.echo()})
        listener = routes.leg(parameters.leg, hop)
        if parameters.leg is not None:  # the user's choice: the call stays in its IP version
            spare = [each for each in spare if (":" in each.host) == (":" in hop.host)]
        wishes = media_wishes(media, self._rtp_timeout) if media is not None else {}
        wishes = {"inactivity_limit": self._rtp_timeout, **demand_wishes(parameters), **wishes}
        factory.check_media(wishes, parameters.init_media)
        demand = factory.demand_for(self._addresses.toward(listener, hop.host), **wishes)
        if placing.before_placed is not None:
            placing.before_placed()
        order = CallOrder(
            target,
            hop,
            identity,
            demand,
            spare=spare,
            headers=headers,
            ring_time=parameters.ring_time,
            scenario=placing.scenario,
            call_id=call_id,
            param=parameters,
            listener=listener,
            given=given_description(parameters, needs_ports=wishes.get("wanted", True)),
            call=call,
            named_by=named_by,
        )
        call = factory.outgoing(order)
        note(call)
        if placing.on_placed is not None:
            placing.on_placed(call)
        if parameters.cb_final is None:
            try:
                await call.established()
            except asyncio.CancelledError:
                call.hang_up()  # the caller never received the handle
                raise
        return call
