"""The elements of a scenario file, and what of its markup was wrong and how it was taken.

The text of elements and attributes is `str` with one character for each octet of the file (Latin-1), so that what is in
the file is what is sent. `shown` decodes it for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Toleration:
    """One mistake of a file that does not keep it from being run."""

    line: int
    """Line of the file, from 1."""
    found: str
    """What is in the file."""
    taken: str
    """What it is taken as."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element."""

    name: str
    """Its name, as it is written."""
    line: int
    """Line of its `<`, from 1."""
    attributes: Mapping[str, str]
    """Values by name, decoded. Of two with one name the first."""
    children: tuple["Element", ...]
    """The elements in it, in the order of the file."""
    text: str | None
    """Its first CDATA section as it stands, line ends as LF; None = it has none."""
    text_line: int
    """Line on which that section begins; that of the element without one."""


@dataclass(frozen=True, slots=True)
class Document:
    """One scenario file."""

    file: str
    """Its path as the user wrote it."""
    root: Element
    """The `scenario` element."""
    tolerations: tuple[Toleration, ...]
    """What was wrong with the markup, in the order of the file."""


def shown(text: str) -> str:
    """Return text of a file as people should see it: as UTF-8 where it is, else as Latin-1."""
    octets = text.encode("latin-1", "replace")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return text
