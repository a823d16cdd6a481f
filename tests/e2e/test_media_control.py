"""Media as robots control it: a prompt that a digit ends, one that is stopped, figures while the call is up."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import sipswarm
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import address_of, agent, run
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.test_media_errors import wav
from tests.e2e.waiting import until


def prompted(bob: UserAgent, results: list[str], *prompts: tuple[str, str], then: int = 0) -> None:
    """Bob plays files, each until one of some digits, and then reads further digits."""

    async def robot(call: Call) -> None:
        await call.answer()
        for file, digits in prompts:
            results.append(await call.play(file, until=digits))
        if then:
            results.append(await call.digits(then, timeout=3))
        await call.bye()

    bob.listen(robot)


@pytest.mark.parametrize("methods", ["rfc2833", "info"])
def test_a_digit_ends_a_play_and_is_not_read_again(methods: str, tmp_path: Path) -> None:
    file = wav(tmp_path / "menu.wav", 8.0)
    results: list[str] = []

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        prompted(bob, results, (file, "#"), (file, "0123456789*#"), then=2)
        call = await alice.invite(address_of(bob), media="silence")
        started = asyncio.get_running_loop().time()
        with suppress(CallEnded):  # the last digit makes the peer hang up
            await call.dtmf("12#5", duration=60, methods=methods)
        await call.over()
        assert asyncio.get_running_loop().time() - started < 7
        assert results == ["#", "5", "12"], "digits that end nothing stay to be read, in order"

    run(scenario)


def test_digits_that_came_before_end_nothing(tmp_path: Path) -> None:
    file = wav(tmp_path / "short.wav", 0.2)
    results: list[str] = []

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def robot(call: Call) -> None:
            await call.answer()
            await until(lambda: call.digits_received == "#")
            results.append(await call.play(file, until="#"))
            results.append(await call.digits(1, timeout=1))
            await call.bye()

        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence")
        await call.dtmf("#", duration=60)
        await call.over()
        assert results == ["", "#"]

    run(scenario)


@pytest.mark.parametrize("text", ["x", "1 2", "E", "٣", "#\n"])
def test_until_takes_digits_only(text: str, tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        with pytest.raises(ConfigurationError, match="digits are 0-9 A-D"):
            call.play("a.wav", until=text)
        await call.bye()

    run(scenario)


def test_a_file_is_played_as_often_as_asked_and_a_second_play_ends_the_first(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await call.play(wav(tmp_path / "a.wav", 0.2), repeat=3) == ""
        assert 0.5 < loop.time() - began < 5
        first = asyncio.ensure_future(call.play(("tone", 440.0)))
        await asyncio.sleep(0.1)
        second = asyncio.ensure_future(call.play(tmp_path / "a.wav"))
        assert await asyncio.wait_for(first, 5) == ""
        assert await asyncio.wait_for(second, 5) == ""
        endless = call.play(tmp_path / "a.wav", repeat=-1)
        with suppress(TimeoutError):
            await asyncio.wait_for(endless, 0.5)
        assert endless.cancelled()
        call.stop_playing()
        await call.bye()

    run(scenario)


def test_figures_are_there_while_the_call_is_up() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        took: list[Call] = []

        async def robot(call: Call) -> None:
            took.append(call)
            await call.answer()
            await call.over()

        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="tone:440")

        def counted(call: Call, packets: int) -> bool:
            figures = call.statistics
            return figures is not None and min(figures.packets_received, figures.packets_sent) > packets

        for each in (call, took[0]):
            await until(lambda each=each: counted(each, 20), 10)  # type: ignore[misc]  # bound now
        first = call.statistics
        assert first is not None
        await until(lambda: counted(call, first.packets_sent), 10)
        assert call.statistics is not None
        assert call.statistics.packets_sent > first.packets_sent
        assert call.remote_media == (first.remote_address, first.remote_port)
        assert not call.all_statistics
        await call.bye()
        assert len(call.all_statistics) == 1
        assert call.statistics == call.all_statistics[0]

    run(scenario)


def test_a_file_waits_for_the_end_of_a_hold(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bob.listen(media="silence", cb_established=lambda status, call: calls.append(call))
        call = await alice.invite(address_of(bob), media="silence")
        await until(lambda: calls)
        playing = asyncio.ensure_future(call.play(wav(tmp_path / "a.wav", 1.5)))
        await calls[0].hold()
        await asyncio.sleep(2.0)
        assert not playing.done()
        await calls[0].resume()
        assert await asyncio.wait_for(playing, 5) == ""
        await call.bye()

    run(scenario)


def test_frames_go_through_pairs_and_functions_of_fewer_arguments() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        heard: list[tuple[str, bytes]] = []

        def write(own: str, payload: bytes) -> None:
            heard.append((own, payload))

        bob.listen(init_media=sipswarm.echo(output=(write, "mine"), delay=-1))
        read = lambda sequence: sequence.to_bytes(2, "big") * 80  # noqa: E731
        call = await alice.invite(address_of(bob), init_media=sipswarm.send_recv(read, ahead=0.02))
        await until(lambda: len(heard) > 10)
        await call.bye()
        assert {own for own, _ in heard} == {"mine"}
        numbers = [int.from_bytes(payload[:2], "big") for _, payload in heard]
        assert [(after - before) & 0xFFFF for before, after in pairwise(numbers)] == [1] * (len(numbers) - 1)

    run(scenario)


# ---- as processes

ROBOT = """
async def robot(call):
    await call.answer()
    digit = await call.play({menu!r}, repeat=-1, until="123")
    await call.dtmf(digit)
    try:
        await call.play("/none.wav")
    except Exception as error:
        await call.dtmf("9" if type(error).__name__ == "MediaError" else "0")
    await call.play("/none/either.wav")
