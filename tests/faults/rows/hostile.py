"""Mutated and hostile messages, and the same again: no call is disturbed, every process stays as large as it was.

A warm-up comes first, more messages, faster and of another seed: caches with a bound fill, and the allocators' arenas
grow to what the most calls at a time need. What is held by messages, and not by their number at a time, grows on.
"""

import itertools
import os
import time
from pathlib import Path

from ..figures import Figure, Surroundings, Unable, at_most, exactly, row, told
from ..flood import Flood
from ..live_node import live_node
from ..node import ROOT

MESSAGES = 100_000
RATE = 1000.0
WARM_UP = 4 / 3
"""Messages of the warm-up by those of a flood."""
WARM_UP_RATE = 1.2
CANARIES = 100
MOST_GROWTH = 1.0
"""MB by which a process may be larger than before a flood."""


def data_folder() -> Path:
    """The folder of foreign messages.

    Raises:
        Unable: it is not here.
    """
    folder = Path(os.environ.get("SIPSWARM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise Unable(f"test data not found at {folder}; set SIPSWARM_TEST_DATA to its folder")
    return folder


@row(
    "hostile-messages",
    "100,000 mutated and hostile messages to `answer`, 1,000 a second, twice, with 100 calls up",
    "canary calls in a process of their own: tone, digits and packets; resident memory from /proc",
    seconds=570,
    cores=0.8,
)
async def hostile(surroundings: Surroundings) -> list[Figure]:
    messages, rate = surroundings.of(MESSAGES, 2000), RATE if not surroundings.quick else 200.0
    canaries = surroundings.of(CANARIES, 5)
    seed, data = surroundings.seed, data_folder()
    sizes: list[dict[str, int]] = []
    good: list[int] = []
    began = time.monotonic()
    with live_node(surroundings.folder) as node:
        before = node.descriptors
        async with Flood((node.port, node.tcp), data, seed) as flood:
            rounds = (
                ("warm-up", seed + 1, round(messages * WARM_UP), rate * WARM_UP_RATE),
                ("first flood", seed, messages, rate),
                ("the same again", seed, messages, rate),
            )
            for name, round_seed, count, round_rate in rounds:
                surroundings.say(f"{name}, seed {round_seed}, begins")
                wrong = await node.round(
                    flood, seed=round_seed, messages=count, rate=round_rate, calls=canaries, progress=surroundings.say
                )
                good.append(canaries - len(wrong))
                for line in (*flood.figures, f"canaries {good[-1]} of {canaries} {wrong[:5]}"):
                    surroundings.say(line)
                if surroundings.quick:
                    continue
                await node.quiesce()
                sizes.append(node.sizes)
                surroundings.say(f"{time.monotonic() - began:.0f} s: KiB {sizes[-1]}")
            open_ports = len(node.ports) if not surroundings.quick else 0
            more = max(now - before[name] for name, now in node.descriptors.items()) if not surroundings.quick else 0
            afterwards = await node.round(flood, seed=seed, messages=0, rate=rate, calls=10, progress=surroundings.say)
        replaced = node.processes != node.pids
        growth = [
            max((after[name] - earlier[name]) * 1024 / 1e6 for name in earlier)
            for earlier, after in itertools.pairwise(sizes)
        ] or [0.0, 0.0]
        tracebacks = len(node.tracebacks())
    return [
        exactly("canaries undisturbed in the warm-up", good[0], canaries),
        exactly("canaries undisturbed in the first pass", good[1], canaries),
        exactly("canaries undisturbed in the second pass", good[2], canaries),
        exactly("calls afterwards, of 10", 10 - len(afterwards), 10),
        at_most("growth of a process in the first pass", round(growth[0], 2), MOST_GROWTH, "MB"),
        at_most("growth of a process in the second pass", round(growth[1], 2), MOST_GROWTH, "MB"),
        exactly("processes replaced", int(replaced), 0),
        exactly("programs with a traceback", tracebacks, 0),
        exactly("media ports left open", open_ports, 0),
        exactly("further descriptors", more, 0),
        told("messages in each pass", messages),
    ]
