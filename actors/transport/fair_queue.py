"""Messages that wait for room at one slot, taken in turns by source.

A source is an IPv4 address or the /64 of an IPv6 address. Each source has a line for its datagrams and one for all its
connections, in the order in which the messages came. `take` takes one message of each line in turn (fair queueing, RFC
970). The lines that are there share the bounds of the queue equally. A datagram beyond the share of its line is
refused, and takes no place of another source. Requests outside of calls get half of a share only, so that requests
within calls of the same source find room. Messages of connections are always taken, because their peers do not repeat
them. The owner of the queue stops reading a connection whose line has its share. Pure: times are arguments.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from sipswarm.sipcore.message import peek

from ..bus.messages import SipReceived
from .networks import source_of

MESSAGES: Final = 256
"""Messages that wait in one queue, divided by the lines that are there."""
OCTETS: Final = 1024 * 1024
"""Their octets, divided likewise; one message may be larger than a share."""
LINES: Final = 256
"""Lines beyond which a datagram finds no new one; beyond half of them only a message of a call does."""


class _Line:
    """The datagrams of one source that wait, or the messages of its connections."""

    __slots__ = ("messages", "octets")

    def __init__(self) -> None:
        self.messages: deque[tuple[float, SipReceived]] = deque()
        self.octets = 0


class FairQueue:
    """The queue of one slot; its length is `count`."""

    __slots__ = ("_lines", "count")

    def __init__(self) -> None:
        self._lines: OrderedDict[tuple[str, bool], _Line] = OrderedDict()
        """By source, and whether it is that of connections. The first one has the next turn; none is empty."""
        self.count = 0

    def add(self, record: SipReceived, now: float) -> bool:
        """Let a message wait.

        Args:
            now: monotonic seconds.

        Returns:
            False where a datagram finds no room, and does not wait.
        """
        key = _key_of(record)
        line = self._lines.get(key)
        if not record.flow and not self._has_room(line, record.data):
            return False
        if line is None:
            line = self._lines[key] = _Line()
        line.messages.append((now, record))
        line.octets += len(record.data)
        self.count += 1
        return True

    def add_first(self, records: Sequence[SipReceived], now: float) -> None:
        """Let messages wait, in their order, before all others of their lines."""
        for record in reversed(records):
            key = _key_of(record)
            line = self._lines.get(key)
            if line is None:
                line = self._lines[key] = _Line()
            line.messages.appendleft((now, record))
            line.octets += len(record.data)
        self.count += len(records)

    def is_full_for(self, source: str) -> bool:
        """Whether the connections of a source have their share."""
        line = self._lines.get((source, True))
        return line is not None and self._fills(line, 1)

    def is_short_for(self, source: str) -> bool:
        """Whether the connections of a source have less than half of their share."""
        line = self._lines.get((source, True))
        return line is None or not self._fills(line, 2)

    def take(self, count: int) -> list[SipReceived]:
        """Take up to `count` messages, one of each line in turn."""
        taken: list[SipReceived] = []
        lines = self._lines
        for _ in range(min(count, self.count)):
            key, line = next(iter(lines.items()))
            record = line.messages.popleft()[1]
            line.octets -= len(record.data)
            taken.append(record)
            if line.messages:
                lines.move_to_end(key)
            else:
                del lines[key]
        self.count -= len(taken)
        return taken

    def expire(self, datagrams: float, others: float) -> list[SipReceived]:
        """Take what has waited since before a moment.

        Args:
            datagrams: that moment for datagrams, in monotonic seconds.
            others: that moment for messages of connections.
        """
        expired: list[SipReceived] = []
        for key, line in list(self._lines.items()):
            oldest = line.messages[0][0]
            if oldest >= datagrams and oldest >= others:
                continue
            kept: deque[tuple[float, SipReceived]] = deque()
            for at, record in line.messages:
                if at < (others if record.flow else datagrams):
                    expired.append(record)
                    line.octets -= len(record.data)
                else:
                    kept.append((at, record))
            line.messages = kept
            if not kept:
                del self._lines[key]
        self.count -= len(expired)
        return expired

    def __iter__(self) -> Iterator[SipReceived]:
        return (record for line in self._lines.values() for _, record in line.messages)

    def _has_room(self, line: _Line | None, data: bytes) -> bool:
        """Whether a datagram may wait."""
        lines = len(self._lines)
        if line is None:
            return lines < LINES and (lines < LINES // 2 or not _is_outside(data))
        if self._fills(line, 1):
            return False
        return not self._fills(line, 2) or not _is_outside(data)

    def _fills(self, line: _Line, part: int) -> bool:
        """Whether a line has its share, or a part of that: 1 = all, 2 = half."""
        parts = part * len(self._lines)
        return len(line.messages) * parts >= MESSAGES or line.octets * parts >= OCTETS


def _key_of(record: SipReceived) -> tuple[str, bool]:
    return source_of(record.host), record.flow != 0


def _is_outside(data: bytes) -> bool:
    """Whether a message is a request that belongs to no call: no tag in To, and no CANCEL (RFC 3261 section 9.1)."""
    return peek.is_request(data) and not peek.to_tag(data) and peek.method(data) != b"CANCEL"
