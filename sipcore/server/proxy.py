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
from ..message.headers import Headers
from ..message.hop import Hop, bracketed
from ..message.messages import Request, Response
from ..message.parser import parse
from ..message.tokens import MAGIC_COOKIE
from ..message.uri import Uri
from ..transaction.stateless import stateless_tag
from .checks import check_function, check_optional_function
from .choices import Choices
from .filters import Decision, is_own_ack
from .location import SIPS_NOT_ALLOWED, Binding, is_secure

MAX_FORWARDS: Final = 70
"""Max-Forwards of a request that came without (RFC 3261 section 16.6, step 3)."""
RECORDED: Final = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))
"""Methods whose requests get a Record-Route: they form a dialog, or refresh its target."""
TRANSPORTS: Final = ("udp", "tcp", "tls")
UNREACHED: Final = "Service Unavailable (the next hop was not reached)"
"""Reason of the 503 to a request that could not be sent on."""
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
    judge: Callable[[Request], Response | None] | None = None
    """Called with each request that is to go on, before its target is sought; returns the response that refuses it
    (16.3, step 6). None = all go on."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            TypeError: what is to be called is no function.
            ValueError: `next_hop` is no Route value.
        """
        check_function("is_own", self.is_own, "a host and a port")
        check_function("egress", self.egress, "a hop")
        check_function("domain_of", self.domain_of, "a host")
        check_optional_function("locate", self.locate, "a Request-URI, its domain and the time")
        check_optional_function("judge", self.judge, "a request")
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

    __slots__ = ("_choices", "_settings")

    def __init__(self, settings: ProxySettings) -> None:
        """Check the secret.

        Raises:
            ValueError: it is too short or too long.
        """
        if not 16 <= len(settings.key) <= 32:
            raise ValueError("the key of a proxy has 16 to 32 octets")
        self._settings = settings
        self._choices = Choices()

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
    ) -> Forward | Response | Decision | Lookup:
        """Return what becomes of a request.

        Args:
            source: where it came from.
            local: the address that its sender sees of the listener that it came to.
            now: seconds of the clock by which bindings end.
            way: how it came, in a text of the caller's that comes back with each response; a token (RFC 3261 25.1).
            hops: what the `Lookup` of this request has found, the preferred one first; None = it was not looked up.

        Returns:
            The request as it goes on, what is to be looked up first, the response that refuses it, `Decision.PASS` for
            a request to the proxy itself, and `Decision.DROP` for an ACK that ends here.
        """
        if is_own_ack(request, self._settings.key):
            return Decision.DROP
        try:
            return self._forwarded(request, source, local, now, way, hops)
        except _Refused as refused:
            status, reason, extra = refused.status, refused.reason, refused.extra
        except ParseError as error:
            status, extra = error.status_hint, ()
            reason = f"Bad Request ({error.reason})" if status == 400 else None
        if request.method == "ACK":
            return Decision.DROP
        tag = stateless_tag(request, self._settings.key)
        return Response.to_request(request, status, reason, to_tag=tag, extra=extra)

    def _forwarded(
        self, request: Request, source: Hop, local: Hop, now: float, way: str, hops: Sequence[Hop] | None
    ) -> Forward | Response | Decision | Lookup:
        """Return a request as it goes on (16.3 to 16.6)."""
        uri, routes = self._entered(request)
        served = self._domain(uri) if not routes else None
        if served is not None and not uri.user:
            return Decision.PASS
        secure = uri.scheme == "sips"
        mark = _mark(request, self._settings.key)
        self._check(request, mark)
        if self._settings.judge is not None and hops is None:
            refusal = self._settings.judge(request)
            if refusal is not None:
                return refusal
        received = request.via
        branch = f"{MAGIC_COOKIE}{self._signature(request, received)}.{mark}"
        chosen = False
        if served is not None:
            best = self._choices.find(branch, now)
            if best is None:
                best = self._located(uri, served, now)
                self._choices.keep(branch, request.method, best, now)
            uri, routes = best.uri, list(best.path)
        if not routes and self._settings.next_hop and served is None:
            routes, chosen = [self._settings.next_hop], True
        uri, routes, target = _postprocessed(uri, routes)
        if secure:
            target = _as_sips(target)
        if hops is None and self._settings.looks_up and _is_open(target):
            return Lookup(target, mark)
        hop, out = self._way_to(target) if hops is None else self._way_by(hops)
        headers = request.headers.copy()
        _set_routes(headers, routes)
        limit = request.max_forwards
        headers.set("Max-Forwards", str(MAX_FORWARDS if limit is None else limit - 1))
        if self._settings.realm:
            _drop_credentials(headers, self._settings.realm)
        if self._settings.record_route and request.method in RECORDED:
            self._record(headers, uri, local, out, request.call_id)
        onward = Request(request.method, str(uri), headers, request.body)
        onward.note_source(source.host, source.port)
        params: dict[str, str | None] = {"branch": branch}
        if way:
            params[WAY] = way
        headers.insert_first("Via", str(Via(out.transport.upper(), out.host, out.port, params)))
        return Forward(onward.to_bytes(), hop, "", chosen)

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
        return self._settings.is_own(host, uri.port or _usual_port(uri))

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

    def _record(self, headers: Headers, uri: Uri, local: Hop, out: Hop, call_id: str) -> None:
        """Write Record-Route: one value, or two where the dialog changes the address or transport here (RFC 5658)."""
        scheme = "sips" if uri.scheme == "sips" else "sip"
        mark = f";{DIALOG}={self._dialog_mark(call_id)}" if self._settings.realm else ""
        for hop in dict.fromkeys((local, out)):
            transport = "" if hop.transport == "udp" else f";transport={hop.transport}"
            headers.insert_first("Record-Route", f"<{scheme}:{bracketed(hop.host)}:{hop.port}{transport};lr{mark}>")

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
        try:
            request = parse(data)
            if not isinstance(request, Request) or request.method == "ACK":
                return None
            headers = request.headers.copy()
            headers.remove_first("Via")
            tag = stateless_tag(Request(request.method, request.uri, headers), self._settings.key)
            response = parse(Response.to_request(request, 503, UNREACHED, to_tag=tag).to_bytes())
        except ParseError:
            return None
        return response if isinstance(response, Response) else None

    def take_response(self, response: Response) -> Forward | None:
        """Return a response as it goes on (16.7, 18.2.2); None for one that this proxy has sent no request for."""
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
            onward = Response(response.status, response.reason, headers, response.body)
            return Forward(onward.to_bytes(), _way_back(previous), own.params.get(WAY) or "", False)
        except ParseError:
            return None


