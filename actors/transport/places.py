"""The places for connections: how many there may be, of whom, and which connection makes room for another one.

A table that is full, or a process without a free descriptor, takes the place of the oldest connection that no whole
message came by. Connections that carried a message and those that were opened here keep theirs. The bound follows the
descriptors of the process: a table that needs more of them than there are would never be full. A source must not take
more than its share.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..counting.totals import Totals
from .connection import Connection, Ended
from .networks import source_of

RESERVED: Final = 64
"""Descriptors that stay free for links between processes, files, and connections that are taken and closed at once."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of the number of connections."""

    per_source: int = 64
    """Connections that one remote address, or one /64 of IPv6, may have opened."""
    total: int = 1024
    """Connections of both directions."""
    handshakes: int = 256
    """Connections that came in and whose TLS handshake is not over."""

    @classmethod
    def of(cls, per_source: int, free: int | None = None) -> "StreamLimits":
        """Return the limits with so many connections per source; the others have room for them.

        Args:
            per_source: see there.
            free: descriptors that the process may still open, `RESERVED` of which no connection takes, or half of
                them where there are few; None = there is no limit.
        """
        usual = cls()
        total = max(usual.total, per_source)
        if free is not None:
            total = max(1, min(total, free - min(RESERVED, free // 2)))
        return cls(per_source, total, max(usual.handshakes, per_source))


class Places:
    """The places of one dispatcher.

    Args:
        connections: of both directions by their flows, the oldest first; they stay with their owner.
    """

    __slots__ = ("_connections", "_dropped", "_limits", "_sources")

    def __init__(self, limits: StreamLimits, connections: Mapping[int, Connection], totals: Totals) -> None:
        self._limits = limits
        self._connections = connections
        self._sources: Counter[str] = Counter()
        self._dropped = {
            reason: totals.cell("sipswarm_transport_connections_dropped_total", reason)
            for reason in ("made_room", "source", "full", "descriptors")
        }

    @property
    def sources(self) -> int:
        """Number of sources that have connections."""
        return len(self._sources)

    def admits(self, host: str, *, shakes_hands: bool) -> bool:
        """Whether a connection of a host may be taken; where all places are taken, an older one makes room.

        Args:
            shakes_hands: it begins with a TLS handshake.
        """
        if self._sources[source_of(host)] >= self._limits.per_source:
            self._dropped["source"].value += 1
            return False
        if shakes_hands:
            shaking = [each for each in self._connections.values() if each.is_shaking_hands]
            if len(shaking) >= self._limits.handshakes:
                self._close(shaking[0])
        return self.has_room()

    def has_room(self) -> bool:
        """Whether there is a place for one more; where all are taken, an older connection makes room."""
        if len(self._connections) < self._limits.total:
            return True
        made = self._make_room()
        _logger.warning(
            "all %d places for connections are taken: %s",
            self._limits.total,
            "the oldest one that no message came by makes room" if made else "a further one is refused",
        )
        if not made:
            self._dropped["full"].value += 1
        return made

    def without_descriptor(self, reason: str) -> bool:
        """Take that the kernel gave no descriptor for a connection; whether an older one has made room for it.

        Args:
            reason: the error in words.
        """
        self._dropped["descriptors"].value += 1
        made = self._make_room()
        _logger.warning(
            "no descriptor for a further connection (%s): %s; raise ulimit -n",
            reason,
            "the oldest one that no message came by makes room" if made else "it has to wait",
        )
        return made

    def take(self, host: str) -> None:
        """Count a connection that came in."""
        self._sources[source_of(host)] += 1

    def release(self, host: str) -> None:
        """Count the end of a connection that came in."""
        source = source_of(host)
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def _make_room(self) -> bool:
        idle = next((each for each in self._connections.values() if not each.is_of_use), None)
        if idle is None:
            return False
        self._close(idle)
        return True

    def _close(self, connection: Connection) -> None:
        self._dropped["made_room"].value += 1
        connection.close(Ended.MADE_ROOM)
