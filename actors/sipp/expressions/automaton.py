"""The automaton of a POSIX extended regular expression: nodes, and which of them follow each other.

Thompson's construction. A set of nodes is a bit mask, so that a step of many nodes is a few operations on integers.
Octets that no node tells apart share a code; code 0 stands for the end of the subject. What follows a node depends on
the characters at both sides of the place only where the pattern has anchors.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, final

from .syntax import WORD, Anchor, Either, Group, Octet, PatternError, Place, Repeat, Row, Tree

MOST_NODES: Final = 2000
"""Nodes of an automaton, after its intervals are written out."""
ACCEPT: Final = 1
"""The bit of node 0, the end of the pattern."""


class Kind:
    """The kinds of nodes; those below OCTET take no character."""

    OPEN: Final = 0
    CLOSE: Final = 1
    SPLIT: Final = 2
    ANCHOR: Final = 3
    OCTET: Final = 4
    ACCEPT: Final = 5


class Side:
    """What stands at one side of a place between characters."""

    EDGE: Final = 0
    """Nothing: begin or end of the subject."""
    OTHER: Final = 1
    WORD: Final = 2
    """A character of a word."""


class Node(NamedTuple):
    """One node."""

    kind: int
    following: tuple[int, ...]
    """The nodes behind it, in the order in which they are tried."""
    group: int = 0
    """Of OPEN and CLOSE."""
    optional: bool = False
    """Of CLOSE: the group itself may be left out, or be repeated without a bound."""
    anchor: Anchor = Anchor.START
    octets: frozenset[int] = frozenset()


@final
class Automaton:
    """Nodes of a pattern, and what is reached from each without a character.

    Args:
        tree: the pattern as it was read.

    Raises:
        PatternError: it needs more than MOST_NODES nodes.
    """

    __slots__ = ("_follows", "_reached", "anchored", "classes", "entry", "kinds", "nodes", "start", "takers")

    def __init__(self, tree: Tree) -> None:
        self.nodes, self.entry = _Builder().build(tree)
        """All nodes, the end of the pattern first; and the number of the one that is entered."""
        self.start: int = len(self.nodes)
        """The number that stands for the place before the entry, beside those of the nodes."""
        self.anchored = any(node.kind == Kind.ANCHOR for node in self.nodes)
        """Whether it matters what stands at both sides of a place."""
        self.classes, self.kinds = _octet_classes(self.nodes, self.anchored)
        """A table for `bytes.translate`, from octets to codes; and the `Side` of each code."""
        self.takers = [0] * len(self.kinds)
        """The nodes that take a character, by its code."""
        for number, node in enumerate(self.nodes):
            for code in {self.classes[octet] for octet in node.octets}:
                self.takers[code] |= 1 << number
        if not self.anchored:
            self.kinds = [Side.EDGE] * len(self.kinds)
        self._reached: dict[tuple[int, int, int], int] = {}
        self._follows: dict[tuple[int, int, int], int] = {}

    def behind(self, number: int, before: int, after: int) -> int:
        """Return the nodes with a character, and the end, that are reached from behind a node.

        Args:
            number: of a node with a character, or `start`.
            before, after: the `Side` at either side of the place behind the node.
        """
        key = (number, before, after)
        found = self._follows.get(key)
        if found is None:
            found = self._follows[key] = self.reach(self.next_of(number), before, after)
        return found

    def behind_all(self, numbers: int, before: int, after: int) -> int:
        """Return the same for a set of nodes."""
        found = 0
        while numbers:
            bit = numbers & -numbers
            found |= self.behind(bit.bit_length() - 1, before, after)
            numbers ^= bit
        return found

    def next_of(self, number: int) -> int:
        """Return the node behind one with a character, or behind `start`."""
        return self.entry if number == self.start else self.nodes[number].following[0]

    def reach(self, first: int, before: int, after: int) -> int:
        """Return the nodes with a character, and the end, that are reached from a node without a character."""
        key = (first, before, after)
        known = self._reached.get(key)
        if known is not None:
            return known
        seen = 0
        ahead = [first]
        found = 0
        while ahead:
            number = ahead.pop()
            if seen >> number & 1:
                continue
            seen |= 1 << number
            node = self.nodes[number]
            if node.kind >= Kind.OCTET:
                found |= 1 << number
            elif node.kind != Kind.ANCHOR or holds(node.anchor, before, after):
                ahead += node.following
        self._reached[key] = found
        return found

    def first_octets(self) -> list[int] | None:
        """Return the octets with which a match can begin; None when it can be empty."""
        takers = 0
        for before in (Side.EDGE, Side.OTHER, Side.WORD):
            for after in (Side.EDGE, Side.OTHER, Side.WORD):
                reached = self.behind(self.start, before, after)
                if reached & ACCEPT:
                    return None
                takers |= reached
        return [octet for octet in range(1, 256) if self.takers[self.classes[octet]] & takers]


def holds(anchor: Anchor, before: int, after: int) -> bool:
    """Whether an anchor matches at a place with these sides."""
    match anchor:
        case Anchor.START:
            return before == Side.EDGE
        case Anchor.END:
            return after == Side.EDGE
        case Anchor.WORD_START:
            return before != Side.WORD and after == Side.WORD
        case Anchor.WORD_END:
            return before == Side.WORD and after != Side.WORD
        case Anchor.WORD_EDGE:
            return (before == Side.WORD) != (after == Side.WORD)
        case Anchor.NO_WORD_EDGE:
            return (before == Side.WORD) == (after == Side.WORD)


@final
class _Builder:
    """Makes the nodes of a tree, from its end to its begin."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes = [Node(Kind.ACCEPT, ())]

    def build(self, tree: Tree) -> tuple[list[Node], int]:
        """Return all nodes, and the number of the first one in the order of matching."""
        entry = self._before(tree, 0, optional=False, copied=False)
        return self._nodes, entry

    def _add(self, node: Node) -> int:
        if len(self._nodes) >= MOST_NODES:
            raise PatternError(
                f"the expression needs more than {MOST_NODES} states when its intervals are written out; "
                "write smaller intervals"
            )
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _before(self, tree: Tree, following: int, *, optional: bool, copied: bool) -> int:
        """Return the entry of a tree that is followed by a node.

        Args:
            optional: whether the tree, if it is a group, may be left out or be repeated without a bound.
            copied: whether it stands in the second or a later round of an interval, where groups count as not
                optional, as in glibc.
        """
        match tree:
            case Octet(octets):
                return self._add(Node(Kind.OCTET, (following,), octets=octets))
            case Place(anchor):
                return self._add(Node(Kind.ANCHOR, (following,), anchor=anchor))
            case Row(items):
                for item in reversed(items):
                    following = self._before(item, following, optional=False, copied=copied)
                return following
            case Group(body, number):
                close = self._add(Node(Kind.CLOSE, (following,), number, optional))
                entry = self._before(body, close, optional=False, copied=copied)
                return self._add(Node(Kind.OPEN, (entry,), number))
            case Either(left, right):
                ways = [self._before(each, following, optional=False, copied=copied) for each in (left, right)]
                if ways[0] == following:
                    ways.reverse()  # an empty alternative is tried last
                return self._add(Node(Kind.SPLIT, tuple(ways)))
            case Repeat(body, least, most):
                if most is None:
                    following = self._endless(body, following, copied, again=least > 0)
                else:
                    following = self._up_to(body, most - least, following, copied, again=least > 0)
                for rounds in range(least, 0, -1):
                    following = self._before(body, following, optional=False, copied=copied or rounds > 1)
                return following

    def _endless(self, body: Tree, following: int, copied: bool, *, again: bool) -> int:
        """Return the entry of a repeat without a bound; `again`: behind rounds that must be."""
        split = self._add(Node(Kind.SPLIT, (following,)))
        entry = self._before(body, split, optional=not copied, copied=copied or again)
        self._nodes[split] = Node(Kind.SPLIT, (entry, following))
        return split

    def _up_to(self, body: Tree, times: int, following: int, copied: bool, *, again: bool) -> int:
        """Return the entry of several rounds, each of which may be left out; `again`: behind rounds that must be."""
        # x{0,3} is ((x?x)?x)?: how many rounds there are is decided before the first one, as in glibc.
        entries = [following]
        for remaining in range(times, 0, -1):
            first = remaining == 1
            entries.append(
                self._before(body, entries[-1], optional=first and not copied, copied=copied or again or not first)
            )
        entry = entries.pop()
        while entries:
            entry = self._add(Node(Kind.SPLIT, (entry, entries.pop())))
        return entry


def _octet_classes(nodes: Iterable[Node], anchored: bool) -> tuple[bytes, list[int]]:
    sets = list({node.octets for node in nodes if node.kind == Kind.OCTET})
    if anchored:
        sets.append(WORD)
    codes: dict[tuple[bool, ...], int] = {}
    table = bytearray(256)
    kinds: list[int] = [Side.EDGE]
    for octet in range(1, 256):
        signature = tuple([octet in each for each in sets])
        code = codes.get(signature)
        if code is None:
            code = codes[signature] = len(kinds)
            kinds.append(Side.WORD if octet in WORD else Side.OTHER)
        table[octet] = code
    return bytes(table), kinds
