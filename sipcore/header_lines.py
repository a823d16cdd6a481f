"""Header lines of our own: the user's headers as text, checked, and merged with the usual ones.

Knows no message; it only keeps a line end in a value from becoming a header of its own.
"""

from __future__ import annotations

from .errors import LocalProtocolError
from .session_config import HeaderPairs


def lines_of(headers: HeaderPairs) -> str:
    """Write header pairs as whole lines. Raises LocalProtocolError for line ends in a name or value."""
    if not headers:
        return ""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise LocalProtocolError("a header of ours holds a line end")
    return text


def merged(tail: str, extra: str) -> str:
    """Return the usual header lines without those that the user's own lines replace."""
    if not extra:
        return tail
    given = {line.partition(":")[0].strip().lower() for line in extra.split("\r\n") if line}
    lines = [line for line in tail.split("\r\n") if line and line.partition(":")[0].lower() not in given]
    return "".join([f"{line}\r\n" for line in lines])
