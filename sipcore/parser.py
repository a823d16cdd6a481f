"""Octets into messages: the one entry of the live path, lazy, and nothing but ParseError comes out of it.

RFC 3261 section 7, 18.3 and 20; limits by our own policy. Reads the start line, finds the header lines, checks
what decides whether the message may be handled at all (Via, From, To, Call-ID, CSeq, lengths); every other field
is read when somebody asks for it. Knows no transport: one datagram or one framed piece of a stream is one message.
"""

import re

from .errors import ParseError
from .fields import CSeq, Via, tag_of
from .grammar import is_token, number, split_values
from .headers import _KEYS, Headers, key_of, value_of
from .message import Message, Request, Response

MAX_MESSAGE = 65535
MAX_LINE = 8192
MAX_HEADERS = 256
MAX_VIAS = 64
MAX_BODY = 65535
MAX_URI = 2048

_SINGLE = ("call-id", "cseq", "from", "to", "content-length", "max-forwards", "content-type")
_MANDATORY = ("via", "from", "to", "call-id", "cseq")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def parse(data: bytes) -> Request | Response:
    """Read one whole message.

    data: a datagram, or what framing cut out of a stream; octets behind Content-Length are ignored (18.3).
    Raises ParseError, whose status_hint says how a request is to be answered.
    """
    if len(data) > MAX_MESSAGE:
        raise ParseError("message is too long", 513)
    end = data.find(b"\r\n\r\n")
    while not end or data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
        end = data.find(b"\r\n\r\n")
    if end < 0:
        raise ParseError("no blank line after the headers")
    head = str(data[:end], "utf-8", "surrogateescape")
    lines = head.split("\r\n")
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks:
        raise ParseError("a bare line end in the headers")
    start_line = lines.pop(0)
    if "\r\n " in head or "\r\n\t" in head:
        lines = _join_folded(lines)
    if len(lines) > MAX_HEADERS:
        raise ParseError("too many headers")
    if end > MAX_LINE:
        if len(start_line) > MAX_LINE:
            raise ParseError("start line is too long", 414)
        if max(map(len, lines), default=0) > MAX_LINE:
            raise ParseError("a header is too long")
    known = _KEYS.get
    keys = []
    for line in lines:
        name, colon, _ = line.partition(":")
        if not colon:
            raise ParseError("a header line without a colon")
        keys.append(known(name) or key_of(name))
    headers = Headers(lines, keys)
    message = _start(start_line, headers)
    _check(message, headers, keys)
    _cut_body(message, data, end + 4)
    return message


def _join_folded(lines: list[str]) -> list[str]:
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not joined:
                raise ParseError("the first header starts with a blank")
            joined[-1].append(line)
        else:
            joined.append([line])
    return ["\r\n".join(pieces) for pieces in joined]


def _start(line: str, headers: Headers) -> Request | Response:
    first, _, rest = line.partition(" ")
    if first[:4].upper() == "SIP/":
        return _status_line(line, first, rest, headers)
    parts = rest.split(" ")
    if len(parts) != 2:
        raise ParseError("the request line is not a method, a URI and a version")
    uri, version = parts
    if not is_token(first):
        raise ParseError("the method is not a token")
    if version.upper() != "SIP/2.0":
        if version[:4].upper() == "SIP/":
            raise ParseError("the version is not SIP/2.0", 505)
        raise ParseError("the request line has no version")
    if len(uri) > MAX_URI:
        raise ParseError("the Request-URI is too long", 414)
    if uri[:4] != "sip:" and not _SCHEME.match(uri):
        raise ParseError("the Request-URI has no scheme")
    return Request(first, uri, headers, b"", line)


def _status_line(line: str, version: str, rest: str, headers: Headers) -> Response:
    if version.upper() != "SIP/2.0":
        raise ParseError("the version is not SIP/2.0", 505)
    code, _, reason = rest.partition(" ")
    if len(code) != 3:
        raise ParseError("the status code has not three digits")
    status = number(code, 699, "status code")
    if status < 100:
        raise ParseError("the status code is out of range")
    return Response(status, reason, headers, b"", line)


def _check(message: Message, headers: Headers, keys: list[str]) -> None:
    for key in _MANDATORY:
        if key not in keys:
            raise ParseError(f"no {key} header")
    if len(set(keys)) != len(keys):
        for key in _SINGLE:
            if keys.count(key) > 1:
                raise ParseError(f"{key} is there twice")
    if keys.count("via") > MAX_VIAS:
        raise ParseError("too many Via headers")
    lines = headers.lines
    typed = headers.typed
    call_id = value_of(lines[keys.index("call-id")])
    if not call_id or " " in call_id or "\t" in call_id:
        raise ParseError("Call-ID is not one word")
    cseq = CSeq.parse(value_of(lines[keys.index("cseq")]))
    if isinstance(message, Request) and cseq.method != message.method:
        raise ParseError("CSeq names another method than the request line")
    typed["call_id"] = call_id
    typed["cseq"] = cseq
    typed["from_tag"] = tag_of(value_of(lines[keys.index("from")]))
    typed["to_tag"] = tag_of(value_of(lines[keys.index("to")]))
    vias = split_values(value_of(lines[keys.index("via")]))
    if not vias:
        raise ParseError("Via is empty")
    typed["via"] = Via.parse(vias[0])
    if "max-forwards" in keys:
        typed["max_forwards"] = number(value_of(lines[keys.index("max-forwards")]), 2**31 - 1, "Max-Forwards")


def _cut_body(message: Message, data: bytes, start: int) -> None:
    text = message.headers.get("content-length")
    if text is None:
        message.body = data[start:]
        return
    length = number(text, 2**31 - 1, "Content-Length")
    if length > MAX_BODY:
        raise ParseError("the body is too long", 413)
    if length > len(data) - start:
        raise ParseError("Content-Length is larger than the message")
    message.body = data[start : start + length]
