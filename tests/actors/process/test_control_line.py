"""The control side of a process that is told to end: records of calls are awaited, nothing else is."""

import asyncio
from pathlib import Path
from typing import Any

from sipswarm.actors.bus.link import RouterLink, Surroundings, new_context
from sipswarm.actors.bus.messages import CallFinished, Retired
from sipswarm.actors.config import NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.process.control_line import Child
from tests.actors.bus.test_link import until
from tests.actors.rows import ROW


def test_a_process_that_ends_waits_until_the_supervisor_has_each_record_of_a_call(tmp_path: Path) -> None:
    async def main() -> None:
        loop, context = asyncio.get_running_loop(), new_context()
        config = NodeConfig(str(tmp_path), (), 1)
        got: list[Any] = []
        supervisor = RouterLink(
            Surroundings(1, context, Totals(), loop),
            config.endpoint("control"),
            role="supervisor",
            name="control",
            window=4096,
            on_records=lambda channel, records: got.extend(records),
        )
        child = Child(
            config,
            "call",
            0,
            surroundings=Surroundings(1, context, Totals(), loop),
            before_snapshot=lambda: 0,
            on_record=lambda record: None,
        )
        try:
            assert child.settle(), "there is nothing to report"
            child.report(ROW)
            assert not child.settle(), "it is not linked yet"
            await until(lambda: bool(supervisor.channels))
            await until(child.settle)
            assert [record.__class__ for record in got].count(CallFinished) == 1
            child.report(Retired())
            assert child.settle()
            child.report(ROW)
            assert not child.settle()
            await until(child.settle)
            assert [record.__class__ for record in got].count(CallFinished) == 2
        finally:
            child.close()
            supervisor.close()
            context.term()

    asyncio.run(main())
