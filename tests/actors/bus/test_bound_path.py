"""The socket file of a link is removed: what is linked goes on, and the next process finds the file again."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus.bound_path import BoundPath
from sipswarm.actors.bus.channel import Channel
from sipswarm.actors.bus.link import DealerLink, RouterLink, Surroundings, new_context
from sipswarm.actors.bus.messages import Drain
from sipswarm.actors.counting.totals import Totals
from tests.e2e.waiting import until


def test_a_new_process_links_although_the_file_was_removed_and_the_old_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    taken: list[float] = []
    endpoint = f"ipc://{folder}/sip.sock"

    def take(channel: Channel, records: list[Any]) -> None:
        taken.extend(each.within for each in records)

    async def main() -> None:
        context = new_context()

        def surroundings(incarnation: int) -> Surroundings:
            return Surroundings(incarnation, context, Totals(), asyncio.get_running_loop())

        def dealer(slot: int) -> DealerLink:
            return DealerLink(
                surroundings(1), endpoint, role="call", slot=slot, name="sip", window=8, on_records=lambda *_: None
            )

        folder.mkdir()
        router = RouterLink(surroundings(1), endpoint, role="dispatcher", name="sip", window=8, on_records=take)
        dealers = [dealer(0)]
        await until(lambda: dealers[0].welcome)
        for slot in (1, 2):
            shutil.rmtree(folder)
            dealers.append(dealer(slot))
            folder.mkdir()
            await until(lambda: dealers[-1].welcome)
        for number, each in enumerate(dealers):
            assert each.send((Drain(float(number)),))
        await until(lambda: sorted(taken) == [0.0, 1.0, 2.0])
        for link in (*dealers, router):
            link.close()
        context.term()

    asyncio.run(main())


def test_it_binds_only_where_the_file_is_gone_and_says_a_problem_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, problems = tmp_path / "run" / "sip.sock", ["no room", "no room", ""]
    answers = list(problems)

    def bind() -> str:
        return answers.pop(0)

    watched = BoundPath(f"ipc://{path}", bind)
    watched.look()
    assert answers == problems, "its folder is gone"
    path.parent.mkdir()
    for _ in problems:
        watched.look()
    assert not answers
    path.touch()
    watched.look()
    BoundPath("inproc://sip", bind).look()
    assert caplog.messages == [
        f"{path} was removed, and cannot be made again: no room",
        f"{path} was removed, and is made again",
    ]
