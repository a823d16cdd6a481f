"""The local address toward each peer: the address of the socket, and the one in Via, Contact and SDP.

A listener on 0.0.0.0 or :: has every address of this host. A request leaves from the address that the kernel would
choose for its destination; a call that came in stays on the address that its INVITE came to. An advertised address (1:1
NAT) replaces these in every message. Where the advertised address is one of this host, no NAT is before it: media ports
of a wildcard are bound to it, and first requests leave from it. 0.0.0.0 and :: must never be shown to a peer (RFC 3261
sections 8.1.1.8 and 18.1.1; in SDP they mean hold, RFC 3264 section 8.4). Nothing is sent from here.
"""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from sipswarm.sipcore.message.hop import Hop

from ..config import Listener, is_wildcard
from .names.addresses import ip_version, is_address, is_loopback

FRESH: Final = 5.0
"""Seconds for which the kernel's choice for a host is taken to hold."""
MOST: Final = 4096
"""Hosts that are remembered."""
MOST_USED: Final = 64
"""Addresses of this host that are noted as used."""
_FAR: Final = {4: "198.51.100.1", 6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849), which only the default route leads to."""
_LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}
_Value = TypeVar("_Value")


class LocalAddress(NamedTuple):
    """One address of a listener."""

    listener: int
    """Index into the node's listeners."""
    bound: Hop
    """Messages leave from it: responses from the address that their request came to (RFC 3581 section 4)."""
    seen: Hop
    """The address that peers get, in Via, Contact and SDP."""
    media: str
    """Media ports are bound to it."""
    arrived: bool = False
    """A request came to it, so that its call stays on it."""


