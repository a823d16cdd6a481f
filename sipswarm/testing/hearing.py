"""What a call hears, as checks of a test: prompts, tones, silence.

They look at a recording of the call, which they begin where there is none. Each looks at what came since the last one
found its audio, so that a test goes through the prompts of a menu in order. What is not heard is an `AssertionError`
that says what was heard instead.
"""

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.file_names import file_name
from sipswarm.actors.handle.given_text import checked_number, checked_seconds
from sipswarm.media.audio import files, likeness
from sipswarm.media.audio.resampling import Wave

LOOK: Final = 0.25
"""Seconds between two looks at the recording."""
BEHIND: Final = 1.5
"""Seconds by which a recording may be behind the call: it is written once a second."""
LIKENESS: Final = 0.7
"""Share of a prompt that has to be heard."""
_Found = TypeVar("_Found")


class Heard(NamedTuple):
    """A prompt that was heard."""

    share: float
    """How much of it, from 0 to 1; silent parts are left out."""
    at: float
    """Seconds from the start of the recording to that of the prompt; negative when its start came before."""


class _Ear:
    """The recording of one call, and how far it has been searched."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.mark = 0.0
        """Seconds; what came before was found already."""

    def read(self) -> tuple[int, Wave]:
        """Return rate and samples since the mark."""
        try:
            octets = self.file.read_bytes()
        except FileNotFoundError:  # it is named at once, and opened soon
            octets = b""
        rate, audio = likeness.recorded(octets)
        return rate, audio[round(self.mark * rate) :]


_ears: "weakref.WeakKeyDictionary[Call, _Ear]" = weakref.WeakKeyDictionary()


async def heard(call: Call, prompt: str | Path, *, within: float = 10.0, share: float = LIKENESS) -> Heard:
    """Wait until a call has heard a prompt: the audio of a file, whatever codec and level it came in.

    Args:
        call: is up; its own WAV recording is used, or one is begun.
        prompt: an audio file; of a long one the first 30 s count. One that is a tone or noise all through is not told
            from others of its kind.
        within: seconds from now on; it is reported up to 1.5 s later.
        share: how much of it has to come, from 0 to 1, without silent parts.

    Returns:
        How much of it was heard, and when.

    Raises:
        AssertionError: it was not heard in time, or before the end of the call.
        ConfigurationError: the file is no audio, or an argument is not valid.
        MediaError, CallEnded: the call has no media, or was over before.
    """
    checked_number("share", share, 0.01, 1.0)
    path = Path(file_name(prompt))
    wanted: dict[int, Wave] = {}
    most = likeness.Match(0.0, 0.0)

    def look(rate: int, audio: Wave) -> tuple[Heard, float] | None:
        nonlocal most
        if rate not in wanted:
            wanted[rate] = _samples(path, rate)
        found = likeness.match(wanted[rate], audio, rate)
        most = max(most, found)
        if found.share < share:
            return None
        return Heard(found.share, ear.mark + found.at), found.at + len(wanted[rate]) / rate

    await asyncio.to_thread(_samples, path, 8000)  # what is no audio is an error at once
    ear = await _ear_of(call)
    return await _listen(call, ear, within, look, lambda: f"{path.name} was not heard: {most.share:.0%} of it at most")


async def heard_tone(call: Call, hz: float, *, seconds: float = 0.5, within: float = 10.0) -> float:
    """Wait until a call has heard a tone that is nearly all there is to hear.

    Args:
        call: as for `heard`.
        hz: its frequency, within some 10 Hz.
        seconds: for how long at a stretch.
        within: seconds from now on.

    Returns:
        The seconds of it so far.

    Raises:
        AssertionError: it was not heard in time.
        ConfigurationError, MediaError, CallEnded: as for `heard`.
    """
    checked_number("hz", hz, 50, 4000)
    return await _stretch(
        call, seconds, within, partial(_tone, hz), f"a tone of {hz:g} Hz was not heard for {seconds:g} s"
    )


async def heard_silence(call: Call, *, seconds: float = 1.0, within: float = 10.0) -> float:
    """Wait until what a call receives was silent, below -50 dBm0; without any packets nothing is heard, nor silence.

    Args:
        call: as for `heard`.
        seconds: for how long at a stretch.
        within: seconds from now on.

    Returns:
        The seconds of it so far.

    Raises:
        AssertionError: there was no such silence in time.
        ConfigurationError, MediaError, CallEnded: as for `heard`.
    """
    return await _stretch(call, seconds, within, likeness.longest_silence, f"there was no silence of {seconds:g} s")


def _tone(hz: float, audio: Wave, rate: int) -> likeness.Stretch:
    return likeness.longest_tone(audio, rate, hz)


async def _stretch(
    call: Call, seconds: float, within: float, measure: Callable[[Wave, int], likeness.Stretch], text: str
) -> float:
    checked_seconds("seconds", seconds, above=0.0)

    def look(rate: int, audio: Wave) -> tuple[float, float] | None:
        found = measure(audio, rate)
        return found if found.seconds >= seconds else None

    return await _listen(call, await _ear_of(call), within, look, lambda: text)


async def _ear_of(call: Call) -> _Ear:
    """Return the recording of a call; it begins now where there is none."""
    ear = _ears.get(call)
    recordings = [each for each in call.recordings if each.endswith(".wav")]
    if ear is not None and str(ear.file) in recordings[-1:]:
        return ear
    if recordings:
        ear = _Ear(Path(recordings[-1]))
    else:
        folder = tempfile.mkdtemp(prefix="sipswarm-heard-")
        ear = _Ear(Path(folder) / "heard.wav")
        weakref.finalize(ear, shutil.rmtree, folder, ignore_errors=True)
        await call.record(ear.file)
    _ears[call] = ear
    return ear


async def _listen(
    call: Call,
    ear: _Ear,
    within: float,
    look: Callable[[int, Wave], tuple[_Found, float] | None],
    text: Callable[[], str],
) -> _Found:
    """Look at a recording until something is found in it.

    Args:
        look: returns what was found, and the seconds to its end.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + checked_seconds("within", within) + BEHIND
    while True:
        is_last = call.closed or loop.time() > deadline
        rate, audio = await asyncio.to_thread(ear.read)
        found = await asyncio.to_thread(look, rate, audio) if rate and len(audio) else None
        if found is not None:
            ear.mark += max(0.0, found[1])
            return found[0]
        if is_last:
            when = "before the call ended" if call.closed else f"within {within:g} s"
            raise AssertionError(f"{text()} {when}; {_described(rate, audio)}")
        await asyncio.sleep(LOOK)


def _described(rate: int, audio: Wave) -> str:
    if not rate or not len(audio):
        return "no audio was received since"
    return f"{len(audio) / rate:.1f} s of {'silence' if likeness.is_silent(audio) else 'audio'} were received since"


def _samples(path: Path, rate: int) -> Wave:
    try:
        with path.open("rb") as file:
            return likeness.joined(files.audio(file, rate))
    except files.AudioFileError as error:
        raise ConfigurationError(f"prompt {path}: it {error}") from error
    except OSError as error:
        raise ConfigurationError(f"prompt {path}: {error.strerror}") from error
