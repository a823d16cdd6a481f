"""Checks of a user's text that becomes part of a message, made when it is given: before any port or call is opened.

A line end in a value would begin a header of its own (RFC 3261 section 7.3). Text that cannot be written would fail
when the INVITE is due. The checks return a value as it is, or raise; they must change nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.headers import key_of

from ..call.request_bodies import usual_type
from ..diagnosis.foreign_text import octets_of, shown
from ..errors import ConfigurationError
from ..runtime.callbacks import Callback, is_callback

SDP: Final = "application/sdp"
_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
"""RFC 3261 section 25.1."""
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
"""Control characters except the tab, and halves of characters that stand for no octet (PEP 383)."""

WRITTEN: Final = frozenset(
    {
        *("via", "from", "to", "call-id", "cseq", "max-forwards", "route", "record-route"),
        *("content-length", "content-type"),
    }
)
"""Headers that every message writes itself and that would stand there twice, by `sipcore.message.headers.key_of`."""

Headers = Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]]


def checked_text(what: str, value: Any) -> str:
    """Return a value that becomes part of one line.

    Raises:
        ConfigurationError: it is no text, or it holds a line end, another control character or one without octets.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is {type(value).__name__}, not text: {shown(repr(value))}")
    found = _UNWRITABLE.search(value)
    if found is not None:
        raise ConfigurationError(
            f"{what} {shown(repr(value))} holds {found.group()!a}, which no line of a message can hold"
        )
    return value


def checked_token(what: str, value: Any) -> str:
    """Return a name of a header or method.

    Raises:
        ConfigurationError: it is no token of RFC 3261.
    """
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ConfigurationError(f"{what} {shown(repr(value))} is not made of letters, digits and -.!%*_+`'~ only")
    return value


def checked_pairs(what: str, given: Any, *, contacts: bool = False) -> tuple[tuple[str, str], ...]:
    """Return headers as pairs of name and value; a list of values repeats the header.

    Args:
        contacts: several Contact headers may be given, as in a 3xx (RFC 3261 section 8.3); else one, instead of the
            usual one.

    Raises:
        ConfigurationError: they are no pairs, a name is no token or one of `WRITTEN`, a value no text of one line, or a
            Contact no URI.
    """
    if not given:
        return ()
    pairs = []
    try:
        for name, values in given.items() if isinstance(given, Mapping) else given:
            checked_token(f"{what}: the name", name)
            if key_of(name) in WRITTEN:
                way = "give the user agent `route` or `outgoing_proxy`" if key_of(name) == "route" else "leave it out"
                raise ConfigurationError(f"{what}: {name} is written by the message itself; {way}")
            several = values if isinstance(values, list | tuple) else (values,)
            pairs += [(name, checked_text(f"{what}: the value of {name}", value)) for value in several]
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{what} {shown(repr(given))} is no mapping of names to values, nor pairs") from error
    if not contacts:
        _check_contact(what, [value for name, value in pairs if key_of(name) == "contact"])
    return tuple(pairs)


def _check_contact(what: str, values: Sequence[str]) -> None:
    """Check the Contact of a message that makes or keeps a dialog: one URI, with any parameters.

    Source: RFC 3261 section 8.1.1.8.
    """
    if len(values) > 1:
        raise ConfigurationError(f"{what}: Contact is there {len(values)} times; a call has one, which replaces ours")
    for value in values:
        address = checked_address(f"{what}: Contact", value)
        if NameAddr.parse(address).is_wildcard:
            raise ConfigurationError(f"{what}: Contact * is for REGISTER; write <sip:USER@HOST>")


def checked_address(what: str, value: Any) -> str:
    """Return a URI or name-addr that can stand in From or Contact.

    Raises:
        ConfigurationError: it is none, or has no host.
    """
    text = checked_text(what, value)
    try:
        uri = NameAddr.parse(text).uri
    except ParseError as error:
        raise ConfigurationError(f"{what}: {shown(repr(text))} is no SIP URI ({error}); write sip:USER@HOST") from error
    if uri.scheme in ("sip", "sips") and not uri.host:
        raise ConfigurationError(f"{what}: {shown(repr(text))} has no host; write sip:USER@HOST")
    return text


def own_address(what: str, text: str, domain: str = "") -> str:
    """Return the local address as a URI: with `sip:` where a host follows the user, with the domain for a user alone.

    Raises:
        ConfigurationError: a user alone, without a domain.
    """
    user, at, _ = text.partition("@")
    if ":" in user or "<" in text:
        return text
    if at:
        return f"sip:{text}"
    if not domain:
        raise ConfigurationError(f"{what} {shown(repr(text))} has no host; write sip:{shown(text)}@HOST")
    return f"sip:{text}@{domain}"


def checked_request(
    method: str, body: bytes | str, headers: dict[str, str]
) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
    """Return body, content type and header pairs of a request with the arguments of `Call.request`.

    Raises:
        ConfigurationError: they cannot be written, or it is an UPDATE with an offer, which no part would follow.
    """
    kind = checked_text("content_type", headers.pop("content_type", headers.pop("Content_Type", usual_type(body))))
    pairs = checked_pairs("headers", {name.replace("_", "-"): value for name, value in headers.items()})
    octets = octets_of(body) if isinstance(body, str) else bytes(memoryview(body))
    checked_token("method", method)
    if method == "UPDATE" and octets and kind.partition(";")[0].strip().lower() == SDP:
        raise ConfigurationError("request: an UPDATE with an offer is call.update(); a text of your own is its sdp=")
    return octets, kind, pairs


def checked_seconds(what: str, value: Any) -> float:
    """Return a time that is not negative.

    Raises:
        ConfigurationError: it is no number, or one that is no time.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigurationError(f"{what} is {shown(repr(value))}, not a number of seconds")
    return value


def checked_callback(what: str, value: Callback) -> Callback:
    """Return a value that can be called back.

    Raises:
        ConfigurationError: it has none of the forms.
    """
    if not is_callback(value):
        raise ConfigurationError(f"{what} is {type(value).__name__}: give a callable, an object with run(), a tuple …")
    return value
