"""Requests and responses: a start line, headers kept as they came, a body, and typed values on demand.

RFC 3261 sections 7 and 8. Messages have a property for each header that calls and registrations read; any other one is
read by `Headers.optional` and `Headers.each`. A typed value is read when it is first needed and remembered until a
header changes. An optional header that cannot be read counts as absent, one value of a list costs that value only;
`leniencies` names what that took, `Request.check` raises ParseError for what a request cannot do without. It uses no
transaction, no dialog and no socket.
"""

import re
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Final, final

from ..errors import LocalProtocolError, ParseError
from ..leniency import Leniency
from . import fields
from .fields import CSeq, Event, NameAddr, RAck, Replaces, RetryAfter, SessionExpires, SubscriptionState, Via
from .grammar import BLANK, TOKEN, cut_commas, number, split_values
from .headers import Headers, key_of, value_of
from .mending import (
    LENIENT_RESPONSE,
    mend_address,
    mend_uri,
    mend_via,
)
from .multipart import BodyPart, first_of, references, split_body, understood
from .rare_fields import (
    MediaType,
    Preference,
    Timestamp,
    type_name,
)
from .uri import Uri

REASON_PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 412: "Conditional Request Failed",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority", 420: "Bad Extension",
    421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    424: "Bad Location Information", 428: "Use Identity Header", 429: "Provide Referrer Identity",
    430: "Flow Failed", 433: "Anonymity Disallowed", 436: "Bad Identity-Info", 437: "Unsupported Certificate",
    438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support", 440: "Max-Breadth Exceeded",
    469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 555: "Push Notification Service Not Supported", 580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
    607: "Unwanted", 608: "Rejected",
}  # fmt: skip
"""The reason phrase that goes with a status code (RFC 3261 section 21 and the IANA registry)."""

DESCRIPTION = "application/sdp"
"""The content type of a session description."""
_SHARED_LENGTH = 256

_ANY_TAG = re.compile(rf";[ \t]*tag[ \t]*=[ \t]*([{re.escape(TOKEN)}]+)", re.IGNORECASE)


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise ParseError(f"no {name} header")
    return value


def _whole(headers: Headers, key: str, highest: int) -> int | None:
    return headers.optional(key, lambda value: number(value, highest, key))


def _seconds_of(text: str) -> int:
    return SessionExpires.parse(text).seconds


def odd_tag(headers: Headers, key: str) -> str | None:
    """Return the tag of From or To, mended; of a response also where nothing else can be read.

    Raises:
        ParseError: it is malformed.
    """
    text = _required(headers, key) if not headers.reading.is_response else headers.get(key) or ""
    try:
        return headers.read(text, fields.tag_of, mend_address, key)
    except ParseError:
        if headers.reading.strict or not headers.reading.is_response:
            raise
    headers.lose(key)
    found = _ANY_TAG.search(text)
    return found[1] if found else None


def _address(headers: Headers, key: str) -> NameAddr:
    """Read From or To; in a response, whose status decides, one that is past reading names no user agent."""
    try:
        return NameAddr.parse(_required(headers, key))
    except ParseError:
        value = headers.get(key) or ""
    try:
        return headers.read(value, NameAddr.parse, mend_address, key)
    except ParseError:
        if not headers.reading.is_response:
            raise
        headers.lose(key)
        tag = headers.typed.get(f"{key}_tag")
        return NameAddr("", Uri("sip", None, "unreadable.invalid"), {"tag": tag} if tag else {})


def _top_via(headers: Headers) -> Via:
    value = _required(headers, "via")
    try:
        return Via.parse(split_values(value)[0])
    except (ParseError, IndexError):
        values = headers.values("via")
    if not values:
        raise ParseError("no via header")
    return headers.read(values[0], Via.parse, mend_via)


def with_top_via(line: str, via: Via) -> str:
    """Return a line of Via with another topmost value."""
    value = value_of(line)
    try:
        rest = split_values(value)[1:]
    except ParseError:
        rest = [part.strip(BLANK) for part in cut_commas(value)[1:]]
    return ", ".join((f"Via: {via}", *rest))


