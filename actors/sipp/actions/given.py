"""What an action is given in the file: the attributes of its element, as variables, numbers and texts."""

from dataclasses import dataclass
from typing import final

from ..attributes import Attributes
from ..keywords import KeywordReader
from ..markup import excerpt
from ..template import Template
from ..variables import Variables


@dataclass(frozen=True, slots=True)
class Operand:
    """A number, or a variable that has one."""

    constant: float
    variable: str
    """Empty = `constant`."""

    def number(self, variables: Variables) -> float:
        """Return the number; 0 when the variable holds none."""
        return variables.number(self.variable) if self.variable else self.constant


@final
class Given:
    """The attributes of one action. What is missing or wrong becomes a fault of the file.

    Args:
        attributes: of its element.
        keywords: reads the texts of the file.
    """

    __slots__ = ("_keywords", "attributes")

    def __init__(self, attributes: Attributes, keywords: KeywordReader) -> None:
        self.attributes = attributes
        self._keywords = keywords

    def has(self, name: str) -> bool:
        """Whether an attribute is there."""
        return name in self.attributes

    def text(self, name: str) -> Template:
        """Return an attribute with keywords; it must be there, and may be empty."""
        if not self.has(name):
            self.attributes.needed(name)
        return self._keywords.text(self.attributes.text(name), self.attributes.element.line)

    def exactly_one(self, *names: str) -> str:
        """Return the one of several attributes that is there; empty = a fault was noted."""
        found = [name for name in names if self.has(name)]
        if len(found) == 1:
            return found[0]
        state = f"has {' and '.join(found)}" if found else f"has none of {', '.join(names)}"
        self.attributes.fault(f"<{self.attributes.element.name}> {state}; write one of them")
        return ""

    def variable(self, name: str) -> str:
        """Return the name of one variable; it must be there."""
        names = self.attributes.names(name)
        if len(names) > 1:
            self.attributes.fault(f"{name} of <{self.attributes.element.name}> has {len(names)} variables; write one")
        return names[0] if names else ""

    def optional_variable(self, name: str) -> str:
        """Return the name of one variable; empty = the attribute is absent."""
        return self.variable(name) if self.has(name) else ""

    def one_of(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        """Return a word of a list; the first one when a fault was noted."""
        text = self.attributes.text(name) if default and not self.has(name) else self.attributes.needed(name)
        if default and not self.has(name):
            return default
        if text in choices:
            return text
        if text:
            self.attributes.fault(f'{name}="{excerpt(text)}" is not known; write one of {", ".join(choices)}')
        return choices[0]

    def checks(self) -> tuple[bool, bool]:
        """Return `check_it` and `check_it_inverse`, of which one may be true."""
        check, inverse = self.attributes.boolean("check_it"), self.attributes.boolean("check_it_inverse")
        if check and inverse:
            self.attributes.fault("check_it and check_it_inverse cannot both hold; drop one of them")
        return check, inverse

    def operand(self, value: str, variable: str) -> Operand:
        """Return the number of one attribute, or the variable that another one names."""
        if self.exactly_one(value, variable) == variable:
            return Operand(0.0, self.variable(variable))
        return Operand(self.attributes.number(value) if self.has(value) else 0.0, "")
