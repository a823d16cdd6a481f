"""Text of peers and users on its way to people: one line, bounded, with nothing in it that a reader obeys.

Text is kept as it came, octets that are no UTF-8 as lone surrogates (`surrogateescape`), until it is written. Each
writer then calls `shown` once, before its own quoting (HTML, XML, JSON, CSV). What `shown` gives is printable, so it
encodes in UTF-8, stands in any XML document, moves no terminal, and is the same when it is shown again. Pure.
"""

import re
from typing import Any, Final

MOST: Final = 1000
"""Characters of one text that are shown."""
LONGEST_LINE: Final = 10_000
"""Characters of a line that holds several texts: of a log, a terminal, a ladder."""
_FORMULA: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""What begins a formula in a spreadsheet, full-width forms included; TAB and CR are shown as escapes anyway."""

_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
"""Control characters except the tab, and halves of characters that stand for no octet (PEP 383)."""


def unwritable(text: str) -> str:
    """The first character that no line of a message can hold; empty when all can stand there."""
    found = _UNWRITABLE.search(text)
    return found.group() if found is not None else ""


def shown(text: str | bytes, most: int = MOST) -> str:
    r"""A text as one printable line.

    Controls, line ends, what reorders or hides text, and octets that are no UTF-8 stand as `\xNN`, `\uNNNN` or
    `\UNNNNNNNN`; a longer text ends with a mark that has the number of characters left out.

    Args:
        text: as it came; octets are read as UTF-8.
        most: characters of the result, at least 40 so that the mark has room.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if len(text) <= most and text.isprintable():
        return text
    whole = _escaped(text[: most + 1])
    if len(text) <= most and sum(map(len, whole)) <= most:
        return "".join(whole)
    room = most - len(_mark(len(text)))
    kept = 0
    for piece in whole:
        if len(piece) > room:
            break
        room -= len(piece)
        kept += 1
    return "".join(whole[:kept]) + _mark(len(text) - kept)


def shown_octets(text: str | bytes, most: int) -> str:
    """A text as `shown`, of no more than `most` octets in UTF-8.

    Args:
        most: octets of the result, at least 160 so that the mark has room.
    """
    written = shown(text, most)
    octets = len(written.encode())
    if octets <= most:
        return written
    written = shown(text, max(40, most * most // octets))
    return written if len(written.encode()) <= most else shown(text, most // 4)


def said(value: object, most: int = 100) -> str:
    """A value of a user's program as Python writes it, in one line, for an error about it."""
    try:
        return shown(repr(value), most)
    except ValueError:  # Python writes no number of thousands of digits
        return f"{type(value).__name__} of more than 4000 digits"


def cut(text: str, most: int = MOST) -> str:
    """A text no longer than `most` characters, otherwise as it came: for what is kept or sent before it is shown."""
    if len(text) <= most:
        return text
    room = max(0, most - len(_mark(len(text))))
    return text[:room] + _mark(len(text) - room)


def shown_line(text: str | bytes) -> str:
    """A line that holds several texts, as `shown`, with the bound of a line."""
    return shown(text, LONGEST_LINE)


def octets_of(text: str) -> bytes:
    """The octets that a text came from; those of any other text, lone surrogates as they are."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def cell(text: str) -> str:
    """A text cell of a CSV file, as `shown`: an apostrophe in front keeps a spreadsheet from running it (CWE-1236)."""
    text = shown(text)
    return f"'{text}" if text.lstrip(" ")[:1] in _FORMULA else text


def shown_values(value: Any) -> Any:
    """The values of a JSON document with each text as `shown`, keys included."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {shown_values(name): shown_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown_values(each) for each in value]
    return value


def _mark(left_out: int) -> str:
    return f"… ({left_out} more characters)"


def _escaped(text: str) -> list[str]:
    """What stands for each character."""
    return [each if each.isprintable() else _escape(each) for each in text]


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # an octet that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """A text with one blank for each run of white space and line ends in it."""
    return " ".join(text.split())
