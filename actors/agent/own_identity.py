"""The identity of a user agent, in all its calls or in one by its context, and the hosts that may see its credentials.

`OwnIdentity` checks each text once, when the user agent is made, and builds the usual `Identity` from it. A call with a
context of its own takes a copy with other fields. Credentials must be shown to no host without a call of `trust`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.session.dialog import hop_of as hop_before_dns

from ..diagnosis.foreign_text import said, shown
from ..errors import ConfigurationError
from ..handle.given_text import (
    MOST_SECONDS,
    checked_call_id,
    checked_contact,
    checked_domain,
    checked_own,
    checked_pairs,
    checked_route,
    checked_target,
    checked_text,
    checked_whole,
)
from ..identity import Auth, Identity, Keyring
from ..transport.names.addresses import is_address
from ..transport.targets import uri_of

CONTEXT = frozenset(("to", "from", "contact", "route", "auth", "callid"))
"""The fields that a context may have (man page `invite`)."""
_OF_A_URI: Final = frozenset(":@<")
"""Characters of which a bare user has none."""
SHORTEST_SESSION: Final = 90
"""Seconds; the smallest Session-Expires (RFC 4028 section 4)."""
MOST_REDIRECTS: Final = 1000
"""Targets of a 3xx that a call tries at most."""


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
        self.domain = checked_domain("domain", domain)
        self.from_ = checked_own("from_", from_, domain)
        checked_contact("contact", contact)
        if session_expires != 0:
            checked_whole("session_expires (0 = no limit)", session_expires, SHORTEST_SESSION, MOST_SECONDS)
        self._completed = "", ""
        """The last text that `complete` took, and its result: a load calls one target again and again."""
        self.keyring = Keyring(auth) if auth is not None else None
        self.usual = Identity(
            self.from_,
            contact,
            checked_route("route", route),
            hop_before_dns(str(proxy), "udp") if proxy is not None else None,
            self.keyring,
            int(session_expires),
            checked_pairs("headers", headers),
            checked_whole("redirects", redirects, 0, MOST_REDIRECTS),
        )

    def in_context(self, context: Mapping[str, Any]) -> Identity:
        """Return the identity for one call, by the fields of its context.

        Raises:
            ConfigurationError: a field is not one of `CONTEXT`, or `to` is missing.
        """
        unknown = context.keys() - CONTEXT
        if unknown or "to" not in context:
            wrong = ", ".join(sorted(map(repr, unknown))) or "one without to"
            raise ConfigurationError(f"a context has to, from, contact, route, auth and callid, not {wrong}")
        checked_call_id("callid", context.get("callid", ""))
        from_ = checked_text("from", context.get("from", "")) or self.usual.from_
        keyring = self.keyring
        if "auth" in context:
            keyring = keyring_for(context["auth"], uri_in(self.complete(context["to"])))
        return self.usual._replace(
            from_=checked_own("from", from_, self.domain),
            contact=checked_contact("contact", context.get("contact", self.usual.contact)),
            route=checked_route("route", context.get("route", self.usual.route)),
            credentials=keyring,
        )

    def complete(self, to: str, what: str = "to") -> str:
        """Return a target as SIP URI or name-addr.

        Args:
            to: SIP URI (`sip:` may be left out), name-addr, or a bare user of the local domain.
            what: the name of the argument.

        Raises:
            ConfigurationError: it is none, or a bare user, and the user agent has no domain.
        """
        if self._completed[0] and to == self._completed[0]:
            return self._completed[1]
        text = checked_text(what, to)
        if not self.domain and text and not set(text) & _OF_A_URI:
            raise ConfigurationError(
                f"{what} {said(text)} is no SIP URI; write sip:{shown(text)}@HOST or give the user agent a domain"
            )
        self._completed = text, checked_target(what, text, self.domain)
        return self._completed[1]

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


def server_uri(what: str, text: str) -> Uri | None:
    """Return the URI of a proxy or registrar, whose scheme may be left out; None for an empty text.

    Args:
        what: the name of the argument.

    Raises:
        ConfigurationError: it is no SIP URI.
    """
    return uri_of(text, what) if text != "" else None


def registrar_uri(registrar: str, method: str) -> str:
    """Return the SIP URI of a registrar, whose scheme may be left out.

    Args:
        method: takes a registrar as an argument.

    Raises:
        ConfigurationError: it is none, or empty.
    """
    if not checked_text("registrar", registrar):
        raise ConfigurationError(f"no registrar is known; give one to {method}() or to the user agent")
    uri_of(registrar, "registrar")
    return registrar if registrar.lower().startswith(("sip:", "sips:")) else f"sip:{registrar}"


def name_addr(address: str) -> str:
    """Return a SIP URI, or a name-addr, as a name-addr."""
    return address if "<" in address else f"<{address}>"
