"""A robot's file with a `setup` and no robot: `listen` in it takes the calls, by callbacks as in Perl."""

import asyncio
import signal
from pathlib import Path

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import agent
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.waiting import until

LISTENS = """
def setup(ua):
    ua.listen(media="silence", cb_dtmf=print, cb_established=lambda status, call: call.dtmf("5", cb_final=print))
"""
DOES_NOT = """
def setup(ua):
    return ua.every(60, print)  # no coroutine: it means nothing
"""
PLACES = """
from sipswarm import Call

async def robot(call):
    await call.answer()
    other = Call(call, f"sip:desk-{{call.called_user}}@127.0.0.1:{port}", media="none")
    await other.reinvite()
    await call.dtmf("7")
    await other.over()
"""


def test_calls_are_taken_by_the_callbacks_of_setup(tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    file.write_text(LISTENS)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix("listening on udp:")
        async with asyncio.timeout(30), agent() as alice:
            call = await alice.invite(f"sip:phone@{address}", media="silence")
            assert await call.digits(1, timeout=20) == "5"
            await call.bye()

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
    assert "takes no call" not in errors


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_setup_that_awaits_what_was_cancelled_is_told_and_calls_are_taken(how: str, tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    body = "    raise asyncio.CancelledError\n"
    robot = "async def robot(call):\n    await call.answer()\n    await call.over()\n"
    file.write_text(f"import asyncio\n\n\n{how} setup(ua):\n{body}\n\n{robot}")
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix("listening on udp:")
        async with asyncio.timeout(30), agent() as alice:
            call = await alice.invite(f"sip:phone@{address}", media="silence")
            await call.bye()

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
    assert "failed; calls are taken nevertheless" in errors


def test_a_file_that_takes_no_call_says_so_and_refuses_each(tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    file.write_text(DOES_NOT)
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix("listening on udp:")
        async with asyncio.timeout(30), agent() as alice:
            with pytest.raises(CallRejected, match="480"):
                await alice.invite(f"sip:phone@{address}", media="none")

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
    assert "phone.py takes no call: write `async def robot(call):`, or ua.listen(…) in its setup(ua)" in errors


def test_a_robot_places_a_call_of_its_own(tmp_path: Path) -> None:
    """Both calls are up at once; the end of the robot's own call is the end of the robot, and so of its caller's."""
    file = tmp_path / "phone.py"

    async def main() -> tuple[int, str]:
        async with asyncio.timeout(60), agent() as alice, agent("sip:operator@127.0.0.1") as operator:
            came: list[Call] = []

            async def answer(call: Call) -> None:
                if call.called_user == "desk-nobody":
                    return  # 480
                await call.answer()
                came.append(call)
                await call.over()

            operator.listen(answer)
            file.write_text(PLACES.format(port=operator.legs[0].port))
            running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
            try:
                address = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
                call = await alice.invite(f"sip:4711@{address}", media="silence")
                await until(lambda: bool(came), 20)
                (own,) = came
                assert own.source == ("127.0.0.1", int(address.rpartition(":")[2]), "udp")
                assert (own.called_user, own.calling_user) == ("desk-4711", "sipswarm")
                assert own.call_id != call.call_id
                assert (call.is_up, own.is_up) == (True, True)
                assert await call.digits(1, timeout=20) == "7"  # the robot goes on when its own call is up
                await own.bye()
                await call.over()
                assert (call.by, call.failure) == ("remote", "")
                refused = await alice.invite(f"sip:nobody@{address}", media="silence")
                await refused.over()  # the robot's own call got 480, which is an outcome and no fault
                assert (refused.by, refused.failure, len(came)) == ("remote", "", 1)
                return await asyncio.to_thread(running.end, signal.SIGTERM)
            finally:
                await asyncio.to_thread(running.close)

    code, errors = asyncio.run(main())
    assert code == 0, errors
    assert "failed" not in errors


HOOKED = """
async def robot(call):
    await call.answer()
    await call.over()

def setup(ua):
    withheld = []

    def hook(message, hop):
        message.headers.set("X-Hop", f"{hop.transport} {hop.port}")
        if message.cseq.method == "INFO" and not withheld:
            withheld.append(message)
            return False

    ua.on_send(hook)
"""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_robot_sees_and_changes_what_its_worker_sends(transport: str, tmp_path: Path) -> None:
    file = tmp_path / "phone.py"
    file.write_text(HOOKED)
    running = Running("robot", str(file), "--listen", f"{transport}:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main() -> None:
        address = running.line().removeprefix(f"listening on {transport}:")
        async with asyncio.timeout(60), agent("sip:alice@127.0.0.1", f"{transport}:127.0.0.1:0") as alice:
            call = await alice.invite(f"sip:phone@{address};transport={transport}", media="none")
            options = await alice.request("OPTIONS", f"sip:phone@{address};transport={transport}")
            if transport == "udp":  # its repetition gets the answer again
                response = await call.request("INFO", "text")
                assert response.headers.get("X-Hop") == f"udp {alice.legs[0].port}"
            assert (options.headers.get("X-Hop") or "").startswith(f"{transport} ")
            await call.bye()

    try:
        asyncio.run(main())
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0, errors
