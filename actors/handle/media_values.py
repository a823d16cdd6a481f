"""Media as users name it: sources and sinks as plain values that a media worker accepts, codecs, and encryption.

An impossible value is refused here, so that a running call gets no such refusal from its media worker. Files are not
opened here: the media worker finds out whether they can be played or written.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from math import inf
from typing import Any, Final

from sipswarm.media.messages import SinkSpec, SourceSpec
from sipswarm.sipcore.sdp.media_attributes import TELEPHONE_EVENT, Codec
from sipswarm.sipcore.sdp.offer_answer import DEFAULT_CODECS, EVENTS, codec_for

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
BY_NAME: Final[Mapping[str, Codec]] = {
    "pcmu": codec_for(0),
    "pcma": codec_for(8),
    "g722": codec_for(9),
    "l16": codec_for(96, "L16/8000"),
    "opus": codec_for(97, "opus/48000/2"),
}
"""The codecs that have a name of their own; numbers as in RFC 3551, the others dynamic."""
EVENTS_AT: Final = {8000: EVENTS, 48000: EVENTS._replace(payload_type=102, clock_rate=48000)}
"""Telephone-event by the clock of the audio beside it (RFC 4733 section 2.1)."""
_SAMPLE_RATES: Final = {"G722": 16_000}
"""Samples a second of codecs where that is not the RTP clock (RFC 3551 section 4.5.2)."""
SRTP_MODES: Final = ("off", "optional", "required")


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


def check_source(source: SourceSpec, codecs: Iterable[Codec]) -> None:
    """Check that every codec of a call can carry its source, because a re-INVITE may choose any of them.

    Raises:
        ConfigurationError: a tone at or above half the sample rate of one, where a tone has no samples but zeros.
    """
    if source[:1] != ("tone",):
        return
    hz = checked_tone(source[1])
    for codec in codecs:
        rate = _SAMPLE_RATES.get(codec.name.upper(), codec.clock_rate)
        if codec.name and codec.name.lower() != TELEPHONE_EVENT and round(hz) * 2 >= rate:
            raise ConfigurationError(
                f"a tone of {hz:g} Hz does not fit {codec.name}, which carries tones below {rate / 2:g} Hz; choose a"
                " lower tone, or codecs that can carry it"
            )


def named_codecs(names: Sequence[str]) -> tuple[Codec, ...]:
    """Return the codecs of these names in their order, with telephone-event on the clock of each.

    Args:
        names: keys of `BY_NAME`; none = the default codecs.

    Raises:
        ConfigurationError: a name that does not exist, or comes twice.
    """
    if not names:
        return DEFAULT_CODECS
    unknown = [name for name in names if name not in BY_NAME]
    if unknown or len(set(names)) < len(names):
        reason = f"{unknown[0]!r} is not known" if unknown else "one is named twice"
        raise ConfigurationError(f"codecs {','.join(names)}: {reason}; there are {', '.join(BY_NAME)}")
    speech = tuple(BY_NAME[name] for name in names)
    clock_rates = dict.fromkeys(codec.clock_rate for codec in speech)
    return speech + tuple(EVENTS_AT[clock_rate] for clock_rate in clock_rates)


def srtp_mode(text: str) -> str:
    """Return a mode of encrypted media: off, optional or required.

    Raises:
        ConfigurationError: another text, or encryption without the library that it needs.
    """
    if not isinstance(text, str) or text not in SRTP_MODES:
        raise ConfigurationError(f"srtp {said(text)} is not known; write off, optional or required")
    if text != "off" and find_spec("pylibsrtp") is None:
        raise ConfigurationError(f"srtp {text!r} needs pylibsrtp: pip install 'sipswarm[srtp]'")
    return text


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < inf
