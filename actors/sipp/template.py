"""A message of a scenario file as parts: text, and keywords that a call fills in.

A `Template` is made once per file by `keywords`, and rendered for each message: each part gives a text, one `join`
makes the message. `[len]` and `[authentication]` are filled in last, because they depend on the body. What a keyword
stands for comes from a `Context`, which is the call. Text is `str` with one character for each octet (Latin-1).

A keyword that vanishes and is empty at the beginning of a line takes all blanks and line ends at the beginning of the
next text with it, as in SIPp: its line end, and also an empty line behind that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Protocol

from .parameters import parameter

BLANK_LENGTH: Final = "     "
"""What stands for `[len]` until it is known."""
_EMPTY_LINE: Final = "\r\n\r\n"
_BLANKS: Final = " \t\n\v\f\r"
_INJECTED: Final = "[authentication"
_UNSIGNED: Final = "?"
"""What stands for `[authentication]` until the body is known: a line that is not empty."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The parameters of `[authentication …]`, filled in. An empty one was not given."""

    username: str
    password: str
    aka_k: str
    aka_op: str
    aka_amf: str

    @classmethod
    def of(cls, keyword: str) -> "Credentials":
        """Return the parameters of a keyword as they are written, see `parameters.parameter`."""
        return cls(*(parameter(keyword, name) for name in CREDENTIALS))


