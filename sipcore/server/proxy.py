"""A stateless proxy: sends each request to one next hop, and each response back by its Via (RFC 3261 section 16.11).

Whatever it decides follows from the message and its settings, and the choice among bindings is kept for the time of a
transaction (`choices`), so that a repetition, the CANCEL and the ACK of a request go the same way. The branch is
computed from the received one: its first part is signed over what each response brings back, and a response without it
is dropped. So nobody can use the proxy to send to a third party what looks like a response. Its second part shows a
request that came by here before (16.3, step 4). It never forks, sends no request again, and writes a response only to
refuse. A name is left to the caller, who must look it up each time in the same way. It uses no sockets and keeps no
clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..message.fields import NameAddr, Via
from ..message.hop import Hop, bracketed
from ..message.messages import Request, Response
from ..message.tokens import MAGIC_COOKIE
from ..message.uri import Uri
from .checks import check_function, check_optional_function
from .choices import Choices
from .filters import Decision, is_own_ack, refusal
from .location import SIPS_NOT_ALLOWED, Binding, is_secure
from .nat import TARGETS, Reach, Reached, contacts_of
from .ways import (
    TRANSPORTS,
    as_sips,
    drop_credentials,
    hop_of,
    is_open,
    loss_of,
    postprocessed,
    reached_by,
    set_routes,
    usual_port,
    way_back,
)

MAX_FORWARDS: Final = 70
"""Max-Forwards of a request that came without (RFC 3261 section 16.6, step 3)."""
RECORDED: Final = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))
"""Methods whose requests get a Record-Route: they form a dialog, or refresh its target."""
DIALOG: Final = "dialog"
"""Parameter of this proxy's Record-Route where requests are challenged: signed over the Call-ID."""
WAY: Final = "way"
"""Parameter of this proxy's Via: how the request came, so that its responses go back in the same way."""


class Forward(NamedTuple):
    """One message that goes on."""

    data: bytes
    """The whole message."""
    hop: Hop
    """Where it goes; the host may be a name."""
    way: str
    """Of a response the `way` that was given with its request; empty for a request."""
    chosen: bool
    """The user of the proxy chose this hop (`ProxySettings.next_hop`), no message did."""
    flow: int = 0
    """Of a request: number of the connection that it goes by; 0 = any to the hop."""
    bound: bool = False
    """Of a request: it goes by this transport and connection alone, to a peer behind a NAT."""


@final
@dataclass(frozen=True, slots=True)
class ProxySettings:
    """The policy of a stateless proxy."""

    key: bytes
    """Secret of the branches and To tags, 16 to 32 octets."""
    is_own: Callable[[str, int], bool]
    """Whether a host and port are an address of this proxy."""
    egress: Callable[[Hop], Hop | None]
    """Returns the address that a next hop sees requests come from, None when it cannot be reached."""
    domain_of: Callable[[str], str | None] = lambda host: None
    """Returns the domain that a host stands for, None for one that this proxy does not serve."""
    locate: Callable[[Uri, str, float], Sequence[Binding] | None] | None = None
    """Called with a Request-URI of a served domain, that domain and the time; returns the bindings, the preferred one
    first, None for an unknown address. None = the proxy knows no addresses."""
    next_hop: str = ""
    """Route value, with lr, for requests without a route that are for no served domain; empty = by Request-URI."""
    record_route: bool = False
    """Whether later requests of a dialog go through this proxy too (16.6, step 4)."""
    looks_up: bool = False
    """Whether the caller looks names without port up by itself (`Lookup`); False = they are names of hosts."""
    realm: str = ""
    """Realm whose Proxy-Authorization ends here (22.3); empty = none does. See `StatelessProxy.is_within`."""
    nat: bool = False
    """Whether peers whose Contact names another host than they send from are reached by the source of their messages
    (`nat`); demands `record_route`."""
    judge: Callable[[Request], Response | None] | None = None
    """Called with each request that is to go on, before its target is sought; returns the response that refuses it
    (16.3, step 6). None = all go on."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            TypeError: what is to be called is no function.
            ValueError: `next_hop` is no Route value, or `nat` stands without `record_route`.
        """
        check_function("is_own", self.is_own, "a host and a port")
        check_function("egress", self.egress, "a hop")
        check_function("domain_of", self.domain_of, "a host")
        check_optional_function("locate", self.locate, "a Request-URI, its domain and the time")
        check_optional_function("judge", self.judge, "a request")
        if self.nat and not self.record_route:
            raise ValueError("nat needs record_route: else later requests of a dialog do not come by here")
        if self.next_hop:
            try:
                NameAddr.parse(self.next_hop)
            except ParseError as error:
                problem = f"next_hop {self.next_hop!r}: {error.reason}; write for example <sip:192.0.2.1;lr>"
                raise ValueError(problem) from error


