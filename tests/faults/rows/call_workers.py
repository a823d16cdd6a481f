"""Call workers that are killed: their calls go on or are closed, those of others hear nothing of it."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from ..figures import Figure, Surroundings, at_least, at_most, exactly, row, told
from ..node import Node, holds, own_host, until
from ..peer import Peer, PeerCall, State
from ..results import placed_calls

WORKERS = 4
CLOSED_WITHIN = 3.0
"""Seconds after the kill in which a call of a dead worker is to be closed."""
PACE = 0.004
"""Seconds between two INVITEs of ours."""
DIGITS = "159#28"

RESUMES = """
async def robot(call):
    await call.answer()
    call.keep("echo")
    await talk(call)

async def resume(call):
    if call.kept == "echo":
        await talk(call)

async def talk(call):
    while digit := await call.digits(1, timeout=600.0):
        await call.dtmf(digit)
"""
FORGETS = """
async def robot(call):
    await call.answer()
    while digit := await call.digits(1, timeout=600.0):
        await call.dtmf(digit)
"""
RINGS = """
import asyncio

async def robot(call):
    call.ring()
    await asyncio.sleep(600)
"""


class Kill:
    """One kill of a worker, and what it did to the calls."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.at = time.monotonic()
        self.back = 0.0


async def place(peer: Peer, node: Node, count: int, **more: str) -> list[PeerCall]:
    """Place calls at an even pace and wait until each is answered."""
    calls = []
    for _ in range(count):
        calls.append(peer.call(node.place, **more))
        await asyncio.sleep(PACE)
    await until(
        lambda: all(call.state is State.UP or call.over for call in calls), 40, f"{count} answered calls", every=0.05
    )
    return calls


async def press(calls: Sequence[PeerCall], digits: str, within: float) -> int:
    """Press digits in calls that are up; those calls whose digits came back exactly."""
    before = {call.call_id: len(call.stream.digits) for call in calls if call.stream}
    for call in calls:
        if call.stream and not call.over:
            call.stream.press(digits)

    def exact() -> int:
        return sum(call.stream is not None and call.stream.digits[before[call.call_id] :] == digits for call in calls)

    await holds(lambda: exact() == len(calls), within, every=0.2)
    return exact()


async def kills(
    node: Node, peer: Peer, count: int, pause: float, say: Surroundings, refill: int = 0, more: Sequence[PeerCall] = ()
) -> list[Kill]:
    """Kill the call workers in turn, each when all are there again; typists among the calls go on pressing digits."""
    done = []
    for number in range(count):
        done.append(kill := Kill(number % WORKERS))
        kill.back = await node.killed_and_back(f"call-{kill.slot}")
        await asyncio.sleep(pause)
        if node.exit_code is not None:
            say.say(f"the node ended with {node.exit_code} after kill {number + 1}")
            break
        await node.ready(20)
        missing = refill - len(peer.at(State.UP))
        say.say(f"kill {number + 1}: back after {kill.back:.2f} s, {len(peer.at(State.UP))} calls up")
        if missing > 0:
            await place(peer, node, missing)
    return done


def closed_in_time(call: PeerCall, done: Sequence[Kill], within: float) -> bool:
    """Whether the other side closed a call, with the reason of a restart, within the time after a kill."""
    return (
        call.state is State.ENDED
        and not call.ended_by_us
        and "restarted" in call.reason.lower()
        and any(0 <= call.ended - kill.at <= within for kill in done)
    )


async def hang_up(peer: Peer, calls: Sequence[PeerCall]) -> None:
    """End what is up, and wait for the answers."""
    for call in calls:
        peer.bye(call)
        await asyncio.sleep(PACE / 2)
    await holds(lambda: not peer.at(State.CLOSING), 34, every=0.1)