def _content_type(headers: Headers) -> str:
    if "content-type" not in headers.keys:
        return ""
    line = headers.lines[headers.keys.index("content-type")]
    return _type_in(line) if len(line) <= _SHARED_LENGTH else _type_in.__wrapped__(line)


@lru_cache(maxsize=256)
def _type_in(line: str) -> str:
    return type_name(value_of(line))


def is_coded(headers: Headers) -> bool:
    """Whether Content-Encoding names a coding of the body, of which none is understood here (20.12, 8.2.3)."""
    if "content-encoding" not in headers.keys:
        return False
    return any(coding.lower() != "identity" for coding in headers.values("content-encoding"))


def _call_id(headers: Headers) -> str:
    return _required(headers, "call-id")


class Message:
    """What requests and responses share. Build with Request.build and Response.build, read with parser.parse."""

    __slots__ = ("body", "headers", "start_line")

    start_line: str
    """As it came, or as it will be written."""
    headers: Headers
    """The header fields; change them through their methods."""
    body: bytes
    """Its octets; Content-Length follows them when the message is written."""

    def to_bytes(self) -> bytes:
        """Write the message: untouched lines byte for byte, Content-Length as the body demands.

        Raises:
            LocalProtocolError: a header value holds a line end that is no folding.
        """
        headers = self.headers
        lines = headers.lines
        length = len(self.body)
        if "content-length" in headers.keys:
            at = headers.index("content-length")
            if not _says(lines[at], length):
                headers.replace_line(at, f"Content-Length: {length}")
            head = "\r\n".join((self.start_line, *lines, "", ""))
            ends = len(lines) + 2
        else:
            head = "\r\n".join((self.start_line, *lines, f"Content-Length: {length}\r\n\r\n"))
            ends = len(lines) + 3
        if head.count("\n") != ends or head.count("\r") != ends:
            _check_line_ends(self.start_line, lines)
        return head.encode("utf-8", "surrogateescape") + self.body

    @property
    def call_id(self) -> str:
        """The Call-ID (20.8)."""
        typed = self.headers.typed
        if "call_id" not in typed:
            typed["call_id"] = _call_id(self.headers)
        value: str = typed["call_id"]
        return value

    @property
    def cseq(self) -> CSeq:
        """The CSeq: number and method (20.16)."""
        typed = self.headers.typed
        if "cseq" not in typed:
            typed["cseq"] = CSeq.parse(_required(self.headers, "cseq"))
        value: CSeq = typed["cseq"]
        return value

    @property
    def from_tag(self) -> str | None:
        """The tag of From, None from a peer of RFC 2543 (20.20)."""
        typed = self.headers.typed
        if "from_tag" not in typed:
            typed["from_tag"] = odd_tag(self.headers, "from")
        value: str | None = typed["from_tag"]
        return value

    @property
    def to_tag(self) -> str | None:
        """The tag of To, None in a request outside a dialog (20.39)."""
        typed = self.headers.typed
        if "to_tag" not in typed:
            typed["to_tag"] = odd_tag(self.headers, "to")
        value: str | None = typed["to_tag"]
        return value

    @property
    def via(self) -> Via:
        """The topmost Via value (20.42)."""
        typed = self.headers.typed
        if "via" not in typed:
            vias = typed.get("vias")
            typed["via"] = vias[0] if vias else _top_via(self.headers)
        value: Via = typed["via"]
        return value

    def note_source(self, host: str, port: int) -> None:
        """Write where a request came from into its topmost Via, or into its answer's (18.2.1, RFC 3581 section 4).

        Args:
            host: address of the packet's source, IPv6 without brackets.
            port: its port.
        """
        via = self.via
        stamped = via.stamped(host, port)
        if stamped is via:
            return
        headers = self.headers
        at = headers.index("via")
        headers.lines[at] = with_top_via(headers.lines[at], stamped)
        for name in ("vias", "copied to answers", "copied to dialog answers"):
            headers.typed.pop(name, None)
        headers.typed["via"] = stamped

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, empty from a peer of RFC 2543 (20.42)."""
        typed = self.headers.typed
        if "branch" not in typed:
            typed["branch"] = self.via.branch
        value: str = typed["branch"]
        return value

    @property
    def parts(self) -> tuple[BodyPart, ...]:
        """The parts of a multipart body, empty for any other (RFC 5621).

        Raises:
            ParseError: it is malformed.
        """
        return split_body(self.media_type, self.body) if self.media_type else ()

    @property
    def description(self) -> bytes:
        """The session description: the body or the part whose type is application/sdp; empty without one.

        A body without a type, or with one that cannot be read, is taken for one (13.2.1, 20.15, RFC 5621 section 8).
        """
        body = self.body
        if not body:
            return body
        kind = self.content_type
        if kind == DESCRIPTION or not kind:
            return body
        if kind.startswith("multipart/"):
            try:
                return first_of(DESCRIPTION, self.parts)
            except ParseError:
                return b""
        return body if self.media_type is None else b""

    @property
    def leniencies(self) -> tuple[Leniency, ...]:
        """The faults of the peer that reading this message has put up with so far, each once."""
        return self.headers.reading.used

    def requires(self, tag: str) -> bool:
        """Whether Require names an option tag, given in lower case; tags are compared without case (7.3.1)."""
        return any(each.lower() == tag for each in self.require)

    @property
    def handling_optional(self) -> bool:
        """Whether the body may be left aside by who does not understand it (20.11, 8.2.3)."""
        found = self.content_disposition if "content-disposition" in self.headers.keys else None
        return found is not None and (found.params.get("handling") or "").lower() == "optional"

    def has_only(self, types: Container[str]) -> bool:
        """Return whether everything in the body that must be understood is of these types (8.2.3, 20.11, RFC 5621).

        Raises:
            ParseError: a multipart body that is none.
        """
        if not self.body or self.content_type in types or self.handling_optional:
            return True
        kind = self.media_type
        if kind is None or kind.type != "multipart":
            return False
        return understood(kind, self.parts, types, references("\n".join(self.headers.lines)))

    @property
    def from_(self) -> NameAddr:
        """From (20.20)."""
        typed = self.headers.typed
        if "from_" not in typed:
            typed["from_"] = _address(self.headers, "from")
        value: NameAddr = typed["from_"]
        return value

    @property
    def to(self) -> NameAddr:
        """To (20.39)."""
        typed = self.headers.typed
        if "to" not in typed:
            typed["to"] = _address(self.headers, "to")
        value: NameAddr = typed["to"]
        return value

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first (20.42)."""
        typed = self.headers.typed
        if "vias" not in typed:
            typed["vias"] = self.headers.each("via", Via.parse, mend_via)
        value: list[Via] = typed["vias"]
        return value

    @property
    def contacts(self) -> list[NameAddr]:
        """Contact values (20.10); a `*` has is_wildcard."""
        typed = self.headers.typed
        if "contacts" not in typed:
            typed["contacts"] = self.headers.each("contact", NameAddr.parse, mend_address)
        value: list[NameAddr] = typed["contacts"]
        return value

    @property
    def routes(self) -> list[NameAddr]:
        """Route values (20.34)."""
        typed = self.headers.typed
        if "routes" not in typed:
            typed["routes"] = self.headers.each("route", NameAddr.parse, mend_address)
        value: list[NameAddr] = typed["routes"]
        return value

    @property
    def record_routes(self) -> list[NameAddr]:
        """Record-Route values, topmost first (20.30)."""
        typed = self.headers.typed
        if "record_routes" not in typed:
            typed["record_routes"] = self.headers.each("record-route", NameAddr.parse, mend_address)
        value: list[NameAddr] = typed["record_routes"]
        return value

    @property
    def content_type(self) -> str:
        """Content-Type in lower case without parameters, empty when absent (20.15)."""
        typed = self.headers.typed
        if "content_type" not in typed:
            typed["content_type"] = _content_type(self.headers)
        value: str = typed["content_type"]
        return value

    @property
    def content_disposition(self) -> Preference | None:
        """Content-Disposition, or None (20.11)."""
        typed = self.headers.typed
        if "content_disposition" not in typed:
            typed["content_disposition"] = self.headers.optional("content-disposition", Preference.parse)
        value: Preference | None = typed["content_disposition"]
        return value

    @property
    def media_type(self) -> MediaType | None:
        """Content-Type with its parameters, or None (20.15)."""
        typed = self.headers.typed
        if "media_type" not in typed:
            typed["media_type"] = self.headers.optional("content-type", MediaType.parse)
        value: MediaType | None = typed["media_type"]
        return value

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, or None (20.22)."""
        typed = self.headers.typed
        if "max_forwards" not in typed:
            typed["max_forwards"] = _whole(self.headers, "max-forwards", 2**31 - 1)
        value: int | None = typed["max_forwards"]
        return value

    @property
    def expires(self) -> int | None:
        """Expires in seconds, or None (20.19)."""
        typed = self.headers.typed
        if "expires" not in typed:
            typed["expires"] = _whole(self.headers, "expires", 2**32 - 1)
        value: int | None = typed["expires"]
        return value

    @property
    def min_expires(self) -> int | None:
        """Min-Expires in seconds, or None (20.23)."""
        typed = self.headers.typed
        if "min_expires" not in typed:
            typed["min_expires"] = _whole(self.headers, "min-expires", 2**32 - 1)
        value: int | None = typed["min_expires"]
        return value

    @property
    def retry_after(self) -> RetryAfter | None:
        """Retry-After, or None (20.33)."""
        typed = self.headers.typed
        if "retry_after" not in typed:
            typed["retry_after"] = self.headers.optional("retry-after", RetryAfter.parse)
        value: RetryAfter | None = typed["retry_after"]
        return value

    @property
    def require(self) -> tuple[str, ...]:
        """Option tags of Require as written (20.32, 7.3.1)."""
        typed = self.headers.typed
        if "require" not in typed:
            typed["require"] = tuple(self.headers.values("require"))
        value: tuple[str, ...] = typed["require"]
        return value

    @property
    def supported(self) -> tuple[str, ...]:
        """Option tags of Supported as written (20.37)."""
        typed = self.headers.typed
        if "supported" not in typed:
            typed["supported"] = tuple(self.headers.values("supported"))
        value: tuple[str, ...] = typed["supported"]
        return value

    @property
    def allow(self) -> tuple[str, ...]:
        """Methods of Allow (20.5)."""
        typed = self.headers.typed
        if "allow" not in typed:
            typed["allow"] = tuple(self.headers.values("allow"))
        value: tuple[str, ...] = typed["allow"]
        return value

    @property
    def rseq(self) -> int | None:
        """RSeq, or None (RFC 3262 7.1)."""
        typed = self.headers.typed
        if "rseq" not in typed:
            typed["rseq"] = _whole(self.headers, "rseq", 2**32 - 1)
        value: int | None = typed["rseq"]
        return value

    @property
    def rack(self) -> RAck | None:
        """RAck, or None (RFC 3262 7.2)."""
        typed = self.headers.typed
        if "rack" not in typed:
            typed["rack"] = self.headers.optional("rack", RAck.parse)
        value: RAck | None = typed["rack"]
        return value

    @property
    def session_expires(self) -> SessionExpires | None:
        """Session-Expires, or None (RFC 4028 section 4)."""
        typed = self.headers.typed
        if "session_expires" not in typed:
            typed["session_expires"] = self.headers.optional("session-expires", SessionExpires.parse)
        value: SessionExpires | None = typed["session_expires"]
        return value

    @property
    def min_se(self) -> int | None:
        """Min-SE in seconds, or None (RFC 4028 section 5)."""
        typed = self.headers.typed
        if "min_se" not in typed:
            typed["min_se"] = self.headers.optional("min-se", _seconds_of)
        value: int | None = typed["min_se"]
        return value

    @property
    def event(self) -> Event | None:
        """Event, or None (RFC 6665 8.2.1)."""
        typed = self.headers.typed
        if "event" not in typed:
            typed["event"] = self.headers.optional("event", Event.parse)
        value: Event | None = typed["event"]
        return value

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """Subscription-State, or None (RFC 6665 8.2.3)."""
        typed = self.headers.typed
        if "subscription_state" not in typed:
            typed["subscription_state"] = self.headers.optional("subscription-state", SubscriptionState.parse)
        value: SubscriptionState | None = typed["subscription_state"]
        return value

    @property
    def refer_to(self) -> NameAddr | None:
        """Refer-To, or None (RFC 3515 2.1)."""
        typed = self.headers.typed
        if "refer_to" not in typed:
            typed["refer_to"] = self.headers.optional("refer-to", NameAddr.parse, mend_address)
        value: NameAddr | None = typed["refer_to"]
        return value

    @property
    def replaces(self) -> Replaces | None:
        """Replaces, or None (RFC 3891 6.1)."""
        typed = self.headers.typed
        if "replaces" not in typed:
            typed["replaces"] = self.headers.optional("replaces", Replaces.parse)
        value: Replaces | None = typed["replaces"]
        return value

    @property
    def timestamp(self) -> Timestamp | None:
        """Timestamp, or None (20.38)."""
        typed = self.headers.typed
        if "timestamp" not in typed:
            typed["timestamp"] = self.headers.optional("timestamp", Timestamp.parse)
        value: Timestamp | None = typed["timestamp"]
        return value


@final
class Request(Message):
    """A request; a changed one is built anew."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"", start_line: str = "") -> None:
        self.method = method
        """As written in the start line."""
        self.uri = uri
        """The Request-URI as written in the start line."""
        self.headers = headers
        self.body = body
        self.start_line = start_line or f"{method} {uri} SIP/2.0"

    @classmethod
    def build(cls, method: str, uri: str, header_pairs: Sequence[tuple[str, str]], body: bytes = b"") -> "Request":
        """Make a request; Content-Length is written by itself.

        Args:
            method, uri: as they stand in the start line.
            header_pairs: (name, value) of each header field, in order.
            body: octets.
        """
        return cls(method, uri, Headers.of(header_pairs), body)

    @property
    def request_uri(self) -> Uri:
        """The Request-URI in parts.

        Raises:
            ParseError: it is malformed.
        """
        typed = self.headers.typed
        if "request_uri" not in typed:
            typed["request_uri"] = self.headers.read(self.uri, Uri.parse, mend_uri)
        value: Uri = typed["request_uri"]
        return value

    def check(self) -> None:
        """Raise ParseError when a header cannot be read that the method cannot do without (8.2).

        All others count as absent from then on, strictly read ones too.
        """
        headers = self.headers
        needed = _NEEDED_STRICTLY if headers.reading.strict else _NEEDED
        for key, name in needed.get(self.method, ()):
            if key in headers.keys:
                getattr(self, name)
                if key in headers.reading.unreadable:
                    raise ParseError(f"{key} cannot be read")
        if "session-expires" in headers.keys and self.requires("timer"):
            _ = self.session_expires
            if "session-expires" in headers.reading.unreadable:
                raise ParseError("session-expires cannot be read")
        headers.reading = headers.reading.relaxed()

    def __repr__(self) -> str:
        return f"<Request {self.start_line!r}>"


