"""Workers that die too often: no peer is left in their calls. The judge is a peer that shares no code with sipswarm.

peer                        the slot that is given up
 |  <---- calls are up ---->  |  SIGKILL, again and again
 |  <------------------- BYE  |  from a process that only ends calls
 |  200 ------------------->  |
 |  BYE, INVITE, OPTIONS -->  |
 |  <------- 481, 503, 200    |
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.bus.slots import slot_of
from sipswarm.actors.config import AnswerConfig, LoadConfig, NodeConfig
from sipswarm.actors.host.roll import OpenCall
from sipswarm.actors.supervisor.restart_policy import BUDGETS, Phase
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.test_lost_call_workers import PLAIN_ROBOT, with_robot
from tests.e2e.test_processes import CONFIG, node, run
from tests.e2e.waiting import pass_time, until
from tests.faults.peer import Peer, PeerCall, State

ENDED_WITHIN = 3.0
"""Seconds from the end of the slot until the last of its calls has its BYE."""
RINGS_OR_ANSWERS = """
async def robot(call):
    if call.callid.startswith("rings"):
        call.ring()
    else:
        await call.answer()
    await call.over()
"""


@asynccontextmanager
async def peer_of(**settings: bool) -> AsyncIterator[Peer]:
    peer = Peer("127.0.0.1", **settings)
    try:
        yield peer
    finally:
        await peer.close()


def place_of(supervisor: Supervisor) -> tuple[str, int]:
    return ("127.0.0.1", supervisor.listeners[0].port)


def slot(supervisor: Supervisor, call_id: str) -> int:
    return slot_of(call_id.encode(), supervisor.config.call_id_key or 0, supervisor.config.call_workers)


def call_id_in(supervisor: Supervisor, number: int, name: str) -> str:
    """A Call-ID of a slot."""
    return next(each for each in (f"{name}-{index}" for index in range(1000)) if slot(supervisor, each) == number)


async def killed(supervisor: Supervisor, name: str, *, until_phase: Phase) -> float:
    """Kill a process as soon as it is there, again and again, until the slot is in a phase; the time of that."""
    child = next(each for each in supervisor._children.values() if each.name == name)
    while child.restarts.phase is not until_phase:
        if child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)
        await asyncio.sleep(0.02)
    return time.monotonic()


async def all_up(peer: Peer, supervisor: Supervisor, count: int, user: str = "robot") -> list[PeerCall]:
    calls = [peer.call(place_of(supervisor), call_id=f"{user}-{number}@peer") for number in range(count)]
    wanted = State.RINGING if user == "rings" else State.UP
    await until(lambda: all(call.state is wanted for call in calls))
    return calls


def in_slot(supervisor: Supervisor, calls: Sequence[PeerCall], number: int) -> list[PeerCall]:
    return [call for call in calls if slot(supervisor, call.call_id) == number]


def test_each_call_of_a_call_worker_that_is_given_up_gets_its_end(tmp_path: Path) -> None:
    rows: list[CallFinished] = []
    config = replace(with_robot(tmp_path, RINGS_OR_ANSWERS, tells_incoming=True), media_workers=1)

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, peer_of() as peer:
            supervisor._on_call_finished = rows.append
            ringing = await all_up(peer, supervisor, 8, "rings")
            answered = await all_up(peer, supervisor, 16)
            await until(lambda: supervisor.live_calls == 24)
            lost = in_slot(supervisor, [*answered, *ringing], 0)
            others = in_slot(supervisor, [*answered, *ringing], 1)
            assert lost
            assert others
            given_up = await killed(supervisor, "call-0", until_phase=Phase.CLOSING)
            await until(lambda: all(call.over for call in lost))
            assert max(call.ended for call in lost) - given_up < ENDED_WITHIN
            ended, refused = in_slot(supervisor, answered, 0), in_slot(supervisor, ringing, 0)
            assert {(call.state, call.ended_by_us) for call in ended} == {(State.ENDED, False)}
            assert {call.reason for call in ended} == {'SIP;cause=500;text="worker restarted"'}
            assert {(call.state, call.status) for call in refused} == {(State.REFUSED, 503)}
            assert all(call.retry_after for call in refused)
            assert all(not call.over for call in others)
            await until(lambda: len(rows) == len(lost))
            assert {row.call_id for row in rows} == {call.call_id for call in lost}

            packets = [call.stream.times for call in ended if call.stream]
            await pass_time(0.3)
            assert [call.stream.times for call in ended if call.stream] == packets, "their media has ended"
            await answers_of_the_slot(supervisor, peer, ended[0])
        assert supervisor.failure == "call-0 died 6 times in 30 s"

    run(main)


async def answers_of_the_slot(supervisor: Supervisor, peer: Peer, ended: PeerCall) -> None:
    """What comes for the slot gets an answer; calls of the other slot come up."""
    assert await peer.ask(ended, "BYE") == 200, "it crosses with ours"
    ended.remote += "x"
    assert await peer.ask(ended, "BYE") == 481, "no call has this tag"
    options: list[int] = []
    peer.on_response = lambda answer: options.append(answer.status)
    peer.options(place_of(supervisor), call_id_in(supervisor, 0, "options"))
    await until(lambda: options == [503])
    new = peer.call(place_of(supervisor), call_id=call_id_in(supervisor, 0, "new"))
    other = peer.call(place_of(supervisor), call_id=call_id_in(supervisor, 1, "new"))
    await until(lambda: new.over and other.state is State.UP)
    assert (new.state, new.status) == (State.REFUSED, 503)
    assert new.retry_after


def test_a_bye_of_the_peer_that_comes_meanwhile_gets_its_answer(tmp_path: Path) -> None:
    config = with_robot(tmp_path, PLAIN_ROBOT, media_workers=1)

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, peer_of(media=False) as peer:
            calls = in_slot(supervisor, await all_up(peer, supervisor, 12), 0)
            await killed(supervisor, "call-0", until_phase=Phase.CLOSING)
            for call in calls:
                peer.bye(call)
            byes = [call for call in calls if call.ended_by_us]
            assert byes
            await until(lambda: all(call.over and call.bye_status for call in byes))
            assert {call.bye_status for call in byes} <= {200, 481}

    run(main)


def test_a_process_that_dies_at_ending_calls_too_is_tried_again_and_then_left(tmp_path: Path) -> None:
    config = replace(CONFIG, answer=AnswerConfig(media="silence"), media_workers=1)

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, peer_of() as peer:
            calls = await all_up(peer, supervisor, 12)
            await until(lambda: supervisor.live_calls == 12)
            child = supervisor._children["call", 0]
            await killed(supervisor, "call-0", until_phase=Phase.CLOSING)
            await killed(supervisor, "call-0", until_phase=Phase.LEFT)
            assert child.incarnation == BUDGETS["call"].deaths + 1 + BUDGETS["closing"].deaths + 1
            assert not child.runs
            assert supervisor.failure == ""
            assert all(call.state is State.UP for call in in_slot(supervisor, calls, 1))
            new = peer.call(place_of(supervisor), call_id=call_id_in(supervisor, 0, "new"))
            await until(lambda: new.over)
            assert new.status == 503

    run(main)


def test_a_load_ends_the_calls_of_a_worker_that_is_given_up(tmp_path: Path) -> None:
    lost: list[OpenCall] = []
    rows: list[CallFinished] = []

    async def main() -> None:
        async with peer_of(media=False) as peer:
            load = LoadConfig(f"sip:peer@{peer.address}", calls=40, rate=100.0, hold=20.0)
            config: NodeConfig = replace(CONFIG, answer=None, load=load, media_workers=1)
            async with node(tmp_path / "run", config) as supervisor:
                supervisor._on_calls_lost = lambda calls, _: lost.extend(calls)
                supervisor._on_call_finished = rows.append
                await until(lambda: len(peer.at(State.UP)) == 40)
                calls = in_slot(supervisor, list(peer.calls.values()), 0)
                given_up = await killed(supervisor, "call-0", until_phase=Phase.CLOSING)
                await until(lambda: all(call.over for call in calls))
                assert {(call.state, call.ended_by_us) for call in calls} == {(State.ENDED, False)}
                assert max(call.ended for call in calls) - given_up < ENDED_WITHIN
                assert len(peer.at(State.UP)) == 40 - len(calls)
                assert {each.call_id for each in lost} == {call.call_id for call in calls}
            assert len(rows) == 40 - len(calls), "the supervisor makes the rows of those that are lost"
            assert peer.at(State.UP) == []

    run(main)


def test_calls_of_the_only_media_worker_end_when_it_is_given_up(tmp_path: Path) -> None:
    config = replace(CONFIG, answer=AnswerConfig(media="silence"), media_workers=1)

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, peer_of() as peer:
            calls = await all_up(peer, supervisor, 12)
            given_up = await killed(supervisor, "media-0", until_phase=Phase.LEFT)
            await until(lambda: all(call.over for call in calls))
            assert {(call.state, call.ended_by_us) for call in calls} == {(State.ENDED, False)}
            assert max(call.ended for call in calls) - given_up < 2 * ENDED_WITHIN
            new = peer.call(place_of(supervisor))
            await until(lambda: new.over)
            assert new.state is State.REFUSED

    run(main)


def test_calls_of_one_of_two_media_workers_go_on_at_the_other(tmp_path: Path) -> None:
    config = replace(CONFIG, answer=AnswerConfig(media="silence"), media_workers=2)

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor, peer_of() as peer:
            calls = await all_up(peer, supervisor, 12)
            await killed(supervisor, "media-0", until_phase=Phase.LEFT)
            await pass_time(1.0)
            assert {call.state for call in calls} == {State.UP}
            before = [call.stream.times for call in calls if call.stream]
            await until(
                lambda: all(
                    call.stream and call.stream.times > times for call, times in zip(calls, before, strict=True)
                )
            )
            new = [peer.call(place_of(supervisor)) for _ in range(4)]
            await until(lambda: all(call.stream and call.stream.times > 5 for call in new))

    run(main)
