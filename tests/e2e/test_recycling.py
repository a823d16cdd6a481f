"""Processes that are replaced on purpose: calls go on or are waited for, nothing is refused where it need not be."""

import asyncio
import dataclasses
import os
import re
import signal
import textwrap
import time
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import NodeConfig, RobotConfig
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.runtime.media_workers import WAIT
from sipswarm.actors.supervisor.child_process import ChildProcess
from sipswarm.actors.supervisor.supervisor import Supervisor
from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import WORKERS, Running, planned_starts, was
from tests.e2e.test_lost_workers import results
from tests.e2e.test_processes import ANY, CONFIG, agent, can_call, node, processes, run, target
from tests.e2e.waiting import until
from tests.faults.node import own_host
from tests.faults.peer import Peer, State
from tests.faults.sip_text import Text

GROWS = """
kept = []

async def robot(call):
    await call.answer()
    await call.digits(1, timeout=60.0)
    kept.append(bytearray(200 << 20))
    await call.over()
"""
RESUMES = """
async def resume(call):
    await call.over()
"""
LIMIT = 150 << 20


def robot(folder: Path, text: str, **more: int) -> NodeConfig:
    file = folder / "robot.py"
    file.write_text(textwrap.dedent(text))
    return NodeConfig("", (ANY,), 0, robot=RobotConfig(str(file)), rtp_ports=(33000, 33998), **more)  # type: ignore[arg-type]


def restarts(supervisor: Supervisor, role: str, reason: str) -> float:
    return supervisor.totals.cell("sipswarm_process_restarts_total", role, reason).value


def test_every_process_is_replaced_in_turn_and_the_calls_of_an_answering_node_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", CONFIG) as supervisor, agent() as ua:
            await until(lambda: supervisor._starter.pid is not None)
            before = processes(supervisor)
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="silence") for _ in range(12)))
            ends: list[str] = []
            supervisor.roll()

            def order() -> bool:
                for name, (pid, _) in processes(supervisor).items():
                    if pid != before[name][0] and name not in ends:
                        ends.append(name)
                return len(ends) == len(before) and supervisor._is_calm()

            await until(order, 50)
            assert ends == ["media-0", "call-0", "call-1", "dispatcher"]
            assert [each.is_up for each in calls] == [True] * 12
            await asyncio.gather(*(each.bye() for each in calls))
            assert {each.cause for each in calls} == {"bye"}
            assert [restarts(supervisor, role, "rolling") for role in ("call", "media", "dispatcher")] == [
                2.0,
                1.0,
                1.0,
            ]
            assert supervisor.deaths == []
            assert supervisor.failure == ""
            await can_call(ua, supervisor)

    run(main)


def test_calls_wait_for_the_replacement_of_their_only_media_worker_longer_than_after_a_death(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", CONFIG) as supervisor, agent() as ua:
            await until(lambda: supervisor._starter.pid is not None)
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="silence") for _ in range(4)))
            respawn, asked = supervisor._respawn, asyncio.Event()

            def respawn_late(child: ChildProcess) -> None:
                asked.set()
                supervisor._loop.call_later((child.role == "media") * (WAIT + 1.5), respawn, child)

            supervisor._respawn = respawn_late  # type: ignore[method-assign]  # a machine that is busy
            supervisor.roll()
            async with asyncio.timeout(30):
                await asked.wait()
            calls.append(await ua.invite(target(supervisor), media="silence"))
            await until(lambda: restarts(supervisor, "dispatcher", "rolling") == 1.0 and supervisor._is_calm(), 50)
            assert [each.is_up for each in calls] == [True] * 5
            await asyncio.gather(*(each.bye() for each in calls))
            assert {each.cause for each in calls} == {"bye"}

    run(main)


