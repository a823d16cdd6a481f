"""How often a kind of log line is written: a few at once, then one now and then, with the number of those held back.

A stranger can cause a line with each packet. Its place in the source, and that of the error in it, is the kind of a
line, whatever texts of peers stand in it. Pure: time is an argument.
"""

from collections.abc import Iterator
from typing import Final

AT_ONCE: Final = 10
"""Lines of a kind before the limit is felt."""
EVERY: Final = 10.0
"""Seconds between two lines of a kind beyond."""
MOST_KINDS: Final = 256
"""Kinds that are remembered; beyond, the one that came least lately goes."""

Kind = tuple[object, ...]


class _State:
    __slots__ = ("at", "held_back", "left", "name")

    def __init__(self, at: float, left: float, name: str) -> None:
        self.at = at
        self.left = left
        self.held_back = 0
        self.name = name


class LogLimit:
    """The limit of one process.

    Args:
        at_once: lines of a kind before the limit is felt.
        every: seconds between two lines of a kind beyond.
    """

    __slots__ = ("_at_once", "_every", "_kinds", "forgotten")

    def __init__(self, at_once: int = AT_ONCE, every: float = EVERY) -> None:
        self._at_once = at_once
        self._every = every
        self._kinds: dict[Kind, _State] = {}
        self.forgotten = 0
        """Lines held back of kinds that are not remembered any more."""

    def admit(self, kind: Kind, name: str, now: float) -> int:
        """Ask for one more line.

        Args:
            kind: what tells it from others.
            name: of the kind, for people.
            now: monotonic seconds.

        Returns:
            Lines of the kind that were held back before it; -1 = this one is held back too.
        """
        state = self._kinds.pop(kind, None)
        if state is None:
            if len(self._kinds) >= MOST_KINDS:
                self.forgotten += self._kinds.pop(next(iter(self._kinds))).held_back
            state = _State(now, float(self._at_once), name)
        self._kinds[kind] = state
        state.left = min(float(self._at_once), state.left + (now - state.at) / self._every)
        state.at = now
        if state.left < 1.0:
            state.held_back += 1
            return -1
        state.left -= 1.0
        held_back, state.held_back = state.held_back, 0
        return held_back

    def due(self, now: float, *, all_of_them: bool = False) -> Iterator[tuple[str, int]]:
        """Take the kinds whose lines were held back and do not come any more.

        Args:
            now: monotonic seconds.
            all_of_them: also those that were held back just now: it is the end.

        Yields:
            The name of the kind, and the number of its lines.
        """
        if self.forgotten:
            forgotten, self.forgotten = self.forgotten, 0
            yield "lines of many kinds", forgotten
        for state in list(self._kinds.values()):
            if state.held_back and (all_of_them or now - state.at >= self._every):
                held_back, state.held_back = state.held_back, 0
                yield state.name, held_back
