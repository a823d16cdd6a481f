"""A message at which a process dies again and again is refused; calls of others go on, and other messages come in."""

import asyncio
import re
import socket
from pathlib import Path

import pytest

from sipswarm.actors.config import Listener
from sipswarm.actors.supervisor.supervisor import Supervisor
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import follow_up, invite, within
from tests.e2e.test_lost_call_workers import count, kill, live_in, with_robot
from tests.e2e.test_processes import agent, can_call, node, run, target
from tests.e2e.waiting import until

DIES = """
import os
import signal

async def robot(call):
    if "poison" in call.peer:
        {death}
    await call.answer()
    await call.over()

async def resume(call):
    await call.over()
"""
DEATHS = {
    "a native crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "an exit": "os._exit(7)",
    "an endless loop": "while True: pass",
}
DIES_AT_INFO = """
import os

def watch(call):
    def receive(message, source):
        if getattr(message, "method", "") == "INFO":
            os._exit(7)
        call.receive(message, source)
    call.receive_by(receive)

async def robot(call):
    watch(call)
    await call.answer()
    await call.over()

async def resume(call):
    watch(call)
    await call.over()
"""
DIES_READING = """
import os
from sipswarm.actors.call_worker import sip_reader

plain = sip_reader.parse

def parse(data, strict):
    if b"poison" in data:
        os._exit(7)
    return plain(data, strict)

sip_reader.parse = parse

async def robot(call):
    await call.answer()
    await call.over()
"""
DIES_RESUMED = """
import os

async def robot(call):
    await call.answer()
    await call.over()

async def resume(call):
    os._exit(7)
"""