@final
class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"", start_line: str = "") -> None:
        self.status = status
        """From 100 to 699."""
        self.reason = reason
        """The reason phrase as written in the start line."""
        headers.reading = LENIENT_RESPONSE
        self.headers = headers
        self.body = body
        self.start_line = start_line or f"SIP/2.0 {status} {reason}"

    @classmethod
    def build(
        cls, status: int, reason: str | None, header_pairs: Sequence[tuple[str, str]], body: bytes = b""
    ) -> "Response":
        """Make a response; Content-Length is written by itself.

        Args:
            status: from 100 to 699.
            reason: its phrase; None = the usual one.
            header_pairs: (name, value) of each header field, in order.
            body: octets.
        """
        phrase = REASON_PHRASES.get(status, "Unknown") if reason is None else reason
        return cls(status, phrase, Headers.of(header_pairs), body)

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        extra: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> "Response":
        """Answer a request: Via, From, To, Call-ID and CSeq are copied as they came (8.2.6).

        to_tag is added to To unless it has one or the status is 100. Record-Route is copied into what forms a dialog:
        101 to 299 to INVITE, SUBSCRIBE, REFER or NOTIFY (12.1.1).

        Args:
            reason: phrase; None = the usual one.
            extra: further (name, value) pairs.
            body, content_type: octets, and their type.
        """
        if reason is None:
            reason = REASON_PHRASES.get(status, "Unknown")
        dialog = 100 < status < 300 and request.method in _DIALOG_FORMING
        lines, keys, to_at = _copied(request.headers, dialog)
        if to_tag and to_at >= 0 and status > 100 and request.to_tag is None:
            lines[to_at] = fields.tagged(lines[to_at], to_tag)
        for name, value in extra:
            lines.append(f"{name}: {value}")
            keys.append(key_of(name))
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
            keys.append("content-type")
        return cls(status, reason, Headers(lines, keys), body)

    def __repr__(self) -> str:
        return f"<Response {self.start_line!r}>"


