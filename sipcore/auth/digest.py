"""Digest authentication, what both sides share: challenges, credentials, and the arithmetic; and the client's side.

RFC 2617, RFC 7616, RFC 8760 (SHA-256 and SHA-512-256 in SIP), RFC 3261 section 22. The server's side is
`digest_server`. This file uses no sockets, no clock and no passwords but those that a lookup hands it; whether a
challenger may be answered at all is decided by that lookup, which gets realm and host.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..leniency import Leniency
from ..message.grammar import cut_commas, end_of_quotes, is_token, quote, unquote
from ..message.headers import Headers
from ..message.mending import mend_authentication
from ..message.messages import Response
from ..message.tokens import Tokens

MAX_PARAMETERS: Final = 64
MAX_SPACES: Final = 16
_SCHEME: Final = re.compile(r"""[^ \t="]+(?:$|[ \t]+(?![ \t=]))""")
"""The begin of challenge or credentials: a scheme, and no parameter."""
_BLANK: Final = re.compile(r"[ \t\r\n]+")
_QOP: Final = re.compile(r"(?:[^ \t]+[ \t]+)?qop[ \t]*=", re.IGNORECASE)

_HASHES: Final[Mapping[str, str]] = {
    # RFC 8760 section 2.1: the names of the registry, compared without case.
    name: constructor
    for name, constructor in (("MD5", "md5"), ("SHA-256", "sha256"), ("SHA-512-256", "sha512_256"))
    if constructor in hashlib.algorithms_available
}

ALGORITHMS: Final = tuple(_HASHES)
"""The algorithms that can be computed here, each also with the suffix -sess."""

CredentialsLookup = Callable[[str, str], "tuple[str, str] | None"]
"""Called with realm and host of the challenger; returns (user, password), None when there is nothing for it."""


class Challenge(NamedTuple):
    """One digest challenge (RFC 7616 section 3.3)."""

    realm: str
    nonce: str
    algorithm: str
    """As in the registry, upper case but for "-sess"; MD5 when the challenge names none."""
    qop: tuple[str, ...]
    """In lower case; empty when the challenge names none (RFC 2069)."""
    opaque: str | None
    stale: bool
    userhash: bool
    """The server demands a hash instead of the user's name (RFC 7616 section 3.4.4)."""
    written_algorithm: str | None
    """As the challenge writes it, to be given back; None when it writes none."""

    def usable_qop(self) -> str | None:
        """ "auth" before "auth-int", "" for a challenge without qop, None when it has only unknown ones."""
        if not self.qop:
            return ""
        return next((name for name in ("auth", "auth-int") if name in self.qop), None)


