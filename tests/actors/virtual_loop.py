"""An event loop whose time passes only when nothing else is left to do, so that minutes of timers take a moment.

Sockets are real: what a loopback socket has is read before time moves on. Not a test.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


class _Impatient(selectors.DefaultSelector):
    """Looks at descriptors, and lets time pass instead of waiting for them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; when nothing is, the time until which the loop wanted to wait has come."""
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("nothing will ever happen in this loop again")
            self.now += max(0.0, timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module's text."""

    def __init__(self) -> None:
        self._clock = _Impatient()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._clock.now

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which the process does nothing."""
        self._clock.now += seconds


def run(scenario: Callable[[], Awaitable[Result]]) -> Result:
    """Run a scenario in virtual time, to its end; what it returns."""

    async def main() -> Result:
        return await scenario()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
