"""Where requests of a dialog may come from: the hosts of its peer set (RELIABILITY S3).

These are where the first INVITE went or came from, whoever has answered us, the routes and the target of the dialog.
Only hosts count, so that a NAT may change the port in mid-call (N10). Resolves no name: what a name leads to is asked
of the configuration, and a name of which nothing is known yet lets its request pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from ipaddress import ip_address

from ..errors import ParseError
from .dialog import Dialog, domain_of, uri_of

AddressesOf = Callable[[str], Collection[str]]
"""Gives the addresses that a name was found to have, nothing while it is not known."""


def admits(dialog: Dialog, host: str, home: str, addresses_of: AddressesOf | None) -> bool:
    """Whether a request of the dialog may come from an address.

    Arguments: the dialog; `host` the source; `home` where the first INVITE went; `addresses_of` see above.
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
            continue  # nothing of ours goes there either


@lru_cache(maxsize=4096)
def _canonical(host: str) -> str | None:
    """An address in its one form, None for a name."""
    try:
        return str(ip_address(host.partition("%")[0]))  # without the zone of a link-local address (RFC 4007)
    except ValueError:
        return None
