"""Calls that are over leave nothing: descriptors, ports, tasks, sessions, timers and memory are where they were before.

The long runs wait until the last transactions let go of their calls (64 T1 = 32 s, RFC 6026) and the ports have rested.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call.ended_call import EndedCall
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.errors import CallRejected, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.robot_runs import Robot
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.actors.workers import worker_of
from tests.e2e.agents import address_of
from tests.e2e.test_processes import Totals, node, target
from tests.e2e.waiting import until

AT_ONCE = 50
SETTLED = 60.0
"""seconds in which everything that a call was is gone; 32 s by its transactions, 6 s by its ports"""
CONFIG = NodeConfig(
    "",
    (Listener("udp", "127.0.0.1", 0),),
    0,
    call_workers=2,
    answer=AnswerConfig(),
    rtp_ports=(33000, 34998),
)
NOISE = 512
"""KiB by which a process may be larger after some thousand calls than before them: pages half used"""
MOST_PER_CALL = 256
"""octets of growth per call, averaged over the calls after the warm-up"""


class Held(NamedTuple):
    """What one event loop and its user agents hold."""

    descriptors: int
    tasks: int
    timers: int
    calls: int
    """that the workers know, those whose transactions still live included"""
    deadlines: int
    streams: int


def held(*agents: UserAgent) -> Held:
    loop = asyncio.get_running_loop()
    workers = [worker_of(each) for each in agents]
    scheduled = loop._scheduled  # type: ignore[attr-defined]  # asyncio has no public way to count its timers
    return Held(
        len(os.listdir("/proc/self/fd")),
        len(asyncio.all_tasks()),
        sum(not handle.cancelled() for handle in scheduled),
        sum(len(each.actors) + each.entries.actors + len(each.actors.live) for each in workers),
        sum(each.entries.deadlines for each in workers),
        sum(each.entries.streams for each in workers),
    )


def resident(pid: int) -> int:
    """KiB of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def run(scenario: Callable[[], Awaitable[None]], seconds: float) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(seconds):
            await scenario()

    asyncio.run(bounded())


async def calls(ua: UserAgent, to: str, count: int) -> None:
    """So many calls with media both ways, some at once; one that a busy machine refuses is tried again."""

    async def one() -> None:
        while True:
            try:
                call = await ua.invite(to, media="silence")
            except CallRejected as error:
                if error.status != 503:
                    raise
                await asyncio.sleep(0.5)
            else:
                break
        await asyncio.sleep(0.1)
        await call.bye()

    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()


async def rings(call: Call) -> None:
    call.ring()
    await call.over()


async def hangs_up(call: Call) -> None:
    await call.answer()


async def talks(call: Call) -> None:
    await call.answer()
    await call.dtmf(await call.digits(1, 5), duration=40)
    await call.over()


async def plain(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, media="silence")
    await call.bye()


async def dropped(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, media="silence")
    call.cleanup()


async def heard(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, media="silence")
    await call.over()


async def held_and_resumed(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, media="silence")
    await call.hold()
    await call.resume()
    await call.bye()


async def with_digits(ua: UserAgent, to: str) -> None:
    call = await ua.invite(to, media="silence")
    await call.dtmf("1", duration=40)
    await call.digits(1, 5)  # the bye comes before the other side's digit is wholly out
    await call.bye()


async def unanswered(ua: UserAgent, to: str) -> None:
    with suppress(CallTimeout):
        await ua.invite(to, media="silence", ring_time=0.2)


