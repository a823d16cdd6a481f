"""The location service: which contacts an address-of-record has now (RFC 3261 sections 10.2.1 and 10.3).

A table by address-of-record, each with its bindings and their ends. It has a bound for addresses and one for the
bindings of each. What has expired is never returned, and is taken out by `sweep`. Each change is reported to a function
that the caller gives, which may keep it in a file. It uses no clock and no files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Final, NamedTuple, final

from ..message.fields import NameAddr
from ..message.hop import Hop
from ..message.uri import Uri, escape, unescape
from .checks import check_optional_function

USER_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/"
"""Characters of a user part that need no escape (RFC 3261 section 25.1)."""


class Binding(NamedTuple):
    """One contact of an address-of-record."""

    contact: NameAddr
    """As it was registered, without its expires parameter."""
    expires_at: float
    """When it ends, in seconds of the caller's clock."""
    call_id: str
    """Call-ID of the REGISTER that wrote it."""
    cseq: int
    """CSeq number of that REGISTER."""
    path: tuple[str, ...] = ()
    """Route values toward the contact (RFC 3327), the first hop first."""
    source: Hop | None = None
    """Where its REGISTER came from, and requests for it go; None = where its URI and path name."""
    flow: int = 0
    """Number of the connection that its REGISTER came by; 0 = any to `source`."""

    @property
    def uri(self) -> Uri:
        """Where requests for the address-of-record go."""
        return self.contact.uri

    @property
    def q(self) -> float:
        """Preference, 0 to 1 (RFC 3261 section 10.2.1.2)."""
        return self.contact.q

    def remaining(self, now: float) -> int:
        """Return the whole seconds until its end, rounded up."""
        return max(0, ceil(round(self.expires_at - now, 3)))  # (now + 7200) - now is 7200.000000000004 at times


SIPS_NOT_ALLOWED: Final = ("Warning", '380 sipswarm "SIPS Not Allowed"')
"""Header of the 480 to a request for an address of sips that no contact over TLS has (RFC 5630 section 5.3)."""
Changed = Callable[[str, Sequence[Binding]], None]
"""Called with an address-of-record and all its bindings after each change; none = the address is gone."""


def address_key(uri: Uri, domain: str = "") -> str:
    """Return the address-of-record that a URI names, in canonical form (RFC 3261 section 10.3, step 5).

    It has neither scheme, port nor parameters: a sips address reaches what a sip address has registered (RFC 5630
    section 5.3). The user is compared in its case, with escapes decoded.

    Args:
        domain: instead of the host of the URI.
    """
    user = escape(uri.user or "", USER_CHARACTERS)
    return f"{user}@{domain or uri.host.lower()}"


def user_of(address: str) -> str:
    """Return the user of an address-of-record, as `address_key` makes it, with escapes decoded."""
    return unescape(address.rpartition("@")[0])


def is_secure(uri: Uri) -> bool:
    """Whether a URI is reached over TLS: one of sips, or of sip with the transport tls (RFC 5630 section 3.1.3)."""
    return uri.scheme == "sips" or (uri.scheme == "sip" and uri.transport == "tls")


@final
class LocationStore:
    """The bindings of all addresses-of-record.

    Args:
        most_addresses: bound of the table.
        most_contacts: bound of the bindings of one address.
        changed: see `Changed`; None = changes are kept nowhere else.
    """

    __slots__ = ("_bindings", "_changed", "_count", "most_addresses", "most_contacts")

    def __init__(
        self, *, most_addresses: int = 100_000, most_contacts: int = 16, changed: Changed | None = None
    ) -> None:
        """Check the arguments.

        Raises:
            TypeError: `changed` is no function.
        """
        check_optional_function("changed", changed, "an address-of-record and its bindings")
        self.most_addresses = most_addresses
        self.most_contacts = most_contacts
        self._changed = changed
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._bindings)

    @property
    def count(self) -> int:
        """Number of all bindings, with those that expired since the last `sweep`."""
        return self._count

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses-of-record that have bindings."""
        return tuple(self._bindings)

    def bindings(self, address: str, now: float) -> tuple[Binding, ...]:
        """Return the bindings of an address that have not expired, the one of the highest q first.

        Of those with the same q the newest is the first.
        """
        live = [each for each in self._bindings.get(address, ()) if each.expires_at > now]
        live.reverse()
        return tuple(sorted(live, key=_rank))

    def has_room(self, address: str) -> bool:
        """Whether an address is in the table, or would find room there."""
        return address in self._bindings or len(self._bindings) < self.most_addresses

    def replace(self, address: str, bindings: Iterable[Binding]) -> None:
        """Give an address these bindings, the oldest first, instead of those it has."""
        self._put(address, tuple(bindings))
        if self._changed is not None:
            self._changed(address, self._bindings.get(address, ()))

    def restore(self, address: str, bindings: Iterable[Binding]) -> None:
        """As `replace`, for bindings that were kept: nothing is reported, and what is beyond a bound is left out."""
        if self.has_room(address):
            self._put(address, tuple(bindings)[-self.most_contacts :])

    def in_order(self, address: str, now: float) -> tuple[Binding, ...]:
        """Return the bindings of an address that have not expired, the oldest first."""
        return tuple(each for each in self._bindings.get(address, ()) if each.expires_at > now)

    def sweep(self, now: float) -> int:
        """Take out what has expired, and return the number of bindings that were taken out.

        Nothing is reported: a binding that is kept elsewhere carries its end with it.
        """
        before = self._count
        for address, bindings in list(self._bindings.items()):
            if any(each.expires_at <= now for each in bindings):
                self._put(address, tuple(each for each in bindings if each.expires_at > now))
        return before - self._count

    def _put(self, address: str, bindings: tuple[Binding, ...]) -> None:
        self._count += len(bindings) - len(self._bindings.get(address, ()))
        if bindings:
            self._bindings[address] = bindings
        else:
            self._bindings.pop(address, None)


def _rank(binding: Binding) -> float:
    return -binding.q
