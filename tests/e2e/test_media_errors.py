"""Media that cannot be had: the await raises, else log, counter and the call's failure say it, and no wait hangs."""

import asyncio
import logging
import math
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import sipswarm
from sipswarm.actors.agent.node import EmbeddedNode
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.errors import CallEnded, CallRejected, MediaError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import MediaHandler
from sipswarm.actors.process.applications import install
from tests.actors.workers import worker_of
from tests.e2e.agents import address_of, agent, rtp_ports, run
from tests.e2e.waiting import pass_time, until

Breaks = Callable[[Path], object]


def wav(file: Path, seconds: float = 0.4) -> str:
    """A tone of 8000 Hz, 16 bit."""
    with wave.open(str(file), "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        samples = (round(9000 * math.sin(2 * math.pi * 440 * each / 8000)) for each in range(round(8000 * seconds)))
        made.writeframes(b"".join(each.to_bytes(2, "little", signed=True) for each in samples))
    return str(file)


def _make_folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def _unlink(file: Path) -> None:
    file.unlink(missing_ok=True)


FILES: dict[str, Breaks] = {
    "missing": _unlink,
    "empty": lambda file: file.write_bytes(b""),
    "half written": lambda file: file.write_bytes(b"RIFF\x00\x10\x00\x00WAVEfmt "),
    "a folder": _make_folder,
}
WORDS = {"missing": "no_file", "empty": "bad_file", "half written": "bad_file", "a folder": "bad_file"}


def refused(ua: UserAgent, word: str) -> float:
    """How often something was refused in this process."""
    return worker_of(ua).totals.cell("sipswarm_media_refused_total", word).value


def silent_listener(bob: UserAgent, **param: Any) -> list[Call]:
    calls: list[Call] = []
    bob.listen(media="silence", cb_established=lambda status, call: calls.append(call), **param)
    return calls


# ---- the caller's side


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("way", ["media", "init_media", "init_media of a function"])
def test_a_call_whose_file_cannot_be_played_raises_before_anybody_is_called(
    kind: str, way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "prompt.wav"
    FILES[kind](file)

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls = silent_listener(bob)
        ways: dict[str, dict[str, Any]] = {
            "media": {"media": f"play:{file}"},
            "init_media": {"init_media": alice.rtp("send_recv", str(file))},
            "init_media of a function": {"init_media": lambda call, param: alice.rtp("send_recv", file)(call, param)},
        }
        param = ways[way]
        if way == "init_media of a function":  # nobody can know before it runs
            call = await alice.invite(address_of(bob), **param)
            await call.over()
            assert call.cause.startswith(f"media_refused: {WORDS[kind]}: {file}")
            assert call.failure == "media_refused"
            assert refused(alice, WORDS[kind]) == 1
        else:
            with pytest.raises(MediaError, match=f"{WORDS[kind]}: {file}"):
                await alice.invite(address_of(bob), **param)
            assert calls == []
            assert refused(alice, WORDS[kind]) == 1
        assert any(f"{WORDS[kind]}: {file}" in each for each in caplog.messages)

    run(scenario)


def test_the_wait_for_the_end_of_a_file_ends_when_there_is_no_file(tmp_path: Path) -> None:
    """The call of docs/from-net-sip.md that plays a file; a function starts it, so that the peer has answered."""

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        silent_listener(bob)
        played = asyncio.Event()
        start = alice.rtp("send_recv", tmp_path / "none.wav")
        call = await alice.invite(
            address_of(bob), init_media=lambda call, param: start(call, param), cb_rtp_done=played
        )
        await asyncio.wait_for(played.wait(), 5)
        assert call.is_up, "what to do about it is up to cb_rtp_done"
        assert call.media_error.startswith("no_file: ")
        await call.bye()
        assert call.failure == "media_refused"

    run(scenario)


def a_source(path: Path) -> dict[str, tuple[Any, str]]:
    return {
        "missing": (str(path / "none.wav"), "no_file"),
        "tone": (("tone", 5000.0), "bad_value"),
        "text": (str(path / "text.wav"), "bad_file"),
    }


@pytest.mark.parametrize("kind", ["missing", "tone", "text"])
@pytest.mark.parametrize("waits", [True, False])
def test_play_raises_to_who_waits_and_is_the_calls_failure_otherwise(
    kind: str, waits: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "text.wav").write_bytes(b"RIFFtext")
    source, word = a_source(tmp_path)[kind]

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls = silent_listener(bob)
        done: list[Call] = []
        call = await alice.invite(address_of(bob), media="silence", cb_rtp_done=done.append)
        await until(lambda: calls)
        if waits:
            with pytest.raises(MediaError, match=word):
                await asyncio.wait_for(call.play(source), 5)
            assert call.failure == ""
        else:
            call.play(source)
            await until(lambda: call.failure)
            assert call.failure == "media_refused"
        assert done == [call]
        assert call.media_error.startswith(f"{word}: ")
        assert refused(alice, word) == 1
        assert [each for each in caplog.messages if word in each] != []
        assert call.is_up
        await pass_time(0.3)
        await call.bye()
        figures = call.statistics
        assert figures is not None
        assert figures.packets_sent > 5, "silence goes on"

    run(scenario)


OUTPUTS = ("/none/out.wav", "/none/out.raw", "/proc/out.wav", "/proc/self/mem/out.wav", "/dev")


@pytest.mark.parametrize("output", OUTPUTS)
def test_record_and_start_media_raise_to_who_waits(output: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls = silent_listener(bob)
        call = await alice.invite(address_of(bob), media="silence")
        await until(lambda: calls)
        for attempt in (call.record, lambda file: call.start_media(sipswarm.echo(output=file))):
            with pytest.raises(MediaError, match=f"no_file: {output}"):
                await asyncio.wait_for(attempt(output), 5)
        assert call.failure == ""
        assert call.is_up
        call.record(output)
        await until(lambda: call.failure == "media_refused")
        assert call.is_up
        await call.bye()
        assert refused(alice, "no_file") == 3

    run(scenario)


def test_record_and_start_media_return_when_they_run(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="tone:440")
        call = await alice.invite(address_of(bob), media="silence")
        await asyncio.wait_for(call.record(tmp_path / "in.raw"), 5)
        await asyncio.wait_for(call.start_media(sipswarm.echo(output=tmp_path / "out.raw")), 5)
        await pass_time(0.3)
        await call.bye()
        assert (tmp_path / "in.raw").exists()
        assert (tmp_path / "out.raw").stat().st_size > 160

    run(scenario)


@pytest.mark.parametrize("file", ["/dev/full"])
def test_a_full_disk_is_told_when_the_recording_fails(file: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="tone:440")
        call = await alice.invite(address_of(bob), media="silence")
        await call.record(file)
        await pass_time(0.4)
        await call.bye()
        assert call.failure == "media_refused"
        assert call.media_error == "write_failed: No space left on device"
        assert refused(alice, "write_failed") == 1
        (line,) = [each for each in caplog.messages if "write_failed" in each]
        assert line.endswith("make room on the disk, or record elsewhere")

    run(scenario)


@pytest.mark.parametrize("state", ["over", "no media"])
def test_what_is_asked_of_a_call_without_media_raises(state: str, tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="none" if state == "no media" else "silence")
        if state == "over":
            await call.bye()
        asks: tuple[Callable[[], Awaitable[str]], ...] = (
            lambda: call.play(("tone", 440.0)),
            lambda: call.record(tmp_path / "x.wav"),
            lambda: call.start_media(MediaHandler()),
        )
        for ask in asks:
            ask()
            with pytest.raises(CallEnded if state == "over" else MediaError):
                await asyncio.wait_for(ask(), 5)
        call.stop_playing()
        await call.bye()

    run(scenario)


@pytest.mark.parametrize("way", ["play", "record", "start_media"])
def test_what_is_asked_before_the_answer_waits_for_it_and_ends_with_the_call(way: str, tmp_path: Path) -> None:
    file = wav(tmp_path / "a.wav", 0.2)

    def ask(call: Call) -> Awaitable[str]:
        if way == "play":
            return call.play(file)
        if way == "record":
            return call.record(tmp_path / "r.wav")
        return call.start_media(sipswarm.echo(output=tmp_path / "r.raw"))

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        asked: list[Awaitable[str]] = []

        async def robot(call: Call) -> None:
            asked.append(ask(call))
            await asyncio.sleep(0.1)
            await call.answer()
            await call.over()

        async def refuses(call: Call) -> None:
            asked.append(ask(call))
            call.reject(486)

        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence")
        assert await asyncio.wait_for(asked.pop(), 5) == ""
        await call.bye()
        bob.listen(refuses)
        with pytest.raises(CallRejected):
            await alice.invite(address_of(bob), media="silence")
        with pytest.raises(CallEnded):
            await asyncio.wait_for(asked.pop(), 5)

    run(scenario)


# ---- the robot's side


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("ring_time", [0.0, 0.1])
def test_answering_with_a_prompt_that_is_gone_refuses_until_it_is_back(
    kind: str, ring_time: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`sipswarm answer --media play:FILE`: plays, 500 while the file cannot be played, plays again."""
    file = tmp_path / "prompt.wav"
    wav(file)

    async def main() -> None:
        listener, rows = Listener.parse("udp:127.0.0.1:0"), list[CallFinished]()
        config = AnswerConfig(media=f"play:{file}", ring_time=ring_time)
        settings = NodeConfig("", (listener,), 0, rtp_ports=rtp_ports(), answer=config, tells_incoming=True)
        node = EmbeddedNode(settings, install=install)
        await node.start()
        try:
            node.worker.tell = rows.append
            async with asyncio.timeout(30), agent() as alice:
                to = f"sip:robot@127.0.0.1:{node.config.listeners[0].port}"

                async def hears() -> None:
                    call = await alice.invite(to, media="silence")
                    await call.record(tmp_path / "heard.raw")
                    await pass_time(0.3)
                    await call.bye()
                    heard = (tmp_path / "heard.raw").read_bytes()
                    assert len(heard) > 800
                    assert len(set(heard)) > 16, "a tone, and no silence"

                await hears()
                FILES[kind](file)
                for _ in range(2):
                    with pytest.raises(CallRejected) as error:
                        await alice.invite(to, media="silence")
                    assert error.value.status == 500
                assert node.worker.totals.cell("sipswarm_media_refused_total", WORDS[kind]).value == 2
                if file.is_dir():
                    file.rmdir()
                wav(file)
                await hears()
                await until(lambda: len([each for each in rows if isinstance(each, CallFinished)]) == 4)
        finally:
            await node.close()
        finished = [each for each in rows if isinstance(each, CallFinished)]
        assert [each.failure for each in finished] == ["", "media_refused", "media_refused", ""]
        assert [each.code for each in finished] == [200, 500, 500, 200]

    asyncio.run(main())
    told = [each for each in caplog.messages if f"{WORDS[kind]}: {file}" in each]
    assert len(told) == 1, "once a minute"


def test_a_prompt_that_goes_before_the_codec_changes_ends_the_call_by_name(tmp_path: Path) -> None:
    """Its frames must not leave under another codec, and there is nothing to make others of."""
    file = tmp_path / "prompt.wav"
    wav(file)

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bob.listen(media=f"play:{file}", cb_established=lambda status, call: calls.append(call))
        call = await alice.invite(address_of(bob), media="silence")
        await until(lambda: calls)
        file.unlink()
        await call.reinvite(rtp_param=(8, 160, 0.02))
        await call.over()
        assert call.by == "remote"
        await until(lambda: calls[0].closed)
        assert calls[0].failure == "media_refused"
        assert calls[0].cause.startswith(f"media_refused: no_file: {file}")
        assert refused(bob, "no_file") == 1

    run(scenario)


def test_an_error_that_a_robot_lets_go_is_its_calls_failure(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        took: list[Call] = []

        async def robot(call: Call) -> None:
            took.append(call)
            await call.answer()
            await call.play(tmp_path / "none.wav")

        async def mends(call: Call) -> None:
            took.append(call)
            await call.answer()
            try:
                await call.play(tmp_path / "none.wav")
            except MediaError:
                await call.play(wav(tmp_path / "other.wav", 0.1))

        for each, failure in ((robot, "media_refused"), (mends, "")):
            bob.listen(each)
            call = await alice.invite(address_of(bob), media="silence")
            await call.over()
            await until(lambda: took[-1].closed)
            assert took[-1].failure == failure

    run(scenario)


def test_no_request_of_a_call_is_kept_when_it_is_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        call.play(wav(tmp_path / "long.wav", 3.0))
        playing = asyncio.ensure_future(call.play(wav(tmp_path / "long.wav", 3.0)))
        await asyncio.sleep(0.1)
        await call.bye()
        with pytest.raises(CallEnded):
            await playing
        assert call.media_work.requests is None

    with caplog.at_level(logging.ERROR, "asyncio"):
        run(scenario)
    assert [each for each in caplog.messages if "never retrieved" in each] == []
