"""A few fields of a message read from its octets by scanning, without parsing it.

What the dispatcher needs: the Call-ID (RFC 3261 20.8) to find the owner, the method and the To tag to decide what may
be refused under load. Whenever parser.parse accepts a message, what is found here is what it finds. Checks nothing.
"""

import re

from ..errors import ParseError
from .fields import tag_of
from .grammar import TOKEN, number
from .line_ends import with_line_ends
from .mending import mend_address

_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:", re.IGNORECASE)
# Behind a bare line end, with which a message is past reading; its call is not.
_LF_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:", re.IGNORECASE)
_CR_CALL_ID = re.compile(rb"\r(?:call-id|i)[ \t]*:", re.IGNORECASE)
_LF_FROM = re.compile(rb"\n(?:from|f)[ \t]*:", re.IGNORECASE)
_CR_FROM = re.compile(rb"\r(?:from|f)[ \t]*:", re.IGNORECASE)
_TO = re.compile(rb"\r\n(?:to|t)[ \t]*:", re.IGNORECASE)
_FROM = re.compile(rb"\r\n(?:from|f)[ \t]*:", re.IGNORECASE)
_BARE_END = re.compile(rb"[\r\n]")
_VIA = re.compile(rb"\r\n(?:via|v)[ \t]*:", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\n(?:cseq)[ \t]*:", re.IGNORECASE)
_ANY_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([" + re.escape(TOKEN.encode()) + rb"]+)", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:", re.IGNORECASE)
_DIALOG_STARTERS = (b"INVITE", b"SUBSCRIBE", b"REFER")


def _start(data: bytes) -> int:
    """Return where the start line is: behind the empty lines that may come first (7.5)."""
    return len(data) - len(data.lstrip(b"\r\n")) if data[:1] in (b"\r", b"\n") else 0


def _value(data: bytes, start: int, end: int) -> bytes:
    """Return the unfolded, trimmed header value that starts there; `end` is where the headers end."""
    stop = data.find(b"\r\n", start, end)
    while stop >= 0 and data[stop + 2 : stop + 3] in (b" ", b"\t"):
        stop = data.find(b"\r\n", stop + 2, end)
    value = data[start : end if stop < 0 else stop]
    if b"\n" in value or b"\r" in value:
        value = b" ".join([part for piece in value.split(b"\r\n") if (part := piece.strip(b" \t"))])
        value = _BARE_END.split(value, maxsplit=1)[0]
    return value.strip(b" \t")


def _head(data: bytes) -> tuple[bytes, int, int]:
    """Return the message as `parser.parse` reads it, where its start line begins and its headers end."""
    start = _start(data)
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        data = with_line_ends(data)
        start = _start(data)
        end = data.find(b"\r\n\r\n", start)
    return data, start, len(data) if end < 0 else end


def call_id(data: bytes) -> bytes | None:
    """Return the Call-ID of a message, or None when there is none (20.8)."""
    data, start, end = _head(data)
    at = data.find(b"\r\nCall-ID:", start, end)
    if at >= 0:
        at += 10
    else:
        found = (
            _CALL_ID.search(data, start, end)
            or _LF_CALL_ID.search(data, start, end)
            or _CR_CALL_ID.search(data, start, end)
        )
        if found is None:
            return None
        at = found.end()
    return _value(data, at, end) or None


def is_request(data: bytes) -> bool:
    """Return whether the start line is that of a request."""
    start = _start(data)
    return data[start : start + 4].upper() != b"SIP/"


def method(data: bytes) -> bytes:
    """Return the method of a request; what comes first in a response is its version."""
    start = _start(data)
    end = data.find(b" ", start, start + 256)
    return data[start:end] if end >= 0 else b""


def has_to_tag(data: bytes) -> bool:
    """Return whether To carries a tag, which is whether the message belongs to a dialog (12.2)."""
    data, start, end = _head(data)
    found = _TO.search(data, start, end)
    if found is None:
        return False
    value = _value(data, found.end(), end).decode("utf-8", "surrogateescape")
    try:
        return tag_of(value) is not None
    except ParseError:
        try:
            return tag_of(mend_address(value, {})) is not None
        except ParseError:
            return not is_request(data) and _ANY_TAG.search(_value(data, found.end(), end)) is not None


def from_tag(data: bytes) -> str:
    """Return what looks like the tag of From, empty without one; found also where From cannot be read (20.20)."""
    data, start, end = _head(data)
    found = _FROM.search(data, start, end) or _LF_FROM.search(data, start, end) or _CR_FROM.search(data, start, end)
    tag = _ANY_TAG.search(_value(data, found.end(), end)) if found is not None else None
    return tag[1].decode("ascii") if tag is not None else ""


def to_tag(data: bytes) -> str:
    """Return what looks like the tag of To, empty without one; found also where To cannot be read (20.39)."""
    data, start, end = _head(data)
    found = _TO.search(data, start, end)
    tag = _ANY_TAG.search(_value(data, found.end(), end)) if found is not None else None
    return tag[1].decode("ascii") if tag is not None else ""


def top_via(data: bytes) -> bytes:
    """Return the topmost Via value, empty without one (20.42)."""
    data, start, end = _head(data)
    found = _VIA.search(data, start, end)
    return _value(data, found.end(), end).partition(b",")[0] if found is not None else b""


def transaction(data: bytes) -> bytes:
    """Return Call-ID, number and method of a request or of a response to it; both give the same octets (8.2.6.2).

    The branch is left out: received and rport are added to its header. Merged requests (8.2.2.2) are the same.
    """
    data, start, end = _head(data)
    found = _CSEQ.search(data, start, end)
    sequence = _value(data, found.end(), end).split() if found is not None else []
    return b" ".join([call_id(data) or b"", *sequence])


def accepts_invite(data: bytes) -> bool:
    """Return whether this is a 2xx to an INVITE, the one response whose loss its sender can act on (13.3.1.4)."""
    data, start, end = _head(data)
    if data[start : start + 9].upper() != b"SIP/2.0 2":
        return False
    found = _CSEQ.search(data, start, end)
    return found is not None and _value(data, found.end(), end).split()[1:] == [b"INVITE"]


def starts_dialog(data: bytes) -> bool:
    """Return whether this is a request for a new dialog: the first thing to refuse under load."""
    return method(data) in _DIALOG_STARTERS and not has_to_tag(data)


def content_length(data: bytes) -> int | None:
    """Return the Content-Length, None when there is none (20.14).

    Raises:
        ParseError: it is malformed, or there twice with two values.
    """
    data, start, end = _head(data)
    found = _CONTENT_LENGTH.search(data, start, end)
    if found is None:
        return None
    value = _value(data, found.end(), end)
    for again in _CONTENT_LENGTH.finditer(data, found.end(), end):
        if _value(data, again.end(), end) != value:
            raise ParseError("content-length is there twice")
    text = value.decode("latin-1")
    return number(text, 2**31 - 1, "Content-Length")
