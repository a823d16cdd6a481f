"""When a worker process looks for cycles of garbage: often and briefly among what is new, in whole when nobody waits.

The objects of a call form no cycles and die when they are let go of, so what the collector finds is a user's. A pass
over 50,000 objects takes 0.1 s on a busy core: twenty calls begun late at 200 a second, five packets of every stream.
Over 5,000 it takes a tenth of that. What survives a pass is left alone until the process has no call. A robot that is
never without one pays with a longer pause when a million new objects have stayed, and looks at all of them every
`WHOLE_EVERY` seconds. Knows no clock: time is an argument.
"""

import gc
from typing import Final

YOUNG: Final = 5_000
"""objects beyond those that died, after which the new ones are looked at"""
PASSES: Final = 10
"""of those, before it is worth looking at all"""
MANY: Final = 200
"""of those, after which what has survived them is looked at although there are calls"""
WHOLE_EVERY: Final = 900.0
"""seconds between two looks at all while there are calls"""


class Collector:
    """The only one in its process; what exists when it is made is never looked at again.

    now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, 1_000_000_000)
        self._last = now
        self._older = False

    def beat(self, live: int, now: float) -> bool:
        """Look at older objects when the time has come; whether it did.

        live: calls or streams that would wait meanwhile.
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
