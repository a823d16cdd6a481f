"""Checks of a user's texts, addresses, numbers and callbacks when they are given, before any port or call is opened.

A line end in a value would begin a header of its own (RFC 3261 section 7.3). A value that cannot be written would fail
when the INVITE is due. Each error names the argument. The checks return a value in the form in which it is used, or
raise; they must change nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.headers import is_listed, key_of
from sipswarm.sipcore.message.uri import Uri

from ..call.content_types import usual_type
from ..diagnosis.foreign_text import octets_of, said, shown, unwritable
from ..diagnosis.user_code import place_of
from ..errors import ConfigurationError
from ..runtime.callbacks import Callback, is_callback, takes
from .call_options import OF_LISTEN, InviteOptions, ListenOptions, ReinviteOptions

SDP: Final = "application/sdp"
MOST_KEPT: Final = 256
"""Octets of the text that a call keeps for the process after its own."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
"""RFC 3261 section 25.1."""
_MEDIA_TYPE: Final = re.compile(rf"{_TOKEN.pattern}\s*/\s*{_TOKEN.pattern}\s*(?:;.*)?")
_CALL_ID: Final = re.compile(r"[\w.!%*+`'~()<>:\\\"/\[\]?{}@-]+", re.ASCII)
"""Of words and one @ (RFC 3261 section 25.1)."""
_PLACE: Final = re.compile(r"(?!(?:sips?|tel|mailto|urn|im|pres):)(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
"""HOST:PORT, without a scheme."""
_OF_CALLS: Final = frozenset(
    (
        *InviteOptions.__annotations__,
        *ReinviteOptions.__annotations__,
        *ListenOptions.__annotations__,
        *OF_LISTEN,
    )
)
"""Arguments of calls by keyword."""
SIP: Final = ("sip", "sips")
"""Schemes of SIP URIs."""
MOST_SECONDS: Final = 2**32 - 1
"""The largest delta-seconds (RFC 3261 section 25.1)."""

WRITTEN: Final = frozenset(
    {
        *("via", "from", "to", "call-id", "cseq", "max-forwards", "route", "record-route"),
        *("content-length", "content-type"),
    }
)
"""Headers that every message writes itself and that would stand there twice, by `sipcore.message.headers.key_of`."""

Headers = Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]]


def checked_contact(what: str, value: Any) -> str:
    """Return the Contact of a call's own; empty = the usual one.

    Source: RFC 3261 section 8.1.1.8.

    Raises:
        ConfigurationError: it is no SIP URI.
    """
    return checked_address(what, value, SIP) if checked_text(what, value) else ""


def checked_text(what: str, value: Any) -> str:
    """Return a value that becomes part of one line.

    Raises:
        ConfigurationError: it is no text, or it holds a line end, another control character or one without octets.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is {type(value).__name__}, not text: {said(value)}")
    found = unwritable(value)
    if found:
        raise ConfigurationError(f"{what} {said(value)} holds {found!a}, which no line of a message can hold")
    return value


def checked_kept(text: Any) -> str:
    """Return a text that outlives the process of its call.

    Raises:
        ConfigurationError: it is no text, or has more than `MOST_KEPT` octets.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"keep: {type(text).__name__} cannot be kept, only text: {said(text)}")
    if len(text.encode("utf-8", "surrogatepass")) > MOST_KEPT:
        raise ConfigurationError(f"keep: text {said(text)} has more than {MOST_KEPT} octets; keep a key to it")
    return text


def checked_token(what: str, value: Any) -> str:
    """Return a name of a header or method.

    Raises:
        ConfigurationError: it is no token of RFC 3261.
    """
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ConfigurationError(f"{what} {said(value)} is not made of letters, digits and -.!%*_+`'~ only")
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
        raise ConfigurationError(f"{what} {said(given)} is no mapping of names to values, nor pairs") from error
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


def checked_address(what: str, value: Any, schemes: Sequence[str] = ()) -> str:
    """Return a URI or name-addr that can stand in From, Contact or Route.

    Args:
        schemes: of the URI; none = any.

    Raises:
        ConfigurationError: it is none, has another scheme, or has no host.
    """
    text = checked_text(what, value)
    try:
        address = NameAddr.parse(text)
    except ParseError as error:
        raise _no_uri(what, text, error) from error
    if address.is_wildcard:
        raise ConfigurationError(f"{what}: * names no address; write sip:USER@HOST")
    if "tag" in address.params:
        raise ConfigurationError(f"{what}: {said(text)} has a tag, which each call makes itself; leave it out")
    _check_uri(what, text, address.uri, schemes)
    return text


def _no_uri(what: str, text: str, error: ParseError) -> ConfigurationError:
    return ConfigurationError(f"{what}: {said(text)} is no SIP URI ({error}); write sip:USER@HOST")


