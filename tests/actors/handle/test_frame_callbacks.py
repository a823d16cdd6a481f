"""Frame callbacks in every form that the documents name, checked when they are given."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.media_handlers import MediaHandler, echo, send_recv
from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import ConfigureStream, FramesWanted, OpenStream

FRAME = (b"x", 1, 160, 0, 8)
OWN = object()
Got = list[tuple[Any, ...]]


class Object:
    """One with run()."""

    def __init__(self, got: Got) -> None:
        self.got = got

    def run(self, *arguments: Any) -> None:
        self.got.append(arguments)


def forms(got: Got) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """A callback of each form, and what it is to be called with; the first two arguments are those of a reader too."""

    def two(first: Any, second: Any) -> None:
        got.append((first, second))

    def none() -> None:
        got.append(())

    def more(first: Any, second: Any = 7, *rest: Any, key: int = 3) -> None:
        got.append((first, second, *rest))

    return {
        "any number": (lambda *all_: got.append(all_), FRAME),
        "two": (two, FRAME[:2]),
        "none": (none, ()),
        "one": (lambda first: got.append((first,)), FRAME[:1]),
        "defaults": (more, FRAME),
        "list.append": ([].append, None),  # type: ignore[dict-item]  # a built-in function: it is called
        "object": (Object(got), FRAME),
        "partial": (partial(two, OWN), (OWN, FRAME[0])),
        "pair": ((lambda *all_: got.append(all_), OWN), (OWN, *FRAME)),
        "pair that takes less": ((two, OWN), (OWN, FRAME[0])),
        "list": ([Object(got), OWN, 2], (OWN, 2, *FRAME)),
        "nested": (((lambda *all_: got.append(all_), OWN), 2), (OWN, 2, *FRAME)),
    }


@pytest.mark.parametrize("form", forms([]))
def test_frames_are_written_to_a_callback_of_any_form(form: str) -> None:
    got: Got = []
    callback, expected = forms(got)[form]
    handler = echo(output=callback)
    assert handler.sink == ("callback",)
    assert handler.write is not None
    handler.write(*FRAME)
    if expected is not None:
        assert got == [expected]


@pytest.mark.parametrize("form", forms([]))
def test_frames_are_read_from_a_callback_of_any_form(form: str) -> None:
    got: Got = []
    callback, expected = forms(got)[form]
    handler = send_recv(callback)
    assert handler.source == ("callback",)
    assert handler.read is not None
    handler.read(*FRAME[:2])
    if expected is not None:
        assert got == [tuple(each for each in expected if each not in FRAME[2:] or each in (OWN, 2))]


async def later(*frame: Any) -> None:
    """A coroutine function."""


REFUSED: dict[str, Any] = {
    "coroutine function": later,
    "pair of one": (later, 1),
    "asyncio.sleep": asyncio.sleep,
    "number": 7,
    "event": asyncio.Event(),
    "empty": (),
    "pair of a number": (7, 7),
    "keyword": lambda *, key: None,
    "six": lambda a, b, c, d, e, f: None,
}


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize(
    "give",
    [
        lambda each: echo(output=each),
        lambda each: send_recv(each),
        lambda each: send_recv("a.wav", output=each),
        lambda each: MediaHandler(read=each),
    ],
    ids=["echo", "send_recv", "output", "handler"],
)
def test_what_is_no_frame_callback_is_refused_when_it_is_given(give: Callable[[Any], object], form: str) -> None:
    with pytest.raises(ConfigurationError):
        give(REFUSED[form])


@pytest.mark.parametrize(("ahead", "wanted"), [(0.1, 5), (0.06, 3), (0.02, 1), (0.0, 1), (0, 1)])
def test_frames_are_asked_for_as_far_ahead_as_chosen(ahead: float, wanted: int) -> None:
    engine = MediaEngine()
    try:
        engine.handle(1, OpenStream(1, "127.0.0.1"), 0.0)
        source = send_recv(lambda number, channel: None, ahead=ahead).source
        engine.handle(1, ConfigureStream(1, remote_address="127.0.0.1", remote_port=9, source=source), 0.0)
        (asked,) = [event for _, event in engine.drain() if isinstance(event, FramesWanted)]
        assert asked.wanted == wanted
    finally:
        engine.close()


@pytest.mark.parametrize("ahead", [-0.1, 0.2, float("nan"), float("inf")])
def test_no_other_time_ahead_is_taken(ahead: float) -> None:
    with pytest.raises(ConfigurationError, match="ahead"):
        send_recv(lambda number, channel: None, ahead=ahead)
