"""Typed values of the header fields that a call seldom reads: content, authentication, dates and warnings.

RFC 3261 section 20 and 25.1, RFC 2616-style media ranges. Every value is made from one header value, unfolded and
trimmed, and writes itself back with `str`. Knows no message and computes no digest.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from ..errors import ParseError
from .fields import MAX_SECONDS, split_parameters
from .grammar import (
    BLANK,
    MAX_PARAMETERS,
    Parameters,
    end_of_quotes,
    format_parameters,
    is_token,
    number,
    quote,
    unquote,
    words,
)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")
_AUTH_PARAMETER = re.compile(r"[ \t]*([^\s=,\"]+)[ \t]*=[ \t]*")


class MediaType(NamedTuple):
    """A Content-Type value or one range of Accept; type and subtype in lower case (20.1, 20.15)."""

    type: str
    subtype: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "MediaType":
        """Read a media type or range. Raises ParseError."""
        name, params = split_parameters(text)
        kind, slash, subtype = name.partition("/")
        kind, subtype = kind.strip(BLANK).lower(), subtype.strip(BLANK).lower()
        if not slash or not is_token(kind) or not is_token(subtype):
            raise ParseError("not a media type")
        return cls(kind, subtype, params)

    def covers(self, media_type: str) -> bool:
        """Say whether this range takes in a media type given in lower case without parameters."""
        if self.type == "*":
            return True
        kind, _, subtype = media_type.partition("/")
        return self.type == kind and self.subtype in ("*", subtype)

    @property
    def name(self) -> str:
        """`type/subtype`."""
        return f"{self.type}/{self.subtype}"

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 1 when absent or malformed."""
        return quality(self.params)

    def __str__(self) -> str:
        return self.name + format_parameters(self.params)


class Preference(NamedTuple):
    """One value of Accept-Encoding, Accept-Language, or any token with parameters (20.2, 20.3)."""

    value: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "Preference":
        """Read one value. Raises ParseError."""
        value, params = split_parameters(text)
        if not is_token(value):
            raise ParseError("not a token with parameters")
        return cls(value, params)

    @property
    def q(self) -> float:
        """The preference, 0 to 1; 1 when absent or malformed."""
        return quality(self.params)

    def __str__(self) -> str:
        return self.value + format_parameters(self.params)


class WarningValue(NamedTuple):
    """One Warning value (20.43)."""

    code: int
    agent: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "WarningValue":
        """Read one Warning value. Raises ParseError."""
        code, _, rest = text.partition(" ")
        agent, _, quoted = rest.strip(BLANK).partition(" ")
        quoted = quoted.strip(BLANK)
        if len(code) != 3 or not agent or quoted[:1] != '"' or end_of_quotes(quoted, 0) != len(quoted):
            raise ParseError("Warning is not a code, an agent and a text")
        return cls(number(code, 999, "warning code"), agent, unquote(quoted))

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


class Timestamp(NamedTuple):
    """A Timestamp value: when a request was sent and how long it was delayed, seconds (20.38)."""

    sent: float
    delay: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Timestamp":
        """Read a Timestamp value. Raises ParseError."""
        numbers = words(text)
        if not 1 <= len(numbers) <= 2 or not all(map(_DECIMAL.fullmatch, numbers)):
            raise ParseError("Timestamp is not one or two numbers")
        return cls(*map(float, numbers))


class Authentication(NamedTuple):
    """A challenge or credentials: scheme in lower case, parameters by lower-case name (20.7, 20.27, 20.28, 20.44).

    opaque holds what follows the scheme when it is not a list of name=value, as with Basic.
    """

    scheme: str
    params: Parameters
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> "Authentication":
        """Read the value of an authentication header. Raises ParseError."""
        scheme, _, rest = text.partition(" ")
        if not is_token(scheme):
            raise ParseError("an authentication scheme is not a token")
        rest = rest.strip(BLANK)
        if scheme.lower() == "basic" or (rest and not _AUTH_PARAMETER.match(rest)):
            return cls(scheme.lower(), {}, rest)
        return cls(scheme.lower(), parse_authentication_parameters(rest))


def parse_authentication_parameters(text: str) -> Parameters:
    """Read `name=value, name="value"` (Authentication-Info, challenges, credentials). Raises ParseError."""
    params: Parameters = {}
    position = 0
    while position < len(text):
        found = _AUTH_PARAMETER.match(text, position)
        if found is None or len(params) >= MAX_PARAMETERS:
            raise ParseError("malformed authentication parameters")
        name, start = found[1].lower(), found.end()
        if text[start : start + 1] == '"':
            end = end_of_quotes(text, start)
            value = unquote(text[start:end])
        else:
            comma = text.find(",", start)
            end = len(text) if comma < 0 else comma
            value = text[start:end].strip(BLANK)
        if name in params:
            raise ParseError(f"authentication parameter {name} is there twice")
        params[name] = value
        rest = text.find(",", end)
        if text[end : len(text) if rest < 0 else rest].strip(BLANK):
            raise ParseError("no comma between authentication parameters")
        position = len(text) if rest < 0 else rest + 1
    return params


def parse_date(text: str) -> datetime:
    """Read a Date value, which is always GMT (20.17). Raises ParseError."""
    found = _DATE.fullmatch(text)
    if found is None or found[3] not in _MONTHS:
        raise ParseError("Date is not an RFC 1123 date in GMT")
    _, day, month, year, hour, minute, second = found.groups()
    try:
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError as error:
        raise ParseError("Date is not on the calendar") from error


def parse_seconds(text: str) -> int:
    """Read delta-seconds, such as Flow-Timer (RFC 5626 section 10). Raises ParseError."""
    return number(text, MAX_SECONDS, "seconds")


def quality(params: Parameters) -> float:
    """Return the q parameter, 0 to 1; 1 when absent or malformed (25.1, qvalue)."""
    text = params.get("q")
    if text is None or len(text) > 5 or not _DECIMAL.fullmatch(text):
        return 1.0
    return min(float(text), 1.0)
