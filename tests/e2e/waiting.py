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
