"""Digest authentication, the server's side: signed and timed nonces, the nonce count window, verdicts.

RFC 7616 sections 3.3, 3.4 and 5, RFC 8760, RFC 3261 section 22. A nonce carries its time, its slot and its signature,
so nothing is kept for strangers: a nonce enters the bounded table when credentials with it were right. This file
contains no sockets and stores no passwords; the clock is an argument and must be the same monotonic clock in every
process that shares the secret.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from hashlib import sha256
from typing import NamedTuple, final

from ..errors import ParseError
from ..leniency import Leniency
from ..message.grammar import quote
from ..message.headers import Headers
from ..message.mending import mend_authentication
from ..message.messages import Request
from ..message.tokens import Tokens
from ..message.uri import Uri
from . import aka as aka_digest
from .aka import AkaServer
from .digest import (
    ALGORITHMS,
    Credentials,
    canonical,
    digest_elements,
    hash_text,
    is_supported,
    parse_credentials,
    response_hash,
    session_hash,
    user_hash,
)

UriRule = Callable[[str, Request], bool]
"""Called with the digest uri as written and its request; whether credentials for that uri count for the request."""

PasswordLookup = Callable[[str], "str | Mapping[str, str] | None"]
"""Called with a user's name; returns a password, or H(user:realm:password) by algorithm name, or None."""


class Outcome(Enum):
    """The result of the check of one request."""

    OK = auto()
    """The credentials are right and were not used before."""
    MISSING = auto()
    """No credentials for our realm, or none of a kind that the challenge named."""
    STALE = auto()
    """Right for a nonce that is too old, of another slot, or no longer known: challenge again with stale=true."""
    REPLAYED = auto()
    """Right, but this nonce count was used before."""
    WRONG = auto()
    """User or password is wrong."""
    MALFORMED = auto()
    """The header cannot be read, or its uri is not the one of the request: 400 (RFC 7616 section 3.4.6)."""