class LocalAddresses:
    """The addresses of the listeners of a node.

    Args:
        listeners: bound, with their real ports.
        advertise: at most one address per IP version; it replaces that of every listener of its version.
        route: finds the address that the kernel would send from (`route_to`).
        now: monotonic seconds.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        advertise: Sequence[str] = (),
        *,
        route: Callable[[str], str] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hops = [Hop(each.transport, each.host, each.port) for each in listeners]
        """The addresses of the sockets, one per listener."""
        self.wildcard = [is_wildcard(each.host) for each in listeners]
        """Whether each of them has every address of this host."""
        self._advertised = {ip_version(each): each for each in advertise}
        self._without_nat = {ip_version(each): each for each in advertise if is_of_this_host(each)}
        """Advertised addresses that are of this host: no NAT is before them, and a wildcard has them too."""
        self._route = route or route_to
        self._now = now
        self._routes: dict[str, tuple[float, str]] = {}
        self._local: dict[str, tuple[float, bool]] = {}
        self._used = {hop.host for hop, wild in zip(self.hops, self.wildcard, strict=True) if not wild}
        self._alike: dict[tuple[str, int], list[int]] = {}
        for index, hop in enumerate(self.hops):
            self._alike.setdefault((hop.transport, ip_version(hop.host)), []).append(index)

    @property
    def used(self) -> set[str]:
        """The addresses of this host that messages leave from: those of sockets; of wildcards, those chosen so far."""
        return self._used

    def listener_for(self, hop: Hop) -> int | None:
        """Return the listener from which a hop is reached; None when none has its transport and IP version.

        Of several it is the one whose address the kernel would send from, else one with every address, else the first.
        """
        alike = self._alike.get((hop.transport, ip_version(hop.host)))
        if alike is None or len(alike) == 1 or not is_address(hop.host):
            return alike[0] if alike else None
        chosen = self._chosen(hop.host)
        fitting = [index for index in alike if self.hops[index].host == chosen]
        return (fitting or [index for index in alike if self.wildcard[index]] or alike)[0]

    def index_of(self, local: Hop) -> int | None:
        """Return the listener that has this address on its socket; None when there is none."""
        alike = self._alike.get((local.transport, ip_version(local.host)), ())
        every = None
        for index in alike:
            hop = self.hops[index]
            if hop.port == local.port:
                if hop.host == local.host:
                    return index
                if self.wildcard[index] and every is None:
                    every = index
        return every

    def toward(self, listener: int, host: str) -> LocalAddress:
        """Return the address from which the messages of a listener to a host leave.

        Args:
            listener: its index.
            host: the remote host; a name = as `usual`.
        """
        hop = self.hops[listener]
        if not self.wildcard[listener]:
            return self._made(listener, hop.host, hop.host)
        if not is_address(host) or ip_version(host) != ip_version(hop.host):
            return self.usual(listener)
        found = self._sending(listener, self._chosen(host) or _LOOPBACK[ip_version(hop.host)])
        self._use(found.bound.host)
        return found

    def at(self, listener: int, address: str, source: str) -> LocalAddress:
        """Return the address of a listener that a message came to, from `source`; empty = unknown."""
        if not self.wildcard[listener] or not address or is_wildcard(address):
            return self.toward(listener, source)._replace(arrived=True)
        self._use(address)
        return self._made(listener, address, self._open(address))._replace(arrived=True)

    def usual(self, listener: int) -> LocalAddress:
        """Return the address of a listener while no peer is known: by the default route, else loopback."""
        hop = self.hops[listener]
        if not self.wildcard[listener]:
            return self._made(listener, hop.host, hop.host)
        version = ip_version(hop.host)
        return self._sending(listener, self._chosen(_FAR[version]) or _LOOPBACK[version])

    def following(self, local: LocalAddress, hop: Hop) -> LocalAddress | None:
        """Return the address for a further request of a call whose address is `local`.

        A call that came in stays on its address, unless that is of loopback and the hop is not.

        Returns:
            The address; None when no listener reaches the hop.
        """
        listener = local.listener if self.reaches(local.bound, hop) else self.for_hop(hop)
        if listener is None:
            return None
        if listener != local.listener:
            return self.toward(listener, hop.host)
        if not is_address(hop.host) or (local.arrived and is_loopback(local.bound.host) == is_loopback(hop.host)):
            return local
        return self.toward(listener, hop.host)

    @staticmethod
    def reaches(local: Hop, hop: Hop) -> bool:
        """Whether an address has the transport and IP version of a hop; that of a name is not known yet."""
        return local.transport == hop.transport and (
            ip_version(local.host) == ip_version(hop.host) or not is_address(hop.host)
        )

    def for_hop(self, hop: Hop) -> int | None:
        """As `listener_for`; a name is reached by each listener of its transport, until DNS answers."""
        found = self.listener_for(hop)
        if found is None and not is_address(hop.host):
            found = next(iter(self._alike.get((hop.transport, 6), ())), None)
        return found

    def is_ours(self, host: str) -> bool:
        """Whether a host is an address of this node: advertised, of a listener, or any of this host for a wildcard."""
        if not is_address(host):
            return False
        if host in self._advertised.values() or any(hop.host == host for hop in self.hops):
            return True
        version = ip_version(host)
        if not any(
            wild and ip_version(hop.host) == version for hop, wild in zip(self.hops, self.wildcard, strict=True)
        ):
            return False
        now = self._now()
        known = self._local.get(host)
        if known is None or known[0] < now:
            known = now + FRESH, not is_wildcard(host) and is_of_this_host(host)
            _keep(self._local, host, known)
        return known[1]

    def depends(self, listener: int) -> bool:
        """Whether the address of a listener depends on the peer that sees it."""
        return self.wildcard[listener]

    def shows_own(self, host: str) -> bool:
        """Whether a wildcard's sockets can have the addresses that peers see, in the IP version of this one."""
        version = ip_version(host)
        return version not in self._advertised or version in self._without_nat

    def advertised(self, host: str) -> str:
        """Return the address that peers see for one of the sockets."""
        return self._advertised.get(ip_version(host)) or host.partition("%")[0]

    def _use(self, address: str) -> None:
        if len(self._used) < MOST_USED:
            self._used.add(address)

    def _sending(self, listener: int, address: str) -> LocalAddress:
        opened = self._open(address)
        return self._made(listener, opened, opened)

    def _open(self, address: str) -> str:
        """The advertised address, where it is one of this host, instead of another."""
        return self._without_nat.get(ip_version(address), address)

    def _made(self, listener: int, address: str, media: str) -> LocalAddress:
        hop = self.hops[listener]
        bound = hop if hop.host == address else hop._replace(host=address)
        seen = self.advertised(address)
        return LocalAddress(listener, bound, bound if seen == address else bound._replace(host=seen), media)

    def _chosen(self, host: str) -> str:
        """The address from which the kernel would send to a host, remembered for a while; empty = no route."""
        now = self._now()
        known = self._routes.get(host)
        if known is None or known[0] < now:
            known = now + FRESH, self._route(host)
            _keep(self._routes, host, known)
        return known[1]


def _keep(known: dict[str, _Value], host: str, value: _Value) -> None:
    known.pop(host, None)
    if len(known) >= MOST:
        del known[next(iter(known))]
    known[host] = value


def usual_listeners() -> tuple[Listener, ...]:
    """Return the listeners of a user agent that names none.

    They are UDP and TCP on every address, IPv6 where this host has it.
    """
    hosts = ["0.0.0.0"]
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind((_LOOPBACK[6], 0))
        hosts.append("::")
    return tuple(Listener(transport, host, 0) for transport in ("udp", "tcp") for host in hosts)


def route_to(host: str) -> str:
    """Return the address from which the kernel would send to an IP address; empty = there is no route."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))  # of UDP: nothing is sent
            chosen = str(probe.getsockname()[0])
    except OSError:
        return ""
    return "" if is_wildcard(chosen) else chosen


def is_of_this_host(host: str) -> bool:
    """Whether an IP address is one of this host, which is so when a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
