"""The media of a call as its user names it: the man page's `media_recv_echo` and `media_send_recv`, and shorter names.

A handler is a callback for `init_media`: called as (call, param), it starts itself on the call's streams. Files are
read and written by the media worker. Callbacks run in the process of the call, and frames pass between them in batches.
Names, sources, sinks and callbacks are checked when a handler is made; a running call must get no invalid one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Final, Protocol

from sipswarm.media.messages import SinkSpec, SourceSpec

from ..diagnosis.foreign_text import said
from ..errors import ConfigurationError
from ..runtime.callbacks import Callback, answers_later
from .file_names import file_name
from .media_values import AHEAD, checked_sink, checked_source

FrameWriter = Callback
"""Called as (payload, sequence number, timestamp, channel, payload type) for each received frame.

A function, an object with run(), or (function, own arguments …), which come first; a function of fewer arguments gets
the first ones.
"""
FrameReader = Callback
"""Called as (sequence number, channel), in the same forms. A function that requires a third argument gets the octets of
a packet too.

It returns a payload, (payload, payload type, marker, timestamp), or None at the end.
"""
_WRITTEN: Final = 5
_READ: Final = 3


class _Starts(Protocol):
    """The part of a call that a media handler uses."""

    def start_under_plays(self, handler: "MediaHandler") -> None:
        """Run a media handler; a play goes on over it."""


@dataclass(frozen=True, slots=True)
class MediaHandler:
    """A source to be sent and a sink for the received audio."""

    source: SourceSpec = ("silence",)
    sink: SinkSpec = ("none",)
    read: FrameReader | None = None
    """Called for frames, with source ("callback",) or ("callback", seconds ahead)."""
    write: FrameWriter | None = None
    """Called with frames, with sink ("callback",)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", checked_source(self.source))
        object.__setattr__(self, "sink", checked_sink(self.sink))
        object.__setattr__(self, "read", _function("read", self.read, _READ))
        object.__setattr__(self, "write", _function("write", self.write, _WRITTEN))

    def __call__(self, call: "_Starts", param: object) -> None:
        """Start on a call, as `init_media`."""
        call.start_under_plays(self)


