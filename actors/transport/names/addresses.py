"""Kinds of a host of a SIP message: an IP address or a name, its IP version, loopback."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def ip_version(address: str) -> int:
    """4 or 6, of an IP address."""
    return 6 if ":" in address else 4


def is_loopback(address: str) -> bool:
    """Whether an address is one of loopback (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3)."""
    return address.startswith("127.") or address == "::1"
