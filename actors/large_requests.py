"""Requests that are too long for UDP: they go over TCP under a Via that says so (RFC 3261 section 18.1.1).

Whatever carries the same branch (its CANCEL, its ACK after a failure) takes the same way, or the peer would not know it
for the same transaction. A peer that refuses the connection gets the datagram, and no second attempt for a while.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from sipcore.hop import Hop, bracketed

LONGEST_DATAGRAM: Final = 1300
"""octets of a request over UDP where the path's MTU is unknown"""
REMEMBER: Final = 40.0
"""seconds for which a branch keeps its way: longer than a transaction lives"""
REFUSED_FOR: Final = 300.0
"""seconds for which a peer without TCP is not asked again"""
MOST: Final = 10_000


class LargeRequests:
    """Which requests of a worker have changed over.

    hops: our own addresses, one per listener.
    """

    def __init__(self, hops: Sequence[Hop], *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ways: dict[int, tuple[int, bytes, bytes]] = {}
        """for each UDP listener that has a TCP one beside it: its index, and the start of a Via before and after"""
        for index, hop in enumerate(hops):
            beside = [
                other
                for other, each in enumerate(hops)
                if each.transport == "tcp" and (":" in each.host) == (":" in hop.host)
            ]
            if hop.transport == "udp" and beside:
                self._ways[index] = (beside[0], _via(hop), _via(hops[beside[0]]))
        self.switched: dict[bytes, tuple[float, bytes]] = {}
        """branches that went over TCP: until when they are remembered, and the request"""
        self._refused: dict[tuple[str, int], float] = {}

    def switch(self, listener: int, data: bytes, host: str, port: int) -> tuple[int, bytes] | None:
        """The TCP listener and the octets that a message goes by; None when it stays with UDP.

        What comes again after it went over TCP is not sent again: TCP repeats by itself (RFC 3261 section 17.1.1.2).
        The answer is then the listener and no octets at all.
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
            if before not in data:
                return None
            self._remember(branch, data)
        elif known[1] == data:
            return other, b""
        return other, data.replace(before, after, 1)

    def restore(self, data: bytes, host: str, port: int) -> tuple[int, bytes] | None:
        """The UDP listener and the octets of a request whose connection failed; None when it was not switched."""
        known = self.switched.pop(_branch(data), None)
        if known is None:
            return None
        if len(self._refused) >= MOST:
            self._refused.clear()
        self._refused[host, port] = self._now() + REFUSED_FOR
        for listener, (_, before, _) in self._ways.items():
            if before in known[1]:
                return listener, known[1]
        return None

    def _remember(self, branch: bytes, data: bytes) -> None:
        now = self._now()
        while self.switched:
            oldest = next(iter(self.switched))
            if self.switched[oldest][0] > now and len(self.switched) < MOST:
                break
            del self.switched[oldest]
        self.switched[branch] = (now + REMEMBER, data)


def _via(hop: Hop) -> bytes:
    return f"\r\nVia: SIP/2.0/{hop.transport.upper()} {bracketed(hop.host)}:{hop.port};".encode()


def _branch(data: bytes) -> bytes:
    """The branch of a request of ours, as we have written it."""
    start = data.find(b";branch=") + 8
    end = min(found for found in (data.find(b";", start), data.find(b"\r", start), len(data)) if found >= 0)
    return data[start:end]
