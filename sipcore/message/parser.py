"""Octets into messages: the one entry of the live path, lazy, and nothing but ParseError comes out of it.

RFC 3261 section 7, 18.3 and 20; limits by our own policy. Reads the start line, finds the header lines, checks
what decides whether the message may be handled at all (Via, From, To, Call-ID, CSeq, lengths); every other field is
read at its first use. What a response can do without never costs it: to drop a final response leaves the call up at the
peer (8.1.3.2). It uses no transport: one datagram or one framed piece of a stream is one message.
"""

import re
from functools import lru_cache

from ..errors import ParseError
from ..leniency import Leniency
from .fields import CSeq, Via
from .grammar import TOKEN, is_token, number, split_values
from .headers import _KEYS, Headers, key_of, unfold, value_of
from .line_ends import with_line_ends
from .mending import READINGS, mend_via
from .messages import Request, Response, odd_tag
from .uri import MAX_URI

MAX_MESSAGE = 65535
"""Longest message, in octets (513 beyond)."""
MAX_LINE = 8192
"""Longest start line or header with its folded lines, in characters."""
MAX_HEADERS = 256
"""Most header lines."""
MAX_LINES = 1024
"""Most lines of a long head, folded ones counted each."""
MAX_VIAS = 64
"""Most Via lines; a torture message of RFC 4475 has 34."""
MAX_BODY = 65535
"""Longest body, in octets (413 beyond)."""

_SHORT = 32
_USUAL_HOPS = frozenset(f" {hops}" for hops in range(256))

