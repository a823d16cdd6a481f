"""The parameters of a keyword, such as `username=alice` in `[authentication username=alice password=secret]`."""

from typing import Final

_HEX: Final = "0123456789abcdefABCDEF"


def parameter(keyword: str, name: str) -> str:
    """Return the value of a parameter as SIPp reads it.

    A value in double quotes ends at the next quote, and a backslash in it stands before any character as it is. A
    value that begins with `0x` is octets in hexadecimal digits. Any other ends at the first blank, at a `]`, or at a
    character that is not ASCII; brackets in it are in pairs.

    Args:
        keyword: the keyword without its brackets.
        name: such as `username`.

    Returns:
        The value; empty = there is none.
    """
    at = keyword.find(f"{name}=")
    if at < 0:
        return ""
    at += len(name) + 1
    if keyword.startswith("0x", at):
        return _octets(keyword, at + 2)
    if keyword.startswith('"', at):
        return _quoted(keyword, at + 1)
    end = at
    depth = 0
    while end < len(keyword) and "!" <= keyword[end] <= "~":
        if keyword[end] == "[":
            depth += 1
        elif keyword[end] == "]":
            if not depth:
                break
            depth -= 1
        end += 1
    return keyword[at:end]


def _octets(text: str, at: int) -> str:
    found = []
    while at < len(text) and text[at] in _HEX:
        pair = text[at : at + 2]
        if pair[-1] not in _HEX:
            pair = pair[0]
        found.append(chr(int(pair, 16)))
        at += len(pair)
    return "".join(found)


def _quoted(text: str, at: int) -> str:
    found = []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        found.append(text[at])
        at += 1
    return "".join(found)
