"""What a call heard: prompts in order, tones, silence, and what a test says when they did not come."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm import Call, CallEnded, ConfigurationError, MediaError, UserAgent
from sipswarm.testing import heard, heard_silence, heard_tone, load
from tests.e2e.agents import address_of, agent, run
from tests.interop.speech import write_wav
from tests.media.audio.voices import voice

Robot = Callable[[Call], Awaitable[None]]


def prompt(folder: Path, name: str, seed: int, seconds: float = 1.5) -> Path:
    return write_wav(folder / f"{name}.wav", voice(seconds, seed))


def calling(robot: Robot, test: Callable[[Call], Awaitable[None]]) -> None:
    """Have alice call bob, who runs a robot, and run a test of her call."""

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence")
        await test(call)
        await call.bye()

    run(scenario)


def test_the_prompts_of_a_menu_are_heard_in_their_order(tmp_path: Path) -> None:
    welcome, menu = prompt(tmp_path, "welcome", 1), prompt(tmp_path, "menu", 2)
    missing = prompt(tmp_path, "missing", 3)

    async def robot(call: Call) -> None:
        await call.answer()
        await asyncio.sleep(0.3)
        await call.play(welcome)
        await call.play(menu)
        await call.digits(1, timeout=20)
        await call.play(menu)
        await call.over()

    async def test(call: Call) -> None:
        first = await heard(call, welcome, within=15)
        second = await heard(call, menu, within=15)
        assert min(first.share, second.share) >= 0.7
        assert 1.0 < second.at - first.at < 4.0
        with pytest.raises(
            AssertionError, match=r"missing\.wav was not heard: \d+% of it at most within 1 s; .* received"
        ):
            await heard(call, missing, within=1)
        with pytest.raises(AssertionError, match=r"menu\.wav was not heard"):
            await heard(call, menu, within=0.5)  # it was heard before, and not again
        await call.dtmf("1")
        await heard(call, menu, within=15)

    calling(robot, test)


def test_tones_and_silence_are_heard() -> None:
    async def robot(call: Call) -> None:
        await call.answer()
        call.play(("tone", 440.0))
        await call.digits(1, timeout=20)
        call.stop_playing()
        await call.over()

    async def test(call: Call) -> None:
        assert await heard_tone(call, 440, seconds=0.5) >= 0.5
        with pytest.raises(AssertionError, match=r"a tone of 880 Hz was not heard for 0.5 s within 0.2 s; .* of audio"):
            await heard_tone(call, 880, within=0.2)
        await call.dtmf("1")
        assert await heard_silence(call, seconds=0.5, within=15) >= 0.5

    calling(robot, test)


def test_a_recording_of_the_users_own_is_used_and_the_end_of_the_call_is_told(tmp_path: Path) -> None:
    welcome = prompt(tmp_path, "welcome", 1)
    other = prompt(tmp_path, "other", 2)

    async def robot(call: Call) -> None:
        await call.answer()
        await asyncio.sleep(0.3)
        await call.play(welcome)

    async def test(call: Call) -> None:
        own = tmp_path / "own.wav"
        await call.record(own, "stereo")
        with pytest.raises(AssertionError, match=r"other\.wav was not heard: \d+% of it at most before the call ended"):
            await heard(call, other, within=30)
        assert call.recordings == (str(own),)
        assert (await heard(call, welcome)).share >= 0.7  # the recording is there after the end

    calling(robot, test)


def test_what_cannot_be_heard_is_an_error_at_once(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio at all, only text")

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        for wrong in (text, tmp_path / "nowhere.wav"):
            with pytest.raises(ConfigurationError, match=f"prompt {wrong}"):
                await heard(call, wrong)
        with pytest.raises(ConfigurationError, match="share"):
            await heard(call, text, share=7)
        with pytest.raises(ConfigurationError, match="seconds"):
            await heard_silence(call, seconds=0)
        await call.bye()
        welcome = prompt(tmp_path, "welcome", 1)
        with pytest.raises(CallEnded):
            await heard(call, welcome)
        without = await alice.invite(address_of(bob), media="none")
        with pytest.raises(MediaError):
            await heard(without, welcome)
        await without.bye()

    run(scenario)


def test_a_load_is_one_test_with_its_verdict_and_figures(tmp_path: Path) -> None:
    async def robot(call: Call) -> None:
        await call.answer()
        await call.over()

    async def refuses(call: Call) -> None:
        call.reject(503)

    async def main() -> None:
        async with asyncio.timeout(110), agent("sip:bob@127.0.0.1") as bob:
            target = address_of(bob)
            options: dict[str, Any] = {
                "call_workers": 1,
                "media_workers": 1,
                "rate": 10,
                "calls": 5,
                "hold": "0.2s",
                "quiet": True,
            }
            bob.listen(robot)
            good = await load(target, out=tmp_path / "good", threshold=["answered>=1", "completed>=1"], **options)
            assert good.exit_code in (0, 98), good  # 98: the machine is busy
            assert good.summary["calls"]["answered"] == 5
            assert len((good.folder / "calls.csv").read_text().splitlines()) == 6
            bob.listen(refuses)
            bad = await load(target, out=tmp_path / "bad", **options)
            assert not bad.passed
            assert bad.exit_code in (1, 98)
            assert "server_error 5" in repr(bad)
            with pytest.raises(ConfigurationError, match=r"No such option .--clals"):
                await load(target, clals=3)
            with pytest.raises(ConfigurationError, match=r"calls .* is neither text nor number"):
                await load(target, calls={})
            with pytest.raises(TimeoutError):
                await load(target, out=tmp_path / "long", duration="600s", timeout=5, call_workers=1, media_workers=1)

    asyncio.run(main())
