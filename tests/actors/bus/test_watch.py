"""When a link asks its peer what it has handled, and when it gets a new connection, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

from sipswarm.actors.bus.channel import Channel
from sipswarm.actors.bus.messages import Drain
from sipswarm.actors.bus.watch import LOOK, MOST_PATIENCE, PATIENCE, Watch
from tests.actors import virtual_loop


class Watched:
    """One end of a link with a watch, and when it asked and renewed."""

    def __init__(self, *, connects: bool) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_loop.VirtualLoop)
        self.loop = loop
        self.channel = Channel(b"", 16)
        self.asked: list[float] = []
        self.renewed: list[float] = []
        self.watch = Watch(
            loop,
            channels=lambda: (self.channel,),
            ask=lambda channel: self.asked.append(loop.time()),
            renew=(lambda: self.renewed.append(loop.time())) if connects else None,
            now=loop.time,
        )


def run(scene: Callable[[Watched], Awaitable[None]], *, connects: bool = True) -> None:
    async def main() -> None:
        watched = Watched(connects=connects)
        try:
            await scene(watched)
        finally:
            watched.watch.close()

    virtual_loop.run(main)


def test_the_end_that_binds_asks_only_when_an_acknowledgement_is_overdue() -> None:
    async def scene(watched: Watched) -> None:
        await asyncio.sleep(10.0)
        assert watched.asked == []
        began = watched.loop.time()
        watched.channel.add((Drain(1.0),), began)
        await asyncio.sleep(0.9 * LOOK)
        assert watched.asked == []
        await asyncio.sleep(2 * LOOK)
        assert len(watched.asked) >= 1
        watched.channel.settle(1, 0)
        assert watched.channel.is_answered(1)
        before = len(watched.asked)
        await asyncio.sleep(10.0)
        assert len(watched.asked) == before
        assert watched.renewed == []

    run(scene, connects=False)


def test_the_end_that_connects_asks_a_peer_that_is_not_heard() -> None:
    async def scene(watched: Watched) -> None:
        for _ in range(20):
            watched.channel.hear()
            await asyncio.sleep(0.9 * LOOK)
        assert watched.asked == []
        await asyncio.sleep(2.1 * LOOK)
        assert len(watched.asked) >= 1
        assert watched.renewed == []

    run(scene)


def test_without_an_answer_there_is_a_new_connection_after_2_4_8_and_16_seconds_and_after_an_answer_as_at_first() -> (
    None
):
    async def scene(watched: Watched) -> None:
        await asyncio.sleep(70.0)
        times = [watched.asked[0], *watched.renewed]
        waits = [round(later - earlier) for earlier, later in pairwise(times)]
        assert waits[:5] == [PATIENCE, 2 * PATIENCE, 4 * PATIENCE, MOST_PATIENCE, MOST_PATIENCE]
        watched.channel.is_answered(0)
        count = len(watched.renewed)
        await asyncio.sleep(PATIENCE + 3 * LOOK)
        assert len(watched.renewed) == count + 1

    run(scene)


def test_the_time_in_which_this_process_stood_still_counts_for_no_peer() -> None:
    async def scene(watched: Watched) -> None:
        await asyncio.sleep(2.1 * LOOK)
        assert len(watched.asked) >= 1
        watched.loop.stand_still(30.0)
        await asyncio.sleep(LOOK)
        assert watched.renewed == []
        await asyncio.sleep(PATIENCE + LOOK)
        assert len(watched.renewed) == 1

    run(scene)