async def adopted(surroundings: Surroundings, verb: str, arguments: Sequence[str]) -> list[Figure]:
    """Kill workers whose successors are to go on with every call."""
    total, count = surroundings.of(1000, 60), surroundings.of(10, 2)
    node = Node(
        verb, [*arguments, "--call-workers", str(WORKERS), "--media-workers", "2", "--quiet"], surroundings.folder
    )
    async with node:
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        calls = await place(peer, node, total)
        up = peer.at(State.UP)
        surroundings.say(f"{len(up)} of {total} calls up")
        if not up:
            return [exactly("calls that were answered", 0, total)]
        good = await press(up[: total // 5], "1", 10)
        typing = asyncio.create_task(keep_pressing(up[: total // 5], 0.5 if surroundings.quick else 2.0))
        done = await kills(node, peer, count, 2.0, surroundings)
        typing.cancel()
        await holds(lambda: all(same(call) for call in up[: total // 5]), 10, every=0.2)
        typists = [call for call in up[: total // 5] if not call.over and call.stream]
        lost = sum(max(len(c.stream.sent_digits) - len(c.stream.digits), 0) for c in typists if c.stream)
        doubled = sum(max(len(c.stream.digits) - len(c.stream.sent_digits), 0) for c in typists if c.stream)
        wrong = sum(not same(call) for call in typists)
        exact = await press(up, "5", 15)
        holes = sum(call.stream.holes for call in up if call.stream)
        gap = max((call.stream.gap for call in up if call.stream), default=0.0)
        ended = sum(call.over for call in up)
        await hang_up(peer, up)
        refused = sum(call.bye_status >= 300 for call in up)
        extra = sum(bool(call.notes) for call in calls)
        await peer.close()
        return [
            exactly("calls that were answered", len(up), total),
            exactly("kills of a call worker", len(done), count),
            at_most("calls lost, 1 % of those of killed workers", ended + refused, len(up) * len(done) / WORKERS / 100),
            at_least("calls that go on, digits echoed after the last kill", 100 * exact / max(len(up), 1), 99, "%"),
            exactly("packets of audio missing", holes, 0),
            exactly("digits lost over the kills", lost, 0),
            exactly("digits doubled over the kills", doubled, 0),
            exactly("calls with other digits than were sent", wrong, 0),
            exactly("calls with two answers", extra, 0),
            told("calls with exact digits before any kill", good),
            told("longest time without audio, s", round(gap, 3)),
            told("slowest worker back, s", round(max(kill.back for kill in done), 2)),
            *((told("exit code of the node, early", node.exit_code),) if node.exit_code is not None else ()),
        ]


def same(call: PeerCall) -> bool:
    """Whether the digits of a call came back as they were sent."""
    return call.stream is not None and call.stream.digits == call.stream.sent_digits


async def keep_pressing(calls: Sequence[PeerCall], every: float) -> None:
    """Press a digit in each call again and again, spread over the time."""
    number = 0
    while True:
        for call in calls:
            if call.stream and not call.over and not call.stream.pending:
                call.stream.press(DIGITS[number % len(DIGITS)])
            await asyncio.sleep(every / len(calls))
        await asyncio.sleep(0)
        number += 1


def script(folder: Path, text: str) -> str:
    """A file with a robot."""
    file = folder / "robot.py"
    file.write_text(text)
    return str(file)


@row(
    "call-workers-answer",
    "`answer`, 4 call workers, 1,000 calls, kill -9 of the workers in turn, 10 times",
    "foreign peer: digits, packets by number, answers to its BYEs",
    seconds=75,
    cores=1.0,
    quick=True,
)
async def answer(surroundings: Surroundings) -> list[Figure]:
    return await adopted(surroundings, "answer", ["--media", "silence", "--dtmf-echo"])


@row(
    "call-workers-resume",
    "`robot` with `resume(call)`, 4 call workers, 1,000 calls, 10 kills in turn",
    "foreign peer, as above",
    seconds=75,
    cores=1.0,
)
async def resume(surroundings: Surroundings) -> list[Figure]:
    return await adopted(surroundings, "robot", [script(surroundings.folder, RESUMES)])


@row(
    "call-workers-robot",
    "`robot` without `resume`, 4 call workers, 1,000 calls and 100 that ring, 10 kills in turn",
    "foreign peer: BYE with Reason within 3 s, final responses to the ringing, nothing left open",
    seconds=90,
    cores=0.9,
)
async def robot(surroundings: Surroundings) -> list[Figure]:
    total, count, rings = surroundings.of(1000, 60), surroundings.of(10, 2), surroundings.of(100, 20)
    file = script(surroundings.folder, FORGETS)
    (surroundings.folder / "rings.py").write_text(RINGS)
    common = ["--call-workers", str(WORKERS), "--media-workers", "2", "--quiet"]
    ringing = ["--call-workers", str(WORKERS), "--media-workers", "1", "--quiet"]
    async with (
        Node("robot", [file, *common], surroundings.folder) as node,
        Node("robot", [str(surroundings.folder / "rings.py"), *ringing], surroundings.folder) as other,
    ):
        peer = Peer(own_host(), seed=surroundings.seed, ptime=100)
        await place(peer, node, total)
        caller = Peer(own_host(), seed=surroundings.seed + 1, media=False)
        early = [caller.call(other.place) for _ in range(rings)]
        await until(lambda: len(caller.at(State.RINGING)) == rings, 20, "ringing calls")
        done = await kills(node, peer, count, 3.0, surroundings, refill=total)
        told_early = await kills(other, caller, WORKERS, 1.0, surroundings)
        await holds(lambda: not caller.at(State.RINGING), 3)
        late = max((call.ended - told_early[-1].at for call in early if call.over), default=0.0)
        everything = list(peer.calls.values())
        closed = [call for call in everything if closed_in_time(call, done, surroundings.time(CLOSED_WITHIN))]
        up = peer.at(State.UP)
        exact = await press(up, "5", 15)
        await hang_up(peer, up)
        survivors = [call for call in everything if call not in closed]
        lost = [call for call in survivors if not (call.state is State.ENDED and call.ended_by_us)]
        late_byes = sum(not call.ended_by_us and call.state is State.ENDED for call in survivors)
        unanswered = sum(not call.over or call.state is State.LOST for call in early)
        await peer.close()
        await caller.close()
        share = len(closed) / (len(done) * total / WORKERS) if done else 0.0
        return [
            exactly("kills of a call worker", len(done), count),
            exactly("calls neither closed in time nor alive", len(lost), 0),
            exactly("survivors whose digits do not come back", len(up) - exact, 0),
            exactly("calls closed too late, or without a Reason", late_byes, 0),
            at_least("calls of the killed slots closed in time", round(100 * share, 1), 60, "% of a quarter a kill"),
            exactly("ringing calls without a final response", unanswered, 0),
            told("calls in all", len(everything)),
            told("last final response to a ringing call, s after the last kill", round(late, 2)),
            told("slowest worker back, s", round(max(kill.back for kill in done), 2)),
        ]


@row(
    "call-workers-load",
    "`load` with 4 call workers that holds 1,000 calls, 10 kills in turn",
    "foreign UAS: how and when each call ended; rows of calls.csv against the calls that it saw",
    seconds=100,
    cores=0.9,
)
async def load(surroundings: Surroundings) -> list[Figure]:
    rate, hold, count = surroundings.of(40, 15), surroundings.of(25, 4), surroundings.of(10, 2)
    spread = 3.5
    duration = int(hold + count * spread + (10 if not surroundings.quick else 0))
    peer = Peer(own_host(), seed=surroundings.seed, media=False, port=5060)
    out = surroundings.folder / "results"
    arguments = [
        f"sip:uas@{peer.address}", "-r", str(rate), "--duration", f"{duration}s", "-d", f"{hold}s", "--out", str(out),
        "--call-workers", str(WORKERS), "--media-workers", "1", "--quiet",
    ]  # fmt: skip
    async with Node("load", arguments, surroundings.folder, listen=()) as node:
        await until(lambda: len(peer.at(State.UP)) >= 0.9 * rate * hold, 60 + hold, "calls up", every=0.1)
        surroundings.say(f"{len(peer.at(State.UP))} calls up")
        done: list[Kill] = []
        for number in range(count):
            if node.exit_code is not None:
                break
            done.append(kill := Kill(number % WORKERS))
            kill.back = await node.killed_and_back(f"call-{kill.slot}", 10)
            await asyncio.sleep(spread - kill.back)
            surroundings.say(f"kill {number + 1}: back after {kill.back:.2f} s, {len(peer.at(State.UP))} calls up")
        ended = await node.ended(duration + hold + 30)
        await asyncio.sleep(1)
        seen = list(peer.calls.values())
        short = [c for c in seen if c.state is State.ENDED and c.answered and c.ended - c.answered < hold - 0.5]
        closed = [call for call in short if closed_in_time(call, done, surroundings.time(CLOSED_WITHIN))]
        for call in short:
            if call not in closed:
                last = max((kill.at for kill in done if kill.at <= call.ended), default=call.ended)
                surroundings.say(
                    f"{call.call_id} {call.reason!r}: {call.ended - call.answered:.2f} s after its 200, "
                    f"{call.ended - last:.2f} s after a kill"
                )
        opened = peer.at(State.UP, State.RINGING)
        unmatched = len(placed_calls(out) ^ set(peer.calls))
        surroundings.say(f"the load ended with {node.exit_code} after {ended:.0f} s\n{node.errors[-800:]}")
        await peer.close()
        return [
            exactly("kills of a call worker", len(done), count),
            exactly("calls left open at the UAS", len(opened), 0),
            exactly("calls of others that ended early", len(short) - len(closed), 0),
            exactly("calls of the UAS without a row in calls.csv, or rows without a call", unmatched, 0),
            at_least("calls that started, of the plan", round(100 * len(seen) / (rate * duration), 1), 95, "%"),
            exactly("run that ended before its plan", int(node.exit_code in (None, 1, 2)), 0),
            told("calls closed in time after the kill", len(closed)),
            told("exit code", -1 if node.exit_code is None else node.exit_code),
            at_most(
                "slowest worker back, s", round(max((kill.back for kill in done), default=99), 2), surroundings.time(3)
            ),
        ]