def _check_uri(what: str, text: str, uri: Uri, schemes: Sequence[str]) -> None:
    if uri.scheme in SIP and not uri.host:
        raise ConfigurationError(f"{what}: {said(text)} has no host; write sip:USER@HOST")
    if schemes and uri.scheme not in schemes:
        known = " nor ".join(f"{each}:" for each in schemes)
        raise ConfigurationError(f"{what}: {said(text)} is neither {known}; write sip:USER@HOST")


def checked_target(what: str, value: Any, domain: str = "", schemes: Sequence[str] = SIP) -> str:
    """Return a URI or name-addr that a request can be sent to or refer to, completed as by `own_address`.

    Args:
        domain: completes a user alone.
        schemes: of the URI.

    Raises:
        ConfigurationError: it is none, or has another scheme.
    """
    text = own_address(what, checked_text(what, value), domain)
    if "<" in text:
        return checked_address(what, text, schemes)
    try:
        uri = Uri.parse(text)  # with headers perhaps (RFC 3261 section 19.1.1)
    except ParseError as error:
        raise _no_uri(what, text, error) from error
    _check_uri(what, text, uri, schemes)
    return text


def checked_own(what: str, value: Any, domain: str = "") -> str:
    """Return the URI or name-addr of a local user, completed as by `own_address`.

    Raises:
        ConfigurationError: it is neither a SIP URI nor a tel URI.
    """
    return checked_address(what, own_address(what, checked_text(what, value), domain), (*SIP, "tel"))


def checked_referral(what: str, value: Any) -> str:
    """Return the target of a transfer: as for `checked_target`, or a tel URI.

    Raises:
        ConfigurationError: it is none.
    """
    return checked_target(what, value, schemes=(*SIP, "tel"))


def checked_route(what: str, given: Any) -> tuple[str, ...]:
    """Return a route set as name-addrs; a text is one of them.

    Raises:
        ConfigurationError: it is no list, or one is no SIP URI.
    """
    route = [
        checked_address(what, own_address(what, checked_text(what, each)), SIP) for each in checked_list(what, given)
    ]
    return tuple(each if "<" in each else f"<{each}>" for each in route)


def checked_domain(what: str, value: Any) -> str:
    """Return a domain that completes users: a host, perhaps with a port; empty = none.

    Raises:
        ConfigurationError: it is something else.
    """
    text = checked_text(what, value)
    try:
        uri = Uri.parse(f"sip:{text}") if text else None
    except ParseError as error:
        raise ConfigurationError(f"{what}: {said(text)} is no host name ({error}); write example.org") from error
    if uri is not None and (uri.user is not None or uri.params or uri.headers):
        raise ConfigurationError(f"{what}: {said(text)} is more than a host name; write example.org")
    return text


def checked_call_id(what: str, value: Any) -> str:
    """Return a Call-ID; empty = it is still to be chosen.

    Source: RFC 3261 section 25.1.

    Raises:
        ConfigurationError: it is no word, and no two with @ between.
    """
    text = checked_text(what, value)
    if text and (not _CALL_ID.fullmatch(text) or "@" in (text[0], text[-1]) or text.count("@") > 1):
        raise ConfigurationError(f"{what} {said(text)} is no Call-ID; write one word, or WORD@HOST")
    return text


def checked_list(what: str, given: Any) -> tuple[Any, ...]:
    """Return the elements of a list; a text is a list of one.

    Raises:
        ConfigurationError: it is no list.
    """
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable) or isinstance(given, bytes | bytearray | Mapping):
        raise ConfigurationError(f"{what} is {type(given).__name__}, not a list: {said(given)}")
    return tuple(given)


def own_address(what: str, text: str, domain: str = "") -> str:
    """Return an address as a URI: with `sip:` before a host and before USER@HOST, with the domain for a user alone.

    Raises:
        ConfigurationError: a user alone, without a domain.
    """
    user, at, _ = text.partition("@")
    if _PLACE.fullmatch(text):
        return f"sip:{text}"
    if ":" in user or "<" in text:
        return text
    if not text:
        raise ConfigurationError(f"{what} is empty; write sip:USER@HOST")
    if at:
        return f"sip:{text}"
    if not domain:
        raise ConfigurationError(f"{what} {said(text)} has no host; write sip:{shown(text)}@HOST")
    return f"sip:{text}@{domain}"


def checked_media_range(what: str, given: Any) -> str:
    """Return a media type, such as text/plain, or a range of them, such as text/*.

    Raises:
        ConfigurationError: it is none.
    """
    text = checked_text(what, given)
    if not _MEDIA_TYPE.fullmatch(text):
        raise ConfigurationError(f"{what} {said(text)} is no media type; write for example text/plain")
    return text


