"""Recordings and audio files as a script uses them, between two user agents."""

import asyncio
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.media_handlers import recording_sink
from tests.e2e.agents import address_of, run
from tests.e2e.waiting import again_after_a_stop
from tests.media.audio.test_files import FILES
from tests.media.tones import channels, fit


@again_after_a_stop
def test_a_stereo_recording_has_what_was_heard_on_the_left_and_what_was_sent_on_the_right(tmp_path: Path) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="tone:700")
        call = await alice.invite(address_of(bob), media="tone:440")
        await asyncio.sleep(0.3)
        call.record(tmp_path / "both.wav", sides="stereo")
        await asyncio.sleep(1.5)
        call.stop_recording()
        await asyncio.sleep(0.5)
        with pytest.raises(ConfigurationError, match=r"recorded in a \.wav file only"):
            call.record(tmp_path / "both.ulaw", sides="mixed")
        with pytest.raises(ConfigurationError, match="there are heard, stereo, mixed"):
            call.record(tmp_path / "both.wav", sides="left")
        await call.bye()

    run(scenario)
    left, right = channels(tmp_path / "both.wav", 8000)
    assert 1.2 < len(left) / 8000 < 1.9
    for samples, hz in ((left, 700), (right, 440)):
        clean = [fit(samples[at : at + 800], 8000, hz)[0] > 20 for at in range(800, len(samples) - 1600, 800)]
        assert clean.count(True) >= len(clean) / 3, "but where a busy machine sent too late"


@again_after_a_stop
def test_a_file_of_another_rate_and_format_is_heard_at_its_pitch(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.mp3"  # the name is not asked
    prompt.write_bytes(FILES["6 channels of 24 bit"][0])

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(init_media=bob.rtp("send_recv", str(prompt), -1))
        call = await alice.invite(address_of(bob), init_media=alice.rtp("record", str(tmp_path / "heard.wav")))
        await asyncio.sleep(1.5)
        await call.bye()

    run(scenario)
    (heard,) = channels(tmp_path / "heard.wav", 8000)
    clean = [fit(heard[at : at + 800], 8000)[0] > 20 for at in range(800, len(heard) - 1600, 800)]
    assert clean.count(True) >= len(clean) / 3, "but where a busy machine sent too late"


@pytest.mark.parametrize("name", ["x.mp3", "x.WAVE", "x.ogg", "x.ulaw", "x.pcmu-8000", "x.l16-16000", "x.g711a"])
def test_a_recording_has_no_name_that_tells_another_format(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"recordings are \.wav files"):
        recording_sink(name)


@pytest.mark.parametrize("name", ["x.wav", "x.WAV", "x.raw", "x", "alice@example.com", "/dev/null"])
def test_a_recording_has_any_other_name(name: str) -> None:
    assert recording_sink(name) == ("file", name)
