"""Each example runs as a user starts it, against a user agent or a registrar of the test."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, address_of, agent, gate, reply
from tests.e2e.waiting import again_after_a_stop, until

ROOT = Path(__file__).resolve().parents[2]


class Example:
    """A running example and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().rstrip())

    async def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line that matches as a whole."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [match for line in self.lines if (match := re.fullmatch(pattern, line))]
            return bool(found) or self._reading.done()

        await until(look, 20)
        assert found, f"no line {pattern!r} in {self.lines}"
        return found[0]

    async def finished(self) -> list[str]:
        """Its lines, when it has ended well by itself."""
        assert await self._process.wait() == 0
        await self._reading
        return self.lines


@asynccontextmanager
async def example(name: str, *arguments: object) -> AsyncIterator[Example]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / name),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        async with asyncio.timeout(40):
            yield Example(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def address_in(running: Example) -> str:
    """The SIP URI at which an example says that it listens."""
    return f"sip:robot@{(await running.line(r'listening on udp:(.+)'))[1]}"


def test_the_ivr_sends_the_digits_back() -> None:
    async def main() -> None:
        async with example("ivr.py", "udp:127.0.0.1:0", 1) as running, agent() as alice:
            call = await alice.invite(await address_in(running), media="silence")
            await call.dtmf("1234")
            assert await call.digits(4, 10) == "1234"
            await call.over()
            assert (await running.finished())[-1] == "digits: 1234"

    asyncio.run(main())


@again_after_a_stop
def test_the_caller_prints_the_digits_that_come_back() -> None:
    async def robot(call: Call) -> None:
        await call.answer()
        await call.dtmf(await call.digits(5, 10))
        await call.over()

    async def main() -> None:
        async with agent() as bob:
            bob.listen(robot, media="tone:440")
            async with example("call_and_digits.py", address_of(bob)) as running:
                lines = await running.finished()
        assert lines[0] == "digits back: 1234#"
        assert re.fullmatch(r"\d+ packets received, 0 lost, MOS 4\.\d\d", lines[1])

    asyncio.run(main())


def test_the_answering_machine_records_until_the_time_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        async with example("answering_machine.py", "udp:127.0.0.1:0", tmp_path, 2, 3) as running, agent() as alice:
            address = await address_in(running)
            short = await alice.invite(address, media="tone:440")
            await asyncio.sleep(0.5)
            await short.bye()
            long = await alice.invite(address, media="tone:440")
            await long.over()
            assert long.by == "remote"
            lines = await running.finished()
        sizes = [int(match[1]) for line in lines if (match := re.fullmatch(r"recorded \d\.wav: (\d+) octets", line))]
        assert len(sizes) == 2
        assert 2 * 8000 * 0.3 < sizes[0] < sizes[1]
        assert 2 * 8000 * 2.5 < sizes[1] < 2 * 8000 * 5
        assert (tmp_path / "1.wav").read_bytes()[:4] == b"RIFF"

    asyncio.run(main())


@again_after_a_stop
def test_hold_stops_the_packets_and_resuming_brings_them_back() -> None:
    async def main() -> None:
        async with agent() as bob:
            bob.listen()
            async with example("hold_and_resume.py", address_of(bob), 0.6) as running:
                lines = await running.finished()
        parts = dict(line.removesuffix(" packets").split(": ") for line in lines)
        assert int(parts["talking"]) > 10
        assert int(parts["held"]) == 0
        assert int(parts["talking again"]) > 10

    asyncio.run(main())


def test_a_registration_brings_a_call_and_is_taken_back() -> None:
    async def main() -> None:
        judge = gate(user="bob")
        bound: list[Request] = []

        def registrar(request: Request) -> Sequence[Response]:
            challenge = judge(request)
            if challenge is not None:
                return [challenge]
            bound.append(request)
            return [reply(request, 200, ("Contact", f"{request.contacts[0]}"), ("Expires", "120"))]

        async with AsyncExitStack() as stack:
            peer, alice = await stack.enter_async_context(Peer(registrar)), await stack.enter_async_context(agent())
            where = f"sip:127.0.0.1:{peer.port}"
            running = await stack.enter_async_context(example("register_and_wait.py", where, "bob", "secret"))
            await running.line(f"registered for 120 s at {where}")
            call = await alice.invite(str(bound[0].contacts[0].uri), media="tone:440")
            await until(lambda: call.statistics is not None and call.statistics.packets_received > 5)
            await call.bye()
            lines = await running.finished()
        assert lines[1:] == ["called by <sip:alice@127.0.0.1>", "registration taken back"]
        assert len(bound) == 2

    asyncio.run(main())


def test_a_registrar_in_a_script_redirects_callers_to_who_has_registered() -> None:
    async def main() -> None:
        async with example("register_and_redirect.py", "udp:127.0.0.1:0") as running:
            place = (await running.line(r"listening on udp:(.+)"))[1]
            async with agent("sip:bob@127.0.0.1", auth=("bob", "secret")) as bob, agent(redirects=1) as alice:
                bob.listen()
                with pytest.raises(CallRejected) as unknown:
                    await alice.invite(f"sip:bob@{place}")
                assert unknown.value.status == 404
                assert await bob.register(f"sip:{place}") == 900
                call = await alice.invite(f"sip:bob@{place}")
                await call.bye()
            async with agent("sip:bob@127.0.0.1", auth=("bob", "wrong")) as mallory:
                with pytest.raises(CallRejected) as refused:
                    await mallory.register(f"sip:{place}")
                assert refused.value.status == 401

    asyncio.run(main())


def test_the_dialer_calls_every_row_and_says_how_it_went(tmp_path: Path) -> None:
    async def main() -> None:
        digits: list[str] = []
        async with agent() as bob:
            bob.listen(
                cb_create=lambda call, request: "busy" not in request.uri,
                refuse_status=486,
                media="silence",
                cb_dtmf=lambda event, duration: digits.append(event),
            )
            rows = [(address_of(bob, "one"), "12"), (address_of(bob, "busy"), "3"), (address_of(bob, "two"), "")]
            file = tmp_path / "rows.csv"
            file.write_text("to,digits\n" + "".join(f"{to},{each}\n" for to, each in rows))
            async with example("dialer.py", file) as running:
                lines = await running.finished()
        results = ["answered, 2 digits sent", "486", "answered, 0 digits sent"]
        assert sorted(lines) == sorted(f"{to}: {result}" for (to, _), result in zip(rows, results, strict=True))
        assert digits == ["1", "2"]

    asyncio.run(main())
