"""Waiting with a deadline, for tests against real clocks. Not a test."""

import asyncio
import time
from collections.abc import Callable


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
