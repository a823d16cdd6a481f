"""A call worker is killed: the next one of its slot goes on with its calls or ends them, and no peer is left in one."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import AnswerConfig, NodeConfig, RobotConfig
from sipswarm.actors.handle.call import Call
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.test_processes import CONFIG, Totals, agent, node, processes, run, target
from tests.e2e.waiting import until

PLAIN_ROBOT = """
async def robot(call):
    await call.answer()
    await call.over()
"""


def with_robot(folder: Path, text: str, **settings: object) -> NodeConfig:
    file = folder / "robot.py"
    file.write_text(text)
    robot = RobotConfig(str(file), allow=("127.0.0.0/8",))
    return replace(CONFIG, answer=None, robot=robot, **settings)  # type: ignore[arg-type]  # settings by name


def kill(supervisor: Supervisor, name: str) -> int:
    pid, _ = processes(supervisor)[name]
    os.kill(pid, signal.SIGKILL)
    return pid


def count(supervisor: Supervisor, name: str, *labels: str) -> float:
    """A counter over the processes that run."""
    totals = supervisor._node_totals
    assert isinstance(totals, Totals)
    return sum(
        row[2][0]
        for process, snapshot in totals.snapshots.items()
        for row in snapshot.series
        if row[0] == name and row[1][: len(labels)] == labels
    )


async def live_in(supervisor: Supervisor, calls: int) -> None:
    await until(lambda: supervisor.live_calls == calls)


def test_calls_that_no_robot_goes_on_with_are_hung_up_with_the_reason(tmp_path: Path) -> None:
    byes: list[str] = []
    rows: list[CallFinished] = []

    async def main() -> None:
        async with (
            node(tmp_path / "run", with_robot(tmp_path, PLAIN_ROBOT, tells_incoming=True)) as supervisor,
            agent() as ua,
        ):
            calls = [await ua.invite(target(supervisor), media="silence", recv_bye=lambda _: None) for _ in range(20)]
            supervisor._on_call_finished = rows.append
            for call in calls:
                call.receive_by(partial(_keep, byes, call))
            await live_in(supervisor, 20)
            kill(supervisor, "call-0")
            await until(lambda: any(not call.is_up for call in calls))
            await until(lambda: count(supervisor, "sipswarm_calls_taken_over_total", "ended") >= len(byes) > 0)
            await until(lambda: supervisor.live_calls == sum(call.is_up for call in calls))
            lost = [call for call in calls if not call.is_up]
            assert 0 < len(lost) < 20
            assert {call.by for call in lost} == {"remote"}
            assert len(byes) == len(lost)
            assert set(byes) == {'SIP;cause=500;text="worker restarted"'}
            for call in calls:
                await call.bye()
            await live_in(supervisor, 0)
            await until(lambda: len(rows) == 20)  # each call has one record, ended by whoever

    run(main)


def _keep(byes: list[str], call: Call, message: object, source: object) -> None:
    if getattr(message, "method", "") == "BYE":
        byes.append(message.headers.get("Reason") or "")  # type: ignore[attr-defined]  # it is a request
    call.receive(message, source)  # type: ignore[arg-type]  # as they came


def test_a_ringing_caller_gets_its_final_response(tmp_path: Path) -> None:
    robot = """
async def robot(call):
    call.ring()
    await call.over()
