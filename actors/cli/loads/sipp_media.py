"""The media files that a scenario file of SIPp names: why they cannot be played, found before anything is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...load.sipp_files.call_streams import path_beside
from ...sipp.actions.effects import Ask
from ...sipp.actions.results import PlayCapture, StreamFile
from ...sipp.call.described import STATIC
from ...sipp.program import Program

NO_FILE: Final = "there is no such file; give it beside the scenario file or in this folder"
_USUAL: Final = ("PCMU", 8000)
"""What a file is played as where neither the action nor a static payload type says (RFC 3551 section 6)."""
_INTERVAL: Final = 0.02
"""Seconds of a packet."""


def media_problems(program: Program) -> dict[str, str]:
    """Return what is wrong with the media files that a scenario file names, by their names."""
    found: dict[str, str] = {}
    for use in program.needs.media:
        if not Path(path_beside(program.file, use.name)).is_file():
            found[use.name] = NO_FILE
    for played in _played(program):
        if played.path not in found and (problem := _problem_of(played, path_beside(program.file, played.path))):
            found[played.path] = problem
    return found


def _played(program: Program) -> Iterator[PlayCapture | StreamFile]:
    for step in (*program.init, *program.steps):
        for action in step.compiled:
            if isinstance(action, Ask) and isinstance(action.result, PlayCapture | StreamFile):
                yield action.result


def _problem_of(played: PlayCapture | StreamFile, path: str) -> str:
    """Why a file cannot be played as its action says; empty = it can, as far as its first packet."""
    from sipswarm.media.audio.formats import payload_octets
    from sipswarm.media.captures import CaptureFiles
    from sipswarm.media.sources import FileFrames, Format, SourceError

    try:
        if isinstance(played, PlayCapture):
            CaptureFiles().source(path)
        else:
            name, clock = _format_of(played)
            step = round(clock * _INTERVAL)
            FileFrames(most=0).frames(path, Format(name, clock, payload_octets(name, step), step))
    except SourceError as error:
        return error.detail
    return ""


def _format_of(played: StreamFile) -> tuple[str, int]:
    """Encoding name and clock rate that `rtp_stream` names."""
    name, _, rate = played.codec.partition("/")
    if not name:
        return STATIC.get(played.payload_type, _USUAL)
    return name, int(rate) if rate.isascii() and rate.isdigit() and 0 < len(rate) < 7 and int(rate) else 8000
