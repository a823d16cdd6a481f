"""The elements of a scenario file, and what of its markup was wrong and how it was taken.

Real files are often no well-formed XML, and versions of SIPp differ in what they take. So this is a scanner of SIPp's
language: it takes all well-formed files, what any SIPp takes, and the usual mistakes, each as a `Toleration`. It never
guesses where text ends: an unclosed comment, CDATA section or quote is refused. One pass from the first octet to the
last, in linear time, with bounds for size, nesting and attributes.

The text of elements and attributes is `str` with one character for each octet of the file (Latin-1), so that what is in
the file is what is sent. `shown` decodes it for people.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from .faults import ScenarioFileError
from .language import ACTIONS, COMMANDS, PARENTS, ROOT

MOST_OCTETS: Final = 1 << 20
"""Octets of a file."""
MOST_ATTRIBUTES: Final = 256
"""Attributes of an element."""
DEEPEST: Final = 8
"""Elements in each other."""
MOST_TOLERATIONS: Final = 4000
"""Mistakes of a file."""
EXCERPT: Final = 40
"""Characters of a file in the description of a mistake."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NAME: Final = re.compile(r"[A-Za-z_][\w.:-]*", re.ASCII)
_ATTRIBUTE: Final = re.compile(r"""[^\s=<>/"']+""")
_SEPARATORS: Final = (",", ";")
"""What stands between attributes by mistake; SIPp takes it for a blank."""
_BLANK: Final = re.compile(r"\s*")
_MARKUP: Final = re.compile(r"\n[ \t]*<[A-Za-z/!]|<!\[CDATA\[|\]\]>")
"""What is in an attribute only when its closing quote is missing."""
_COMMAND: Final = re.compile(rf"\b(?:{'|'.join((*COMMANDS, *ACTIONS, 'label'))})\s")
_FOLLOWS: Final = re.compile(r"\s*\w+\s*=\s*[\"']")
"""What stands behind the name of an element whose `<` was lost."""
_CODED: Final = re.compile(r"\\(.)|&(lt|gt|amp|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});", re.DOTALL)
_LATIN: Final = re.compile(
    r"<\?xml[^>]*\bencoding\s*=\s*[\"']\s*(?:iso-?8859-?1|latin-?1|windows-1252)\b", re.IGNORECASE
)
_ESCAPES: Final = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r"}
_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


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


def read(octets: bytes, file: str) -> Document:
    """Read a scenario file.

    Args:
        octets: its contents.
        file: its path as the user wrote it.

    Raises:
        ScenarioFileError: it is too large, something in it is not closed, or it has no `scenario`.
    """
    if len(octets) > MOST_OCTETS:
        raise ScenarioFileError(file, 1, f"it has more than {MOST_OCTETS >> 20} MiB; give a scenario file of SIPp")
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ScenarioFileError(file, 1, "it is UTF-16; save it as UTF-8")
    bom = octets.startswith(_BYTE_ORDER_MARK)
    text = octets.removeprefix(_BYTE_ORDER_MARK).decode("latin-1").replace("\r\n", "\n")
    scanner = _Scanner(file, text)
    if bom:
        scanner.tolerate(0, "a byte order mark", "nothing")
    if not _LATIN.match(text):
        try:
            text.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError as error:
            scanner.tolerate(error.start, "octets that are not UTF-8", "Latin-1: they are sent as they are")
    return scanner.document()


def shown(text: str) -> str:
    """Return text of a file as people should see it: as UTF-8 where it is, else as Latin-1."""
    octets = text.encode("latin-1", "replace")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return text


def excerpt(text: str) -> str:
    """Return the beginning of a text of a file on one line, for the description of a mistake."""
    line = " ".join(text[: 4 * EXCERPT].split())
    return shown(line) if len(line) <= EXCERPT else f"{shown(line[:EXCERPT])}…"


class _Open:
    """An element whose end has not come."""

    __slots__ = ("attributes", "children", "line", "name", "text", "text_line")

    def __init__(self, name: str, line: int, attributes: dict[str, str]) -> None:
        self.name = name
        self.line = line
        self.attributes = attributes
        self.children: list[Element] = []
        self.text: str | None = None
        self.text_line = line

    def closed(self) -> Element:
        """Return the element as it is now."""
        return Element(self.name, self.line, self.attributes, tuple(self.children), self.text, self.text_line)

    def add_text(self, text: str, line: int) -> bool:
        """Take a CDATA section; False = there is one already."""
        if self.text is not None:
            return False
        self.text = text
        self.text_line = line
        return True


