"""The syntax of POSIX extended regular expressions: the text of a pattern becomes a tree.

What is undefined in POSIX is taken as glibc's `regcomp` with REG_EXTENDED takes it, because SIPp calls that: a lone `)`
is a character, an alternative may be empty, `{,3}` is `{0,3}`, `\\w \\W \\s \\S` are classes, `\\b \\B \\< \\>` are
anchors, and a backslash before any other letter is that letter. Octets above 127 belong to no class, as in the
C locale. Back references are refused: POSIX has none in extended expressions, and they cannot be matched in linear
time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MOST_CHARACTERS: Final = 4096
"""The longest pattern."""
MOST_NESTING: Final = 50
"""The most parentheses around a character."""
MOST_TIMES: Final = 0x7FFF
"""The highest number in an interval (RE_DUP_MAX of glibc)."""

_UPPER: Final = frozenset(range(ord("A"), ord("Z") + 1))
_LOWER: Final = frozenset(range(ord("a"), ord("z") + 1))
_DIGIT: Final = frozenset(range(ord("0"), ord("9") + 1))
_GRAPH: Final = frozenset(range(0x21, 0x7F))
_ALNUM: Final = _UPPER | _LOWER | _DIGIT
_SPACE: Final = frozenset(b" \t\n\v\f\r")
CLASSES: Final[Mapping[str, frozenset[int]]] = {
    # POSIX base definitions, section 7.3.1, the POSIX locale
    "alnum": _ALNUM,
    "alpha": _UPPER | _LOWER,
    "blank": frozenset(b" \t"),
    "cntrl": frozenset((*range(0x20), 0x7F)),
    "digit": _DIGIT,
    "graph": _GRAPH,
    "lower": _LOWER,
    "print": _GRAPH | {0x20},
    "punct": _GRAPH - _ALNUM,
    "space": _SPACE,
    "upper": _UPPER,
    "xdigit": _DIGIT | frozenset(b"abcdefABCDEF"),
}
WORD: Final = _ALNUM | {ord("_")}
"""The characters of a word, for `\\w` and the anchors of words."""
_ANY: Final = frozenset(range(1, 256))
_ESCAPED_CLASSES: Final[Mapping[str, frozenset[int]]] = {
    "w": WORD,
    "W": _ANY - WORD,
    "s": _SPACE,
    "S": _ANY - _SPACE,
}
_PERL_ONLY: Final[Mapping[str, str]] = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "n": "a line feed as &#10;",
    "r": "a carriage return as &#13;",
    "t": "a tab as &#9;",
}


class PatternError(ValueError):
    """A pattern that cannot be used; the text says what and what to write instead."""


class Anchor(Enum):
    """A place between two characters."""

    START = auto()
    """`^`: before the first character of the subject."""
    END = auto()
    """`$`: behind the last one."""
    WORD_EDGE = auto()
    """`\\b`."""
    NO_WORD_EDGE = auto()
    """`\\B`."""
    WORD_START = auto()
    """`\\<`."""
    WORD_END = auto()
    """`\\>`."""


_ESCAPED_ANCHORS: Final[Mapping[str, Anchor]] = {
    "b": Anchor.WORD_EDGE,
    "B": Anchor.NO_WORD_EDGE,
    "<": Anchor.WORD_START,
    ">": Anchor.WORD_END,
    "`": Anchor.START,
    "'": Anchor.END,
}


@dataclass(frozen=True, slots=True)
class Octet:
    """One octet of a set."""

    octets: frozenset[int]
    """1 to 255."""


@dataclass(frozen=True, slots=True)
class Place:
    """An anchor."""

    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Row:
    """Items one behind the other; without items the empty match."""

    items: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of two alternatives."""

    left: "Tree"
    right: "Tree"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A body several times."""

    body: "Tree"
    least: int
    most: int | None
    """None = without end."""


@dataclass(frozen=True, slots=True)
class Group:
    """A part in parentheses, which is a sub-match."""

    body: "Tree"
    number: int
    """From 1, by its opening parenthesis."""


Tree = Octet | Place | Row | Either | Repeat | Group

EMPTY: Final = Row(())


@dataclass(frozen=True, slots=True)
class Syntax:
    """A pattern that was read."""

    tree: Tree
    groups: int
    """Its pairs of parentheses."""
    remarks: tuple[str, ...]
    """What it says that probably was not meant, for a person."""


def parse(pattern: str) -> Syntax:
    """Read a pattern.

    Args:
        pattern: octets as Latin-1.

    Raises:
        PatternError: it is malformed, has a back reference, or is too long or too deep.
    """
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"the expression has more than {MOST_CHARACTERS} characters; write a shorter one")
    if not pattern.isascii() and max(pattern) > "\xff":
        raise PatternError("the expression has characters that are no octets")
    reader = _Reader(pattern)
    tree = reader.alternatives(0)
    return Syntax(tree, reader.groups, tuple(dict.fromkeys(reader.remarks)))


class _Reader:
    """Recursive descent over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self.groups = 0
        self.remarks: list[str] = []

    def alternatives(self, depth: int) -> Tree:
        """Read up to the end, or to the parenthesis that closes this depth."""
        tree = self._branch(depth)
        while self._next() == "|":
            self._at += 1
            tree = Either(tree, self._branch(depth))
        return tree

    def _branch(self, depth: int) -> Tree:
        items: list[Tree] = []
        while (character := self._next()) and character != "|" and not (character == ")" and depth):
            item = self._atom(depth)
            items.append(item if isinstance(item, Place) else self._repeated(item))
        return items[0] if len(items) == 1 else Row(tuple(items))

    def _atom(self, depth: int) -> Tree:
        character = self._next()
        self._at += 1
        if character in "*+?{":
            raise PatternError(
                f"{character!r} at position {self._at} repeats nothing; write \\{character} for the character itself"
            )
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._bracket()
        if character == ".":
            return Octet(_ANY)
        if character == "^":
            return Place(Anchor.START)
        if character == "$":
            return Place(Anchor.END)
        if character == "\\":
            return self._escaped()
        return Octet(frozenset((ord(character),)))

    def _group(self, depth: int) -> Tree:
        if depth >= MOST_NESTING:
            raise PatternError(f"more than {MOST_NESTING} parentheses within each other; write fewer")
        self.groups += 1
        number = self.groups
        opened = self._at
        tree = self.alternatives(depth + 1)
        if self._next() != ")":
            raise PatternError(
                f"the parenthesis at position {opened} is not closed; write \\( for the character itself"
            )
        self._at += 1
        return Group(tree, number)

    def _escaped(self) -> Tree:
        character = self._next()
        self._at += 1
        if not character:
            raise PatternError("a backslash at the end; write \\\\ for the character itself")
        if character in "123456789":
            raise PatternError(
                f"\\{character} is a back reference, which extended expressions do not have; "
                "take the text into a variable and compare it with strcmp"
            )
        if character in _ESCAPED_CLASSES:
            return Octet(_ESCAPED_CLASSES[character])
        if character in _ESCAPED_ANCHORS:
            return Place(_ESCAPED_ANCHORS[character])
        if character in _PERL_ONLY:
            self.remarks.append(
                f"\\{character} is the letter {character} in POSIX expressions; write {_PERL_ONLY[character]}"
            )
        return Octet(frozenset((ord(character),)))

    def _repeated(self, item: Tree) -> Tree:
        while (character := self._next()) and character in "*+?{":
            self._at += 1
            least, most = self._interval() if character == "{" else _TIMES[character]
            item = EMPTY if most == 0 else Repeat(item, least, most)
        return item

    def _interval(self) -> tuple[int, int | None]:
        opened = self._at
        text, closed, _ = self._pattern[opened:].partition("}")
        first, comma, last = text.partition(",")
        whole = closed and all(not each or (each.isascii() and each.isdigit()) for each in (first, last))
        if not whole or not (first or comma):  # {,} is {0,} to regcomp of glibc
            raise PatternError(
                f"the interval at position {opened} is not of the form {{2}}, {{2,}} or {{2,3}}; "
                "write \\{ for the character itself"
            )
        self._at = opened + len(text) + 1
        least = int(first or 0)
        most = (int(last) if last else None) if comma else least
        if max(least, most or 0) > MOST_TIMES or (most is not None and most < least):
            raise PatternError(f"the interval {{{text}}} ends before it begins, or is above {MOST_TIMES}")
        return least, most

    def _bracket(self) -> Tree:
        opened = self._at
        inverse = self._next() == "^"
        self._at += inverse
        octets: set[int] = set()
        first = True
        while first or self._next() != "]":
            octets |= self._bracket_item(opened, first)
            first = False
        self._at += 1
        return Octet(_ANY - octets if inverse else frozenset(octets) - {0})

    def _bracket_item(self, opened: int, first: bool) -> frozenset[int]:
        if self._next() == "-" and not first and self._ahead(1) != "]":
            raise PatternError(f"'-' in the bracket at position {opened} is no range; write it as the last character")
        lowest = self._bracket_element(opened)
        if self._next() != "-" or self._ahead(1) in ("]", ""):
            return lowest
        self._at += 1
        highest = self._bracket_element(opened)
        if len(lowest) != 1 or len(highest) != 1 or min(lowest) > min(highest):
            raise PatternError(f"a range in the bracket at position {opened} ends before it begins, or has a class")
        return frozenset(range(min(lowest), min(highest) + 1))

    def _bracket_element(self, opened: int) -> frozenset[int]:
        character, kind = self._next(), self._ahead(1)
        if not character:
            raise PatternError(f"the bracket at position {opened} is not closed; write \\[ for the character itself")
        if character != "[" or kind not in (":", "=", "."):
            self._at += 1
            return frozenset((ord(character),))
        end = self._pattern.find(f"{kind}]", self._at + 2)
        if end < 0:
            raise PatternError(f"[{kind} in the bracket at position {opened} is not closed by {kind}]")
        name = self._pattern[self._at + 2 : end]
        self._at = end + 2
        if kind != ":":
            if len(name) != 1:
                raise PatternError(f"[{kind}{name}{kind}] is no single character; write the character itself")
            return frozenset((ord(name),))
        if name not in CLASSES:
            raise PatternError(f"there is no class [:{name}:]; there are {', '.join(CLASSES)}")
        return CLASSES[name]

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _ahead(self, count: int) -> str:
        return self._pattern[self._at + count : self._at + count + 1]


_TIMES: Final[Mapping[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
