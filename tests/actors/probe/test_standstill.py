"""A loop that stood still is noticed, and one that only ran for long is not."""

import asyncio

import pytest

from sipswarm.actors.probe.standstill import EVERY, TOLERATED, Standstill
from tests.actors.virtual_loop import VirtualLoop


@pytest.mark.parametrize(("stood", "spoils"), [(0.0, False), (TOLERATED / 2, False), (2 * TOLERATED, True)])
def test_the_longest_standstill_while_it_was_watched_counts(stood: float, spoils: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with Standstill(loop.time) as watched:
            await asyncio.sleep(10 * EVERY)
            loop.stand_still(stood)
            await asyncio.sleep(10 * EVERY)
        assert stood - 1.5 * EVERY <= watched.longest <= stood + EVERY
        assert watched.spoils == spoils
        longest = watched.longest
        loop.stand_still(10.0)
        await asyncio.sleep(10 * EVERY)
        assert watched.longest == longest

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
