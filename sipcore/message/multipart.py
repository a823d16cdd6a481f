"""Bodies of several parts: multipart/* cut at its boundary and nowhere else, and what of them is understood.

RFC 2046 section 5.1, RFC 5621. A boundary counts at the start of a line only. A part has its headers read, and is cut
again where it is multipart itself, to at most 16 parts and two levels. A body that breaks these rules raises ParseError
and is never taken in part. What a part means does not belong here.
"""

import re
from collections.abc import Container, Iterable
from typing import NamedTuple
from urllib.parse import unquote

from ..errors import ParseError
from .headers import key_of, value_of
from .rare_fields import MediaType

MAX_PARTS = 16
"""Most parts of one body."""
MAX_DEPTH = 2
"""How deep multipart bodies may stand in each other."""
_MAX_PIECES = 64
_CID = re.compile(r"cid:([^\s<>\";,]{1,256})", re.IGNORECASE)
_PLAIN_TEXT = MediaType("text", "plain", {})


class BodyPart(NamedTuple):
    """One part of a body: its headers by key, its content type, its octets, and its own parts if it has some."""

    headers: dict[str, str]
    content_type: MediaType
    body: bytes
    parts: tuple["BodyPart", ...]

    @property
    def optional(self) -> bool:
        """Whether it may be left aside by who does not understand it (RFC 3261 20.11)."""
        return "handling=optional" in self.headers.get("content-disposition", "").lower()

    @property
    def content_id(self) -> str:
        """Its identifier within the message, without angle brackets; empty without one (RFC 2392)."""
        return self.headers.get("content-id", "").strip("<> \t")


def first_of(name: str, parts: Iterable[BodyPart]) -> bytes:
    """Return the octets of the first part of a content type (`type/subtype`), nested ones included, empty for none."""
    for part in parts:
        found = part.body if part.content_type.name == name else first_of(name, part.parts)
        if found:
            return found
    return b""


def understood(
    content_type: MediaType, parts: Iterable[BodyPart], types: Container[str], referred: Container[str] = ()
) -> bool:
    """Return whether every part that is not optional is of one of these types; one of an alternative's is enough.

    Args:
        referred: identifiers of parts that headers name. Such a part belongs to its header, and may be left aside
            with it (RFC 6442 section 4.1, whose parts have no Content-Disposition). RFC 5621 sections 3.2, 8 and
            9.1.
    """
    enough = any if content_type.subtype == "alternative" else all
    return enough(
        part.optional
        or part.content_type.name in types
        or part.content_id in referred
        or (bool(part.parts) and understood(part.content_type, part.parts, types, referred))
        for part in parts
    )


def references(text: str) -> set[str]:
    """The identifiers of body parts that a text names by `cid:` (RFC 2392)."""
    return {unquote(found) for found in _CID.findall(text)}


def split_body(content_type: MediaType, body: bytes, depth: int = 1) -> tuple[BodyPart, ...]:
    """Return the parts of a multipart body, an empty tuple for any other.

    Raises:
        ParseError: it is malformed.
    """
    if content_type.type != "multipart":
        return ()
    boundary = content_type.params.get("boundary")
    if not boundary or len(boundary) > 70:
        raise ParseError("a multipart body without a proper boundary")
    if depth > MAX_DEPTH:
        raise ParseError("multipart bodies are nested too deep")
    delimiter = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    raw_parts: list[bytes] = []
    for piece in (b"\r\n" + body).split(delimiter, _MAX_PIECES)[1:]:
        if piece[:2] == b"--":
            return tuple(_read_part(part, depth) for part in raw_parts)
        padding, line_end, rest = piece.partition(b"\r\n")
        if line_end and not padding.strip(b" \t"):
            raw_parts.append(rest)
        elif raw_parts:  # a longer line that only starts like the boundary belongs to the part
            raw_parts[-1] += delimiter + piece
        if len(raw_parts) > MAX_PARTS:
            raise ParseError("a multipart body has too many parts")
    raise ParseError("a multipart body does not end")


def _read_part(rest: bytes, depth: int) -> BodyPart:
    headers: dict[str, str] = {}
    if rest[:2] == b"\r\n":
        body = rest[2:]
    else:
        head, blank, body = rest.partition(b"\r\n\r\n")
        if not blank:
            raise ParseError("a body part has no blank line")
        text = str(head, "utf-8", "surrogateescape").replace("\r\n ", " ").replace("\r\n\t", " ")
        for line in text.split("\r\n", _MAX_PIECES):
            name, colon, _ = line.partition(":")
            if not colon:
                raise ParseError("a body part's header has no colon")
            headers.setdefault(key_of(name), value_of(line))
    content_type = MediaType.parse(headers["content-type"]) if headers.get("content-type") else _PLAIN_TEXT
    return BodyPart(headers, content_type, body, split_body(content_type, body, depth + 1))
