"""Plays and other requests of a call, with the media worker's side a list of commands, and time that is a number."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from sipswarm.actors.call.media import CallMedia
from sipswarm.actors.call.media_stream import MediaStream
from sipswarm.actors.call.stream_configuration import MediaDemand
from sipswarm.actors.errors import MediaError
from sipswarm.actors.handle.media_requests import HELD_TIME, LOOK, MediaRequest, MediaRequests
from sipswarm.media.messages import Command, SetSink, SetSource, SourceSpec, StopSource
from tests.actors.virtual_loop import run

FILE: SourceSpec = ("file", "a.wav", 1)


class Call:
    """The media of a call with one configured line."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        demand = MediaDemand(True, "192.0.2.1", 0)
        self.media = CallMedia(demand, self.commands, itertools.count(1).__next__, 1, bytes)
        self.line = MediaStream(1, 4000, 4001)
        self.line.configured = True
        self.media.lines = [self.line]
        loop = asyncio.get_running_loop()
        self.flushes: list[int] = []
        flush = lambda: self.flushes.append(len(self.commands))  # noqa: E731
        self.requests = MediaRequests(self.media, lambda: MediaRequest(loop=loop), flush, loop)

    def number(self) -> int:
        """Of the newest request."""
        (*_, last) = [each for each in self.commands if isinstance(each, SetSource | SetSink)]
        return last.request_id

    def names(self) -> list[str]:
        return [type(each).__name__ for each in self.commands]


def scenario(of: Callable[[Call], Awaitable[None]]) -> None:
    run(lambda: of(Call()))


@pytest.mark.parametrize("source", [FILE, ("callback",), ("file", "a.wav", 3)])
def test_what_the_peer_lets_nobody_hear_is_given_up_after_a_hold_without_a_break(source: SourceSpec) -> None:
    async def held(call: Call) -> None:
        loop = asyncio.get_running_loop()
        request = call.requests.play(source, "")
        for _ in range(3):  # shorter holds, with a break between them
            call.line.may_send = False
            await asyncio.sleep(HELD_TIME - 2 * LOOK)
            call.line.may_send = True
            await asyncio.sleep(2 * LOOK)
        assert not request.done()
        call.line.may_send = False
        began = loop.time()
        with pytest.raises(MediaError, match="held: the peer lets us send nothing for 30 s"):
            await request
        assert HELD_TIME - LOOK <= loop.time() - began <= HELD_TIME + LOOK
        assert call.names() == ["SetSource", "StopSource"]
        assert call.flushes[-1] == 2

    scenario(held)


@pytest.mark.parametrize("source", [("tone", 440.0), ("silence",), ("file", "a.wav", -1), ("echo", 0), ("none",)])
def test_what_has_no_end_waits_as_long_as_it_is_asked_to(source: SourceSpec) -> None:
    async def held(call: Call) -> None:
        call.line.may_send = False
        request = call.requests.play(source, "5")
        await asyncio.sleep(10 * HELD_TIME)
        assert not request.done()
        assert not call.requests.digit("6")
        assert call.requests.digit("5")
        assert await request == "5"
        assert not call.requests.digit("5")

    scenario(held)


def test_each_end_settles_a_play_once_and_late_news_of_it_change_nothing() -> None:
    async def ends(call: Call) -> None:
        first = call.requests.play(FILE, "")
        number = call.number()
        call.requests.done(number)
        assert not first.done(), "it is sent, and not over"
        second = call.requests.play(FILE, "")
        assert await first == ""
        assert not call.requests.ended(number)
        assert not call.requests.failed(number, "no_file: x")
        assert not second.done()
        assert call.requests.ended(call.number())
        assert await second == ""
        call.requests.stop()
        assert call.names() == ["SetSource", "SetSource"], "nothing is played that could be stopped"

    scenario(ends)


@pytest.mark.parametrize("waits", [True, False])
def test_an_error_is_told_to_who_waits_and_whether_somebody_does_is_known(waits: bool) -> None:
    async def fails(call: Call) -> None:
        asks: tuple[Callable[[], MediaRequest], ...] = (
            lambda: call.requests.play(FILE, ""),
            lambda: call.requests.record(("file", "/none/x")),
            lambda: call.requests.start(FILE, ("none",), under=False),
        )
        for ask in asks:
            request = ask()
            number = call.number()
            waiting = asyncio.ensure_future(request) if waits else None
            waiter = asyncio.create_task(asyncio.wait((request,))) if waits else None
            await asyncio.sleep(0)
            assert call.requests.waits(number)
            assert call.requests.failed(number, "no_file: x") == waits
            assert waiting is None or waiting is request
            with pytest.raises(MediaError, match="no_file: x"):
                await request
            if waiter is not None:
                await waiter
            assert not call.requests.waits(number)

    scenario(fails)


def test_a_handler_runs_when_its_source_and_its_output_are_there() -> None:
    async def runs(call: Call) -> None:
        request = call.requests.start(FILE, ("file", "x.wav"), under=True)
        sink, source = call.commands
        assert isinstance(sink, SetSink)
        assert isinstance(source, SetSource)
        assert source.layer == "under"
        call.requests.done(source.request_id)
        assert not request.done()
        call.requests.done(sink.request_id)
        assert await request == ""

    scenario(runs)


def test_requests_wait_for_a_line_that_is_not_configured_yet() -> None:
    async def early(call: Call) -> None:
        call.line.configured = False
        call.requests.play(FILE, "")
        call.requests.record(("file", "x.wav"))
        assert call.commands == []
        assert [type(each) for each in call.media._requested(1)] == [SetSink, SetSource]
        call.requests.stop()
        assert [type(each) for each in call.media._requested(1)] == [SetSink]

    scenario(early)


def test_a_play_whose_wait_is_cancelled_stops() -> None:
    async def cancelled(call: Call) -> None:
        request = call.requests.play(FILE, "")
        request.cancel()
        await asyncio.sleep(0)
        assert isinstance(call.commands[-1], StopSource)
        await asyncio.sleep(2 * HELD_TIME)  # no timer is left that would fail

    scenario(cancelled)
