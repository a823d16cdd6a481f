"""Requests that were refused without a transaction, for a reason that passes. Pure.

Such a request may come again: doubled by the network, or repeated because the refusal was lost. By then there may be
room, and the repetition would be taken: the caller would have a final failure and then a 200. So the octets of a
refused request are remembered, and its repetitions get what it got (RFC 3261 section 8.2.7). A new try of the caller
has another branch, and is judged anew.
"""

from typing import Final, final

from .timers import TimerSettings

LIFETIME: Final = TimerSettings().timeout
"""Seconds in which a request may be repeated (RFC 3261 section 17.1.1.2, timer B)."""
MOST: Final = 8192
"""Refused requests that are remembered; the oldest leave first."""


@final
class Refusals:
    """The refused requests of the last `LIFETIME` seconds."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, int]] = {}
        """Until when it is remembered, and its status, by the hash of its octets; in the order of these times."""
        self._last = 0.0

    def __bool__(self) -> bool:
        """Whether any may be remembered."""
        return bool(self._known)

    def note(self, request: bytes, status: int, now: float) -> None:
        """Remember a request that was refused.

        Args:
            request: its octets, as they came.
            status: of the refusal.
            now: monotonic seconds.
        """
        known = self._known
        key = hash(request)
        known.pop(key, None)
        while known and (len(known) >= MOST or known[next(iter(known))][0] <= now):
            del known[next(iter(known))]
        self._last = now + LIFETIME
        known[key] = (self._last, status)

    def status_of(self, request: bytes, now: float) -> int:
        """Return the status with which these octets were refused lately; 0 = they were not.

        Args:
            request: the octets of a request, as they came.
            now: monotonic seconds.
        """
        if self._last <= now:
            self._known.clear()
        until, status = self._known.get(hash(request), (now, 0))
        return status if until > now else 0
