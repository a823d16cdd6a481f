"""The stateless proxy of a node: each message of a permitted source that is not for the node itself is sent on.

The decisions are those of `sipcore.server.proxy`; here are the listeners, the challenges and the sending. A response
leaves from the listener that its request came to, by its connection while that is open. What a peer names as its
address is sent to by the rules for all addresses that peers name (`call_worker.destinations`). A name is looked up for
each message, as addresses only (A and AAAA).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.server.filters import Decision
from sipswarm.sipcore.server.location import Binding, LocationStore, address_key
from sipswarm.sipcore.server.proxy import Forward, ProxySettings, StatelessProxy

from ..bus.messages import SipReceived
from ..call_worker.application import Application
from ..call_worker.out_of_dialog import Arrivals
from ..diagnosis.server_options import ServerConfig
from ..runtime.outbox import Departure
from ..runtime.peer import Peer
from ..transport.output import SipOutput
from .domains import Domains
from .registrar import authorizer

REGISTERS: Final = "REGISTER"


class ProxyRobot(Application):
    """The proxy of one node.

    Args:
        domains: those that it serves.
        arrivals: of incoming messages.
        store: the bindings of the users; None = it knows no addresses.
        count: counts a message, by kind (request, response) and result (forwarded, refused, dropped).
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
        count: Callable[[str, str], None],
    ) -> None:
        context = arrivals.auth
        self._domains = domains
        self._store = store
        self._arrivals = arrivals
        self._output = output
        self._count = count
        self._authorize = (
            authorizer(context, config, domains, proxy=True, within_dialogs=False) if config.auth else None
        )
        settings = ProxySettings(
            context.tag_key,
            is_own=domains.is_own,
            egress=self._egress,
            domain_of=domains.domain_of,
            locate=self._locate if store is not None else None,
            next_hop=_loose(config.next_hop) if config.next_hop else "",
            record_route=config.record_route,
            realm=config.realm if config.auth else "",
        )
        self._proxy = StatelessProxy(settings)
        arrivals.serve(replace(arrivals.policy, options_status=200, relay=self._take_first))

    def _take_first(self, message: Request | Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Send a message on, or refuse it; False = it is for the node itself."""
        if isinstance(message, Response):
            back = self._proxy.take_response(message)
            if back is not None:
                self._send_back(back)
                self._count("response", "forwarded")
            return back is not None
        local = self._output.addresses.at(record.listener, record.local, record.host)
        onward = self._proxy.take(message, source, local.seen, now, way=f"{record.listener}.{record.flow}")
        if onward is Decision.PASS:
            return False
        if onward is Decision.DROP:
            self._count("request", "dropped")
            return True
        if self._authorize is not None and message.method != REGISTERS:
            judged = self._authorize.judge(message, now)
            onward = judged if isinstance(judged, Response) else onward
        if isinstance(onward, Response):
            if message.method != "ACK":
                self._arrivals.answer(onward, record)
            self._count("request", "refused")
        elif isinstance(onward, Forward):
            self._send_on(onward, source)
            self._count("request", "forwarded")
        return True

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

    def _send_on(self, onward: Forward, source: Hop) -> None:
        addresses = self._output.addresses
        listener = addresses.for_hop(onward.hop)
        if listener is not None:
            bound = addresses.toward(listener, onward.hop.host).bound
            peer = Peer((source.host,), (onward.hop.host,) if onward.chosen else ())
            self._output.send(Departure(onward.data, onward.hop, 0, bound, peer))

    def _send_back(self, back: Forward) -> None:
        output, hop = self._output, back.hop
        index, _, number = back.way.partition(".")
        listener = int(index) if index.isdecimal() and index.isascii() and len(index) < 4 else -1
        flow = int(number) if number.isdecimal() and number.isascii() and len(number) < 20 else 0
        if not 0 <= listener < len(output.hops) or output.hops[listener].transport != hop.transport:
            found, flow = output.addresses.for_hop(hop), 0
            if found is None:
                return
            listener = found
        bound = output.addresses.toward(listener, hop.host).bound
        output.send(Departure(back.data, hop, flow, bound))


def _loose(text: str) -> str:
    """Return the Route value of a URI, which is that of a loose router (RFC 3261 section 16.12)."""
    uri = Uri.parse(text)
    return f"<{uri if uri.lr else uri.replace(params={**uri.params, 'lr': None})}>"
