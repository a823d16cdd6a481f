"""Mutated and hostile messages, and the same again: no call is disturbed, every process stays as large as it was.

A warm-up comes first, more messages, faster and of another seed: caches with a bound fill, and the allocators' arenas
grow to what the most calls at a time need. What is held by messages, and not by their number at a time, grows on.
"""

import asyncio
import itertools
import os
import time
from pathlib import Path

from .. import sip_text
from ..figures import Figure, Surroundings, Unable, at_most, exactly, row, told
from ..flood import Flood
from ..live_node import live_node
from ..node import ROOT, Node, holds, own_host
from ..peer import Peer, State
from ..waits import answers
from .call_workers import hang_up, place, press, script

POISONED = """
import os
from sipswarm.actors.call_worker import sip_reader

plain = sip_reader.parse

def parse(data, strict):
    if data.startswith(b"OPTIONS") and b"sip:poison@" in data:
        os._exit(7)
    return plain(data, strict)

sip_reader.parse = parse

async def robot(call):
    await call.answer()
    await talk(call)

async def talk(call):
    while digit := await call.digits(1, timeout=600.0):
        await call.dtmf(digit)

resume = talk
"""
"""A robot in whose process reading certain messages is deadly, as a fault of the parser would be."""
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
    cores=1.5,
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


@row(
    "poison-message",
    "an OPTIONS that kills the process that reads it; its sender repeats it until there is a final response",
    "foreign peer: digits of the calls of others in the same slot; deaths by the pids of /proc",
    seconds=60,
    cores=0.4,
)
async def poison(surroundings: Surroundings) -> list[Figure]:
    count = surroundings.of(200, 20)
    file = script(surroundings.folder, POISONED)
    arguments = [file, "--call-workers", "1", "--media-workers", "1", "--quiet"]
    async with Node("robot", arguments, surroundings.folder) as node:
        pids = [node.processes()["call-0"]]

        async def watch() -> None:
            while True:
                pid = node.processes().get("call-0", pids[-1])
                if pid != pids[-1]:
                    pids.append(pid)
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        bad = Peer(own_host(), seed=surroundings.seed + 1, media=False)
        calls = await place(peer, node, count)
        up = peer.at(State.UP)
        answered: list[int] = []
        bad.on_response = lambda response: answered.append(response.status)
        data = sip_text.write(
            f"OPTIONS sip:robot@{node.host}:{node.port} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {bad.address};branch=z9hG4bKpoison;rport"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:poison@{bad.address}>;tag=1"),
                ("To", f"<sip:robot@{node.host}>"),
                ("Call-ID", f"poison@{bad.host}"),
                ("CSeq", "1 OPTIONS"),
            ],
        )
        sent = 0
        for pause in (0.5, 1.0, 2.0, *([4.0] * 7)):  # RFC 3261 section 17.1.2.2
            if not answered:
                bad.wire.send(data, node.place)
                sent += 1
                await holds(lambda: answered, pause)
        served = await answers(node)
        exact = await press(up, "5", 20)
        await hang_up(peer, up)
        refused = sum(each.bye_status >= 300 for each in up)
        watching.cancel()
        await peer.close()
        await bad.close()
        return [
            exactly("calls of others that were answered", len(up), len(calls)),
            exactly("deaths of the process", len(pids) - 1, 2),
            exactly("final response", answered[0] if answered else 0, 500),
            exactly("calls of others whose digits came back afterwards", exact, len(up)),
            exactly("calls of others whose BYE was refused", refused, 0),
            exactly("new calls are answered afterwards", int(served), 1),
            told("times that it was sent", sent),
        ]