class Slow(Peer):
    """A peer that answers re-INVITEs when it is told to, and refuses a second one before that (RFC 3261 14.2)."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.asked: list[tuple[Text, tuple[str, int]]] = []
        self.answers = False

    def _on_change(self, message: Text, source: tuple[str, int]) -> None:
        if self.answers:
            super()._on_change(message, source)
        elif any(message.call_id == asked.call_id for asked, _ in self.asked):
            self._answer(message, source, 500)
        else:
            self.asked.append((message, source))

    def answer_now(self) -> None:
        self.answers = True
        for each in self.asked:
            super()._on_change(*each)


def test_a_call_worker_is_not_replaced_before_its_peers_have_answered_where_the_media_moved_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with node(tmp_path / "run", CONFIG) as supervisor:
            await until(lambda: supervisor._starter.pid is not None)
            peer = Slow(own_host())
            peer.speaks = True
            listener = supervisor.listeners[0]
            calls = [peer.call((listener.host, listener.port)) for _ in range(8)]
            await until(lambda: len(peer.at(State.UP)) == len(calls))
            before = processes(supervisor)["call-0"]
            supervisor.roll()
            await until(lambda: (supervisor._recycling._policy.turn or ("",))[0] == ("call", 0), 40)
            looks = supervisor._snapshot_number
            await until(lambda: supervisor._snapshot_number >= looks + 3)
            assert processes(supervisor)["call-0"] == before
            assert len(peer.asked) == len(calls)
            peer.answer_now()
            await until(lambda: restarts(supervisor, "dispatcher", "rolling") == 1.0 and supervisor._is_calm(), 50)
            # Of its 2xx to the re-INVITE, which a busy machine may send again.
            await until(lambda: peer.received["ACK"] >= len(calls))
            streams = [call.stream for call in calls if call.stream is not None]
            came = [each.times for each in streams]
            await until(lambda: all(each.times > before + 50 for each, before in zip(streams, came, strict=True)))
            for call in calls:
                peer.bye(call)
            await until(lambda: all(call.over for call in calls))
            assert [(call.state, call.bye_status) for call in calls] == [(State.ENDED, 200)] * len(calls)
            await peer.close()

    run(main)


def test_calls_that_end_while_their_call_worker_is_replaced_have_their_records(tmp_path: Path) -> None:
    """Their streams are closed late, and only then are the figures of their media known."""

    async def main() -> None:
        config = dataclasses.replace(CONFIG, call_workers=1, tells_incoming=True)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            await until(lambda: supervisor._starter.pid is not None)
            rows: list[CallFinished] = []
            supervisor._on_call_finished = rows.append
            calls = await asyncio.gather(*(ua.invite(target(supervisor), media="tone:440") for _ in range(12)))
            await until(lambda: all(each.statistics.packets_received > 10 for each in calls))
            before = processes(supervisor)
            media = before["media-0"][0]
            stopped = asyncio.Event()
            retired = supervisor._recycling.retired

            async def hang_up(child: ChildProcess) -> None:
                os.kill(media, signal.SIGSTOP)
                try:
                    await asyncio.gather(*(each.bye() for each in calls[:6]))
                    retired(child, time.monotonic())
                    stopped.set()
                    await asyncio.sleep(0.3)
                finally:
                    os.kill(media, signal.SIGCONT)

            tasks: list[asyncio.Task[None]] = []
            supervisor._recycling.retired = lambda child, now: tasks.append(  # type: ignore[method-assign]
                asyncio.ensure_future(hang_up(child))
            )
            supervisor._recycling._policy.roll([("call", 0)])
            await until(lambda: restarts(supervisor, "call", "rolling") == 1.0 and supervisor._is_calm(), 30)
            await asyncio.gather(*tasks)
            assert stopped.is_set()
            assert processes(supervisor)["call-0"][0] != before["call-0"][0]
            assert sorted(row.outcome for row in rows) == ["answered"] * 6
            assert min(row.rtp_received for row in rows) > 0
            assert [each.is_up for each in calls[6:]] == [True] * 6
            await asyncio.gather(*(each.bye() for each in calls[6:]))
            await until(lambda: len(rows) == 12)
            assert len({row.call_id for row in rows}) == 12
            assert supervisor.lost_records == 0

    run(main)


READS = """
async def robot(call):
    call.set_param(cb_media_moved=lambda call, seconds: open("{moved}", "w").close())
    await call.answer()
    with open("{file}", "w") as file:
        file.write(await call.digits(5, timeout=20))
    await call.over()