def checked_handler(given: object) -> MediaHandler:
    """Return a media handler that a user gave.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(given, MediaHandler):
        raise ConfigurationError(f"handler {said(given)} is no media handler; ua.rtp('send_recv', FILE) makes one")
    return given


def played_source(source: object, repeat: int) -> SourceSpec:
    """Return the source of `Call.play`: a file by its name, or a source.

    Args:
        repeat: rounds of a file.
    """
    return checked_source(("file", source, repeat) if isinstance(source, str | Path) else source)


def _function(what: str, given: Callback, count: int) -> Callable[..., Any] | None:
    """Return a frame callback of any form as a function that takes all arguments.

    Args:
        what: read or write.
        count: of arguments.

    Raises:
        ConfigurationError: it is no callback, it is a coroutine function, or it requires more arguments.
    """
    if given is None:
        return None
    if answers_later(given):
        raise ConfigurationError("frames are read and written at once; give plain functions")
    own: tuple[Any, ...] = ()
    action = given
    while isinstance(action, tuple | list) and action:
        own, action = (*action[1:], *own), action[0]
    action = action if callable(action) else getattr(action, "run", None)
    if not callable(action):
        raise ConfigurationError(
            f"{what}: {said(given)} is no function, no object with run() and no (function, own arguments)"
        )
    takes = _most_arguments(what, action, len(own) + count)
    if count == _READ and takes == len(own) + count and not _requires(action, takes):
        takes -= 1  # an argument with a default is the function's own
    if not own and takes >= count:
        function: Callable[..., Any] = action
        return function
    return lambda *arguments: action(*(*own, *arguments)[:takes])


def _requires(action: Callable[..., Any], count: int) -> bool:
    """Return whether a function cannot be called with fewer arguments by position."""
    try:
        parameters = signature(action).parameters.values()
    except (TypeError, ValueError):  # of a built-in function
        return False
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in kinds and each.default is each.empty for each in parameters) >= count


def _most_arguments(what: str, action: Callable[..., Any], count: int) -> int:
    """Return how many of `count` arguments a function takes by position."""
    try:
        parameters = signature(action).parameters.values()
    except (TypeError, ValueError):  # of a built-in function
        return count
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        positional = count
    else:
        positional = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
    needed = [
        each.name
        for number, each in enumerate(parameters)
        if each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and (number >= count or each.kind is each.KEYWORD_ONLY)
    ]
    if needed:
        raise ConfigurationError(f"{what}: {action!r} gets {count} arguments, and wants {', '.join(needed)} too")
    return min(positional, count)


def _sink_of(output: str | Path | FrameWriter | None) -> tuple[SinkSpec, FrameWriter | None]:
    if output is None:
        return ("none",), None
    if isinstance(output, str | Path):
        return ("file", file_name(output)), None
    return ("callback",), output


def echo(output: str | Path | FrameWriter | None = None, delay: int = 0) -> MediaHandler:
    """Send the received audio back, `delay` packets later; less than 0 only receives (man page `media_recv_echo`).

    Args:
        delay: packets that are held, as Perl does it: with 10 the first is sent back when the 11th comes.
        output: a file (".wav": decoded, any other: payload as received), or a `FrameWriter`.
    """
    sink, write = _sink_of(output)
    return MediaHandler(("echo", delay), sink, None, write)


def send_recv(
    source: str | Path | FrameReader,
    repeat: int = 1,
    output: str | Path | FrameWriter | None = None,
    *,
    ahead: float = AHEAD,
) -> MediaHandler:
    """Send a file or the frames of a callback, and receive (man page `media_send_recv`).

    A smaller `ahead` makes the delay of a bridge through callbacks shorter, and gaps likelier when this process is
    busy; 0 = one packet.

    Args:
        source: an audio file, payload ("raw:FILE", or named so), or a `FrameReader`.
        repeat: how often the file; less than 0 = endless.
        output: as for `echo`.
        ahead: seconds before their packet in which frames are requested, up to 0.1.

    Raises:
        ConfigurationError: the callback, the name of a file or `ahead` is not valid.
    """
    sink, write = _sink_of(output)
    if isinstance(source, str | Path):
        return MediaHandler(("file", file_name(source), repeat), sink, None, write)
    if source is None:
        raise ConfigurationError("source None: give a file, or a function that gives frames")
    if not isinstance(ahead, int | float) or isinstance(ahead, bool) or not 0 <= ahead <= AHEAD:
        raise ConfigurationError(f"ahead {said(ahead)} is not between 0 and {AHEAD} s")
    return MediaHandler(("callback", ahead) if ahead != AHEAD else ("callback",), sink, source, write)


def play(file: str | Path, repeat: int = 1) -> MediaHandler:
    """Play a file `repeat` times, less than 0 = endless; drop the received audio."""
    return send_recv(file, repeat)


SIDES: Final = ("heard", "stereo", "mixed")
"""The audio of a recording: received, or sent too, on a channel of its own or in the same one."""


_OTHER_AUDIO: Final = re.compile(
    r".*\.(3gp|aac|aiff?|amr|ape|au|caf|flac|m4a|mka|mp[234]|og[ag]|opus|snd|spx|w64|wave|webm|wma"
    r"|(pcmu|ulaw|ul|mu|mulaw|g711[au]|pcma|alaw|al|g722|l16|g729a?|g723(\.1)?|gsm|ilbc)(-\d+)?)",
    re.IGNORECASE | re.DOTALL,
)
"""Names that tell a format that no recording has, or a codec: the one of a call may change within it."""


def recording_sink(file: str | Path, sides: str = "heard") -> SinkSpec:
    """Return the sink of a recording.

    Raises:
        ConfigurationError: no file can have that name, or it cannot hold both directions.
    """
    name = file_name(file)
    if not isinstance(sides, str) or sides not in SIDES:
        raise ConfigurationError(f"sides {said(sides)}: there are {', '.join(SIDES)}")
    if sides == "heard":
        if _OTHER_AUDIO.fullmatch(name):
            raise ConfigurationError(
                f"{name}: recordings are .wav files, or the payload as received under a name that tells no format,"
                " such as .raw; give such a name"
            )
        return "file", name
    if not name.lower().endswith(".wav"):
        raise ConfigurationError(f"{name}: both directions are recorded in a .wav file only; give such a name")
    return "file", name, sides


def record(file: str | Path, sides: str = "heard") -> MediaHandler:
    """Record the received audio, send silence.

    Args:
        file: its name, as for `Call.record`.
        sides: as for `Call.record`.
    """
    return MediaHandler(("silence",), recording_sink(file, sides))


def silence() -> MediaHandler:
    """Send silence, drop the received audio."""
    return MediaHandler()


def tone(hz: float = 440.0) -> MediaHandler:
    """Send a tone, drop the received audio.

    Args:
        hz: its frequency.
    """
    return MediaHandler(("tone", hz))


_BY_NAME: dict[str, Callable[..., MediaHandler]] = {
    "recv_echo": echo,
    "send_recv": send_recv,
    "echo": echo,
    "play": play,
    "record": record,
    "silence": silence,
    "tone": tone,
}


def by_name(name: str, *arguments: Any, **options: Any) -> MediaHandler:
    """Return a handler by the man page's name, with or without `media_`.

    Raises:
        ConfigurationError: there is no such handler.
    """
    builder = _BY_NAME.get(name.removeprefix("media_")) if isinstance(name, str) else None
    if builder is None:
        raise ConfigurationError(f"no media handler has the name {said(name)}; there are {', '.join(sorted(_BY_NAME))}")
    return builder(*arguments, **options)
