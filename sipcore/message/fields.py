"""Typed values of header fields: name-addr, Via, CSeq and the small ones of the call extensions.

RFC 3261 section 20 and 25, RFC 3262 (RAck), RFC 3891 (Replaces), RFC 4028 (Session-Expires),
RFC 6665 (Event, Subscription-State). Every value is made from one header value, unfolded and trimmed, and writes
itself back with `str`. It uses no message.
"""

import re
from typing import NamedTuple

from ..errors import ParseError
from .grammar import (
    BLANK,
    TOKEN,
    Parameters,
    end_of_quotes,
    format_parameters,
    is_token,
    number,
    parse_parameters,
    quote,
    unquote,
    words,
)
from .uri import Uri, parse_host_port

# The usual spellings, read in one step each; whatever they miss takes the long way, with the same result.
_USUAL_ADDRESS = re.compile(rf'(?:"([^"\\]*)" ?|([A-Za-z0-9]*) ?)<([^<>"]*)>(?:;tag=([{re.escape(TOKEN)}]+))?')
_NO_TAG = re.compile(r";[ \t]*tag[ \t]*(?:=[ \t]*)?(?=;|\Z)", re.IGNORECASE)
_Q = re.compile(r"[0-9]?\.[0-9]{1,3}|[0-9]\.?")
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}"
_USUAL_VIA = re.compile(
    rf"SIP/2\.0/([A-Z]+) ([A-Za-z0-9.\-]+)(?::({_PORT}))?;branch=([{re.escape(TOKEN)}]+)"
    rf"(;rport(?:=({_PORT}))?)?(?:;received=([0-9.]+))?"
)

MAX_CSEQ = 2**31 - 1
"""Highest CSeq number (8.1.1.5)."""
MAX_SECONDS = 2**32 - 1
"""Highest delta-seconds (20.19)."""


