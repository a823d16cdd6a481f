"""`answer --register` with real processes: bound while it takes calls, taken back only when the last one is over."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sipswarm.sipcore.message.messages import Request, Response
from tests.interop.processes import descendants

from .agents import Peer, agent, reply
from .test_command_line import WORKERS, Running
from .test_orphans import name_of
from .waiting import until


def granted(request: Request) -> list[Response]:
    """What a registrar without passwords says."""
    return [reply(request, 200, ("Contact", request.headers.get("Contact") or ""), ("Expires", "600"))]


def distinct(registrar: Peer) -> list[Request]:
    """Its requests without their repetitions, which a busy machine causes."""
    return list({(each.call_id, each.cseq.number): each for each in registrar.requests}.values())


def removals(registrar: Peer) -> int:
    return sum(request.headers.get("Expires") == "0" for request in distinct(registrar))


def test_a_live_call_may_end_before_the_registration_is_taken_back() -> None:
    async def main() -> tuple[int, str]:
        async with asyncio.timeout(60), Peer(granted) as registrar, agent() as caller:
            address = f"sip:bob@127.0.0.1:{registrar.port}"
            arguments = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--register", address, *WORKERS]
            running = Running("answer", *arguments, "--drain", "30s", "--header", "X-Site: 7", "--media", "none")
            try:
                place = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
                await until(lambda: registrar.requests)
                request = registrar.requests[0]
                assert (request.method, str(request.uri)) == ("REGISTER", f"sip:127.0.0.1:{registrar.port}")
                assert request.headers.get("Contact") == f"<sip:bob@{place}>"
                assert request.headers.get("X-Site") == "7"
                call = await caller.invite(f"sip:bob@{place}", media="none")
                running.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(1.0)  # nothing may happen now
                assert (call.closed, removals(registrar)) == (False, 0)
                await call.bye()
                await until(lambda: removals(registrar))
                return await asyncio.to_thread(running.end)
            finally:
                running.close()

    code, errors = asyncio.run(main())
    assert code == 0, errors


ROBOT = """
async def robot(call):
    await call.answer()
    await call.over()

async def resume(call):
    await call.over()

def setup(ua):
    ua.keep_registered("sip:bob@127.0.0.1", registrar="sip:127.0.0.1:{port}")
"""


def bindings(registrar: Peer) -> list[str | None]:
    """The contacts that were bound, in the order of the requests."""
    return [each.headers.get("Contact") for each in distinct(registrar) if each.headers.get("Expires") != "0"]


def started(kind: str, folder: Path, port: int) -> Running:
    """A node with one call worker that registers bob."""
    arguments = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--drain", "30s", *WORKERS]
    if kind == "answer":
        return Running("answer", *arguments, "--register", f"sip:bob@127.0.0.1:{port}", "--media", "none")
    file = folder / "robot.py"
    file.write_text(ROBOT.format(port=port))
    return Running("robot", str(file), *arguments)


def call_worker(running: Running) -> int:
    """The process with the calls, 0 while it is being replaced."""
    found = [pid for pid in descendants(running.process.pid) if name_of(pid).endswith("-call-0")]
    return found[0] if found else 0


@pytest.mark.parametrize("kind", ["answer", "robot"])
@pytest.mark.parametrize("draining", [False, True])
def test_the_next_call_worker_takes_up_a_registration_and_removes_it_at_the_end(
    kind: str, draining: bool, tmp_path: Path
) -> None:
    async def main() -> tuple[int, str]:
        async with asyncio.timeout(100), Peer(granted) as registrar, agent() as caller:
            running = started(kind, tmp_path, registrar.port)
            try:
                place = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
                await until(lambda: bindings(registrar))
                call = await caller.invite(f"sip:bob@{place}", media="none")
                if draining:
                    running.process.send_signal(signal.SIGTERM)
                    await until(lambda: name_of(call_worker(running)) == "end-call-0")
                first = call_worker(running)
                os.kill(first, signal.SIGKILL)
                await until(lambda: call_worker(running) not in (0, first))
                if draining:
                    await until(lambda: name_of(call_worker(running)) == "end-call-0")
                    assert removals(registrar) == 0, "a call is up"
                else:
                    await until(lambda: len(bindings(registrar)) >= 2)
                    running.process.send_signal(signal.SIGTERM)
                await call.bye()
                await until(lambda: removals(registrar))
                assert set(bindings(registrar)) == {f"<sip:bob@{place}>"}, "the same contact: no stale binding is left"
                assert registrar.requests[-1].headers.get("Contact") == f"<sip:bob@{place}>"
                ended = await asyncio.to_thread(running.end)
                assert removals(registrar) == 1
                return ended
            finally:
                running.close()

    code, errors = asyncio.run(main())
    assert code == 0, errors
