"""Where `ereg` looks, and what it finds there: POSIX extended regular expressions over a message or a variable.

`syntax` reads a pattern, `matcher` finds it. Here a pattern gets its name in a scenario file and its answers
become text.
"""

from enum import Enum
from typing import Final, final

from .matcher import NO_SPAN, Matcher

MOST_GROUPS: Final = 9
"""Sub-matches that SIPp keeps; those of further parentheses are lost."""


class SearchIn(Enum):
    """Where an expression is searched, `search_in` of `ereg`."""

    MESSAGE = "msg"
    HEADER = "hdr"
    BODY = "body"
    VARIABLE = "var"


@final
class Expression:
    """A regular expression of a scenario file, compiled once for all calls.

    Args:
        pattern: one character for each octet.

    Raises:
        PatternError: it is no extended regular expression, or too large.
    """

    __slots__ = ("_matcher", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._matcher = Matcher(pattern)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of it is probably not meant, for a person."""
        return self._matcher.remarks

    @property
    def groups(self) -> int:
        """Number of its parentheses."""
        return self._matcher.groups

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in a text."""
        return self._matcher.search(text) is not None

    def whole_match(self, text: str) -> str | None:
        """Return the leftmost and longest match; None = there is none."""
        span = self._matcher.search(text)
        return None if span is None else text[span[0] : span[1]]

    def matches(self, text: str) -> tuple[str | None, ...]:
        """Return the match and its sub-matches, None for one without a part in it; empty = there is no match."""
        spans = self._matcher.match(text)
        if spans is None:
            return ()
        return tuple([None if span == NO_SPAN else text[span[0] : span[1]] for span in spans[: MOST_GROUPS + 1]])


def body_of(message: str) -> str:
    """Return what is behind the first empty line of a message; empty = nothing."""
    return message.partition("\r\n\r\n")[2]


def header_of(
    message: str, header: str, *, occurrence: int = 1, ignore_case: bool = False, line_start: bool = False
) -> str | None:
    """Return what stands behind a text in its line, as `ereg` with `search_in="hdr"` looks for it.

    The text is usually the name of a header with its colon, but SIPp takes any, in any place of the message.

    Args:
        header: the text.
        occurrence: which of several, from 1.
        ignore_case: whether case does not matter (`case_indep`).
        line_start: whether it must be at the beginning of a line (`start_line`).

    Returns:
        The rest of the line; None = the text is not there.
    """
    text, wanted = (message.lower(), header.lower()) if ignore_case else (message, header)
    at = -1
    for _ in range(occurrence):
        at = text.find(wanted, at + 1)
        while line_start and at > 0 and text[at - 1] != "\n":
            at = text.find(wanted, at + 1)
        if at < 0:
            return None
    start = at + len(wanted)
    ends = [end for end in (message.find("\r", start), message.find("\n", start)) if end >= 0]
    return message[start : min(ends, default=len(message))]
