"""A node whose processes are stopped, killed and refused: what lives stays, what died comes back, all ends drained."""

import asyncio
import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipswarm.actors.config import AnswerConfig, NodeConfig
from sipswarm.actors.handle.call import Call
from sipswarm.actors.supervisor import supervisor as supervisor_module
from sipswarm.actors.supervisor.supervisor import Supervisor
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import invite, within
from tests.e2e.test_command_line import Running
from tests.e2e.test_processes import ANY, CONFIG, Totals, agent, can_call, node, processes, run, target
from tests.e2e.waiting import until
from tests.interop.processes import workers

PAUSE = 3.0
"""Seconds, well beyond the shortest --hang-timeout."""
PAUSED_CALLS = 20
SO_TIMESTAMPNS = 35
"""As in linux/socket.h; the module socket of Python 3.11 has no name for it."""


async def calls_to(supervisor_target: str, number: int, main: Callable[[list[Call]], Awaitable[None]]) -> None:
    """Do something while so many calls are up."""
    async with agent() as ua:
        await main(list(await asyncio.gather(*(ua.invite(supervisor_target, media="silence") for _ in range(number)))))


@pytest.mark.parametrize("whole", [False, True], ids=["the supervisor alone", "every process"])
def test_a_pause_of_the_judge_ends_no_process_and_no_call(whole: bool) -> None:
    running = Running(
        *("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--hang-timeout", "2s", "--drain", "0s"),
        *("--call-workers", "2", "--media-workers", "1", "--rtp-ports", "33000-33998"),
    )
    try:
        address = running.line().removeprefix("listening on udp:")
        children = sorted(workers(running.process.pid))
        stopped = [running.process.pid, *children] if whole else [running.process.pid]

        async def paused(calls: list[Call]) -> None:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(PAUSE)
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(1.2)  # two looks at the heartbeats
            assert sorted(workers(running.process.pid)) == children
            assert all(call.is_up for call in calls)
            await asyncio.gather(*(call.bye() for call in calls))
            assert {call.cause for call in calls} == {"bye"}

        run(lambda: calls_to(f"sip:bob@{address}", 4, paused))
        code, errors = running.end(signal.SIGTERM)
        assert code == 0, errors
        assert "hang" not in errors
    finally:
        running.close()


def stamped(peer: socket.socket) -> tuple[Request | Response, float]:
    """The next message at a socket, and when the kernel got it: a reader that is late changes nothing."""
    data, ancillary, _, _ = peer.recvmsg(65536, socket.CMSG_SPACE(16))
    ((_, _, stamp),) = ancillary
    seconds, nanoseconds = struct.unpack("@qq", stamp)
    return parse(data), seconds + nanoseconds * 1e-9


