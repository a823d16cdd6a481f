"""Passwords come from files that only their owner may read, never from a command line (RELIABILITY S13)."""

import os
import stat
from pathlib import Path

from ..errors import ConfigurationError
from .terminal import echo

_LONGEST = 4096
"""Characters of a first line, its end included."""


def read_password(file: Path) -> str:
    """Return the first line of a file, without its end.

    A file that every user may read is refused, one that a group may read is warned about (some orchestrators mount
    their secrets so). A pipe has no such permissions, and is read.

    Raises:
        ConfigurationError: it cannot be read, every user may read it, or there is no password in it.
    """
    try:
        with file.open(encoding="utf-8") as opened:
            status = os.fstat(opened.fileno())
            if stat.S_ISREG(status.st_mode):
                _check_mode(file, stat.S_IMODE(status.st_mode))
            password = opened.readline(_LONGEST).rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(
            f"--auth-password-file {file}: {error.strerror}; give a file that you may read"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"--auth-password-file {file}: this is not UTF-8; write the password as text"
        ) from error
    if len(password) >= _LONGEST - 2:
        raise ConfigurationError(f"--auth-password-file {file}: its first line is no password: it has no end")
    if not password:
        raise ConfigurationError(f"--auth-password-file {file}: its first line is empty; write the password in it")
    return password


def _check_mode(file: Path, mode: int) -> None:
    if mode & 0o007:
        raise ConfigurationError(
            f"--auth-password-file {file}: anybody may read it (mode {mode:04o}); chmod 600 {file}"
        )
    if mode & 0o070:
        echo(f"warning: the group of {file} may read it (mode {mode:04o}); chmod 600 {file}", err=True, level="WARNING")
