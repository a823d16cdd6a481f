"""A message of a scenario file as parts: text, and keywords that a call fills in.

A `Template` is made once per file, and rendered for each message by `Template.render`. What a keyword stands for comes
from a `Context`, which is the call. Text is `str` with one character for each octet (Latin-1).
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Value:
    """A keyword without parameters, such as `[call_id]`: `Context.text`."""

    name: str
    """The keyword, as SIPp spells it."""
    vanishes: bool = False
    """Whether the line end goes too when it is empty at the beginning of a line: `[routes]`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric keyword, such as `[cseq+1]`: `Context.number` plus the offset."""

    name: str
    """The keyword, as SIPp spells it, without its offset."""
    offset: int


@dataclass(frozen=True, slots=True)
class Branch:
    """`[branch]` and `[branch-N]`: `Context.branch`."""

    offset: int
    """0, or how many commands before this one, as a negative number."""


@dataclass(frozen=True, slots=True)
class Length:
    """`[len]`: number of octets behind the first empty line, plus the offset, right-aligned in five places.

    Only the last one of a message is filled in; any other stays five blanks, as in SIPp.
    """

    offset: int


@dataclass(frozen=True, slots=True)
class LastHeader:
    """`[last_NAME:]`: header of the last received message, `Context.last_header`. Vanishes."""

    name: str
    """Without its colon."""
    value_only: bool
    """`[last_NAME.value]`: without the name and the colon."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`[$NAME]`: `Context.variable`. Vanishes."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`[fieldN file=NAME line=N]`: `Context.field`. Vanishes.

    A value that has `[authentication …]` in it is that keyword there, as in SIPp.
    """

    number: int
    """Of the field, from 0."""
    file: str
    """Name of the injection file; empty = the first one."""
    row: "Template | None"
    """Which row; None = that of the call."""


@dataclass(frozen=True, slots=True)
class File:
    """`[file name=NAME]`: the contents of a file, `Context.file`."""

    name: "Template"


@dataclass(frozen=True, slots=True)
class Fill:
    """`[fill text=TEXT variable=NAME]`: text over and over, cut at a length that a variable has: `Context.length`."""

    text: str
    variable: str


@dataclass(frozen=True, slots=True)
class Authentication:
    """`[authentication …]`: a whole header line, `Context.authentication`. An absent parameter is an empty template."""

    username: "Template"
    password: "Template"
    aka_k: "Template"
    aka_op: "Template"
    aka_amf: "Template"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The parameters of `[authentication …]`, filled in. An empty one was not given."""

    username: str
    password: str
    aka_k: str
    aka_op: str
    aka_amf: str


Part = str | Value | Number | Branch | Length | LastHeader | Variable | Field | File | Fill | Authentication
"""Text as it is sent, or a keyword."""


class Context(Protocol):
    """What the keywords of a message stand for: the call that sends it."""

    def text(self, name: str) -> str:
        """Return what a keyword without parameters stands for, such as `call_id`; empty = nothing."""

    def number(self, name: str) -> int:
        """Return what a numeric keyword stands for, before its offset, such as `cseq`."""

    def branch(self, offset: int) -> str:
        """Return the branch of the command `offset` commands behind this one."""

    def last_header(self, name: str, value_only: bool) -> str:
        """Return a header of the last received message, without its line end.

        Several of one name are one line, joined by `, `. Names are compared without case.

        Args:
            name: without the colon; the line begins with it as it is given here.
            value_only: leave out name and colon.

        Returns:
            The line; empty = there is none.
        """

    def variable(self, name: str) -> str:
        """Return a variable as SIPp prints it; empty = it is not set."""

    def length(self, name: str) -> int:
        """Return a variable as a number of octets, 0 where it is none."""

    def field(self, number: int, file: str, row: str) -> str:
        """Return a field of an injection file.

        Args:
            number: of the field, from 0.
            file: name of the injection file; empty = the first one.
            row: number of the row; empty = the row of the call.
        """

    def file(self, name: str) -> str:
        """Return the contents of a file."""

    def authentication(self, credentials: Credentials, method: str, body: str) -> str:
        """Return the header line that answers the challenge which `auth="true"` has kept, without its line end.

        Args:
            method: of the message.
            body: of the message.
        """


@dataclass(frozen=True, slots=True)
class Template:
    """A message, a command of `sendCmd`, or a text of an action."""

    parts: tuple[Part, ...]
    """In order. Text stands between keywords, never beside other text."""
    line: int
    """Line of the file on which it begins, from 1."""
    method: str = ""
    """Method of a request; empty = a response, or no message."""
    status: int = 0
    """Status code of a response; 0 = a request, or no message."""
    has_body: bool = False
    """Whether there is text behind the first empty line of the file's text."""