class Credentials(NamedTuple):
    """What a client answers (RFC 7616 section 3.4), as read from an Authorization header."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    """Empty in the style of RFC 2069."""
    nc: int
    written_nc: str
    """As the client wrote it, because the response covers these digits; empty in the style of RFC 2069."""
    cnonce: str
    opaque: str | None
    userhash: bool
    auts: str
    """Where a client of AKA stands (RFC 3310 section 3.4); empty in all others."""

    def __repr__(self) -> str:
        return f"Credentials(realm={self.realm!r}, …)"


def digest_elements(text: str) -> list[str]:
    """The challenges or credentials of scheme Digest in one header value, one text each; unread so far.

    What belongs to another scheme, or to none, is left out whatever it looks like (RFC 3261 section 22.1, RFC 8898).
    """
    parts: list[list[str]] = []
    in_qop = False
    for part in filter(None, [each.strip() for each in cut_commas(text)]):
        in_qop = is_token(part) if in_qop else False  # `qop=auth,auth-int` without quotes
        if not parts or (not in_qop and _SCHEME.match(part)):
            parts.append([])
        parts[-1].append(part)
        in_qop = in_qop or _QOP.match(part) is not None
    elements = [", ".join(each) for each in parts]
    return [each for each in elements if each[:6].lower() == "digest" and (len(each) == 6 or each[6] in " \t\r\n")]


def parse_challenges(text: str) -> list[Challenge]:
    """The digest challenges of one WWW-Authenticate or Proxy-Authenticate value; those of other schemes are left out.

    Raises:
        ParseError: the value is malformed.
    """
    found = []
    for scheme, words in (each for element in digest_elements(text) for each in _read(element)):
        if scheme != "digest":
            continue
        written = words.get("algorithm")
        found.append(
            Challenge(
                _needed(words, "realm"),
                _needed(words, "nonce"),
                canonical(written or "MD5"),
                tuple(word.strip().lower() for word in words.get("qop", "").split(",") if word.strip()),
                words.get("opaque"),
                words.get("stale", "").lower() == "true",
                words.get("userhash", "").lower() == "true",
                written,
            )
        )
    return found


def parse_credentials(text: str) -> Credentials | None:
    """The digest credentials of one Authorization or Proxy-Authorization value, None when its scheme is another.

    Raises:
        ParseError: the value is malformed.
    """
    elements = digest_elements(text)
    if not elements:
        return None
    schemes = _read(elements[0])
    if len(elements) > 1 or len(schemes) != 1:
        raise ParseError("more than one set of credentials in one header")
    words = schemes[0][1]
    count = words.get("nc", "")
    if count and (len(count) != 8 or count.strip("0123456789abcdefABCDEF")):
        raise ParseError("nonce count is not eight hexadecimal digits")
    qop = words.get("qop", "").lower()
    if qop and not count:
        raise ParseError("credentials with qop and no nonce count")
    return Credentials(
        _needed(words, "username"),
        _needed(words, "realm"),
        _needed(words, "nonce"),
        _needed(words, "uri"),
        _needed(words, "response").lower(),
        canonical(words.get("algorithm") or "MD5"),
        qop,
        int(count, 16) if count else 0,
        count,
        words.get("cnonce", ""),
        words.get("opaque"),
        words.get("userhash", "").lower() == "true",
        words.get("auts", ""),
    )


def hash_text(algorithm: str, data: str | bytes) -> str:
    """Hexadecimal hash of text (as UTF-8) or octets; `algorithm` one of ALGORITHMS, with or without -sess."""
    octets = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return hashlib.new(_HASHES[algorithm.removesuffix("-sess")], octets, usedforsecurity=False).hexdigest()


def is_supported(algorithm: str) -> bool:
    """Whether the algorithm, as canonical in `Challenge.algorithm`, can be computed here."""
    return algorithm.removesuffix("-sess") in _HASHES


def user_hash(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(user:realm:password), the part of A1 that a server may store instead of a password."""
    return hash_text(algorithm, f"{username}:{realm}:{password}")


def session_hash(algorithm: str, ha1: str, nonce: str, cnonce: str) -> str:
    """H(A1): `ha1` as it is, or for an algorithm with -sess bound to the first nonces (RFC 7616 section 3.4.2)."""
    return hash_text(algorithm, f"{ha1}:{nonce}:{cnonce}") if algorithm.endswith("-sess") else ha1


