"""Who a user agent is: in all its calls, or in one by its context; and to whom its credentials may be shown."""

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
"""what a context may have (man page C1)"""


class OwnIdentity:
    """One per user agent; arguments as for `UserAgent`.

    Attributes:
        from_: our URI.
        keyring: the credentials, None without any.
        usual: who we are where no context has more.

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
        """Who we are in one call, by the fields of its context.

        Raises:
            ConfigurationError: a field that is not known, or no `to`.
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
        """A SIP URI, name-addr, or a bare user of our domain, as one of the first two.

        Raises:
            ConfigurationError: a bare user, and no domain is known.
        """
        if ":" in to:
            return to
        if not self.domain:
            raise ConfigurationError(f"{to!r} is no SIP URI; write sip:{to}@HOST or give the user agent a domain")
        return f"sip:{to}@{self.domain}"

    def trust(self, *uris: str) -> None:
        """Credentials may be given to the hosts of these URIs."""
        if self.keyring is None:
            return
        for uri in uris:
            if uri:
                self.keyring.trust(uri_in(uri).host)


def resolved(identity: Identity, hop: Hop) -> Identity:
    """Who calls, with an outgoing proxy that is a name at its place. hop: where the call goes."""
    if identity.outgoing_proxy is not None and not is_address(identity.outgoing_proxy.host):
        return identity._replace(outgoing_proxy=hop)
    return identity


def keyring_for(auth: Auth, uri: Uri) -> Keyring:
    """Credentials for the host of a URI only."""
    keyring = Keyring(auth)
    keyring.trust(uri.host)
    return keyring


def uri_in(text: str) -> Uri:
    """The URI of a name-addr, of a SIP URI, or of one whose scheme was left out."""
    inner = text.partition("<")[2].partition(">")[0] or text
    return Uri.parse(inner if inner.startswith(("sip:", "sips:")) else f"sip:{inner}")


def name_addr(address: str) -> str:
    """A SIP URI, or a name-addr, as a name-addr."""
    return address if "<" in address else f"<{address}>"
