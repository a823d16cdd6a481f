"""The places of the registrars of a list: one that does not answer is looked up again, and its next place taken.

RFC 3263 section 4.3. The look-up itself is the caller's (`Find`). It must not send anything.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sipswarm.sipcore.message.hop import Hop

from ..errors import ConfigurationError

SEEK_EVERY: Final = 20.0
"""Seconds between two look-ups of a registrar that does not answer."""
_logger = logging.getLogger(__name__)

Find = Callable[[str], Awaitable[Sequence[Hop]]]
"""Returns the places of a registrar, the best one first; raises ConfigurationError."""


async def _nowhere(registrar: str) -> Sequence[Hop]:
    return ()


class Registrars:
    """See the module's text.

    Args:
        is_reached: whether a listener of this node reaches a place.
    """

    def __init__(self, is_reached: Callable[[Hop], bool]) -> None:
        self._is_reached = is_reached
        self._hops: dict[str, Hop] = {}
        self._find: Find = _nowhere
        self._sought: dict[str, float] = {}

    def __getitem__(self, registrar: str) -> Hop:
        """Return the place of a registrar."""
        return self._hops[registrar]

    def replace(self, hops: Mapping[str, Hop], find: Find | None) -> None:
        """Take the registrars of another list.

        Args:
            find: looks up a registrar that does not answer; None = nothing does.
        """
        self._hops = dict(hops)
        self._find = find or _nowhere

    def is_due(self, registrar: str, now: float) -> bool:
        """Whether a registrar of the list is to be looked up now, at most every `SEEK_EVERY`; notes it.

        Args:
            now: monotonic seconds.
        """
        due = registrar in self._hops and now - self._sought.get(registrar, -SEEK_EVERY) >= SEEK_EVERY
        if due:
            self._sought[registrar] = now
        return due

    async def next_place(self, registrar: str) -> Hop | None:
        """Look a registrar up and take the place after the present one; None without another one."""
        try:
            hops = await self._find(registrar)
        except ConfigurationError as error:
            _logger.warning("%s", error)
            return None
        old = self._hops.get(registrar)
        if old is None:
            return None  # a later list has no binding there
        reached = [hop for hop in hops if self._is_reached(hop)]
        new = reached[(reached.index(old) + 1 if old in reached else 0) % len(reached)] if reached else old
        if new == old:
            return None
        _logger.warning("%s does not answer at %s port %d, the next is %s port %d", registrar, *old[1:], *new[1:])
        self._hops[registrar] = new
        return new