_DIALOG = (("contact", "contacts"), ("record-route", "record_routes"))
_NEEDED = {
    "INVITE": (*_DIALOG, ("replaces", "replaces")),  # RFC 3261 12.1.1, RFC 3891 section 3
    "UPDATE": _DIALOG[:1],  # RFC 3311 5.2
    "PRACK": (("rack", "rack"),),  # RFC 3262 section 3
    "REFER": (*_DIALOG, ("refer-to", "refer_to")),  # RFC 3515 2.4.2
    "SUBSCRIBE": (*_DIALOG, ("event", "event")),  # RFC 6665 4.2.1
    "NOTIFY": (("event", "event"), ("subscription-state", "subscription_state")),  # RFC 6665 4.1.3
}
"""The headers that a request cannot do without, where it has them: (key, property) by method."""
_TIMER = (("session-expires", "session_expires"), ("min-se", "min_se"))
_NEEDED_STRICTLY = {
    **_NEEDED,
    "INVITE": (*_NEEDED["INVITE"], *_TIMER),
    "UPDATE": (*_NEEDED["UPDATE"], *_TIMER),
}

COPIED: Final = frozenset(("via", "from", "to", "call-id", "cseq"))
"""Keys of the headers that each answer copies from its request (RFC 3261 section 8.2.6.2)."""
_DIALOG_COPIED = COPIED | {"record-route"}
_DIALOG_FORMING = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))


