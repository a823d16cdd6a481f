"""The names that a file gives to variables, counters and response times, and where each is used."""

import re
from typing import Final

from .attributes import Attributes
from .findings import Findings
from .markup import excerpt

MOST_NAMES: Final = 32
"""Counters of a file, and response times: each is a label of metrics."""
RESERVED: Final = "_unexp."
"""Variables that SIPp uses itself begin with it."""
_COUNTED: Final = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
"""What may be a name of a counter or a response time: 1 to 64 characters of ASCII."""


class Names:
    """The names of one file."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.global_variables: set[str] = set()
        """One value for all calls."""
        self.user_variables: set[str] = set()
        """One value for each user."""
        self._referred: dict[str, int] = {}
        """The line of the first `Reference` to each variable."""
        self.counters: dict[str, None] = {}
        """In the order of the file."""
        self.response_times: dict[str, None] = {}
        """In the order of the file."""

    def refer(self, names: tuple[str, ...], line: int) -> None:
        """Note a `Reference`."""
        for name in names:
            self._referred.setdefault(name, line)

    def response_time(self, attributes: Attributes, name: str) -> str:
        """Return the name of a response time; empty = none. `true` is the first one."""
        value = attributes.text(name)
        if value == "false":
            return ""
        return self._counted(attributes, "1" if value == "true" else value, self.response_times, name)

    def counter(self, attributes: Attributes) -> str:
        """Return the name of the counter of a command; empty = none."""
        return self._counted(attributes, attributes.text("counter"), self.counters, "counter")

    def _counted(self, attributes: Attributes, value: str, known: dict[str, None], name: str) -> str:
        if not value:
            return ""
        if not _COUNTED.fullmatch(value):
            attributes.fault(f'{name}="{excerpt(value)}" is no name; write up to 64 characters of ASCII')
        elif value not in known and len(known) >= MOST_NAMES:
            attributes.fault(f"{name} has more than {MOST_NAMES} names in this file; use fewer")
        else:
            known.setdefault(value)
        return value

    @property
    def call_variables(self) -> frozenset[str]:
        """The variables of which each call has its own value."""
        return frozenset(self._findings.variables) - self.global_variables - self.user_variables

    def check(self) -> None:
        """Note variables that are used in one place only, when all commands were read."""
        for name, lines in self._findings.variables.items():
            shared = name in self.global_variables or name in self.user_variables or name in self._referred
            if len(lines) == 1 and not shared and not name.startswith(RESERVED):
                self._findings.tolerate(lines[0], f"variable {excerpt(name)} that is used once only", "a variable")
        for name, line in self._referred.items():
            if name not in self._findings.variables:
                self._findings.tolerate(line, f"Reference to {excerpt(name)}, which is not used", "nothing")
