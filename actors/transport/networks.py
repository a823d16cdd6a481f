"""Networks that addresses are compared with, and the source that an address counts for.

An IPv6 address that carries an IPv4 address is compared as that one too: ::ffff:0:0/96 (RFC 4291 section 2.5.5.2),
64:ff9b::/96 (RFC 6052 section 2.1) and 64:ff9b:1::/48 (RFC 8215). Else a list of IPv4 networks would be passed by, or
missed, under another spelling. Results are remembered, up to a bound.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
REMEMBERED: Final = 4096
"""Addresses whose results are remembered."""
_TRANSLATED: Final = tuple(ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
_LOCAL_USE: Final = _TRANSLATED[1]
_LOWEST: Final = 0xFFFF
"""::1 and its like are IPv6 addresses, not IPv4 ones in the deprecated form ::a.b.c.d (RFC 4291 section 2.5.5.1)."""


def forms_of(host: str) -> Iterator[Address]:
    """Yield an address in each of its forms: as it stands, and as the IPv4 address that it carries.

    In 64:ff9b:1::/48 the prefix may have 48, 56, 64 or 96 bits (RFC 6052 section 2.2), so there each place is yielded.

    Raises:
        ValueError: it is no IP address.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif number > _LOWEST and any(address in network for network in _TRANSLATED):
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
        if address in _LOCAL_USE:
            octets = address.packed
            yield ipaddress.IPv4Address(octets[6:8] + octets[9:11])
            yield ipaddress.IPv4Address(octets[7:8] + octets[9:12])
            yield ipaddress.IPv4Address(octets[9:13])


def usual_form(host: str) -> str:
    """Return an address in its shortest form, as the IPv4 address where it carries one; a name as it is."""
    try:
        forms = list(forms_of(host))
    except ValueError:
        return host
    return str(forms[min(1, len(forms) - 1)])


@lru_cache(REMEMBERED)
def source_of(host: str) -> str:
    """Return the source that an address counts for: an IPv4 address, or the /64 of an IPv6 address.

    One subscriber has a whole /64 (RFC 6177), and would else be as many sources as it likes.
    """
    usual = usual_form(host)
    if ":" not in usual:
        return usual
    return str(ipaddress.IPv6Network((usual, 64), strict=False))


class Networks:
    """A list of networks, which `in` asks.

    Args:
        networks: each as `ADDRESS/LENGTH`, or an address.
    """

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, host: str) -> bool:
        """Whether an address is in one of the networks, in any of its forms; what is no address is in none."""
        found = self._known.get(host)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[host] = self._look(host)
        return found

    def _look(self, host: str) -> bool:
        try:
            forms = tuple(forms_of(host))
        except ValueError:
            return False
        return any(form in network for form in forms[:2] for network in self._networks)

    def has_any_form(self, host: str) -> bool:
        """Whether an address may be in one of the networks in any reading of it: for lists of what is refused."""
        try:
            return any(form in network for form in forms_of(host) for network in self._networks)
        except ValueError:
            return False
