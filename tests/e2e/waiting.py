"""Waiting with a deadline, for tests against real clocks. Not a test."""

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self

MOST_LATE = 0.05
"""seconds by which a thread that sleeps may be woken late; more is a machine, or a process, that stood still"""
ATTEMPTS = 3
P = ParamSpec("P")


async def until(condition: Callable[[], object], within: float = 10.0, every: float = 0.02) -> None:
    """Wait until a condition holds; fail when it does not within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to pass within {within:.0f} s"
        await asyncio.sleep(every)


async def pass_time(seconds: float, step: float = 0.01) -> None:
    """Let so much time pass in which this loop runs: that in which the machine stood still counts as one step.

    For what all parts in one loop have to have done by then; seconds of the clock would be over before they had a turn.
    """
    for _ in range(max(1, round(seconds / step))):
        await asyncio.sleep(step)


class Stops:
    """Whether this process stood still at some time within the context."""

    def __init__(self) -> None:
        self.any = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            before = time.monotonic()
            time.sleep(0.01)
            self.any = self.any or time.monotonic() - before > 0.01 + MOST_LATE


def again_after_a_stop(test: Callable[P, None]) -> Callable[P, None]:
    """Have a test of media in time judge again where this process stood still: what is late then is left out, rightly.

    A fault of ours that makes the process stand still is there each time, and one that does not fails at once.
    """

    @functools.wraps(test)
    def judged(*args: P.args, **kwargs: P.kwargs) -> None:
        for left in reversed(range(ATTEMPTS)):
            with Stops() as stops:
                try:
                    return test(*args, **kwargs)
                except Exception:
                    if not left or not stops.any:
                        raise
        return None

    return judged
