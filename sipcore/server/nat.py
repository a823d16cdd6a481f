"""Peers behind a NAT: they are reached where their messages came from, and not at the host of their Contact.

A registrar keeps the source of a REGISTER with the binding. A proxy writes the source of a message into its Contact, as
a signed URI parameter that comes back in the Request-URI of later requests of the dialog. So it keeps no state for that
(as RFC 5626 section 5.2 has an edge proxy do with a flow token). A responder takes the topmost Via as if it had rport
(RFC 3581). A Contact of the host that its message came from is used as it is. It uses no sockets and keeps no clock.
"""

from __future__ import annotations

import hmac
from hashlib import blake2s
from ipaddress import IPv6Address
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..message.fields import NameAddr
from ..message.headers import Headers
from ..message.hop import Hop, bracketed
from ..message.messages import Request, Response
from ..message.uri import Uri

REACH: Final = "reach"
"""URI parameter of a Contact: where its owner is reached, signed."""
TARGETS: Final = frozenset(("INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE"))
"""Methods whose Contact is, or becomes, the remote target of a dialog."""
SIGNATURE: Final = 8
"""Octets."""


class Reached(NamedTuple):
    """Where a peer is reached."""

    hop: Hop
    flow: int = 0
    """Number of the connection that its message came by; 0 = any to the hop."""


def is_elsewhere(host: str, source: Hop) -> bool:
    """Whether a host is another one than a message came from; a name is, whatever it stands for."""
    if ":" in host and ":" in source.host:
        try:
            return IPv6Address(host) != IPv6Address(source.host)
        except ValueError:
            pass  # with a scope, or malformed: compared as text
    return host.lower() != source.host.lower()


def is_behind(uri: Uri, source: Hop) -> bool:
    """Whether the URI of a Contact names another host than its message came from."""
    return uri.scheme in ("sip", "sips") and is_elsewhere(uri.maddr or uri.host, source)


def answer_by_source(request: Request, source: Hop) -> None:
    """Have the responses to a request go where it came from, as if its Via had rport (RFC 3581 section 4).

    Nothing is changed where its Via has rport already, or names the host that it came from.
    """
    via = request.via
    if "rport" in via.params or not is_elsewhere(via.host, source):
        return
    request.headers.remove_first("Via")
    request.headers.insert_first("Via", str(via._replace(params={**via.params, "rport": None})))


@final
class Reach:
    """The parameter `REACH` of one proxy.

    Args:
        key: secret of the signatures, at most 32 octets.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, headers: Headers, contacts: list[NameAddr], reached: Reached) -> None:
        """Write into the Contact of a message where its sender is reached, if that is another host.

        Args:
            headers: of the message as it goes on.
            contacts: its Contacts, of which there is one in a message that forms a dialog.
        """
        if len(contacts) != 1 or contacts[0].is_wildcard:
            return
        contact = contacts[0]
        if not is_behind(contact.uri, reached.hop) or self.read(contact.uri)[1] is not None:
            return  # the second case: it came by here before
        params = {**contact.uri.params, REACH: self._written(reached)}
        headers.set("Contact", str(contact._replace(uri=contact.uri.replace(params=params))))

    def read(self, uri: Uri) -> tuple[Uri, Reached | None]:
        """Return a URI without the parameter, and what that says; None for one that this proxy has not written."""
        parts = (uri.params.get(REACH) or "").split("~")
        if len(parts) != 5:
            return uri, None
        transport, host, port, flow, signature = parts
        if not hmac.compare_digest(self._sign("~".join(parts[:4])).encode(), signature.encode("utf-8", "replace")):
            return uri, None
        rest = {name: value for name, value in uri.params.items() if name != REACH}
        hop = Hop(transport, host.removeprefix("[").removesuffix("]"), int(port))
        return uri.replace(params=rest), Reached(hop, int(flow))

    def _written(self, reached: Reached) -> str:
        hop = reached.hop
        text = f"{hop.transport}~{bracketed(hop.host)}~{hop.port}~{reached.flow}"
        return f"{text}~{self._sign(text)}"

    def _sign(self, text: str) -> str:
        octets = f"{REACH}\0{text}".encode("utf-8", "surrogateescape")
        return blake2s(octets, digest_size=SIGNATURE, key=self._key).hexdigest()


def contacts_of(message: Request | Response) -> list[NameAddr]:
    """Return the Contacts of a message; none where they cannot be read."""
    try:
        return list(message.contacts)
    except ParseError:
        return []