def _copied(headers: Headers, dialog: bool) -> tuple[list[str], list[str], int]:
    """Return lines and keys that an answer copies, lists of their own, and where To is among them (or -1)."""
    name = "copied to dialog answers" if dialog else "copied to answers"
    found = headers.typed.get(name)
    if found is None:
        wanted = _DIALOG_COPIED if dialog else COPIED
        pairs = [pair for pair in zip(headers.lines, headers.keys, strict=True) if pair[1] in wanted]
        lines = [line for line, _ in pairs]
        keys = [key for _, key in pairs]
        found = headers.typed[name] = lines, keys, keys.index("to") if "to" in keys else -1
    lines, keys, at = found
    return lines.copy(), keys.copy(), at


def _says(line: str, length: int) -> bool:
    value = line[line.index(":") + 1 :].strip(" \t")
    return value.isdigit() and value.isascii() and len(value) < 20 and int(value) == length


def _check_line_ends(start_line: str, lines: list[str]) -> None:
    if "\r" in start_line or "\n" in start_line:
        raise LocalProtocolError("a line end in a start line")
    for line in lines:
        bare = line.replace("\r\n ", "").replace("\r\n\t", "")
        if "\r" in bare or "\n" in bare:
            raise LocalProtocolError(f"a line end in the header {line.partition(':')[0]}")