async def given_up(ua: UserAgent, to: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await ua.invite(to, media="silence")


async def refused(ua: UserAgent, to: str) -> None:
    with suppress(CallRejected):
        await ua.invite(to, media="silence")


WAYS: dict[str, tuple[Callable[[UserAgent, str], Awaitable[None]], Robot | None]] = {
    "bye": (plain, None),
    "bye to a robot": (plain, answers),
    "cleanup": (dropped, None),
    "bye of the peer": (heard, hangs_up),
    "re-INVITEs": (held_and_resumed, None),
    "digits, some cut short": (with_digits, talks),
    "nobody answers": (unanswered, rings),
    "the caller gives up": (given_up, rings),
    "refusal": (refused, None),
}


@pytest.mark.parametrize("name", WAYS)
def test_calls_that_are_over_leave_no_cycle_for_the_collector(name: str) -> None:
    way, robot = WAYS[name]

    async def scenario() -> None:
        ports = [(35000, 35998), (36000, 36998)]
        async with (
            UserAgent("sip:alice@127.0.0.1", rtp_ports=ports[0]) as alice,
            UserAgent("sip:bob@127.0.0.1", rtp_ports=ports[1]) as bob,
        ):
            if name == "refusal":
                bob.listen(cb_create=lambda call, request: None, refuse_status=486)
            else:
                bob.listen(robot)
            workers = [worker_of(each) for each in (alice, bob)]

            async def some() -> None:
                await asyncio.gather(*(way(alice, address_of(bob)) for _ in range(30)))
                if way is not dropped:
                    await until(lambda: not any(worker.actors.live for worker in workers))
                for worker in workers:  # what their transactions would wait for, another 32 s, is not the point here
                    for call in [each.user for each in worker.actors.calls]:
                        call.actor.abandon(worker.actor_loop.now())
                        worker.actor_loop.touch(call.actor)
                    for each in worker.actors.everyone:
                        if isinstance(each, EndedCall):
                            worker.actor_loop.drop(each)
                await until(lambda: not any(worker.entries.actors for worker in workers))

            await some()
            with without_collector():
                await some()
                assert gc.collect() == 0

    run(scenario, 60)


def test_500_calls_through_processes_give_their_descriptors_ports_and_streams_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            node(tmp_path / "run", CONFIG) as supervisor,
            UserAgent("sip:alice@127.0.0.1", rtp_ports=(35000, 36998)) as alice,
        ):
            await calls(alice, target(supervisor), AT_ONCE)
            before = {name: descriptors(pid) for name, pid, _ in supervisor.processes}
            await calls(alice, target(supervisor), 500)
            await until(lambda: given_back(supervisor, before), 15, 0.2)

    run(scenario, 60)


def given_back(supervisor: Supervisor, before: dict[str, int]) -> bool:
    """No process has more descriptors than before; no port is bound, no call and no stream is live."""
    totals = supervisor._node_totals
    assert isinstance(totals, Totals)
    gauges = {"sipswarm_rtp_ports_in_use", "sipswarm_rtp_streams_active", "sipswarm_calls_active"}
    live = sum(sum(row[2]) for snapshot in totals.snapshots.values() for row in snapshot.series if row[0] in gauges)
    return live == 0 and all(descriptors(pid) <= before[name] for name, pid, _ in supervisor.processes)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_1000_calls_through_embedded_mode_leave_everything_where_it_was() -> None:
    async def scenario() -> None:
        async with (
            UserAgent("sip:alice@127.0.0.1", rtp_ports=(35000, 36998)) as alice,
            UserAgent("sip:bob@127.0.0.1", rtp_ports=(37000, 38998)) as bob,
        ):
            bob.listen(media="echo")
            sizes = []
            counts = []
            for _ in range(3):
                await calls(alice, address_of(bob), 500)
                await until(lambda: held(alice, bob).calls == 0, SETTLED, 0.5)
                await asyncio.sleep(7)  # ports rest at most 6 s
                counts.append(held(alice, bob))
                sizes.append(resident(os.getpid()))
            sys.stdout.write(f"embedded, after 500, 1,000 and 1,500 calls: {sizes} KiB, {counts[-1]}\n")
            assert {each._replace(timers=0) for each in counts} == {counts[0]._replace(timers=0)}
            assert all(each.timers <= 3 for each in counts), "one for this test, one for each worker"
            assert sizes[2] - sizes[0] < NOISE + 1000 * MOST_PER_CALL // 1024

    run(scenario, 500)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_5000_calls_through_processes_leave_everything_where_it_was(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            node(tmp_path / "run", CONFIG) as supervisor,
            UserAgent("sip:alice@127.0.0.1", rtp_ports=(35000, 36998)) as alice,
        ):
            await calls(alice, target(supervisor), AT_ONCE)
            before = {name: descriptors(pid) for name, pid, _ in supervisor.processes}
            sizes: list[dict[str, int]] = []
            for _ in range(5):
                await calls(alice, target(supervisor), 1000)
                await until(lambda: held(alice).calls == 0, SETTLED, 0.5)
                await until(lambda: given_back(supervisor, before), 15, 0.2)
                await asyncio.sleep(4)  # their last transactions began a little later than ours
                sizes.append({name: resident(pid) for name, pid, _ in supervisor.processes})
            for name in sizes[0]:
                grown = [each[name] for each in sizes]
                per_call = (grown[-1] - grown[0]) * 1024 / 4000
                sys.stdout.write(f"{name}: {grown} KiB after each 1,000 calls, {per_call:.0f} octets a call\n")
            for name in sizes[0]:
                assert sizes[-1][name] - sizes[0][name] < NOISE + 4000 * MOST_PER_CALL // 1024, sizes

    run(scenario, 880)
