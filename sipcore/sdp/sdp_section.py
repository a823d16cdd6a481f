"""Sections: the lines of one part of a session description, checked and read (RFC 8866 section 5).

A section is what stands below an m= line, or the session's own lines below o=. It holds neither ports nor versions, so
peers of a kind write the same sections in every call: what was read is shared, in a table that is bounded. This file
contains no m= line, no offers and no answers.
"""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..leniency import Leniency, Used
from .media_attributes import DIRECTION_LINES, MAX_WORD, Direction, MediaAttributes, is_number

_STATUS = 400
_SHARED_LENGTH: Final = 1024


class Connection(NamedTuple):
    """A c= line (RFC 8866 section 5.7)."""

    nettype: str
    addrtype: str
    """`IP4` or `IP6`."""
    address: str
    """Address literal without brackets, or a host name."""
    suffix: str
    """TTL and number of addresses of a multicast group as written after the slash, else empty."""

    @property
    def is_unspecified(self) -> bool:
        """Whether the address means "send me nothing": 0.0.0.0 (RFC 3264 8.4), `::`, or .invalid (RFC 6157)."""
        return not self.address.strip("0:.") or self.address.endswith(".invalid")

    def __str__(self) -> str:
        text = f"{self.nettype} {self.addrtype} {self.address}"
        return f"{text}/{self.suffix}" if self.suffix else text


def connection_for(address: str) -> Connection:
    """The connection of an address literal; an address with a colon is IPv6.

    Raises:
        ParseError: what is neither an address nor a host name.
    """
    return parse_connection(f"IN {'IP6' if ':' in address else 'IP4'} {address}")


@final
class Section:
    """Some lines of a description as written, and what they mean. Shared between descriptions: it is never changed.

    `text` are the lines with CRLF between them; `connection` is the first c= line or None; `attributes` are the usual
    ones, read; `last_direction` is that of the last line about it, None without one.
    """

    __slots__ = ("attributes", "connection", "last_direction", "leniencies", "lines", "text")

    def __init__(self, text: str, lines: tuple[str, ...], strict: bool = True) -> None:
        """Check the lines.

        Raises:
            ParseError: a line that is not of the form x=…, or a malformed c= line. Unless it is `strict`, lines that
                are none are left out instead, and a c= line that cannot be read counts as no address.
        """
        used: Used = {}
        if not strict:
            lines = _tidied(lines, used)
            text = "\r\n".join(lines) if used else text
        self.text = text
        self.lines = lines
        self.connection: Connection | None = None
        self.last_direction: Direction | None = None
        self.attributes = MediaAttributes(lines)
        for line in lines:
            if not _is_line(line):
                raise ParseError(f"a line of a session description is not of the form x=…: {line[:8]!r}", _STATUS)
            if line[0] == "c":
                try:
                    connection = parse_connection(line[2:])
                except ParseError:
                    if strict:
                        raise
                    used[Leniency.SDP_CONNECTION] = None
                    connection = UNREADABLE
                self.connection = self.connection or connection
            elif line in DIRECTION_LINES:
                self.last_direction = DIRECTION_LINES[line]
        self.leniencies = tuple(used)
        """What reading the lines has put up with."""


def _is_line(line: str) -> bool:
    return line[1:2] == "=" and "a" <= line[0] <= "z"


def _tidied(lines: tuple[str, ...], used: Used) -> tuple[str, ...]:
    """Return the lines, flags without white space at their ends, those that are no lines left out."""
    kept = []
    for line in lines:
        bare = line.rstrip(" \t")
        if not _is_line(bare):
            used[Leniency.SDP_LINE] = None
            continue
        if bare != line and (bare in DIRECTION_LINES or bare == "a=rtcp-mux"):  # elsewhere they are part of a value
            used[Leniency.SDP_BLANKS] = None
            line = bare
        kept.append(line)
    return tuple(kept)


EMPTY: Final = Section("", ())
"""No lines at all."""
UNREADABLE: Final = Connection("-", "-", "", "")
"""Instead of a c= line that cannot be read: of no network, so that its lines are refused."""


def read_section(text: str, strict: bool = True) -> Section:
    """The section of these lines, CRLF between them, read now or before.

    Raises:
        ParseError: as Section does.
    """
    if len(text) > _SHARED_LENGTH:
        return Section(text, tuple(text.split("\r\n")), strict)
    return _strict(text) if strict else _lenient(text)


# Two tables, because a look-up by one string costs half of one by a tuple.


@lru_cache(maxsize=512)
def _strict(text: str) -> Section:
    return Section(text, tuple(text.split("\r\n")))


@lru_cache(maxsize=512)
def _lenient(text: str) -> Section:
    return Section(text, tuple(text.split("\r\n")), strict=False)


# The same few addresses come again and again; their texts are short and the table bounded.


@lru_cache(maxsize=1024)
def parse_connection(text: str) -> Connection:
    """Read the value of a c= line.

    Raises:
        ParseError: it is malformed.
    """
    fields = text.split()
    if len(fields) != 3 or len(text) > MAX_WORD:
        raise ParseError("c= line does not have three fields", _STATUS)
    nettype, addrtype, address = fields
    if nettype != "IN" or addrtype not in ("IP4", "IP6"):
        # Other networks are legal and of no use here: kept, and answered with a refused stream.
        return Connection(nettype, addrtype, address, "")
    address, _, suffix = address.partition("/")
    if suffix and not all(is_number(part, 5) for part in suffix.split("/")):
        raise ParseError("c= line with a malformed TTL", _STATUS)
    if not _is_address(address, addrtype):
        raise ParseError("c= line with a malformed address", _STATUS)
    return Connection(nettype, addrtype, address, suffix)


def _is_address(text: str, addrtype: str) -> bool:
    if not text.isascii():
        return False
    try:
        if ":" in text:
            return addrtype == "IP6" and "%" not in text and bool(IPv6Address(text).packed)
        if text.replace(".", "").isdigit():
            return addrtype == "IP4" and bool(IPv4Address(text).packed)
    except AddressValueError:
        return False
    return text.replace("-", "").replace(".", "").replace("_", "").isalnum()
