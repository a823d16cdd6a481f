"""Names of files from a user's code, perhaps made from a peer's text, checked before they go to a media worker."""

import os
from pathlib import Path
from typing import Final

from ..diagnosis.foreign_text import said, shown
from ..errors import ConfigurationError

LONGEST_PATH: Final = 4095
"""Octets of a path (Linux PATH_MAX, without its NUL)."""
LONGEST_NAME: Final = 255
"""Octets of each part of it (Linux NAME_MAX)."""
_SHOWN: Final = 100


def file_name(name: str | Path) -> str:
    """Return the name of a file as text; octets of a peer that are no UTF-8 stay as they are.

    Raises:
        ConfigurationError: no file can have this name, or it is neither a text nor a path.
    """
    text = os.fspath(name) if isinstance(name, str | os.PathLike) else name
    if not isinstance(text, str):
        raise ConfigurationError(f"{said(name)} is no name of a file; give a text or a pathlib.Path")
    try:
        octets = os.fsencode(text)
    except UnicodeEncodeError as error:
        raise _refusal(text, "has a character that no file name can have") from error
    if not octets:
        raise _refusal(text, "is empty")
    if b"\0" in octets:
        raise _refusal(text, "has a NUL")
    if len(octets) > LONGEST_PATH or max(map(len, octets.split(b"/"))) > LONGEST_NAME:
        raise _refusal(text, f"is longer than {LONGEST_NAME} octets, or {LONGEST_PATH} with its folders")
    return text


def _refusal(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{shown(text, _SHOWN)!r} {why}; give another name of a file")
