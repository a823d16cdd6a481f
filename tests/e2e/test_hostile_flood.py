"""Hostile messages at a live node, a few of those of tests/faults: the calls of others go on as if nothing came."""

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from tests.faults.flood import Flood
from tests.faults.live_node import live_node

SEED = int(os.environ.get("SIPSWARM_FLOOD_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


@pytest.mark.timeout(180)
def test_hostile_messages_disturb_no_call(tmp_path: Path, shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        with live_node(tmp_path) as node:
            async with Flood((node.port, node.tcp), shared_data, SEED) as flood:
                wrong = await node.round(flood, seed=SEED, messages=1000, rate=250, calls=5, progress=print)
                with capfd.disabled():
                    sys.stdout.write("\n".join(("", f"seed {SEED}", *flood.figures, "")))
                assert wrong == []
                assert flood.total >= 1000
                assert len(flood.answers) >= 10, "most of what was sent was read and answered"
            assert node.processes == node.pids, "no process was replaced"
            assert node.tracebacks() == []

    asyncio.run(scenario())
