"""A redirect server: answers a request by the contacts of the address that it is for (RFC 3261 section 8.3).

302 with the bindings of a location store, the one of the highest q first; 404 for an address that nobody has, 480 for
one without bindings. It keeps no state: a repetition gets the same answer. CANCEL gets 481, because no transaction is
kept that it could end, and ACK gets none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ..message.hop import Hop
from ..message.messages import Request, Response
from ..transaction.stateless import stateless_tag
from .checks import check_function, check_optional_function, check_tag_key
from .filters import Decision
from .location import SIPS_NOT_ALLOWED, LocationStore, address_key

OTHERS: Final = frozenset(("REGISTER", "OPTIONS"))
"""Methods that are not redirected: the first is the registrar's, the second may ask about the server itself."""


@final
class Redirect:
    """The redirect server of some domains.

    Args:
        store: the contacts.
        domain_of: returns the domain that a host stands for, None for one that is not served.
        knows: whether there is a user of this name; None = those that have bindings.
        tag_key: secret of the To tags of the responses, at most 32 octets.
    """

    __slots__ = ("_domain_of", "_knows", "_store", "_tag_key")

    def __init__(
        self,
        store: LocationStore,
        domain_of: Callable[[str], str | None] = str.lower,
        *,
        knows: Callable[[str], bool] | None = None,
        tag_key: bytes = b"",
    ) -> None:
        """Check the arguments.

        Raises:
            TypeError: `domain_of` or `knows` is no function, or `tag_key` no octets.
            ValueError: `tag_key` is too long.
        """
        check_function("domain_of", domain_of, "a host")
        check_optional_function("knows", knows, "the name of a user")
        check_tag_key(tag_key)
        self._store = store
        self._domain_of = domain_of
        self._knows = knows
        self._tag_key = tag_key

    def __call__(self, request: Request, now: float, source: Hop) -> Response | Decision:
        """Return the response to a request, `Decision.PASS` for a method or a dialog that is another's."""
        if request.method == "ACK":
            return Decision.DROP
        if request.method in OTHERS or (request.to_tag is not None and request.method != "CANCEL"):
            return Decision.PASS
        tag = stateless_tag(request, self._tag_key)
        if request.method == "CANCEL":
            return Response.to_request(request, 481, to_tag=tag)
        uri = request.request_uri
        domain = self._domain_of(uri.host) if uri.scheme in ("sip", "sips") else None
        user = uri.user or ""
        if domain is None or not user:
            return Response.to_request(request, 404, to_tag=tag)
        found = self._store.bindings(address_key(uri, domain), now)
        if found and uri.scheme == "sips":  # RFC 5630 section 5.4: no contact of sip is named for it
            found = tuple(each for each in found if each.uri.scheme == "sips")
            if not found:
                return Response.to_request(request, 480, to_tag=tag, extra=[SIPS_NOT_ALLOWED])
        if found:
            extra = [("Contact", str(each.contact)) for each in found]
            return Response.to_request(request, 302, to_tag=tag, extra=extra)
        known = self._knows is not None and self._knows(user)
        return Response.to_request(request, 480 if known else 404, to_tag=tag)
