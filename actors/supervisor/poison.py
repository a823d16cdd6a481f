"""Decides which messages, and which callers, are poison: processes died at them again and again. Times are arguments.

One death proves nothing: a process may be killed from outside while it works on any message. A second one at the same
octets does. A caller is named by less, and his calls are alike only in that: he is poison after three deaths within his
calls, none of them from outside, while no other call of his ended well. What is poison stays so for a time and is then
forgotten, so that what killed a faulty version of a user's file has another chance. Pure.
"""

from typing import Final

DEATHS: Final = 2
"""Deaths at the same message after which it is poison."""
CALLER_DEATHS: Final = 3
"""Deaths within calls of the same caller after which he is."""
WINDOW: Final = 600.0
"""Seconds within which they happen."""
LASTS: Final = 600.0
"""Seconds from the last of them for which it is poison."""
MOST: Final = 64
"""Digests that are poison at a time, and those with fewer deaths; the oldest are forgotten first."""


class Poison:
    """The messages, or the callers, of one node, by their digests. All times are monotonic seconds.

    Args:
        most: deaths at one of them after which it is poison.
    """

    __slots__ = ("_deaths", "_most", "_until")

    def __init__(self, most: int) -> None:
        self._most = most
        self._deaths: dict[int, list[float]] = {}
        self._until: dict[int, float] = {}

    @property
    def digests(self) -> tuple[int, ...]:
        """Those that are poison, the oldest first."""
        return tuple(self._until)

    @property
    def suspects(self) -> tuple[int, ...]:
        """Those with fewer deaths, the oldest first."""
        return tuple(self._deaths)

    def clear(self, digest: int) -> bool:
        """Forget the deaths at one that is not poison: it does no harm; return whether there were any."""
        return self._deaths.pop(digest, None) is not None

    def died(self, digest: int, now: float) -> bool:
        """Note a death; return whether it is poison now and was not before."""
        deaths = [at for at in self._deaths.pop(digest, ()) if now - at < WINDOW]
        deaths.append(now)
        if len(deaths) < self._most:
            self._deaths[digest] = deaths
            if len(self._deaths) > MOST:
                del self._deaths[next(iter(self._deaths))]
            return False
        known = self._until.pop(digest, None) is not None
        self._until[digest] = now + LASTS
        if len(self._until) > MOST:
            del self._until[next(iter(self._until))]
        return not known

    def forget(self, now: float) -> bool:
        """Forget what is old; return whether anything was forgotten."""
        over = [digest for digest, until in self._until.items() if until <= now]
        for digest in over:
            del self._until[digest]
        old = [digest for digest, deaths in self._deaths.items() if now - deaths[-1] >= WINDOW]
        for digest in old:
            del self._deaths[digest]
        return bool(over or old)
