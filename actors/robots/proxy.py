"""The stateless proxy of a node: each message of a permitted source that is not for the node itself is sent on.

The decisions are those of `sipcore.server.proxy`; here are the listeners, the challenges and the sending. A response
leaves from the listener that its request came to, by its connection while that is open. What a peer names as its
address is sent to by the rules for all addresses that peers name (`call_worker.destinations`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.server.filters import Decision, names_another
from sipswarm.sipcore.server.location import Binding, LocationStore, address_key
from sipswarm.sipcore.server.nat import Reached
from sipswarm.sipcore.server.proxy import Forward, Lookup, ProxySettings, StatelessProxy
from sipswarm.sipcore.transaction.stateless import stateless_tag

from ..bus.messages import SendFailed, SipReceived
from ..call_worker.application import Application
from ..call_worker.out_of_dialog import Arrivals
from ..diagnosis.server_options import ServerConfig
from ..runtime.outbox import Departure
from ..runtime.peer import Peer
from ..transport.local_addresses import LocalAddress
from ..transport.output import SipOutput
from .domains import Domains
from .next_hops import NextHops
from .registrar import authorizer
from .relayed_calls import Passing, RelayedCalls

REGISTERS: Final = "REGISTER"
_logger = logging.getLogger(__name__)
BUSY_RETRY: Final = 5
"""Seconds of Retry-After while no media can be relayed: as long as a port rests at least."""


class ProxyRobot(Application):
    """The proxy of one node.

    Args:
        domains: those that it serves.
        arrivals: of incoming messages.
        store: the bindings of the users; None = it knows no addresses.
        relayed: the calls whose media is relayed; None = none is.
        now: monotonic seconds.
        next_hops: looks names up.
        count: counts a message, by kind (request, response) and result (forwarded, refused, dropped, unsent).
    """

    scenario = "proxy"

    def __init__(
        self,
        config: ServerConfig,
        domains: Domains,
        arrivals: Arrivals,
        output: SipOutput,
        *,
        store: LocationStore | None,
        relayed: RelayedCalls | None,
        now: Callable[[], float],
        next_hops: NextHops,
        count: Callable[[str, str], None],
    ) -> None:
        context = arrivals.auth
        self._domains = domains
        self._store = store
        self._arrivals = arrivals
        self._output = output
        self._relayed = relayed
        self._now = now
        self._next_hops = next_hops
        self._count = count
        self._authorize = authorizer(context, config, domains, proxy=True) if config.auth else None
        self._any_from = config.any_from
        settings = ProxySettings(
            context.tag_key,
            is_own=domains.is_own,
            egress=self._egress,
            domain_of=domains.domain_of,
            locate=self._locate if store is not None else None,
            next_hop=_loose(config.next_hop) if config.next_hop else "",
            record_route=config.record_route or config.relay_media or config.nat,
            looks_up=True,
            realm=config.realm if config.auth else "",
            judge=self._challenge if config.auth else None,
            nat=config.nat,
        )
        self._proxy = StatelessProxy(settings)
        arrivals.serve(replace(arrivals.policy, options_status=200, relay=self._take_first))

    def _take_first(self, message: Request | Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Send a message on, or refuse it; False = it is for the node itself."""
        local = self._output.addresses.at(record.listener, record.local, record.host)
        if isinstance(message, Response):
            back = self._proxy.take_response(message, Reached(source, record.flow))
            if back is not None:
                self._send_back(message, back, source, local)
            return back is not None
        onward = self._proxy.take(message, source, local.seen, now, _way_of(record), flow=record.flow)
        if onward is Decision.PASS:
            return False
        if onward is Decision.DROP:
            self._count("request", "dropped")
            return True
        if not isinstance(onward, Lookup):
            self._go_on(message, onward, source, local, record)
        elif not self._next_hops.find(onward, partial(self._found, message, source, local, record)):
            self._count("request", "dropped")
        return True

    def _challenge(self, request: Request) -> Response | None:
        """Return the response that refuses a request for want of credentials, or for the From of another user."""
        if self._authorize is None or request.method == REGISTERS or self._proxy.is_within(request):
            return None
        judged = self._authorize.judge(request, self._now())
        if isinstance(judged, Response):
            return judged
        if not judged or self._any_from or not names_another(request, judged, self._domains.domain_of):
            return None
        tag = stateless_tag(request, self._arrivals.auth.tag_key)
        return Response.to_request(request, 403, "Forbidden (From names another user)", to_tag=tag)

    def _found(
        self, message: Request, source: Hop, local: LocalAddress, record: SipReceived, hops: tuple[Hop, ...]
    ) -> None:
        """Send a request on whose next hop was looked up."""
        now, way = self._now(), _way_of(record)
        onward = self._proxy.take(message, source, local.seen, now, way, hops=hops, flow=record.flow)
        self._go_on(message, onward, source, local, record)

    def _go_on(
        self,
        message: Request,
        onward: Forward | Response | Decision | Lookup,
        source: Hop,
        local: LocalAddress,
        record: SipReceived,
    ) -> None:
        """Send a request on, or answer it."""
        if isinstance(onward, Response):
            if message.method != "ACK":
                self._arrivals.answer(onward, record)
            self._count("request", "refused")
        elif isinstance(onward, Forward):
            self._send_on(message, onward, source, local, record)
        else:
            self._count("request", "dropped")

    def _locate(self, uri: Uri, domain: str, now: float) -> Sequence[Binding] | None:
        """Return the bindings of the user that a URI names; None when there is no such user."""
        assert self._store is not None
        found = self._store.bindings(address_key(uri, domain), now)
        knows = self._domains.knows
        return found or (() if knows is not None and knows(uri.user or "") else None)

    # ---- out

    def _egress(self, hop: Hop) -> Hop | None:
        """Return the address that a next hop sees this node's requests come from; None when it cannot be reached."""
        addresses = self._output.addresses
        listener = addresses.for_hop(hop)
        return None if listener is None else addresses.toward(listener, hop.host).seen

    def _send_on(self, message: Request, onward: Forward, source: Hop, here: LocalAddress, record: SipReceived) -> None:
        addresses = self._output.addresses
        listener = addresses.for_hop(onward.hop)
        if listener is None:
            return
        there = addresses.toward(listener, onward.hop.host)
        peer = Peer((source.host,), (onward.hop.host,) if onward.chosen else ())
        send = partial(self._depart, there, onward.flow, peer)
        if self._relayed is None:
            send(onward)
        else:
            refuse = partial(self._refuse, message, record)
            self._relayed.take(_passing(message, onward, source, here, there, send, refuse))

    def _send_back(self, message: Response, back: Forward, source: Hop, here: LocalAddress) -> None:
        output, hop = self._output, back.hop
        index, _, number = back.way.partition(".")
        listener = int(index) if index.isdecimal() and index.isascii() and len(index) < 4 else -1
        flow = int(number) if number.isdecimal() and number.isascii() and len(number) < 20 else 0
        if not 0 <= listener < len(output.hops) or output.hops[listener].transport != hop.transport:
            found, flow = output.addresses.for_hop(hop), 0
            if found is None:
                return
            listener = found
        there = output.addresses.toward(listener, hop.host)
        send = partial(self._depart, there, flow, None)
        if self._relayed is None:
            send(back)
        else:
            self._relayed.take(_passing(message, back, source, here, there, send, lambda: None))

    def _depart(self, there: LocalAddress, flow: int, peer: Peer | None, onward: Forward) -> None:
        if onward.bound:
            self._output.large.stay(onward.data, onward.hop)
        self._output.send(Departure(onward.data, onward.hop, flow, there.bound, peer))
        self._count("response" if peer is None else "request", "forwarded")

    def message_lost(self, failed: SendFailed) -> None:
        """Answer a request that could not be sent on as its next hop would by 503 (RFC 3261 section 16.9)."""
        response = self._proxy.take_loss(failed.data)
        back = None if response is None else self._proxy.take_response(response)
        if response is None or back is None:
            return  # a response, or no message of the proxy
        self._count("request", "unsent")
        _logger.info("a request to %s:%d gets 503: %s", failed.host, failed.port, failed.reason)
        output = self._output
        source = Hop(output.hops[failed.listener].transport, failed.host, failed.port)
        self._send_back(response, back, source, output.addresses.toward(failed.listener, failed.host))
        output.flush()

    def _refuse(self, request: Request, record: SipReceived) -> None:
        """Refuse a request whose media cannot be relayed now."""
        tag = stateless_tag(request, self._arrivals.auth.tag_key)
        reason = "Service Unavailable (no media ports)"
        extra = (("Retry-After", str(BUSY_RETRY)),)
        self._arrivals.answer(Response.to_request(request, 503, reason, to_tag=tag, extra=extra), record)
        self._count("request", "refused")


def _way_of(record: SipReceived) -> str:
    """Return how a request came, for its responses: the listener and the connection."""
    return f"{record.listener}.{record.flow}"


def _passing(
    message: Request | Response,
    onward: Forward,
    source: Hop,
    here: LocalAddress,
    there: LocalAddress,
    send: Callable[[Forward], None],
    refuse: Callable[[], None],
) -> Passing:
    facing = [(each.seen.host, each.media) for each in (here, there)]
    return Passing(message, onward, source.host, facing[0], facing[1], send, refuse)


def _loose(text: str) -> str:
    """Return the Route value of a URI, which is that of a loose router (RFC 3261 section 16.12)."""
    uri = Uri.parse(text)
    return f"<{uri if uri.lr else uri.replace(params={**uri.params, 'lr': None})}>"
