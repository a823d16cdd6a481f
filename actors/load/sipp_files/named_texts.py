"""The files that `[file name=…]` puts into messages: read once, before the first call."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from ...errors import ConfigurationError
from ...host.named_files import read_octets

MOST_OCTETS: Final = 1 << 20
"""Of one file; a message over UDP holds less than a tenth of it."""


@final
class NamedTexts:
    """The files of one scenario file.

    Args:
        scenario: path of the scenario file; names are looked for beside it first, then in the current folder.
        names: as the scenario file has them.

    Raises:
        ConfigurationError: one cannot be read, or is too long.
    """

    __slots__ = ("_texts",)

    def __init__(self, scenario: str, names: Iterable[str]) -> None:
        self._texts = {name: _read(Path(scenario).parent, name) for name in names}

    def text(self, name: str) -> str:
        """Return a file, a character for each octet.

        Raises:
            ValueError: it was not read before, because its name is not the one of the scenario file.
        """
        found = self._texts.get(name)
        if found is None:
            raise ValueError("it was not named when the run began")
        return found


def _read(folder: Path, name: str) -> str:
    beside = folder / name
    path = beside if beside.is_file() else Path(name)
    if not path.is_file():
        raise ConfigurationError(f"[file name={name}]: there is no such file; give it beside the scenario file")
    return read_octets(path, "a file for [file name=…]", MOST_OCTETS, again=True).decode("latin-1")
