"""Hops of a SIP URI before any event loop runs: transport, address and port (RFC 3263 section 4)."""

import socket
from collections.abc import Sequence
from typing import Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..config import TRANSPORTS
from ..errors import ConfigurationError
from .names.addresses import is_address
from .names.resolver import resolve_now

EVERYWHERE: Final = tuple((transport, version) for version in (4, 6) for transport in TRANSPORTS)
"""Every transport with every IP version."""


OTHER_SCHEMES: Final = frozenset(
    ("tel", "mailto", "http", "https", "urn", "im", "pres", "xmpp", "h323", "ws", "wss", "sms", "callto")
)
"""Schemes that are not taken for a user or a host where `sip:` is left out; `sip:tel:5060` is a host called tel."""


def with_scheme(target: str, named: str = "target") -> str:
    """Return the text of a SIP URI, with `sip:` where the scheme was left out.

    Args:
        named: what it is, for the user.

    Raises:
        ConfigurationError: it has another scheme.
    """
    scheme, colon, rest = target.partition(":")
    if colon and scheme.lower() in ("sip", "sips"):
        return target
    if colon and (scheme.lower() in OTHER_SCHEMES or rest.startswith("//")):
        raise ConfigurationError(
            f"{named} {target!r}: the scheme {scheme} is not sip or sips; write for example sip:user@192.0.2.1:5060"
        )
    return f"sip:{target}"


def uri_of(target: str, what: str = "target") -> Uri:
    """Return the SIP URI of a target, whose scheme may be left out; nothing is looked up.

    Args:
        what: its name for the user.

    Raises:
        ConfigurationError: no SIP URI, or an unknown transport.
    """
    if not isinstance(target, str):
        raise ConfigurationError(
            f"{what} is {type(target).__name__}, not text; write for example sip:user@192.0.2.1:5060"
        )
    named = "target" if what == "target" else f"{what}: target"
    text = with_scheme(target, named)
    try:
        uri = Uri.parse(text)
    except ParseError as error:
        raise ConfigurationError(
            f"{named} {target!r}: {error.reason}; write for example sip:user@192.0.2.1:5060"
        ) from error
    if (uri.transport or "udp").lower() not in TRANSPORTS:
        raise ConfigurationError(f"{named} {target!r}: transport {uri.transport!r} is not known; write udp, tcp or tls")
    return uri


def hop_of(target: str, reachable: Sequence[tuple[str, int]] = EVERYWHERE) -> Hop:
    """Return the best hop of a SIP URI.

    A name is looked up once, here, and that blocks: not for code that runs in a loop.

    Args:
        target: the SIP URI.
        reachable: transports and IP versions to choose from.

    Raises:
        ConfigurationError: no SIP URI, an unknown transport, sips over UDP, or a name without an address.
    """
    try:
        uri = Uri.parse(target)
    except ParseError as error:
        raise ConfigurationError(
            f"target {target!r}: {error.reason}; write for example sip:user@192.0.2.1:5060"
        ) from error
    if uri.scheme not in ("sip", "sips"):
        raise ConfigurationError(f"target {target!r} is no SIP URI; write for example sip:user@192.0.2.1:5060")
    transport = (uri.transport or ("tls" if uri.scheme == "sips" else "udp")).lower()
    if transport not in TRANSPORTS:
        raise ConfigurationError(f"target {target!r}: transport {transport!r} is not known; write udp, tcp or tls")
    if uri.scheme == "sips":
        if transport == "udp":
            raise ConfigurationError(f"target {target!r}: sips is never sent over udp; drop transport=udp")
        transport = "tls"  # sips with transport=tcp is TLS over TCP (RFC 3261 section 26.2.2)
    host = uri.maddr or uri.host
    port = uri.port or (5061 if transport == "tls" else 5060)
    if not is_address(host):
        try:
            return resolve_now(uri, reachable)[0]
        except ConfigurationError:
            pass  # the system may have names that DNS does not
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:  # the latter for a label that is empty or longer than 63
            raise ConfigurationError(
                f"target {target!r}: the name {host!r} has no address ({error}); check the name, or write an address"
            ) from error
        host = str(found[0][4][0])
    return Hop(transport, host, port)
