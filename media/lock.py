"""Whose packets a stream takes: the strict source rule, and latching by policy (RELIABILITY S4).

Strict: the source IP must be the announced one. The announced port wins at once; another port of that IP is taken
only after 200 ms without a packet from the announced port and two packets in sequence. Latching: the first source
at the signalling peer's IP that sends two packets in sequence, decided within its first five packets, else the strict
rule. The lock then holds as long as its source sends: after 200 ms without a packet of it, another port of its IP or of
the announced one is taken with two packets in sequence (RFC 3264 5.1: a description says where its side receives).
The next offer and answer with another address ends the lock at once; one with the same address lets the strict rule
decide anew for a while, in which the source that was locked is still taken. `watches` is true for a
source on probation, so that its packets can be kept. A source that is known to be another one's is never taken: the
stream's own sockets (a loop, RFC 3550 8.2), what another dialog of the call describes, and what another call of the
process describes. Input are addresses and sequence numbers; it must not use sockets or SSRCs.
"""

from collections.abc import Callable

Address = tuple[str, int]

QUIET = 0.2
"""Seconds that the announced port must be silent before another port of the same IP may win."""
LATCH_PACKETS = 5
"""Packets within which latching is decided."""
MAX_CANDIDATES = 4
"""Other ports watched at a time."""
STALE = 2.0
"""Seconds after which a port that sent nothing more gives its place among those watched away."""
DOOR = 5.0
"""Seconds after an offer and answer in which the strict rule may choose another source than the locked one."""


class AnnouncedAddresses:
    """The addresses that the streams of one process have announced, each with the number of these streams."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[Address, int] = {}

    def __contains__(self, address: object) -> bool:
        return address in self._streams

    def replace(self, before: Address | None, after: Address | None) -> None:
        """Count the address that a stream announces from now on.

        Args:
            before, after: None = none.
        """
        if before == after:
            return
        if after is not None:
            self._streams[after] = self._streams.get(after, 0) + 1
        if before is not None:
            left = self._streams[before] - 1
            if left:
                self._streams[before] = left
            else:
                del self._streams[before]


class _Candidate:
    """A source on probation."""

    __slots__ = ("_expected", "first_at", "heard_at")

    def __init__(self, now: float, sequence_number: int) -> None:
        self.first_at = self.heard_at = now
        self._expected = (sequence_number + 1) & 0xFFFF

    def is_next(self, sequence_number: int, now: float) -> bool:
        """Take one more packet; returns whether it follows the one before."""
        expected, self._expected, self.heard_at = self._expected, (sequence_number + 1) & 0xFFFF, now
        return sequence_number == expected


class SourceLock:
    """The source of one stream."""

    __slots__ = (
        "_candidates",
        "_door_until",
        "_heard_at",
        "_is_elsewhere",
        "_latch_host",
        "_latch_left",
        "_strangers",
        "announced",
        "locked",
    )

    def __init__(self, is_elsewhere: Callable[[Address], bool] = lambda _: False) -> None:
        """Take no source yet.

        Args:
            is_elsewhere: whether another stream has an address announced; it is asked about sources that this stream
                has not.
        """
        self._is_elsewhere = is_elsewhere
        self._strangers: frozenset[Address] = frozenset()
        self.announced: Address | None = None
        """What signalling announced; None = nothing yet."""
        self.locked: Address | None = None
        """The one source that is taken; None = not decided."""
        self._candidates: dict[Address, _Candidate] = {}
        self._latch_host = ""
        self._latch_left = 0
        self._door_until = self._heard_at = -1.0

    def announce(self, address: Address, latch_host: str = "", now: float = 0.0) -> bool:
        """Take the address from signalling.

        Returns whether the lock was opened: an address announced before keeps its lock, until another source wins.

        Args:
            latch_host: IP that may be latched to; "" = strict.
            now: seconds.
        """
        if address == self.announced:
            if self.locked is not None:
                self._door_until, self._heard_at = now + DOOR, now
                self._candidates.clear()
            return False
        self.announced = address
        self.locked = None
        self._candidates.clear()
        self._latch_host = latch_host
        self._latch_left = LATCH_PACKETS if latch_host else 0
        return True

    def forbid(self, strangers: frozenset[Address]) -> None:
        """Take no packet of these sources from now on; one that was locked is given up.

        Args:
            strangers: instead of those before.
        """
        self._strangers = strangers
        if self.locked in strangers:
            self.locked = None
        for source in strangers & self._candidates.keys():
            del self._candidates[source]

    def admit(self, source: Address, sequence_number: int, now: float) -> bool:
        """Whether a packet is taken; may decide the lock.

        Args:
            source: where it came from.
            sequence_number: of its RTP header.
            now: seconds, monotonic.
        """
        locked, announced = self.locked, self.announced
        if locked is not None and source == locked:
            self._heard_at = now
            return True
        if source in self._strangers or (source != announced and self._is_elsewhere(source)):
            return False
        is_open = locked is None or self.open(now)
        if self._latch_left and is_open:
            if source[0] != self._latch_host:
                return False
            self._latch_left -= 1
            if self._in_sequence(source, sequence_number, now):
                return self._choose(source, now)
            if not self._latch_left:
                self._candidates.clear()
            return False
        if announced is None or source[0] not in (announced[0], locked[0] if locked is not None else ""):
            return False
        if is_open and source == announced:
            return self._choose(source, now)
        if self._in_sequence(source, sequence_number, now):
            quiet_from = self._candidates[source].first_at
            if locked is not None:
                quiet_from = max(quiet_from, self._heard_at)
            if now - quiet_from >= QUIET:
                return self._choose(source, now)
        return False

    def hear(self, at: float) -> None:
        """Note when a packet of the locked source came that `admit` was not asked about.

        Args:
            at: seconds, monotonic.
        """
        self._heard_at = max(self._heard_at, at)

    def _choose(self, source: Address, now: float) -> bool:
        self.locked = source
        self._candidates.clear()
        self._door_until, self._heard_at = -1.0, now
        return True

    def watches(self, source: Address) -> bool:
        """Whether a source that is not taken may still be."""
        return source in self._candidates

    def open(self, now: float) -> bool:
        """Whether another source than the locked one may win."""
        return now < self._door_until

    def _in_sequence(self, source: Address, sequence_number: int, now: float) -> bool:
        candidate = self._candidates.get(source)
        if candidate is None:
            if len(self._candidates) >= MAX_CANDIDATES:
                oldest = min(self._candidates, key=lambda each: self._candidates[each].heard_at)
                if now - self._candidates[oldest].heard_at < STALE:
                    return False
                del self._candidates[oldest]
            self._candidates[source] = _Candidate(now, sequence_number)
            return False
        return candidate.is_next(sequence_number, now)