CREDENTIALS: Final = ("username", "password", "aka_K", "aka_OP", "aka_AMF")
"""The names of the parameters in a file, in the order of the fields of `Credentials`."""


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
class Value:
    """A keyword without parameters, such as `[call_id]`: `Context.text`."""

    name: str
    """The keyword, as SIPp spells it."""
    vanishes: bool = False

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.text(self.name)


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric keyword, such as `[cseq+1]`: `Context.number` plus the offset."""

    name: str
    """The keyword, as SIPp spells it, without its offset."""
    offset: int
    vanishes: ClassVar[bool] = False

    def value(self, context: Context) -> str:
        """Return its text."""
        return str(context.number(self.name) + self.offset)


@dataclass(frozen=True, slots=True)
class Branch:
    """`[branch]` and `[branch-N]`: `Context.branch`."""

    offset: int
    """0, or how many commands before this one, as a negative number."""
    vanishes: ClassVar[bool] = False

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.branch(self.offset)


@dataclass(frozen=True, slots=True)
class Length:
    """`[len]`: number of octets behind the first empty line, plus the offset, right-aligned in five places.

    A message has at most one: any before the last stays five blanks in SIPp, and is text here.
    """

    offset: int


@dataclass(frozen=True, slots=True)
class LastHeader:
    """`[last_NAME:]`: header of the last received message, `Context.last_header`."""

    name: str
    """Without its colon."""
    value_only: bool
    """`[last_NAME.value]`: without the name and the colon."""
    vanishes: ClassVar[bool] = True

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.last_header(self.name, self.value_only)


@dataclass(frozen=True, slots=True)
class Variable:
    """`[$NAME]`: `Context.variable`."""

    name: str
    vanishes: ClassVar[bool] = True

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.variable(self.name)


@dataclass(frozen=True, slots=True)
class Field:
    """`[fieldN file=NAME line=N]`: `Context.field`.

    A value that has `[authentication …]` in it is that keyword there, as in SIPp.
    """

    number: int
    """Of the field, from 0."""
    file: str
    """Name of the injection file; empty = the first one."""
    row: "Template | None"
    """Which row; None = that of the call."""
    vanishes: ClassVar[bool] = True

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.field(self.number, self.file, "" if self.row is None else self.row.render(context))


@dataclass(frozen=True, slots=True)
class File:
    """`[file name=NAME]`: the contents of a file, `Context.file`."""

    name: "Template"
    vanishes: ClassVar[bool] = False

    def value(self, context: Context) -> str:
        """Return its text."""
        return context.file(self.name.render(context))


@dataclass(frozen=True, slots=True)
class Fill:
    """`[fill text=TEXT variable=NAME]`: text over and over, cut at a length that a variable has: `Context.length`."""

    text: str
    """At least one character."""
    variable: str
    vanishes: ClassVar[bool] = False

    def value(self, context: Context) -> str:
        """Return its text."""
        wanted = max(0, min(context.length(self.variable), MOST_FILL))
        return (self.text * (wanted // len(self.text) + 1))[:wanted]


MOST_FILL: Final = 65_536
"""Octets of `[fill]`: more than a message may have."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """`[authentication …]`: a whole header line, `Context.authentication`. An absent parameter is an empty template."""

    username: "Template"
    password: "Template"
    aka_k: "Template"
    aka_op: "Template"
    aka_amf: "Template"

    def credentials(self, context: Context) -> Credentials:
        """Return the parameters, filled in."""
        return Credentials(
            self.username.render(context),
            self.password.render(context),
            self.aka_k.render(context),
            self.aka_op.render(context),
            self.aka_amf.render(context),
        )


Part = str | Value | Number | Branch | Length | LastHeader | Variable | Field | File | Fill | Authentication
"""Text as it is sent, or a keyword."""


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

    def render(self, context: Context) -> str:
        """Return the text with all keywords filled in, one character for each octet."""
        pieces: list[str] = []
        signed: list[tuple[int, Credentials]] = []
        length = -1
        offset = 0
        ends_line = False
        swallows = False
        for part in self.parts:
            if isinstance(part, str):
                text = part.lstrip(_BLANKS) if swallows else part
                swallows = False
            elif isinstance(part, Length):
                length, offset, text = len(pieces), part.offset, BLANK_LENGTH
            elif isinstance(part, Authentication):
                signed.append((len(pieces), part.credentials(context)))
                pieces.append(_UNSIGNED)
                ends_line = False
                continue
            else:
                text = part.value(context)
                if part.vanishes:
                    if isinstance(part, Field) and _INJECTED in text:
                        before, text, credentials = _injected(text)
                        pieces.append(before)
                        signed.append((len(pieces), credentials))
                        pieces.append(_UNSIGNED)
                        ends_line = False
                    swallows = swallows or (text[-1] == "\n" if text else ends_line)
            if text:
                pieces.append(text)
                ends_line = text[-1] == "\n"
        joined = "".join(pieces)
        if length < 0 and not signed:
            return joined
        begin = joined.find(_EMPTY_LINE)
        if length >= 0 and begin >= 0:
            number = f"{len(joined) - begin - len(_EMPTY_LINE) + offset:5d}"
            if not signed:
                at = sum(map(len, pieces[:length]))
                return f"{joined[:at]}{number}{joined[at + len(BLANK_LENGTH) :]}"
            pieces[length] = number
        body = joined[begin + len(_EMPTY_LINE) :] if begin >= 0 else ""
        for index, credentials in signed:
            pieces[index] = context.authentication(credentials, self.method, body)
        return "".join(pieces)

    def bound(self, constants: Mapping[str, str]) -> "Template":
        """Return the same with keywords replaced that are the same for all calls.

        Args:
            constants: texts of keywords by their names, such as `service` and `remote_port`.
        """
        parts = Parts()
        for part in self.parts:
            if isinstance(part, Value | Number) and part.name in constants:
                text = constants[part.name]
                parts.add(text if isinstance(part, Value) else str(int(text) + part.offset))
            else:
                parts.add(part)
        return replace(self, parts=parts.all())

    @property
    def constant(self) -> str | None:
        """Its text when it has no keyword; else None."""
        if not self.parts:
            return ""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, str) else None


class Parts:
    """Collects the parts of a template: text beside text becomes one."""

    def __init__(self) -> None:
        self._done: list[Part] = []
        self._texts: list[str] = []

    def add(self, part: Part) -> None:
        """Put a part behind the others."""
        if isinstance(part, str):
            self._texts.append(part)
            return
        self._end_text()
        self._done.append(part)

    def all(self) -> tuple[Part, ...]:
        """Return the parts; nothing may be added then."""
        self._end_text()
        return tuple(self._done)

    def _end_text(self) -> None:
        text = "".join(self._texts)
        self._texts.clear()
        if text:
            self._done.append(text)


def _injected(text: str) -> tuple[str, str, Credentials]:
    """(what stands before, what stands behind, its parameters) of `[authentication …]` in the value of a field."""
    begin = text.find(_INJECTED)
    end = text.find("]", begin)
    keyword = text[begin + 1 : end] if end >= 0 else text[begin + 1 :]
    return text[:begin], text[end + 1 :] if end >= 0 else "", Credentials.of(keyword)