class Verdict(NamedTuple):
    """The result of `DigestServer.verify`."""

    outcome: Outcome
    username: str
    """The user if OK, else the user that the request claims; empty without credentials."""
    next_nonce: bool
    """OK, and it is time to hand out a new nonce by `DigestServer.authentication_info`."""
    detail: str = ""
    """The fault of credentials that were not compared, for the log and a Warning; without octets of the request."""

    @property
    def ok(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is Outcome.OK


@final
class DigestServer:
    """Challenges and verifies for one realm in one process.

    ACK and CANCEL cannot be challenged (RFC 3261 section 22.1) and are not to be verified.

    Args:
        secret: signs nonces; shared by all slots.
        realm: protection space of the challenges.
        tokens: source of nonces.
        slot: of this process; a nonce of another slot is stale here, so that each nonce's counts have one owner.
        algorithms: offered in this order (RFC 8760 section 2.4).
        qop: offered; "auth-int" covers bodies too; empty challenges without qop (RFC 2069), and then takes "auth"
            as well, which some clients always write.
        lifetime: seconds a nonce is good for.
        window: how far behind the highest nonce count a new one may come, for requests that overtake each other; 1
            demands strictly rising counts.
        table: how many nonces are remembered; the oldest turns stale.
        proxy: 407 and the Proxy- headers instead of 401.
        require_qop: False also takes the style of RFC 2069, in which each nonce is good once.
        bind_uri: whether the uri parameter must be the Request-URI; False takes any.
        other_uri: with `bind_uri`, may allow a uri that is not the Request-URI; for clients and proxies that make
            the two differ.
        opaque: handed out with each challenge; what comes back of it is not looked at, for the nonce is signed.
        aka: makes and judges challenges of "AKAv1-MD5" (RFC 3310), when that is among the algorithms.
    """

    __slots__ = (
        "_aka",
        "_bind_uri",
        "_floor",
        "_lifetime",
        "_mac",
        "_offer",
        "_opaque",
        "_other_uri",
        "_proxy",
        "_qop",
        "_require_qop",
        "_seen",
        "_slot",
        "_table",
        "_tokens",
        "_window",
        "algorithms",
        "realm",
    )

    def __init__(
        self,
        secret: bytes,
        realm: str,
        tokens: Tokens,
        *,
        slot: int = 0,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: Sequence[str] = ("auth",),
        lifetime: float = 60.0,
        window: int = 64,
        table: int = 10_000,
        proxy: bool = False,
        require_qop: bool = True,
        bind_uri: bool = True,
        other_uri: UriRule | None = None,
        opaque: str = "",
        aka: AkaServer | None = None,
    ) -> None:
        """Check the policy.

        Raises:
            ValueError: an algorithm that cannot be computed, a secret under 16 octets, and the like.
        """
        algorithms = tuple(map(canonical, algorithms))
        if unknown := [
            name for name in algorithms if not (name == aka_digest.CANONICAL and aka) and not is_supported(name)
        ]:
            known = (*ALGORITHMS, *([aka_digest.NAME] if aka else []))
            raise ValueError(f"digest algorithm {unknown[0]} is not one of {', '.join(known)}")
        if len(secret) < 16 or table < 1 or window < 1 or not algorithms:
            raise ValueError("digest server needs a secret of 16 octets, an algorithm, a window and a table")
        self._mac = hmac.new(secret, digestmod=sha256)
        self.realm = realm
        self._tokens = tokens
        self._slot = slot
        self.algorithms = algorithms
        self._aka = aka
        self._offer = f', qop="{",".join(qop)}"' if qop else ""
        self._qop = tuple(qop) or ("auth",)
        self._lifetime = round(lifetime * 1000)
        self._window = window
        self._table = table
        self._proxy = proxy
        self._require_qop = require_qop and bool(qop)
        self._bind_uri = bind_uri
        self._other_uri = other_uri
        self._opaque = f", opaque={quote(opaque)}" if opaque else ""
        self._seen: dict[str, tuple[int, int]] = {}
        self._floor = -1

    def challenge(self, now: float, *, source: str = "", stale: bool = False, user: str = "") -> list[tuple[str, str]]:
        """The challenge headers, one for each algorithm, all with one new nonce; that of AKA has one of its own.

        Args:
            now: seconds of the monotonic clock.
            source: address of the peer, to which the nonce is bound; empty binds to none.
            user: the name of the caller, as far as that is known; AKA makes its challenge for one user.
        """
        name = "Proxy-Authenticate" if self._proxy else "WWW-Authenticate"
        nonce = self._make_nonce(now, source)
        tail = f"{self._offer}{self._opaque}" + (", stale=true" if stale else "")
        headers = []
        for algorithm in self.algorithms:
            own, written = nonce, algorithm
            if algorithm == aka_digest.CANONICAL and self._aka is not None:
                own, written = self._aka_nonce(self._aka, user, nonce, now, source), aka_digest.NAME
            headers.append((name, f'Digest realm={quote(self.realm)}, nonce="{own}", algorithm={written}{tail}'))
        return headers

    def refusal(
        self, verdict: Verdict, now: float, *, source: str = "", user: str = ""
    ) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers that refuse a request with this verdict: 401 or 407 with challenges, 400 for MALFORMED.

        A Warning gives the verdict's detail (RFC 3261 section 20.43).

        Args:
            user: the name of the caller when the request brought no credentials.
        """
        extra = [("Warning", f"399 sipswarm {quote(verdict.detail)}")] if verdict.detail else []
        if verdict.outcome is Outcome.MALFORMED:
            return 400, extra
        stale = verdict.outcome in (Outcome.STALE, Outcome.REPLAYED)
        return (407 if self._proxy else 401), self.challenge(
            now, source=source, stale=stale, user=verdict.username or user
        ) + extra

    def verify(self, request: Request, lookup: PasswordLookup, now: float, *, source: str = "") -> Verdict:
        """Judge the credentials of a request.

        Counts the nonce as used when OK.

        Args:
            source: as given to `challenge`.
        """
        name = "Proxy-Authorization" if self._proxy else "Authorization"
        credentials, broken = self._credentials_in(request.headers, name)
        if broken and (credentials is None or request.headers.reading.strict):
            return Verdict(Outcome.MALFORMED, "", False, f"{name} cannot be read")
        if credentials is None:
            return Verdict(Outcome.MISSING, "", False)
        if unasked := self._unasked(credentials):
            return Verdict(Outcome.MISSING, credentials.username, False, unasked)
        if self._bind_uri and not self._is_for(credentials.uri, request):
            return Verdict(Outcome.MALFORMED, credentials.username, False, "the digest uri is not of this request")
        if credentials.algorithm == aka_digest.CANONICAL:
            # The nonce of this server is inside the one of AKA, whose RAND came from it.
            rand, nonce = aka_digest.parts_of(credentials.nonce)
            if rand != self._rand(nonce):
                return Verdict(Outcome.STALE, credentials.username, False)
            if credentials.auts and self._aka is not None and self._issued(nonce, source) is not None:
                known = self._aka.resynchronize(credentials.username, rand, credentials.auts)
                return Verdict(Outcome.STALE if known else Outcome.WRONG, credentials.username, False)
        else:
            rand, nonce = b"", credentials.nonce
        if not self._is_right(credentials, request, lookup, rand):
            return Verdict(Outcome.WRONG, credentials.username, False)
        credentials = credentials._replace(nonce=nonce)
        outcome, age = self._count(credentials, now, source)
        return Verdict(outcome, credentials.username, outcome is Outcome.OK and 2 * age > self._lifetime)

    def _credentials_in(self, headers: Headers, name: str) -> tuple[Credentials | None, bool]:
        """The first credentials for our realm, and whether others of scheme Digest before them cannot be read.

        Those of another scheme are as if they were absent (RFC 3261 section 22.1, RFC 8898 section 2).
        """
        broken = False
        for element in [element for value in headers.get_all(name) for element in digest_elements(value)]:
            try:
                read = headers.read(element, parse_credentials, mend_authentication)
            except ParseError:
                broken = True
                continue
            if read is not None and read.realm == self.realm:
                if broken:
                    headers.note(Leniency.UNREADABLE_ELEMENT)
                return read, broken
        return None, broken

    def authentication_info(self, now: float, *, source: str = "") -> tuple[str, str]:
        """The header of a 2xx that hands out the next nonce (RFC 7616 section 3.5)."""
        name = "Proxy-Authentication-Info" if self._proxy else "Authentication-Info"
        return name, f'nextnonce="{self._make_nonce(now, source)}"'

    def _unasked(self, credentials: Credentials) -> str:
        """What makes credentials another kind than the challenge demands; empty when nothing does."""
        if credentials.userhash:
            return "the challenge asks for no userhash"
        if credentials.algorithm not in self.algorithms:
            return f"the digest algorithm must be one of {', '.join(self.algorithms)}"
        if credentials.qop:
            return "" if credentials.qop in self._qop else f"qop must be one of {', '.join(self._qop)}"
        return f"qop must be one of {', '.join(self._qop)}" if self._require_qop else ""

    def _is_for(self, written: str, request: Request) -> bool:
        """Whether a digest uri is the Request-URI, or is allowed in its place."""
        if written == request.uri:
            return True
        try:
            if Uri.parse(written).equivalent(request.request_uri):
                return True
        except ParseError:
            pass  # it may be allowed all the same
        return self._other_uri is not None and self._other_uri(written, request)

    def _is_right(self, credentials: Credentials, request: Request, lookup: PasswordLookup, rand: bytes) -> bool:
        algorithm = credentials.algorithm
        if rand:
            # RFC 3310 section 3.3: RES is the password.
            algorithm = "MD5"
            res = self._aka.response(credentials.username, rand) if self._aka is not None else None
            secret: str | Mapping[str, str] | None = None
            if res is not None:
                user = f"{credentials.username}:{self.realm}:".encode("utf-8", "surrogateescape")
                secret = {"MD5": hash_text("MD5", user + res)}
        else:
            secret = lookup(credentials.username)
        if isinstance(secret, Mapping):
            ha1 = secret.get(algorithm.removesuffix("-sess"))
        else:
            # An unknown user costs as much time as a wrong password.
            ha1 = user_hash(algorithm, credentials.username, self.realm, secret or "")
        expected = response_hash(
            algorithm,
            session_hash(algorithm, ha1 or "", credentials.nonce, credentials.cnonce),
            credentials.nonce,
            request.method,
            credentials.uri,
            qop=credentials.qop,
            nc=credentials.written_nc,
            cnonce=credentials.cnonce,
            body=request.body,
        )
        right = hmac.compare_digest(_octets(expected), _octets(credentials.response))
        return right and secret is not None and ha1 is not None

    def _count(self, credentials: Credentials, now: float, source: str) -> tuple[Outcome, int]:
        # RFC 7616 section 3.4: a nonce count is good once. Bits of `used` are the counts below and at the highest.
        nonce, count = credentials.nonce, credentials.nc
        issued = self._issued(nonce, source)
        if issued is None:
            return Outcome.STALE, 0
        age = round(now * 1000) - issued
        if not 0 <= age <= self._lifetime:
            return Outcome.STALE, age
        seen = self._seen.get(nonce)
        if seen is None:
            if issued <= self._floor:
                return Outcome.STALE, age
            self._remember(nonce, count, 1, round(now * 1000))
            return Outcome.OK, age
        highest, used = seen
        if not credentials.qop:
            return Outcome.REPLAYED, age  # no count distinguishes two uses: the nonce is good once
        if count > highest:
            shift = count - highest
            used = (used << shift | 1) & _mask(self._window) if shift < self._window else 1
            self._seen[nonce] = (count, used)
            return Outcome.OK, age
        bit = 1 << (highest - count) if highest - count < self._window else 0
        if not bit or used & bit:
            return Outcome.REPLAYED, age
        self._seen[nonce] = (highest, used | bit)
        return Outcome.OK, age

    def _remember(self, nonce: str, count: int, used: int, now_ms: int) -> None:
        if len(self._seen) >= self._table:
            # What is dropped, and all older ones that were not used yet, can only be stale from now on.
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._floor = max(self._floor, _time_of(oldest))
        elif self._seen:
            oldest = next(iter(self._seen))
            if now_ms - _time_of(oldest) > self._lifetime:
                del self._seen[oldest]
        self._seen[nonce] = (count, used)

    def _make_nonce(self, now: float, source: str) -> str:
        text = f"{self._slot:x}.{round(now * 1000):x}.{self._tokens.hexadecimal(16)}"
        return f"{text}.{self._sign(text, source)}"

    def _aka_nonce(self, aka: AkaServer, user: str, nonce: str, now: float, source: str) -> str:
        """A nonce of AKA around a nonce of this server, whose RES has no NUL: SIPp 3.6.1 takes RES for a text that ends
        there."""
        for _ in range(16):
            if b"\0" not in (aka.response(user, self._rand(nonce)) or b""):
                break
            nonce = self._make_nonce(now, source)
        return aka.nonce(user, self._rand(nonce), nonce, now)

    def _rand(self, nonce: str) -> bytes:
        """RAND of the challenge of AKA that carries a nonce of this server."""
        mac = self._mac.copy()
        mac.update(_octets(f"{nonce}\0RAND"))
        return mac.digest()[:16]

    def _issued(self, nonce: str, source: str) -> int | None:
        text, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(_octets(self._sign(text, source)), _octets(signature)):
            return None
        slot, _, _ = text.partition(".")
        # Signed by us, so its parts are numbers.
        return _time_of(nonce) if int(slot, 16) == self._slot else None

    def _sign(self, text: str, source: str) -> str:
        mac = self._mac.copy()
        mac.update(_octets(f"{text}\0{source}\0{self.realm}"))
        return mac.hexdigest()[:32]


def _mask(bits: int) -> int:
    return (1 << bits) - 1


def _time_of(nonce: str) -> int:
    return int(nonce.split(".", 2)[1], 16)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
