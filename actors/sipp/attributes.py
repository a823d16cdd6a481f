"""The attributes of an element as values: each value that cannot be taken is a fault with its line."""

import math
import re
from collections.abc import Collection
from typing import Final

from .findings import Findings
from .language import NEWER
from .markup import Element, excerpt

_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,9}")
LONGEST_NAME: Final = 30
"""Characters of an unknown name that is compared with the known ones."""
FAR: Final = 2
"""Letters by which a name may differ from the one that was meant; a third of it at most."""
_TRUE: Final = "true"
_FALSE: Final = "false"


def _meant(name: str, known: Collection[str]) -> str:
    """What an unknown name is taken as, and the known name that it may have been meant for."""
    near = min((distance(name, each), each) for each in known) if known and len(name) <= LONGEST_NAME else (FAR + 1, "")
    return f"nothing; did you mean {near[1]}?" if near[0] <= min(FAR, len(name) // 3) else "nothing"


def distance(one: str, other: str) -> int:
    """How many letters must be put in, left out or replaced to make one name of another (Levenshtein)."""
    row = list(range(len(other) + 1))
    for above, letter in enumerate(one, 1):
        before, row[0] = row[0], above
        for at, its in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != its))
    return row[-1]


class Attributes:
    """The attributes of one element.

    Args:
        known: names that its element may have; another one is told and ignored.
    """

    def __init__(self, element: Element, findings: Findings, known: Collection[str] | None = None) -> None:
        self.element = element
        self._findings = findings
        for name in element.attributes:
            if known is not None and name in NEWER:
                self.fault(f"attribute {name} of <{element.name}> is not supported yet")
            elif known is not None and name not in known:
                findings.tolerate(element.line, f"attribute {excerpt(name)} of <{element.name}>", _meant(name, known))

    def __contains__(self, name: str) -> bool:
        return name in self.element.attributes

    def text(self, name: str) -> str:
        """Return a value as it is written; empty = it is absent."""
        return self.element.attributes.get(name, "")

    def needed(self, name: str) -> str:
        """Return a value that must be there and not empty."""
        value = self.text(name)
        if not value:
            self.fault(f'<{self.element.name}> has no {name}; write {name}="…"')
        return value

    def integer(self, name: str) -> int:
        """Return a whole number; 0 = it is absent or empty, as for SIPp."""
        value = self.text(name)
        if not value or _INTEGER.fullmatch(value):
            return int(value or "0")
        self._wrong(name, "a whole number")
        return 0

    def number(self, name: str) -> float:
        """Return a number that must be there; 0 = it is empty, as for SIPp."""
        value = self.text(name) if name in self else self.needed(name)
        try:
            found = float(value or "0") if "_" not in value else math.nan
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            self._wrong(name, "a number")
            return 0.0
        return found

    def milliseconds(self, name: str) -> float:
        """Return a time in seconds that is written in whole milliseconds; 0 = it is absent."""
        found = self.integer(name)
        if found < 0:
            self._wrong(name, "a number of milliseconds")
        return max(0, found) / 1000

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return whether a value is `true` or a number other than 0; an empty one is neither."""
        value = self.text(name)
        if not value:
            return default and name not in self
        if value.lower() in {_TRUE, _FALSE}:
            return value.lower() == _TRUE
        if _INTEGER.fullmatch(value):
            return int(value) != 0
        self._wrong(name, "true or false")
        return default

    def names(self, name: str) -> tuple[str, ...]:
        """Return names that are separated by commas; at least one must be there."""
        return tuple(each.strip() for each in self.needed(name).split(",") if each.strip())

    def fault(self, text: str) -> None:
        """Note a fault of the element."""
        self._findings.fault(self.element.line, text)

    def tolerate(self, found: str, taken: str) -> None:
        """Note a mistake of the element that does not keep the file from being run, and what it is taken as."""
        self._findings.tolerate(self.element.line, found, taken)

    def _wrong(self, name: str, wanted: str) -> None:
        self.fault(f'{name}="{excerpt(self.text(name))}" of <{self.element.name}> is not {wanted}; write {wanted}')