class Lookup(NamedTuple):
    """A request whose next hop is a name without port, for the caller to look up (RFC 3263 section 4)."""

    uri: Uri
    """Of the next hop."""
    lot: str
    """Seed for the choice among equal records, the same for a repetition, CANCEL and ACK of a request (16.11)."""


class _Refused(Exception):
    """A request that is not sent on."""

    def __init__(self, status: int, *extra: tuple[str, str], reason: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.extra = extra
        self.reason = reason


@final
class StatelessProxy:
    """A proxy that keeps nothing of what it forwards but its choices among bindings."""

    __slots__ = ("_choices", "_reach", "_settings")

    def __init__(self, settings: ProxySettings) -> None:
        """Check the secret.

        Raises:
            ValueError: it is too short or too long.
        """
        if not 16 <= len(settings.key) <= 32:
            raise ValueError("the key of a proxy has 16 to 32 octets")
        self._settings = settings
        self._choices = Choices()
        self._reach = Reach(settings.key)

    # ---- requests

    def is_within(self, request: Request) -> bool:
        """Whether a request follows the route that this proxy has recorded for its dialog.

        Only the sides of a dialog know it. A tag in To can be made up, and proves nothing: such a request is to be
        challenged (RFC 3261 section 22.3), also where this proxy records no route. False as well where no `realm` is
        set.
        """
        wanted = self._dialog_mark(request.call_id)
        try:
            routes = [request.request_uri, *(NameAddr.parse(each).uri for each in request.headers.values("route"))]
        except ParseError:
            return False
        return any(each.params.get(DIALOG) == wanted and self._names_this(each) for each in routes)

    def _dialog_mark(self, call_id: str) -> str:
        return _hash(("dialog", call_id), self._settings.key, 12)

    def take(
        self,
        request: Request,
        source: Hop,
        local: Hop,
        now: float,
        way: str = "",
        hops: Sequence[Hop] | None = None,
        flow: int = 0,
    ) -> Forward | Response | Decision | Lookup:
        """Return what becomes of a request.

        Args:
            source: where it came from.
            local: the address that its sender sees of the listener that it came to.
            now: seconds of the clock by which bindings end.
            way: how it came, in a text of the caller's that comes back with each response; a token (RFC 3261 25.1).
            hops: what the `Lookup` of this request has found, the preferred one first; None = it was not looked up.
            flow: number of the connection that it came by; 0 = none.

        Returns:
            The request as it goes on, what is to be looked up first, the response that refuses it, `Decision.PASS` for
            a request to the proxy itself, and `Decision.DROP` for an ACK that ends here.
        """
        if is_own_ack(request, self._settings.key):
            return Decision.DROP
        try:
            return self._forwarded(request, Reached(source, flow), local, now, way, hops)
        except _Refused as refused:
            status, reason, extra = refused.status, refused.reason, refused.extra
        except ParseError as error:
            status, extra = error.status_hint, ()
            reason = f"Bad Request ({error.reason})" if status == 400 else None
        if request.method == "ACK":
            return Decision.DROP
        return refusal(request, status, self._settings.key, reason, extra)

    def _forwarded(
        self, request: Request, source: Reached, local: Hop, now: float, way: str, hops: Sequence[Hop] | None
    ) -> Forward | Response | Decision | Lookup:
        """Return a request as it goes on (16.3 to 16.6)."""
        uri, routes = self._entered(request)
        served = self._domain(uri) if not routes else None
        reached: Reached | None = None
        if self._settings.nat:
            uri, reached = self._reach.read(uri)
        if served is not None and not uri.user:
            return Decision.PASS
        secure = uri.scheme == "sips"
        mark = _mark(request, self._settings.key)
        self._check(request, mark)
        if self._settings.judge is not None and hops is None:
            refused = self._settings.judge(request)
            if refused is not None:
                return refused
        received = request.via
        branch = f"{MAGIC_COOKIE}{self._signature(request, received)}.{mark}"
        chosen = False
        if served is not None:
            best = self._choices.find(branch, now)
            if best is None:
                best = self._located(uri, served, now)
                self._choices.keep(branch, request.method, best, now)
            uri, routes = best.uri, list(best.path)
            reached = reached_by(best) if self._settings.nat else None
        if routes:
            reached = None  # the next router knows the way on
        elif reached is None and self._settings.next_hop and served is None:
            routes, chosen = [self._settings.next_hop], True
        uri, routes, target = postprocessed(uri, routes)
        if reached is not None:
            hops = (reached.hop,)
            if secure and reached.hop.transport != "tls":
                raise _Refused(480, SIPS_NOT_ALLOWED)
        elif secure:
            over_tls = as_sips(target)
            if over_tls is None:
                raise _Refused(480, SIPS_NOT_ALLOWED)
            target = over_tls
        if hops is None and self._settings.looks_up and is_open(target):
            return Lookup(target, mark)
        hop, out = self._way_to(target) if hops is None else self._way_by(hops)
        headers = request.headers.copy()
        set_routes(headers, routes)
        limit = request.max_forwards
        headers.set("Max-Forwards", str(MAX_FORWARDS if limit is None else limit - 1))
        if self._settings.realm:
            drop_credentials(headers, self._settings.realm)
        if self._settings.record_route and request.method in RECORDED:
            for value in self._recorded(uri, local, out, request.call_id):
                headers.insert_first("Record-Route", value)
        if self._settings.nat and request.method in TARGETS and len(request.vias) == 1:
            self._reach.write(headers, contacts_of(request), source)
        onward = Request(request.method, str(uri), headers, request.body)
        onward.note_source(source.hop.host, source.hop.port)
        params: dict[str, str | None] = {"branch": branch}
        if way:
            params[WAY] = way
        headers.insert_first("Via", str(Via(out.transport.upper(), out.host, out.port, params)))
        flow = 0 if reached is None else reached.flow
        return Forward(onward.to_bytes(), hop, "", chosen, flow, reached is not None)

    def _entered(self, request: Request) -> tuple[Uri, list[str]]:
        """Return Request-URI and Route values after what names this proxy is taken out of them (16.4)."""
        uri = request.request_uri
        routes = request.headers.values("route")
        if "lr" in uri.params and not uri.user and routes and self._names_this(uri):
            uri = NameAddr.parse(routes.pop()).uri  # the previous hop is a strict router
        if uri.maddr and self._is_own(uri.maddr, uri):
            uri = uri.replace(params={k: v for k, v in uri.params.items() if k != "maddr"})
        while routes and self._names_this(NameAddr.parse(routes[0]).uri):
            del routes[0]
        return uri, routes

    def _names_this(self, uri: Uri) -> bool:
        if uri.scheme not in ("sip", "sips"):
            return False
        host = uri.maddr or uri.host
        return self._is_own(host, uri) or (uri.port is None and self._settings.domain_of(host) is not None)

    def _is_own(self, host: str, uri: Uri) -> bool:
        return self._settings.is_own(host, uri.port or usual_port(uri))

    def _domain(self, uri: Uri) -> str | None:
        """Return the served domain that a Request-URI is of; None for one that goes elsewhere."""
        if uri.scheme not in ("sip", "sips"):
            return None
        if uri.maddr and not self._is_own(uri.maddr, uri):
            return None
        if uri.port is not None and not self._settings.is_own(uri.host, uri.port):
            return None
        return self._settings.domain_of(uri.host)

    def _check(self, request: Request, mark: str) -> None:
        """Check what a proxy demands of a request (16.3)."""
        if request.request_uri.scheme not in ("sip", "sips", "tel"):
            raise _Refused(416)
        if request.max_forwards == 0:
            raise _Refused(483)
        if any(via.branch.startswith(MAGIC_COOKIE) and via.branch.endswith(f".{mark}") for via in request.vias):
            raise _Refused(482)
        if wanted := request.headers.values("proxy-require"):
            raise _Refused(420, ("Unsupported", ", ".join(wanted)))

    def _located(self, uri: Uri, domain: str, now: float) -> Binding:
        """Return the preferred binding of an address of a served domain (16.5).

        For an address of sips it is one that is reached over TLS (RFC 5630 section 5.3).
        """
        locate = self._settings.locate
        found = locate(uri, domain, now) if locate is not None else None
        if found is None:
            raise _Refused(404)
        if uri.scheme == "sips":
            secure = [each for each in found if is_secure(each.uri)]
            if found and not secure:
                raise _Refused(480, SIPS_NOT_ALLOWED)
            found = secure
        if not found:
            raise _Refused(480)
        return found[0]

    def _way_to(self, target: Uri) -> tuple[Hop, Hop]:
        """Return the next hop of a URI, and the address that it sees requests come from.

        A URI that names no transport is one of UDP (RFC 3263 section 4.1). A proxy without UDP takes TCP or TLS: some
        user agents leave the transport out of their Contact.
        """
        hop = hop_of(target)
        open_ = target.scheme == "sip" and not target.transport
        for transport in TRANSPORTS if open_ else (hop.transport,):
            each = hop if transport == hop.transport else hop_of(target, transport)
            out = self._settings.egress(each)
            if out is not None:
                return each, out
        raise _Refused(503, reason="Service Unavailable (no way to the next hop)")

    def _way_by(self, hops: Sequence[Hop]) -> tuple[Hop, Hop]:
        """Return the first of these hops that can be reached, and the address that it sees requests come from."""
        for hop in hops:
            out = self._settings.egress(hop)
            if out is not None:
                return hop, out
        raise _Refused(503, reason="Service Unavailable (no way to the next hop)")

    def _recorded(self, uri: Uri, local: Hop, out: Hop, call_id: str) -> list[str]:
        """Return the Record-Route values, the lowest first.

        There is one, or two where the dialog changes the address or transport here (RFC 5658): of a dialog of sips the
        one of a side without TLS is of sip, since no TLS is spoken at that port.
        """
        mark = f";{DIALOG}={self._dialog_mark(call_id)}" if self._settings.realm else ""
        values = []
        for hop in dict.fromkeys((local, out)):
            scheme = "sips" if uri.scheme == "sips" and hop.transport == "tls" else "sip"
            transport = "" if hop.transport == "udp" else f";transport={hop.transport}"
            values.append(f"<{scheme}:{bracketed(hop.host)}:{hop.port}{transport};lr{mark}>")
        return values

    def _signature(self, message: Request | Response, via: Via) -> str:
        """Return the first part of the branch.

        Args:
            via: of the previous hop, which is the topmost of a request, and the second of a response.
        """
        parts = (via.branch, via.sent_by.lower(), message.call_id, message.from_tag or "", str(message.cseq.number))
        return _hash(parts, self._settings.key, 12)

    # ---- responses

    def take_loss(self, data: bytes) -> Response | None:
        """Return the 503 that stands for the response of a next hop that a request did not reach (16.9).

        Args:
            data: the request, as it was sent on.

        Returns:
            The response as it would have come, for `take_response`; None for an ACK, and for what is no request.
        """
        return loss_of(data, self._settings.key)

    def take_response(self, response: Response, source: Reached | None = None) -> Forward | None:
        """Return a response as it goes on (16.7, 18.2.2); None for one that this proxy has sent no request for.

        Args:
            source: where it came from; None = not from a peer.
        """
        try:
            vias = response.vias
            if len(vias) < 2:
                return None
            own, previous = vias[0], vias[1]
            signature, dot, _ = own.branch.removeprefix(MAGIC_COOKIE).partition(".")
            if not dot or signature != self._signature(response, previous):
                return None
            headers = response.headers.copy()
            headers.remove_first("Via")
            forms_dialog = 100 < response.status < 300 and response.cseq.method in TARGETS
            if self._settings.nat and source is not None and forms_dialog:
                self._reach.write(headers, contacts_of(response), source)
            onward = Response(response.status, response.reason, headers, response.body)
            return Forward(onward.to_bytes(), way_back(previous), own.params.get(WAY) or "", False)
        except ParseError:
            return None


def _mark(request: Request, key: bytes) -> str:
    """Return the second part of the branch: what decides the way of a request (16.6, step 8)."""
    parts = (request.uri, *request.headers.values("route"), request.call_id, request.from_tag or "")
    return _hash((*parts, str(request.cseq.number)), key, 6)


def _hash(parts: Sequence[str], key: bytes, size: int) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return blake2s(text, digest_size=size, key=key).hexdigest()