_SINGLE = ("call-id", "cseq", "from", "to", "content-length", "max-forwards", "content-type")
_MANDATORY = ("via", "from", "to", "call-id", "cseq")
METHODS = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY",
     "SUBSCRIBE", "MESSAGE", "PUBLISH")
)  # fmt: skip
"""The methods that we recognise: any other is 501 (21.5.2)."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")

# The spellings that nearly every peer uses, recognised in one step each; whatever they miss takes the long way,
# with the same result.
_USUAL_VIA = re.compile(
    rf" ?SIP/2\.0/[A-Z]+ [A-Za-z0-9.\-]+(?::(?:[1-9][0-9]{{0,3}}|[1-5][0-9]{{4}}))?;branch=([{re.escape(TOKEN)}]+)"
    rf"(?:;rport(?:=(?:[1-9][0-9]{{0,3}}|[1-5][0-9]{{4}}))?)?(?:;received=[0-9.]+)?"
)
_USUAL_ADDRESS = re.compile(rf' ?(?:"[^"\\]*"|[A-Za-z0-9]*) ?<[^<>"]*>(?:;tag=([{re.escape(TOKEN)}]+))?')
_usual_via = _USUAL_VIA.fullmatch
_usual_address = _USUAL_ADDRESS.fullmatch


def parse(data: bytes, strict: bool = False) -> Request | Response:
    """Read one whole message.

    Args:
        data: a datagram, or what framing cut out of a stream; octets behind Content-Length are ignored (18.3).
        strict: use no `leniency.Leniency` for what costs the message, now and when its values are read.

    Raises:
        ParseError: its status_hint is the answer to a request.
    """
    end = data.find(b"\r\n\r\n")
    if end <= 0 or data[0] == 13:
        data = data.lstrip(b"\r\n")  # empty lines before a start line are let pass (7.5)
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return _parse_bare(data, strict)
    if len(data) > MAX_MESSAGE:
        raise ParseError("message is too long", 513)
    is_response = data[:4].upper() == b"SIP/"
    forgives = is_response and not strict
    if end > MAX_LINE and not forgives and data.count(b"\n", 0, end) > MAX_LINES:
        raise ParseError("too many header lines")
    head = str(data[:end], "utf-8", "surrogateescape")
    lines = head.splitlines()
    if "\r\n".join(lines) != head:
        lines = _split_lines(head)
    start_line = lines.pop(0)
    known = _KEYS.get
    keys: list[str] = []
    values: dict[str, str] = {}
    used: list[Leniency] | None = None
    if len(lines) > MAX_LINES:  # of a response
        used = [Leniency.MANY_HEADERS]
        del lines[MAX_LINES:]
    try:
        for line in lines:
            name, value = line.split(":", 1)
            key = known(name) or _unusual_key(name)
            keys.append(key)
            values[key] = value
    except ValueError:  # no colon, or no proper name: a folded line, unless the head is malformed
        lines = _join_folded(lines)
        forgiven: list[str] | None = [] if forgives else None
        lines, keys = _index_folded(lines, forgiven)
        values = {key: line.split(":", 1)[1] for key, line in zip(keys, lines, strict=True)}
        if forgiven:
            used = [*(used or ()), Leniency.UNREADABLE_LINE]
    if end > MAX_LINE or len(keys) > MAX_HEADERS:
        if forgives:
            used = [*(used or ()), *_leave_out(start_line, lines, keys)]
            start_line = start_line[:MAX_LINE]
            values = {key: line.split(":", 1)[1] for key, line in zip(keys, lines, strict=True)}
        else:
            _check_lengths(start_line, lines)
    if len(values) != len(keys):
        used = _settle_repeated(lines, keys, used or [], strict, is_response)
        values = {key: lines[keys.index(key)].split(":", 1)[1] for key in values}
    headers = Headers(lines, keys)

    message: Request | Response
    method = ""
    if is_response:
        status, reason = _status_line(start_line)
        message = Response(status, reason, headers, b"", start_line)
    else:
        method, uri = _request_line(start_line)
        message = Request(method, uri, headers, b"", start_line)
    if strict:
        headers.reading = READINGS[True, not method]
    if used:
        headers.note(*used)

    try:
        via, from_, to = values["via"], values["from"], values["to"]
        call_id, cseq_value = values["call-id"].strip(" \t"), values["cseq"]
    except KeyError:
        missing = next(key for key in _MANDATORY if key not in values)
        raise ParseError(f"no {missing} header") from None
    cseq = _cseq(cseq_value) if len(cseq_value) < _SHORT else CSeq.parse(unfold(cseq_value))
    if method and cseq.method != method:
        raise ParseError("CSeq names another method than the request line", 400 if method in METHODS else 501)
    if not call_id or " " in call_id or "\t" in call_id or "\n" in call_id:
        call_id = _odd_call_id(call_id)
    found = _usual_address(from_)
    from_tag = found[1] if found else odd_tag(headers, "from")
    found = _usual_address(to)
    to_tag = found[1] if found else odd_tag(headers, "to")
    found = _usual_via(via)
    branch = found[1] if found else _odd_branch(headers, via)
    headers.typed = {"call_id": call_id, "cseq": cseq, "from_tag": from_tag, "to_tag": to_tag, "branch": branch}
    if "max-forwards" in values:
        value = values["max-forwards"]
        if value not in _USUAL_HOPS:
            _check_hops(headers, unfold(value))

    start = end + 4
    if "content-length" in values:
        value = values["content-length"]
        if value != " 0":
            length = _body_length(headers, unfold(value), len(data) - start)
            message.body = data[start : start + length]
    else:
        message.body = data[start:]
    return message


def _parse_bare(data: bytes, strict: bool) -> Request | Response:
    """Read a message that has no CRLF CRLF: one with bare LF throughout its head, or none at all."""
    whole = with_line_ends(data)
    if whole is data:
        raise ParseError("no blank line after the headers")
    if strict:
        raise ParseError("bare line ends in the headers")
    message = parse(whole)
    message.headers.note(Leniency.BARE_LINE_ENDS)
    return message


def _check_hops(headers: Headers, value: str) -> None:
    """Check Max-Forwards, which only a proxy cannot do without (20.22, RFC 4475 section 3.1.2.4)."""
    try:
        number(value, 2**31 - 1, "Max-Forwards")
    except ParseError:
        if headers.reading.strict:
            raise
        headers.lose("max-forwards")


def _body_length(headers: Headers, value: str, available: int) -> int:
    """Return the length of the body; a response has what came of it, whatever its length field is (18.3)."""
    try:
        length = number(value, 2**31 - 1, "Content-Length")
        if length > MAX_BODY:
            raise ParseError("the body is too long", 413)
        if length > available:
            raise ParseError("Content-Length is larger than the message")
    except ParseError:
        if headers.reading.strict or not headers.reading.is_response:
            raise
        headers.note(Leniency.WRONG_LENGTH)
        return available
    return length


def _unusual_key(name: str) -> str:
    try:
        return key_of(name)
    except ParseError as error:
        raise ValueError from error


def _split_lines(head: str) -> list[str]:
    """Split at CRLF alone, where some other line end, or what Unicode takes for one, is in the headers."""
    lines = head.split("\r\n")
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks:
        raise ParseError("a bare line end in the headers")
    return lines


def _join_folded(lines: list[str]) -> list[str]:
    """Put the lines that start with a blank behind the line that they continue (7.3.1)."""
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] not in (" ", "\t"):
            joined.append([line])
        elif joined:
            joined[-1].append(line)
        else:
            raise ParseError("the first header starts with a blank")
    return ["\r\n".join(pieces) for pieces in joined]


def _index_folded(lines: list[str], forgiven: list[str] | None) -> tuple[list[str], list[str]]:
    """Return lines and keys; lines that are no headers go to `forgiven`, or raise ParseError when that is None."""
    kept, keys = [], []
    for line in lines:
        name, colon, _ = line.partition(":")
        try:
            if not colon:
                raise ParseError("a header line without a colon")
            keys.append(key_of(name))
        except ParseError:
            if forgiven is None:
                raise
            forgiven.append(line)
        else:
            kept.append(line)
    return kept, keys


def _check_lengths(start_line: str, lines: list[str]) -> None:
    """Hold what only a long message can break."""
    if len(start_line) > MAX_LINE:
        raise ParseError("the start line is too long", 414)
    if max(map(len, lines), default=0) > MAX_LINE:
        raise ParseError("a header is too long")
    if len(lines) > MAX_HEADERS:
        raise ParseError("too many headers")


def _leave_out(start_line: str, lines: list[str], keys: list[str]) -> list[Leniency]:
    """Leave out of a response what is too long or too much and its transaction does not need (8.1.3.2)."""
    used = [Leniency.LONG_LINE] if len(start_line) > MAX_LINE else []
    kept: list[tuple[str, str]] = []
    for line, key in zip(lines, keys, strict=True):
        if key in _MANDATORY:
            kept.append((line, key))
        elif len(line) > MAX_LINE:
            used.append(Leniency.LONG_LINE)
        elif len(kept) >= MAX_HEADERS:
            used.append(Leniency.MANY_HEADERS)
        else:
            kept.append((line, key))
    lines[:], keys[:] = [line for line, _ in kept], [key for _, key in kept]
    return used


def _settle_repeated(
    lines: list[str], keys: list[str], used: list[Leniency], strict: bool, is_response: bool
) -> list[Leniency]:
    """Settle what stands once by the grammar and is there again: the first holds when all agree, or in a response."""
    for key in _SINGLE:
        if keys.count(key) < 2:
            continue
        places = [place for place, other in enumerate(keys) if other == key]
        agree = len({value_of(lines[place]).lower() for place in places}) == 1
        if strict or not (agree or is_response or key == "max-forwards"):
            raise ParseError(f"{key} is there twice")
        used.append(Leniency.AGREEING_HEADERS)
        for place in reversed(places[1:]):
            del lines[place], keys[place]
    if keys.count("via") > MAX_VIAS:
        raise ParseError("too many Via headers")
    return used


def _request_line(line: str) -> tuple[str, str]:
    try:
        method, uri, version = line.split(" ")
    except ValueError:
        raise ParseError("the request line is not a method, a URI and a version") from None
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        if version[:4].upper() == "SIP/":
            raise ParseError("the version is not SIP/2.0", 505)
        raise ParseError("the request line has no version")
    if method not in METHODS and not is_token(method):
        raise ParseError("the method is not a token")
    if len(uri) > MAX_URI:
        raise ParseError("the Request-URI is too long", 414)
    if uri[:4] != "sip:" and not _SCHEME.match(uri):
        raise ParseError("the Request-URI has no scheme")
    return method, uri


@lru_cache(maxsize=64)
def _status_line(line: str) -> tuple[int, str]:
    version, _, rest = line.partition(" ")
    if version.upper() != "SIP/2.0":
        raise ParseError("the version is not SIP/2.0", 505)
    code, _, reason = rest.partition(" ")
    if len(code) != 3:
        raise ParseError("the status code has not three digits")
    status = number(code, 699, "status code")
    if status < 100:
        raise ParseError("the status code is out of range")
    return status, reason


@lru_cache(maxsize=1024)
def _cseq(value: str) -> CSeq:
    return CSeq.parse(unfold(value))


def _odd_call_id(value: str) -> str:
    call_id = unfold(value)
    if not call_id or " " in call_id or "\t" in call_id:
        raise ParseError("Call-ID is not one word")
    return call_id


def _odd_branch(headers: Headers, value: str) -> str:
    try:
        vias = split_values(unfold(value))
    except ParseError:
        if headers.reading.strict:
            raise
        vias = headers.values("via")
    if not vias:
        raise ParseError("Via is empty")
    return headers.read(vias[0], Via.parse, mend_via).branch
