"""Header lines of our own: the user's headers as text, checked, and merged with the usual ones.

It uses no message; it only keeps a line end in a value from becoming a header of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import LocalProtocolError, ParseError
from .headers import key_of

HeaderPairs = Sequence[tuple[str, str]]
"""Header names and values in order; a name may repeat."""


def lines_of(headers: HeaderPairs) -> str:
    """Write header pairs as whole lines.

    Raises:
        LocalProtocolError: line ends in a name or value.
    """
    if not headers:
        return ""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise LocalProtocolError("a local header has a line end")
    return text


def merged(tail: str, extra: str) -> str:
    """Return the usual header lines without those that the user's own lines replace."""
    if not extra:
        return tail
    given = {_key(line) for line in extra.split("\r\n") if line}
    lines = [line for line in tail.split("\r\n") if line and _key(line) not in given]
    return "".join([f"{line}\r\n" for line in lines])


def _key(line: str) -> str:
    """The header of a line, its compact form taken for the long one (7.3.3)."""
    name = line.partition(":")[0].strip()
    try:
        return key_of(name)
    except ParseError:
        return name.lower()
