"""Where a SIP URI leads: transport, address and port (RFC 3263 section 4, for addresses and names without SRV yet)."""

import ipaddress
import socket

from sipcore.errors import ParseError
from sipcore.hop import Hop
from sipcore.uri import Uri

from .errors import ConfigurationError


def hop_of(target: str) -> Hop:
    """The hop of a SIP URI; a name is looked up once, here.

    Raises:
        ConfigurationError: no SIP URI, an unknown transport, or a name without an address.
    """
    try:
        uri = Uri.parse(target)
    except ParseError as error:
        raise ConfigurationError(
            f"target {target!r}: {error.reason}; write for example sip:user@192.0.2.1:5060"
        ) from error
    transport = (uri.transport or ("tls" if uri.scheme == "sips" else "udp")).lower()
    host = uri.maddr or uri.host
    port = uri.port or (5061 if transport == "tls" else 5060)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise ConfigurationError(f"target {target!r}: the name {host!r} has no address ({error})") from error
        host = str(found[0][4][0])
    return Hop(transport, host, port)
