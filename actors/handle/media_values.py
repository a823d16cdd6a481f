"""Sources and sinks as users give them: plain values that a media worker accepts, checked when they are given.

An impossible value is refused here, so that a running call gets no such refusal from its media worker. Files are not
opened here: the media worker finds out whether they can be played or written.
"""

from math import inf
from typing import Any, Final

from sipswarm.media.messages import SinkSpec, SourceSpec

from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from .file_names import file_name

AHEAD: Final = 0.1
"""Seconds that frames of a callback are requested ahead at most."""
MOST: Final = 2**31 - 1
"""The largest count of rounds or packets."""
HIGHEST_TONE: Final = 24_000
"""Hz; half the sample rate of the fastest codec."""
_FORMS: Final = (
    '("none",), ("silence",), ("tone", Hz), ("file", name, rounds), ("echo", packets), ("callback",) and'
    ' ("callback", seconds)'
)


def checked_source(given: Any) -> SourceSpec:
    """Return a source as plain values.

    Raises:
        ConfigurationError: there is no such source, or one of its values is not valid.
    """
    match given:
        case ("none",) | ("silence",) | ("callback",):
            return (given[0],)
        case ("tone", hz):
            return "tone", checked_tone(hz)
        case ("file", name, rounds):
            return "file", file_name(name), checked_count("repeat", rounds)
        case ("echo", delay):
            return "echo", checked_count("delay", delay)
        case ("callback", ahead) if _is_number(ahead) and 0 <= ahead <= AHEAD:
            return "callback", float(ahead)
    raise ConfigurationError(f"source {said(given)}: there are names of files, {_FORMS}")


def checked_sink(given: Any) -> SinkSpec:
    """Return a sink as plain values.

    Raises:
        ConfigurationError: there is no such sink, or no file can have its name.
    """
    match given:
        case ("none",) | ("callback",):
            return (given[0],)
        case ("file", name):
            return "file", file_name(name)
        case ("file", name, "heard" | "stereo" | "mixed" as sides):
            return "file", file_name(name), sides
    raise ConfigurationError(f'sink {said(given)}: there are ("none",), ("file", name) and ("callback",)')


def checked_tone(hz: Any) -> float:
    """Return a frequency in Hz.

    Raises:
        ConfigurationError: no stream can send it.
    """
    if not _is_number(hz) or not 1 <= hz < HIGHEST_TONE:
        raise ConfigurationError(f"tone {said(hz)}: a frequency is a number from 1 to below {HIGHEST_TONE} Hz")
    return float(hz)


def checked_count(what: str, given: Any) -> int:
    """Return a whole number that fits 32 bits.

    Args:
        what: its name for the user.

    Raises:
        ConfigurationError: it is no such number.
    """
    if not isinstance(given, int) or isinstance(given, bool) or not -MOST <= given <= MOST:
        raise ConfigurationError(f"{what} {said(given)} is no whole number of at most {MOST}")
    return given


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < inf