def hop_of(uri: Uri, usual: str = "udp") -> Hop:
    """Return the next hop of a URI, without looking names up: its host may be one (RFC 3263 section 4).

    Args:
        usual: the transport of a sip URI that names none.

    Raises:
        ParseError: 416 for a scheme or transport without one.
    """
    if uri.scheme not in ("sip", "sips"):
        raise ParseError("the URI names no next hop", 416)
    transport = uri.transport or ("tls" if uri.scheme == "sips" else usual)
    if uri.scheme == "sips" and transport == "tcp":
        transport = "tls"  # RFC 3261 section 26.2.2
    if transport not in TRANSPORTS or (uri.scheme == "sips" and transport == "udp"):
        raise ParseError("the transport of the next hop is not known here", 416)
    return Hop(transport, uri.maddr or uri.host, uri.port or (5061 if transport == "tls" else 5060))


def _is_open(uri: Uri) -> bool:
    """Whether DNS chooses transport, host and port for a URI: its host is a name, and it has no port (RFC 3263 4)."""
    host = uri.maddr or uri.host
    return (
        uri.scheme in ("sip", "sips") and uri.port is None and ":" not in host and not host.replace(".", "").isdigit()
    )


def _usual_port(uri: Uri) -> int:
    return 5061 if uri.scheme == "sips" or uri.transport == "tls" else 5060


def _postprocessed(uri: Uri, routes: list[str]) -> tuple[Uri, list[str], Uri]:
    """Return Request-URI, Route values, and the URI of the next hop, which may be a strict router (16.6, step 6)."""
    if not routes:
        return uri, routes, uri
    first = NameAddr.parse(routes[0])
    if first.is_wildcard:
        raise ParseError("an asterisk is no route")
    if first.uri.lr:
        return uri, routes, first.uri
    return first.uri, [*routes[1:], f"<{uri}>"], first.uri


def _as_sips(uri: Uri) -> Uri:
    """Return the URI of a next hop as one of sips, which it counts as for a Request-URI of sips (16.6, step 7)."""
    if uri.scheme != "sip":
        return uri
    if uri.transport not in ("", "tcp", "tls"):
        raise _Refused(480, SIPS_NOT_ALLOWED)
    return Uri("sips", uri.user, uri.host, uri.port, uri.params)


def _set_routes(headers: Headers, routes: Sequence[str]) -> None:
    if not routes:
        headers.remove("Route")
    elif list(routes) != headers.values("route"):
        headers.set("Route", ", ".join(routes))


def _drop_credentials(headers: Headers, realm: str) -> None:
    """Take out the credentials for a realm, which no further hop needs (22.3)."""
    values = headers.get_all("proxy-authorization")
    others = [value for value in values if f'realm="{realm}"' not in value]
    if len(others) < len(values):
        headers.remove("Proxy-Authorization")
        for value in others:
            headers.add("Proxy-Authorization", value)


def _mark(request: Request, key: bytes) -> str:
    """Return the second part of the branch: what decides the way of a request (16.6, step 8)."""
    parts = (request.uri, *request.headers.values("route"), request.call_id, request.from_tag or "")
    return _hash((*parts, str(request.cseq.number)), key, 6)


def _hash(parts: Sequence[str], key: bytes, size: int) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return blake2s(text, digest_size=size, key=key).hexdigest()


def _way_back(via: Via) -> Hop:
    """Return where responses go by a Via; its maddr is not followed (RFC 3261 section 18.2.2, RFC 3581 section 4)."""
    transport = via.transport.lower()
    if transport not in TRANSPORTS:
        raise ParseError("the transport of a Via is not known here")
    port = via.port or (5061 if transport == "tls" else 5060)
    if transport == "udp":
        port = via.rport or port
    return Hop(transport, via.received or via.host, port)
