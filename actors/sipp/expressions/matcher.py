"""Matching of POSIX extended regular expressions: leftmost, then longest, in time linear in the subject.

`re` takes the first alternative that leads to a match, where POSIX wants the longest match; and the time of `re` has no
bound for a pattern such as `(a*)*b`. So an automaton decides here. The step from one set of nodes to the next is
computed once and kept.

1. Where a match can begin, `re` finds with one character class. From there the automaton runs to the last end.
2. When such runs have read a fixed multiple of the subject in vain, one run backwards finds the first place where a
   match begins. So a search reads the subject a bounded number of times, whatever the pattern is.
3. Sub-matches, only where they are wanted: one run backwards from the end of the match, then a walk forwards that takes
   at each choice the first way which still leads to that end: another round before leaving a repeat, the left
   alternative before the right one, an empty one last. This is the order of glibc's `regexec`, which SIPp calls. It is
   not everywhere that of POSIX: `(a|ab)(c|bcd)` in `abcd` gives `a` and `bcd`, where POSIX wants the longest first.

The subject ends at its first NUL, as a string of C does.
"""

import re
from typing import Final, final

from .automaton import ACCEPT, Automaton, Kind, Side
from .syntax import parse

MOST_STATES: Final = 2000
"""Sets of nodes that are kept; when there are more, they are computed anew."""
_PATIENCE: Final = 4
"""How often a search reads the subject before the run backwards."""

Span = tuple[int, int]
"""Begin and end."""
NO_SPAN: Final[Span] = (-1, -1)
"""The span of a group that has no part in the match."""


@final
class _State:
    """The nodes that took the last character, and the steps from there that were computed."""

    __slots__ = ("accepted", "before", "dead", "nodes", "steps")

    def __init__(self, nodes: int, before: int, accepted: bool, codes: int) -> None:
        self.nodes = nodes
        self.before = before
        self.accepted = accepted
        """A match ends before the character that led here."""
        self.dead = not nodes
        self.steps: list[_State | None] = [None] * codes


