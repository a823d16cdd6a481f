"""URIs of SIP: sip, sips and tel in parts, every other scheme kept as text.

RFC 3261 section 19.1 (with the comparison of 19.1.4), RFC 3966 (tel), RFC 5118 (IPv6). A URI is a value: read once,
checked in its parts, and written back as it came as long as none of them changes. Comparison decodes escapes, reading
does not. It must not resolve a name.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from typing import final

from ..errors import ParseError
from .grammar import MAX_PARAMETERS, number

MAX_URI = 2048
"""Longest URI accepted, in characters."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_HOSTNAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
_IPV6 = "0123456789abcdefABCDEF:."
# The usual spelling, read in one step; whatever it misses takes the long way, with the same result.
_USUAL = re.compile(
    r"(sips?):(?:([A-Za-z0-9\-_.!~*'()&=+$,]+)@)?([A-Za-z0-9.\-_]+)(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
    r"(?:;([A-Za-z0-9\-_.;=]*))?"
)
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f"<>]')
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_USER_FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/"
_PARAM_FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()[]/:&+$"
_RESERVED = b";/?:@&=+$,%"
_MUST_MATCH = ("transport", "user", "ttl", "method", "maddr")

UriParameters = Mapping[str, str | None]


def unescape(text: str) -> str:
    """Return the text with its %HH escapes decoded, once; a percent that starts no escape stays (19.1.2)."""
    if "%" not in text:
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_octet, octets).decode("utf-8", "surrogateescape")


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),))


def escape(text: str, free: str) -> str:
    """Return the text with every octet escaped that is not among the `free` characters (19.1.2)."""
    if not text.strip(free):
        return text
    return "".join(
        character
        if character in free
        else "".join(f"%{octet:02X}" for octet in character.encode("utf-8", "surrogateescape"))
        for character in text
    )


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Read `host[:port]`; the brackets of an IPv6 reference are taken off.

    Raises:
        ParseError: it is malformed.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not is_ipv6(host) or (rest and rest[0] != ":"):
            raise ParseError("not an IPv6 reference")
        return host, (port_number(rest[1:]) if rest else None)
    host, colon, rest = text.partition(":")
    if not host or host.strip(_HOSTNAME):
        raise ParseError("not a host name")
    return host, (port_number(rest) if colon else None)


def port_number(text: str) -> int:
    """Read a port of 1 to 65535.

    Raises:
        ParseError: it is malformed.
    """
    port = number(text, 65535, "port")
    if not port:
        raise ParseError("port is out of range")
    return port


def is_ipv6(text: str) -> bool:
    """Return whether the text (without brackets) is written like an IPv6 address.

    The three colons that the grammar of RFC 3261 produced are let through (RFC 5118 section 4.10).
    """
    return text.count(":") >= 2 and len(text) <= 46 and not text.strip(_IPV6)