def test_the_calls_whose_time_ends_in_a_pause_are_hung_up_after_it_and_not_all_at_once() -> None:
    running = Running(
        *("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--drain", "0s", "--media", "none"),
        *("--call-workers", "1", "--media-workers", "1", "--rtp-ports", "33000-33998", "--hangup-after", "2s"),
    )
    try:
        host, _, port = running.line().removeprefix("listening on udp:").partition(":")
        stopped = [running.process.pid, *sorted(workers(running.process.pid))]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            peer.settimeout(20)
            peer.bind(("127.0.0.1", 0))
            peer.connect((host, int(port)))
            early: set[str] = set()
            for number in range(PAUSED_CALLS):
                first = invite(number, *peer.getsockname())
                peer.send(first)
                answer, _ = stamped(peer)
                while not isinstance(answer, Response) or answer.status < 200:
                    if isinstance(answer, Request):  # on a busy machine a call may be over before the pause
                        early.add(answer.call_id)
                        peer.send(Response.to_request(answer, 200).to_bytes())
                    answer, _ = stamped(peer)
                peer.send(within("ACK", first, answer, 1))
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(2.0 + 1.2)  # the newest call is over for more than a second, which is a standstill
            went_on = time.time()
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
            ends: dict[str, float] = {}
            branches = set()
            while len(ends) + len(early) < PAUSED_CALLS:
                bye, at = stamped(peer)
                if isinstance(bye, Request):
                    peer.send(Response.to_request(bye, 200).to_bytes())
                    if at < went_on:
                        early.add(bye.call_id)
                    elif bye.call_id not in early:
                        ends.setdefault(bye.call_id, at)
                        branches.add(bye.branch)
        assert len(branches) == len(ends) > PAUSED_CALLS / 2, "each call is hung up once"
        *times, _ = sorted(ends.values())  # the newest call may have begun after the pause: its ACK was not read
        assert times[-1] - times[0] > 0.2, "random times of 0.7 s"
        code, errors = running.end(signal.SIGTERM)
        assert code == 0, errors
    finally:
        running.close()


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["call-0", "media-0", "dispatcher"])
def test_a_replacement_that_cannot_be_started_is_tried_again_until_it_can(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with node(tmp_path / "run") as supervisor, agent() as ua:
            refused = supervisor.totals.cell("sipswarm_process_start_failures_total", name.partition("-")[0])
            with no_descriptors():
                os.kill(processes(supervisor)[name][0], signal.SIGKILL)
                await until(lambda: refused.value >= 4)
                assert name not in processes(supervisor)
                assert supervisor.failure == ""
            await until(lambda: name in processes(supervisor))
            await can_call(ua, supervisor)

    run(main)


@pytest.mark.parametrize("name", ["call-0", "media-0", "dispatcher"])
def test_a_process_that_is_killed_while_the_node_starts_is_replaced_and_the_node_starts(
    tmp_path: Path, name: str
) -> None:
    async def main() -> None:
        supervisor = Supervisor(CONFIG, run_dir=str(tmp_path / "run"), node_totals=Totals())
        starting = asyncio.ensure_future(supervisor.start())
        try:
            await until(lambda: name in processes(supervisor))
            os.kill(processes(supervisor)[name][0], signal.SIGKILL)
            await starting
            async with agent() as ua:
                await can_call(ua, supervisor)
            assert [each for each, (_, restarts) in processes(supervisor).items() if restarts] == [name]
        finally:
            await supervisor.close()

    run(main)


async def killed_until_given_up(supervisor: Supervisor, names: set[str]) -> None:
    """Kill some processes as soon as they are there, again and again, until each is given up."""
    children = [child for child in supervisor._children.values() if child.name in names]
    while not all(child.quarantined for child in children) and not supervisor.failure:
        for child in children:
            if child.pid is not None and not child.quarantined:
                os.kill(child.pid, signal.SIGKILL)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", ["dispatcher", "call-0"])
def test_a_node_that_gives_up_its_last_process_of_a_role_hangs_up_what_the_others_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "dispatcher":
        monkeypatch.setattr(supervisor_module, "HANG_UP_GRACE", 2.0)  # nothing reads the answers to the BYEs
    config = NodeConfig("", (ANY,), 0, call_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 33998))
    names = {"dispatcher"} if name == "dispatcher" else {"call-0", "call-1"}

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor:

            async def given_up(calls: list[Call]) -> None:
                await until(lambda: supervisor.live_calls == 10)  # a heartbeat after the last ACK
                await killed_until_given_up(supervisor, names)
                await asyncio.wait_for(supervisor.wait(), 8.0)
                # A BYE over UDP needs no dispatcher; the caller, who is this process, may have yet to read it.
                await until(lambda: [call.by for call in calls] == ["remote"] * 10)
                if name == "dispatcher":
                    assert supervisor.failure == "dispatcher died 4 times in 60 s"
                else:
                    assert "died 6 times in 30 s" in supervisor.failure
                for call in calls:
                    call.cleanup()

            await calls_to(target(supervisor), 10, given_up)

    run(main)


def test_a_media_worker_that_is_given_up_leaves_the_node_to_the_others(tmp_path: Path) -> None:
    config = NodeConfig("", (ANY,), 0, call_workers=2, media_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 33998))

    async def main() -> None:
        async with node(tmp_path / "run", config) as supervisor:
            await killed_until_given_up(supervisor, {"media-1"})
            assert supervisor.failure == ""
            call = supervisor._children["call", 0]
            assert call.pid is not None
            os.kill(call.pid, signal.SIGKILL)
            await until(lambda: call.incarnation == 2 and call.ready)  # it does not wait for media-1
            assert supervisor.failure == ""
        assert supervisor.failure == "media-1 died 6 times in 30 s"

    run(main)


def test_a_node_that_is_closed_without_a_drain_hangs_up_first(tmp_path: Path) -> None:
    async def main() -> None:
        supervisor = Supervisor(CONFIG, run_dir=str(tmp_path / "run"), node_totals=Totals())
        await supervisor.start()

        async def closed(calls: list[Call]) -> None:
            assert await supervisor.close() == 0
            await until(lambda: not any(call.is_up for call in calls), 1.0)
            assert [call.by for call in calls] == ["remote"] * 10

        await calls_to(target(supervisor), 10, closed)

    run(main)
