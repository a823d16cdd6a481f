"""What the reader of a program finds on its way: faults, tolerations, and what the file uses."""

from typing import Final

from .faults import Fault
from .markup import Toleration, shown

COMMANDS: Final = "commands"
KEYWORDS: Final = "keywords"
ACTIONS: Final = "actions"
KEYS: Final = "keys"
FIELDS: Final = "fields"
MEDIA: Final = "media"
FILES: Final = "files"
PROGRAMS: Final = "programs"

MOST: Final = 1000
"""Faults of a file that are kept, and tolerations; a file with more is refused all the same."""


class Findings:
    """Collects what is found in one file."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        """What cannot be run."""
        self.tolerations: list[Toleration] = []
        """Mistakes that do not keep the file from being run."""
        self.uses: dict[str, dict[str, int]] = {}
        """What is used, by kind and name, with the line of the first use."""
        self.variables: dict[str, list[int]] = {}
        """The lines on which each variable is used."""

    def fault(self, line: int, text: str) -> None:
        """Note what cannot be run.

        Args:
            line: of the file, from 1.
            text: what is wrong, and what to write instead.
        """
        if len(self.faults) < MOST:
            self.faults.append(Fault(line, text))

    def tolerate(self, line: int, found: str, taken: str) -> None:
        """Note a mistake, and what it is taken as."""
        if len(self.tolerations) < MOST:
            self.tolerations.append(Toleration(line, found, taken))
        else:
            self.fault(line, f"there are {MOST} mistakes before it; give a scenario file of SIPp")

    def use(self, kind: str, name: str, line: int) -> None:
        """Note that the file uses something.

        Args:
            kind: one of the constants of this module.
        """
        self.uses.setdefault(kind, {}).setdefault(shown(name), line)

    def use_variable(self, name: str, line: int) -> None:
        """Note that the file uses a variable."""
        if not name or "$" in name or "," in name:
            self.fault(line, f"{shown(name)!r} is no name of a variable; write one without $ and comma")
        self.variables.setdefault(name, []).append(line)