class Caller:
    """A peer that repeats its octets, acknowledges failures, and keeps each response."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._place = ("127.0.0.1", supervisor.listeners[0].port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()
        self.responses: list[Response] = []

    @staticmethod
    def invite_of(number: int, host: str, port: int, caller: str = "poison") -> bytes:
        return invite(number, host, port).replace(b"sip:stranger@", f"sip:{caller}@".encode())

    def invite(self, number: int, caller: str = "poison") -> bytes:
        return self.invite_of(number, self.host, self.port, caller)

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self._place)

    def read(self, first: bytes) -> list[Response]:
        """Read what has come; acknowledge final responses to the INVITE that are failures."""
        try:
            while True:
                message = parse(self._socket.recv(65535))
                if isinstance(message, Response):
                    self.responses.append(message)
                    if message.status >= 300 and message.cseq.method == "INVITE":
                        self.send(follow_up("ACK", first, message))
        except BlockingIOError:
            return self.responses

    def close(self) -> None:
        self._socket.close()


def deaths(supervisor: Supervisor) -> int:
    return len(supervisor.deaths)


async def repeated_until_refused(caller: Caller, supervisor: Supervisor, data: bytes) -> Response:
    """Send the same octets again and again until they are refused for what they did; the refusal."""
    refused: list[Response] = []

    def is_refused() -> bool:
        refused.extend(each for each in caller.read(data) if "ended a process" in (each.headers.get("Reason") or ""))
        return bool(refused)

    async with asyncio.timeout(40):
        while not is_refused():
            caller.send(data)
            await asyncio.sleep(0.25)
    return refused[0]


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_an_invite_whose_robot_dies_kills_twice_and_not_again(tmp_path: Path, death: str) -> None:
    async def main() -> None:
        config = with_robot(tmp_path, DIES.format(death=death), hang_timeout=2.0, call_workers=1)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            others = [await ua.invite(target(supervisor), media="silence") for _ in range(4)]
            await live_in(supervisor, 4)
            caller = Caller(supervisor)
            data = caller.invite(1)
            refusal = await repeated_until_refused(caller, supervisor, data)
            assert refusal.status == 500
            assert deaths(supervisor) == 2
            for _ in range(5):
                caller.send(data)
            await until(lambda: sum(each.status == 500 for each in caller.read(data)) >= 6)
            assert deaths(supervisor) == 2
            assert all(call.is_up for call in others), "calls of others go on"
            await can_call(ua, supervisor, 2)
            for call in others:
                await call.bye()
            assert {call.cause for call in others} == {"bye"}
            caller.close()

    run(main)


def test_other_calls_of_a_caller_end_him_after_three_deaths_and_not_the_node(tmp_path: Path) -> None:
    async def main() -> None:
        config = with_robot(tmp_path, DIES.format(death=DEATHS["a native crash"]), call_workers=1)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            caller = Caller(supervisor)
            number, died = 0, 0
            async with asyncio.timeout(40):
                while not any("ended a process" in (each.headers.get("Reason") or "") for each in caller.responses):
                    number += 1
                    data = caller.invite(number)
                    caller.send(data)
                    await until(lambda: deaths(supervisor) > died or caller.read(data))  # noqa: B023  # at once
                    died = deaths(supervisor)
                    await can_call(ua, supervisor, 1)
                    caller.read(data)
            assert deaths(supervisor) == 3
            other = caller.invite(number + 1, "somebody-else")
            caller.send(other)
            await until(lambda: any(each.status == 200 for each in caller.read(other)))
            assert deaths(supervisor) == 3
            caller.close()

    run(main)


def test_a_call_goes_on_when_the_request_within_it_that_kills_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        config = with_robot(tmp_path, DIES_AT_INFO, call_workers=1)
        async with node(tmp_path / "run", config) as supervisor:
            caller = Caller(supervisor)
            first = caller.invite(1)
            caller.send(first)
            await until(lambda: any(each.status == 200 for each in caller.read(first)))
            answer = next(each for each in caller.responses if each.status == 200)
            caller.send(within("ACK", first, answer, 1))
            await live_in(supervisor, 1)
            refusal = await repeated_until_refused(caller, supervisor, within("INFO", first, answer, 2))
            assert (refusal.status, refusal.cseq.method) == (500, "INFO")
            assert deaths(supervisor) == 2
            await until(lambda: count(supervisor, "sipswarm_calls_taken_over_total", "adopted") == 1)
            bye = within("BYE", first, answer, 3)
            caller.send(bye)
            await until(lambda: any(each.cseq.method == "BYE" for each in caller.read(first)))
            assert [each.status for each in caller.responses if each.cseq.method == "BYE"] == [200]
            caller.close()

    run(main)


def test_a_call_at_whose_resumption_processes_die_is_hung_up(tmp_path: Path) -> None:
    async def main() -> None:
        config = with_robot(tmp_path, DIES_RESUMED, call_workers=1)
        async with node(tmp_path / "run", config) as supervisor, agent() as ua:
            call = await ua.invite(target(supervisor), media="silence")
            await live_in(supervisor, 1)
            kill(supervisor, "call-0")
            await until(lambda: not call.is_up, 30)
            assert call.by == "remote"
            assert deaths(supervisor) == 3  # the kill, and two resumptions
            await can_call(ua, supervisor, 1)

    run(main)


async def final_over(reader: asyncio.StreamReader) -> Response:
    """The next final response on a connection."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: *(\d+)", head, re.IGNORECASE)
        assert length is not None
        message = parse(head + await reader.readexactly(int(length[1])))
        if isinstance(message, Response) and message.status >= 200:
            return message


def test_a_message_that_kills_while_it_is_read_is_refused_on_a_connection_too(tmp_path: Path) -> None:
    async def main() -> None:
        tcp = Listener("tcp", "127.0.0.1", 0)
        config = with_robot(tmp_path, DIES_READING, call_workers=1, listeners=(tcp,))
        async with node(tmp_path / "run", config) as supervisor:
            reader, writer = await asyncio.open_connection("127.0.0.1", supervisor.listeners[0].port)
            host, port = writer.get_extra_info("sockname")
            data = Caller.invite_of(1, host, port).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            answers = []
            for _ in range(3):
                writer.write(data)
                answers.append(await final_over(reader))
            assert [each.status for each in answers] == [503, 503, 500]
            assert "ended a process" in (answers[-1].headers.get("Reason") or "")
            assert deaths(supervisor) == 2
            number, status = 1, 0
            async with asyncio.timeout(20):
                while status != 200:  # until the next process takes calls
                    number += 1
                    other = Caller.invite_of(number, host, port, "others")
                    writer.write(other.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
                    status = (await final_over(reader)).status
            writer.close()

    run(main)
