"""Scenario files on disk, and those that come with the program under SIPp's names."""

import re
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError
from ..host.named_files import read_octets
from .markup import MOST_OCTETS, Document, read

BUILTIN: Final = (
    *("uac", "uac_pcap", "uas", "regexp", "branchc", "branchs", "ooc_default"),
    *("3pcc-C-A", "3pcc-C-B", "3pcc-A", "3pcc-B"),
)
"""The scenarios of `-sn`; `-sd` prints them."""
SUFFIX: Final = ".xml"
"""The usual one of scenario files of SIPp."""
_PYTHON: Final = re.compile(r"\.py(?::\w+)?", re.ASCII)
"""How the name of a Python file ends, and of its function."""
MOST_BLANKS: Final = 1024
"""Octets in which a file without a suffix begins."""
_MARK: Final = "-sn "
"""Before the name of a scenario that comes with the program, where the path of a file may stand."""


def is_named(path: str) -> bool:
    """Whether a scenario is a file of SIPp: its suffix decides, where it has none the first character of the file.

    SIPp looks at no name, so that there are uac.sipp, uac.sf and uac.xml.in.
    """
    suffix = Path(path).suffix
    return not _PYTHON.fullmatch(suffix) if suffix else _begins_as_markup(path)


def _begins_as_markup(path: str) -> bool:
    """Whether the first characters of a file are those of an element; False = it cannot be read."""
    with suppress(OSError, ValueError):
        if Path(path).is_file():
            with open(path, "rb") as file:
                return file.read(MOST_BLANKS).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return False


def read_file(path: str) -> Document:
    """Return the elements of a file, or of a scenario that comes with the program.

    Raises:
        ConfigurationError: it cannot be read.
        ScenarioFileError: its markup cannot be taken.
    """
    if path.startswith(_MARK):
        return read(text_of(path.removeprefix(_MARK).removesuffix(SUFFIX)).encode(), path)
    return read(read_octets(path, "a scenario file of SIPp", MOST_OCTETS, again=True), path)


def text_of(name: str) -> str:
    """Return a scenario that comes with the program, as it is written.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in BUILTIN:
        raise ConfigurationError(f"there is no scenario {name!r}; write one of {', '.join(BUILTIN)}")
    folder = resources.files(__package__).joinpath("builtin")
    return folder.joinpath(f"{name}{SUFFIX}").read_text(encoding="utf-8")


def path_of(name: str) -> str:
    """Return what names a scenario that comes with the program where the path of a file may stand.

    Raises:
        ConfigurationError: there is none of that name.
    """
    text_of(name)
    return f"{_MARK}{name}{SUFFIX}"


def read_builtin(name: str) -> Document:
    """Return the elements of a scenario that comes with the program.

    Raises:
        ConfigurationError: there is none of that name.
    """
    return read(text_of(name).encode(), name)


def label_of(path: str) -> str:
    """Return the name of a file in metrics and rows: its own without folder and suffix."""
    return Path(path).name.removesuffix(SUFFIX).removeprefix(_MARK)