"""


def test_digits_that_a_call_worker_has_not_read_outlive_the_media_worker_that_heard_them(tmp_path: Path) -> None:
    """The call worker stands still while they come, and while the media worker is told to end."""

    async def main() -> None:
        heard, moved = tmp_path / "heard", tmp_path / "moved"
        config = robot(tmp_path, READS.format(file=heard, moved=moved), call_workers=1)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            await until(lambda: supervisor._starter.pid is not None)
            call = await ua.invite(target(supervisor), media="silence")
            before = processes(supervisor)
            os.kill(before["call-0"][0], signal.SIGSTOP)
            try:
                await call.dtmf("1234", duration=60, methods="rfc2833")
                supervisor._recycling._policy.roll([("media", 0)])
                await until(lambda: supervisor._recycling._stopped > 0)
            finally:
                os.kill(before["call-0"][0], signal.SIGCONT)
            await until(lambda: restarts(supervisor, "media", "rolling") == 1.0 and supervisor._is_calm(), 30)
            assert processes(supervisor)["call-0"] == before["call-0"]
            await until(moved.exists)
            await call.dtmf("5", duration=60, methods="rfc2833")
            await until(lambda: heard.exists() and heard.read_text() == "12345")
            await call.bye()

    run(main)


def test_a_robot_that_grows_is_replaced_and_its_calls_are_resumed(tmp_path: Path) -> None:
    async def main() -> None:
        config = robot(tmp_path, GROWS + RESUMES, memory_limit=LIMIT)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            call = await ua.invite(target(supervisor), media="silence")
            await call.dtmf("1")
            await until(lambda: restarts(supervisor, "call", "memory") == 1.0 and supervisor._is_calm(), 30)
            await can_call(ua, supervisor, calls=2)
            assert call.is_up
            await call.bye()
            assert call.cause == "bye"
            assert supervisor.deaths == []

    run(main)


def test_a_robot_without_resume_is_replaced_when_its_last_call_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        config = robot(tmp_path, GROWS, memory_limit=LIMIT)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            await until(lambda: supervisor._starter.pid is not None)
            pid = processes(supervisor)["call-0"][0]
            other = await ua.invite(target(supervisor), media="silence")
            call = await ua.invite(target(supervisor), media="silence")
            await call.dtmf("1")
            refused: list[CallRejected] = []

            async def is_refused() -> bool:
                try:
                    again = await ua.invite(target(supervisor), media="silence")
                except CallRejected as error:
                    refused.append(error)
                    return True
                await again.bye()
                return False

            async with asyncio.timeout(20):
                while not await is_refused():
                    await asyncio.sleep(0.1)
            assert refused[0].status == 503
            worker = supervisor._children["call", 0]
            heard = worker._last_heartbeat
            await until(lambda: worker._last_heartbeat > heard + 0.6)  # its memory is looked at
            await call.bye()
            assert processes(supervisor)["call-0"][0] == pid, "another call is still up"
            assert other.is_up
            await other.bye()
            assert (call.cause, other.cause) == ("bye", "bye")
            await until(lambda: restarts(supervisor, "call", "memory") == 1.0 and supervisor._is_calm(), 30)
            assert processes(supervisor)["call-0"][0] != pid
            await can_call(ua, supervisor, calls=2)

    run(main)


def test_a_process_that_dies_while_it_drains_has_died(tmp_path: Path) -> None:
    async def main() -> None:
        config = robot(tmp_path, "async def robot(call):\n    await call.answer()\n    await call.over()\n")
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            await ua.invite(target(supervisor), media="silence")
            pid = processes(supervisor)["call-0"][0]
            supervisor.roll()
            await until(lambda: (supervisor._recycling._policy.turn or ("",))[0] == ("call", 0), 30)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: restarts(supervisor, "dispatcher", "rolling") == 1.0 and supervisor._is_calm(), 30)
            assert restarts(supervisor, "call", "rolling") == 0.0
            assert restarts(supervisor, "call", "crash") == 1.0
            assert len(supervisor.deaths) == 1

    run(main)


@pytest.mark.parametrize("verb", ["answer"])
def test_the_signal_replaces_all_processes_and_the_node_ends_well(verb: str) -> None:
    running = Running(verb, "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS, "--drain", "0s", "--quiet")
    try:
        running.line()
        running.process.send_signal(signal.SIGRTMIN)
        assert running.process.stderr is not None
        done: list[str] = []
        while len(done) < 3:
            line = running.process.stderr.readline()
            assert line, "it ended"
            done += re.findall(r"(\S+) has ended and is started anew \(rolling\)", line)
        assert done == ["media-0", "call-0", "dispatcher"]
        code, _ = running.end(signal.SIGTERM)
        assert code == 0
    finally:
        running.close()


def test_a_load_whose_worker_grows_starts_every_arrival_of_its_plan(tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(
        textwrap.dedent("""
            import asyncio

            kept = []

            async def scenario(ua, row):
                if not kept:
                    kept.append(bytearray(200 << 20))
                call = await ua.invite(ua.target, media="none")
                await asyncio.sleep(0.3)
                await call.bye()
        """)
    )
    with CountingUas() as uas:
        options = [
            "-r",
            "20",
            "-m",
            "160",
            "--call-workers",
            "2",
            "--media-workers",
            "1",
            "--metrics",
            "off",
            "--quiet",
        ]
        more = ["--memory-limit", "150M", "--scenario", str(file), "--out", str(tmp_path / "out")]
        running = Running("load", f"bob@{uas.address}", *options, *more)
        try:
            code, log = running.end(within=90.0)
        finally:
            running.close()
        users = len(uas.users)
    summary, rows = results(tmp_path / "out")
    assert "has ended and is started anew (memory)" in log
    assert was(code, 0), (code, log)
    assert planned_starts(rows) == [pytest.approx(number / 20, abs=1e-6) for number in range(160)]
    assert {row["failure"] for row in rows} == {""}
    assert (summary["arrivals"]["started"], summary["calls"]["completed"], users) == (160, 160, 160)
    if code == 98:
        assert not summary["generator"]["healthy"], "what was due meanwhile was late"