"""

    async def main() -> None:
        async with node(tmp_path / "run", with_robot(tmp_path, robot)) as supervisor, agent() as ua:
            ends: list[tuple[str, object]] = []

            def final(status: str, call: Call, info: dict[str, object]) -> None:
                ends.append((status, info.get("code")))

            for _ in range(12):
                await ua.invite(target(supervisor), media="silence", cb_final=final)
            await live_in(supervisor, 12)
            kill(supervisor, "call-0")
            kill(supervisor, "call-1")
            await until(lambda: len(ends) == 12)
            assert set(ends) == {("FAIL", 503)}
            await live_in(supervisor, 0)

    run(main)


async def replaced(supervisor: Supervisor, *names: str) -> None:
    """Kill processes and wait until each has a successor."""
    pids = {name: kill(supervisor, name) for name in names}
    await until(lambda: all(processes(supervisor).get(name, (pid, 0))[0] != pid for name, pid in pids.items()))


async def taken_over(supervisor: Supervisor, how: str, calls: int) -> None:
    await until(lambda: count(supervisor, "sipswarm_calls_taken_over_total", how) == calls)


def test_answered_calls_go_on_with_their_audio(tmp_path: Path) -> None:
    rows: list[CallFinished] = []

    async def main() -> None:
        config = replace(CONFIG, answer=AnswerConfig(media="echo"), tells_incoming=True)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            supervisor._on_call_finished = rows.append
            calls = [await ua.invite(target(supervisor), media="tone:440") for _ in range(12)]
            await live_in(supervisor, 12)
            await until(lambda: all(call.statistics and call.statistics.packets_received > 25 for call in calls))
            await replaced(supervisor, "call-0", "call-1")
            await taken_over(supervisor, "adopted", 12)
            assert all(call.is_up for call in calls)
            await calls[0].reinvite()
            await calls[1].hold()
            await calls[1].resume()
            await calls[2].request("OPTIONS")
            await live_in(supervisor, 12)
            await asyncio.sleep(3.5)  # longer than the media worker keeps what nobody claims
            assert all(call.is_up for call in calls)
            received = [call.statistics.packets_received for call in calls if call.statistics]
            await until(
                lambda: all(
                    call.statistics and call.statistics.packets_received > before + 10
                    for call, before in zip(calls, received, strict=True)
                )
            )
            for call in calls:
                await call.bye()
            assert {call.cause for call in calls} == {"bye"}
            for call in calls[3:]:
                assert call.statistics is not None
                echoed = 2 + call.statistics.frames_skipped  # what a busy machine did not send does not come back
                assert call.statistics.packets_missed <= echoed, "the audio never stopped"
            await live_in(supervisor, 0)
            await until(lambda: len(rows) == 12)
            assert {row.detail for row in rows} == {"adopted"}
            assert {(row.outcome, row.closed) for row in rows} == {("answered", "confirmed")}
            assert all(row.duration > 3.5 for row in rows)

    run(main)


def test_the_time_of_a_call_that_is_to_be_hung_up_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        config = replace(CONFIG, answer=AnswerConfig(media="none", hangup_after=4.0))
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            begun = time.monotonic()
            calls = [await ua.invite(target(supervisor), media="none") for _ in range(6)]
            await asyncio.sleep(1.0)
            await replaced(supervisor, "call-0", "call-1")
            await until(lambda: not any(call.is_up for call in calls))
            assert 3.9 <= time.monotonic() - begun < 8.0
            assert {call.by for call in calls} == {"remote"}

    run(main)


def test_a_call_outlives_several_processes(tmp_path: Path) -> None:
    async def main() -> None:
        config = replace(CONFIG, answer=AnswerConfig(media="echo"))
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            calls = [await ua.invite(target(supervisor), media="tone:440") for _ in range(6)]
            for number in range(3):
                await replaced(supervisor, "call-0", "call-1")
                await until(lambda: supervisor.live_calls == 6)
                await taken_over(supervisor, "adopted", 6)
                await calls[number].reinvite()
            assert all(call.is_up for call in calls)
            for call in calls:
                await call.bye()
            assert {call.cause for call in calls} == {"bye"}
            await live_in(supervisor, 0)

    run(main)


RESUMING = """
async def robot(call):
    await call.answer()
    call.keep("menu:0")
    await menu(call, 0)

async def resume(call):
    count = int(call.kept.partition(":")[2])
    await menu(call, count)

async def menu(call, count):
    async for digit in call.received_digits():
        count += 1
        call.keep(f"menu:{count}")
        await call.dtmf(f"{digit}{count % 10}")
"""


def test_a_robot_goes_on_with_what_it_kept_and_with_the_digits_of_the_gap(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", with_robot(tmp_path, RESUMING)) as supervisor, agent() as ua:
            calls = [await ua.invite(target(supervisor), media="silence") for _ in range(6)]
            for call in calls:
                await call.dtmf("1")
            await until(lambda: all(call.digits_received == "11" for call in calls))
            pids = {name: kill(supervisor, name) for name in ("call-0", "call-1")}
            for call in calls:
                await call.dtmf("2", duration=60)  # while there is no process
            await until(lambda: all(processes(supervisor).get(name, (pid, 0))[0] != pid for name, pid in pids.items()))
            await taken_over(supervisor, "adopted", 6)
            await until(lambda: all(call.digits_received == "1122" for call in calls))
            for call in calls:
                await call.dtmf("3")
            await until(lambda: all(call.digits_received == "112233" for call in calls))
            for call in calls:
                await call.bye()
            await live_in(supervisor, 0)

    run(main)


UNREAD = """
import asyncio

async def robot(call):
    await call.answer()
    call.keep("up")
    await call.dtmf(await call.digits(1))
    await call.digits(4)

async def resume(call):
    await call.dtmf(await call.digits(4))
    await call.over()
"""


def test_digits_that_no_code_has_got_go_to_the_next_process(tmp_path: Path) -> None:
    """Two of four digits had come when the process died; one of them is read by its coroutine and not returned."""

    async def main() -> None:
        async with node(tmp_path / "run", with_robot(tmp_path, UNREAD)) as supervisor, agent() as ua:
            calls = [await ua.invite(target(supervisor), media="silence") for _ in range(4)]
            for call in calls:
                await call.dtmf("923")
            await until(lambda: all(call.digits_received == "9" for call in calls))
            await until(lambda: count(supervisor, "sipswarm_dtmf_events_total", "received") == 12)
            await replaced(supervisor, "call-0", "call-1")
            await taken_over(supervisor, "adopted", 4)
            for call in calls:
                await call.dtmf("45")
            await until(lambda: all(call.digits_received == "92345" for call in calls))
            for call in calls:
                await call.bye()
            await live_in(supervisor, 0)

    run(main)
