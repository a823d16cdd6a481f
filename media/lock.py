"""Whose packets a stream takes: the strict source rule, and latching by policy (RELIABILITY S4).

Strict: the source IP must be the announced one. The announced port wins at once; another port of that IP is taken
only after 200 ms without a packet from the announced port and two packets in sequence. Latching: the first source
at the signalling peer's IP that sends two packets in sequence, decided within its first five packets, else the strict
rule. Either way the lock then holds until signalling announces another address. Knows addresses and sequence
numbers, nothing of sockets or SSRCs.
"""

Address = tuple[str, int]

QUIET = 0.2
"""Seconds that the announced port must be silent before another port of the same IP may win."""
LATCH_PACKETS = 5
"""Packets within which latching is decided."""
MAX_CANDIDATES = 4
"""Other ports watched at a time."""


class SourceLock:
    """The source of one stream."""

    __slots__ = ("_candidates", "_latch_host", "_latch_left", "announced", "locked")

    def __init__(self) -> None:
        self.announced: Address | None = None
        """What signalling said; None = nothing yet."""
        self.locked: Address | None = None
        """The one source that is taken; None = not decided."""
        self._candidates: dict[Address, list[float]] = {}  # source: first heard at, sequence number expected next
        self._latch_host = ""
        self._latch_left = 0

    def announce(self, address: Address, latch_host: str = "") -> bool:
        """Take the address from signalling. latch_host: IP that may be latched to; "" = strict.

        Returns whether the lock was opened: an address announced before keeps its lock.
        """
        if address == self.announced:
            return False
        self.announced = address
        self.locked = None
        self._candidates.clear()
        self._latch_host = latch_host
        self._latch_left = LATCH_PACKETS if latch_host else 0
        return True

    def admit(self, source: Address, sequence_number: int, now: float) -> bool:
        """Whether a packet is taken; may decide the lock.

        source: where it came from. sequence_number: of its RTP header. now: seconds, monotonic.
        """
        if self.locked is not None:
            return source == self.locked
        if self._latch_left:
            if source[0] != self._latch_host:
                return False
            self._latch_left -= 1
            if self._in_sequence(source, sequence_number, now):
                self.locked = source
                return True
            if not self._latch_left:
                self._candidates.clear()
            return False
        announced = self.announced
        if announced is None or source[0] != announced[0]:
            return False
        if source == announced:
            self.locked = source
            return True
        if self._in_sequence(source, sequence_number, now) and now - self._candidates[source][0] >= QUIET:
            self.locked = source
            return True
        return False

    def _in_sequence(self, source: Address, sequence_number: int, now: float) -> bool:
        candidate = self._candidates.get(source)
        if candidate is None:
            if len(self._candidates) < MAX_CANDIDATES:
                self._candidates[source] = [now, (sequence_number + 1) & 0xFFFF]
            return False
        expected = candidate[1]
        candidate[1] = (sequence_number + 1) & 0xFFFF
        return sequence_number == expected
