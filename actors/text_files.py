"""Files that a user names for the program to read whole: with a bound, so that `/dev/zero` and its kin end too."""

from pathlib import Path
from typing import Final

from .errors import ConfigurationError

MOST: Final = 4 << 20
"""Octets of a script, a profile or a configuration"""
MOST_ROWS: Final = 256 << 20
"""Octets of a file of rows"""


def read_octets(path: str | Path, wanted: str, most: int = MOST) -> bytes:
    """The octets of a file, pipes included.

    Args:
        wanted: what kind of file it is to be, for the message: "a CSV file".
        most: octets that it may have.

    Raises:
        ConfigurationError: it cannot be read, or has more.
    """
    try:
        with open(path, "rb") as file:
            octets = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with NUL
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{path}: {reason}; give {wanted}") from error
    if len(octets) > most:
        raise ConfigurationError(f"{path}: it has more than {most >> 20} MiB; give {wanted}")
    return octets
