"""A load test in words: the plan and the expectations, so that two reports can be compared. Pure."""

from collections.abc import Iterator
from typing import Final

from ..config import CALL_METHOD, LoadConfig

HIDDEN: Final = "*"
"""Stands for each digit that is sent or expected: it may be part of a PIN."""


NOUNS: Final = {
    CALL_METHOD: "calls",
    "options": "requests",
    "message": "requests",
    "register": "registrations",
    "subscribe": "subscriptions",
}
"""What the arrivals of a load without a scenario are, by its method."""
LASTING: Final = ("register", "subscribe")
"""Methods whose arrivals last until they are removed."""


def arrivals_of(load: LoadConfig) -> str:
    """Return what the arrivals of a load are: calls, runs of a scenario, requests."""
    return "runs" if load.scenario else NOUNS[load.method]


def rows_of(load: LoadConfig) -> str:
    """Return what the rows of a load are: as its arrivals, but the calls of a scenario."""
    return "calls" if load.scenario else NOUNS[load.method]


def has_media(arrivals: str) -> bool:
    """Return whether arrivals of this name, as `arrivals_of`, can have media."""
    return arrivals in ("calls", "runs")


def delay_of(name: str, arrivals: str) -> str:
    """Return the words for a delay of a summary.

    Args:
        name: its key there.
        arrivals: what the arrivals are, as `arrivals_of`.
    """
    words = name.replace("_", " ")
    if has_media(arrivals):
        return words
    return {"post_dial": "final response", "answer": "2xx", "disconnect": "removal"}.get(name, words)


def description_of(load: LoadConfig) -> dict[str, str]:
    """Return name and value of every setting of a load by which two runs may differ."""
    return {name: value for name, value in _parts(load) if value}


def _parts(load: LoadConfig) -> Iterator[tuple[str, str]]:
    arrivals = arrivals_of(load)
    is_call = load.method == CALL_METHOD
    segments = ", then ".join(_segment(*each, arrivals) for each in load.profile)
    yield "method", "" if is_call else load.method.upper()
    yield "rate", segments or f"{load.rate:g} {arrivals}/s"
    yield "arrival", load.arrival
    yield arrivals, str(load.calls or "")
    yield "duration", _seconds(load.duration)
    yield "most at a time", str(load.max_concurrent or "")
    yield "part of the test", f"{load.shard + 1} of {load.shards}" if load.shards > 1 else ""
    yield "scenario", load.scenario
    yield "other side", load.sipp_load.second_file
    yield "data", load.data
    if not load.scenario and is_call:
        yield "hold", f"{load.hold:g} s"
        yield "digits", _digits(load.dtmf)
    if is_call:
        yield "media", load.media
        yield "ring time", _seconds(load.ring_time)
    else:
        yield from _of_requests(load)
    yield "expected", ", ".join(_expectations(load))


def _of_requests(load: LoadConfig) -> Iterator[tuple[str, str]]:
    if load.method == "message":
        yield "body", f"{len(load.body)} characters of {load.content_type}" if load.body else "of the data"
    if load.method in LASTING:
        yield "event", load.event
        yield "expires", f"{load.expires} s"
        yield "hold", _seconds(load.hold) or "until the end of the plan"
    else:
        yield "timeout", _seconds(load.timeout)


def _segment(start: float, end: float, seconds: float, arrivals: str) -> str:
    rate = f"{start:g} {arrivals}/s" if start == end else f"{start:g} to {end:g} {arrivals}/s"
    return f"{rate} for {seconds:g} s" if seconds else rate


def _expectations(load: LoadConfig) -> Iterator[str]:
    answer = "an answer" if load.method == CALL_METHOD else "2xx"
    yield f"status {load.expect_code}" if load.expect_code else answer
    if load.expect_media:
        yield "media in both directions"
    if load.expect_audio:
        yield "audible audio"
    if load.expect_mos:
        yield f"MOS {load.expect_mos:g}"
    if load.expect_dtmf:
        yield "the digits that were sent" if load.expect_dtmf == "=" else f"digits {_digits(load.expect_dtmf)}"


def _digits(digits: str) -> str:
    return "".join(each if each == "?" else HIDDEN for each in digits)


def _seconds(value: float) -> str:
    return f"{value:g} s" if value else ""
