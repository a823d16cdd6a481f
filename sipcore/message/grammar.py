"""The lexical rules that every SIP field shares: tokens, numbers, quoted strings, commas, parameters.

RFC 3261 section 25.1. Every function must run in linear time on whatever a peer sent, and must raise nothing but
ParseError. It must not depend on a field by name.
"""

import re

from ..errors import ParseError

TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
"""The characters of a token (25.1)."""
BLANK = " \t\r\n"
"""What may stand around and between tokens (LWS)."""
MAX_PARAMETERS = 64
"""How many parameters one value may carry."""
MAX_VALUES = 256
"""How many comma-separated values one line may carry."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_COMMA_MARK = re.compile(r'[",<]')
_SEMICOLON_MARK = re.compile(r'[";]')
_MAX_MARKS = 1024

Parameters = dict[str, str | None]
"""Parameters by lower-case name, in order of appearance; None for one without a value."""


def is_token(text: str) -> bool:
    """Return whether the text is a token: not empty, none but token characters (25.1)."""
    return text != "" and ((text.isalnum() and text.isascii()) or not text.strip(TOKEN))


def number(text: str, highest: int, what: str) -> int:
    """Read a whole number of ASCII digits between 0 and `highest`; `what` names it in the ParseError."""
    if not (text.isdigit() and text.isascii()):
        raise ParseError(f"{what} is not a number")
    if len(text) > 20:
        text = text.lstrip("0") or "0"
        if len(text) > 20:
            raise ParseError(f"{what} is out of range")
    value = int(text)
    if value > highest:
        raise ParseError(f"{what} is out of range")
    return value


def end_of_quotes(text: str, start: int) -> int:
    """Return the index after the quote that closes the one at `start`; ParseError when none does."""
    found = _QUOTED.match(text, start)
    if found is None:
        raise ParseError("a quoted string does not end")
    return found.end()


def words(text: str) -> list[str]:
    """Return what stands between blanks and tabs; other Unicode blanks are no separators in SIP (25.1, LWS)."""
    return [word for word in text.replace("\t", " ").split(" ") if word]


def unquote(text: str) -> str:
    """Return the content of a quoted string (with its quotes) (25.1)."""
    text = text[1:-1]
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def quote(text: str) -> str:
    """Return the text as a quoted string (25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split_values(text: str) -> list[str]:
    """Cut a line at its commas, none of those in quotes or angle brackets; blanks trimmed, empty ones dropped.

    Raises:
        ParseError: an open quote or more than MAX_VALUES values. RFC 3261 7.3.1.
    """
    if "," not in text:
        return [text] if text else []
    if '"' not in text and "<" not in text:
        parts = text.split(",", MAX_VALUES)
    else:
        parts = _cut(text, _COMMA_MARK, MAX_VALUES)
    if len(parts) > MAX_VALUES:
        raise ParseError("too many values in one header")
    return [trimmed for part in parts if (trimmed := part.strip(BLANK))]


def cut_commas(text: str) -> list[str]:
    """Cut at commas as far as it goes: a quote or bracket that does not close counts as a plain character.

    For lists of which `split_values` can make nothing; untrimmed.
    What stands behind MAX_VALUES commas, quotes and brackets is left out.
    """
    parts: list[str] = []
    start = position = 0
    quotes = True
    for _ in range(MAX_VALUES):
        found = _COMMA_MARK.search(text, position)
        if found is None:
            return [*parts, text[start:]]
        at = position = found.start()
        if text[at] == '"':
            closed = _QUOTED.match(text, at) if quotes else None
            quotes = closed is not None  # one search to the end of the text, not one for each quote
            position = at + 1 if closed is None else closed.end()
        elif text[at] == "<":
            position = max(text.find(">", at), at) + 1
        else:
            parts.append(text[start:at])
            start = position = at + 1
    return parts


def cut_semicolons(text: str) -> list[str]:
    """Cut at the semicolons that stand in no quotes, untrimmed.

    Raises:
        ParseError: an open quote.
    """
    return _cut(text, _SEMICOLON_MARK, MAX_PARAMETERS + 1) if '"' in text else text.split(";", MAX_PARAMETERS + 1)


def _cut(text: str, pattern: re.Pattern[str], most: int) -> list[str]:
    """Cut at the comma or semicolon of the pattern, jumping over quoted strings and angle brackets."""
    parts: list[str] = []
    start = position = 0
    for _ in range(_MAX_MARKS):
        found = pattern.search(text, position)
        if found is None:
            parts.append(text[start:])
            return parts
        at = found.start()
        mark = text[at]
        if mark == '"':
            position = end_of_quotes(text, at)
        elif mark == "<":
            position = text.find(">", at) + 1
            if not position:
                raise ParseError("an angle bracket does not close")
        else:
            parts.append(text[start:at])
            if len(parts) > most:
                return parts
            start = position = at + 1
    raise ParseError("too many separators in one header")


def parse_parameters(text: str) -> Parameters:
    """Read `;name=value;name` to the end of the text, which is empty or starts with a semicolon.

    Names come out in lower case, quoted values decoded.

    Raises:
        ParseError: anything else, for a name that is there twice and for more than MAX_PARAMETERS. RFC 3261 section
            25.1 (generic-param).
    """
    if not text:
        return {}
    parts = cut_semicolons(text)
    if len(parts) > MAX_PARAMETERS + 1:
        raise ParseError("too many parameters")
    if parts[0].strip(BLANK):
        raise ParseError("no semicolon before a parameter")
    parameters: Parameters = {}
    for part in parts[1:]:
        raw_name, equals, raw_value = part.partition("=")
        name = raw_name.strip(BLANK)
        if not is_token(name):
            raise ParseError("a parameter has no proper name")
        name = name.lower()
        if name in parameters:
            raise ParseError(f"parameter {name} is there twice")
        parameters[name] = _parameter_value(raw_value.strip(BLANK)) if equals else None
    return parameters


def _parameter_value(value: str) -> str:
    if is_token(value):
        return value
    if value[:1] == '"':
        if end_of_quotes(value, 0) != len(value):
            raise ParseError("text after a quoted parameter value")
        return unquote(value)
    # Liberal on purpose: hosts, IPv6 references, base64 and e-mail addresses stand here unquoted in the wild.
    if not value or any(bad in value for bad in ' \t"<>,\r\n'):
        raise ParseError("a parameter has no proper value")
    return value


def format_parameters(parameters: Parameters) -> str:
    """Write parameters as `;name=value`, quoting the values that need it."""
    text = ""
    for name, value in parameters.items():
        if value is None:
            text += f";{name}"
        elif is_token(value) or (value and not value.strip(TOKEN + "[]:@/")):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text
