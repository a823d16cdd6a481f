"""The networks that are sent to: asked before anything goes to an address that a peer has named.

A peer names addresses in Contact, Record-Route, Refer-To, the Contacts of a 3xx, and c= and a=rtcp of its description.
Without this, an allowed caller could aim requests and audio at a third party, at the metadata service of a cloud
(169.254.169.254, fd00:ec2::254), or at services of this host (RELIABILITY S2). Addresses that the user chose, and the
source of an incoming call, are not asked about. A name is asked about when DNS has answered.

With a list of networks nothing else is sent to. Without one everything is, but for what no peer needs: the unspecified
network, groups and broadcast (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7), link-local addresses unless the peer has
one of that network, and loopback unless the peer is on this host: at loopback, or at an address of this host.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from ..counting.totals import Totals
from ..runtime.peer import Peer
from ..transport.local_addresses import is_of_this_host
from ..transport.names.addresses import is_address
from ..transport.networks import Networks

REMEMBERED: Final = 4096
"""Hosts and peers whose result is remembered."""
REFUSED: Final = "sipswarm_destinations_refused_total"
NEVER: Final = ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8", "fd00:ec2::254/128")
LINKS: Final = (("169.254.0.0/16",), ("fe80::/10",))
"""Networks of this link."""
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")

_logger = logging.getLogger(__name__)


class Destinations:
    """The networks that one call worker sends to.

    Args:
        send_to: networks, each as `ADDRESS/LENGTH`; empty = all but those that are refused by default.
        totals: counts refusals.
        is_here: whether an address is one of this host.
    """

    __slots__ = ("_is_here", "_known", "_links", "_loopback", "_never", "_only", "_totals")

    def __init__(
        self, send_to: Sequence[str], totals: Totals, is_here: Callable[[str], bool] = is_of_this_host
    ) -> None:
        self._only = Networks(send_to) if send_to else None
        self._never = Networks(NEVER)
        self._links = tuple(map(Networks, LINKS))
        self._loopback = Networks(LOOPBACK)
        self._is_here = is_here
        self._totals = totals
        self._known: dict[tuple[str, Peer], bool] = {}

    def may_send(self, host: str, peer: Peer, what: str = "") -> bool:
        """Whether something may be sent to a host that a peer has named; a name may, until it is looked up.

        Args:
            what: names what is to be sent, so that a refusal is counted, and the first one logged; empty = only asks.
        """
        if host in peer.chosen:
            return True
        known = self._known.get((host, peer))
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[host, peer] = self._judge(host, peer)
            if not known:
                _logger.warning(
                    "nothing is sent to %s, which %s has named; --send-to permits networks",
                    host,
                    " or ".join(peer.hosts) or "a peer",
                )
        if not known and what:
            self._totals.cell(REFUSED, what).value += 1
        return known

    def _judge(self, host: str, peer: Peer) -> bool:
        host = host.partition("%")[0]
        if not is_address(host):
            return True
        if self._only is not None:
            return host in self._only
        if host in self._never:  # with every reading of 64:ff9b:1::/48 each of its addresses would be refused
            return False
        hosts = [each for each in peer.hosts if is_address(each)]
        for network in self._links:
            if network.has_any_form(host):
                return bool(hosts) and all(each in network for each in hosts)
        if self._loopback.has_any_form(host):
            return bool(hosts) and all(each in self._loopback or self._is_here(each) for each in hosts)
        return True
