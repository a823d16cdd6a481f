"""The table of docs/media.md, "What a call sends, and when that ends": each row is started, each column done to it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import sipswarm
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import MediaError
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import address_of, run
from tests.e2e.waiting import again_after_a_stop, pass_time, until

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "media.md"
SILENCE, OVER = 0xFF, 0xEE
LONG, SHORT = 100, 15
"""frames of the files"""


def table() -> dict[tuple[str, str], str]:
    """The cells of the guide's table, by row and column."""
    text = GUIDE.read_text(encoding="utf-8").partition("## What a call sends")[2]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    head = rows[0]
    body = [row for row in rows[2:] if len(row) == len(head)]
    return {(row[0], column): cell for row in body for column, cell in zip(head[1:], row[1:], strict=True)}


class Heard:
    """What the called side hears: the first octet of each payload."""

    def __init__(self) -> None:
        self.octets: list[int] = []

    def __call__(self, payload: bytes, *more: int) -> None:
        self.octets.append(payload[0])

    async def within(self, seconds: float) -> list[int]:
        self.octets.clear()
        await pass_time(seconds)
        return list(self.octets)


class Stage:
    """A call with something that is sent, beside others of the same two user agents."""

    def __init__(self, alice: UserAgent, bob: UserAgent, folder: Path) -> None:
        self.alice, self.bob = alice, bob
        self.long, self.short = folder / "long.raw", folder / "short.raw"
        self.heard = Heard()
        self.done: list[Call] = []
        self.called: list[Call] = []

    async def call(self, name: str, start: str, kind: str, *, keeps: bool = False) -> Call:
        """A call that sends by a row of the table. name: of the called user. keeps: `cb_rtp_done` keeps it."""
        handlers: dict[str, Callable[[], Any]] = {
            "file": lambda: sipswarm.send_recv(str(self.long)),
            "silence": sipswarm.silence,
            "frames": lambda: sipswarm.send_recv(self.reader()),
        }
        param: dict[str, Any] = {"cb_rtp_done": self.done.append} if keeps else {}
        if start == "`media=`":
            param["media"] = f"play:{self.long}" if kind == "file" else "silence"
        elif start.startswith("`init_media=`"):
            param["init_media"] = handlers[kind]()
        else:
            param["media"] = "silence"
        call = await self.alice.invite(address_of(self.bob, name), **param)
        await until(lambda: self.called)
        if start == "`play()`":
            call.play(str(self.long))
        elif start.startswith("`start_media()`"):
            await call.start_media(handlers[kind]())
        await asyncio.sleep(0.3)
        return call

    def reader(self) -> Callable[[int, int], bytes | None]:
        """Frames of a callback, numbered like those of the file; each start of the handler goes on."""
        numbers = iter(range(1, LONG + 1))
        return lambda sequence, channel: next((bytes([number]) * 160 for number in numbers), None)

    async def expect(self, cell: str, kind: str, call: Call) -> None:
        """What the call sends now, in the words of the table."""
        before = max([each for each in self.heard.octets if each <= LONG], default=0)
        octets = await self.heard.within(0.3)
        if cell == "nothing":
            octets = await self.heard.within(0.2)
            assert octets == []
            assert call.is_up
        elif cell == "hung up":
            await until(lambda: not call.is_up, 5)
        elif cell == "the one below" or kind == "silence":
            assert len(octets) > 5
            assert set(octets[-5:]) == {SILENCE}
        else:
            numbers = [each for each in octets if each <= LONG]
            assert len(numbers) > 5, octets
            restarted = any(after < number for number, after in zip([before, *numbers], numbers, strict=False))
            assert restarted == (cell == "starts again" and kind == "file"), (before, octets)


async def play_ends(stage: Stage, call: Call) -> None:
    assert await call.play(str(stage.short)) == ""


async def play_is_stopped(stage: Stage, call: Call) -> None:
    playing = call.play(str(stage.short), repeat=-1)
    await until(lambda: OVER in stage.heard.octets)
    call.stop_playing()
    assert await playing == ""


async def play_fails(stage: Stage, call: Call) -> None:
    with pytest.raises(MediaError):
        await call.play("/none.wav")


async def play_is_cancelled(stage: Stage, call: Call) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await call.play(str(stage.short), repeat=-1)


