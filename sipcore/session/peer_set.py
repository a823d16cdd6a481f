"""The peer set of a dialog: the hosts from which its requests may come (RELIABILITY S3).

These are the host that the first INVITE went to or came from, hosts that have answered, the routes and the target of
the dialog. Only hosts count, so that a NAT may change the port in mid-call (N10). It resolves no name: the
configuration returns the addresses of a name, and a name without known addresses lets its request pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from ipaddress import ip_address

from ..errors import ParseError
from .dialog import Dialog, domain_of, uri_of

AddressesOf = Callable[[str], Collection[str]]
"""Returns the addresses that a name was found to have, nothing while it is not known."""


def admits(dialog: Dialog, host: str, home: str, addresses_of: AddressesOf | None) -> bool:
    """Whether a request of the dialog may come from an address.

    Args:
        host: the source.
        home: the host that the first INVITE went to.
        addresses_of: see above.
    """
    for member in _members(dialog, home):
        if member == host:
            return True
        address = _canonical(member)
        if address is None:
            known = addresses_of(member.lower()) if addresses_of is not None else ()
            if not known or host in known:
                return True
        elif address == _canonical(host):
            return True
    return False


def _members(dialog: Dialog, home: str) -> Iterator[str]:
    yield home
    for uri in (dialog.remote_target, *map(uri_of, dialog.route_set)):
        try:
            yield domain_of(uri)
        except ParseError:
            continue  # no local request goes there either


@lru_cache(maxsize=4096)
def _canonical(host: str) -> str | None:
    """Return an address in its one form, None for a name."""
    try:
        return str(ip_address(host.partition("%")[0]))  # without the zone of a link-local address (RFC 4007)
    except ValueError:
        return None