def checked_request(method: str, body: Any, headers: dict[str, str]) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
    """Return body, content type and header pairs of a request with the arguments of `Call.request`.

    Raises:
        ConfigurationError: they cannot be written, or it is an UPDATE with an offer, which no part would follow.
    """
    if not isinstance(body, str | bytes | bytearray | memoryview):
        raise ConfigurationError(f"body is {type(body).__name__}, neither text nor octets: {said(body)}")
    given = headers.pop("content_type", headers.pop("Content_Type", usual_type(body)))
    kind = checked_media_range("content_type", given)
    pairs = checked_pairs("headers", {name.replace("_", "-"): value for name, value in headers.items()})
    octets = octets_of(body) if isinstance(body, str) else bytes(memoryview(body))
    checked_token("method", method)
    if method == "UPDATE" and octets and kind.partition(";")[0].strip().lower() == SDP:
        raise ConfigurationError("request: an UPDATE with an offer is call.update(); a text of your own is its sdp=")
    return octets, kind, pairs


def checked_seconds(what: str, value: Any, *, above: float = -1.0) -> float:
    """Return a time that is not negative.

    Args:
        above: the time must be longer.

    Raises:
        ConfigurationError: it is no number, or one that is no time.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SECONDS:
        raise ConfigurationError(f"{what} is {said(value)}, not a number of seconds from 0 to {MOST_SECONDS}")
    if value <= above:
        raise ConfigurationError(f"{what} is {value!r} s; give more than {above:g} s")
    return value


def checked_whole(what: str, value: Any, least: int, most: int) -> int:
    """Return a whole number within bounds, both included.

    Raises:
        ConfigurationError: it is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{what} {said(value)} is no whole number from {least} to {most}")
    return value


def checked_status(what: str, value: Any) -> int:
    """Return the status of a response; the call's actor refuses one that is not provisional.

    Raises:
        ConfigurationError: it is no number of three digits or fewer.
    """
    return checked_whole(what, value, 0, 999)


def checked_refusal(what: str, value: Any) -> int:
    """Return a status that refuses a request, from 300 to 699.

    Raises:
        ConfigurationError: it is another one.
    """
    return checked_whole(what, value, 300, 699)


def checked_number(what: str, value: Any, least: float, most: float) -> float:
    """Return a number within bounds, both included.

    Raises:
        ConfigurationError: it is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ConfigurationError(f"{what} {said(value)} is no number from {least:g} to {most:g}")
    return value


def checked_flag(what: str, value: Any) -> bool:
    """Return true or false; also from 1 and 0, as in Perl.

    Raises:
        ConfigurationError: it is another value, which would count as true by chance.
    """
    if not isinstance(value, bool) and not (isinstance(value, int) and value in (0, 1)):
        raise ConfigurationError(f"{what} is {said(value)}, neither True nor False")
    return bool(value)


def checked_leg(what: str, value: Any) -> int | str | None:
    """Return a name or an index of a leg, None for any; whether it exists is checked where the legs are known.

    Raises:
        ConfigurationError: it can be neither.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise ConfigurationError(f"{what} {said(value)} is no leg; give its index or udp:ADDRESS:PORT")
    return value


def checked_callback(what: str, value: Callback, arguments: Sequence[str] | None = None) -> Callback:
    """Return a value that can be called back.

    Args:
        arguments: names of what it is called with, after its own ones; None = it is called with a varying number.

    Raises:
        ConfigurationError: it has none of the forms, or its function does not take these arguments.
    """
    if not is_callback(value):
        raise ConfigurationError(f"{what} is {type(value).__name__}: give a callable, an object with run(), a tuple …")
    if arguments is not None and not takes(value, len(arguments)):
        place = place_of(value)
        own = " its own arguments and" if isinstance(value, tuple | list) and len(value) > 1 else ""
        names, at = ", ".join(arguments), f" ({place})" if place else ""
        raise ConfigurationError(
            f"{what} {said(value)}{at} is called with{own} ({names}) and does not take that; write def {what}({names}):"
        )
    return value


def checked_timer(seconds: Any, function: Callback) -> float:
    """Return the interval of a function that is called again and again.

    Raises:
        ConfigurationError: the interval is no time, or not more than 0; or there is no function without arguments.
    """
    if function is None or not takes(checked_callback("function", function), 0):
        raise ConfigurationError(f"function {said(function)} cannot be called without arguments; give one that can be")
    return checked_seconds("seconds", seconds, above=0.0)


def check_headers(method: str, given: Mapping[str, object], arguments: Sequence[str]) -> None:
    """See that the keyword arguments that become header fields are none of which an argument was meant.

    A header that sipcore knows, and a name with a capital letter, is always a header.

    Args:
        method: of the user agent or call, for the text.
        given: the headers by their names as keyword arguments.
        arguments: the names that the method has.

    Raises:
        ConfigurationError: one is an argument of calls, close to one of these names, or a callback.
    """
    for name in given:
        if not name.islower() or is_listed(name.replace("_", "-")):
            continue
        close = get_close_matches(name, arguments, 1, 0.8)
        if close or name in _OF_CALLS or callable(given[name]):
            other = "which is one of calls" if name in _OF_CALLS else "and a function is no header"
            meant = f"; did you mean {close[0]}?" if close else f", {other}."
            header = "_".join(each.capitalize() for each in name.split("_"))
            raise ConfigurationError(
                f"{method} has no argument {name}{meant} Write {header}=… for a header of that name"
            )
