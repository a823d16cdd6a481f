"""Media arguments of a wrong type or value are refused when they are given, and the call goes on as it was."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.media_handlers import MediaHandler, echo, record, send_recv, tone
from tests.actors.workers import worker_of
from tests.e2e.agents import address_of, agent

ODD: tuple[Any, ...] = (None, True, 5, 1.5, b"x", bytearray(b"x.wav"), {}, {"file"}, ["a"], [], (), object(), 10**30)
NO_SOURCE = (
    *(each for each in ODD if each not in ([], ())),
    (),
    ("none", 1),
    ("file",),
    ("file", "x.wav"),
    ("file", b"x.wav", 1),
    ("file", "x.wav", "1"),
    ("file", "x.wav", 1.0),
    ("file", "x.wav", True),
    ("file", "x.wav", 10**30),
    ("file", None, 1),
    ("file", "", 1),
    ("tone",),
    ("tone", "440"),
    ("tone", None),
    ("tone", math.nan),
    ("tone", math.inf),
    ("tone", 0),
    ("tone", 10**30),
    ("tone", b"440"),
    ("echo",),
    ("echo", 0.5),
    ("echo", None),
    ("echo", 10**30),
    ("callback", 5),
    ("callback", "x"),
    ("bogus", 1),
    (b"file", "x.wav", 1),
    (None,),
    ("silence", object()),
)
RTP_PARAM: tuple[Any, ...] = (
    True,
    5,
    b"x",
    b"\x00\xa0\x01",
    "abc",
    {},
    [],
    [0],
    [0, 160],
    [0, 160, "x"],
    [0, None, 0.02],
    [object(), 160, 0.02],
    [0, 160, math.nan],
    [0, 10**30, 0.02],
    [0, 160, 0.02, b"\xff", 1, 2],
    [97, 50, 0.03, object()],
)


@pytest.mark.parametrize("given", [*ODD, "", "x\0.wav", "x" * 5000], ids=lambda each: repr(each)[:30])
def test_what_is_no_name_of_a_file_is_refused_by_every_maker_of_a_handler(given: Any) -> None:
    for make in (record, lambda name: send_recv("x.wav", 1, name), echo):
        if given is None and make is not record:
            continue  # no output
        with pytest.raises(ConfigurationError):
            make(given)
    with pytest.raises(ConfigurationError):
        send_recv(given)


@pytest.mark.parametrize("given", [each for each in ODD if each not in (5, 1.5)], ids=lambda each: repr(each)[:30])
def test_what_is_no_number_is_refused_by_every_maker_of_a_handler(given: Any) -> None:
    makers: list[Callable[[], object]] = [
        lambda: tone(given),
        lambda: echo(None, given),
        lambda: send_recv("x.wav", given),
        lambda: MediaHandler(("tone", given)),
        lambda: MediaHandler(("echo", given)),
    ]
    for make in makers:
        with pytest.raises(ConfigurationError):
            make()
    if given is not True:
        with pytest.raises(ConfigurationError):
            send_recv(lambda number, channel: b"", ahead=given)


@pytest.mark.parametrize("given", NO_SOURCE, ids=lambda each: repr(each)[:40])
def test_what_is_no_source_and_no_sink_is_refused_by_a_handler(given: Any) -> None:
    with pytest.raises(ConfigurationError):
        MediaHandler(given)
    if given != ("file", "x.wav"):
        with pytest.raises(ConfigurationError):
            MediaHandler(("none",), given)


def test_a_call_that_is_given_nonsense_goes_on_with_what_it_sent_before(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence")
            call = await alice.invite(address_of(bob), media="tone:440")
            for source in NO_SOURCE:
                with pytest.raises(ConfigurationError):
                    call.play(source)
            for given in ODD:
                with pytest.raises(ConfigurationError):
                    call.record(given)
                with pytest.raises(ConfigurationError):
                    call.record(str(tmp_path / "x.wav"), given)
                with pytest.raises(ConfigurationError):
                    call.start_media(given)
                with pytest.raises(ConfigurationError):
                    call.play("silence.wav", until=given)
                if given != 5 or isinstance(given, bool):
                    with pytest.raises(ConfigurationError):
                        call.play("silence.wav", given)
            before = await _sent(call)
            await asyncio.sleep(2.5)
            assert call.is_up
            assert (call.failure, call.media_error) == ("", "")
            assert await _sent(call) > before + 25
            await call.bye()
        assert list(Path().glob("None*")) == []

    asyncio.run(main())


async def _sent(call: Any) -> int:
    while not call.statistics.stream_id:
        await asyncio.sleep(0.05)
    return int(call.statistics.packets_sent)


@pytest.mark.parametrize("option", ["media", "init_media", "rtp_param"])
def test_nonsense_is_refused_before_a_call_is_placed_or_taken(option: str) -> None:
    odd = {
        "media": [*(each for each in ODD if each is not None), "", "tone:x", "tone:0", "tone:99999", "play:"],
        "init_media": [True, 5, 1.5, b"x", "x", {}, {"file"}, object(), [5], (5, 1)],
        "rtp_param": list(RTP_PARAM),
    }[option]

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            for given in odd:
                with pytest.raises((ConfigurationError, TypeError)):
                    await alice.invite(address_of(bob), **{option: given})
                with pytest.raises((ConfigurationError, TypeError)):
                    bob.listen(**{option: given})
            assert not worker_of(alice).actors.live

    asyncio.run(main())


@pytest.mark.parametrize("codecs", [(), ("g722", "pcmu")])
def test_a_tone_that_a_codec_of_the_call_cannot_carry_is_refused_before_any_call(codecs: tuple[str, ...]) -> None:
    """A re-INVITE may choose any codec of the description, long after the 200."""

    async def main() -> None:
        async with asyncio.timeout(40), agent(codecs=codecs) as alice, agent("sip:bob@127.0.0.1") as bob:
            for wrong in ({"media": "tone:5000"}, {"init_media": tone(5000)}):
                with pytest.raises(ConfigurationError, match="5000 Hz does not fit PCMU"):
                    await alice.invite(address_of(bob), **wrong)
                with pytest.raises(ConfigurationError, match="5000 Hz does not fit PCMU"):
                    alice.listen(**wrong)
            assert not worker_of(alice).actors.live

    asyncio.run(main())
