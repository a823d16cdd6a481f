"""Requests that are too long for UDP: they go over TCP, with TCP in their Via (RFC 3261 section 18.1.1).

A CANCEL, and an ACK after a failure, have the branch of their request and take its way. Otherwise the peer would not
match them to its transaction. A peer that refuses the connection gets the datagram, and no second attempt for a while.
A message that went over TCP must not be repeated there. Nothing is sent from here.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.message.hop import Hop, bracketed

from ..config import is_wildcard

LONGEST_DATAGRAM: Final = 1300
"""Octets of a request over UDP where the path's MTU is unknown."""
REMEMBER: Final = 40.0
"""Seconds for which a branch keeps its way: longer than a transaction lives."""
REFUSED_FOR: Final = 300.0
"""Seconds for which a peer without TCP is not tried again."""
MOST: Final = 10_000
"""Branches, and peers without TCP, that are remembered."""


class LargeRequests:
    """The requests of a worker that have changed over.

    Args:
        hops: the addresses of the sockets, one per listener.
        seen: the address that peers see for one of those.
        now: monotonic seconds.
    """

    def __init__(
        self,
        hops: Sequence[Hop],
        *,
        seen: Callable[[str], str] = lambda host: host,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._ways: dict[int, tuple[int, re.Pattern[bytes], bytes]] = {}
        """For each UDP listener that has a TCP one beside it: its index, and the start of a Via before and after."""
        for index, hop in enumerate(hops):
            beside = [
                other
                for other, each in enumerate(hops)
                if each.transport == "tcp" and (":" in each.host) == (":" in hop.host)
            ]
            if hop.transport == "udp" and beside:
                self._ways[index] = (beside[0], *_vias(hop, hops[beside[0]], seen))
        self.switched: dict[bytes, tuple[float, bytes]] = {}
        """Branches that went over TCP: until when they are remembered, and the request."""
        self._refused: dict[tuple[str, int], float] = {}

    def switch(self, listener: int, data: bytes, host: str, port: int) -> tuple[int, bytes] | None:
        """Return the TCP listener and the octets that a message goes by.

        A message that went over TCP is not sent again: TCP repeats by itself (RFC 3261 section 17.1.1.2).

        Returns:
            The listener, and no octets for a repetition; None when the message stays with UDP.
        """
        way = self._ways.get(listener)
        if way is None or data.startswith(b"SIP/2.0 "):
            return None
        other, before, after = way
        branch = _branch(data)
        known = self.switched.get(branch)
        if known is None:
            if len(data) <= LONGEST_DATAGRAM or self._refused.get((host, port), 0.0) > self._now():
                return None
            if before.search(data) is None:
                return None
            self._remember(branch, data)
        elif known[1] == data:
            return other, b""
        return other, before.sub(after, data, count=1)

    def stay(self, data: bytes, hop: Hop) -> None:
        """Have a long message, and those that follow it for a while, go to a hop by UDP.

        A peer behind a NAT is reached by the address that it sends from alone (RFC 5626 section 5.3).
        """
        if len(data) > LONGEST_DATAGRAM and hop.transport == "udp":
            self._refuse(hop.host, hop.port)

    def restore(self, data: bytes, host: str, port: int) -> tuple[int, bytes] | None:
        """Return the UDP listener and the octets of a request whose connection failed.

        Returns:
            None when it was not switched.
        """
        known = self.switched.pop(_branch(data), None)
        if known is None:
            return None
        self._refuse(host, port)
        for listener, (_, before, _) in self._ways.items():
            if before.search(known[1]) is not None:
                return listener, known[1]
        return None

    def _refuse(self, host: str, port: int) -> None:
        """Try no TCP with a peer for a while."""
        if len(self._refused) >= MOST:
            self._refused.clear()
        self._refused[host, port] = self._now() + REFUSED_FOR

    def _remember(self, branch: bytes, data: bytes) -> None:
        now = self._now()
        while self.switched:
            oldest = next(iter(self.switched))
            if self.switched[oldest][0] > now and len(self.switched) < MOST:
                break
            del self.switched[oldest]
        self.switched[branch] = (now + REMEMBER, data)


def _vias(udp: Hop, tcp: Hop, seen: Callable[[str], str]) -> tuple[re.Pattern[bytes], bytes]:
    """Return the pattern of the Via of a UDP listener, and its replacement for the TCP listener.

    An address of a listener that has them all is one of the TCP listener too, unless that has another one.
    """
    known = not is_wildcard(udp.host)
    host = re.escape(bracketed(seen(udp.host)).encode()) if known else rb"[0-9A-Fa-f.:\[\]]{1,47}"
    before = re.compile(rb"\r\nVia: SIP/2\.0/UDP (%s):%d;" % (host, udp.port))
    other = seen(tcp.host)
    kept = is_wildcard(tcp.host) or other != tcp.host
    written = rb"\1" if kept else bracketed(other).encode()
    return before, b"\r\nVia: SIP/2.0/TCP %s:%d;" % (written, tcp.port)


def _branch(data: bytes) -> bytes:
    """Return the branch of a request that was written here."""
    start = data.find(b";branch=") + 8
    end = min(found for found in (data.find(b";", start), data.find(b"\r", start), len(data)) if found >= 0)
    return data[start:end]