@final
class Uri:
    """One URI, never changed once it is made (RFC 3261 section 19.1.1).

    Attributes:
        scheme: in lower case.
        user: with its escapes decoded; of a tel URI the number, as written; None = there is none.
        password: with its escapes decoded; None = there is none.
        host: without brackets.
        port: None = there is none.
        params: by their names, with escapes decoded.
        headers: pairs of name and value, with escapes decoded.
        opaque: what follows the colon of a scheme that is neither sip, sips nor tel; else empty.
    """

    __slots__ = ("_text", "headers", "host", "opaque", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        user: str | None = None,
        host: str = "",
        port: int | None = None,
        params: UriParameters | None = None,
        headers: Iterable[tuple[str, str]] = (),
        *,
        password: str | None = None,
        opaque: str = "",
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params: UriParameters = {} if params is None else params
        self.headers = tuple(headers) if headers else ()
        self.opaque = opaque
        self._text = ""

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """Read a URI; what it was read from is what `str` gives back.

        Raises:
            ParseError: (414 when too long).
        """
        if len(text) > MAX_URI:
            raise ParseError("URI is too long", 414)
        found = _USUAL.fullmatch(text)
        if found:
            scheme, user, host, port, params = found.groups()
            uri = cls(scheme, user, host, int(port) if port else None)
            if params is not None:
                uri.params = _parse_params(params)
            uri._text = text
            return uri
        if _FORBIDDEN.search(text):
            raise ParseError("a URI holds a character it must not")
        scheme, colon, rest = text.partition(":")
        if not colon or not _SCHEME.fullmatch(scheme):
            raise ParseError("a URI has no scheme")
        scheme = scheme.lower()
        if scheme in ("sip", "sips"):
            uri = _parse_sip(scheme, rest)
        elif scheme == "tel":
            uri = _parse_tel(rest)
        else:
            if not rest:
                raise ParseError("a URI holds nothing but a scheme")
            uri = cls(scheme, opaque=rest)
        uri._text = text
        return uri

    def __str__(self) -> str:
        return self._text or self._format()

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"

    def _format(self) -> str:
        parts = [self.scheme, ":"]
        if self.scheme in ("sip", "sips"):
            if self.user is not None:
                parts.append(escape(self.user, _USER_FREE))
                if self.password is not None:
                    parts += (":", escape(self.password, _USER_FREE))
                parts.append("@")
            parts.append(self.host_port)
        else:
            parts.append(self.opaque or self.user or "")
        for name, value in self.params.items():
            parts += (";", escape(name, _PARAM_FREE))
            if value is not None:
                parts += ("=", escape(value, _PARAM_FREE))
        separator = "?"
        for name, value in self.headers:
            parts += (separator, escape(name, _PARAM_FREE), "=", escape(value, _PARAM_FREE.replace("&", "")))
            separator = "&"
        return "".join(parts)

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 address."""
        return ":" in self.host

    @property
    def host_port(self) -> str:
        """`host[:port]` as it is written on the wire, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def transport(self) -> str:
        """The transport parameter in lower case, or an empty string."""
        return (self.params.get("transport") or "").lower()

    @property
    def maddr(self) -> str:
        """The maddr parameter, IPv6 without brackets, or an empty string."""
        return (self.params.get("maddr") or "").removeprefix("[").removesuffix("]")

    @property
    def lr(self) -> bool:
        """Whether the URI names a loose router (19.1.1)."""
        return "lr" in self.params

    def replace(
        self,
        *,
        user: str | None = None,
        host: str | None = None,
        port: int | None = None,
        params: UriParameters | None = None,
        headers: Iterable[tuple[str, str]] | None = None,
    ) -> "Uri":
        """Return a copy with another user, host, port, params or headers; what is None stays."""
        return Uri(
            self.scheme,
            self.user if user is None else user,
            self.host if host is None else host,
            self.port if port is None else port,
            self.params if params is None else params,
            self.headers if headers is None else headers,
            password=self.password,
            opaque=self.opaque,
        )

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Uri) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def equivalent(self, other: "Uri") -> bool:
        """Return whether both name the same resource by RFC 3261 19.1.4 (tel: RFC 3966 section 4)."""
        if self.scheme != other.scheme:
            return False
        if self.scheme == "tel":
            return _tel_key(self) == _tel_key(other)
        if self.scheme not in ("sip", "sips"):
            return self.opaque == other.opaque
        if self.user != other.user or self.password != other.password or self.port != other.port:
            return False
        if _host_key(self.host) != _host_key(other.host) or _user_key(self) != _user_key(other):
            return False
        mine, theirs = self.params, other.params
        for name in _MUST_MATCH:
            if (name in mine) != (name in theirs):
                return False
        for name, value in mine.items():
            if name in theirs and (value or "").lower() != (theirs[name] or "").lower():
                return False
        return _header_key(self) == _header_key(other)


def _host_key(host: str) -> str:
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            pass  # three colons, as RFC 5118 section 4.10 has us let through
    return host.lower()


def _user_key(uri: Uri) -> bytes:
    """Return user and password with escapes decoded, but for those of reserved characters (19.1.4)."""
    text = str(uri).partition(":")[2].rpartition("@")[0]
    return _ESCAPE.sub(_unreserved, text.encode("utf-8", "surrogateescape"))


def _unreserved(found: re.Match[bytes]) -> bytes:
    octet = _octet(found)
    return found[0].upper() if octet in _RESERVED else octet


def _header_key(uri: Uri) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in uri.headers)


def _tel_key(uri: Uri) -> tuple[str, list[tuple[str, str]]]:
    plain = (uri.user or "").translate({ord(separator): None for separator in "-.()"}).lower()
    return plain, sorted((name, (value or "").lower()) for name, value in uri.params.items())


def _parse_sip(scheme: str, rest: str) -> Uri:
    userinfo, at, location = rest.rpartition("@")
    user = password = None
    if at:
        if "@" in userinfo:
            raise ParseError("a URI holds two at signs")
        raw_user, colon, raw_password = userinfo.partition(":")
        if not raw_user:
            raise ParseError("a URI has an empty user")
        user = unescape(raw_user)
        password = unescape(raw_password) if colon else None
    location, question, raw_headers = location.partition("?")
    location, semicolon, raw_params = location.partition(";")
    host, port = parse_host_port(location)
    uri = Uri(scheme, user, host, port, password=password)
    if semicolon:
        uri.params = _parse_params(raw_params)
    if question:
        uri.headers = _parse_headers(raw_headers)
    return uri


def _parse_tel(rest: str) -> Uri:
    raw_number, semicolon, raw_params = rest.partition(";")
    if not raw_number or raw_number.strip("+0123456789-.()*#abcdefABCDEF"):
        raise ParseError("not a telephone number")
    return Uri("tel", raw_number, params=_parse_params(raw_params) if semicolon else None)


def _parse_params(text: str) -> UriParameters:
    params: dict[str, str | None] = {}
    parts = text.split(";", MAX_PARAMETERS)
    if len(parts) > MAX_PARAMETERS:
        raise ParseError("too many URI parameters")
    for part in parts:
        name, equals, value = part.partition("=")
        if not name:
            raise ParseError("a URI parameter has no name")
        params.setdefault(unescape(name).lower(), unescape(value) if equals else None)
    return params


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    parts = text.split("&", MAX_PARAMETERS)
    if len(parts) > MAX_PARAMETERS:
        raise ParseError("too many URI headers")
    headers = []
    for part in parts:
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise ParseError("a URI header has no name or no value")
        headers.append((unescape(name), unescape(value)))
    return tuple(headers)
