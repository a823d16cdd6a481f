"""60,000 mutated and hostile messages, and the same again, disturb no call and leave every process as large as it was.

SIPSWARM_FLOOD_SEED repeats a run; the seed is printed. A warm-up comes first, more messages, faster and of another
seed: caches with a bound fill, and the allocators' arenas grow to what the most calls at a time need. What is held by
messages, and not by their number at a time, goes on to grow.
"""

import asyncio
import itertools
import os
import random
import sys
import time
from pathlib import Path

import pytest

from .flood import Flood
from .live_node import LiveNode, live_node

SEED = int(os.environ.get("SIPSWARM_FLOOD_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
MESSAGES = int(os.environ.get("SIPSWARM_FLOOD_MESSAGES", "60000"))
RATE = float(os.environ.get("SIPSWARM_FLOOD_RATE", "500"))
"""messages a second"""
WARM_UP = 5 / 3
"""messages of the warm-up by those of a flood"""
WARM_UP_RATE = 1.2
"""its rate by that of a flood"""
CANARIES = 100
MOST_GROWTH = 1024
"""KiB by which a process may be larger than before the flood"""
WATCHED = (
    "sipswarm_sip_refused_total",
    "sipswarm_queue_dropped_total",
    "sipswarm_call_failures_total",
    "sipswarm_rtp_frames_skipped_total",
    "sipswarm_rtp_packets_discarded_total",
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sixty_thousand_hostile_messages_twice_disturb_no_call_and_leave_memory_where_it_was(
    tmp_path: Path, shared_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    sizes: list[dict[str, int]] = []

    def show(*lines: object) -> None:
        with capfd.disabled():
            for line in lines:
                sys.stdout.write(f"{time.monotonic() - began:4.0f} s: {line}\n")
            sys.stdout.flush()

    async def one(
        node: LiveNode, flood: Flood, name: str, seed: int, messages: int = MESSAGES, rate: float = RATE
    ) -> list[str]:
        show(f"{name}, seed {seed}, begins")
        before = node.times
        wrong = await node.round(flood, seed=seed, messages=messages, rate=rate, calls=CANARIES, progress=show)
        used = {name: round(now - before[name]) for name, now in node.times.items()}
        show(*flood.figures, f"seconds of processor time {used}, load average {os.getloadavg()}")
        show(f"canaries {CANARIES - len(wrong)} of {CANARIES} {wrong[:5]}")
        await node.quiesce()
        sizes.append(node.sizes)
        show(f"KiB {sizes[-1]}, {len(node.tracebacks())} tracebacks", *(node.samples(each) for each in WATCHED))
        return wrong

    async def scenario() -> None:
        with live_node(tmp_path) as node:
            descriptors = node.descriptors
            wrong: list[str] = []
            async with Flood((node.port, node.tcp), shared_data, SEED) as flood:
                wrong += await one(node, flood, "warm-up", SEED + 1, round(MESSAGES * WARM_UP), RATE * WARM_UP_RATE)
                wrong += await one(node, flood, "first flood", SEED)
                wrong += await one(node, flood, "the same again", SEED)
                assert node.ports == [], "ports are left open"
                show(f"descriptors before {descriptors}, after {node.descriptors}")
                assert node.descriptors == descriptors
                wrong += await node.round(flood, seed=SEED, messages=0, rate=RATE, calls=10, progress=show)
            assert node.processes == node.pids, "no process was replaced"
            assert node.tracebacks() == []
            assert wrong == []

    asyncio.run(scenario())
    for before, after in itertools.pairwise(sizes):
        for name in before:
            assert after[name] - before[name] < MOST_GROWTH, (name, sizes)
