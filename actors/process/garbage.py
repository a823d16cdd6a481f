"""When a worker process collects garbage: often and briefly among new objects, in whole when no call waits.

The objects of a call form no cycles and are freed when they are released. So a user's code made the cycles that the
collector finds. A pass over 50,000 objects takes 0.1 s on a busy core: twenty calls begun late at 200 a second, five
packets of every stream. A pass over 5,000 takes a tenth of that. Objects that survive a pass are left alone until the
process has no call. A robot that is never without one pays with a longer pause after a million new objects have stayed.
It also pays with a pass over all of them every `WHOLE_EVERY` seconds. Pure: time is an argument.
"""

import gc
from typing import Final

YOUNG: Final = 5_000
"""Number of new objects, beyond those that were freed, after which a pass looks at the new ones."""
PASSES: Final = 10
"""Number of such passes before a pass over all objects is worth its time."""
MANY: Final = 200
"""Number of such passes after which their survivors are looked at although there are calls."""
WHOLE_EVERY: Final = 900.0
"""Seconds between two passes over all objects while there are calls."""


class Collector:
    """The only collector of its process; it never looks at objects that exist when it is made.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, 1_000_000_000)
        self._last = now
        self._older = False

    def heartbeat(self, live: int, now: float) -> bool:
        """Run a pass over older objects when its time has come.

        Args:
            live: calls, streams, requests and registrations of a load that would wait meanwhile.
            now: monotonic seconds.

        Returns:
            Whether there was a pass.
        """
        passes = gc.get_count()[1]
        if (passes >= PASSES or self._older) and (not live or now - self._last >= WHOLE_EVERY):
            gc.collect()
            self._last = now
            self._older = False
            return True
        if passes < MANY:
            return False
        gc.collect(1)
        self._older = True
        return True