@final
class Matcher:
    """A compiled pattern, with what was computed of it.

    Args:
        pattern: octets as Latin-1.
        most_states: sets of each kind that are kept.

    Raises:
        PatternError: it is malformed, or needs too many nodes.
    """

    __slots__ = (
        "_automaton",
        "_backward",
        "_first",
        "_most_states",
        "_starts",
        "_states",
        "_walks",
        "characters_read",
        "groups",
        "remarks",
    )

    def __init__(self, pattern: str, most_states: int = MOST_STATES) -> None:
        syntax = parse(pattern)
        self.groups = syntax.groups
        """Number of its sub-matches."""
        self.remarks = syntax.remarks
        """What of the pattern is probably not meant, for a person."""
        self._automaton = Automaton(syntax.tree)
        self.characters_read = 0
        """How many characters its searches have read, each time that one was read."""
        self._most_states = most_states
        self._first = _scanner(self._automaton.first_octets())
        self._states: dict[tuple[int, int, bool], _State] = {}
        self._starts: dict[int, _State] = {}
        self._backward: dict[tuple[int, int, int, bool], int] = {}
        self._walks: dict[tuple[int, int, int, int], tuple[int, tuple[int, ...]]] = {}

    def search(self, subject: str) -> Span | None:
        """Return begin and end of the leftmost match, of several the longest; None without a match.

        Args:
            subject: octets as Latin-1.
        """
        return self._find(self._encoded(subject), subject)

    def match(self, subject: str) -> tuple[Span, ...] | None:
        """Return the span of the same match and those of its groups, NO_SPAN for one without a part in it."""
        codes = self._encoded(subject)
        span = self._find(codes, subject)
        if span is None:
            return None
        return self._sub_matches(codes, *span) if self.groups else (span,)

    def _encoded(self, subject: str) -> bytes:
        octets = subject.encode("latin-1")
        end = octets.find(0)
        return (octets if end < 0 else octets[:end]).translate(self._automaton.classes) + b"\0"

    # forwards: begin and end of the match

    def _find(self, codes: bytes, subject: str) -> Span | None:
        length = len(codes) - 1
        budget = _PATIENCE * length
        start = 0
        while start <= length:
            if self._first is not None:
                found = self._first.search(subject, start, length)
                if found is None:
                    return None
                start = found.start()
            end, read = self._longest(codes, start)
            self.characters_read += read
            if end >= 0:
                return start, end
            budget -= read + 1 + ((length - start) >> 6)  # the characters read, and the copy of the rest
            start += 1
            if budget < 0:
                return self._find_backwards(codes, start)
        return None

    def _longest(self, codes: bytes, start: int) -> tuple[int, int]:
        """Return the end of the longest match that begins here, or -1; and how many characters were read."""
        before = self._side(codes, start - 1)
        state = self._starts.get(before) or self._start(before)
        end = -1
        position = start
        for code in codes[start:]:
            following = state.steps[code]
            if following is None:
                following = self._step(state, code)
            if following.accepted:
                end = position
            if following.dead:
                break
            position += 1
            state = following
        return end, position - start

    def _side(self, codes: bytes, position: int) -> int:
        return self._automaton.kinds[codes[position]] if position >= 0 else Side.EDGE

    def _start(self, before: int) -> _State:
        state = self._starts[before] = self._state(1 << self._automaton.start, before, accepted=False)
        return state

    def _step(self, state: _State, code: int) -> _State:
        automaton = self._automaton
        after = automaton.kinds[code]
        reached = automaton.behind_all(state.nodes, state.before, after)
        following = self._state(reached & automaton.takers[code], after, accepted=bool(reached & ACCEPT))
        state.steps[code] = following
        return following

    def _state(self, nodes: int, before: int, *, accepted: bool) -> _State:
        key = (nodes, before, accepted)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= self._most_states:
                for each in self._states.values():
                    each.steps[:] = [None] * len(each.steps)
                self._states.clear()
                self._starts.clear()
            state = self._states[key] = _State(nodes, before, accepted, len(self._automaton.kinds))
        return state

    # backwards: from where an end is reached

    def _before(self, nodes: int, code: int, after: int, ends: bool) -> int:
        """Return the nodes that take a character and are then led to an end.

        Args:
            nodes: those behind the character that are led to an end.
            code: of the character.
            after: the side behind it.
            ends: whether the match may end right behind it.
        """
        key = (nodes, code, after, ends)
        found = self._backward.get(key)
        if found is not None:
            return found
        automaton = self._automaton
        wanted = nodes | ACCEPT if ends else nodes
        before = automaton.kinds[code]
        found = 0
        takers = automaton.takers[code]
        while takers:
            bit = takers & -takers
            if automaton.behind(bit.bit_length() - 1, before, after) & wanted:
                found |= bit
            takers ^= bit
        if len(self._backward) >= self._most_states:
            self._backward.clear()
        self._backward[key] = found
        return found

    def _find_backwards(self, codes: bytes, least: int) -> Span | None:
        """Return the first match that begins at a position or behind it."""
        automaton = self._automaton
        self.characters_read += len(codes) - least
        first = -1
        nodes = 0
        after = Side.EDGE
        for position in range(len(codes) - 1, least - 1, -1):
            code = codes[position]
            nodes = self._before(nodes, code, after, True)
            after = automaton.kinds[code]
            if automaton.behind(automaton.start, self._side(codes, position - 1), after) & (nodes | ACCEPT):
                first = position
        return None if first < 0 else (first, self._longest(codes, first)[0])

    def _sub_matches(self, codes: bytes, start: int, end: int) -> tuple[Span, ...]:
        automaton = self._automaton
        kinds, known, walks = automaton.kinds, self._backward, self._walks
        leading = [ACCEPT]
        nodes = 0
        ends = True
        after = kinds[codes[end]]
        for code in reversed(codes[start:end]):
            found = known.get((nodes, code, after, ends))
            nodes = self._before(nodes, code, after, ends) if found is None else found
            leading.append(nodes)
            after = kinds[code]
            ends = False
        registers = _Registers(self.groups)
        number = automaton.start
        before = self._side(codes, start - 1)
        for position, code in enumerate(codes[start : end + 1], start):
            after = kinds[code]
            key = (number, leading.pop(), before, after)
            number, passed = walks.get(key) or self._walk(*key)
            for each in passed:
                registers.go_through(automaton, each, position)
            before = after
        return ((start, end), *registers.spans())

    def _walk(self, last: int, wanted: int, before: int, after: int) -> tuple[int, tuple[int, ...]]:
        """Return the first way from behind a node to a wanted one: that one, and the parentheses on the way.

        Around a repeat that takes nothing, the second time the repeat is left. A way that comes to a place for the
        third time goes on to the nearest wanted node.
        """
        automaton = self._automaton
        number = automaton.next_of(last)
        way: list[int] = []
        while not wanted >> number & 1:
            if way.count(number) > 1:
                way += self._nearest(number, wanted, before, after)
                number = way.pop()
                break
            way.append(number)
            open_ways = [each for each in automaton.nodes[number].following if self._leads(each, wanted, before, after)]
            number = open_ways[-1] if open_ways[0] in way else open_ways[0]
        passed = tuple(each for each in way if automaton.nodes[each].kind <= Kind.CLOSE)
        if len(self._walks) >= self._most_states:
            self._walks.clear()
        self._walks[last, wanted, before, after] = number, passed
        return number, passed

    def _leads(self, number: int, wanted: int, before: int, after: int) -> bool:
        return self._automaton.reach(number, before, after) & wanted != 0

    def _nearest(self, first: int, wanted: int, before: int, after: int) -> list[int]:
        """Return the shortest way from a node to a wanted one, both included."""
        ways = [[first]]
        seen = {first}
        for way in ways:  # grows while it is read: breadth first
            if wanted >> way[-1] & 1:
                return way
            for each in self._automaton.nodes[way[-1]].following:
                if each not in seen and self._leads(each, wanted, before, after):
                    seen.add(each)
                    ways.append([*way, each])
        raise AssertionError("a node that leads to a wanted one has a way there")


@final
class _Registers:
    """The spans of the groups during one walk."""

    __slots__ = ("_kept", "_spans")

    def __init__(self, groups: int) -> None:
        self._spans: list[Span] = [NO_SPAN] * (groups + 1)
        self._kept = list(self._spans)
        """As they were when a group had last taken something."""

    def go_through(self, automaton: Automaton, number: int, position: int) -> None:
        """Go through a parenthesis at a position."""
        node = automaton.nodes[number]
        if node.kind == Kind.OPEN:
            self._spans[node.group] = (position, -1)
            return
        start = self._spans[node.group][0]
        if start == position and node.optional and self._kept[node.group] != NO_SPAN:
            self._spans = list(self._kept)  # an empty round behind one that took something leaves no trace
            return
        self._spans[node.group] = (start, position)
        if start < position:
            self._kept = list(self._spans)

    def spans(self) -> list[Span]:
        """Return the spans of the groups from 1 on."""
        return [span if span[1] >= 0 else NO_SPAN for span in self._spans[1:]]


def _scanner(octets: list[int] | None) -> re.Pattern[str] | None:
    """Return what finds the next character with which a match can begin; None when that is any place."""
    if octets is None or len(octets) == 255:
        return None
    characters = "".join([f"\\x{octet:02x}" for octet in octets])
    return re.compile(f"[{characters}]" if octets else "(?!)")
