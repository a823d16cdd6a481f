"""The removals of one keeper: which have no answer, and how many may be on their way.

What a registrar cannot take at once is lost in its socket, and comes again when the process that ends has ended. So
while it answers, `MOST_UNANSWERED` are on their way at most. It sends nothing and keeps no clock.
"""

from typing import Final

MOST_UNANSWERED: Final = 64
"""Removals without an answer beyond which the next ones wait."""
STALL: Final = 1.5
"""Seconds without the answer to a removal after which they wait for none: two repetitions of each are out by then (RFC
3261 section 17.1.2.2)."""
AGAIN: Final = 1.0
"""Seconds until a removal that was refused by 503 is tried again; its Retry-After may be longer than the end lasts."""
Key = tuple[str, str]


class Removals:
    """The removals that have begun, by the keys of their registrations."""

    __slots__ = ("_answered_at", "_left", "_on_their_way")

    def __init__(self) -> None:
        self._left: set[Key] = set()
        self._on_their_way: set[Key] = set()
        self._answered_at = 0.0

    def __len__(self) -> int:
        """Number of removals without an answer, those that wait for their turn included."""
        return len(self._left)

    def add(self, key: Key) -> None:
        """Note a removal that waits for its turn."""
        self._left.add(key)

    def sent(self, key: Key, now: float) -> None:
        """Note that its REGISTER leaves."""
        if not self._on_their_way:
            self._answered_at = now
        self._on_their_way.add(key)

    def answered(self, key: Key, now: float) -> None:
        """Note its end by an answer, or by its own timers."""
        self.discard(key)
        self._answered_at = now

    def discard(self, key: Key) -> None:
        """Wait for it no longer."""
        self._left.discard(key)
        self._on_their_way.discard(key)

    def room(self, wanted: int, now: float) -> int:
        """Return how many of `wanted` REGISTERs may leave now: all of them where nothing is answered."""
        if now - self._answered_at >= STALL:
            return wanted
        return max(0, min(wanted, MOST_UNANSWERED - len(self._on_their_way)))
