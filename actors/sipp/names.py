"""The names that a file gives: labels, variables, counters and response times, and where each is used."""

import re
from typing import Final

from .attributes import Attributes
from .findings import Findings
from .language import COMMANDS
from .markup import Element, excerpt

MOST_NAMES: Final = 32
"""Counters of a file, and response times: each is a label of metrics."""
RESERVED: Final = "_unexp."
"""Labels and variables that SIPp uses itself begin with it."""
_COUNTED: Final = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
"""What may be a name of a counter or a response time: 1 to 64 characters of ASCII."""


class Names:
    """The names of one file.

    Args:
        root: the `scenario` element.
    """

    def __init__(self, root: Element, findings: Findings) -> None:
        self._findings = findings
        self.labels: dict[str, int] = {}
        """Numbers of steps by labels."""
        self._lines: dict[str, int] = {}
        """The line of each label."""
        self._targets: set[str] = set()
        """Labels that a command jumps to."""
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
        self._find_labels(root)

    def _find_labels(self, root: Element) -> None:
        """Number the labels of the file by the commands before them: a command may jump to one that stands below."""
        index = 0
        for element in root.children:
            if element.name == "label":
                name = element.attributes.get("id", "")
                if name in self.labels:
                    self._findings.fault(
                        element.line, f"label {excerpt(name)} stands twice; give each a name of its own"
                    )
                self.labels.setdefault(name, index)
                self._lines.setdefault(name, element.line)
            elif element.name in COMMANDS:
                index += 1

    def place_of(self, attributes: Attributes, name: str) -> int | None:
        """Return the step that an attribute names by its label; None = the attribute is absent."""
        if name not in attributes:
            return None
        label = attributes.text(name)
        self._targets.add(label)
        if label not in self.labels:
            attributes.fault(f'{name}="{excerpt(label)}": there is no such label; write <label id="{excerpt(label)}"/>')
        return self.labels.get(label)

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
        """Note names that are used in one place only, at the end of the file."""
        for name, line in self._lines.items():
            if name not in self._targets and not name.startswith(RESERVED):
                self._findings.tolerate(line, f"label {excerpt(name)} that nothing jumps to", "a label")
        for name, lines in self._findings.variables.items():
            shared = name in self.global_variables or name in self.user_variables or name in self._referred
            if len(lines) == 1 and not shared and not name.startswith(RESERVED):
                self._findings.tolerate(lines[0], f"variable {excerpt(name)} that is used once only", "a variable")
        for name, line in self._referred.items():
            if name not in self._findings.variables:
                self._findings.tolerate(line, f"Reference to {excerpt(name)}, which is not used", "nothing")
