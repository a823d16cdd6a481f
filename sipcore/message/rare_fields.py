"""Typed values of the header fields that a call seldom reads: content types, dispositions, timestamps.

RFC 3261 section 20 and 25.1, RFC 2616-style media ranges. Every value is made from one header value, unfolded and
trimmed, and writes itself back with `str`. It uses no message.
"""

import re
from typing import NamedTuple

from ..errors import ParseError
from .fields import split_parameters
from .grammar import BLANK, Parameters, format_parameters, is_token, words

_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")


class MediaType(NamedTuple):
    """A Content-Type value or one range of Accept; type and subtype in lower case (20.1, 20.15)."""

    type: str
    subtype: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "MediaType":
        """Read a media type or range.

        Raises:
            ParseError: it is malformed.
        """
        name, params = split_parameters(text)
        kind, slash, subtype = name.partition("/")
        kind, subtype = kind.strip(BLANK).lower(), subtype.strip(BLANK).lower()
        if not slash or not is_token(kind) or not is_token(subtype):
            raise ParseError("not a media type")
        return cls(kind, subtype, params)

    @property
    def name(self) -> str:
        """`type/subtype`."""
        return f"{self.type}/{self.subtype}"

    def __str__(self) -> str:
        return self.name + format_parameters(self.params)


def type_name(text: str) -> str:
    """Return `type/subtype` of a Content-Type value in lower case, whatever its parameters; the slash may have blanks.

    RFC 3261 section 25.1 (SLASH).
    """
    name = text.partition(";")[0].strip(BLANK).lower()
    if " " in name or "\t" in name:
        return "/".join([part.strip(BLANK) for part in name.split("/")])
    return name


class Preference(NamedTuple):
    """One value of Accept-Encoding, Accept-Language, or any token with parameters (20.2, 20.3)."""

    value: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "Preference":
        """Read one value.

        Raises:
            ParseError: it is malformed.
        """
        value, params = split_parameters(text)
        if not is_token(value):
            raise ParseError("not a token with parameters")
        return cls(value, params)

    def __str__(self) -> str:
        return self.value + format_parameters(self.params)


class Timestamp(NamedTuple):
    """A Timestamp value: when a request was sent and how long it was delayed, seconds (20.38)."""

    sent: float
    delay: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Timestamp":
        """Read a Timestamp value.

        Raises:
            ParseError: it is malformed.
        """
        numbers = words(text)
        if not 1 <= len(numbers) <= 2 or not all(map(_DECIMAL.fullmatch, numbers)):
            raise ParseError("Timestamp is not one or two numbers")
        return cls(*map(float, numbers))
