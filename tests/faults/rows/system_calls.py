"""System calls that fail once: each call of a dispatcher, a call worker and a media worker, by strace."""

import os
import re
import time
from collections import Counter
from contextlib import suppress
from functools import partial

from ..failing_calls import Site, failing, has_failed, in_turn, observe, sites, threads
from ..figures import Figure, Surroundings, at_least, exactly, row, told
from ..node import Node, holds, own_host
from ..peer import Peer, PeerCall, State
from ..waits import has_final
from .call_workers import hang_up, place, press

PROCESSES = ("dispatcher", "call-0", "media-0")
DIGITS = "5"
RUNS = 300
QUICK_RUNS = 20
MOST_NUMBERS = 12
"""Numbers of one call that fail."""
TIME = 460.0
"""Seconds after which no further call is made to fail."""
REST = 20.0
"""Seconds in which ports and connections of calls that are over close."""
HELD = 2
BREAKS_LINK = ("ENOBUFS", "ECONNRESET")
"""Errors of a link's own thread after which the link finds out, within 4 s, that its connection carries nothing."""

Links = dict[str, Counter[str]]


def links(node: Node) -> Links:
    """What the processes have open: by process, how many of each kind."""
    found: Links = {}
    for name, pid in node.processes().items():
        if name not in PROCESSES:
            continue
        kinds: Counter[str] = Counter()
        with suppress(OSError):
            for each in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    kinds[re.sub(r"\d+", "#", os.readlink(f"/proc/{pid}/fd/{each}"))] += 1
        found[name] = kinds
    return found


def more(now: Links, before: Links) -> Counter[str]:
    """What is open beyond what was open before."""
    return Counter(
        {
            f"{name} {kind}": count - before.get(name, Counter())[kind]
            for name, kinds in now.items()
            for kind, count in kinds.items()
            if count > before.get(name, Counter())[kind]
        }
    )


class Caller:
    """Makes the calls of the row, one after the other, and says what is wrong with them."""

    def __init__(self, node: Node, seed: int) -> None:
        self._node = node
        self.peer = Peer(own_host(), seed=seed)
        self.peer.speaks = True
        self._host = own_host()
        self._seed = seed

    async def call(self) -> PeerCall:
        """Make a call with audio and a digit, an OPTIONS over a new connection beside it, and hang up."""
        call = self.peer.call(self._node.place)
        await holds(partial(has_final, call), 6, every=0.01)
        if call.state is State.UP and call.stream:
            stream = call.stream
            stream.press(DIGITS)
            await self.options()
            await holds(lambda: stream.digits == DIGITS, 1.5, every=0.01)
            self.peer.bye(call)
            await holds(lambda: call.over, 6, every=0.01)
        return call

    async def options(self) -> int:
        """Send OPTIONS over a connection of its own; the status, 0 for no answer."""
        self._seed += 1
        peer, statuses = Peer(self._host, seed=self._seed, tcp=True, media=False), []
        peer.on_response = lambda answer: statuses.append(answer.status)
        try:
            peer.options(self._node.place)
            await holds(lambda: statuses, 2, every=0.01)
        finally:
            await peer.close()
        return statuses[0] if statuses else 0

    async def wrong(self) -> str:
        """Make a call that must be perfect; what is wrong with it, empty when nothing is."""
        status = await self.options()
        call = await self.call()
        stream = call.stream
        assert stream is not None
        faults = [] if status == 200 else [f"OPTIONS got {status}"]
        if call.status != 200 or call.state is not State.ENDED or not call.ended_by_us:
            faults.append(f"INVITE got {call.status}, BYE {call.bye_status}, {call.state.name} {call.reason}")
        if stream.digits != DIGITS or not stream.times:
            faults.append(f"digits {stream.digits!r}, {stream.times} packets")
        return ", ".join(faults)


async def plan(node: Node, caller: Caller, surroundings: Surroundings) -> list[Site]:
    """The failures to do, from what each process does in one call; those of every process, thread, call and error."""
    lists = []
    for name in PROCESSES:
        pid = node.processes()[name]
        names = threads(pid)
        async with observe(pid, surroundings.folder / f"{name}.calls") as calls:
            await caller.call()
        lists += sites(name, names, calls, MOST_NUMBERS)
    surroundings.dice.shuffle(lists)
    return in_turn(lists)


@row(
    "failing-system-calls",
    "`answer --cdr` over UDP and TCP; single system calls of its processes fail (strace), one in each of 300 calls",
    "foreign peer: two calls that are up meanwhile, and the call after each failure; /proc: pids and descriptors",
    seconds=150,
    cores=0.5,
)
async def system_calls(surroundings: Surroundings) -> list[Figure]:
    runs = surroundings.of(RUNS, QUICK_RUNS)
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "silence", "--dtmf-echo", "--quiet"]
    arguments += ["--cdr", str(surroundings.folder / "calls.jsonl")]
    async with Node("answer", arguments, surroundings.folder, listen=("udp", "tcp")) as node:
        caller = Caller(node, surroundings.seed)
        holder = Peer(own_host(), seed=surroundings.seed + 1, ptime=100)
        held = await place(holder, node, HELD)
        before, pids = links(node), node.processes()
        todo = await plan(node, caller, surroundings)
        failed = unanswered = affected = 0
        waited = 0
        died, harmed = [], []
        began = time.monotonic()
        file = surroundings.folder / "failing"
        for site in todo[:runs]:
            if time.monotonic() - began > TIME:
                break
            name = site.process
            async with failing(site, pids[name], file):
                call = await caller.call()
            failed += has_failed(file)
            unanswered += not call.status
            affected += call.status != 200 or call.state is not State.ENDED
            wrong = await caller.wrong()
            if wrong and site.error in BREAKS_LINK and site.thread:  # that link gets a new connection meanwhile
                waited += 1
                wrong = await caller.wrong()
            if any(node.processes().get(each) != pids[each] for each in PROCESSES):
                died.append(site)
                surroundings.say(f"{site}: a process died")
                await node.ready()
                pids = node.processes()
            elif wrong:
                harmed.append(site)
                surroundings.say(f"{site}: the next call: {wrong}")
        exact = await press(held, DIGITS, 5)
        up = sum(call.state is State.UP for call in held)
        await holds(lambda: not more(links(node), before), REST, every=0.5)
        left = more(links(node), before)
        if left:
            surroundings.say(f"left open: {dict(left)}")
        crashes = node.errors.count("Traceback")
        await hang_up(holder, held)
        await holder.close()
        await caller.peer.close()
        tried = min(runs, len(todo))
        return [
            at_least("system calls that failed (the fault is there), of 100", round(100 * failed / tried), 60),
            exactly("processes that died", len(died), 0),
            exactly("calls after a failure that were not perfect", len(harmed), 0),
            exactly("calls without a final response", unanswered, 0),
            exactly("calls of others that ended or lost digits", 2 * HELD - up - exact, 0),
            exactly("tracebacks", crashes, 0),
            exactly("descriptors left open", sum(left.values()), 0),
            told("system calls made to fail", failed),
            told("calls that were not perfect while a link stood still", waited),
            told("calls that the failure ended or refused", affected),
        ]