class _Scanner:
    """One pass over a file.

    Args:
        text: the file, with LF as line ends.
    """

    __slots__ = ("_ends", "_file", "_open", "_root", "_text", "_tolerations")

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._open: list[_Open] = []
        self._root: Element | None = None
        self._tolerations: list[Toleration] = []

    def document(self) -> Document:
        """Read the whole file.

        Raises:
            ScenarioFileError: see `read`.
        """
        text = self._text
        at = 0
        while (begin := text.find("<", at)) >= 0:
            self._between(at, begin)
            at = self._markup(begin)
        self._between(at, len(text))
        while self._open:
            self.tolerate(len(text), f"<{self._open[-1].name}> is not closed", "closed at the end of the file")
            self._close()
        if self._root is None:
            self._refuse(0, f"there is no <{ROOT}> in it; give a scenario file of SIPp")
        ordered = sorted(self._tolerations, key=lambda each: each.line)
        return Document(self._file, self._root, tuple(ordered))

    def tolerate(self, at: int, found: str, taken: str) -> None:
        """Note a mistake.

        Raises:
            ScenarioFileError: there are too many.
        """
        if len(self._tolerations) >= MOST_TOLERATIONS:
            self._refuse(at, f"there are {MOST_TOLERATIONS} mistakes before it; give a scenario file of SIPp")
        self._tolerations.append(Toleration(self._line(at), found, taken))

    def _line(self, at: int) -> int:
        return bisect_left(self._ends, at) + 1

    def _refuse(self, at: int, text: str) -> NoReturn:
        raise ScenarioFileError(self._file, self._line(at), text)

    def _between(self, begin: int, end: int) -> None:
        """Ignore text between elements."""
        found = self._text[begin:end]
        if not found.isspace() and found:
            at = begin + len(found) - len(found.lstrip())
            for lost in _COMMAND.finditer(found):
                if _FOLLOWS.match(found, lost.end()):
                    text = excerpt(found[lost.start() : lost.start() + EXCERPT])
                    self._refuse(begin + lost.start(), f"{text} stands outside of elements; write < before it")
            self.tolerate(at, f"text outside of CDATA: {excerpt(found)}", "nothing")

    def _markup(self, at: int) -> int:
        """Read what begins with `<`; return where it ends."""
        text = self._text
        if text.startswith("<!--", at):
            return self._end_of("-->", at, at + 4, "comment")
        if text.startswith("<![CDATA[", at):
            return self._cdata(at)
        if text.startswith("<!DOCTYPE", at):
            return self._doctype(at)
        if text.startswith("<!", at):
            self._refuse(at, f"{excerpt(text[at : at + EXCERPT])} is no CDATA section and no comment; write <![CDATA[")
        if text.startswith("<?", at):
            if at and text.startswith("<?xml", at):
                self.tolerate(at, "<?xml behind the beginning of the file", "nothing")
            return self._end_of("?>", at, at + 2, "<?")
        closes = text.startswith("</", at)
        name = _NAME.match(text, at + 1 + closes)
        if name is None:
            self.tolerate(at, "< that begins no element", "text outside of CDATA")
            return at + 1
        if closes:
            return self._end_tag(at, name[0], name.end())
        return self._start_tag(at, name[0], name.end())

    def _end_of(self, mark: str, begin: int, at: int, what: str) -> int:
        end = self._text.find(mark, at)
        if end < 0:
            self._refuse(begin, f"the {what} that begins here is not closed; write {mark} at its end")
        return end + len(mark)

    def _cdata(self, at: int) -> int:
        begin = at + len("<![CDATA[")
        end = self._end_of("]]>", at, begin, "CDATA section")
        if self._text.find("<![CDATA[", begin, end) >= 0:
            self._refuse(
                at, "the CDATA section that begins here is not closed before the next one; write ]]> at its end"
            )
        if not self._open:
            self.tolerate(at, "a CDATA section outside of elements", "nothing")
        elif not self._open[-1].add_text(self._text[begin : end - 3], self._line(begin)):
            self.tolerate(at, f"a second CDATA section in <{self._open[-1].name}>", "nothing: the first one counts")
        return end

    def _doctype(self, at: int) -> int:
        end = self._end_of(">", at, at, "DOCTYPE")
        inner = self._text.find("[", at, end)
        return end if inner < 0 else self._end_of(">", at, self._end_of("]", at, inner, "DOCTYPE") - 1, "DOCTYPE")

    def _end_tag(self, at: int, name: str, end: int) -> int:
        end = self._skip_blank(end)
        if self._text.startswith(">", end):
            end += 1
        else:
            self.tolerate(at, f"</{name} without >", f"</{name}>")
        if all(each.name != name for each in self._open):
            self.tolerate(at, f"</{name}> of an element that is not open", "nothing")
            return end
        while self._open[-1].name != name:
            self.tolerate(at, f"<{self._open[-1].name}> is not closed before </{name}>", "closed there")
            self._close()
        self._close()
        return end

    def _start_tag(self, at: int, name: str, end: int) -> int:
        if self._root is not None:
            self.tolerate(at, f"<{name}> behind the end of <{ROOT}>", "nothing")
        elif not self._open and name != ROOT:
            self._refuse(at, f"the first element is <{name}>; write <{ROOT}>")
        self._close_before(at, name)
        if len(self._open) >= DEEPEST:
            self._refuse(at, f"<{name}> is the {DEEPEST + 1}th element in each other; close those before it")
        attributes: dict[str, str] = {}
        end = self._attributes(name, end, attributes)
        closed = self._text.startswith("/", end)
        if closed:
            end += 1
        if self._text.startswith(">", end):
            end += 1
        else:
            self.tolerate(at, f"<{name} without >", f"{'an empty' if closed else 'a'} <{name}>")
        self._open.append(_Open(name, self._line(at), attributes))
        if closed:
            self._close()
        return end

    def _close_before(self, at: int, name: str) -> None:
        """Close what a new element cannot stand in, where it can stand in what is around that."""
        parents = PARENTS.get(name, frozenset())
        if all(each.name not in parents for each in self._open):
            return
        while self._open[-1].name not in parents:
            self.tolerate(at, f"<{self._open[-1].name}> is not closed before <{name}>", "closed there")
            self._close()

    def _attributes(self, name: str, end: int, attributes: dict[str, str]) -> int:
        """Read attributes; return where the `>` or `/>` of the element should be."""
        text = self._text
        begin = end
        while True:
            blank = end
            end = self._skip_blank(end)
            match = _ATTRIBUTE.match(text, end)
            if match is None:
                if text.startswith(("/>", ">", "<"), end) or end == len(text):
                    return end
                if text[end] == "/":
                    self.tolerate(end, f"/ within <{name}>", "nothing")
                    end += 1
                    continue
                self._refuse(
                    begin, f"a quote of <{name}> is missing or not closed near {excerpt(text[end : end + EXCERPT])}"
                )
            key = match[0]
            equals = self._skip_blank(match.end())
            if key in _SEPARATORS and not text.startswith("=", equals):
                self.tolerate(end, f"{key} between attributes of <{name}>", "a blank")
                end = match.end()
                continue
            if not text.startswith("=", equals):
                if text.startswith(('"', "'"), equals):
                    self._refuse(begin, f"a quote of <{name}> is missing or not closed before {excerpt(key)}")
                self._refuse(end, f'attribute {excerpt(key)} of <{name}> has no value; write {excerpt(key)}="…"')
            if blank == end and attributes:
                self.tolerate(end, f"no blank before {excerpt(key)}", "a blank")
            begin = self._skip_blank(equals + 1)
            if key not in attributes and len(attributes) >= MOST_ATTRIBUTES:
                self._refuse(end, f"<{name}> has more than {MOST_ATTRIBUTES} attributes; close it before them")
            value, end = self._value(begin, key)
            if key in attributes:
                self.tolerate(begin, f"{key} of <{name}> twice", f'{key}="{excerpt(attributes[key])}", the first')
            else:
                attributes[key] = value

    def _value(self, at: int, key: str) -> tuple[str, int]:
        """Read a value in quotes; return it decoded, and where it ends."""
        text = self._text
        quote = text[at : at + 1]
        if quote not in {'"', "'"}:
            found = _ATTRIBUTE.match(text, at)
            value = excerpt(found[0]) if found else "…"
            self._refuse(at, f'the value of {excerpt(key)} is not in quotes; write {excerpt(key)}="{value}"')
        end = text.find(quote, at + 1)
        while end >= 0 and quote == '"' and self._is_escaped(at, end):
            end = text.find(quote, end + 1)
        coded = text[at + 1 : end] if end >= 0 else ""
        if end < 0 or _MARKUP.search(coded):
            self._refuse(
                at, f"the quote that begins the value of {excerpt(key)} is not closed; write {quote} at its end"
            )
        if "<" in coded:
            self.tolerate(at, f"< in the value of {key}", "text")
        value = _CODED.sub(_decode, coded)
        if "&" in _CODED.sub("", coded):
            self.tolerate(at, f"& in the value of {key}", "text")
        return value, end + 1

    def _is_escaped(self, begin: int, at: int) -> bool:
        """Whether an odd number of backslashes stands before a quote."""
        first = at
        while first - 1 > begin and self._text[first - 1] == "\\":
            first -= 1
        return (at - first) % 2 == 1

    def _skip_blank(self, at: int) -> int:
        match = _BLANK.match(self._text, at)
        return match.end() if match else at

    def _close(self) -> None:
        element = self._open.pop().closed()
        if self._open:
            self._open[-1].children.append(element)
        elif self._root is None:
            self._root = element


def _decode(match: re.Match[str]) -> str:
    """What a backslash or an entity in an attribute stands for."""
    escaped, entity = match.groups()
    if escaped is not None:
        return _ESCAPES.get(escaped, match[0])
    if entity in _ENTITIES:
        return _ENTITIES[entity]
    number = int(entity[2:], 16) if entity[1] in "xX" else int(entity[1:])
    if number in range(0xD800, 0xE000) or number > 0x10FFFF:
        return match[0]
    return chr(number).encode().decode("latin-1")