async def own_end(stage: Stage, call: Call) -> None:
    await pass_time(LONG * 0.02)


async def cleanup(stage: Stage, call: Call) -> None:
    call.rtp_cleanup()
    await asyncio.sleep(0.1)


async def reinvite(stage: Stage, call: Call) -> None:
    await call.reinvite()


async def reinvite_of_the_peer(stage: Stage, call: Call) -> None:
    await stage.called[0].reinvite()


Step = Callable[[Stage, Call], Awaitable[None]]
COLUMNS: dict[str, tuple[tuple[Step, ...], ...]] = {
    "a play over it ends, is stopped or fails": ((play_ends,), (play_is_stopped,), (play_fails,), (play_is_cancelled,)),
    "its own end": ((own_end,),),
    "`rtp_cleanup()`": ((cleanup,), (cleanup, cleanup)),
    "`rtp_cleanup()`, then an INVITE": ((cleanup, reinvite), (cleanup, cleanup, reinvite_of_the_peer)),
    "an INVITE while it runs": ((reinvite,), (reinvite_of_the_peer,)),
    "an INVITE after its end": ((own_end, reinvite), (own_end, reinvite_of_the_peer)),
}
KINDS = {
    "`media=`": ("file", "silence"),
    "`init_media=` without an end": ("silence",),
    "`init_media=` with an end": ("file", "frames"),
    "`start_media()` with an end": ("file", "frames"),
    "`play()`": ("file",),
}
TABLE = table()


def test_the_table_has_the_rows_and_columns_that_are_walked() -> None:
    assert {row for row, _ in TABLE} == set(KINDS)
    assert {column for _, column in TABLE} == set(COLUMNS)


async def walk(stage: Stage, name: str, row: str, column: str, kind: str, steps: tuple[Step, ...]) -> None:
    cell = TABLE[row, column]
    ended = own_end in steps and "INVITE" in column
    call = await stage.call(name, row, kind, keeps=ended)
    for step in steps:
        await step(stage, call)
    if ended:
        assert stage.done == [call], "cb_rtp_done took the place of the hang-up"
    if not (cell == "starts again" and kind == "frames" and ended):  # a callback that has no more begins nothing
        await stage.expect(cell, kind, call)
    await call.bye()


async def kept(stage: Stage, name: str, row: str) -> None:
    call = await stage.call(name, row, "file", keeps=True)
    await own_end(stage, call)
    await stage.expect("nothing", "file", call)
    assert stage.done == [call]
    await call.bye()


@pytest.mark.parametrize("row", KINDS)
@again_after_a_stop
def test_what_is_sent_is_what_the_table_says(row: str, tmp_path: Path) -> None:
    """All columns of a row, each by every way to come to it, in calls beside each other."""
    (tmp_path / "long.raw").write_bytes(b"".join(bytes([number]) * 160 for number in range(1, LONG + 1)))
    (tmp_path / "short.raw").write_bytes(bytes([OVER]) * 160 * SHORT)

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        stages: dict[str, Stage] = {}

        def listens(call: Call, param: object) -> None:
            assert call.invite_request is not None
            stage = stages[str(call.invite_request.uri).partition(":")[2].partition("@")[0]]
            stage.called.append(call)
            sipswarm.echo(output=stage.heard, delay=-1)(call, param)

        bob.listen(init_media=listens)
        walks: dict[str, Awaitable[None]] = {}

        def begin(what: str, walker: Callable[[Stage, str], Awaitable[None]]) -> None:
            name = f"case{len(stages)}"
            stages[name] = Stage(alice, bob, tmp_path)
            walks[what] = walker(stages[name], name)

        for (start, column), cell in TABLE.items():
            for kind in KINDS[row] if start == row and cell != "–" else ():
                for steps in COLUMNS[column]:
                    what = f"{column}, {kind}, {' '.join(each.__name__ for each in steps)}"
                    begin(what, partial(walk, row=row, column=column, kind=kind, steps=steps))
        if row.endswith("with an end"):
            begin("cb_rtp_done", partial(kept, row=row))
        results = await asyncio.gather(*walks.values(), return_exceptions=True)
        failed = {what: result for what, result in zip(walks, results, strict=True) if result is not None}
        assert failed == {}

    run(scenario)
