"""The queue of calls whose media worker is gone: who goes on when, and who waits for how long."""

import asyncio
from typing import Any

from sipswarm.actors.call_worker.media_moves import PER_TURN, TURN, MediaMoves
from sipswarm.actors.runtime.actor import StreamOwner
from sipswarm.actors.runtime.actor_loop import ActorLoop
from sipswarm.actors.runtime.media_workers import PLANNED_WAIT, WAIT
from sipswarm.actors.runtime.outbox import Outbox
from tests.actors import virtual_loop
from tests.actors.scenes import Scene, established


class Port(StreamOwner):
    """An owner without a dialog."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.missing: list[float] = []

    def media_found(self, now: float) -> None:
        self.found.append(now)

    def media_missing(self, now: float) -> None:
        self.missing.append(now)


def queue() -> tuple[MediaMoves, Outbox[Any], ActorLoop]:
    loop = asyncio.get_running_loop()
    actor_loop = ActorLoop(loop, empty=lambda: None, forget=lambda actor: None)
    actor_loop.now = loop.time
    outbox = Outbox[Any](2)
    return MediaMoves(outbox, actor_loop), outbox, actor_loop


def test_owners_without_a_dialog_go_on_at_once_where_a_media_worker_is_there() -> None:
    async def main() -> None:
        moves, outbox, actor_loop = queue()
        outbox.workers.unlinked(0)
        port = Port()
        outbox.unplaced.append(port)
        moves.take()
        assert port.found == [actor_loop.now()]
        assert outbox.unplaced == []

    virtual_loop.run(main)


def test_without_any_media_worker_owners_wait_for_one_and_at_most_three_seconds() -> None:
    async def main() -> None:
        moves, outbox, actor_loop = queue()
        for worker in range(2):
            outbox.workers.unlinked(worker)
        start, early, late = actor_loop.now(), Port(), Port()
        outbox.unplaced.append(early)
        moves.take()
        await asyncio.sleep(1.0)
        outbox.unplaced.append(late)
        moves.take()
        await asyncio.sleep(2.5)
        assert [WAIT <= each - start <= WAIT + 2 * TURN for each in early.missing] == [True]
        outbox.workers.linked(1)
        await asyncio.sleep(0.1)
        assert (len(late.found), late.missing, early.found) == (1, [], [])
        assert len(moves) == 0

    virtual_loop.run(main)


def test_they_wait_longer_for_a_media_worker_that_is_replaced_on_purpose() -> None:
    async def main() -> None:
        moves, outbox, actor_loop = queue()
        outbox.workers.unlinked(1)
        outbox.workers.retire(0)
        outbox.workers.unlinked(0)
        start, port = actor_loop.now(), Port()
        outbox.unplaced.append(port)
        moves.take()
        await asyncio.sleep(PLANNED_WAIT + 1.0)
        assert [PLANNED_WAIT <= each - start <= PLANNED_WAIT + 2 * TURN for each in port.missing] == [True]

    virtual_loop.run(main)


def test_the_time_in_which_this_process_stood_still_is_no_wait() -> None:
    async def main() -> None:
        moves, outbox, actor_loop = queue()
        for worker in range(2):
            outbox.workers.unlinked(worker)
        port = Port()
        outbox.unplaced.append(port)
        moves.take()
        await asyncio.sleep(0.1)
        assert isinstance(actor_loop.loop, virtual_loop.VirtualLoop)
        actor_loop.loop.stand_still(7.0)
        await asyncio.sleep(0.1)
        assert port.missing == []
        outbox.workers.linked(1)
        await asyncio.sleep(0.1)
        assert len(port.found) == 1

    virtual_loop.run(main)


def test_established_calls_go_on_at_a_pace() -> None:
    async def main() -> None:
        moves, outbox, actor_loop = queue()
        scenes: list[Scene] = [established() for _ in range(3 * PER_TURN)]
        calls = [each.alice.call for each in scenes]
        for each in scenes:
            each.alice.elsewhere = False
            each.alice.lose_media(2.0)
        outbox.unplaced += calls
        moves.take()
        await asyncio.sleep(TURN / 2)
        assert sum(not call.media.is_lost for call in calls) == PER_TURN
        await asyncio.sleep(2 * TURN)
        assert not any(call.media.is_lost for call in calls)
        moves.close()
        actor_loop.close()

    virtual_loop.run(main)