def response_hash(
    algorithm: str,
    ha1: str,
    nonce: str,
    method: str,
    uri: str,
    *,
    qop: str = "",
    nc: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The response parameter (RFC 7616 section 3.4.1; without qop RFC 2069 section 2.1.2).

    Args:
        ha1: result of `session_hash`.
        nc: eight hexadecimal digits.
        body: counts for qop auth-int only.
    """
    entity = f":{hash_text(algorithm, body)}" if qop == "auth-int" else ""
    ha2 = hash_text(algorithm, f"{method}:{uri}{entity}")
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return hash_text(algorithm, f"{ha1}:{middle}:{ha2}")


@final
class _Space:
    """A protection space we have credentials for: one realm at one host, as proxy or as user agent."""

    __slots__ = ("challenge", "cnonce", "count", "from_stale", "ha1", "nonce", "username")

    def __init__(self, challenge: Challenge, username: str, password: str, cnonce: str) -> None:
        self.challenge = challenge
        self.nonce = challenge.nonce
        self.cnonce = cnonce
        self.count = 0
        self.from_stale = challenge.stale
        algorithm = challenge.algorithm
        ha1 = user_hash(algorithm, username, challenge.realm, password)
        self.ha1 = session_hash(algorithm, ha1, challenge.nonce, cnonce)
        self.username = hash_text(algorithm, f"{username}:{challenge.realm}") if challenge.userhash else username

    def credentials(self, method: str, uri: str, body: bytes) -> str:
        """The header value for one request; counts it."""
        challenge = self.challenge
        qop = challenge.usable_qop() or ""
        self.count += 1
        nc = f"{self.count:08x}"
        response = response_hash(
            challenge.algorithm, self.ha1, self.nonce, method, uri, qop=qop, nc=nc, cnonce=self.cnonce, body=body
        )
        parts = [
            f"Digest username={quote(self.username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(uri)}",
            f'response="{response}"',
        ]
        if challenge.written_algorithm is not None:
            parts.append(f"algorithm={challenge.written_algorithm}")
        if qop or challenge.algorithm.endswith("-sess"):
            parts.append(f'cnonce="{self.cnonce}"')
        if qop:
            parts.append(f"qop={qop}")
            parts.append(f"nc={nc}")
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        if challenge.userhash:
            parts.append("userhash=true")
        return ", ".join(parts)


_PROXY = "Proxy-Authorization"
_USER = "Authorization"


@final
class DigestClient:
    """Answers challenges to requests of one call or registration, and authorizes later requests beforehand.

    The usual use: put `headers(...)` into every request; on 401 or 407 call `answer(...)` and repeat the request with
    the headers that come back instead of its own credentials; on any other final response call `note(...)`.

    Args:
        credentials: called with the realm of a challenge and the host that the request went to; what it answers None
            for is never answered (RELIABILITY S8).
        tokens: source of client nonces.
    """

    __slots__ = ("_lookup", "_spaces", "_tokens")

    def __init__(self, credentials: CredentialsLookup, tokens: Tokens) -> None:
        self._lookup = credentials
        self._tokens = tokens
        self._spaces: dict[tuple[str, str, str], _Space] = {}

    def headers(self, method: str, uri: str, body: bytes = b"", *, host: str) -> list[tuple[str, str]]:
        """Credentials for a new request to `host`, for each realm known there (RFC 7616 section 3.4), maybe none.

        The nonce count of each rises by one.

        Args:
            uri: the Request-URI as written.
            host: as in `answer`.
        """
        host = host.lower()
        return [
            (name, space.credentials(method, uri, body))
            for (name, where, _), space in self._spaces.items()
            if where == host
        ]

    def answer(
        self,
        response: Response,
        *,
        method: str,
        uri: str,
        body: bytes = b"",
        host: str,
        sent: Sequence[tuple[str, str]] = (),
    ) -> list[tuple[str, str]] | None:
        """Credentials for repeating a request that was challenged by 401 or 407: headers to put in, instead of `sent`.

        Args:
            method, uri, body: of the request, the Request-URI as written.
            host: where the request was sent: domain or address of registrar, proxy or peer.
            sent: the credentials it carried, name and value of each header.

        Returns:
            None when the request is not to be repeated: no challenge that can be read and computed, nothing for its
            realm at this host, credentials that we sent refused, or stale twice in a row (RFC 3261 section 22.2,
            RELIABILITY B6).
        """
        if not self.learn(response, host=host, sent=sent):
            return None
        return self.headers(method, uri, body, host=host)

    def learn(self, response: Response, *, host: str, sent: Sequence[tuple[str, str]] = ()) -> bool:
        """Take the challenges of a 401 or 407 without repeating anything (man page: `resp40x`).

        Args:
            host, sent: as in `answer`.

        Returns:
            True when at least one challenge can be answered and none refused credentials that we sent.
        """
        name, header = _PROXY if response.status == 407 else _USER, _challenge_header(response)
        used = _credentials_in(name, sent)
        learned: set[str] = set()
        for challenge in _challenges(response.headers, header):
            # RFC 8760 section 2.4: of several algorithms for a realm the first that we can compute.
            if challenge.realm in learned:
                continue
            key = (name, host.lower(), challenge.realm)
            old = used.get(challenge.realm)
            if old is not None and not self._may_repeat(key, old, challenge):
                return False
            found = self._lookup(challenge.realm, host)
            if found is None:
                continue
            self._spaces.pop(key, None)
            if len(self._spaces) >= MAX_SPACES:
                del self._spaces[next(iter(self._spaces))]
            self._spaces[key] = _Space(challenge, *found, self._tokens.cnonce())
            learned.add(challenge.realm)
        return bool(learned)

    def note(self, response: Response, *, host: str) -> None:
        """Take the next nonce from a final response's Authentication-Info (RFC 7616 section 3.5), if it has one."""
        for name, header in ((_USER, "Authentication-Info"), (_PROXY, "Proxy-Authentication-Info")):
            value = response.headers.get(header)
            if value is None:
                continue
            try:
                words = _read(f"Digest {value}")[0][1]
            except ParseError:
                continue
            following = words.get("nextnonce")
            realm = words.get("realm")
            if not following:
                continue
            for key, space in self._spaces.items():
                if key[:2] == (name, host.lower()) and realm in (None, key[2]):
                    space.nonce = following
                    space.count = 0
                    space.from_stale = False

    def forget(self) -> None:
        """Drop everything learned, after the credentials changed."""
        self._spaces.clear()

    def _may_repeat(self, key: tuple[str, str, str], old: Credentials, challenge: Challenge) -> bool:
        space = self._spaces.get(key)
        if space is not None and space.nonce != old.nonce:
            # Another request has learned a newer nonce meanwhile.
            return True
        if space is not None and challenge.stale and not (space.from_stale and space.count <= 1):
            return True
        if space is not None and space.count > 1 and space.nonce != challenge.nonce:
            # The nonce was good once: an old one, challenged by a server that does not write stale.
            return True
        self._spaces.pop(key, None)
        return False


def _challenges(headers: Headers, name: str) -> list[Challenge]:
    """The challenges that can be read and answered."""
    found = []
    for element in [element for value in headers.get_all(name) for element in digest_elements(value)]:
        try:
            challenges = headers.read(element, parse_challenges, mend_authentication)
        except ParseError:
            headers.note(Leniency.UNREADABLE_ELEMENT)
            continue
        found += [each for each in challenges if is_supported(each.algorithm) and each.usable_qop() is not None]
    return found


def _challenge_header(response: Response) -> str:
    return "Proxy-Authenticate" if response.status == 407 else "WWW-Authenticate"


def is_answerable(response: Response) -> bool:
    """Whether a 401 or 407 has a challenge that can be read and computed here, for whatever realm."""
    return bool(_challenges(response.headers, _challenge_header(response)))


def were_sent(status: int, sent: Sequence[tuple[str, str]]) -> bool:
    """Whether a request carried credentials of the kind that its final status, 401 or 407, asks for.

    Args:
        sent: its credentials, name and value of each header.
    """
    wanted = {401: _USER, 407: _PROXY}.get(status)
    return any(name == wanted for name, _ in sent)


def is_stale(response: Response) -> bool:
    """Whether a 401 or 407 speaks of a nonce that is too old, not of the credentials (RFC 7616 section 3.3)."""
    return any(each.stale for each in _challenges(response.headers, _challenge_header(response)))


def _credentials_in(name: str, sent: Sequence[tuple[str, str]]) -> dict[str, Credentials]:
    found = {}
    for header, value in sent:
        if header.lower() == name.lower():
            try:
                credentials = parse_credentials(value)
            except ParseError:
                continue
            if credentials is not None:
                found[credentials.realm] = credentials
    return found


def canonical(algorithm: str) -> str:
    """The name of an algorithm as `Challenge.algorithm` has it, from any case."""
    base = algorithm.strip().upper()
    return base[:-5] + "-sess" if base.endswith("-SESS") else base


def _needed(words: Mapping[str, str], name: str) -> str:
    try:
        return words[name]
    except KeyError:
        raise ParseError(f"digest without {name}") from None


def _read(text: str) -> list[tuple[str, dict[str, str]]]:
    # Scheme and parameters; a second scheme may follow in the same line (RFC 9110 section 11.6.1).
    text = text.strip()
    separated = _BLANK.search(text)  # LWS is any run of blanks and tabs (RFC 3261 section 25.1)
    if separated is None:
        raise ParseError("authentication header without parameters")
    scheme = text[: separated.start()]
    words: dict[str, str] = {}
    found = [(scheme.lower(), words)]
    position = len(scheme)
    total = 0
    name = ""
    end = len(text)
    while position < end:
        if text[position] in " ,\t\r\n":
            position += 1
            continue
        equals = text.find("=", position)
        total += 1
        if equals < 0 or equals - position > 256 or total > MAX_PARAMETERS:
            raise ParseError("authentication parameter without a value")
        before, name = name, text[position:equals].strip().lower()
        if "," in name and before == "qop":
            raise ParseError("a list without quotes")
        *before_name, name = _BLANK.split(name)
        if before_name:
            words = {}
            found.append((" ".join(before_name), words))
        position = equals + 1
        while position < end and text[position] in " \t\r\n":
            position += 1
        if text.startswith('"', position):
            stop = end_of_quotes(text, position)
            value = unquote(text[position:stop])
        else:
            stop = text.find(",", position)
            stop = end if stop < 0 else stop
            value = text[position:stop].strip()
        if name in words:
            raise ParseError(f"authentication parameter {name} twice")
        words[name] = value
        position = stop
    return found
