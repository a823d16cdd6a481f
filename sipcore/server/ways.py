"""The ways of a proxy's messages: next hops of URIs, Route headers, the way back by a Via, and lost requests.

Functions over values: whatever depends on the settings of a proxy is in `proxy`. RFC 3261 sections 16.4 to 16.9 and
18.2.2, RFC 3263 without DNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import ParseError
from ..message.fields import NameAddr, Via
from ..message.headers import Headers
from ..message.hop import Hop
from ..message.messages import Request, Response
from ..message.parser import parse
from ..message.uri import Uri
from ..transaction.stateless import stateless_tag
from .location import Binding
from .nat import Reached

TRANSPORTS: Final = ("udp", "tcp", "tls")
UNREACHED: Final = "Service Unavailable (the next hop was not reached)"
"""Reason of the 503 to a request that could not be sent on."""


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


def is_open(uri: Uri) -> bool:
    """Whether DNS chooses transport, host and port for a URI: its host is a name, and it has no port (RFC 3263 4)."""
    host = uri.maddr or uri.host
    return (
        uri.scheme in ("sip", "sips") and uri.port is None and ":" not in host and not host.replace(".", "").isdigit()
    )


def usual_port(uri: Uri) -> int:
    """Return the port of a URI that names none."""
    return 5061 if uri.scheme == "sips" or uri.transport == "tls" else 5060


def postprocessed(uri: Uri, routes: list[str]) -> tuple[Uri, list[str], Uri]:
    """Return Request-URI, Route values, and the URI of the next hop, which may be a strict router (16.6, step 6)."""
    if not routes:
        return uri, routes, uri
    first = NameAddr.parse(routes[0])
    if first.is_wildcard:
        raise ParseError("an asterisk is no route")
    if first.uri.lr:
        return uri, routes, first.uri
    return first.uri, [*routes[1:], f"<{uri}>"], first.uri


def reached_by(binding: Binding) -> Reached | None:
    """Return where a contact is reached that its URI does not lead to; None for any other."""
    return None if binding.source is None or binding.path else Reached(binding.source, binding.flow)


def as_sips(uri: Uri) -> Uri | None:
    """Return the URI of a next hop as one of sips, which it counts as for a Request-URI of sips (16.6, step 7).

    None for one of a transport without TLS.
    """
    if uri.scheme != "sip":
        return uri
    if uri.transport not in ("", "tcp", "tls"):
        return None
    return Uri("sips", uri.user, uri.host, uri.port, uri.params)


def set_routes(headers: Headers, routes: Sequence[str]) -> None:
    """Write the Route values, if they are others than those that are there."""
    if not routes:
        headers.remove("Route")
    elif list(routes) != headers.values("route"):
        headers.set("Route", ", ".join(routes))


def drop_credentials(headers: Headers, realm: str) -> None:
    """Take out the credentials for a realm, which no further hop needs (22.3)."""
    values = headers.get_all("proxy-authorization")
    others = [value for value in values if f'realm="{realm}"' not in value]
    if len(others) < len(values):
        headers.remove("Proxy-Authorization")
        for value in others:
            headers.add("Proxy-Authorization", value)


def way_back(via: Via) -> Hop:
    """Return where responses go by a Via; its maddr is not followed (RFC 3261 section 18.2.2, RFC 3581 section 4)."""
    transport = via.transport.lower()
    if transport not in TRANSPORTS:
        raise ParseError("the transport of a Via is not known here")
    port = via.port or (5061 if transport == "tls" else 5060)
    if transport == "udp":
        port = via.rport or port
    return Hop(transport, via.received or via.host, port)


def loss_of(data: bytes, key: bytes) -> Response | None:
    """Return the 503 that stands for the response of a next hop that a request did not reach (16.9).

    Args:
        data: the request, as it was sent on.
        key: secret of the To tags, as of the other responses to the request as it came.

    Returns:
        The response as it would have come; None for an ACK, and for what is no request.
    """
    try:
        request = parse(data)
        if not isinstance(request, Request) or request.method == "ACK":
            return None
        headers = request.headers.copy()
        headers.remove_first("Via")
        tag = stateless_tag(Request(request.method, request.uri, headers), key)
        response = parse(Response.to_request(request, 503, UNREACHED, to_tag=tag).to_bytes())
    except ParseError:
        return None
    return response if isinstance(response, Response) else None
