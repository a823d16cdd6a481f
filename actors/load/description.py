"""A load test in words: the plan and the expectations, so that two reports can be compared. Pure."""

from collections.abc import Iterator
from typing import Final

from ..config import LoadConfig

HIDDEN: Final = "*"
"""Stands for each digit that is sent or expected: it may be part of a PIN."""


def description_of(load: LoadConfig) -> dict[str, str]:
    """Return name and value of every setting of a load by which two runs may differ."""
    return {name: value for name, value in _parts(load) if value}


def _parts(load: LoadConfig) -> Iterator[tuple[str, str]]:
    arrivals = "runs" if load.scenario else "calls"
    segments = ", then ".join(_segment(*each, arrivals) for each in load.profile)
    yield "rate", segments or f"{load.rate:g} {arrivals}/s"
    yield "arrival", load.arrival
    yield arrivals, str(load.calls or "")
    yield "duration", _seconds(load.duration)
    yield "most at a time", str(load.max_concurrent or "")
    yield "part of the test", f"{load.shard + 1} of {load.shards}" if load.shards > 1 else ""
    yield "scenario", load.scenario
    yield "data", load.data
    if not load.scenario:
        yield "hold", f"{load.hold:g} s"
        yield "digits", _digits(load.dtmf)
    yield "media", load.media
    yield "ring time", _seconds(load.ring_time)
    yield "expected", ", ".join(_expectations(load))


def _segment(start: float, end: float, seconds: float, arrivals: str) -> str:
    rate = f"{start:g} {arrivals}/s" if start == end else f"{start:g} to {end:g} {arrivals}/s"
    return f"{rate} for {seconds:g} s" if seconds else rate


def _expectations(load: LoadConfig) -> Iterator[str]:
    yield f"status {load.expect_code}" if load.expect_code else "an answer"
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
