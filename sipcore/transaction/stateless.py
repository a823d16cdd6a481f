"""Answers that need no state: to what cannot be read, cannot be served or must not be taken on.

RFC 3261 section 8.2 in its order (505, 400, 501 and 405, 416, 420, 415, 406, 483) and 8.2.7 (the same To tag for
every repetition). It has no transaction and no dialog: what belongs to one is judged there (481, 491).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2s
from itertools import islice
from typing import final

from ..errors import ParseError
from ..message import peek
from ..message.fields import Via, tag_of, tagged
from ..message.grammar import TOKEN, split_values
from ..message.headers import key_of, value_of
from ..message.line_ends import with_line_ends
from ..message.mending import mend_value
from ..message.messages import REASON_PHRASES, Request, Response, is_coded
from ..message.parser import METHODS
from ..message.rare_fields import MediaType, type_name
from ..message.tokens import MAGIC_COOKIE
from ..message.uri import MAX_URI

_DIALOG_FORMING = frozenset(("INVITE", "REFER", "SUBSCRIBE"))
_ANY_TAG = re.compile(rf";[ \t]*tag[ \t]*=[ \t]*[{re.escape(TOKEN)}]", re.IGNORECASE)
_REQUEST_URI = re.compile(r"[^\s]+ ([A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"]+) ")
_COPIED_LINE = re.compile(rb"\r\n(?:via|v|from|f|to|t|call-id|i|cseq)[ \t]*:", re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n(?![ \t])")
_MAX_COPIED = 49152
"""Octets of an answer that are copied: it has to fit in a datagram."""
_MAX_LINES = 1024


@final
@dataclass(frozen=True, slots=True)
class Capabilities:
    """What we can do, as far as it decides whether a request is refused at once."""

    methods: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO")
    """The methods served, in the order in which Allow names them; others get 405, or 501 when they are in no RFC."""
    within: tuple[str, ...] = ()
    """Methods served within a dialog alone: without one they get 481, whatever they carry."""
    schemes: tuple[str, ...] = ("sip", "sips")
    """URI schemes served in a Request-URI (8.2.2.1)."""
    extensions: tuple[str, ...] = ("100rel", "timer", "replaces", "norefersub")
    """Option tags supported (8.2.2.3)."""
    extensions_of: tuple[tuple[str, str], ...] = ()
    """Option tags supported in the requests of one method besides: (method, tag)."""
    content_types: tuple[str, ...] = (
        *("application/sdp", "application/dtmf-relay", "application/dtmf"),
        *("audio/telephone-event", "application/vnd.nortelnetworks.digits"),
    )
    """Content types understood, in the order in which Accept names them (8.2.3)."""
    judged: tuple[str, ...] = ()
    """Methods whose body the user judges: none of their content types is refused."""
    answer_types: tuple[str, ...] = ("application/sdp",)
    """What an answer to INVITE may hold: a peer that accepts none of it gets 406 (20.1)."""
    forwards: bool = False
    """Whether requests are passed on, so that Max-Forwards 0 is refused with 483 (16.3)."""
    tag_key: bytes = b""
    """Secret of at most 32 octets that makes stateless To tags unpredictable (8.2.7)."""


def inspect(request: Request, capabilities: Capabilities) -> Response | None:
    """Return the answer that refuses a request, or None when it may be served; ACK is never answered.

    Checks in the order of RFC 3261 8.2, and that the fields a dialog is made of can be read (400).
    """
    if request.method == "ACK":
        return None
    try:
        return _refusal(request, capabilities)
    except ParseError as error:
        return _answer(request, capabilities, error.status_hint, reason=_phrase(error))


def _refusal(request: Request, capabilities: Capabilities) -> Response | None:
    method = request.method
    if method not in capabilities.methods and method not in capabilities.within:
        status = 405 if method in METHODS else 501
        return _answer(request, capabilities, status, [("Allow", ", ".join(capabilities.methods))])
    if request.branch == MAGIC_COOKIE:
        raise ParseError("branch names no transaction")
    uri = request.request_uri
    if uri.scheme not in capabilities.schemes:
        return _answer(request, capabilities, 416)
    if uri.headers or "method" in uri.params:
        raise ParseError("Request-URI holds headers or a method")
    _read_dialog_fields(request)
    if capabilities.forwards and request.max_forwards == 0:
        return _answer(request, capabilities, 483)
    if method == "CANCEL":
        return None
    if method in capabilities.within and request.to_tag is None:
        return _answer(request, capabilities, 481)
    more = [tag for of, tag in capabilities.extensions_of if of == method]
    missing = [tag for tag in request.require if tag.lower() not in (*capabilities.extensions, *more)]
    if missing:
        return _answer(request, capabilities, 420, [("Unsupported", ", ".join(missing))])
    return _refuse_content(request, capabilities)


def _read_dialog_fields(request: Request) -> None:
    """Touch what a dialog is made of, so that a malformed field is a 400 here and no surprise later (12.1.1)."""
    if request.from_.is_wildcard or request.to.is_wildcard:
        raise ParseError("an asterisk is no address")
    for contact in request.contacts:
        if contact.is_wildcard and request.method != "REGISTER":
            raise ParseError("Contact * outside REGISTER")
    if request.method == "SUBSCRIBE" and request.to_tag is None and not request.contacts:
        raise ParseError("SUBSCRIBE has no Contact")  # RFC 6665 section 3.1.1: its NOTIFYs go there
    _ = request.vias
    keys = request.headers.keys
    forms_dialog = "record-route" in keys and request.method in _DIALOG_FORMING
    if forms_dialog and any(entry.is_wildcard for entry in request.record_routes):
        raise ParseError("an asterisk is no route")
    # RFC 3891 section 3: one, and in INVITE only; RFC 3911 section 4: not together with Join.
    if "replaces" in keys and (request.method != "INVITE" or keys.count("replaces") > 1 or "join" in keys):
        raise ParseError("Replaces does not stand alone, or not in an INVITE")
    request.check()


def _refuse_content(request: Request, capabilities: Capabilities) -> Response | None:
    if request.body and not request.handling_optional and request.method not in capabilities.judged:
        if not request.has_only(capabilities.content_types):
            accept = [("Accept", ", ".join(capabilities.content_types))]
            return _answer(request, capabilities, 415, accept)
        if is_coded(request.headers):
            return _answer(request, capabilities, 415, [("Accept-Encoding", "identity")])
    if request.method == "INVITE" and not accepts(request, capabilities):
        warning = [("Warning", '399 localhost "no acceptable description format"')]
        return _answer(request, capabilities, 406, warning)
    return None


def accepts(request: Request, capabilities: Capabilities) -> bool:
    """Whether Accept has one of our formats, or is absent.

    One that cannot be read counts as absent, an empty one has none (20.1).
    """
    if "accept" not in request.headers:
        return True
    ours = capabilities.answer_types
    for value in request.headers.values("accept"):
        wanted = type_name(value)
        if wanted == "*/*" or wanted in ours:
            return True
        if wanted.endswith("/*") and any(name.startswith(wanted[:-1]) for name in ours):
            return True
    return any(request.headers.get_all("accept")) and not request.headers.each("accept", MediaType.parse)


def _answer(
    request: Request,
    capabilities: Capabilities,
    status: int,
    extra: Sequence[tuple[str, str]] = (),
    reason: str | None = None,
) -> Response:
    tag = stateless_tag(request, capabilities.tag_key)
    return Response.to_request(request, status, reason, to_tag=tag, extra=extra)


def stateless_tag(request: Request | bytes, key: bytes = b"") -> str:
    """Return a To tag that is the same for every repetition of a request, and no other's (8.2.7).

    Args:
        key: our secret, at most 32 octets.
    """
    if isinstance(request, bytes):
        identity = request
    else:
        parts = (request.branch, request.call_id, request.from_tag or "", str(request.cseq.number))
        identity = "\0".join(parts).encode("utf-8", "surrogateescape")
    return blake2s(identity, digest_size=10, key=key).hexdigest()


def refuse(
    request: Request | bytes,
    *,
    status: int,
    reason: str | None = None,
    to_tag: str | None = None,
    retry_after: int | None = None,
    extra: Sequence[tuple[str, str]] = (),
    source: tuple[str, int] | None = None,
    key: bytes = b"",
) -> bytes | None:
    """Write the answer that refuses a request, also one that could not be parsed.

    Args:
        request: a Request, or the octets of anything that came.
        reason: phrase, by default the usual one.
        to_tag: by default stateless_tag with `key`.
        retry_after: seconds.
        source: (host, port) of the packet, written into the topmost Via (18.2.1).

    Returns:
        None when no answer may or can go out: to a response, to an ACK, or when it has no Via and so cannot be a
            request.
    """
    extra = [*extra, ("Retry-After", str(retry_after))] if retry_after is not None else extra
    if isinstance(request, Request):
        if request.method == "ACK":
            return None
        if source is not None:
            request.note_source(*source)
        tag = to_tag or stateless_tag(request, key)
        return Response.to_request(request, status, reason, to_tag=tag, extra=extra).to_bytes()
    if not peek.is_request(request) or peek.method(request) == b"ACK":
        return None
    lines = _copied_lines(request, to_tag or stateless_tag(request, key), source)
    if lines is None:
        return None
    lines.insert(0, f"SIP/2.0 {status} {reason or REASON_PHRASES.get(status, 'Unknown')}")
    lines += [f"{name}: {value}" for name, value in extra]
    lines += ["Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def refuse_unreadable(
    data: bytes, error: ParseError, capabilities: Capabilities, *, source: tuple[str, int] | None = None
) -> bytes | None:
    """Answer octets that parser.parse refused with the status its error names; None as in `refuse` (21.4.1)."""
    extra = [("Allow", ", ".join(capabilities.methods))] if error.status_hint == 501 else ()
    key = capabilities.tag_key
    return refuse(data, status=error.status_hint, reason=_phrase(error), extra=extra, source=source, key=key)


def overload_reply(
    data: bytes, retry_after: int, *, source: tuple[str, int] | None = None, key: bytes = b""
) -> bytes | None:
    """Write 503 with Retry-After straight from the octets of a request (21.5.4); None as in `refuse`."""
    return refuse(data, status=503, retry_after=retry_after, source=source, key=key)


def _phrase(error: ParseError) -> str | None:
    return f"Bad Request ({error.reason})" if error.status_hint == 400 else None


def _copied_lines(data: bytes, to_tag: str, source: tuple[str, int] | None) -> list[str] | None:
    """Return the lines an answer copies (8.2.6) from octets of any kind, unfolded; None without a Via."""
    octets = with_line_ends(data).lstrip(b"\r\n")
    end = octets.find(b"\r\n\r\n")
    end = len(octets) if end < 0 else end
    copied: list[str] = []
    seen: set[str] = set()
    room = _MAX_COPIED
    for found in islice(_COPIED_LINE.finditer(octets, 0, end), _MAX_LINES):
        line = _line_at(octets, found.start() + 2, end)
        key = key_of(line.partition(":")[0])
        if key in seen and key != "via":
            continue
        if key == "to" and not value_of(line).strip(" \t"):
            continue
        room -= len(line)
        if room < 0 and key == "via":
            return None  # without it no answer finds its way
        if room < 0:
            room += len(line)
            continue
        if key == "to":
            line = _with_tag(line, to_tag)
        elif key == "via" and "via" not in seen and source is not None:
            line = _stamped(line, source)
        seen.add(key)
        copied.append(line)
    if "to" not in seen:
        start_line = octets[: max(octets.find(b"\r\n"), 0)][:MAX_URI]
        copied.append(f"To: <{_target(str(start_line, 'utf-8', 'surrogateescape'))}>;tag={to_tag}")
    return copied if "via" in seen else None


def _line_at(octets: bytes, start: int, end: int) -> str:
    """Return the unfolded header line that starts there, without bare line ends."""
    found = _LINE_END.search(octets, start, end)
    line = str(octets[start : end if found is None else found.start()], "utf-8", "surrogateescape")
    line = line.replace("\r\n ", " ").replace("\r\n\t", " ")
    return line.replace("\r", " ").replace("\n", " ")


def _with_tag(line: str, to_tag: str) -> str:
    """Give a To line our tag unless it has one, also one that cannot be read (8.2.6.2)."""
    try:
        has_one = tag_of(value_of(line)) is not None
    except ParseError:
        has_one = _ANY_TAG.search(line) is not None
    return line if has_one else tagged(line, to_tag)


def _target(text: str) -> str:
    """The Request-URI, which To names where nothing else is known (8.1.1.2), so that the answer can be read."""
    found = _REQUEST_URI.match(text)
    return found[1] if found else "sip:anonymous.invalid"


def _stamped(line: str, source: tuple[str, int]) -> str:
    """Write where a request came from into its topmost Via, also where its parameters cost the request."""
    try:
        first, *rest = split_values(value_of(line))
        try:
            via = Via.parse(first)
        except ParseError:
            via = Via.parse(mend_value(first, {}))
    except (ParseError, ValueError):
        return line
    return "Via: " + ", ".join((str(via.stamped(*source)), *rest))
