"""The right forms of arguments, and what is asked of a user agent or call before its time: told, and never for ever."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_requests import HELD_TIME
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.agent.test_answers_and_ends import tracebacks, with_stranger
from tests.actors.stranger import Stranger, statuses
from tests.e2e.agents import agent, note

BEFORE: dict[str, Callable[[UserAgent], Any]] = {
    "invite": lambda ua: ua.invite("sip:x@127.0.0.1:9"),
    "register": lambda ua: ua.register("127.0.0.1:9"),
    "listen": lambda ua: ua.listen(),
    "Call": lambda ua: Call(ua, "sip:x@127.0.0.1:9"),
    "take_transfers": lambda ua: ua.take_transfers(),
    "reserve_media": lambda ua: ua.reserve_media(),
    "every": lambda ua: ua.every(1, print),
    "new_call_id": lambda ua: ua.new_call_id(),
    "keep_ladders": lambda ua: ua.keep_ladders(),
}


@pytest.mark.parametrize("method", BEFORE)
def test_a_user_agent_that_was_not_entered_says_how_to_enter_it(method: str) -> None:
    async def main() -> None:
        done = BEFORE[method](agent())
        if done is not None:
            await done

    with pytest.raises(ConfigurationError, match="async with UserAgent"):
        asyncio.run(main())


def test_a_text_is_a_list_of_one() -> None:
    ua = UserAgent(legs="udp:127.0.0.1:0", route="sip:127.0.0.1:9;lr", codecs="pcma", advertise="192.0.2.1")
    assert ua._who.usual.route == ("<sip:127.0.0.1:9;lr>",)


@pytest.mark.parametrize(
    "form",
    [
        "sip:{}",
        "x@{}",
        "{}",
        "<sip:x@{}>",
        "SIP:x@{}",
        "sip:x@{}?Subject=hi",
        "<sip:x@{}?Subject=hi>",
        '"X" <sip:x@{}>;a=b',
    ],
)
def test_a_target_may_lack_its_scheme(form: str) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        place = f"{stranger.host}:{stranger.port}"
        call = await ua.invite(form.format(place), media="none", cb_final=print)
        (invite, *_) = await stranger.exchange()
        assert isinstance(invite, Request)
        assert (invite.request_uri.host, invite.request_uri.port) == (stranger.host, stranger.port)
        call.cleanup()

    with_stranger(scenario)


@pytest.mark.parametrize("late", ["play", "play on and on", "record", "start_media"])
def test_media_that_is_awaited_before_the_answer_ends_with_the_way_out(
    late: str, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        told: list[Any] = []

        async def robot(call: Call) -> None:
            begun = asyncio.get_running_loop().time()
            awaited = {
                "play": lambda: call.play(tmp_path / "x.wav"),
                "play on and on": lambda: call.play(("tone", 440.0)),
                "record": lambda: call.record(tmp_path / "x.wav"),
                "start_media": lambda: call.start_media(ua.rtp("tone")),
            }
            try:
                await awaited[late]()
            finally:
                told.append(asyncio.get_running_loop().time() - begun)

        ua.listen(robot)
        assert statuses(await stranger.exchange(stranger.invite(1), seconds=HELD_TIME + 1))[-1] == 500
        assert told == [pytest.approx(HELD_TIME, abs=0.1)]

    with_stranger(scenario)
    assert len(tracebacks(caplog)) == 1
    assert "use `await call.answer()` or `call.early_media()` first" in caplog.text


def test_media_that_is_not_awaited_waits_for_a_late_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        told: list[bool] = []

        async def robot(call: Call) -> None:
            play = call.play("late.wav")
            await asyncio.sleep(HELD_TIME + 5)
            note(told, play.done())
            call.stop_playing()
            call.reject(486)

        ua.listen(robot)
        await stranger.exchange(stranger.invite(1), seconds=HELD_TIME + 6)
        assert told == [False]

    with_stranger(scenario)
    assert tracebacks(caplog) == []


def test_a_play_waits_while_the_remote_side_rings() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        call = await ua.invite(f"sip:x@{stranger.host}:{stranger.port}", cb_final=print, ring_time=120)
        (invite, *_) = await stranger.exchange(seconds=0.1)
        assert isinstance(invite, Request)
        await stranger.exchange(Response.to_request(invite, 180, to_tag="t").to_bytes())
        play = call.play("late.wav")
        await asyncio.wait((play,), timeout=HELD_TIME + 10)
        assert not play.done()
        assert not call.cause
        call.cleanup()

    with_stranger(scenario)
