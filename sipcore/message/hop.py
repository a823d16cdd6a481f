"""Hops: where a SIP message goes to or came from, and one message on its way out.

RFC 3261 section 18 and RFC 3263 speak of transport, address and port; this file uses no sockets and no DNS:
a host may still be a name, which the shell resolves.
"""

from __future__ import annotations

from typing import NamedTuple


class Hop(NamedTuple):
    """One place on the wire: transport, host and port (RFC 3263 section 4)."""

    transport: str
    """``"udp"``, ``"tcp"`` or ``"tls"``."""
    host: str
    """Address or name, IPv6 without brackets."""
    port: int
    """Port number, 1 to 65535."""

    @property
    def is_reliable(self) -> bool:
        """True when the transport repeats lost data itself (RFC 3261 section 18)."""
        return self.transport != "udp"


class Transmit(NamedTuple):
    """One message to put on the wire."""

    data: bytes
    """The whole message."""
    hop: Hop
    """Where it goes."""
    flow: int
    """Number of the inbound connection to use while it is open, 0 for none (RFC 3261 18.2.2)."""


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI or Via: IPv6 in brackets (RFC 3261 section 25.1, IPv6reference)."""
    return f"[{host}]" if ":" in host else host