"""


def log_of(running: Running, main: Callable[[str], Coroutine[Any, Any, None]]) -> str:
    """Let a program of ours be called, under its address; end it, and what it wrote on standard error."""
    try:
        asyncio.run(main(running.line().removeprefix("listening on udp:")))
    finally:
        running.process.terminate()
        running.process.wait(20)
        assert running.process.stderr is not None
        said = running.process.stderr.read()
        running.close()
    return said


def test_a_robot_file_plays_until_a_digit_and_hears_of_errors(tmp_path: Path) -> None:
    file = tmp_path / "robot.py"
    file.write_text(ROBOT.format(menu=wav(tmp_path / "menu.wav")))
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)

    async def main(address: str) -> None:
        async with asyncio.timeout(30), agent() as alice:
            call = await alice.invite(f"sip:x@{address}", media="silence")
            await call.dtmf("2", duration=60)
            assert await call.digits(2, timeout=10) == "29"
            await call.over()
            assert call.by == "remote"

    said = log_of(running, main)
    assert re.search(
        r"SetSource was refused: no_file: /none.wav: .*; what it was to send cannot be sent: put the file", said
    ), said
    assert "no_file: /none/either.wav" in said
    assert "Traceback" not in said


def test_answering_processes_refuse_while_the_prompt_is_gone_and_say_so(tmp_path: Path) -> None:
    file = tmp_path / "prompt.wav"
    wav(file)
    cdr = tmp_path / "cdr.csv"
    running = Running(
        *("answer", "--media", f"play:{file}", "--listen", "udp:127.0.0.1:0", "--metrics", "off"),
        *("--cdr", str(cdr), *WORKERS),
    )

    async def main(address: str) -> None:
        async with asyncio.timeout(40), agent() as alice:

            async def hears() -> None:
                call = await alice.invite(f"sip:x@{address}", media="silence")
                await until(lambda: call.statistics is not None and call.statistics.packets_received > 5)
                await call.bye()

            await hears()
            file.unlink()
            with pytest.raises(CallRejected) as error:
                await alice.invite(f"sip:x@{address}", media="silence")
            assert error.value.status == 500
            wav(file)
            await hears()

    said = log_of(running, main)
    assert f"OpenStream was refused: no_file: {file}: No such file or directory; no media stream: put the file" in said
    rows = cdr.read_text().splitlines()
    assert sum("media_refused" in row for row in rows) == 1, rows
