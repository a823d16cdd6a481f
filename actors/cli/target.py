"""The targets of calls: only networks that are unlikely to be a stranger's, unless the user permits more.

A target is completed to a SIP URI, looked up once, and compared with the private networks. A public one needs
--allow-public and has a limit of its rate. Registrar, proxy and local address are checked by the same routes. Nothing
must be sent from here.
"""

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.uri import Uri

from ..config import Listener, format_host
from ..errors import ConfigurationError
from ..transport.names.addresses import ip_version, is_address
from ..transport.networks import usual_form
from ..transport.targets import hop_of, with_scheme

QUIET_NETWORKS: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "127.0.0.0/8",
        "::1/128",
        "169.254.0.0/16",
        "fe80::/10",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)
"""Loopback, link-local and private (RFC 1122, 3927, 4291, 1918, 4193)."""
PUBLIC_RATE: Final = 10.0
"""Calls per second that a public target may get."""


def complete(target: str, user: str = "", transport: str = "") -> str:
    """Return the SIP URI that was meant.

    `sip:` may be left out; `-s USER` and `-t TRANSPORT` add what it lacks.

    Args:
        transport: empty = none was given.

    Raises:
        ConfigurationError: not a SIP URI, another scheme, a user in both places, or `-t udp` for a SIPS URI (RFC 3261
            section 26.2.2).
    """
    text = with_scheme(target)
    try:
        uri = Uri.parse(text)
    except ParseError as error:
        raise ConfigurationError(f"target {target!r}: {error.reason}; write {_example(target)}") from error
    if user and uri.user:
        raise ConfigurationError(f"target {target!r} names the user {uri.user!r} already; drop -s {user}")
    if user:
        uri = uri.replace(user=user)
    if uri.scheme == "sips" and transport == "udp":
        raise ConfigurationError(f"target {target!r} needs TLS, which -t udp rules out; drop -t udp, or write sip:")
    added = "" if transport == "udp" else transport
    if added and not uri.transport:
        uri = uri.replace(params={**uri.params, "transport": added})
    return str(uri) if user or added else text


def _example(target: str) -> str:
    """What to write instead of a target that is no SIP URI: an IPv6 address without brackets is meant as one."""
    if is_address(target) and ":" in target:
        return f"[{target}], or [{target}]:5060"
    return "for example sip:user@192.0.2.1:5060 or 192.0.2.1:5060"


def checked_hop(target: str, *, allow_public: bool, rate: float) -> Hop:
    """Return the hop of a target's calls, once it is clear that it is permitted.

    Args:
        target: the SIP URI.
        allow_public: permit public addresses.
        rate: calls per second.

    Raises:
        ConfigurationError: a public address without --allow-public, or with too many calls per second.
    """
    hop = hop_of(target)
    if check_permitted(target, hop.host, allow_public=allow_public) and rate > PUBLIC_RATE:
        raise ConfigurationError(
            f"target {target!r} is public, which allows {PUBLIC_RATE:.0f} calls per second and not {rate:g}; lower -r"
        )
    return hop


def check_permitted(target: str, host: str, *, allow_public: bool) -> bool:
    """Return whether an address of a target is public.

    Args:
        target: the SIP URI.
        host: an IP address.
        allow_public: permit public addresses.

    Raises:
        ConfigurationError: it is public without --allow-public.
    """
    if any(_address(host) in network for network in QUIET_NETWORKS):
        return False
    if not allow_public:
        raise ConfigurationError(
            f"target {target!r} is {host}, outside of loopback, link-local and private networks; "
            "if you may call it, say --allow-public"
        )
    return True


def target_networks(target: str, hop: Hop) -> tuple[str, ...]:
    """Return the addresses whose requests a load answers: those of its target, and of its first hop.

    Others get no answer; responses and the requests of placed calls may come from anywhere.
    """
    host = Uri.parse(target).host
    found = [host] if is_address(host) else []
    if not found:
        with suppress(OSError, UnicodeError):
            found = [str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)]
    return tuple(dict.fromkeys(usual_form(each) for each in (hop.host, *found)))


def registrar_of(address: str) -> str:
    """Return the registrar of an address-of-record: its host, by the address's transport.

    Raises:
        ConfigurationError: it has no user to register.
    """
    uri = Uri.parse(address)
    if not uri.user:
        raise ConfigurationError(f"--register {address!r} names no user; write sip:user@registrar")
    return str(Uri(uri.scheme, None, uri.host, uri.port, uri.params))


def registration_networks(address: str, proxy: str, listeners: Sequence[Listener]) -> tuple[str, ...]:
    """Return the addresses from which the calls of a registered user come: its registrar's, and the proxy's.

    Raises:
        ConfigurationError: no listener reaches them, or they would not reach the listener.
    """
    legs = [(each.transport, ip_version(each.host)) for each in listeners]
    hop = hop_of(proxy or registrar_of(address), legs)
    usable = [each for each in listeners if each.transport == hop.transport and (":" in each.host) == (":" in hop.host)]
    if not usable:
        raise ConfigurationError(
            f"--register {address}: no listener reaches {hop.transport}:{hop.host}; "
            f"say --listen {hop.transport}:ADDRESS:PORT with an address of this machine"
        )
    own = _address(usable[0].host)
    if own.is_loopback and not _address(hop.host).is_loopback:
        raise ConfigurationError(
            f"--register {address}: calls cannot come to {usable[0]} from {hop.host}; "
            f"say --listen {hop.transport}:ADDRESS:PORT with the address under which that reaches us"
        )
    registrar = Uri.parse(address).host  # when it is a name behind a proxy, calls come from the proxy
    return tuple(dict.fromkeys([hop.host, *([registrar] if is_address(registrar) else [])]))


def check_proxy(proxy: str, listeners: Sequence[Listener]) -> None:
    """Make sure that requests through a proxy can leave.

    Raises:
        ConfigurationError: the proxy is no SIP URI, its name has no address, or no listener reaches it.
    """
    try:
        hop = hop_of(proxy, [(each.transport, ip_version(each.host)) for each in listeners])
    except ConfigurationError as error:
        raise ConfigurationError(f"--proxy: {error}") from error
    if not any(each.transport == hop.transport and (":" in each.host) == (":" in hop.host) for each in listeners):
        raise ConfigurationError(
            f"--proxy {proxy}: no listener reaches {hop.transport}:{format_host(hop.host)}; "
            f"say --listen {hop.transport}:ADDRESS:PORT with an address of this machine"
        )


def local_address(hop: Hop) -> str:
    """Return the local address from which a hop is reached, by the routing table; nothing is sent.

    Raises:
        ConfigurationError: there is no route.
    """
    family = socket.AF_INET6 if ":" in hop.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((hop.host, hop.port))
        except OSError as error:
            raise ConfigurationError(
                f"no route to {hop.host}: {error.strerror}; give a local address with -i"
            ) from error
        return str(probe.getsockname()[0])


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
