"""The newest SIP messages of one user agent, of calls and of other requests, in memory until somebody looks.

A `SipTrace` puts every message in. The messages come out as a ladder for each Call-ID, or as a capture. Messages and
octets have bounds: the oldest message goes, and is counted. Pure; secrets are masked when a message comes out.
"""

from collections import deque
from typing import Final

from sipswarm.sipcore.message import peek

from . import pcap
from .ladder import Ladder, Row, Rung
from .masking import masked

MOST_MESSAGES: Final = 4096
MOST_OCTETS: Final = 8 * 1024 * 1024


class KeptMessages:
    """Takes messages as a file does, and keeps the newest.

    Args:
        clock_offset: from monotonic seconds to those since 1970.
        most_messages, most_octets: how much is kept.
    """

    def __init__(
        self, clock_offset: float, *, most_messages: int = MOST_MESSAGES, most_octets: int = MOST_OCTETS
    ) -> None:
        self._offset = clock_offset
        self._most_messages = most_messages
        self._most_octets = most_octets
        self._rows: deque[Row] = deque()
        self._octets = 0
        self.left_out = 0
        """How many older messages are not kept any more."""

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, row: Row) -> None:
        """Keep one more message; the oldest make room for it."""
        self._rows.append(row)
        self._octets += len(row[5])
        while len(self._rows) > self._most_messages or (self._octets > self._most_octets and len(self._rows) > 1):
            self._octets -= len(self._rows.popleft()[5])
            self.left_out += 1

    def close(self) -> None:
        """Do nothing: what was kept can still be read."""

    def ladders(self) -> dict[str, Ladder]:
        """Return the ladder of each Call-ID, in the order of their first messages; "" has what shows no Call-ID."""
        rows: dict[str, list[Rung]] = {}
        for row in self._rows:
            name = peek.call_id(row[5])
            call_id = "" if name is None else name.decode("utf-8", "surrogateescape")
            rows.setdefault(call_id, []).append(Rung._make(row))
        return {call_id: Ladder(rungs, clock_offset=self._offset) for call_id, rungs in rows.items()}

    def capture(self) -> bytes:
        """Return a capture file of all messages, see `pcap`."""
        packets = [pcap.HEADER]
        for at, sent, _, local, remote, data, _ in self._rows:
            ends = (local, remote) if sent else (remote, local)
            packets.append(pcap.packet(at + self._offset, *ends, masked(data)))
        return b"".join(packets)
