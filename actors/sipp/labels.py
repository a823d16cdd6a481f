"""The labels of a file, and which command jumps to which."""

from typing import Final

from .attributes import Attributes
from .findings import Findings
from .language import COMMANDS
from .markup import Element, excerpt

UNEXPECTED: Final = "_unexp.main"
"""The label at which a call goes on after an unexpected message: nothing needs to jump to it."""


class Labels:
    """The labels of a file, or of its `init`.

    Args:
        parent: the element whose commands they stand between.
    """

    def __init__(self, parent: Element, findings: Findings) -> None:
        self._findings = findings
        self.places: dict[str, int] = {}
        """Numbers of steps by labels."""
        self._lines: dict[str, int] = {}
        """The line of each label."""
        self._targets: set[str] = set()
        """Labels that a command jumps to."""
        index = 0  # a command may jump to a label that stands below it, so all are numbered first
        for element in parent.children:
            if element.name == "label":
                name = element.attributes.get("id", "")
                if name in self.places:
                    findings.fault(element.line, f"label {excerpt(name)} stands twice; give each a name of its own")
                self.places.setdefault(name, index)
                self._lines.setdefault(name, element.line)
            elif element.name in COMMANDS:
                index += 1

    def place_of(self, attributes: Attributes, name: str) -> int | None:
        """Return the step that an attribute names by its label; None = the attribute is absent."""
        if name not in attributes:
            return None
        label = attributes.text(name)
        self._targets.add(label)
        if label not in self.places:
            attributes.fault(f'{name}="{excerpt(label)}": there is no such label; write <label id="{excerpt(label)}"/>')
        return self.places.get(label)

    def check(self) -> None:
        """Note labels that nothing jumps to, when all commands were read."""
        for name, line in self._lines.items():
            if name not in self._targets and name != UNEXPECTED:
                self._findings.tolerate(line, f"label {excerpt(name)} that nothing jumps to", "a label")
