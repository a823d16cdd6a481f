"""Dispatchers that are killed: calls over UDP see a pause, those over TCP connect anew, a node without one ends."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Protocol

from ..figures import Figure, Surroundings, at_most, exactly, row, told
from ..node import Node, holds, own_host, until
from ..peer import Peer, State
from ..sip_text import Text

RATE = 50.0
HOLD = 2.0
PROBE_EVERY = 0.005
ANSWER = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--quiet"]


class Probe:
    """An OPTIONS every few milliseconds, never repeated: the longest time to an answer is the outage."""

    def __init__(self, peer: Peer, place: tuple[str, int]) -> None:
        self._peer, self._place = peer, place
        self._sent: dict[str, float] = {}
        self._number = 0
        self.delays: list[tuple[float, float]] = []
        """When a probe left, and how long its answer took."""
        peer.on_response = self._came
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            self._number += 1
            call_id = f"probe-{self._number}"
            self._sent[call_id] = time.monotonic()
            self._peer.options(self._place, call_id)
            due += PROBE_EVERY
            await asyncio.sleep(max(due - time.monotonic(), 0))
            due = max(due, time.monotonic() - 0.1)

    def _came(self, message: Text) -> None:
        sent = self._sent.pop(message.call_id, None)
        if sent is not None:
            self.delays.append((sent, time.monotonic() - sent))

    def outage(self, since: float, until_then: float) -> float:
        """The longest time to an answer of what was sent between two moments."""
        return max((delay for sent, delay in self.delays if since <= sent < until_then), default=99.0)

    def unanswered(self) -> int:
        """Probes without an answer."""
        return len(self._sent)


class Reached(Protocol):
    """Something that is called."""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""


async def calls_at(peer: Peer, node: Reached, rate: float, seconds: float, hold: float) -> None:
    """Place calls for some time, each hung up after its hold."""
    loop = asyncio.get_running_loop()
    due = time.monotonic()
    until_then = due + seconds
    while due < until_then:
        call = peer.call(node.place)
        loop.call_later(hold + peer.dice.uniform(0, 0.5), peer.bye, call)
        due += 1 / rate
        await asyncio.sleep(max(due - time.monotonic(), 0))


async def over(peer: Peer, within: float = 40.0) -> None:
    """Wait until every call has ended; those that came up late are hung up."""

    def left() -> bool:
        for call in peer.at(State.UP):
            if time.monotonic() - call.answered > HOLD + 1:
                peer.bye(call)
        return bool(peer.at(State.UP, State.CALLING, State.RINGING, State.CLOSING))

    await holds(lambda: not left(), within, every=0.1)


def failed(peer: Peer) -> int:
    """Calls that did not end as they were to."""
    return sum(not (call.state is State.ENDED and call.ended_by_us) for call in peer.calls.values())


def why(peer: Peer) -> str:
    """The states and statuses of those calls, for a line of progress."""
    found: dict[str, int] = {}
    for call in peer.calls.values():
        if not (call.state is State.ENDED and call.ended_by_us):
            name = f"{call.state.name} {call.status} BYE {call.bye_status} {call.reason}"
            found[name] = found.get(name, 0) + 1
    return str(found)


@row(
    "dispatcher-killed",
    "`answer`, 50 calls/s over UDP, the dispatcher killed 5 times",
    "foreign peer: every call to its end; an OPTIONS every 5 ms that is never repeated",
    seconds=40,
    cores=0.9,
    alone=True,
)
async def killed(surroundings: Surroundings) -> list[Figure]:
    count, pause = surroundings.of(5, 2), 4.0 if not surroundings.quick else 2.0
    async with Node("answer", ANSWER, surroundings.folder) as node:
        peer, prober = (Peer(own_host(), seed=surroundings.seed, media=False) for _ in range(2))
        calling = asyncio.create_task(calls_at(peer, node, RATE, (count + 1) * pause, HOLD))
        probe = Probe(prober, node.place)
        await asyncio.sleep(1.0)
        moments = []
        for _ in range(count):
            moments.append(time.monotonic() - 0.02)
            await node.killed_and_back("dispatcher")
            await asyncio.sleep(pause - 0.5)
        await calling
        probe.task.cancel()
        await over(peer)
        await asyncio.sleep(0.2)
        outages = [probe.outage(*each) for each in pairwise((*moments, time.monotonic()))]
        surroundings.say(f"without an answer: {[round(each, 3) for each in outages]} s")
        lost, total = failed(peer), len(peer.calls)
        if lost:
            surroundings.say(why(peer))
        unanswered, late = probe.unanswered(), sorted(delay for _, delay in probe.delays)
        await peer.close()
        await prober.close()
        return [
            exactly("kills of the dispatcher", len(outages), count),
            exactly("calls lost", lost, 0),
            at_most("longest outage", round(max(outages), 3), surroundings.of(3, 40) / 10, "s"),
            told("calls", total),
            told("probes without an answer", unanswered),
            told("median time to an answer, ms", round(1000 * late[len(late) // 2], 2) if late else 0),
        ]


@row(
    "dispatcher-killed-tcp",
    "`answer` over TCP, 8 calls/s on connections of their own, the dispatcher killed 3 times",
    "foreign peer that connects anew: only calls with a message under way may fail",
    seconds=40,
    cores=0.5,
)
async def killed_tcp(surroundings: Surroundings) -> list[Figure]:
    count, hold = surroundings.of(3, 1), 5.0
    async with Node("answer", ANSWER, surroundings.folder, listen=("tcp",)) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False, tcp=True, own_connections=True)
        calling = asyncio.create_task(calls_at(peer, node, 8, (count + 1) * 4.0, hold))
        kills = []
        for _ in range(count):
            await asyncio.sleep(3.5)
            kills.append(time.monotonic())
            await node.killed_and_back("dispatcher")
        await calling
        await over(peer)
        bad = [call for call in peer.calls.values() if not (call.state is State.ENDED and call.ended_by_us)]
        under_way = [
            call for call in bad
            if any(
                moment - 0.3 <= at <= moment + 1.0
                for moment in kills
                for at in (call.began, call.answered, call.answered + hold)
            )
        ]  # fmt: skip
        if bad:
            surroundings.say(why(peer))
        total = len(peer.calls)
        await peer.close()
        return [
            exactly("kills of the dispatcher", len(kills), count),
            exactly("calls lost without a message under way", len(bad) - len(under_way), 0),
            told("calls lost with a message under way", len(under_way)),
            told("calls", total),
        ]


@row(
    "dispatcher-given-up",
    "`answer` with 100 calls, the dispatcher killed until the node gives up",
    "foreign peer: each call gets a BYE, although no dispatcher is left",
    seconds=45,
    cores=0.3,
)
async def given_up(surroundings: Surroundings) -> list[Figure]:
    total = surroundings.of(100, 20)
    arguments = ["--call-workers", "2", "--media-workers", "1", "--media", "none", "--drain", "2s", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        peer = Peer(own_host(), seed=surroundings.seed, media=False)
        for _ in range(total):
            peer.call(node.place)
            await asyncio.sleep(0.01)
        await until(lambda: len(peer.at(State.UP)) == total, 20, "answered calls")
        kills = 0
        last = time.monotonic()

        def seen_over() -> bool:
            return node.exit_code is not None or not peer.at(State.UP)

        while not seen_over() and kills < 30:
            if "dispatcher" in node.processes():
                old = node.kill("dispatcher")
                kills += 1
                last = time.monotonic()
                await holds(partial(_replaced, node, old, seen_over), 8, 0.01)
            else:
                await holds(lambda: seen_over() or "dispatcher" in node.processes(), 12, every=0.01)
                if "dispatcher" not in node.processes() and not seen_over():
                    break
        await node.ended(surroundings.time(15))
        took = time.monotonic() - last
        await asyncio.sleep(0.3)
        open_ = len(peer.at(State.UP))
        said = sum(call.state is State.ENDED and not call.ended_by_us for call in peer.calls.values())
        left, code = len(node.left()), node.exit_code
        await peer.close()
        return [
            exactly("calls that got a BYE", said, total),
            exactly("calls left open", open_, 0),
            exactly("exit code is a failure", int(code not in (None, 0)), 1),
            at_most("end of the node after the last kill", round(took, 1), surroundings.time(15), "s"),
            exactly("processes left", left, 0),
            told("kills", kills),
        ]


def _replaced(node: Node, old: int, over_too: Callable[[], bool]) -> bool:
    """Whether there is another dispatcher, or the row is over."""
    return over_too() or node.processes().get("dispatcher", old) != old