class CSeq(NamedTuple):
    """A CSeq value: number and method (20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        """Read a CSeq value.

        Raises:
            ParseError: it is malformed.
        """
        parts = words(text)
        if len(parts) != 2 or not is_token(parts[1]):
            raise ParseError("CSeq is not a number and a method")
        return cls(number(parts[0], MAX_CSEQ, "CSeq"), parts[1])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(NamedTuple):
    """A RAck value: which reliable provisional answer a PRACK acknowledges (RFC 3262 7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "RAck":
        """Read a RAck value.

        Raises:
            ParseError: it is malformed.
        """
        parts = words(text)
        if len(parts) != 3 or not is_token(parts[2]):
            raise ParseError("RAck is not two numbers and a method")
        return cls(number(parts[0], 2**32 - 1, "RAck"), number(parts[1], MAX_CSEQ, "RAck CSeq"), parts[2])

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class NameAddr(NamedTuple):
    """A name-addr or addr-spec with header parameters: From, To, Contact, Route, Refer-To and their like (20.10).

    display_name is decoded; `*` of a Contact has uri None and is_wildcard True.
    """

    display_name: str
    uri: Uri
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "NameAddr":
        """Read one value.

        Raises:
            ParseError: also for an addr-spec that holds a comma or question mark (20.10).
        """
        found = _USUAL_ADDRESS.fullmatch(text)
        if found:
            quoted, plain, address, tag = found.groups()
            return cls(quoted or plain or "", Uri.parse(address), {"tag": tag} if tag else {})
        if text[:1] == "<":
            name, at = "", 0
        elif text[:1] == '"':
            at = end_of_quotes(text, 0)
            name = unquote(text[:at])
            while text[at : at + 1] in BLANK and at < len(text):
                at += 1
            if text[at : at + 1] != "<":
                raise ParseError("no address after a display name")
        else:
            at = text.find("<")
            if at < 0 or ";" in text[:at]:
                return cls._parse_bare(text)
            name_words = words(text[:at])
            if not all(map(is_token, name_words)):
                raise ParseError("a display name holds a character that needs quotes")
            name = " ".join(name_words)
        end = text.find(">", at)
        if end < 0:
            raise ParseError("an angle bracket does not close")
        return cls(name, Uri.parse(text[at + 1 : end]), parse_parameters(text[end + 1 :].strip(BLANK)))

    @classmethod
    def _parse_bare(cls, text: str) -> "NameAddr":
        if text == "*":
            return cls("", _WILDCARD, {})
        address, semicolon, params = text.partition(";")
        address = address.rstrip(BLANK)
        if "?" in address or "," in address:
            raise ParseError("an address with a question mark or comma needs angle brackets")
        return cls("", Uri.parse(address), parse_parameters(semicolon + params))

    @property
    def is_wildcard(self) -> bool:
        """Whether this is the `*` of a Contact that removes all bindings (10.2.2)."""
        return self.uri is _WILDCARD

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return self.params.get("tag")

    @property
    def expires(self) -> int | None:
        """The expires parameter of a Contact in seconds; a malformed one counts as 3600 (20.10)."""
        text = self.params.get("expires")
        if text is None:
            return None
        try:
            return number(text, MAX_SECONDS, "expires")
        except ParseError:
            return 3600

    @property
    def q(self) -> float:
        """The preference of a Contact, 0 to 1; 1 when absent or malformed (20.10)."""
        text = self.params.get("q")
        return 1.0 if text is None or not _Q.fullmatch(text) else min(float(text), 1.0)

    def address(self) -> str:
        """Return the name-addr alone, without tag or other header parameters."""
        if self.uri is _WILDCARD:
            return "*"
        if not self.display_name:
            return f"<{self.uri}>"
        plain = all(is_token(word) for word in self.display_name.split(" "))
        return f"{self.display_name if plain else quote(self.display_name)} <{self.uri}>"

    def __str__(self) -> str:
        return self.address() + format_parameters(self.params)


_WILDCARD = Uri("*")


class Via(NamedTuple):
    """One Via value (20.42, RFC 3581). transport in upper case; host without brackets."""

    transport: str
    host: str
    port: int | None
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Read one Via value, blanks around its slashes allowed.

        Raises:
            ParseError: it is malformed.
        """
        found = _USUAL_VIA.fullmatch(text)
        if found:
            transport, host, port_text, branch, rport, rport_value, received = found.groups()
            params: Parameters = {"branch": branch}
            if rport:
                params["rport"] = rport_value
            if received:
                params["received"] = received
            return cls(transport, host, int(port_text) if port_text else None, params)
        semicolon = text.find(";")
        head, tail = (text, "") if semicolon < 0 else (text[:semicolon], text[semicolon:])
        name, _, rest = head.partition("/")
        version, _, rest = rest.partition("/")
        if name.strip(BLANK).upper() != "SIP" or version.strip(BLANK) != "2.0":
            raise ParseError("a Via is not of SIP/2.0")
        transport, _, sent_by = rest.replace("\t", " ").strip(" ").partition(" ")
        if not is_token(transport):
            raise ParseError("a Via has no transport")
        host, port = parse_host_port(":".join([part.strip(BLANK) for part in sent_by.split(":")]))
        return cls(transport.upper(), host, port, parse_parameters(tail))

    @property
    def branch(self) -> str:
        """The branch parameter, or an empty string."""
        return self.params.get("branch") or ""

    @property
    def received(self) -> str | None:
        """The received parameter without brackets (18.2.1; RFC 5118 section 4.5 allows both spellings)."""
        value = self.params.get("received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | None:
        """The port in the rport parameter; None without one, 0 when it names no port (RFC 3581)."""
        if "rport" not in self.params:
            return None
        return _number_or_none(self.params["rport"], 65535) or 0

    @property
    def sent_by(self) -> str:
        """`host[:port]` as it is written on the wire."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def stamped(self, host: str, port: int) -> "Via":
        """Return this Via with where its request really came from (18.2.1, RFC 3581 section 4).

        received is written when the source differs from sent-by or rport was requested; a forged one is overwritten.
        """
        wants_port = "rport" in self.params
        if host == self.host and not wants_port and "received" not in self.params:
            return self
        params = dict(self.params)
        params["received"] = host
        if wants_port:
            params["rport"] = str(port)
        return self._replace(params=params)

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{format_parameters(self.params)}"


class SessionExpires(NamedTuple):
    """A Session-Expires value: seconds, and "uac", "uas" or an empty string (RFC 4028 section 4)."""

    seconds: int
    refresher: str = ""

    @classmethod
    def parse(cls, text: str) -> "SessionExpires":
        """Read a Session-Expires value.

        Raises:
            ParseError: it is malformed.
        """
        seconds, params = split_parameters(text)
        refresher = (params.get("refresher") or "").lower()
        if refresher not in ("", "uac", "uas"):
            raise ParseError("the refresher is neither uac nor uas")
        return cls(number(seconds, MAX_SECONDS, "Session-Expires"), refresher)

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


class Event(NamedTuple):
    """An Event value: event package with its parameters (RFC 6665 8.2.1)."""

    package: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "Event":
        """Read an Event value.

        Raises:
            ParseError: it is malformed.
        """
        return cls(*_token_with_parameters(text, "Event"))

    @property
    def id(self) -> str | None:
        """The id parameter, which distinguishes subscriptions of one dialog."""
        return self.params.get("id")

    def __str__(self) -> str:
        return self.package + format_parameters(self.params)


class SubscriptionState(NamedTuple):
    """A Subscription-State value; state in lower case (RFC 6665 8.2.3)."""

    state: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "SubscriptionState":
        """Read a Subscription-State value.

        Raises:
            ParseError: it is malformed.
        """
        state, params = _token_with_parameters(text, "Subscription-State")
        return cls(state.lower(), params)

    @property
    def reason(self) -> str | None:
        """Why the subscription ended, or None."""
        return self.params.get("reason")

    @property
    def expires(self) -> int | None:
        """Seconds that are left, or None when absent or malformed."""
        return _number_or_none(self.params.get("expires"), MAX_SECONDS)

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before a new attempt, or None when absent or malformed."""
        return _number_or_none(self.params.get("retry-after"), MAX_SECONDS)

    def __str__(self) -> str:
        return self.state + format_parameters(self.params)


class Replaces(NamedTuple):
    """A Replaces value: the dialog that is to be replaced, tags as its user agent has them (RFC 3891 6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> "Replaces":
        """Read a Replaces value.

        Raises:
            ParseError: a tag is missing.
        """
        call_id, params = split_parameters(text)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id or not to_tag or not from_tag:
            raise ParseError("Replaces does not name a dialog")
        return cls(call_id, to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class RetryAfter(NamedTuple):
    """A Retry-After value: seconds, comment and parameters such as duration (20.33)."""

    seconds: int
    comment: str
    params: Parameters

    @classmethod
    def parse(cls, text: str) -> "RetryAfter":
        """Read a Retry-After value.

        Raises:
            ParseError: it is malformed.
        """
        end = len(text) - len(text.lstrip("0123456789"))
        seconds, rest = number(text[:end], MAX_SECONDS, "Retry-After"), text[end:].strip(BLANK)
        comment = ""
        if rest[:1] == "(":
            closing = end_of_comment(rest)
            comment, rest = rest[1 : closing - 1], rest[closing:].strip(BLANK)
        return cls(seconds, comment, parse_parameters(rest))

    def __str__(self) -> str:
        comment = f" ({self.comment})" if self.comment else ""
        return f"{self.seconds}{comment}{format_parameters(self.params)}"


def end_of_comment(text: str) -> int:
    """Return the index after the parenthesis that closes the one at 0; at most 8 deep.

    Raises:
        ParseError: it is malformed.
    """
    depth = 0
    escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "(":
            depth += 1
            if depth > 8:
                raise ParseError("comments are nested too deep")
        elif character == ")":
            depth -= 1
            if not depth:
                return index + 1
    raise ParseError("a comment does not end")


def split_parameters(text: str) -> tuple[str, Parameters]:
    """Cut `value;name=value` into the trimmed value and its parameters.

    Raises:
        ParseError: it is malformed.
    """
    semicolon = text.find(";")
    if semicolon < 0:
        return text.strip(BLANK), {}
    return text[:semicolon].strip(BLANK), parse_parameters(text[semicolon:])


def _number_or_none(text: str | None, highest: int) -> int | None:
    """Read a number of a parameter; a malformed one counts as absent, since its field can be used without."""
    try:
        return None if text is None else number(text, highest, "a parameter")
    except ParseError:
        return None


def _token_with_parameters(text: str, what: str) -> tuple[str, Parameters]:
    token, params = split_parameters(text)
    if not is_token(token):
        raise ParseError(f"{what} is not a token")
    return token, params


def tag_of(text: str) -> str | None:
    """Return the tag of a From or To value without reading its URI.

    Raises:
        ParseError: it is malformed.
    """
    if text[:1] == "<":
        at = 0
    elif text[:1] == '"':
        quotes = end_of_quotes(text, 0)
        at = text.find("<", quotes)
        if at < 0 or text[quotes:at].strip(BLANK):
            raise ParseError("no address after a display name")
    else:
        at = text.find("<")
        if at < 0 or not is_token(text[:at].strip(BLANK)):
            return NameAddr.parse(text).tag
    end = text.find(">", at)
    if end < 0:
        raise ParseError("an angle bracket does not close")
    if text.startswith(";tag=", end + 1):
        tag = text[end + 6 :]
        if is_token(tag):
            return tag
    elif len(text) == end + 1:
        return None
    return parse_parameters(text[end + 1 :].strip(BLANK)).get("tag")


def tagged(line: str, tag: str) -> str:
    """Add our tag to a To line that has none (8.2.6.2).

    A tag without a value gives way, and so do semicolons with nothing behind.

    Args:
        line: the header line, or its value.
    """
    if line[-1:] != ">":
        at = line.find(";", line.rfind(">") + 1)
        if at >= 0:
            line = line[:at] + _NO_TAG.sub("", line[at:]).rstrip(f"{BLANK};")
    return f"{line};tag={tag}"
