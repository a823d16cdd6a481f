"""The identity of a user agent, in all its calls or in one by its context, and the hosts that may see its credentials.

`OwnIdentity` checks each text once, when the user agent is made, and builds the usual `Identity` from it. A call with a
context of its own takes a copy with other fields. Credentials must be shown to no host without a call of `trust`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.session.dialog import hop_of as hop_before_dns

from ..errors import ConfigurationError
from ..handle.given_text import checked_address, checked_pairs, checked_text, own_address
from ..identity import Auth, Identity, Keyring
from ..transport.addresses import is_address

CONTEXT = frozenset(("to", "from", "contact", "route", "auth", "callid"))
"""The fields that a context may have (man page `invite`)."""


class OwnIdentity:
    """The identity of one user agent; arguments as for `UserAgent`.

    Attributes:
        from_: the local URI.
        keyring: the credentials, None without any.
        usual: the identity of calls whose context has no other fields.

    Raises:
        ConfigurationError: a text cannot be written into a message, or is no address.
    """

    def __init__(
        self,
        from_: str,
        *,
        domain: str,
        contact: str,
        route: Sequence[str],
        proxy: Uri | None,
        auth: Auth | None,
        session_expires: int,
        headers: Sequence[tuple[str, str]],
        redirects: int,
    ) -> None:
        given = (("from_", from_), ("contact", contact), ("domain", domain), *(("route", each) for each in route))
        for what, text in given:
            checked_text(what, text)
        self.domain = domain
        self.from_ = checked_address("from_", own_address("from_", from_, domain))
        if contact:
            checked_address("contact", contact)
        self.keyring = Keyring(auth) if auth is not None else None
        self.usual = Identity(
            self.from_,
            contact,
            tuple(route),
            hop_before_dns(str(proxy), "udp") if proxy is not None else None,
            self.keyring,
            session_expires,
            checked_pairs("headers", headers),
            redirects,
        )

    def in_context(self, context: Mapping[str, Any]) -> Identity:
        """Return the identity for one call, by the fields of its context.

        Raises:
            ConfigurationError: a field is not one of `CONTEXT`, or `to` is missing.
        """
        unknown = context.keys() - CONTEXT
        if unknown or "to" not in context:
            raise ConfigurationError(f"a context has to, from, contact, route, auth and callid, not {sorted(unknown)}")
        for name in ("from", "contact", "callid"):
            checked_text(name, context.get(name, ""))
        for name in ("from", "contact"):
            if context.get(name):
                checked_address(name, context[name])
        for each in context.get("route", ()):
            checked_text("route", each)
        keyring = self.keyring
        if "auth" in context:
            keyring = keyring_for(context["auth"], uri_in(str(context["to"])))
        return self.usual._replace(
            from_=context.get("from", self.usual.from_),
            contact=context.get("contact", self.usual.contact),
            route=tuple(context.get("route", self.usual.route)),
            credentials=keyring,
        )

    def complete(self, to: str) -> str:
        """Return a target as SIP URI or name-addr.

        Args:
            to: SIP URI, name-addr, or a bare user of the local domain.

        Raises:
            ConfigurationError: a bare user, and the user agent has no domain.
        """
        if ":" in to:
            return to
        if not self.domain:
            raise ConfigurationError(f"{to!r} is no SIP URI; write sip:{to}@HOST or give the user agent a domain")
        return f"sip:{to}@{self.domain}"

    def trust(self, *uris: str) -> None:
        """Allow the credentials for the hosts of these URIs."""
        if self.keyring is None:
            return
        for uri in uris:
            if uri:
                self.keyring.trust(uri_in(uri).host)


def resolved(identity: Identity, hop: Hop) -> Identity:
    """Return an identity whose outgoing proxy, where it is a name, is replaced by the hop.

    Args:
        hop: where the call goes.
    """
    if identity.outgoing_proxy is not None and not is_address(identity.outgoing_proxy.host):
        return identity._replace(outgoing_proxy=hop)
    return identity


def keyring_for(auth: Auth, uri: Uri) -> Keyring:
    """Return credentials that are valid for the host of a URI only."""
    keyring = Keyring(auth)
    keyring.trust(uri.host)
    return keyring


def uri_in(text: str) -> Uri:
    """Return the URI of a name-addr, of a SIP URI, or of one without its scheme."""
    inner = text.partition("<")[2].partition(">")[0] or text
    return Uri.parse(inner if inner.startswith(("sip:", "sips:")) else f"sip:{inner}")


def name_addr(address: str) -> str:
    """Return a SIP URI, or a name-addr, as a name-addr."""
    return address if "<" in address else f"<{address}>"
